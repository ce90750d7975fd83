"""The append-only file: the emulator and the real server take each other's place on it, whatever has become of it."""

import logging
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from conformance import oracles, servers
from conformance.resp import Connection
from emulator.protocol.client_side import encoded

from .test_saving import connected, emulator, fill, oracle
from .waiting import until

SETTINGS = ("--appendonly", "yes")
FOLDER = "appendonlydir"


def files(folder):
    """The files of the log, and what is in those that are small text."""
    path = folder / FOLDER
    found = {}
    for name in sorted(os.listdir(path)):
        data = (path / name).read_bytes()
        found[name] = data if name.endswith(("manifest", "incr.aof")) else len(data)
    return found


AS_TOLD = (
    "aof_enabled",
    "aof_rewrite_in_progress",
    "aof_rewrite_scheduled",
    "aof_last_bgrewrite_status",
    "aof_rewrites",
    "aof_last_write_status",
    "aof_current_size",
    "aof_base_size",
)


def told(ask):
    lines = ask("INFO persistence").decode().splitlines()
    return [line for line in lines if line.partition(":")[0] in AS_TOLD]


def settle(ask):
    """Wait until nothing is done in the background, nor about to be."""
    until(lambda: ask("INFO persistence").count(b"in_progress:0\r\naof_rewrite_scheduled:0") == 1)
    until(lambda: b"rdb_bgsave_in_progress:0" in ask("INFO persistence"))


LIFE = """\
!files
INFO
SET a 1
SELECT 3
SET b 1
!files
INFO
BGREWRITEAOF
!settle
!files
INFO
SET c 1
EXPIRE c 1000000 NX
MULTI
SET d 1
INCR d
EXEC
INCRBYFLOAT f 1.5
CONFIG SET appendonly no
WAITAOF 1 0 100
!files
INFO
SET e 1
CONFIG SET appendonly yes
!settle
!files
INFO
WAITAOF 1 0 5000
WAITAOF 0 0 100
DEBUG LOADAOF
DBSIZE
CONFIG SET appendonly yes
MULTI
BGREWRITEAOF
EXEC
!settle
FLUSHALL
!files
CONFIG SET aof-use-rdb-preamble no
BGREWRITEAOF
!settle
!files
INFO
SHUTDOWN
"""
MOMENT = re.compile(rb"PXAT\r\n\$13\r\n\d+|PEXPIREAT\r\n\$1\r\nc\r\n\$13\r\n\d+")


def lived(command, folder):
    """What a server answers through the life of its log, and what it leaves."""
    folder.mkdir()
    seen = []
    with connected(command, folder, *SETTINGS) as ask:
        for line in LIFE.splitlines():
            if line == "!files":
                # the real server puts writing off while the disk is busy, and removes old files in a thread
                until(
                    lambda: any(text in ask("INFO persistence") for text in (b"aof_buffer_length:0", b"aof_enabled:0"))
                )
                until(
                    lambda: (
                        len(files(folder))
                        == 1 + (folder / FOLDER / "appendonly.aof.manifest").read_bytes().count(b"\n")
                    )
                )
                left = files(folder)
                seen.append(
                    {name: MOMENT.sub(b"", data) if isinstance(data, bytes) else data for name, data in left.items()}
                )
            elif line == "!settle":
                settle(ask)
            elif line == "INFO":
                seen.append(told(ask))
            else:
                seen.append((line, ask(line)))
        assert ask.process.wait(20) == 0
    seen.append(files(folder))
    return seen


def test_the_life_of_a_log(tmp_path):
    ours, theirs = lived(emulator, tmp_path / "ours"), lived(oracle, tmp_path / "theirs")
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other


