"""Sentinel: the real one watches our servers, ours watches real ones, and clients follow."""

import contextlib

import pytest
import redis

import emulator
from conformance import servers
from conformance.resp import Connection
from emulator.testing.sentinel import SentinelServer
from tests.test_replication import Real, digest, follow
from tests.waiting import until


def real_binary():
    try:
        return servers.oracle_binary()
    except servers.NoOracle as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def group():
    with emulator.Sentinel(replicas=2, down_after=0.3, enable_debug_command="yes") as sentinel:
        yield sentinel


def test_a_client_of_redis_py_follows_a_failover(group):
    client = group.connect()
    master = client.master_for(group.name)
    master.set("a", 1)
    until(lambda: client.slave_for(group.name).get("a") == b"1")
    old = group.master
    new = group.failover()
    assert new is not old
    assert client.discover_master(group.name) == (new.host, new.port)
    master.set("b", 2)
    with new.connect() as there:
        assert there.get("b") == b"2"
    with old.connect() as there:
        assert there.info("replication")["role"] == "slave"


def test_when_the_master_dies_a_replica_takes_its_place(redis_sentinel):
    client = redis_sentinel.connect().master_for(redis_sentinel.name)
    client.set("a", 1)
    assert client.wait(2, 10_000) == 2
    redis_sentinel.stop_master()
    until(lambda: client.get("a") == b"1")


def test_several_sentinels_agree_and_elect_one():
    with emulator.Sentinel(replicas=1, sentinels=3, down_after=0.3) as group:
        with group.sentinels[0].connect() as one:
            assert len(one.sentinel_sentinels(group.name)) == 2
            assert one.execute_command("SENTINEL", "CKQUORUM", group.name).startswith(b"OK 3 usable Sentinels.")
        new = group.stop_master()
        epochs = set()
        for sentinel in group.sentinels:
            assert sentinel.master(group.name) == (new.host, new.port)
            with sentinel.connect() as client:
                epochs.add(client.sentinel_master(group.name)["config-epoch"])
        assert len(epochs) == 1


@pytest.fixture
def real():
    with contextlib.ExitStack() as stack:

        def start(*options):
            try:
                command = servers.oracle_command(servers.free_port(), "--repl-diskless-sync-delay", "0", *options)
            except servers.NoOracle as error:
                pytest.skip(str(error))
            port = int(command[2])
            process = stack.enter_context(servers.running(command, port))
            server = Real(("127.0.0.1", port))
            server.process = process
            return server

        yield start


def test_a_sentinel_of_ours_watches_real_servers(real):
    master, replica = real(), real()
    follow(replica, master)
    words = [
        ["monitor", "m", master.host, str(master.port), "1"],
        ["down-after-milliseconds", "m", "300"],
        ["failover-timeout", "m", "60000"],
    ]
    with SentinelServer(words) as sentinel, sentinel.connect() as client, client.pubsub() as listener:
        until(lambda: sentinel.is_ready("m", 1, 0))
        listener.subscribe("+switch-master")
        listener.get_message(timeout=5)
        master.process.kill()
        told = until(lambda: listener.get_message(timeout=1))
        assert told["data"].decode() == f"m {master.host} {master.port} {replica.host} {replica.port}"
        with replica.connect() as there:
            assert there.info("replication")["role"] == "master"


def test_a_real_sentinel_watches_our_servers(tmp_path):
    with emulator.Server(enable_debug_command="yes") as master, emulator.Server(enable_debug_command="yes") as replica:
        follow(replica, master)
        config = tmp_path / "sentinel.conf"
        config.write_text(
            f"sentinel monitor m {master.host} {master.port} 1\n"
            "sentinel down-after-milliseconds m 300\nsentinel failover-timeout m 5000\n"
        )
        port = servers.free_port()
        with (
            servers.running([real_binary(), str(config), "--sentinel", "--port", str(port)], port),
            redis.Redis("127.0.0.1", port, decode_responses=True) as client,
        ):
            client.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 200)
            until(lambda: len(client.sentinel_slaves("m")) == 1)
            until(lambda: client.sentinel_slaves("m")[0]["master-link-status"] == "ok")
            client.execute_command("SENTINEL", "FAILOVER", "m")
            until(lambda: client.sentinel_get_master_addr_by_name("m") == (replica.host, replica.port))
            with replica.connect() as there:
                there.set("a", 1)
            until(lambda: digest(master) == digest(replica))


