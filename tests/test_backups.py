"""Backups: what was saved comes back, at once and whole, in memory and on the disk; and moments by the append-only file."""

import os
import shutil

import pytest
import redis

import emulator
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.engine import Engine
from emulator.keyspace.digest import of_databases
from emulator.persistence.backups import Backups
from emulator.persistence.disk import Disk
from emulator.persistence.folder import Memory
from emulator.persistence.work import run_through
from emulator.protocol.errors import CommandError

from .conftest import Client
from .waiting import until

SECOND, DAY = 1000, 86_400_000
NOW = 1_700_000_000_000


def started(folder, clock=None, **settings):
    """An engine that keeps its files in a folder, as a server has it once it has loaded them."""
    config = Config()
    config.dir = str(folder)
    for name, value in {"backup_dir": str(folder / "backups"), "save": (), **settings}.items():
        setattr(config, name, value)
    engine = Engine(config, clock or ManualClock(NOW / 1000))
    engine.persistence.folder = Disk(config)
    engine.persistence.open()
    failures = []
    engine.persistence.load(failures.append)
    assert failures == [None]
    return engine


def again(engine, folder):
    """What an engine has that starts on the files of another, at the same moment."""
    engine.persistence.log.flush_to_disk()
    copy = folder.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    config = engine.config
    settings = {name: getattr(config, name) for name in ("appendonly", "aof_timestamp_enabled")}
    return started(copy, ManualClock(engine.clock.now / 1000), **settings)


def digest(engine):
    return bytes(of_databases(engine.databases))


def turn(client, milliseconds):
    client.engine.timers.turn_clock(client.engine.clock.now + milliseconds)


@pytest.fixture
def engine(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return started(folder)


@pytest.fixture
def logging_engine(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return started(folder, appendonly=True, aof_timestamp_enabled=True)


@pytest.fixture
def logging_client(logging_engine):
    return Client(logging_engine)


def test_the_words(client, tmp_path):
    client.play("SET a 1")
    client.play("SELECT 3")
    client.play("RPUSH b 1 2")
    assert client.play("EMULATOR BACKUP CREATE one") == b"$3\r\none\r\n"
    assert sorted(os.listdir(tmp_path / "data" / "backups")) == ["one.rdb"]
    client.play("FLUSHALL")
    client.play("SET other 1")
    assert client.play("EMULATOR BACKUP RESTORE one") == b":2\r\n"
    assert client.play("LRANGE b 0 -1") == b"*2\r\n$1\r\n1\r\n$1\r\n2\r\n"
    assert client.play("EXISTS other") == b":0\r\n"
    size = os.path.getsize(tmp_path / "data" / "backups" / "one.rdb")
    expected = b"*1\r\n*6\r\n$4\r\nname\r\n$3\r\none\r\n$6\r\nmoment\r\n:%d\r\n$4\r\nsize\r\n:%d\r\n" % (NOW, size)
    assert client.play("EMULATOR BACKUP LIST") == expected
    assert client.play("EMULATOR BACKUP CREATE one").startswith(b"-ERR there is a backup 'one' already")
    assert client.play("EMULATOR BACKUP DELETE one") == b":1\r\n"
    assert client.play("EMULATOR BACKUP DELETE one") == b":0\r\n"
    assert client.play("EMULATOR BACKUP RESTORE one") == b"-ERR there is no backup 'one'\r\n"
    assert client.play("EMULATOR BACKUP CREATE") == b"$19\r\n2023-11-14T22-13-20\r\n"
    assert client.play("EMULATOR BACKUP CREATE") == b"$21\r\n2023-11-14T22-13-20.2\r\n"
    for words in ("LIST x", "RESTORE", "RESTORE one two", "CREATE a b", "DELETE"):
        assert client.play(f"EMULATOR BACKUP {words}").startswith(b"-ERR unknown subcommand or wrong number")
    assert client.play("EMULATOR BACKUP CRATE") == b"-ERR there is no action 'CRATE'. Did you mean 'CREATE'?\r\n"


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "..", "a\\b", "\xff", "x" * 101, "-x"])
@pytest.mark.parametrize("action", ["CREATE", "RESTORE", "DELETE"])
def test_a_name_is_no_path(client, tmp_path, action, name):
    before = sorted(tmp_path.rglob("*"))
    client.session.words = []
    assert client.play(f'EMULATOR BACKUP {action} "{name}"').startswith(b"-ERR a backup's name has")
    assert sorted(tmp_path.rglob("*")) == before