def test_one_log_for_both(tmp_path):
    with connected(emulator, tmp_path, *SETTINGS) as ask:
        fill(ask)
        ask("BGREWRITEAOF")
        settle(ask)
        for line in ("SET more 1", "SPOP table 1", "XADD stream * a b", "HEXPIRE hash 100000 FIELDS 1 a", "LPOP quick"):
            assert not str(ask(line)).startswith("b'ERR"), line
        data = ask("DEBUG DIGEST")
    checked = subprocess.run(
        ["redis-check-aof", str(tmp_path / FOLDER / "appendonly.aof.manifest")],
        executable=servers.oracle_binary(),
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    for command in (oracle, emulator, oracle, emulator):
        with connected(command, tmp_path, *SETTINGS) as ask:
            assert ask("DEBUG DIGEST") == data
            assert ask(f"SET {command.__name__} 2") == b"OK"
            data = ask("DEBUG DIGEST")
            assert ask("FCALL f 0") == b"1"


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_base_of_either_kind(preamble, tmp_path):
    with connected(emulator, tmp_path, *SETTINGS, "--aof-use-rdb-preamble", preamble) as ask:
        fill(ask)
        ask("BGREWRITEAOF")
        settle(ask)
        data = ask("DEBUG DIGEST")
    assert (tmp_path / FOLDER / f"appendonly.aof.2.base.{'rdb' if preamble == 'yes' else 'aof'}").exists()
    for command in (oracle, emulator):
        with connected(command, tmp_path, *SETTINGS) as ask:
            assert ask("DEBUG DIGEST") == data


SET = encoded([b"SELECT", b"0"]) + encoded([b"SET", b"a", b"1"])
MULTI, EXEC, OTHER = encoded([b"MULTI"]), encoded([b"EXEC"]), encoded([b"SET", b"b", b"1"])
MANIFEST = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
EMPTY = b"REDIS0012\xff" + bytes(8)
STATES = {
    "whole": {},
    "no manifest": {"manifest": None},
    "empty manifest": {"manifest": ""},
    "garbage": {"manifest": "hello\n"},
    "two bases": {"manifest": f"{MANIFEST}file x seq 2 type b\n"},
    "falling": {"manifest": f"{MANIFEST}file appendonly.aof.1.incr.aof seq 1 type i\n"},
    "zero": {"manifest": f"{MANIFEST}file appendonly.aof.0.incr.aof seq 0 type i\n"},
    "a path": {"manifest": "file ../x seq 1 type b\n"},
    "no increment": {"increment": None},
    "no base": {"base": None},
    "unknown type": {"manifest": "file a seq 1 type z\n"},
    "unknown pair": {"manifest": MANIFEST.replace("type i", "type i foo bar")},
    "no number": {"manifest": "file a type b\n"},
    "no end of line": {"manifest": MANIFEST.rstrip()},
    "comment": {"manifest": f"#x\n{MANIFEST}"},
    "blank": {"manifest": f"\n{MANIFEST}"},
    "quoted": {"manifest": MANIFEST.replace("appendonly.aof.1.incr.aof", '"appendonly.aof.1.incr.aof"')},
    "odd": {"manifest": "file a seq 1 type\n"},
    "offsets": {"manifest": MANIFEST.replace("type i", "type i startoffset 17 endoffset 30")},
    "history": {"manifest": f"{MANIFEST}file h.aof seq 1 type h\n", "more": {f"{FOLDER}/h.aof": b"x"}},
    "short": {"increment": SET[:-3]},
    "short, refused": {"increment": SET[:-3], "options": ("--aof-load-truncated", "no")},
    "in MULTI": {"increment": SET + MULTI + OTHER},
    "in MULTI, refused": {"increment": SET + MULTI + OTHER, "options": ("--aof-load-truncated", "no")},
    "in EXEC": {"increment": SET + MULTI + OTHER + EXEC[:-3]},
    "a transaction": {"increment": SET + MULTI + OTHER + EXEC},
    "no command": {"increment": SET + b"hello\r\n"},
    "no array of words": {"increment": SET + b"*1\r\n+PING\r\n"},
    "no words": {"increment": SET + b"*0\r\n"},
    "zeros": {"increment": SET + bytes(10)},
    "unknown command": {"increment": SET + encoded([b"NOSUCH"])},
    "an error": {"increment": SET + encoded([b"LPUSH", b"a", b"1"]) + OTHER},
    "comments": {"increment": b"#TS:12\r\n" + SET + b"#hello\r\n" + OTHER},
    "a comment that is cut": {"increment": SET + b"#TS:12"},
    "short, not the last": {
        "manifest": f"{MANIFEST}file appendonly.aof.2.incr.aof seq 2 type i\n",
        "increment": SET[:-3],
        "more": {f"{FOLDER}/appendonly.aof.2.incr.aof": SET},
    },
    "short base": {"base": EMPTY[:-3]},
    "a base of commands": {"base": SET + OTHER},
    "commands behind a base": {"base": EMPTY + OTHER},
    "old": {"manifest": None, "base": None, "increment": None, "more": {"appendonly.aof": SET}},
    "old with a base": {"manifest": None, "base": None, "increment": None, "more": {"appendonly.aof": EMPTY + SET}},
    "old and short": {"manifest": None, "base": None, "increment": None, "more": {"appendonly.aof": SET[:-2]}},
    "past and forever": {
        "increment": SET
        + encoded([b"PEXPIREAT", b"a", b"1000"])
        + encoded([b"PERSIST", b"a"])
        + encoded([b"SET", b"gone", b"1", b"PXAT", b"1000"])
    },
}
EXCUSED = {
    "in EXEC": "the real server leaves MULTI in the file, and what is appended later is lost at the next start",
    "short, not the last": "the real server cuts the file before it refuses",
}
REASON = re.compile(r", function at rdb.c:\d+| reading offset \d+")


def lay(folder, manifest=MANIFEST, base=EMPTY, increment=SET, more=(), options=()):
    (folder / FOLDER).mkdir(parents=True)
    for name, data in {
        f"{FOLDER}/appendonly.aof.manifest": None if manifest is None else manifest.encode(),
        f"{FOLDER}/appendonly.aof.1.base.rdb": base,
        f"{FOLDER}/appendonly.aof.1.incr.aof": increment,
        **dict(more),
    }.items():
        if data is not None:
            (folder / name).write_bytes(data)


def outcome(command, folder, state):
    """What a server makes of a log: its keys or why it ends, and the files afterwards."""
    lay(folder, **state)
    options = ("--dir", str(folder), *SETTINGS, *state.get("options", ()))
    port, log, keys = servers.free_port(), folder / "log", None
    process = servers.begin(command(port, *options), str(folder), str(log))
    until(lambda: process.poll() is not None or "Ready to accept" in log.read_text())
    if process.poll() is None:
        connection = Connection(("127.0.0.1", port), 10.0)
        keys = sorted(reply.value for reply in connection("KEYS", "*").value)
        connection.close()
        process.terminate()
    status, lines = process.wait(20), []
    for line in log.read_text().splitlines():
        if " # " in line and "overcommit" not in line:
            lines.append(REASON.sub("", line.partition(" # ")[2].strip()))
        elif line.startswith("***"):
            lines.append(line.strip())
    return keys, status, lines, files(folder)


@pytest.mark.parametrize("name", STATES)
def test_whatever_has_become_of_a_log(name, tmp_path):
    keys, status, lines, left = outcome(emulator, tmp_path / "ours", STATES[name])
    theirs = outcome(oracle, tmp_path / "theirs", STATES[name])
    assert (keys, status) == theirs[:2]
    if name in EXCUSED:
        return
    assert left == theirs[3]
    said = [line for line in lines if "bye bye" not in line]
    assert not [line for line in theirs[2] if line and "bye bye" not in line and line not in said and "RDB" not in line]


def test_what_cannot_be_written_must_not_change(tmp_path):
    resource = pytest.importorskip("resource")
    with connected(emulator, tmp_path, *SETTINGS) as ask:
        path = tmp_path / FOLDER / "appendonly.aof.1.incr.aof"
        ask("SET a 0")
        size = path.stat().st_size
        limit = resource.RLIMIT_FSIZE
        free = resource.prlimit(ask.process.pid, limit, (size + 10, resource.RLIM_INFINITY))
        assert ask("INCR a") == b"1"
        assert ask("INCR a") == b"MISCONF Errors writing to the AOF file: File too large"
        assert ask("PING").startswith(b"MISCONF")
        assert ask("GET a") == b"1"
        assert b"aof_last_write_status:err" in ask("INFO persistence")
        assert path.stat().st_size == size
        assert ask("BGREWRITEAOF").startswith(b"ERR Can't execute an AOF background rewriting.")
        resource.prlimit(ask.process.pid, limit, free)
        until(lambda: ask("PING") == b"PONG")
        assert ask("INCR a") == b"2"
        assert b"aof_last_write_status:ok" in ask("INFO persistence")
    with connected(oracle, tmp_path, *SETTINGS) as ask:
        assert ask("GET a") == b"2"


@pytest.mark.parametrize("command", [emulator, oracle])
def test_a_server_does_not_end_while_its_first_log_is_written(command, tmp_path):
    begin, error = (
        encoded([b"CONFIG", b"SET", b"appendonly", b"yes"]),
        b"-ERR Errors trying to SHUTDOWN. Check logs.\r\n",
    )
    with connected(command, tmp_path) as ask:
        ask("SET a 1")
        with socket.create_connection(("127.0.0.1", ask.port), 20) as client, client.makefile("rb") as replies:
            client.sendall(begin + encoded([b"SHUTDOWN"]))
            assert (replies.readline(), replies.readline()) == (b"+OK\r\n", error)
        settle(ask)
        assert ask("SHUTDOWN") is None
    with connected(command, tmp_path, *SETTINGS) as ask:
        assert ask("GET a") == b"1"


@pytest.mark.parametrize("command", [emulator, oracle])
def test_a_server_that_is_forced_ends_while_its_first_log_is_written(command, tmp_path):
    with connected(command, tmp_path) as ask, socket.create_connection(("127.0.0.1", ask.port), 20) as client:
        client.sendall(encoded([b"CONFIG", b"SET", b"appendonly", b"yes"]) + encoded([b"SHUTDOWN", b"FORCE"]))
        assert ask.process.wait(20) == 0


def test_with_always_a_server_ends_that_cannot_write(tmp_path):
    resource = pytest.importorskip("resource")
    with connected(emulator, tmp_path, *SETTINGS, "--appendfsync", "always") as ask:
        ask("SET a 0")
        resource.prlimit(ask.process.pid, resource.RLIMIT_FSIZE, (60, resource.RLIM_INFINITY))
        assert ask("INCR a") is None
        assert ask.process.wait(20) == 1
    with connected(oracle, tmp_path, *SETTINGS) as ask:
        assert ask("GET a") == b"0"


def test_a_client_without_replies_makes_no_heap_of_what_is_unwritten(engine, client):
    engine.persistence.folder.lasting = True
    engine.persistence.log.start()
    client.play("CLIENT REPLY OFF")
    for number in range(3000):
        client.play(f"SET key {number}")
    assert len(engine.unwritten) < 1100
    engine.persistence.log.flush()
    assert engine.persistence.folder.files[f"{FOLDER}/appendonly.aof.1.incr.aof"].endswith(
        encoded([b"SET", b"key", b"2999"])
    )


def test_nothing_is_written_while_a_thread_waits_for_the_disk(engine, client, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "emulator")
    seconds, syncs = [100.0], []
    monkeypatch.setattr("emulator.persistence.append_log.monotonic", lambda: seconds[0])
    engine.in_background = lambda call, then, failed: syncs.append(lambda: then(call()))
    engine.persistence.folder.lasting = True
    log = engine.persistence.log
    log.start()
    file = engine.persistence.folder.files[f"{FOLDER}/appendonly.aof.1.incr.aof"]

    def change(value):
        client.play(f"SET key {value}")
        log.flush()
        return file.endswith(encoded([b"SET", b"key", b"%d" % value]))

    assert log.holds_replies
    assert change(1)
    log.check()
    assert not log.holds_replies
    assert not change(2)
    seconds[0] += 1.9
    assert not change(3)
    seconds[0] += 0.2
    assert change(4)
    assert log.delayed_syncs == 1
    assert "Asynchronous AOF fsync is taking too long (disk is busy?)." in caplog.text
    assert not change(5)
    syncs.pop()()
    assert file.endswith(encoded([b"SET", b"key", b"5"]))
    assert log.holds_replies
    log.check()
    assert len(syncs) == 1


def test_a_rewriting_that_cannot_begin_leaves_the_log_in_its_files(engine, client, monkeypatch):
    def fail(_):
        raise OSError(28, "No space left on device")

    engine.persistence.folder.lasting = True
    log = engine.persistence.log
    log.start()
    monkeypatch.setattr(log.files, "save", fail)
    assert client.play("BGREWRITEAOF").startswith(b"-ERR Can't execute an AOF background rewriting.")
    assert b"aof_last_bgrewrite_status:err" in client.play("INFO persistence")
    client.play("SET key 1")
    log.flush()
    assert engine.persistence.folder.files[f"{FOLDER}/appendonly.aof.1.incr.aof"].endswith(
        encoded([b"SET", b"key", b"1"])
    )


def test_moments_stand_in_the_log(tmp_path):
    with connected(emulator, tmp_path, *SETTINGS, "--aof-timestamp-enabled", "yes") as ask:
        ask("SET a 1")
    log = (tmp_path / FOLDER / "appendonly.aof.1.incr.aof").read_bytes()
    assert re.match(rb"#TS:\d{10}\r\n\*2\r\n\$6\r\nSELECT", log)
    with connected(oracle, tmp_path, *SETTINGS) as ask:
        assert ask("GET a") == b"1"


def test_a_real_server_and_its_tools_take_backups_and_exact_moments(tmp_path):
    data, backups = tmp_path / "data", tmp_path / "backups"
    data.mkdir()
    options = (*SETTINGS, "--aof-timestamp-enabled", "yes", "--backup-dir", str(backups))
    with connected(emulator, data, *options) as ask:
        fill(ask)
        expected = ask("DEBUG DIGEST")
        assert ask("EMULATOR BACKUP CREATE one") == b"one"
        ask("BGREWRITEAOF")
        settle(ask)
        ask("SET later 1")
        everything = ask("DEBUG DIGEST")
    assert b"\r\n#MS:" in (data / FOLDER / "appendonly.aof.2.incr.aof").read_bytes()
    restored = tmp_path / "restored"
    restored.mkdir()
    shutil.copy(backups / "one.rdb", restored / "dump.rdb")
    with connected(oracle, restored) as ask:
        assert ask("DEBUG DIGEST") == expected
    (past,) = os.listdir(backups / "log")
    for folder in (backups / "log" / past, data / FOLDER):
        checker = ["redis-check-aof", folder / "appendonly.aof.manifest"]  # the server does what its name says
        told_by_it = subprocess.run(checker, executable=oracles.binary(), capture_output=True, check=True).stdout
        assert b"All AOF files and manifest are valid" in told_by_it
    with connected(oracle, data, *SETTINGS) as ask:
        assert ask("DEBUG DIGEST") == everything


def second(ask):
    return int(ask("TIME")[0].value)


def test_back_in_a_log_of_a_real_server(tmp_path):
    with connected(oracle, tmp_path, *SETTINGS, "--aof-timestamp-enabled", "yes") as ask:
        fill(ask)
        ask("GET gone")
        expected, moment = ask("DEBUG DIGEST"), second(ask)
        until(lambda: second(ask) > moment)
        ask("FLUSHALL")
    with connected(emulator, tmp_path, *SETTINGS, "--backup-dir", "backups") as ask:
        assert ask("DBSIZE") == b"0"
        assert ask(f"EMULATOR BACKUP RESTORE AT {moment * 1000 + 999}") != b"0"
        assert ask("DEBUG DIGEST") == expected


def test_a_dump_that_a_log_hides_is_named(tmp_path):
    """The real server begins without data too."""
    for command in (emulator, oracle):
        folder = tmp_path / command.__name__
        folder.mkdir()
        with connected(command, folder) as ask:
            ask("SET a 1")
            ask("SAVE")
        with connected(command, folder, *SETTINGS, "--logfile", "log") as ask:
            assert ask("DBSIZE") == b"0"
        log = (folder / "log").read_text()
        assert ("dump.rdb (" in log and "is not loaded, since appendonly is yes" in log) == (command is emulator)


def test_it_is_written_anew_when_it_has_grown(tmp_path):
    with connected(emulator, tmp_path, *SETTINGS, "--auto-aof-rewrite-min-size", "1") as ask:
        ask(f"SET a {'x' * 1000}")
        ask(f"SET a {'x' * 1000}")
        until(lambda: (tmp_path / FOLDER / "appendonly.aof.2.base.rdb").exists())
        settle(ask)


def test_what_was_acknowledged_outlasts_kills(tmp_path):
    """`python -m tests.kills 200` does so at length; what is left the real server understands in the same way."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", "15", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = []
    for command in (emulator, oracle):
        copy = tmp_path / command.__name__
        shutil.copytree(tmp_path / FOLDER, copy / FOLDER)
        with connected(command, copy, *SETTINGS) as ask:
            found.append(ask("DEBUG DIGEST"))
            assert int(ask("LLEN list:0")) > 0
    assert found[0] == found[1]
