"""Files that outlive the process: the emulator and real servers take each other's place on one folder."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conformance import oracles, servers
from conformance.resp import Closed, Connection
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.engine import Engine
from emulator.keyspace.digest import of_databases
from emulator.persistence.disk import Disk
from emulator.persistence.loading import Loading
from emulator.persistence.work import run_through
from emulator.rdb.errors import BadFile
from emulator.rdb.file_reader import NEWEST_VERSION, FileReader
from tests.waiting import until

from .conftest import Client

LONG = "abc" * 40
DATA = f"""\
FUNCTION LOAD "#!lua name=mine\\nredis.register_function('f', function() return 1 end)"
SET string hello
SET number 12345
SET negative -70000
SET long {LONG}
SET expiring x PXAT 9000000000000
SET gone x PX 1
RPUSH list a b 1 -5 {LONG}
RPUSH quick {" ".join(["x" * 100] * 200)} {"y" * 9000}
SADD intset 1 -2 300000
SADD listpack a 1 b
SADD table {LONG} b
HSET hash a 1 b text
HSET hashtable a {LONG} c d
ZADD zset 1 a 2.5 b inf c
ZADD skiplist 1 {LONG} -inf b 0.1 c
XADD stream 1-1 a b
XADD stream 2-2 a text
XADD stream 3-0 x y z w
XDEL stream 2-2
XGROUP CREATE stream group 0
XREADGROUP GROUP group alice COUNT 1 STREAMS stream >
PFADD sketch a b c
SETBIT bits 100000 1
GEOADD geo 13.4 52.5 berlin
HSET fields a 1 b 2 c 3
HPEXPIREAT fields 9000000000000 FIELDS 2 a b
HSET tablefields a {LONG} b 2 c 3
HPEXPIREAT tablefields 9000000000000 FIELDS 2 a b
VADD vectors VALUES 3 1 0 0 a SETATTR x
VADD vectors VALUES 3 0 1 0 b
SELECT 3
SET other 1
SELECT 0
""".splitlines()
"""What not every server knows is left out there."""


def lines_of(text):
    from emulator.protocol.inline import split_inline

    return [split_inline(line.encode()) for line in text]


@contextlib.contextmanager
def connected(command, folder, *options):
    """A server process with its folder, and a way to ask it."""
    port = servers.free_port()
    with servers.running([*command(port, "--dir", str(folder), *options)], port) as process:
        connection = Connection(("127.0.0.1", port), 20.0)

        def ask(line):
            (words,) = lines_of([line])
            try:
                return connection(*words).value
            except Closed:  # it was asked to end
                return None

        ask.process, ask.port = process, port
        yield ask
        connection.close()


def emulator(port, *options):
    return servers.emulator_command(port, *options)


def oracle(port, *options):
    return servers.oracle_command(port, "--enable-protected-configs", "yes", *options)


def foreign(binary, settings=servers.OPTIONS):
    def command(port, *options):
        return [binary, "--port", str(port), *settings, *options]

    return command


def server_of(edition):
    """How the real server of an edition is started; without it a visible skip, in CI a failure."""
    if edition == "8.2":
        return oracle
    try:
        return foreign(
            oracles.binary(edition), servers.OPTIONS if edition != "6.2" else ("--save", "", "--bind", "127.0.0.1")
        )
    except oracles.NoOracle as error:
        if os.environ.get("CI") and edition != "7.0":
            pytest.fail(str(error))
        pytest.skip(str(error))


def fill(ask):
    """Play the data; the lines that the server took."""
    taken = [line for line in DATA if str(ask(line))[2:5] != "ERR"]
    time.sleep(0.01)  # so that one key has expired
    return taken


def digest_of(lines):
    """That of the data which our own engine has when it plays some lines."""
    engine = Engine(Config(), ManualClock())
    client = Client(engine)
    for line in lines:
        client.play(line)
    engine.clock.advance(1)
    engine.timers.advance()
    return digest(engine)


def loaded(path, newest=NEWEST_VERSION):
    """An engine with what a file holds."""
    engine = Engine(Config())
    with open(path, "rb") as source:
        reader = FileReader(source.read, newest=newest)
        run_through(Loading(engine, reader, source, os.path.getsize(path)).job())
    return engine


def digest(engine):
    return bytes(of_databases(engine.databases))


@pytest.mark.parametrize("compression", ["yes", "no"])
@pytest.mark.parametrize("edition", ["6.2", "7.0", "8.2", "8.6", "valkey-9.1"])
def test_files_of_other_servers_load_equal(edition, compression, tmp_path):
    command = server_of(edition)
    with connected(command, tmp_path, "--rdbcompression", compression) as ask:
        taken = fill(ask)
        assert len(taken) > len(DATA) - 11
        assert ask("SAVE") == b"OK"
    engine = loaded(tmp_path / "dump.rdb")
    assert digest(engine) == digest_of(taken)
    for entry in engine.databases[0].live():
        if hasattr(entry.value, "_check"):
            entry.value._check()


def test_one_folder_for_both(tmp_path):
    with connected(emulator, tmp_path) as ask:
        fill(ask)
        ours = ask("DEBUG DIGEST")
        assert ask("SAVE") == b"OK"
    assert os.listdir(tmp_path) == ["dump.rdb"]
    checked = subprocess.run(
        ["redis-check-rdb", str(tmp_path / "dump.rdb")], executable=servers.oracle_binary(), capture_output=True
    )
    assert b"RDB looks OK!" in checked.stdout, checked.stdout
    with connected(oracle, tmp_path) as ask:
        assert ask("DEBUG DIGEST") == ours
        assert ask("FCALL f 0") == b"1"
        assert ask("SET more 1") == b"OK"
        theirs = ask("DEBUG DIGEST")
        assert ask("SHUTDOWN SAVE") is None
    with connected(emulator, tmp_path) as ask:
        assert ask("DEBUG DIGEST") == theirs
        assert ask("FCALL f 0") == b"1"


VARYING = re.compile(rb"(ctime|used-mem)(\xc0.|\xc1..|\xc2....)", re.DOTALL)


@pytest.mark.parametrize("policy", ["noeviction", "allkeys-lru", "volatile-lfu"])
@pytest.mark.parametrize("settings", [(), ("--rdbcompression", "no"), ("--rdbchecksum", "no")])
def test_the_very_bytes(policy, settings, tmp_path):
    files = []
    for command in (emulator, oracle):
        folder = tmp_path / command.__name__
        folder.mkdir()
        with connected(command, folder, "--maxmemory-policy", policy, *settings) as ask:
            ask("CONFIG SET lfu-log-factor 0")
            ask(DATA[0])
            for number, line in enumerate((f"SET {LONG} {LONG} PXAT 9000000000000", "SET a 12", f"RPUSH l 1 2 {LONG}")):
                ask(f"SELECT {2 * number}")
                ask(line)
            assert ask("SAVE") == b"OK"
        body = VARYING.sub(rb"\1", (folder / "dump.rdb").read_bytes())
        files.append(body if "--rdbchecksum" in settings else body[:-8])
    assert files[0] == files[1]


BAD = {
    "empty": b"",
    "magic": b"RADIS0012\xff",
    "version": b"REDIS0013\xff",
    "short": b"REDIS0012\xfe\0\xfb\1\0\0\1k",
    "sum": b"REDIS0012\xff" + b"\1" * 8,
    "database": b"REDIS0012\xfe\x20\0\1k\1v\xff" + bytes(8),
    "function": b"REDIS0012\xf6\1a\xff" + bytes(8),
    "type": b"REDIS0012\x23\1k\1v\xff" + bytes(8),
    "library": b"REDIS0012\xf5\5#!lua\xff" + bytes(8),
}
EXCUSED = {"library": "the real server goes on to look for the fault, and ends with 0"}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_ends_the_server_and_stays(name, tmp_path):
    path = tmp_path / "dump.rdb"
    path.write_bytes(BAD[name])
    told = []
    for command in (oracle, emulator):
        done = subprocess.run(
            command(servers.free_port(), "--dir", str(tmp_path), "--save", "1 1"),
            capture_output=True,
            timeout=60,
            env=servers.environment(),
        )
        assert path.read_bytes() == BAD[name]
        assert done.returncode == 1 or (command is oracle and name in EXCUSED)
        told.append([line.partition(b" # ")[2] for line in done.stdout.splitlines() if b" # " in line])
    reason = re.sub(
        rb", function at rdb.c:\d+|reading offset \d+", b"", next(line for line in told[0] if b"overcommit" not in line)
    )
    assert reason in [re.sub(rb"reading offset \d+", b"", line) for line in told[1]]


def test_what_goes_wrong_while_loading_ends_it(serve, tmp_path, monkeypatch):
    """Else what is there so far would be served, and at last be saved over the file."""

    def without_memory(*_):
        raise MemoryError

    (tmp_path / "dump.rdb").write_bytes(b"REDIS0012\xfe\0\0\1k\1v\xff" + bytes(8))
    monkeypatch.setattr(Loading, "_enter", without_memory)

    async def scenario(server):
        server.engine.persistence.folder = Disk(server.config)
        server.engine.persistence.open()
        with pytest.raises(BadFile, match="MemoryError"):
            await server.load()

    serve(scenario, dir=str(tmp_path))


def test_a_file_that_is_twice_the_same_key_is_refused(tmp_path):
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0012\xfe\0\0\1k\1v\0\1k\1v\xff" + bytes(8))
    done = subprocess.run(
        emulator(servers.free_port(), "--dir", str(tmp_path)),
        capture_output=True,
        env=servers.environment(),
        timeout=60,
    )
    assert done.returncode == 1 and b"RDB has duplicated key 'k' in DB 0" in done.stdout


SCENARIO = """\
SET a 1
CONFIG SET dir {folder}/there
!rmdir
SAVE
INFO
BGSAVE
!wait
INFO
SET a 2
PING
PING hello
GET a
EVAL "return redis.call('set','a','b')" 0
EVAL "return redis.call('get','a')" 0
EVAL "return redis.pcall('ping')" 0
EVAL "#!lua\\nreturn 1" 0
EVAL "#!lua flags=no-writes\\nreturn 1" 0
PUBLISH a b
FLUSHALL
MULTI
SET a 1
EXEC
MULTI
PING
DISCARD
DEBUG RELOAD
SHUTDOWN
CONFIG SET stop-writes-on-bgsave-error no
SET a 3
PING
CONFIG SET stop-writes-on-bgsave-error yes
SET a 4
CONFIG SET save ""
SET a 5
CONFIG SET save "1000 1000"
SET a 6
CONFIG SET dir {folder}
SAVE
SET a 7
INFO
DEBUG RELOAD NOSAVE
GET a
CONFIG SET dbfilename nothing.rdb
SET a 8
DEBUG RELOAD NOSAVE
DBSIZE
FLUSHALL
DEBUG RELOAD NOSAVE
SET a 9
INFO
FLUSHALL
INFO
SHUTDOWN SAVE
"""
TOLD = ("rdb_changes_since_last_save", "rdb_last_bgsave_status", "rdb_saves", "rdb_last_bgsave_time_sec", "loading")


def told_by(ask):
    """What INFO tells; a save takes a second where one ended meanwhile, which is chance."""
    lines = ask("INFO persistence").decode().replace("bgsave_time_sec:1", "bgsave_time_sec:0").splitlines()
    return [line for line in lines if line.partition(":")[0] in TOLD]


def played(command, folder):
    """What a server answers in the scenario, and the files that it leaves."""
    (folder / "there").mkdir(parents=True)
    answers = []
    with connected(command, folder, "--save", "1000 1000", "--enable-protected-configs", "yes") as ask:
        for line in SCENARIO.splitlines():
            if line == "!rmdir":
                (folder / "there").rmdir()
            elif line == "!wait":
                until(lambda: b"rdb_bgsave_in_progress:0" in ask("INFO persistence"))
            elif line == "INFO":
                answers.append(told_by(ask))
            else:
                answers.append((line.format(folder=""), ask(line.format(folder=folder))))
        ask.process.wait(20)
        answers.append(ask.process.returncode)
    return answers, sorted(os.listdir(folder))


def test_what_cannot_be_saved_must_not_change(tmp_path):
    ours, theirs = played(emulator, tmp_path / "ours"), played(oracle, tmp_path / "theirs")
    assert ours == theirs


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("options", "saves"),
    [
        (("--save", "1000 1000"), True),
        (("--save", ""), False),
        (("--save", "", "--shutdown-on-sigterm", "save", "--shutdown-on-sigint", "save"), True),
        (("--save", "1 1", "--shutdown-on-sigterm", "nosave", "--shutdown-on-sigint", "nosave"), False),
    ],
)
def test_a_signal_saves_where_there_are_save_points(number, options, saves, tmp_path):
    for command in (emulator, oracle):
        with connected(command, tmp_path, *options) as ask:
            assert ask("SET a 1") == b"OK"
            ask.process.send_signal(number)
            assert ask.process.wait(20) == 0
        assert (tmp_path / "dump.rdb").exists() is saves
        if saves:
            assert digest(loaded(tmp_path / "dump.rdb")) != b"0" * 40
            (tmp_path / "dump.rdb").unlink()


@pytest.mark.parametrize("command", [emulator, oracle])
def test_an_empty_name_is_no_file(command, tmp_path):
    with connected(command, tmp_path, "--dbfilename", "") as ask:
        assert ask("SET a 1") == b"OK"
        assert ask("SAVE").startswith(b"ERR")
        assert os.listdir(tmp_path) == []
        assert ask("SHUTDOWN SAVE").startswith(b"ERR Errors trying to SHUTDOWN")


def test_a_signal_ends_nothing_that_cannot_be_saved(tmp_path):
    in_the_way = tmp_path / "dump.rdb"
    for command in (emulator, oracle):
        with connected(command, tmp_path, "--save", "1000 1000") as ask:
            assert ask("SET a 1") == b"OK"
            in_the_way.mkdir()
            (in_the_way / "a file").touch()
            assert ask("SAVE") == b"ERR"
            ask.process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                ask.process.wait(0.5)
            assert ask("GET a") == b"1"
            assert os.listdir(tmp_path) == ["dump.rdb"]
            shutil.rmtree(in_the_way)
            ask.process.send_signal(signal.SIGTERM)
            assert ask.process.wait(20) == 0
        assert os.listdir(tmp_path) == ["dump.rdb"]
        in_the_way.unlink()


def test_save_points(tmp_path):
    for command in (emulator, oracle):
        with connected(command, tmp_path, "--save", "1 3") as ask:
            ask("RPUSH l 1 2 3")
            until(
                lambda: (tmp_path / "dump.rdb").exists() and b"rdb_changes_since_last_save:0" in ask("INFO persistence")
            )
            assert ask("SHUTDOWN NOSAVE") is None
        assert len(loaded(tmp_path / "dump.rdb").databases[0]) == 1
        (tmp_path / "dump.rdb").unlink()


def test_flushall_empties_the_file(tmp_path):
    for command in (emulator, oracle):
        with connected(command, tmp_path, "--save", "1000 1000") as ask:
            ask("SET a 1")
            ask("SAVE")
            ask("FLUSHALL")
            ask("SET a 1")
            assert ask("SHUTDOWN NOSAVE") is None
        assert not loaded(tmp_path / "dump.rdb").databases[0].entries


def test_while_it_loads_clients_hear_so(tmp_path):
    with connected(emulator, tmp_path) as ask:
        ask("DEBUG POPULATE 50")
        ask("SAVE")
    port = servers.free_port()
    process = subprocess.Popen(
        emulator(port, "--dir", str(tmp_path), "--key-load-delay", "20000000"),
        env=servers.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        while "Server initialized" not in process.stdout.readline():
            continue
        connection = Connection(("127.0.0.1", port), 20.0)
        for words in (("GET", "a"), ("PING",), ("SAVE",), ("EVAL", "return 1", "0")):
            assert connection(*words).value == b"LOADING Redis is loading the dataset in memory"
        assert connection("GET").value == b"ERR wrong number of arguments for 'get' command"
        told = connection("INFO", "persistence").value
        assert b"loading:1\r\nasync_loading:0" in told
        assert [line.partition(b":")[0] for line in told.splitlines() if line.startswith(b"loading_")] == [
            b"loading_start_time",
            b"loading_total_bytes",
            b"loading_rdb_used_mem",
            b"loading_loaded_bytes",
            b"loading_loaded_perc",
            b"loading_eta_seconds",
        ]
        before = (tmp_path / "dump.rdb").read_bytes()
        assert connection("CONFIG", "SET", "save", "1 1").value == b"OK"
        process.terminate()
        assert process.wait(20) == 0
        assert (tmp_path / "dump.rdb").read_bytes() == before
    finally:
        process.kill()
        process.stdout.close()


def test_a_save_that_is_killed_leaves_the_file_as_it_was(tmp_path):
    with connected(emulator, tmp_path, "--rdb-key-save-delay", "1000000") as ask:
        ask("MSET a 1 b 2")
        ask("SAVE")
        before = (tmp_path / "dump.rdb").read_bytes()
        ask("SET a 3")
        assert ask("BGSAVE") == b"Background saving started"
        until(lambda: list(tmp_path.glob(f"temp-bg-{ask.process.pid}-*.rdb")))
        ask.process.kill()
        ask.process.wait()
    assert (tmp_path / "dump.rdb").read_bytes() == before


RULES = "avg sum min max range count first last std.p std.s var.p var.s twa".split()


@pytest.fixture(scope="module")
def series_of(tmp_path_factory):
    """Series with rules of every kind, in the midst of their buckets, on a server and in its file; then what follows them."""

    def play(command, folder, filled):
        seen = []
        with connected(command, folder) as ask:
            for name, before, after in SERIES:
                if not filled:
                    ask(f"TS.CREATE {name} DUPLICATE_POLICY LAST")
                    for sample in before:
                        ask(f"TS.ADD {name} {sample}")
                    for rule in RULES:
                        ask(f"TS.CREATE {name}:{rule}")
                        ask(f"TS.CREATERULE {name} {name}:{rule} AGGREGATION {rule} 1000 77")
                    for sample in after:
                        ask(f"TS.ADD {name} {sample}")
                else:
                    seen.append(ask(f"TS.INFO {name}"))
                    ask(f"TS.ADD {name} 1900 4")
                    ask(f"TS.ADD {name} 2200 1")
                    ask(f"TS.ADD {name} 4300 7")
                    seen += [ask(f"TS.RANGE {name}:{rule} - +") for rule in RULES]
            ask("SAVE")
        return seen

    return play


SERIES = (
    ("none", (), ()),
    ("one", (), ("1100 3.25",)),
    ("two", (), ("1100 3.25", "1200 5")),
    ("before", ("700 7",), ("1100 3.25", "1300 9")),
    ("closed", (), ("100 1", "1100 2", "1150 9")),
)


def timeseries_oracle(port, *options):
    return servers.oracle_command(port, *options, modules=("timeseries",))


def timeseries_emulator(port, *options):
    return servers.emulator_command(port, *options, modules=("timeseries",))


def test_rules_of_series_outlast_a_change_of_servers(series_of, tmp_path):
    """Whoever has filled the file, and whoever goes on, the buckets are closed with the same numbers."""
    seen = []
    for filler in (timeseries_oracle, timeseries_emulator):
        for reader in (timeseries_oracle, timeseries_emulator):
            folder = tmp_path / f"{filler.__name__}-{reader.__name__}"
            folder.mkdir()
            series_of(filler, folder, filled=False)
            seen.append(series_of(reader, folder, filled=True))
    for other in seen[1:]:
        assert [(a, b) for a, b in zip(other, seen[0], strict=True) if a != b] == []
