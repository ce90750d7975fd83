"""RDB files in the hands of a program: saved, loaded, looked at."""

import json
import subprocess
import sys

import pytest

import emulator
from emulator.testing.local import Local

pytest_plugins = ["pytester"]


def fill(perform):
    perform(
        ["SET", "greeting", "hello", "PX", 100_000_000],
        ["RPUSH", "list", *map(str, range(100))],
        ["HSET", "hash", "f", "v"],
        ["SELECT", 3],
        ["SADD", b"\xff", "1"],
        ["FUNCTION", "LOAD", "#!lua name=mine\nredis.register_function('f', function() return 1 end)"],
    )


@pytest.fixture
def path(tmp_path):
    local = Local()
    fill(local.perform)
    local.save(tmp_path / "data.rdb")
    assert [file.name for file in tmp_path.iterdir()] == ["data.rdb"]
    return tmp_path / "data.rdb"


def test_what_is_saved_is_loaded(path):
    source = Local(enable_debug_command="yes")
    fill(source.perform)
    local = Local(enable_debug_command="yes")
    local.perform(
        ["SET", "old", 1], ["FUNCTION", "LOAD", "#!lua name=old\nredis.register_function('g', function() end)"]
    )
    local.load(path)
    assert local.command("DEBUG", "DIGEST") == source.command("DEBUG", "DIGEST")
    assert local.perform(["FCALL", "f", 0], ["EXISTS", "old"]) == [1, 0]
    assert [library[b"library_name"] for library in local.command("FUNCTION", "LIST")] == [b"mine"]


def test_a_server_in_a_thread(path, tmp_path):
    with emulator.Server() as server:
        server.load(str(path))
        assert server.command("GET", "greeting") == b"hello"
        server.save(tmp_path / "again.rdb")
    local = Local()
    local.load(tmp_path / "again.rdb")
    assert local.command("LLEN", "list") == 100


def test_a_damaged_file(path):
    path.write_bytes(path.read_bytes()[:-12])
    local = Local()
    local.perform(["SET", "old", 1])
    with pytest.raises(ValueError, match="Short read"):
        local.load(path)
    assert local.command("GET", "old") == b"1"
    with pytest.raises(FileNotFoundError):
        local.load("nothing.rdb")


def test_a_file_cannot_be_written(tmp_path):
    with pytest.raises(OSError, match="directory"):
        Local().save(tmp_path / "nowhere" / "data.rdb")


def test_nothing_is_written_unless_asked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    local = Local(save="1 1", appendonly="yes", enable_debug_command="yes")
    local.perform(["SET", "a", 1], ["SAVE"], ["SET", "a", 2], ["DEBUG", "RELOAD", "NOSAVE"])
    assert local.command("GET", "a") == b"1"
    with emulator.Server(save="1 1", appendonly="yes") as server:
        server.connect().set("a", 1)
        assert server.connect().bgsave()
        assert server.connect().config_set("appendonly", "no")
        assert server.connect().config_set("appendonly", "yes")
    assert list(tmp_path.iterdir()) == []


def test_the_factory_of_the_plugin(path, pytester):
    pytester.makepyfile(
        f"""
        def test(redis_server_factory):
            assert redis_server_factory(rdb={str(path)!r}, databases=8).connect().get("greeting") == b"hello"
            assert redis_server_factory().connect().dbsize() == 0
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def shown(*words):
    done = subprocess.run(
        [sys.executable, "-m", "emulator.rdb", *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_the_tool_shows_keys(path):
    status, rows, _ = shown(path)
    keys = {row["key"]: row for row in rows if "key" in row}
    assert status == 0 and list(keys) == ["hash", "list", "greeting", "\\xff"]
    assert keys["list"]["elements"] == 100 and keys["list"]["type"] == "list" and keys["list"]["encoding"] == "listpack"
    assert keys["\\xff"]["db"] == 3 and keys["greeting"]["expires_at_ms"] > 0
    assert rows[0] == {"about": "redis-ver", "value": "8.2.3"}
    assert [row["library"] for row in rows if "library" in row] == ["#!lua name=mine"]


def test_the_tool_shows_the_largest_and_a_summary(path):
    _, rows, _ = shown(path, "--largest", 1)
    assert [row["key"] for row in rows] == ["list"]
    _, (summary,), _ = shown(path, "--summary")
    assert summary["keys"] == 4 and summary["expiring"] == 1 and summary["libraries"] == 1
    assert summary["types"]["string"]["keys"] == 1 and summary["about"]["redis-bits"] == "64"


def test_the_tool_says_what_is_wrong(path):
    path.write_bytes(b"hello")
    assert shown(path)[::2] == (
        1,
        "Short read or OOM loading DB. Unrecoverable error, aborting now.\n"
        "Internal error in RDB reading offset 0 -> Unexpected EOF reading RDB file\n",
    )
    status, _, error = shown("nothing.rdb")
    assert status == 1 and "No such file" in error
