"""What a replica answers to clients, and what becomes of one that does not behave: as with the real server."""

import socket
import time

import pytest

import emulator
from conformance import servers
from conformance.cases import split
from conformance.resp import Connection
from tests.conftest import Client
from tests.test_replication import Real, follow, in_step
from tests.waiting import until

ASKED = """
GET k
SET k 2
EXISTS k
INCR k
DEL k
FLUSHALL
EXPIRE k 10
EVAL "return redis.call('get',KEYS[1])" 1 k
EVAL "return redis.call('set',KEYS[1],1)" 1 k
EVAL "return redis.pcall('set',KEYS[1],1)" 1 k
EVAL_RO "return redis.call('get',KEYS[1])" 1 k
FUNCTION LOAD "#!lua name=x\\nredis.register_function('f',function() return 1 end)"
FUNCTION LIST
SCRIPT LOAD "return 1"
PFADD p a
PFCOUNT p
SORT k STORE j
XADD x * a 1
XREADGROUP GROUP g c STREAMS x >
BLPOP nothing 0.01
SWAPDB 0 1
PUBLISH ch hello
SPUBLISH ch hello
WAIT 0 0
WAITAOF 0 0 0
FAILOVER
FAILOVER ABORT
REPLCONF ACK 1
REPLCONF listening-port 1
PSYNC x
MULTI
SET k 2
EXEC
MULTI
GET k
EXEC
DISCARD
GETEX k PERSIST
GETEX k
HGETEX h FIELDS 1 f
OBJECT ENCODING k
TTL k
TOUCH k
DBSIZE
SELECT 1
SET k 1
SELECT 0
CONFIG SET replica-read-only no
SET local 1
GET local
DEL local
EXPIRE k 100
PERSIST k
CONFIG SET replica-read-only yes
CLIENT KILL TYPE replica
CLIENT NO-EVICT on
LATENCY RESET
ACL WHOAMI
COPY k m
RESTORE r 0 x
DUMP k
MIGRATE 127.0.0.1 1 k 0 10
REPLICAOF x y z
REPLICAOF 127.0.0.1 x
"""


@pytest.fixture(scope="module")
def master():
    try:
        with servers.oracle(None, "--repl-diskless-sync-delay", "0") as address:
            yield Real(address)
    except servers.NoOracle as error:
        pytest.skip(str(error))


def test_a_replica_answers_as_a_real_one_does(master):
    with (
        master.connect() as client,
        servers.oracle(None, "--repl-diskless-sync-delay", "0") as address,
        emulator.Server(enable_debug_command="yes") as ours,
    ):
        client.mset({"k": 1, "p": ""})
        real = Real(address)
        follow(real, master)
        follow(ours, master)
        assert in_step(master, real, ours)
        answers = []
        for server in (ours, real):
            connection = Connection((server.host, server.port))
            told = []
            for line in ASKED.strip().splitlines():
                connection.send(split(line))
                if line.startswith("REPLCONF ACK"):
                    continue
                told.append((line, str(connection.read())))
            answers.append(told)
        assert answers[0] == answers[1]


def test_who_waits_hears_that_the_master_has_become_a_replica(master):
    with emulator.Server() as server:
        waiting = Connection((server.host, server.port), 10.0)
        waiting.send([b"BLPOP", b"nothing", b"0"])
        with server.connect() as client:
            until(lambda: client.info("clients")["blocked_clients"] == 1)
            client.execute_command("REPLICAOF", master.host, master.port)
        assert str(waiting.read()).startswith("-b'UNBLOCKED force unblock from blocking operation")


class Silent:
    """A replica that reads nothing."""

    def __init__(self, server):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect((server.host, server.port))

    def say(self, line):
        self.socket.sendall(line + b"\r\n")


def replicas(client):
    return client.info("replication")["connected_slaves"]


@pytest.mark.parametrize("follows", [False, True])
def test_a_replica_that_reads_nothing_is_let_go(follows):
    with (
        emulator.Server(client_output_buffer_limit="replica 1mb 0 0", repl_backlog_size="16kb") as server,
        server.connect() as client,
    ):
        client.set("big", "x" * (0 if follows else 8 << 20))
        silent = Silent(server)
        silent.say(b"REPLCONF capa eof")
        silent.say(b"PSYNC ? -1")
        until(lambda: replicas(client) == 1)
        if follows:

            def is_online():
                silent.say(b"REPLCONF ACK 0")
                return client.info("replication")["slave0"]["state"] == "online"

            until(is_online)
        with client.pipeline(transaction=False) as pipe:
            for _ in range(40):
                pipe.set("k", "y" * (256 << 10))
            pipe.execute()
        until(lambda: replicas(client) == 0)
        assert client.get("k") is not None
        silent.socket.close()


