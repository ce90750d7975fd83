"""The small redis-cli, beside the real one where that is installed."""

import os
import shutil
import subprocess
import sys

import pytest

import emulator


@pytest.fixture(scope="module")
def server():
    with emulator.Server() as server:
        server.connect().acl_setuser("ann", enabled=True, passwords=["+x y"], commands=["+@all"], keys=["*"])
        yield server


def run(program, *arguments, lines=""):
    environment = {name: value for name, value in os.environ.items() if name != "REDISCLI_AUTH"}
    done = subprocess.run(
        [*program, *arguments], input=lines, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout


OURS = [sys.executable, "-m", "emulator.cli"]
COMMANDS = [
    ["ping"],
    ["set", "k", 'a b\n"c"'],
    ["get", "k"],
    ["--no-raw", "get", "k"],
    ["--no-raw", "get", "none"],
    ["get", "none"],
    ["--no-raw", "incr", "n"],
    ["incr", "k"],
    ["--no-raw", "incr", "k"],
    ["rpush", "l", *map(str, range(11))],
    ["lrange", "l", "0", "-1"],
    ["--no-raw", "lrange", "l", "0", "-1"],
    ["--no-raw", "lrange", "none", "0", "-1"],
    ["--no-raw", "eval", "return {1, {2, {'three', false}}, 'x'}", "0"],
    ["--no-raw", "set", "k", "v"],
    ["-n", "3", "--no-raw", "get", "k"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_it_prints_what_the_real_one_prints(server, arguments):
    theirs = shutil.which("redis-cli")
    if theirs is None:
        pytest.skip("no redis-cli to compare with")
    address = ["-h", server.host, "-p", str(server.port)]
    server.connect().flushall()
    server.connect().set("k", "a b")
    expected = run([theirs], *address, *arguments)
    server.connect().flushall()
    server.connect().set("k", "a b")
    assert run(OURS, *address, *arguments)[1] == expected[1]


def test_ways_to_say_where_and_who(server):
    port = str(server.port)
    assert run(OURS, "-p", port, "--user", "ann", "-a", "x y", "acl", "whoami") == (0, "ann\n")
    assert run(OURS, "-u", f"redis://ann:x%20y@127.0.0.1:{port}/2", "acl", "whoami") == (0, "ann\n")
    assert run(OURS, "-p", port, lines="SET a 1\n\nINCR a\n") == (0, "OK\n2\n")
    assert run(OURS, "-p", port, "nosuch")[0] == 1
    assert run(OURS, "-p", "1", "ping")[0] == 1