def test_without_a_folder():
    client = Client(Engine(Config()))
    expected = b"-ERR there is no folder for backups: start the server with --backup-dir DIR\r\n"
    assert client.play("EMULATOR BACKUP CREATE x") == expected


def test_others_are_served_meanwhile(engine, client):
    """A backup has the data of its moment; until one is restored the data are what they were."""
    work = engine.persistence.work
    work.begin = lambda: None
    for number in range(5000):
        client.play(f"SET key{number} {number}")
    before, other = digest(engine), Client(engine)
    assert client.play("EMULATOR BACKUP CREATE one") == b""
    assert work.step()
    assert other.play("FLUSHALL") == b"+OK\r\n"
    other.play("SET key1 new")
    while work.busy:
        work.step()
    assert client.received() == b"$3\r\none\r\n"
    client.play("EMULATOR BACKUP RESTORE one")
    assert work.step()
    assert other.play("GET key1") == b"$3\r\nnew\r\n"
    while work.busy:
        work.step()
    assert client.received() == b":5000\r\n"
    assert digest(engine) == before


def test_one_after_another(engine, client):
    work = engine.persistence.work
    work.begin = lambda: None
    waiting = [Client(engine) for _ in range(3)]
    client.play("SET a 1")
    assert client.play("BGSAVE") == b"+Background saving started\r\n"
    for number, one in enumerate(waiting):
        one.play(f"EMULATOR BACKUP CREATE number{number}")
    while work.busy:
        work.step()
    assert [one.received() for one in waiting] == [b"$7\r\nnumber%d\r\n" % number for number in range(3)]
    assert client.play("BGSAVE") == b"+Background saving started\r\n"
    waiting[0].play("EMULATOR BACKUP CREATE last")
    work.stop()
    while work.busy:
        work.step()
    assert waiting[0].received() == b"$4\r\nlast\r\n"
    waiting[0].play("EMULATOR BACKUP CREATE never")
    next(work._job)
    work.stop()
    assert waiting[0].received() == b"-ERR Interrupted system call\r\n"
    assert not [name for name in os.listdir(engine.config.backup_dir) if "never" in name]


def test_a_server_saves_once_at_a_time(engine, client):
    engine.persistence.work.begin = lambda: None
    client.play("SET a 1")
    client.play("EMULATOR BACKUP CREATE one")
    assert Client(engine).play("BGSAVE").startswith(b"-ERR Another child process is active")


@pytest.mark.parametrize("at_once", [True, False])
def test_clients_hear_of_other_data(engine, client, at_once):
    client.play("RPUSH list x")
    client.play("SET watched 1")
    client.play("EMULATOR BACKUP CREATE one")
    client.play("FLUSHALL")
    watcher, waiter, untouched = Client(engine), Client(engine), Client(engine)
    watcher.play("WATCH watched")
    watcher.play("MULTI")
    untouched.play("WATCH nothing")
    untouched.play("MULTI")
    assert waiter.play("BLPOP list 0") == b""
    engine.persistence.work.begin = None if at_once else lambda: None
    client.play("EMULATOR BACKUP RESTORE one")
    while engine.persistence.work.busy:
        engine.persistence.work.step()
    assert client.received() in (b"", b":2\r\n")
    engine.work()
    assert watcher.play("EXEC") == b"*-1\r\n"
    assert untouched.play("EXEC") == b"*0\r\n"
    assert waiter.received() == b"*2\r\n$4\r\nlist\r\n$1\r\nx\r\n"


