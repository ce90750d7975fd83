"""A hostile replica or master, and links that come and go: neither side ends, stalls, or keeps what it was sent."""

import socket
import threading
import time

import pytest
import redis

from emulator.keyspace.database import Database
from emulator.replication import link
from emulator.replication.replica import Replica
from tests.test_replication import follow, in_step
from tests.test_replication import ours as ours
from tests.waiting import all_gone, until

ID = b"a" * 40
GREETING = b"+PONG\r\n+OK\r\n+OK\r\n"
FULL = GREETING + b"+FULLRESYNC " + ID + b" 0\r\n"
MARK = b"m" * 40


def command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class Master:
    """What a server that is told to follow it takes for a master; it says whatever it is told to say."""

    def __init__(self, server):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self._server = server
        with server.connect() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", self._listener.getsockname()[1])

    def accept(self):
        """The next attempt of the replica, which is due at once."""
        for _ in range(3):
            try:
                self._listener.settimeout(0.3)
                return self._listener.accept()[0]
            except TimeoutError:
                self._server.clock.advance(1)
        self._listener.settimeout(10)
        return self._listener.accept()[0]

    def say(self, data):
        connection = self.accept()
        connection.sendall(data)
        return connection

    def close(self):
        self._listener.close()


@pytest.fixture
def victim(ours):
    """A replica with a key of its own, whose master is hostile."""
    server = ours(repl_diskless_load="swapdb")
    with server.connect() as client:
        client.set("own", 1)
    yield server
    with server.connect() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.set("after", 1)


def is_up(server):
    return server.run(lambda engine: engine.replication.link.is_up)


