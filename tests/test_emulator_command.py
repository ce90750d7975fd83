"""EMULATOR over the wire: from redis-py, from this project's redis-cli and, where it is installed, from the real one."""

import shutil
import subprocess
import sys

import pytest
import redis

import emulator


def by_redis_py(server, *words):
    """The reply as redis-cli prints it, one element on a line."""
    with server.connect(protocol=2, decode_responses=True) as client:
        try:
            return "\n".join(lines_of(client.execute_command(*words)))
        except redis.ResponseError as error:
            return str(error)


def lines_of(reply):
    if isinstance(reply, list | tuple):
        for element in reply:
            yield from lines_of(element)
    else:
        yield "" if reply is None else "OK" if reply is True else str(reply)


def by_own_cli(server, *words):
    return told([sys.executable, "-m", "emulator.cli", "--raw"], server, words)


def by_redis_cli(server, *words):
    if shutil.which("redis-cli") is None:
        pytest.skip("no redis-cli on this machine")
    return told(["redis-cli", "--raw"], server, words)


def told(program, server, words):
    arguments = [*program, "-h", server.host, "-p", str(server.port), *map(str, words)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False).stdout.rstrip("\n")


@pytest.fixture(params=[by_redis_py, by_own_cli, by_redis_cli], ids=lambda way: way.__name__)
def ask(request):
    with emulator.Server() as server:
        yield lambda *words: request.param(server, *words)


def test_clock(ask):
    assert ask("EMULATOR", "CLOCK", "FREEZE").endswith("frozen\n1")
    ask("SET", "k", "v", "EX", 100)
    before = int(ask("EMULATOR", "CLOCK", "GET").split()[1])
    assert ask("EMULATOR", "CLOCK", "ADVANCE", 99_000).split()[1] == str(before + 99_000)
    assert ask("TTL", "k") == "1"
    ask("EMULATOR", "CLOCK", "ADVANCE", 1000)
    assert ask("EXISTS", "k") == "0"
    ask("EMULATOR", "CLOCK", "SET", 1_900_000_000_000)
    assert ask("TIME").split()[0] == "1900000000"
    assert ask("EMULATOR", "CLOCK", "RESUME").endswith("frozen\n0")
    assert int(ask("EMULATOR", "CLOCK", "RESET").split()[1]) < 1_900_000_000_000


def test_faults(ask):
    number = ask("EMULATOR", "FAULT", "ADD", "ERROR", "OOM no memory", "COMMAND", "get", "KEY", "a*", "TIMES", 1)
    ask("SET", "a", "1")
    assert ask("EMULATOR", "FAULT", "LIST").split()[:4] == ["id", number, "effect", "error"]
    assert "no memory" in ask("GET", "a")
    assert ask("GET", "a") == "1"
    assert ask("EMULATOR", "FAULT", "LIST").split()[-4:] == ["met", "2", "fired", "1"]
    ask("EMULATOR", "FAULT", "CLEAR", number)
    assert ask("EMULATOR", "FAULT", "LIST") == ""


def test_snapshots(ask):
    ask("RPUSH", "list", "a", "b")
    assert ask("EMULATOR", "SNAPSHOT", "SAVE", "full") == "OK"
    ask("FLUSHALL")
    ask("SET", "k", "v")
    ask("EMULATOR", "SNAPSHOT", "RESTORE", "full")
    assert ask("LRANGE", "list", 0, -1) == "a\nb" and ask("DBSIZE") == "1"
    assert ask("EMULATOR", "SNAPSHOT", "LIST") == "full" and ask("EMULATOR", "SNAPSHOT", "DROP", "full") == "1"


def test_recordings(ask):
    ask("EMULATOR", "RECORD", "START")
    ask("SET", "k", "two words")
    ask("EMULATOR", "RECORD", "STOP")
    ask("GET", "k")
    lines = ask("EMULATOR", "RECORD", "LINES").splitlines()
    assert 'SET k "two words"' in lines and "GET k" not in lines


def test_keyspaces(ask):
    assert ask("EMULATOR", "KEYSPACE", "USE", "a") == "OK"
    assert ask("EMULATOR", "KEYSPACE", "LIST") == "a" and ask("EMULATOR", "KEYSPACE", "GET") == ""
    assert ask("EMULATOR", "KEYSPACE", "DROP", "a") == "1"


def test_seed(ask):
    ask("SADD", "s", *range(200))
    found = []
    for _ in range(2):
        ask("EMULATOR", "SEED", 42)
        found.append(ask("SRANDMEMBER", "s", 5))
    assert found[0] == found[1]


def test_help(ask):
    assert all(word in ask("EMULATOR", "HELP") for word in ("CLOCK", "FAULT", "KEYSPACE", "RECORD", "SEED", "SNAPSHOT"))
