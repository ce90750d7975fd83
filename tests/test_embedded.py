"""A server within a program: in a thread, in a loop, on a port of its own."""

import asyncio
import multiprocessing
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
import redis

import emulator


def test_a_server_in_a_thread():
    with emulator.Server() as server:
        with server.connect(decode_responses=True) as client:
            assert client.set("k", "v") and client.get("k") == "v"
            assert redis.Redis.from_url(server.url).get("k") == b"v"
        assert server.run(lambda engine: len(engine.databases[0])) == 1
    with pytest.raises(redis.ConnectionError):
        redis.Redis(port=server.port, retry=None).ping()
    assert not [thread for thread in threading.enumerate() if thread.name == "redis-emulator"]


def test_many_servers_at_once_share_nothing():
    with emulator.Server() as one, emulator.Server() as other:
        one.connect().set("k", "v")
        assert one.port != other.port and other.connect().get("k") is None


def test_settings_and_a_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError), emulator.Server(port=taken.getsockname()[1]):
            pass
    with emulator.Server(requirepass="secret", databases=2) as server:
        assert server.connect(password="secret", db=1).ping()
        with pytest.raises(redis.AuthenticationError):
            server.connect().ping()


def test_the_clock_of_a_server():
    with emulator.Server() as server, server.connect() as client:
        server.clock.freeze()
        client.set("k", "v", ex=10)
        server.clock.advance(9.5)
        assert client.pttl("k") == 500 and server.clock.frozen
        server.clock.advance(0.5)
        assert client.get("k") is None
        server.clock.set(datetime(2030, 1, 1, tzinfo=UTC))
        assert client.time()[0] == server.clock.now == 1893456000
        server.clock.resume()
        assert not server.clock.frozen


def test_a_wait_ends_when_the_clock_is_turned():
    with emulator.Server() as server, server.connect() as client:
        server.clock.freeze()
        waiting = threading.Thread(target=lambda: client.blpop("nothing", 1000))
        waiting.start()
        while not server.run(lambda engine: engine.blocking.blocks):
            pass
        server.clock.advance(1001)
        waiting.join(60)
        assert not waiting.is_alive()


def test_an_error_in_what_is_run_comes_back():
    with emulator.Server() as server, pytest.raises(ZeroDivisionError):
        server.run(lambda engine: 1 / 0)


def test_a_server_in_the_running_loop():
    async def scenario():
        async with emulator.Server() as server, redis.asyncio.Redis.from_url(server.url) as client:
            assert await client.set("k", "v", ex=10)
            server.clock.advance(10)
            assert await client.get("k") is None

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "last_act",
    ["print(server.connect().ping())", "client = server.connect(); print(client.ping())", "print(True); sys.exit()"],
    ids=["idle", "with a connection", "sys.exit"],
)
def test_a_server_that_nobody_closes_does_not_hold_up_the_interpreter(last_act):
    program = f"import emulator, sys; server = emulator.Server(); server.__enter__(); {last_act}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n")


def leave_a_trace(url):
    redis.Redis.from_url(url).incr("children")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("way", multiprocessing.get_all_start_methods())
def test_children_can_connect(way):
    with emulator.Server() as server:
        child = multiprocessing.get_context(way).Process(target=leave_a_trace, args=(server.url,))
        child.start()
        child.join(30)
        assert child.exitcode == 0 and server.connect().get("children") == b"1"


def advance_the_clock(server):
    try:
        server.clock.advance(1)
    except RuntimeError as error:
        sys.exit(0 if "another process" in str(error) else 1)
    sys.exit(2)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_is_told_that_the_server_is_not_in_it():
    with emulator.Server() as server:
        child = multiprocessing.get_context("fork").Process(target=advance_the_clock, args=(server,))
        child.start()
        child.join(60)
        assert child.exitcode == 0