def hold_little(transport):
    """Have the system hold little of what is written and not read, megabytes else."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 12)


def held(server):
    """Bytes of a transfer that are kept."""
    return server.run(lambda engine: 0 if (t := engine.replication.link.transfer) is None else t.taken)


@pytest.mark.parametrize(
    "words",
    [
        GREETING + b"+FULLRESYNC " + ID + b" " + b"9" * 9000 + b"\r\n",
        GREETING + b"+FULLRESYNC " + ID + b" -1\r\n",
        GREETING + b"+FULLRESYNC\r\n",
        GREETING + b"+FULLRESYNC " + b"b" * 39 + b" 7\r\n",
        GREETING + b"+RDBCHANNELSYNC\r\n",
        GREETING + b"+RDBCHANNELSYNC " + b"7" * 900 + b"\r\n",
        GREETING + b"\r\n" * 10_000 + b"-ERR no\r\n",
        FULL + b"$" + b"9" * 9000 + b"\r\n",
        FULL + b"$" + b"9" * 100 + b"\r\n",
        FULL + b"$-1\r\n",
        FULL + b"$0\r\n",
        FULL + b"$EOF:short\r\n" + b"x" * 4096,
        FULL + b"$9\r\nREDIS0012",
        FULL + b"$EOF:" + MARK + b"\r\nREDIS0012\xff" + MARK[:-1] + b"n",
        FULL + b"$EOF:" + MARK + b"\r\nREDIS0012\xfa\x03abc\x81\xff\xff\xff\xff\xff\xff\xff\xff" + MARK,
    ],
    ids=range(15),
)
def test_a_master_that_lies_changes_nothing(victim, words):
    master = Master(victim)
    with victim.connect() as client:
        connection = master.say(words)
        assert client.ping()
        connection.close()
        again = master.accept()  # it tries again
        assert client.get("own") == b"1" and not is_up(victim)
        again.close()
    master.close()


@pytest.mark.parametrize("head", [b"$99999999999\r\n", b"$EOF:" + MARK + b"\r\n"])
def test_what_is_no_file_is_not_received_to_its_end(victim, head):
    master = Master(victim)
    connection = master.say(FULL + head + b"x")
    assert connection.recv(65536)
    with pytest.raises(OSError):
        while True:
            connection.sendall(b"x" * (1 << 20))
    until(lambda: held(victim) == 0)
    master.close()


@pytest.mark.parametrize(
    "words",
    [
        (b"SHUTDOWN", b"NOW"),
        (b"DEBUG", b"SEGFAULT"),
        (b"PSYNC", b"?", b"-1"),
        (b"REPLICAOF", b"NO", b"ONE"),
        (b"CONFIG", b"SET", b"maxmemory", b"1"),
        (b"MONITOR",),
        (b"QUIT",),
        (b"RESET",),
        (b"SUBSCRIBE", b"a"),
        (b"CLIENT", b"TRACKING", b"ON"),
        (b"CLIENT", b"KILL", b"TYPE", b"normal"),
        (b"BLPOP", b"nothing", b"0"),
        (b"WAIT", b"1", b"0"),
        (b"EXEC",),
        (b"SELECT", b"99999"),
        (b"FAILOVER",),
    ],
    ids=lambda words: words[0].decode(),
)
def test_the_stream_cannot_take_the_server_over(victim, words):
    master = Master(victim)
    with victim.connect() as client:
        connection = master.say(GREETING + b"+CONTINUE\r\n")
        until(lambda: is_up(victim))
        connection.sendall(command(*words) + command(b"SELECT", b"0") + command(b"SET", b"later", b"1"))
        until(lambda: client.get("later") == b"1" or not is_up(victim))
        assert client.get("own") == b"1" and client.config_get("maxmemory") == {"maxmemory": "0"}
        assert client.info("replication")["role"] == "slave"
        connection.close()
    master.close()


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("MULTI|SET a 1|DISCARD|SET b 1", "b"),
        ("MULTI|SET a 1|DISCARD|EXEC|SET b 1", "b"),
        ("MULTI|SET a 1|MULTI|SET b 1|EXEC", "a b"),
        ("MULTI|SET a|SET b 1|EXEC", ""),
        ("MULTI|NONE a|SET b 1|EXEC", ""),
        ("MULTI|SET a 1|EXEC x|SET b 1", "b"),
        ("SELECT 2|RESET|SET a 1|SELECT 0", ""),
        ("EVAL redis.call('set','a','1') 0", "a"),
        ("SCRIPT LOAD redis.call('set','a','1')|EVALSHA 3a6f9c1ea3ea2e4df0ea4bb95e3a4ac1b0b1b1b1 0|SET b 1", "b"),
    ],
)
def test_the_stream_is_played_as_the_real_server_plays_it(victim, words, keys):
    master = Master(victim)
    connection = master.say(GREETING + b"+CONTINUE\r\n")
    until(lambda: is_up(victim))
    stream = b"".join(command(*line.encode().split(b" ")) for line in words.split("|")) + command(b"SET", b"end", b"1")
    before = victim.run(lambda engine: engine.replication.stream.offset)
    connection.sendall(stream)
    until(lambda: victim.run(lambda engine: engine.replication.stream.offset) == before + len(stream))
    with victim.connect() as client:
        assert set(client.keys()) == {b"own", b"end", *keys.encode().split()}
    connection.close()
    master.close()


def test_nothing_is_kept_for_a_master_that_listens(victim):
    master = Master(victim)
    connection = master.say(GREETING + b"+CONTINUE\r\n")
    until(lambda: is_up(victim))
    connection.sendall(
        command(b"SUBSCRIBE", b"a") + command(b"PUBLISH", b"a", b"x") * 9 + command(b"SET", b"end", b"1")
    )
    with victim.connect() as client:
        until(lambda: client.exists("end"))
    assert victim.run(lambda engine: engine.replication.link.player._session.out) == []
    connection.close()
    master.close()


def test_a_script_of_the_master_that_does_not_end_keeps_nobody_from_being_heard(victim, caplog):
    master = Master(victim)
    connection = master.say(GREETING + b"+CONTINUE\r\n")
    until(lambda: is_up(victim))
    with victim.connect() as client:
        client.config_set("busy-reply-threshold", 1)
        connection.sendall(command(b"EVAL", b"while true do end", b"0"))
        until(lambda: "BUSY" in str(answer_of(client)))
        connection.sendall(command(b"SET", b"end", b"1"))
        client.script_kill()
        until(lambda: client.exists("end"))
    assert "cannot enter" not in caplog.text
    connection.close()
    master.close()


def answer_of(client):
    try:
        return client.get("own")
    except redis.ResponseError as error:
        return error


@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe" * 9000, b"*1\r\n$-7\r\n", b"*99999999\r\n", b"*1\r\n$9999999999\r\n", b"\0" * 99]
)
def test_garbage_in_the_stream_ends_the_link_alone(victim, garbage):
    master = Master(victim)
    with victim.connect() as client:
        connection = master.say(GREETING + b"+CONTINUE " + b"i" * 900 + b"\r\n")
        until(lambda: is_up(victim))
        assert len(client.info("replication")["master_replid"]) == 40
        connection.sendall(garbage)
        assert client.ping() and client.get("own") == b"1"
        connection.close()
        until(lambda: not is_up(victim))
    master.close()


def test_a_master_that_asks_and_does_not_read_is_let_go(victim, monkeypatch):
    monkeypatch.setattr(link, "_MOST_UNSENT", 1 << 14)
    master = Master(victim)
    connection = master.say(GREETING + b"+CONTINUE\r\n")
    until(lambda: is_up(victim))
    victim.run(lambda engine: hold_little(engine.replication.link._wire._transport))
    question = command(b"REPLCONF", b"GETACK", b"*") * 10_000

    def ask():
        with pytest.raises(OSError):
            while True:
                connection.sendall(question)

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: not is_up(victim))
    asking.join()
    master.close()


def test_a_replica_that_is_none_keeps_nothing(ours):
    """Half a handshake, garbage, what is huge and what is negative: for each there is an answer, or an end."""
    with ours(timeout=1) as server, server.connect() as client:
        for words in (
            command(b"REPLCONF", b"listening-port", b"-7", b"ip-address", b"x" * 200),
            command(b"REPLCONF", b"ip-address", b"x" * 5000),
            command(b"REPLCONF", *[b"capa", b"x" * 1000] * 2000),
            command(b"REPLCONF", b"rdb-filter-only", b"'"),
            command(b"REPLCONF", b"ACK", b"9" * 30) + command(b"PING"),
            command(b"PSYNC", ID, b"-9223372036854775808"),
            command(b"PSYNC", ID * 1000, b"1"),
            command(b"PSYNC", b"?", b"9" * 40),
            command(b"REPLCONF", b"capa", b"rdb-channel-repl") + command(b"PSYNC", b"?", b"-1"),
            command(b"SYNC") + b"\xff" * 5000,
            command(b"REPLCONF", b"capa", b"eof") + command(b"PSYNC", b"?", b"-1") + command(b"GET", b"a"),
        ):
            with socket.create_connection((server.host, server.port), 10) as replica:
                replica.sendall(words)
                assert replica.recv(100)
            assert client.ping()
        until(lambda: client.info("replication")["connected_slaves"] == 0)
        with socket.create_connection((server.host, server.port), 10) as half:
            half.sendall(command(b"REPLCONF", b"listening-port", b"1"))
            assert half.recv(100) == b"+OK\r\n"
            server.clock.advance(5)
            assert half.recv(100) == b""  # it is a client as others are, which may not be idle


@pytest.mark.parametrize("words", [(b"PSYNC", b"?", b"x"), (b"PSYNC", b"?", b"-1"), (b"SYNC",)])
def test_who_sees_what_others_do_does_not_become_a_replica(ours, words):
    server = ours()
    with socket.create_connection((server.host, server.port), 10) as monitor, monitor.makefile("rb") as answers:
        monitor.sendall(command(b"MONITOR") + command(*words) + command(b"PING"))
        assert answers.readline() == b"+OK\r\n"
        while (line := answers.readline()) != b"+PONG\r\n":
            assert line.endswith(b'"\r\n')  # a command, as it is shown


def test_a_replica_that_has_gone_leaves_nothing_that_only_a_full_collection_finds(ours):
    server = ours()
    with all_gone(Replica):
        for words in (command(b"PSYNC", b"?", b"-1"), command(b"SYNC")):
            with socket.create_connection((server.host, server.port), 10) as replica:
                replica.sendall(words)
                assert replica.recv(100)


def test_a_replica_is_not_its_own_other_connection(ours):
    server = ours()
    with socket.create_connection((server.host, server.port), 10) as replica:
        replica.sendall(
            command(b"REPLCONF", b"capa", b"rdb-channel-repl", b"capa", b"eof") + command(b"PSYNC", b"?", b"-1")
        )
        answer = b""
        while answer.count(b"\n") < 2:
            answer += replica.recv(100)
        number = answer.split()[-1]
        replica.sendall(command(b"REPLCONF", b"main-ch-client-id", number))
        rest = replica.recv(100)
        assert b"Unrecognized RDB client id" in rest or rest == b""


def test_a_link_that_flaps_leaves_nothing_behind(ours):
    master, replica = ours(repl_diskless_sync_delay=0, repl_backlog_size="16kb"), ours(repl_diskless_load="swapdb")
    with master.connect() as client, replica.connect() as there:
        for number in range(3000):
            client.set(f"k{number}", number)
        follow(replica, master)
        for number in range(30):
            client.set("big", "x" * 20_000)  # more than the backlog: each time all data are sent anew
            client.client_kill_filter(_type="replica")
            there.client_kill_filter(_type="master")
            if number % 3:
                time.sleep(0.005 * number)
            replica.clock.advance(1)
            client.set("last", number)
        until(lambda: client.info("replication").get("slave0", {}).get("state") == "online", "it does not come back")
        assert in_step(master, replica)
        assert client.info("replication")["connected_slaves"] == 1
        for server in (master, replica):
            assert server.run(lambda engine: {type(db) for db in engine.databases}) == {Database}
            assert server.run(lambda engine: len(engine.databases)) == 16
        clients = client.client_list()
        assert len([each for each in clients if "S" in each["flags"]]) == 1