ASKED = [
    "SENTINEL GET-MASTER-ADDR-BY-NAME m",
    "SENTINEL GET-MASTER-ADDR-BY-NAME nope",
    "SENTINEL CKQUORUM m",
    "SENTINEL CKQUORUM nope",
    "SENTINEL MASTER nope",
    "SENTINEL SENTINELS m",
    "SENTINEL PENDING-SCRIPTS",
    "SENTINEL MONITOR m 127.0.0.1 7733 1",
    "SENTINEL MONITOR other nohost.invalid 7733 1",
    "SENTINEL MONITOR other 127.0.0.1 77330 1",
    "SENTINEL MONITOR other 127.0.0.1 7733 0",
    "SENTINEL SET m quorum 2",
    "SENTINEL CKQUORUM m",
    "SENTINEL SET m quorum 0",
    "SENTINEL SET m foo 1",
    "SENTINEL SET m quorum",
    "SENTINEL SET nope quorum 1",
    "SENTINEL SET m auth-pass foo quorum 1 parallel-syncs 2",
    "SENTINEL RESET nope*",
    "SENTINEL REMOVE nope",
    "SENTINEL FAILOVER nope",
    "SENTINEL FAILOVER m",
    "SENTINEL CONFIG SET foo 1",
    "SENTINEL CONFIG SET announce-port x",
    "SENTINEL CONFIG SET announce-port 65536",
    "SENTINEL CONFIG SET announce-port",
    "SENTINEL CONFIG SET announce-port 7 announce-port 8",
    "SENTINEL CONFIG SET announce-port 7 announce-ip 10.0.0.1",
    "SENTINEL CONFIG GET announce-[ip]*",
    "SENTINEL CONFIG GET nope announce-port",
    "SENTINEL CONFIG FOO x",
    "SENTINEL INFO-CACHE",
    "SENTINEL INFO-CACHE nope",
    "SENTINEL DEBUG",
    "SENTINEL DEBUG INFO-PERIOD",
    "SENTINEL DEBUG INFO-PERIOD x",
    "SENTINEL DEBUG FOO 1",
    "SENTINEL DEBUG info-period 1000",
    "SENTINEL FLUSHCONFIG",
    "SENTINEL FOO",
    "SENTINEL",
    "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 0 *",
    "SENTINEL IS-MASTER-DOWN-BY-ADDR 127.0.0.1 1 x *",
    "GET a",
    "SELECT 0",
    "CONFIG GET port",
    "ROLE",
    "PING",
    "PUBLISH foo bar",
    "PUBLISH __sentinel__:hello x",
    "INFO sentinel",
    "SENTINEL REMOVE m",
    "SENTINEL MASTERS",
    "COMMAND COUNT",
]


def _answers(address, server):
    client = Connection(address)
    return [(line, str(client(*line.split())).replace(str(server.port), "PORT")) for line in ASKED]


def test_a_sentinel_answers_as_the_real_one_does(tmp_path):
    with emulator.Server() as server:
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor m {server.host} {server.port} 1\n")
        port = servers.free_port()
        with servers.running([real_binary(), str(config), "--sentinel", "--port", str(port)], port):
            theirs = _answers(("127.0.0.1", port), server)
        with SentinelServer([["monitor", "m", server.host, str(server.port), "1"]]) as sentinel:
            ours = _answers((sentinel.host, sentinel.port), server)
    assert ours == theirs


def test_facts_have_the_names_of_the_real_one(tmp_path):
    with emulator.Server(replicas=1) as server:
        config = tmp_path / "sentinel.conf"
        config.write_text(f"sentinel monitor m {server.host} {server.port} 1\n")
        port = servers.free_port()
        with (
            servers.running([real_binary(), str(config), "--sentinel", "--port", str(port)], port),
            redis.Redis("127.0.0.1", port) as theirs,
            SentinelServer([["monitor", "m", server.host, str(server.port), "1"]]) as sentinel,
            sentinel.connect() as ours,
        ):
            for client in (ours, theirs):
                client.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 200)
                until(lambda client=client: len(client.sentinel_slaves("m")) == 1)
                until(lambda client=client: len(client.sentinel_sentinels("m")) == 1)
            for words in ("MASTER", "REPLICAS", "SENTINELS"):
                raw = [client.execute_command("SENTINEL " + words, "m", NEVER_DECODE=[]) for client in (ours, theirs)]
                names = [list(each[0] if isinstance(each, list) else each) for each in raw]
                assert names[0] == names[1], words