def test_a_replica_that_does_not_take_the_data_is_let_go_in_time():
    with emulator.Server() as server, server.connect() as client:
        for number in range(8):
            client.set(f"big:{number}", bytes(range(256)) * (8 << 10))
        client.config_set("rdbcompression", "no")
        silent = Silent(server)
        silent.say(b"REPLCONF capa eof")
        silent.say(b"PSYNC ? -1")
        until(lambda: replicas(client) == 1)

        def is_let_go():
            server.clock.advance(61)  # time and again: at first some data may still be on their way into its socket
            return replicas(client) == 0

        until(is_let_go)
        silent.socket.close()


def test_a_replica_that_is_answered_is_let_go():
    with emulator.Server() as server, server.connect() as client:
        replica = Silent(server)
        replica.say(b"PSYNC ? -1")
        until(lambda: replicas(client) == 1)
        replica.say(b"GET a")
        until(lambda: replicas(client) == 0)
        replica.socket.close()


def test_a_master_that_speaks_nonsense_harms_nobody():
    """Whatever it says, the replica goes on serving its clients and tries again."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)
    with emulator.Server() as server, server.connect() as client:
        client.set("a", 1)
        client.execute_command("REPLICAOF", "127.0.0.1", listener.getsockname()[1])
        for nonsense in (
            b"\xff" * 5000,
            b"+PONG\r\n" * 6,
            b"-ERR go away\r\n",
            b"+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " + b"a" * 40 + b" 0\r\n$9\r\nREDIS9999",
            b"+PONG\r\n+OK\r\n+OK\r\n+FULLRESYNC " + b"a" * 40 + b" 0\r\n!!!!!\r\n",
            b"+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n*1\r\n$-7\r\n",
            b"+PONG\r\n+OK\r\n+OK\r\n+CONTINUE\r\n*2\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n*1\r\n$4\r\nNOPE\r\n",
        ):
            connection, _ = listener.accept()
            connection.sendall(nonsense)
            assert client.ping()
            time.sleep(0.05)
            connection.close()
            server.clock.advance(1)  # the next attempt
        client.execute_command("REPLICAOF", "NO", "ONE")
        client.set("b", 1)
    listener.close()


def test_what_waits_to_be_sent_is_not_lost_to_one_who_comes_back(engine, client, another):
    engine.config.repl_diskless_sync_delay = 0
    engine.soon = lambda work: None  # the round of the loop has not ended
    another.play("REPLCONF capa eof capa psync2")
    assert another.play("PSYNC ? -1").startswith(b"+FULLRESYNC ")
    another.play("REPLCONF ACK 0")
    client.play("SET a 1")
    back = Client(engine)
    back.play("REPLCONF capa eof capa psync2")
    missed = back.play(f"PSYNC {engine.replication.stream.id} 1")
    assert missed.startswith(b"+CONTINUE ") and missed.endswith(b"SET\r\n$1\r\na\r\n$1\r\n1\r\n")
    client.play("SET b 2")
    engine.replication.stream.flush()
    assert back.received() == another.received()[-len(b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n") :]


def test_a_replica_that_waits_for_the_file_gets_signs_of_life(engine, client, another, pass_time):
    engine.persistence.work.begin = lambda: None  # the file is not finished
    engine.config.repl_diskless_sync = False
    assert client.play("PSYNC ? -1").startswith(b"+FULLRESYNC")
    engine.replication.stream.replicas[0].only_dump = True  # of which the next one cannot make use
    assert another.play("PSYNC ? -1") == b""
    pass_time(1000)
    assert (client.received(), another.received()) == (b"\n", b"\n")


def ask(client, *words):
    """Ask for all data, as a replica that is capable of these, and return what is answered at once."""
    if words:
        assert client.play(" ".join(["REPLCONF", *words])) == b"+OK\r\n"
    return client.play("PSYNC ? -1")


def test_a_second_replica_is_sent_the_file_that_is_saved_for_the_first(engine, client, another):
    steps = engine.persistence.work
    steps.begin = lambda: None  # the file is not finished
    engine.config.repl_diskless_sync = False
    engine.config.save = []
    writer, dump, capable = (Client(engine) for _ in range(3))
    first = ask(client, "capa", "eof")
    writer.play("SET k 1")
    assert ask(another, "capa", "eof", "capa", "psync2") == first
    assert ask(dump, "capa", "eof", "rdb-only", "1") == first
    assert ask(capable, "capa", "psync2") == b""  # it cannot read what the first one may be sent
    writer.play("SET k 2")
    engine.replication.stream.flush()
    while steps.busy and not capable.received():
        steps.step()
    data, _, stream = client.received().partition(b"*2\r\n")
    assert data.startswith(b"$") and stream.count(b"SELECT") == 2 and stream.count(b"SET\r\n") == 2
    assert another.received() == data + b"*2\r\n" + stream
    assert dump.received() == data
    assert engine.replication.synchronization.full == 4


def test_one_that_knows_no_end_mark_is_not_let_wait_for_others(engine, client, another):
    assert ask(client, "capa", "eof") == b""
    assert ask(another).startswith(b"+FULLRESYNC ")
    assert client.received().startswith(b"+FULLRESYNC ") and b"$EOF:" not in client.received()
