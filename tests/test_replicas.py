"""Replicas within a program, and what no real Redis can do to them."""

import asyncio

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import emulator
from tests.waiting import until


@pytest.fixture(scope="module")
def shared():
    with emulator.Server(replicas=2) as server:
        yield server


@pytest.fixture
def server(shared):
    shared.reset()
    return shared


def test_replicas_have_what_their_master_has(server):
    with server.connect() as client:
        client.set("a", 1)
        assert client.wait(2, 10_000) == 2
    server.replicas.wait()
    for replica in server.replicas:
        with replica.connect() as there:
            assert there.get("a") == b"1"


def test_a_replica_that_lags_behind_has_what_is_old_enough_by_its_clock(server):
    replica = server.replicas[0]
    replica.clock.freeze()
    replica.replica.lag(5)
    with server.connect() as client, replica.connect() as there:
        client.set("a", 1)
        until(
            lambda: (
                there.info("replication")["slave_read_repl_offset"] == client.info("replication")["master_repl_offset"]
            )
        )
        assert there.get("a") is None
        replica.clock.advance(4)
        assert there.get("a") is None
        replica.clock.advance(2)
        until(lambda: there.get("a") == b"1")
        client.set("a", 2)
        replica.replica.lag(0)
        until(lambda: there.get("a") == b"2")


def test_a_link_that_is_cut_is_taken_up_where_it_was(server):
    replica = server.replicas[0]
    with server.connect() as client, replica.connect() as there:
        with replica.replica.apart():
            client.set("a", 1)
            assert there.get("a") is None
            assert there.info("replication")["master_link_status"] == "down"
        server.replicas.wait()
        assert there.get("a") == b"1"
        stats = client.info("stats")
        assert (stats["sync_partial_ok"], stats["sync_full"]) == (1, 0)


@pytest.mark.parametrize(
    ("role", "error"),
    [
        ("READONLY", "You can't write against a read only replica."),
        ("REPLICA", "You can't write against a read only replica."),
        ("LOADING", "Redis is loading the dataset in memory"),
        ("MASTERDOWN", "Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
    ],
)
def test_a_server_plays_a_role(server, role, error):
    with server.connect(retry=Retry(NoBackoff(), 0)) as client:
        client.execute_command("EMULATOR", "PLAY", role)
        with pytest.raises(redis.exceptions.RedisError) as raised:
            client.set("a", 1)
        assert error in str(raised.value)
        assert client.info("replication")["role"] == ("slave" if role == "REPLICA" else "master")
        client.execute_command("EMULATOR", "PLAY", "OFF")
        client.set("a", 1)


@pytest.mark.parametrize(("how", "left"), [("KEEP", b"1"), ("LOSE", None)])
def test_a_restart_ends_connections_and_keeps_or_loses_data(server, how, left):
    with server.connect(single_connection_client=True) as client, server.connect() as other:
        client.set("a", 1)
        client.config_set("maxmemory", "1gb")
        before = client.info("server")["run_id"]
        number = other.client_id()
        assert client.execute_command("EMULATOR", "RESTART", how) == b"OK"
        assert other.get("a") == left
        assert other.client_id() != number
        assert other.info("server")["run_id"] != before
        assert other.config_get("maxmemory")["maxmemory"] == "0"
    server.replicas.wait()
    with server.replicas[0].connect() as there:
        assert there.get("a") == left


def test_only_a_replica_has_a_link(server):
    with server.connect() as client, pytest.raises(redis.exceptions.ResponseError, match="this server is no replica"):
        client.execute_command("EMULATOR", "LINK", "CUT")


def test_replicas_in_a_loop_that_is_running():
    async def scenario():
        async with emulator.Server(replicas=1) as server:
            client = redis.asyncio.Redis(host=server.host, port=server.port)
            await client.set("a", 1)
            assert await client.wait(1, 10_000) == 1
            await client.aclose()

    asyncio.run(scenario())


def test_the_fixture(redis_replicas):
    with redis_replicas.connect() as client:
        client.set("a", 1)
        assert client.wait(2, 10_000) == 2


def test_what_a_test_does_to_the_data_reaches_replicas(server, tmp_path):
    with server.connect() as client:
        client.set("kept", 1, ex=1000)
        client.set("a", 1)
        with server.snapshot():
            client.set("a", 2)
            client.set("b", 2)
            server.clock.advance(10)
        server.save(tmp_path / "saved.rdb")
        client.flushall()
        server.load(tmp_path / "saved.rdb")
        server.replicas.wait()
        for replica in server.replicas:
            with replica.connect() as there:
                assert sorted(there.keys()) == [b"a", b"kept"]
                assert there.pexpiretime("kept") == client.pexpiretime("kept")
    server.clock.reset()