def test_deadlines_and_functions_come_back(engine, client):
    client.play("SET short x PX 1000")
    client.play("SET long x PX 10000")
    client.play("HSET hash a 1 b 2")
    client.play("HPEXPIRE hash 10000 FIELDS 1 a")
    client.play(r"""FUNCTION LOAD "#!lua name=one\nredis.register_function('f', function() return 1 end)" """)
    client.play("EMULATOR BACKUP CREATE one")
    client.play("FLUSHALL")
    client.play("FUNCTION FLUSH")
    client.play(r"""FUNCTION LOAD "#!lua name=two\nredis.register_function('g', function() return 1 end)" """)
    turn(client, 2000)
    assert client.play("EMULATOR BACKUP RESTORE one") == b":2\r\n"
    assert client.play("FCALL f 0") == b":1\r\n"
    assert client.play("FCALL g 0") == b"-ERR Function not found\r\n"
    assert client.play("PTTL long") == b":8000\r\n"
    turn(client, 8000)
    assert client.play("DBSIZE") == b":1\r\n"
    assert client.play("HKEYS hash") == b"*1\r\n$1\r\nb\r\n"
    assert engine.wheel.count == 0


def test_a_key_whose_time_comes_while_it_is_loaded(engine, client):
    engine.persistence.work.begin = lambda: None
    client.play("SET short x PX 1000")
    client.play("SET long x")
    client.play("EMULATOR BACKUP CREATE one")
    while engine.persistence.work.busy:
        engine.persistence.work.step()
    engine.config.key_load_delay = 1
    client.play("EMULATOR BACKUP RESTORE one")
    job = engine.persistence.work._job
    next(job)  # the first key has been loaded
    turn(client, 1000)
    while engine.persistence.work.busy:
        engine.persistence.work.step()
    turn(client, 1)
    client.received()
    assert client.play("KEYS *") == b"*1\r\n$4\r\nlong\r\n"
    assert engine.wheel.count == 0


def test_a_damaged_backup_harms_nothing(engine, client, tmp_path):
    client.play("SET a 1 PX 10000")
    client.play("EMULATOR BACKUP CREATE one")
    path = tmp_path / "data" / "backups" / "one.rdb"
    client.play("SET b 2")
    before = digest(engine)
    for data in (path.read_bytes()[:-9], path.read_bytes()[:-8] + b"12345678", b""):
        path.write_bytes(data)
        assert client.play("EMULATOR BACKUP RESTORE one").startswith(b"-ERR ")
        assert digest(engine) == before
        assert engine.wheel.count == 1


def test_a_restart_gives_what_was_restored(logging_engine, logging_client, tmp_path):
    engine, client = logging_engine, logging_client
    client.play("SET a 1")
    client.play("EMULATOR BACKUP CREATE one")
    client.play("SET a 2")
    client.play("SADD more x y")
    client.play("EMULATOR BACKUP RESTORE one")
    restored = again(engine, tmp_path / "data")
    assert digest(restored) == digest(engine)
    client.play("INCR a")
    restored = again(engine, tmp_path / "data")
    assert Client(restored).play("GET a") == b"$1\r\n2\r\n"
    assert client.play("INFO persistence").count(b"aof_base_size:0\r") == 0


def test_what_cannot_be_logged_is_not_restored(logging_engine, logging_client, tmp_path):
    engine, client = logging_engine, logging_client
    client.play("SET a 1")
    client.play("EMULATOR BACKUP CREATE one")
    client.play("SET a 2")
    log = engine.persistence.log
    for owner, name in ((log.files, "save"), (log, "flush_to_the_end")):
        kept = getattr(owner, name)

        def fail(*_, **__):
            raise OSError(28, "No space left on device")

        setattr(owner, name, fail)
        assert client.play("EMULATOR BACKUP RESTORE one") == b"-ERR No space left on device\r\n"
        setattr(owner, name, kept)
        assert client.play("GET a") == b"$1\r\n2\r\n"
        client.play("SET b 1")
        assert digest(again(engine, tmp_path / "data")) == digest(engine)


def test_appendonly_begun_while_something_else_is_saved_has_everything_once(engine, client, tmp_path):
    """The new log's base is of a later moment than CONFIG SET."""
    work = engine.persistence.work
    work.begin = lambda: None
    client.play("SET a 1")
    client.play("BGSAVE")
    client.play("CONFIG SET appendonly yes")
    client.play("INCR a")
    while work.busy:
        work.step()
    engine.persistence.check()
    client.play("INCR a")
    while work.busy:
        work.step()
    client.play("INCR a")
    assert Client(again(engine, tmp_path / "data")).play("GET a") == b"$1\r\n4\r\n"


