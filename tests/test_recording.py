"""Recordings: what clients have sent, and the same played again."""

import socket
import subprocess
import sys

import pytest
import redis

import emulator
from emulator.replay import replay


@pytest.fixture
def server():
    with emulator.Server() as server:
        yield server


def connect(server, **settings):
    return server.connect(driver_info=None, protocol=2, **settings)


def test_what_was_sent_and_by_whom(server):
    one, other = connect(server, client_name="one"), connect(server, client_name="other", db=3)
    with server.record() as recording:
        one.ping()
        other.set("k", b"\x00 \"'\xff")
        with pytest.raises(redis.ResponseError):
            one.execute_command("NOSUCH", "a b")
        one.mget("a", "b")
    one.ping()
    assert recording.lines == [
        "CLIENT SETNAME one",
        "PING",
        "CLIENT SETNAME other",
        "SELECT 3",
        'SET k "\\x00 \\"\'\\xff"',
        'NOSUCH "a b"',
        "MGET a b",
    ]
    calls = [call for call in recording.commands if call.words[0] not in (b"CLIENT", b"SELECT")]
    assert [(call.name, call.db, call.keys) for call in calls] == [
        (b"one", 0, ()),
        (b"other", 3, (b"k",)),
        (b"one", 0, ()),
        (b"one", 0, (b"a", b"b")),
    ]


def test_over_the_wire(server):
    client = connect(server, decode_responses=True)
    client.execute_command("EMULATOR", "RECORD", "START")
    client.set("k", "v")
    assert client.execute_command("EMULATOR", "RECORD", "STOP") == 1
    client.get("k")
    assert client.execute_command("EMULATOR", "RECORD", "LINES") == ["SET k v"]
    (call,) = client.execute_command("EMULATOR", "RECORD", "GET")
    fields = call if isinstance(call, dict) else dict(zip(call[::2], call[1::2], strict=True))
    assert (fields["words"], fields["keys"], fields["db"]) == (["SET", "k", "v"], ["k"], 0)


def test_it_is_played_again_and_compared(server):
    client = connect(server)
    with server.record() as recording:
        client.set("k", "v")
        client.rpush("l", "a", "b")
        client.pipeline().incr("n").lrange("l", 0, -1).execute()
        with pytest.raises(redis.ResponseError):
            client.incr("k")
        client.blpop("l", 1)
        client.get("n")
    with emulator.Server() as other:
        assert replay(recording.commands, other.host, other.port) == []
        (difference,) = replay(recording.commands[:2], other.host, other.port)[-1:]
        assert str(difference.call) == "RPUSH l a b"
        assert (difference.recorded, difference.answered) == (b":2\r\n", b":3\r\n")


def test_resp3_is_played_again_as_resp3(server):
    with server.record() as recording, server.connect(protocol=3, driver_info=None) as client:
        client.hset("h", "a", 1)
        client.hgetall("h")
        client.sadd("s", 1)
        client.smembers("s")
    calls = [call for call in recording.commands if call.words[0] != b"HELLO"]
    with emulator.Server() as other:
        assert replay(calls, other.host, other.port) == []


def test_the_greeting_of_a_client_is_played_and_its_success_is_compared(server):
    with server.record() as recording, server.connect(protocol=3) as client:
        client.set("k", "v")
    (hello,) = [call for call in recording.commands if call.words[0] == b"HELLO"]
    with emulator.Server() as other:
        other.connect().ping()  # so that the ids of connections differ
        assert replay(recording.commands, other.host, other.port) == []
    with emulator.Server(requirepass="secret") as other:
        assert replay([hello], other.host, other.port)[0].answered.startswith(b"-NOAUTH")


def test_lines_are_played_from_the_command_line(server):
    done = subprocess.run(
        [sys.executable, "-m", "emulator.replay", f"127.0.0.1:{server.port}"],
        input=b'SET k "a b"\n\nGET k\nLRANGE none 0 -1\n',
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == b"+OK\r\n$3\r\na b\r\n*0\r\n"


def test_a_server_that_closes_is_told_of(server):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with server.record() as recording:
            connect(server).ping()
        address = listening.getsockname()
        listening.close()
        with pytest.raises(OSError):
            replay(recording.commands, *address)
