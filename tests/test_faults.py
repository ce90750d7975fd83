"""Faults on command: what strikes whom, how often, and that nobody else notices."""

import threading

import pytest
import redis

import emulator
from conformance import servers
from emulator.clock import ManualClock


@pytest.fixture(scope="module")
def address():
    with servers.emulator() as address:
        yield address


@pytest.fixture
def client(address):
    with redis.Redis(*address, decode_responses=True, retry=None) as client:
        client.flushall()
        yield client
        fault(client, "CLEAR")


def fault(client, *words):
    return client.execute_command("EMULATOR", "FAULT", *words)


def fired(client):
    """How often each fault has struck."""
    replies = fault(client, "LIST")
    maps = [reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True)) for reply in replies]
    return [each["fired"] for each in maps]


def test_an_error_for_one_command_and_some_keys(client):
    fault(client, "ADD", "COMMAND", "get", "KEY", "user:*", "ERROR", "LOADING Redis is loading the dataset in memory")
    with pytest.raises(redis.exceptions.BusyLoadingError):
        client.get("user:1")
    assert client.get("other") is None and client.set("user:1", "x")
    assert fired(client) == [1]
    assert fault(client, "CLEAR") == 1
    assert client.get("user:1") == "x"


def test_a_command_that_holds_others_stands_for_all_of_them(client):
    fault(client, "ADD", "COMMAND", "config", "ERROR", "ERR no")
    for words in ("GET", "hz"), ("RESETSTAT",):
        with pytest.raises(redis.exceptions.ResponseError, match=r"^no$"):
            client.execute_command("CONFIG", *words)
    assert fired(client) == [2]


def test_every_nth_call_and_only_so_often(client):
    fault(client, "ADD", "COMMAND", "incr*", "NTH", 3, "TIMES", 2, "ERROR", "OOM no memory")
    outcomes = []
    for _ in range(12):
        try:
            outcomes.append(client.incr("n"))
        except redis.exceptions.OutOfMemoryError:
            outcomes.append("oom")
    assert outcomes == [1, 2, "oom", 3, 4, "oom", 5, 6, 7, 8, 9, 10]


def test_chance_repeats_with_its_seed(client):
    def outcomes():
        fault(client, "ADD", "PROBABILITY", 0.5, "SEED", 42, "COMMAND", "ping", "ERROR", "ERR by chance")
        found = []
        for _ in range(30):
            try:
                found.append(client.ping())
            except redis.ResponseError:
                found.append(False)
        fault(client, "CLEAR")
        return found

    first = outcomes()
    assert first == outcomes() and 5 < sum(first) < 25


def test_the_connection_is_dropped_before_or_after(client):
    fault(client, "ADD", "COMMAND", "incr*", "TIMES", 1, "DROP-BEFORE")
    with pytest.raises(redis.ConnectionError):
        client.incr("n")
    assert client.get("n") is None
    fault(client, "ADD", "COMMAND", "incr*", "TIMES", 1, "DROP-AFTER")
    with pytest.raises(redis.ConnectionError):
        client.incr("n")
    assert client.get("n") == "1"


def test_half_a_reply(client):
    client.set("k", "x" * 1000)
    fault(client, "ADD", "COMMAND", "get", "TIMES", 1, "HALF")
    with pytest.raises(redis.ConnectionError):
        client.get("k")
    assert client.get("k") == "x" * 1000


def test_a_delay_holds_up_one_client_only(client, address):
    with redis.Redis(*address, client_name="slow") as slow:
        assert slow.ping()
        client.execute_command("EMULATOR", "CLOCK", "FREEZE")
        fault(client, "ADD", "CLIENT", "slow", "DELAY", 5000)
        done = []
        waiting = threading.Thread(target=lambda: done.append(slow.incr("n")))
        waiting.start()
        while fired(client) != [1]:
            pass
        client.execute_command("EMULATOR", "CLOCK", "ADVANCE", 4999)
        assert client.get("n") is None and not done
        client.execute_command("EMULATOR", "CLOCK", "ADVANCE", 1)
        waiting.join(60)
        assert done == [1]
        client.execute_command("EMULATOR", "CLOCK", "RESUME")


@pytest.mark.parametrize("effect", ["DELAY 5000", "STALL"])
def test_the_end_of_a_pause_frees_nobody_whom_a_fault_holds(effect):
    local = emulator.Local(ManualClock(1000))
    client, slow, paused = local.connect(), local.socket(), local.socket()
    fault(client, "ADD", "COMMAND", "echo", *effect.split())
    slow.sendall(b"ECHO hello\r\n")
    client.client_pause(60_000, all=False)
    paused.sendall(b"SET k v\r\n")
    assert not paused.received
    client.client_unpause()
    assert list(paused.received) == [b"+OK\r\n"] and not slow.received
    local.clock.advance(5)
    assert list(slow.received) == ([b"$5\r\nhello\r\n"] if effect != "STALL" else [])


def test_a_client_that_is_not_listened_to(client, address):
    with redis.Redis(*address, single_connection_client=True, retry=None, client_name="deaf") as deaf:
        assert deaf.ping()
        fault(client, "ADD", "CLIENT", "deaf", "TIMES", 1, "STALL")
        deaf.connection._sock.settimeout(0.05)
        with pytest.raises(redis.TimeoutError):
            deaf.ping()
    assert client.ping()


def test_who_was_not_listened_to_is_heard_once_the_faults_are_cleared():
    local = emulator.Local()
    client, deaf = local.connect(), local.socket()
    fault(client, "ADD", "COMMAND", "echo", "STALL")
    deaf.sendall(b"ECHO hello\r\n")
    deaf.settimeout(0.01)
    with pytest.raises(TimeoutError):
        deaf.recv(100)
    fault(client, "CLEAR")
    deaf.settimeout(60)
    assert deaf.recv(100) == b"$5\r\nhello\r\n"


def test_new_connections_are_refused(client, address):
    fault(client, "ADD", "TIMES", 1, "REFUSE")
    with pytest.raises(redis.ConnectionError):
        redis.Redis(*address, retry=None).ping()
    assert redis.Redis(*address, retry=None).ping() and fired(client) == [1]


def test_transactions_and_scripts_meet_faults_as_a_whole(client):
    fault(client, "ADD", "COMMAND", "exec", "TIMES", 1, "ERROR", "READONLY You can't write")
    with pytest.raises(redis.exceptions.ReadOnlyError):
        client.pipeline().set("a", 1).execute()
    client.execute_command("DISCARD")
    assert client.pipeline().set("a", 1).execute() == [True]


WRONG = [
    "ADD",
    "ADD ERROR",
    "ADD COMMAND get",
    "ADD NTH 0 HALF",
    "ADD NTH x HALF",
    "ADD FOO HALF",
    "CLEAR x",
    "FOO",
    "LIST x",
]


@pytest.mark.parametrize("words", WRONG)
def test_what_is_no_fault_is_an_error(client, words):
    with pytest.raises(redis.ResponseError):
        fault(client, *words.split())
    assert fault(client, "LIST") == []
