"""Beside pytest-redis, which owns ``--redis-*`` and ``redisdb``, and in its place."""

import re
import sys

import pytest

from conformance import servers
from tests.test_pytest_plugin import ROOT, pytest_on

BESIDE = ("pytest_redis",)
BESIDE_PYTEST_REDIS = """
from pytest_redis import factories

redis_there = factories.redisdb("redis_noproc")


def test_with_both(redis_client, redis_there, redis_noproc, redis_server):
    redis_client.set("k", "ours")
    redis_there.set("k", "theirs")
    assert redis_noproc.port != redis_server.port
    assert redis_client.get("k") == b"ours" and redis_there.get("k") == b"theirs"


def test_both_are_empty_again(redis_client, redis_there):
    assert redis_client.dbsize() == redis_there.dbsize() == 0


def test_what_pytest_redis_starts_may_be_the_emulator(redisdb, redis_proc, redis_client):
    redisdb.set("k", "v")
    assert redis_client.dbsize() == 0
    assert redisdb.execute_command("EMULATOR", "KEYSPACE", "GET") == b""
"""


def test_beside_pytest_redis(tmp_path):
    pytest.importorskip("pytest_redis")
    program = tmp_path / "redis-server"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m emulator "$@"\n')
    program.chmod(0o755)
    (tmp_path / "test_it.py").write_text(BESIDE_PYTEST_REDIS)
    with servers.emulator() as (host, port):
        options = f"--redis-host={host}", f"--redis-exec={program}", "-o", f"redis_port={port}", "-k", "both"
        output, status = pytest_on(tmp_path, *options, beside=BESIDE)
        assert status == 0 and "2 passed" in output, output
    output, status = pytest_on(tmp_path, f"--redis-exec={program}", "-k", "may_be", beside=BESIDE)
    assert status == 0 and "1 passed" in output, output


def test_loaded_on_purpose_our_fixtures_win_over_those_of_pytest_redis(tmp_path):
    pytest.importorskip("pytest_redis")
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["emulator.pytest_redis_compat"]\n')
    (tmp_path / "test_it.py").write_text(
        "def test_it(redisdb, redis_proc, redis_noproc, redis_server):\n"
        "    assert redis_proc is redis_noproc is redis_server and redisdb.ping()\n"
    )
    output, status = pytest_on(tmp_path, "--redis-exec=/nowhere/redis-server", beside=BESIDE)
    assert status == 0 and "1 passed" in output, output


def test_those_who_switch_from_pytest_redis(tmp_path):
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["emulator.pytest_redis_compat"]\n')
    (tmp_path / "test_it.py").write_text(
        "def test_one(redisdb, redis_proc):\n    redisdb.set('k', redis_proc.port)\n"
        "def test_two(redisdb, redis_noproc):\n    assert redisdb.get('k') is None and redis_noproc.host\n"
        "def test_three(redisdb_async):\n    import asyncio; assert asyncio.run(redisdb_async.incr('n')) == 1\n"
        "def test_four(redisdb_async):\n    import asyncio; assert asyncio.run(redisdb_async.incr('n')) == 1\n"
    )
    output, status = pytest_on(tmp_path)
    assert status == 0 and "4 passed" in output, output
    with servers.emulator() as (host, port):
        output, status = pytest_on(tmp_path, f"--redis-emulator-url=redis://{host}:{port}")
    assert status == 0 and "4 passed" in output, output


WITH_BOTH_OPTIONS = """
from pytest_redis import factories

theirs = factories.redisdb("redis_noproc")


def test_their_client_and_our_clock(theirs, redis_noproc, redis_client, redis_clock, redis_server):
    assert (redis_noproc.host, int(redis_noproc.port)) == (redis_server.host, redis_server.port)
    theirs.set("k", "v", ex=60)
    assert redis_client.get("k") == b"v"
    redis_clock.advance(60)
    assert theirs.get("k") is None
"""


def test_the_options_of_both_at_once(tmp_path):
    pytest.importorskip("pytest_redis")
    (tmp_path / "test_it.py").write_text(WITH_BOTH_OPTIONS)
    with servers.emulator() as (host, port):
        theirs = f"--redis-host={host}", f"--redis-port={port}"
        output, status = pytest_on(tmp_path, *theirs, f"--redis-emulator-url=redis://{host}:{port}", beside=BESIDE)
    assert status == 0 and "1 passed" in output, output


def test_no_fixture_is_offered_by_both(tmp_path):
    pytest.importorskip("pytest_redis")
    (tmp_path / "test_it.py").write_text("")
    output, _ = pytest_on(tmp_path, "--fixtures", beside=BESIDE)
    offered = re.findall(r"^(\w*redis\w*)(?: \[.* scope\])? -- (.*):\d+", output, re.MULTILINE)
    names = [name for name, _ in offered]
    assert len(names) == len(set(names))
    assert {name for name, path in offered if "pytest_redis" in path} >= {"redisdb", "redis_proc", "redis_noproc"}
    ours = {name for name, path in offered if path.endswith("emulator/pytest_plugin.py")}
    assert ours >= {"redis_server", "redis_client", "async_redis_client", "redis_url", "redis_clock", "redis_faults"}


def test_the_fixtures_for_those_who_switch_are_not_hidden_in_silence(tmp_path):
    pytest.importorskip("pytest_redis")
    (tmp_path / "test_it.py").write_text(
        "def test_it(redisdb, redis_proc, redis_server):\n    assert redis_proc is redis_server\n"
    )
    loaded_first = "-p", "emulator.pytest_redis_compat"
    output, status = pytest_on(tmp_path, *loaded_first, beside=BESIDE)
    assert status == pytest.ExitCode.USAGE_ERROR and "name it in pytest_plugins of conftest.py" in output, output
    output, status = pytest_on(tmp_path, *loaded_first)
    assert status == 0 and "1 passed" in output, output
