"""A server in the background, its log when nobody reads it, what it says of connections, and systems that lack something."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest
import redis

import emulator
from conformance import servers
from conformance.servers import free_port
from emulator import __main__ as program
from emulator import system
from tests.test_main import ROOT, port_of, process, running


def started(*options, **environ):
    """What comes of ``--daemonize yes``: exit status, standard output and standard error."""
    server = process("--daemonize", "yes", "--bind", "127.0.0.1", *options, **environ)
    output, errors = server.communicate(timeout=30)
    return server.returncode, output, errors


@contextlib.contextmanager
def ended(port):
    """A client of a daemon, which is ended."""
    client = redis.Redis(port=port, retry=None)
    yield client
    client.shutdown(nosave=True)


def test_a_daemon_that_cannot_listen_says_why():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, output, errors = started("--port", str(port))
    assert (status, output) == (1, "")
    assert f"Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use" in errors
    assert f"Failed listening on port {port} (tcp), aborting." in errors and "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--port", "0"], "Configured to not listen anywhere, exiting."),
        (["--cluster-enabled", "yes", "--port", "60000"], "Redis port number too high."),
        (["--aclfile", "/nowhere/users.acl"], "No such file or directory"),
        (["--port", "auto", "--user", "b b", "on"], "Spaces not allowed in ACL usernames"),
    ],
)
def test_a_daemon_that_cannot_start_says_why(options, text):
    status, output, errors = started(*options)
    assert (status, output) == (1, "") and text in errors


def test_a_daemon_tells_the_token_that_it_made():
    pytest.importorskip("h11")
    port = free_port()
    status, output, errors = started("--port", str(port), "--rest-port", "auto")
    with ended(port) as client:
        told = dict(line.split("=", 1) for line in output.splitlines())
        assert (status, errors) == (0, "") and len(told["UPSTASH_REDIS_REST_TOKEN"]) > 20
        assert told["UPSTASH_REDIS_REST_URL"].endswith(str(client.config_get("rest-port")["rest-port"]))


def test_a_daemon_that_starts_says_nothing():
    port = free_port()
    status, output, errors = started("--port", str(port), "--appendonly", "yes")
    with ended(port):
        assert (status, output, errors) == (0, "", "")


def test_a_log_that_nobody_reads_any_more_does_not_matter():
    with running("--port", "auto", "--enable-debug-command", "yes") as (server, lines):
        server.stdout.close()
        with redis.Redis(port=port_of(lines)) as client:
            for _ in range(2):
                client.execute_command("DEBUG", "LOG", "lost")
            assert client.ping()
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0 and server.stderr.read() == ""


def test_a_log_file_that_is_gone_does_not_matter(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    server = process("--port", str(port := free_port()), "--dir", str(folder), "--logfile", str(folder / "log"))
    client = redis.Redis(port=port)
    assert client.ping()
    (folder / "log").unlink()
    folder.rmdir()
    client.config_set("maxmemory", 1)
    client.shutdown(nosave=True)
    output, errors = server.communicate(timeout=10)
    assert (server.returncode, output, errors) == (0, "", "")


def connections(port, path):
    """Clients that come and go in every way."""

    def client(*commands):
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        for command in commands:
            connection.sendall(command + b"\r\n")
            assert connection.recv(1000)
        return connection

    def gone(connection):
        connection.close()
        with redis.Redis(unix_socket_path=path) as watcher:
            while len(watcher.client_list(_type="normal")) + len(watcher.client_list(_type="pubsub")) > 1:
                time.sleep(0.001)

    gone(client(b"PING"))
    gone(client(b"CLIENT SETNAME ann"))
    gone(client(b"SUBSCRIBE a"))
    gone(client(b"MULTI"))
    gone(client(b"QUIT"))
    gone(client(b"CLIENT KILL TYPE normal SKIPME no"))
    reset = client(b"PING")
    reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone(reset)
    for wrong in PROTOCOL_ERRORS:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(wrong)
            while connection.recv(1000):
                pass


PROTOCOL_ERRORS = (
    b"*-5x\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n:1\r\n",
    b"*2\r\n$4\r\nECHO\r\n$x\r\n\x01\x00after",
    b"PING 'a\r\n",
    b"PING '" + b"a" * 121 + b"\r\n",
    b"PING '" + b"a" * 120 + b"\r\n",
    b"PING '" + b"a" * 119 + b"\r\n",
    b"*" + b"1" * 70_000,
)


VARYING = (
    r"127\.0\.0\.1:\d+|\b(id|fd|age|idle)=\S*"  # numbers of the system and of its clock
    r"|\b(qbuf|qbuf-free|argv-mem|multi-mem|rbs|rbp|obl|tot-mem|tot-net-\w+|tot-cmds|io-thread|events)=\S*"  # C's buffers
)


def said(command, port, path):
    """What a server logs of `connections`, without moments, ports and buffers."""
    server = subprocess.Popen(
        [*command, "--loglevel", "verbose", "--unixsocket", path], cwd=os.path.dirname(path), stdout=subprocess.PIPE
    )
    for line in server.stdout:
        if b"Ready to accept connections unix" in line:
            break
    connections(port, path)
    server.send_signal(signal.SIGTERM)
    lines = server.communicate(timeout=10)[0].decode().splitlines()
    told = [line.partition(" - ")[2] for line in lines if " - " in line]
    return [
        re.sub(VARYING, "…", line)
        for line in told
        if "vectorset" not in line and path not in line and "addr=/" not in line
    ]


@pytest.fixture
def binary():
    try:
        return servers.oracle_binary()
    except servers.NoOracle as error:
        pytest.skip(str(error))


def last_warning(command):
    """What a server that cannot start says last, without the number of its process and the time."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    return [line.partition(" # ")[2] for line in done.stdout.splitlines() if " # " in line][-2:]