# Moments


def moments(client):
    """Play what changes the data, some milliseconds apart; the digest at each moment."""
    engine, found = client.engine, {}
    for number in range(12):
        client.play(f"SET key{number % 7} {number} PX {100_000 + number}")
        client.play("INCR count")
        client.play("MULTI")
        client.play(f"RPUSH list {number}")
        client.play("LTRIM list -5 -1")
        client.play("EXEC")
        if number in (3, 4, 8):
            client.play("BGREWRITEAOF")
        client.play("INCR count")
        found[engine.clock.now] = digest(engine)
        turn(client, 137 if number % 5 else 2900)
    return found


@pytest.mark.parametrize("preamble", [True, False])
def test_every_moment_comes_back(logging_engine, logging_client, preamble, tmp_path):
    engine, client = logging_engine, logging_client
    engine.config.aof_use_rdb_preamble = preamble
    found = moments(client)
    past = again(engine, tmp_path / "data")
    for moment, expected in sorted(found.items(), key=lambda item: item[1]):
        for later in (0, 100):
            assert Client(past).play(f"EMULATOR BACKUP RESTORE AT {moment + later}")[:1] == b":"
            assert digest(past) == expected
    assert len(os.listdir(engine.config.backup_dir + "/log")) == 3


def test_what_a_log_does_not_tell(logging_client):
    client = logging_client
    ask = client.play
    ask("SET a 1")
    assert ask(f"EMULATOR BACKUP RESTORE AT {NOW - 1}") == (
        b"-ERR the append-only file does not reach so far back: it begins at %d\r\n" % NOW
    )
    assert ask(f"EMULATOR BACKUP RESTORE AT {NOW + 1}") == b"-ERR that moment is still to come\r\n"
    turn(client, 1000)
    ask("CONFIG SET appendonly no")
    turn(client, 1000)
    assert ask(f"EMULATOR BACKUP RESTORE AT {NOW + 2000}") == (
        b"-ERR the append-only file was switched off at %d: it does not tell what came afterwards\r\n" % (NOW + 1000)
    )
    assert ask(f"EMULATOR BACKUP RESTORE AT {NOW + 1000}") == b":1\r\n"


def test_a_log_without_moments(tmp_path):
    engine = started(tmp_path, appendonly=True)
    client = Client(engine)
    client.play("SET a 1")
    turn(client, 1000)
    assert client.play(f"EMULATOR BACKUP RESTORE AT {NOW}") == (
        b"-ERR the append-only file has no moments: set aof-timestamp-enabled yes beforehand\r\n"
    )
    none = Client(started(tmp_path / "data"))
    assert none.play(f"EMULATOR BACKUP RESTORE AT {NOW}") == (
        b"-ERR there is no append-only file to go back in: that takes --appendonly yes\r\n"
    )


def test_past_logs_are_kept_for_some_days(logging_engine, logging_client):
    engine, client = logging_engine, logging_client
    engine.config.backup_retention = 2
    for number in range(5):
        client.play(f"SET a {number}")
        turn(client, DAY)
        client.play("BGREWRITEAOF")
    assert engine.persistence.backups.history.moments() == [NOW + number * DAY for number in (3, 4)]
    assert client.play(f"EMULATOR BACKUP RESTORE AT {NOW + 4 * DAY - 1}") == b":1\r\n"
    assert client.play("GET a") == b"$1\r\n3\r\n"


# Days


def test_a_backup_each_day(engine, client):
    engine.config.backup_daily = True
    engine.config.backup_retention = 2
    client.play("EMULATOR BACKUP CREATE mine")
    for _ in range(6):
        engine.persistence.check()
        engine.persistence.check()
        turn(client, DAY)
    names = [backup.name for backup in engine.persistence.backups.list()]
    assert names == ["mine", "daily-2023-11-17", "daily-2023-11-18", "daily-2023-11-19"]


def test_a_daily_backup_that_fails_is_tried_again(engine, client, tmp_path):
    engine.config.backup_daily = True
    (tmp_path / "data" / "backups").write_bytes(b"in the way")
    engine.persistence.check()
    os.unlink(tmp_path / "data" / "backups")
    engine.persistence.check()
    assert not engine.persistence.backups.list()
    turn(client, 60_000)
    engine.persistence.check()
    assert len(engine.persistence.backups.list()) == 1


