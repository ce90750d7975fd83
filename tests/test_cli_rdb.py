"""``redis-cli --rdb`` and ``--functions-rdb`` beside the real one: the same words, and files with the same data."""

import re
import socket
import threading

import pytest

import emulator
from tests.test_cli import OURS, find_redis_cli, run

LIBRARY = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"


@pytest.fixture(scope="module")
def server():
    with emulator.Server(user=["low on >p ~* +get"], repl_diskless_sync_delay=0) as server:
        client = server.connect()
        client.set("k", "v" * 300_000)
        client.function_load(LIBRARY)
        yield server


def transfer(program, server, path, *options):
    """Status, output and errors, in which sizes, and that the real one tries twice, do not count."""
    status, output, errors = run(program, "-h", server.host, "-p", str(server.port), *options, str(path))
    return status, output[:5], re.sub(rb"\d+ bytes|%b" % re.escape(str(path).encode()), b"_", errors)


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("option", ["--rdb", "--functions-rdb"])
def test_the_file_has_what_the_server_has(server, tmp_path, option, diskless):
    server.connect().config_set("repl-diskless-sync", diskless)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    found = transfer(OURS, server, ours, option)
    assert found == transfer(find_redis_cli(), server, theirs, option)
    by_file = (option, diskless) == ("--rdb", "no")
    assert found[0] == 0 and (b"EOF marker" in found[2]) == (not by_file)
    for path in (ours, theirs):
        local = emulator.Local()
        local.load(path)
        assert local.command("DBSIZE") == (option == "--rdb")
        assert local.command("FCALL", "f", 0) == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--rdb"],
        ["--no-auth-warning", "--user", "low", "--pass", "p", "--rdb"],
        ["--no-auth-warning", "--user", "low", "--pass", "p", "--functions-rdb"],
        ["--rdb", "a", "--functions-rdb"],
        ["--rdb", "a", "--rdb"],
        ["-p", "1", "--rdb"],
    ],
)
@pytest.mark.parametrize("path", ["/nowhere/x", "-"])
def test_what_can_go_wrong_is_told_alike(server, options, path):
    assert transfer(OURS, server, path, *options) == transfer(find_redis_cli(), server, path, *options)


@pytest.mark.parametrize("header", [b"\n\n$1000\r\n", b"\n$EOF:" + b"x" * 40 + b"\r\n"])
def test_a_server_that_goes_away_is_told_of(tmp_path, header):
    def serve():
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as requests:
            for line in requests:
                if line == b"SYNC\r\n":
                    connection.sendall(header + b"REDIS")
                    return
                if line == b"REPLCONF\r\n":
                    connection.sendall(b"+OK\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        status, _, errors = run(OURS, "-p", str(listening.getsockname()[1]), "--rdb", str(tmp_path / "x"))
    assert status == 1 and errors.endswith(b"\nI/O Error reading RDB payload from socket\n")
