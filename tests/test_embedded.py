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
from emulator.testing.remote import RemoteServer


def test_a_server_in_a_thread():
    before = set(threading.enumerate())  # servers of the session may live in threads of theirs
    with emulator.Server() as server:
        with server.connect(decode_responses=True) as client:
            assert client.set("k", "v") and client.get("k") == "v"
            assert redis.Redis.from_url(server.url).get("k") == b"v"
        assert server.run(lambda engine: len(engine.databases[0])) == 1
    with pytest.raises(redis.ConnectionError):
        redis.Redis(port=server.port, retry=None).ping()
    assert not set(threading.enumerate()) - before


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
            server.connect(password=None, retry=None).ping()


@pytest.mark.parametrize("password", ["secret", "p@ss:w/rd?é"])
def test_a_server_with_a_password_is_reached_by_its_url(password):
    async def asynchronous(url):
        async with redis.asyncio.Redis.from_url(url) as client:
            return await client.ping()

    with emulator.Server(requirepass=password) as server, server.keyspace("one") as keyspace:
        assert redis.Redis.from_url(server.url).set("k", "v") and asyncio.run(asynchronous(server.url))
        assert server.connect().get("k") == b"v" and server.connect(db=1).get("k") is None
        assert redis.Redis.from_url(keyspace.url).get("k") is keyspace.connect().get("k") is None
        remote = RemoteServer(server.url)
        assert (remote.host, remote.port) == (server.host, server.port)
        assert remote.connect().get("k") == b"v" and remote.clock.now
        assert remote.keyspace("one").connect().get("k") is None
        server.command("CONFIG", "SET", "requirepass", "another")
        assert redis.Redis.from_url(server.url).get("k") == server.connect().get("k") == b"v"
    assert emulator.Local(requirepass=password).connect().ping()
    assert asyncio.run(emulator.Local(requirepass=password).aconnect().ping())


def test_users(tmp_path):
    (tmp_path / "users.acl").write_text("user ann on >a +@all ~*\n")
    for settings in (
        {"user": "ann on >a +@all ~*"},
        {"user": ["ann on >a +@all ~*", "bob off"]},
        {"aclfile": tmp_path / "users.acl"},
    ):
        with emulator.Server(**settings, requirepass="secret") as server:
            assert server.connect(username="ann", password="a").acl_whoami() == "ann"
            address = f"{server.host}:{server.port}"
            assert RemoteServer(f"redis://ann:a@{address}").connect().acl_whoami() == "ann"
        assert emulator.Local(**settings).connect(username="ann", password="a").acl_whoami() == "ann"
    with pytest.raises(ValueError, match="Error loading ACL rule '\\+nonsense' for the user named 'ann'"):
        emulator.Local(user="ann +nonsense")
    with pytest.raises(ValueError, match="No such file"), emulator.Server(aclfile="/nowhere/users.acl"):
        pass


def test_tls_only(tmp_path):
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    files = {"tls_cert_file": tmp_path / "cert.pem", "tls_key_file": tmp_path / "key.pem"}
    settings = files | {"tls_ca_cert_file": tmp_path / "ca.pem", "requirepass": "secret"}
    with emulator.Server(port=0, tls_port="auto", **settings) as server:
        assert server.url == f"rediss://:secret@127.0.0.1:{server.port}"
        assert server.connect().set("k", "v")
    with emulator.Server(port=0, tls_port="auto", tls_auth_clients=False, **settings) as server:
        url = f"{server.url}?ssl_ca_certs={tmp_path / 'ca.pem'}"
        remote = RemoteServer(url)
        with server.keyspace("one") as keyspace:
            assert redis.Redis.from_url(url).set("k", "v") and remote.connect().get("k") == b"v"
            assert keyspace.url.startswith("rediss://keyspace.one:secret@")
            assert keyspace.connect().get("k") is remote.keyspace("one").connect().get("k") is None


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no unix sockets on this system")
def test_a_unix_socket_only(tmp_path):
    with emulator.Server(port=0, unixsocket=tmp_path / "s", requirepass="secret") as server:
        assert server.port == 0 and server.url == f"unix://:secret@{tmp_path}/s"
        assert server.connect().set("k", "v") and redis.Redis.from_url(server.url).get("k") == b"v"
        remote = RemoteServer(server.url)
        assert (remote.host, remote.port) == (str(tmp_path / "s"), 0)
        assert remote.keyspace("one").connect().dbsize() == 0


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


@pytest.mark.slow
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


@pytest.mark.slow
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