# Who holds it


def test_from_one_engine_into_another():
    """The class needs no command: whoever has engines may keep their backups in one place."""
    one, other = Engine(Config()), Engine(Config())
    Client(one).play("SET a 1")
    backups, outcomes = Backups(Memory(), "kept"), []
    one.persistence.work.start_later(backups.create(one, "x"), outcomes.append)
    other.persistence.work.start_later(backups.restore(other, "x"), outcomes.append)
    assert outcomes == [None, None]
    assert Client(other).play("GET a") == b"$1\r\n1\r\n"
    run_through(backups.restore(one, "x"))


def test_keyspaces_have_folders_of_their_own(engine, client):
    client.play("EMULATOR KEYSPACE USE ../x")
    keyspace = Client(engine.keyspaces.open(b"../x"))
    keyspace.play("SET a 1")
    keyspace.play("EMULATOR BACKUP CREATE one")
    assert os.listdir(engine.config.backup_dir) == ["keyspace...%2Fx"]
    assert Client(engine).play("EMULATOR BACKUP LIST") == b"*0\r\n"


def test_handles(tmp_path):
    local = emulator.Local(backup_dir=str(tmp_path))
    with emulator.Server(backup_dir=str(tmp_path)) as server:
        server.connect().set("a", 1)
        assert server.backups.create("one") == "one"
        assert [backup.name for backup in local.backups.list()] == ["one"]
        assert local.backups.restore("one") == 1
        assert local.connect().get("a") == b"1"
        assert server.backups.delete("one")
        assert not server.backups.delete("one")
        with pytest.raises(CommandError, match="there is no backup 'one'"):
            server.backups.restore("one")
        with pytest.raises(TypeError, match="restore takes the name of a backup, or a moment"):
            server.backups.restore()
        with pytest.raises(CommandError, match="no append-only file"):
            server.backups.restore(at=0)
        client = server.connect(decode_responses=True)
        assert client.execute_command("EMULATOR BACKUP CREATE two") == "two"
        assert client.execute_command("EMULATOR BACKUP RESTORE two") == 1
        with pytest.raises(redis.ResponseError, match="there is a backup 'two' already"):
            client.execute_command("EMULATOR BACKUP CREATE two")


def test_series_are_found_by_their_labels_where_they_are_now(engine, client):
    client.play("TS.CREATE mine LABELS a 1")
    client.play("EMULATOR BACKUP CREATE one")
    client.play("DEL mine")
    client.play("TS.CREATE other LABELS a 1")
    assert client.play("TS.QUERYINDEX a=1") == b"*1\r\n$5\r\nother\r\n"
    client.play("EMULATOR BACKUP RESTORE one")
    assert client.play("TS.QUERYINDEX a=1") == b"*1\r\n$4\r\nmine\r\n"
    client.play("SWAPDB 0 1")
    assert client.play("TS.QUERYINDEX a=1") == b"*1\r\n$4\r\nmine\r\n"  # it tells the keys of all databases
    client.play("SELECT 1")
    assert client.play("TS.GET mine") == b"*0\r\n"


def test_replicas_get_what_was_restored(tmp_path):
    with (
        emulator.Server(backup_dir=str(tmp_path), repl_diskless_sync_delay=0) as master,
        emulator.Server(backup_dir=str(tmp_path / "other")) as replica,
    ):
        client, copy = master.connect(), replica.connect(decode_responses=True)
        client.set("a", 1)
        master.backups.create("one")
        client.set("a", 2)
        copy.execute_command("REPLICAOF", master.host, master.port)
        until(lambda: copy.get("a") == "2")
        assert copy.execute_command("EMULATOR BACKUP CREATE mine") == "mine"
        with pytest.raises(redis.ReadOnlyError):
            copy.execute_command("EMULATOR BACKUP RESTORE mine")
        master.backups.restore("one")
        until(lambda: copy.get("a") == "1")
        client.set("b", 1)
        until(lambda: copy.get("b") == "1")
