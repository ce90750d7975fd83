"""Backups by the management API: by name, each day, of one database into another, and back to a moment."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest

import emulator
from emulator.clock import ManualClock
from emulator.core.engine import Engine
from emulator.rest.cloud.databases import done
from emulator.rest.requests import BadRequest
from tests.cloud import SETTINGS, Management
from tests.rest import Rest
from tests.waiting import until

pytest.importorskip("h11")

DAY = 86_400_000


class Place:
    """A server with its management API, whatever keeps its databases."""

    def __init__(self, server):
        self.server = server
        self.cloud = Management(server.cloud_url)

    def create(self, **fields):
        database = self.cloud.create(**fields)
        return Handled(self, database)


class Handled:
    """A database: its data by calling it, its management by `do`."""

    def __init__(self, place, database):
        self.place, self.id, self.token = place, database["database_id"], database["rest_token"]

    def __call__(self, *words):
        status, answer = Rest(self.place.server.rest_url, self.token)(*words)
        assert status == 200, answer
        return answer["result"]

    def post(self, path, **fields):
        return self.place.cloud("POST", f"redis/{path}/{self.id}", fields)

    def ok(self, path, **fields):
        assert self.post(path, **fields) == (200, "OK")

    def backups(self):
        return self.place.cloud.ok("GET", f"redis/list-backup/{self.id}")

    def backup(self, name):
        self.ok("create-backup", name=name)
        return self.backups()[0]["backup_id"]


@pytest.fixture(params=["in memory", "in files"])
def place(request, tmp_path):
    settings = {} if request.param == "in memory" else {"cloud_dir": tmp_path / "cloud"}
    with emulator.Server(clock=ManualClock(), **SETTINGS, **settings) as server:
        yield Place(server)


@pytest.fixture
def database(place):
    return place.create()


def test_a_backup_brings_back_what_there_was(database):
    database("SET", "k", "old")
    database("HSET", "h", "f", "v")
    backup = database.backup("first")
    database("SET", "k", "new")
    database("SET", "later", "x")
    database.ok("restore-backup", backup_id=backup)
    assert (database("GET", "k"), database("HGETALL", "h"), database("EXISTS", "later")) == ("old", ["f", "v"], 0)


def test_a_backup_is_told(database):
    database("SET", "k", "v")
    backup = database.backup("first")
    (told,) = database.backups()
    assert told["backup_id"] == backup
    assert (told["name"], told["state"], told["daily_backup"]) == ("first", "completed", "false")
    assert told["backup_size"] > 50
    assert told["creation_time"] == 1_700_000_000
    assert database.place.cloud("GET", f"redis/database/{database.id}")[1]["modifying_state"] == ""


def test_another_databases_backup(place, database):
    database("SET", "k", "theirs")
    backup = database.backup("first")
    other = place.create()
    other("SET", "mine", "v")
    other.ok("restore-backup", backup_id=backup)
    assert (other("GET", "k"), other("EXISTS", "mine")) == ("theirs", 0)
    assert other.backups() == []


def test_a_deleted_backup_is_gone(place, database):
    backup = database.backup("first")
    path = f"redis/delete-backup/{database.id}/{backup}"
    assert place.cloud("DELETE", path) == (200, "OK")
    assert place.cloud("DELETE", path) == (404, "backup not found")
    assert database.post("restore-backup", backup_id=backup) == (404, "backup not found")
    assert database.backups() == []


def test_names_are_whatever_one_likes(database):
    for name in ("../../etc/passwd", "a name", "é", "first", "first"):
        database.backup(name)
    assert [backup["name"] for backup in database.backups()] == ["first", "first", "é", "a name", "../../etc/passwd"]


@pytest.mark.slow
def test_there_are_only_so_many(database):
    for number in range(100):
        database.ok("create-backup", name=str(number))
    assert database.post("create-backup", name="one more") == (400, {"error": "there are 100 backups already"})


def daily(database):
    return [backup for backup in database.backups() if backup["daily_backup"] == "true"]


def test_a_backup_each_day_by_the_databases_own_clock(place, database):
    database("SET", "k", "v")
    database.ok("enable-dailybackup")
    assert place.cloud("GET", f"redis/database/{database.id}")[1]["daily_backup_enabled"] is True
    database("EMULATOR", "CLOCK", "ADVANCE", str(DAY - 1))
    assert daily(database) == []
    moments = []
    for count in (1, 2, 3, 3):
        database("EMULATOR", "CLOCK", "ADVANCE", str(DAY))
        until(lambda: [backup for backup in daily(database) if backup["creation_time"] not in moments])
        until(lambda count=count: len(daily(database)) == count)
        moments.append(daily(database)[0]["creation_time"])
    assert [later - earlier for earlier, later in pairwise(moments)] == [DAY // 1000] * 3
    database("FLUSHALL")
    database.ok("restore-backup", backup_id=daily(database)[0]["backup_id"])
    assert database("GET", "k") == "v"
    database.ok("disable-dailybackup")
    database("EMULATOR", "CLOCK", "ADVANCE", str(2 * DAY))
    assert daily(database)[0]["creation_time"] == moments[-1]


def test_a_clock_that_is_turned_far_makes_one(database):
    database.ok("enable-dailybackup")
    database("EMULATOR", "CLOCK", "ADVANCE", str(10_000 * DAY))
    assert len(until(lambda: daily(database))) == 1


def test_read_regions_have_what_was_restored():
    settings = SETTINGS | {"cloud_lag": 1000}
    with emulator.Server(clock=ManualClock(), **settings) as server:
        database = Place(server).create(read_regions=["us-east-2"])
        database("SET", "k", "old")
        backup = database.backup("first")
        database("SET", "k", "new")
        database.ok("restore-backup", backup_id=backup)
        far = Rest(server.rest_url, database.token)
        assert far("GET", "k", Emulator_Region="us-east-2") == (200, {"result": "old"})


def test_commands_do_not_reach_the_backups_of_the_management_api(tmp_path):
    with emulator.Server(**SETTINGS, cloud_dir=tmp_path) as server:
        database = Place(server).create()
        database("SET", "k", "v")
        backup = database.backup("first")
        assert database("EMULATOR", "BACKUP", "CREATE", "second") == "second"
        assert [told[1] for told in database("EMULATOR", "BACKUP", "LIST")] == ["second"]
        assert database("EMULATOR", "BACKUP", "DELETE", backup) == 0
        assert [told["name"] for told in database.backups()] == ["first"]
        database("FLUSHALL")
        database.ok("restore-backup", backup_id=backup)
        assert database("GET", "k") == "v"


def test_read_regions_have_what_came_by_a_command(tmp_path):
    settings = SETTINGS | {"cloud_lag": 1000, "cloud_dir": tmp_path, "appendonly": True}
    with emulator.Server(clock=ManualClock(), **settings) as server:
        database = Place(server).create(read_regions=["us-east-2"])
        far = Rest(server.rest_url, database.token)

        def seen(key="k"):
            return far("GET", key, Emulator_Region="us-east-2")[1]["result"]

        for value in ("old", "new"):
            database("SET", "k", value)
            database("EMULATOR", "CLOCK", "ADVANCE", "60000")
        assert seen() == "new"
        database("EMULATOR", "BACKUP", "RESTORE", "AT", "1700000060000")
        assert (database("GET", "k"), seen()) == ("new", "new")
        database("EMULATOR", "BACKUP", "RESTORE", "AT", "1700000059999")
        assert (database("GET", "k"), seen()) == ("old", "old")
        until(lambda: str(database("INCR", "n")) != seen("n"))  # it lags again
        database("EMULATOR", "CLOCK", "ADVANCE", "1000")
        assert seen("n") == database("GET", "n")


def test_backups_outlive_the_server(tmp_path):
    settings = SETTINGS | {"cloud_dir": tmp_path}
    with emulator.Server(**settings) as server:
        database = Place(server).create()
        database("SET", "k", "v")
        backup = database.backup("first")
        told = database.backups()
    with emulator.Server(**settings) as server:
        database.place = Place(server)
        assert database("GET", "k") is None  # it was not saved
        assert database.backups() == told
        database.ok("restore-backup", backup_id=backup)
        assert database("GET", "k") == "v"


def test_a_day_goes_on_over_a_restart(tmp_path):
    settings = SETTINGS | {"cloud_dir": tmp_path}
    begin = 1_700_000_000
    with emulator.Server(clock=ManualClock(begin), **settings) as server:
        database = Place(server).create()
        database.ok("enable-dailybackup")
    with emulator.Server(clock=ManualClock(begin + DAY // 1000 - 60), **settings) as server:
        database.place = Place(server)
        assert daily(database) == []
        database("EMULATOR", "CLOCK", "ADVANCE", "60000")
        assert len(until(lambda: daily(database))) == 1


def test_back_to_a_moment(tmp_path):
    with emulator.Server(clock=ManualClock(), cloud_dir=tmp_path, appendonly=True, **SETTINGS) as server:
        database = Place(server).create()
        for value in ("one", "two", "three"):
            database("SET", "k", value)
            database("EMULATOR", "CLOCK", "ADVANCE", "60000")
        database.ok("restore-to-moment", timestamp=1_700_000_000 + 60)
        assert database("GET", "k") == "two"
        status, answer = database.post("restore-to-moment", timestamp=1_600_000_000)
        assert (status, "does not reach so far back" in answer["error"]) == (400, True)


def test_there_is_no_going_back_without_a_log(database):
    status, answer = database.post("restore-to-moment", timestamp=1_600_000_000)
    assert (status, "append-only file" in answer["error"]) == (400, True)


def endless():
    while True:
        yield None


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_that_is_forgotten_ends_with_an_error(begun):
    async def wait():
        work = (engine := Engine()).persistence.work
        work.begin = lambda: None  # nobody goes on with it
        if not begun:
            work.start(endless())
        task = asyncio.create_task(done(SimpleNamespace(ending=None), engine, endless()))
        await asyncio.sleep(0)
        work.step()
        engine.persistence.forget()
        async with asyncio.timeout(60):
            await task

    with pytest.raises(BadRequest, match="nterrupted"):
        asyncio.run(wait())
