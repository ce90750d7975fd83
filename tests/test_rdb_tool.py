"""RDB files in the hands of a program: saved, loaded, looked at."""

import json
import os
import subprocess
import sys

import pytest

import emulator
from emulator.rdb.module import type_id
from emulator.testing.local import Local

from .test_saving import DATA, connected, digest_of, server_of
from .test_saving import emulator as our
from .test_saving import fill as fill_by_lines
from .waiting import until

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


def used(*words):
    done = subprocess.run(
        [sys.executable, "-m", "emulator.rdb", *map(str, words)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def everything(folder, compat="8.2"):
    """A file of an emulator with one of each type, some of which not every version knows; what is in it."""
    folder.mkdir()
    with connected(our, folder, "--compat", compat) as ask:
        taken = fill_by_lines(ask)
        assert ask("SAVE") == b"OK"
        return taken, ask("DEBUG DIGEST")


@pytest.fixture(scope="module")
def of_8_2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("everything") / "data"
    everything(folder)
    return folder / "dump.rdb"


def expected(edition, lines, folder):
    """The digest of what some lines make in a server: Valkey has one of its own for fields that expire."""
    if edition != "valkey-9.1":
        return digest_of(lines)
    folder.mkdir()
    with connected(server_of(edition), folder) as ask:
        for line in lines:
            ask(line)
        until(lambda: ask("GET gone") is None)
        return ask("DEBUG DIGEST")


READ_BY = {"7.2": "valkey-9.1", "7.4": "8.2", "8.0": "8.2"}
"""Which real server reads a version's files, where there is no real one of that version here."""


@pytest.mark.parametrize("version", ["7.2", "7.4", "8.0", "8.2", "8.6", "valkey-9.1"])
def test_the_tool_writes_for_other_versions(version, of_8_2, tmp_path):
    target = tmp_path / "converted"
    target.mkdir()
    arguments = (of_8_2, "--to", version, "-o", target / "dump.rdb")
    old = version in ("7.2", "7.4", "valkey-9.1")
    status, out, error = used(*arguments)
    assert status == old
    if old:
        assert not os.listdir(target)
        assert f"of database 0: there is no type vectorset in {version}" in error or "fields of hashes do not" in error
        status, out, error = used(*arguments, "--drop")
        assert "1 keys dropped: there is no type vectorset\n" in out
        assert ("2 keys dropped: fields of hashes do not expire\n" in out) == (version == "7.2")
    assert (status, error) == (0, "")
    reader = READ_BY.get(version, version)
    with connected(server_of(reader), target) as ask:
        kept = [line for line in DATA if not (old and "VADD" in line) and not (version == "7.2" and "fields" in line)]
        assert ask("DEBUG DIGEST") == expected(reader, kept, tmp_path / "expected")
        assert ask("FCALL f 0") == b"1"


def test_a_valkey_takes_the_place_of_ours(tmp_path):
    taken, _ = everything(tmp_path / "data", "valkey-9.1")
    with connected(server_of("valkey-9.1"), tmp_path / "data") as ask:
        assert ask("DEBUG DIGEST") == expected("valkey-9.1", taken, tmp_path / "expected")


def test_the_tool_writes_what_it_has_read(tmp_path):
    """From the newest version to itself; the checksum holds."""
    everything(tmp_path / "data", "8.6")
    source, target = tmp_path / "data" / "dump.rdb", tmp_path / "again.rdb"
    assert used(source, "--to", "8.6", "-o", target)[0] == 0
    assert target.read_bytes() == source.read_bytes()


def test_messages_of_producers_are_no_small_thing(tmp_path):
    with connected(our, tmp_path, "--compat", "8.6") as ask:
        ask("XADD s IDMP producer message * a 1")
        ask("SAVE")
    status, _, error = used(tmp_path / "dump.rdb", "--to", "8.2", "-o", tmp_path / "out.rdb")
    assert (status, error) == (1, "key 's' of database 0: streams know no messages of producers in 8.2\n")


@pytest.mark.parametrize("edition", ["8.2", "8.6", "valkey-9.1"])
def test_the_tool_loads_into_a_server(edition, of_8_2, tmp_path):
    """Deadlines, functions and databases are kept; keys that are there stay unless they are to be replaced."""
    target = tmp_path / "target"
    target.mkdir()
    with connected(server_of(edition), target) as ask:
        ask("SET string mine")
        where = ("--load", f"redis://127.0.0.1:{ask.port}")
        status, out, error = used(of_8_2, *where)
        assert status == 1 and "1 x BUSYKEY Target key name already exists. (key 'string')\n" in error
        assert ask("GET string") == b"mine"
        status, out, error = used(of_8_2, *where, "--replace")
        valkey = edition == "valkey-9.1"
        assert (status, error) == (
            (1, "1 x there is no type vectorset in valkey-9.1 (key 'vectors')\n") if valkey else (0, "")
        )
        assert out.endswith(" keys, 1 libraries\n")
        lines = [line for line in DATA if not (valkey and "VADD" in line)]
        assert ask("DEBUG DIGEST") == expected(edition, lines, tmp_path / "expected")
        assert ask("PEXPIRETIME expiring") == b"9000000000000"
        assert ask("FCALL f 0") == b"1"
        used(of_8_2, where[0], f"{where[1]}/5", "--replace")
        ask("SELECT 5")
        assert ask("GET other") == b"1"


def test_the_tool_says_whom_it_cannot_load_into(path):
    assert used(path, "--load", "redis://127.0.0.1:1")[::2] == (
        1,
        "Could not connect to Redis at 127.0.0.1:1: Connection refused\n",
    )
    assert used(path, "--to", "8.2")[0] == 2
    assert used(path, "--to", "9.9", "-o", "x")[0] == 2


def test_the_tool_says_what_is_wrong(path):
    path.write_bytes(b"hello")
    assert shown(path)[::2] == (
        1,
        "Short read or OOM loading DB. Unrecoverable error, aborting now.\n"
        "Internal error in RDB reading offset 0 -> Unexpected EOF reading RDB file\n",
    )
    status, _, error = shown("nothing.rdb")
    assert status == 1 and "No such file" in error


def test_data_of_modules_that_are_not_here_are_gone_past(path, tmp_path):
    """A server refuses such a file, as the real one does."""
    data = path.read_bytes()
    when, number, text, single, double = b"\2\2", b"\2\7", b"\5\3abc", b"\3" + bytes(4), b"\4" + bytes(8)
    aux = b"\xf7" + b"\x81" + type_id("scdtype00", 1).to_bytes(8) + when + number + text + single + double + b"\0"
    head = data.index(b"\xfa")
    path.write_bytes(data[:head] + aux + data[head:-8] + bytes(8))
    _, rows, _ = shown(path)
    assert rows[0] == {"about": "data of a module that is not here", "value": "scdtype00", "bytes": len(aux) + head}
    local = Local()
    local.load(path)
    assert local.command("GET", "greeting") == b"hello"
    assert used(path, "--to", "8.2", "-o", tmp_path / "out.rdb")[0] == 0
    assert b"scdtype" not in (tmp_path / "out.rdb").read_bytes()