@pytest.mark.parametrize(
    "options",
    [
        "--bind 127.0.0.1 127.0.0.1",
        "--bind 127.0.0.1 -127.0.0.1",
        "--bind 127.0.0.1 -nosuchhost.invalid",
        "--bind * 127.0.0.1",
    ],
)
def test_why_it_cannot_listen_is_said_as_by_redis(binary, options):
    port = free_port()
    expected = last_warning(servers.oracle_command(port, *options.split(), binary=binary))
    assert last_warning(servers.emulator_command(port, *options.split())) == expected
    assert expected[-1] == f"Failed listening on port {port} (tcp), aborting."


@pytest.mark.parametrize("path", ["/nowhere/s", "/tmp", "/tmp/" + 103 * "s"])
def test_why_a_unix_socket_cannot_be_opened_is_said_as_by_redis(binary, path):
    options = ("--unixsocket", path)
    expected = last_warning(servers.oracle_command(0, *options, binary=binary))[-1]
    assert last_warning(servers.emulator_command(0, *options))[-1] == expected
    assert expected.startswith("Failed opening Unix socket: ")


def test_what_is_said_of_connections_at_loglevel_verbose_is_redis_s(tmp_path, binary):
    there, here = free_port(), free_port()
    expected = said(servers.oracle_command(there, binary=binary), there, str(tmp_path / "there"))
    found = said(servers.emulator_command(here), here, str(tmp_path / "here"))
    assert found == expected
    assert sum(line.startswith("Accepted") for line in found) == 7 + len(PROTOCOL_ERRORS)
    assert sum(line.startswith("Protocol error (") for line in found) == len(PROTOCOL_ERRORS)
    assert sum(line.startswith("Client closed connection") for line in found) == 4


# Systems that lack something


@pytest.fixture
def windows(monkeypatch):
    """A system with neither fork nor unix sockets."""
    monkeypatch.setattr(system, "has_fork", lambda: False)
    monkeypatch.setattr(system, "has_unix_sockets", lambda: False)
    return monkeypatch


def run(monkeypatch, capfd, *options):
    """Exit status and output of ``python -m emulator``, in this process."""
    monkeypatch.setattr(sys, "argv", ["emulator", *options])
    return program.main(), capfd.readouterr()


def test_no_daemon_without_fork(windows, capfd):
    status, told = run(windows, capfd, "--daemonize", "yes", "--port", "auto")
    assert status == 1 and told.err.splitlines() == [system.NO_FORK] and told.out == ""


def test_no_unix_socket_where_there_are_none(windows, capfd, tmp_path):
    status, told = run(windows, capfd, "--unixsocket", str(tmp_path / "s"), "--port", "auto")
    assert status == 1 and told.out.splitlines()[-1].endswith(
        f"# unixsocket {tmp_path / 's'}: {system.NO_UNIX_SOCKETS}"
    )
    assert "Traceback" not in told.out + told.err
    with pytest.raises(OSError, match=system.NO_UNIX_SOCKETS), emulator.Server(unixsocket=tmp_path / "s"):
        pass


def test_no_upstream_by_a_unix_socket_where_there_are_none(windows, capfd):
    from emulator.rest.__main__ import main

    assert main(["--upstream", "unix:///tmp/redis.sock"]) == 1
    assert capfd.readouterr().err.splitlines() == [f"unix:///tmp/redis.sock: {system.NO_UNIX_SOCKETS}"]


def test_redis_cli_has_no_unix_socket_where_there_are_none(windows, capfd):
    from emulator.cli import main

    assert main(["-s", "/tmp/redis.sock", "ping"]) == 1
    assert capfd.readouterr().err.splitlines() == [
        f"Could not connect to Redis at /tmp/redis.sock: {system.NO_UNIX_SOCKETS}"
    ]


def test_the_gateway_needs_no_signals_of_the_loop(tmp_path):
    text = (
        "import asyncio, sys\n"
        "def missing(*arguments): raise NotImplementedError\n"
        "asyncio.get_event_loop_policy().new_event_loop().__class__.add_signal_handler = missing\n"
        "from emulator.rest.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    (tmp_path / "windows.py").write_text(text)
    with servers.emulator() as (_, port):
        command = [
            sys.executable,
            tmp_path / "windows.py",
            "--upstream",
            f"redis://127.0.0.1:{port}",
            "--rest-port",
            "0",
        ]
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        gateway = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert gateway.stdout.readline().startswith("UPSTASH_REDIS_REST_URL=")
        gateway.send_signal(signal.SIGTERM)
        _, errors = gateway.communicate(timeout=20)
    assert (gateway.returncode, errors) == (0, "")
