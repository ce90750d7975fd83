"""Handles: a server here, an engine in process, one elsewhere and a keyspace are held in the same way."""

from contextlib import contextmanager

import pytest
import redis

import emulator
from conformance import servers
from emulator.testing.remote import RemoteServer


@contextmanager
def here():
    with emulator.Server() as server:
        yield server


@contextmanager
def in_process():
    yield emulator.Local()


@contextmanager
def elsewhere():
    with servers.emulator() as (host, port):
        server = RemoteServer(f"redis://{host}:{port}")
        yield server
        server.close()


@contextmanager
def keyspace():
    with emulator.Server() as server, server.keyspace("of a test") as keyspace:
        yield keyspace


@contextmanager
def keyspace_elsewhere():
    with servers.emulator() as (host, port):
        server = RemoteServer(f"redis://{host}:{port}")
        keyspace = server.keyspace("a")
        yield keyspace
        keyspace.drop()
        assert server.command("EMULATOR", "KEYSPACE", "LIST") == []
        server.close()


@pytest.fixture(params=[here, in_process, elsewhere, keyspace, keyspace_elsewhere], ids=lambda way: way.__name__)
def handle(request):
    with request.param() as handle:
        yield handle


def test_commands(handle):
    client = handle.connect()
    client.set("k", b"\xff")
    assert handle.command("GET", "k") == b"\xff" and handle.command("PTTL", "none") == -2
    assert handle.perform(("INCR", "n"), ("INCRBY", "n", 5)) == [1, 6]
    assert b"cmdstat_incrby" not in client.execute_command("INFO", "commandstats", NEVER_DECODE=True)
    assert handle.is_emulator


def test_the_clock(handle):
    client = handle.connect()
    client.set("k", "v", ex=10)
    handle.clock.freeze()
    assert handle.clock.frozen
    handle.clock.advance(10)
    assert client.get("k") is None
    handle.clock.set(2_000_000_000)
    assert handle.clock.now == 2_000_000_000 and client.time()[0] == 2_000_000_000
    handle.clock.resume()
    assert not handle.clock.frozen and handle.clock.now >= 2_000_000_000
    handle.clock.reset()
    assert handle.clock.now < 2_000_000_000 or client.time()[0] != 2_000_000_000


def test_faults(handle):
    client = handle.connect(client_name="worker")
    fault = handle.faults.add("error", error="OOM no memory", command="set", key="a*", client="work*", nth=2, times=1)
    client.set("a", "1")
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        client.set("a", "2")
    client.set("b", "3")
    assert (fault.met, fault.fired) == (2, 1)
    other = handle.faults.add("delay", seconds=0)
    fault.clear()
    assert client.get("a") == b"1" and other.fired >= 1 and fault.met == 0
    handle.faults.clear()
    assert handle.command("EMULATOR", "FAULT", "LIST") == []


def test_snapshots(handle):
    client = handle.connect()
    client.set("k", "v")
    with handle.snapshot() as snapshot:
        client.flushall()
        snapshot.restore()
        assert client.get("k") == b"v"
        client.set("k", "w")
    assert client.get("k") == b"v" and handle.command("EMULATOR", "SNAPSHOT", "LIST") == []


def test_recordings(handle):
    client = handle.connect(client_name="worker", driver_info=None, protocol=2)
    client.ping()
    with handle.record() as recording:
        client.set("user:1", "Ann Other")
        client.get("user:1")
        client.mget("user:1", "other")
    assert recording.lines == ['SET user:1 "Ann Other"', "GET user:1", "MGET user:1 other"]
    assert handle.commands == recording.commands
    assert handle.commands.select("*get", key="other").lines == ["MGET user:1 other"]
    assert len(handle.commands.select(client="work*")) == 3 and not handle.commands.select(client="else")
    assert repr(handle.commands.select("set")) == 'SET user:1 "Ann Other"'
    call = handle.commands[1]
    assert (call.name, call.db, call.keys, call.answer) == (b"worker", 0, (b"user:1",), b"$9\r\nAnn Other\r\n")


def test_what_no_real_redis_can_do_is_an_error_there():
    try:
        with servers.oracle() as (host, port):
            server = RemoteServer(f"redis://{host}:{port}")
            assert not server.is_emulator and server.connect().ping()
            with pytest.raises(redis.ResponseError):
                server.clock.freeze()
            server.close()
    except servers.NoOracle as error:
        pytest.skip(str(error))
