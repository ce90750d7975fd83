"""A global database: a read region lags behind, and the sync token of an earlier answer mends it."""

import json

import pytest
from upstash_redis import Redis

import emulator
from conformance.servers import free_port
from emulator.clock import ManualClock
from emulator.config.directives import Config
from emulator.core.engine import Engine
from emulator.persistence.work import run_through
from emulator.rest.cloud.regions import ReadRegion
from tests.cloud import SETTINGS, managed
from tests.conftest import Client
from tests.rest import Rest

pytest.importorskip("h11")

LAG = 1000


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def server(port):
    settings = SETTINGS | {"cloud_lag": LAG, "cloud_regions": f"eu-west-1:{port}"}
    with emulator.Server(clock=ManualClock(), emulator_max_keyspaces=6, **settings) as server:
        yield server


@pytest.fixture
def cloud(server):
    with managed(server) as cloud:
        yield cloud


@pytest.fixture
def database(cloud):
    return cloud.create(read_regions=["us-east-2", "eu-west-1"])


class Region(Rest):
    """Requests that come to a region; `known` is the sync token of the latest answer, or one that is to be sent."""

    def __init__(self, url, database, region=""):
        super().__init__(url, database["rest_token"])
        self.region, self.known = region, ""

    def __call__(self, *words, known=""):
        headers = {"Upstash-Sync-Token": known} | ({"Emulator-Region": self.region} if self.region else {})
        status, body, headers = self.request("POST", "/", json.dumps(words), headers)
        self.known = headers.get("upstash-sync-token", "")
        return json.loads(body).get("result", status)

    def wait(self, milliseconds):
        self("EMULATOR", "CLOCK", "ADVANCE", str(milliseconds))


@pytest.fixture
def primary(server, database):
    return Region(server.rest_url, database)


@pytest.fixture
def far(server, database):
    return Region(server.rest_url, database, "us-east-2")


def test_a_read_is_stale_until_the_change_has_come(primary, far):
    primary("SET", "k", "v")
    assert far("GET", "k") is None
    primary.wait(LAG - 1)
    assert far("GET", "k") is None
    primary.wait(1)
    assert far("GET", "k") == "v"


def test_the_sync_token_mends_a_stale_read(primary, far):
    primary("SET", "k", "v")
    assert far("GET", "k") is None
    assert far("GET", "k", known=primary.known) == "v"
    assert far("GET", "k") == "v"


def test_a_token_asks_for_no_more_than_its_answer_knew(primary, far):
    primary("SET", "k", "old")
    known = primary.known
    primary("SET", "k", "new")
    assert far("GET", "k", known=known) == "old"


def test_whoever_keeps_the_latest_token_reads_what_it_wrote(primary, far):
    """As the SDKs do: an answer that knows less does not take away what an earlier one gave."""
    primary("SET", "k", "v")
    token = primary.known
    for _ in range(2):
        assert far("GET", "k", known=token) == "v"
        token = far.known


def test_a_write_in_a_read_region_is_done_in_the_primary(primary, far):
    assert far("SET", "k", "v") == "OK"
    assert primary("GET", "k") == "v"
    assert far("GET", "k") is None
    assert far("GET", "k", known=primary.known) == "v"
    assert far("INCR", "k") == 400


@pytest.mark.parametrize("token", ["", "garbage", "zt", "zt" + "v" * 5000, "é"])
def test_a_token_of_nobody_is_taken(primary, far, token):
    primary("SET", "k", "v")
    headers = {"Upstash-Sync-Token": token.encode(), "Emulator-Region": "us-east-2"}
    status, body, answered = far.request("POST", "/", '["GET","k"]', headers)
    assert (status, json.loads(body)["result"]) in ((200, None), (200, "v"))
    assert answered["upstash-sync-token"].startswith("zt")


def test_pipelines_and_transactions(primary, far):
    primary("SET", "k", "v")
    stale = {"Emulator-Region": "us-east-2"}
    for path in ("/pipeline", "/multi-exec"):
        assert far.post(path, '[["GET","k"],["EXISTS","k"]]', stale)[1] == [{"result": None}, {"result": 0}]
    assert far.post("/pipeline", '[["GET","k"],["INCR","n"]]', stale)[1] == [{"result": "v"}, {"result": 1}]


def test_what_expires_in_one_region_does_in_all(primary, far):
    primary("SET", "k", "v", "PX", 5000)
    primary.wait(LAG)
    assert far("PTTL", "k") == 5000 - LAG
    primary.wait(5000 - LAG)
    assert far("GET", "k") is None


def test_a_trimmed_stream_is_trimmed_in_all_regions(primary, far):
    for number in range(1, 301):
        primary("XADD", "s", "MAXLEN", "~", "100", "LIMIT", "200", f"{number}-1", "f", "v")
    primary.wait(LAG)
    assert far("XLEN", "s") == primary("XLEN", "s") < 300


def test_a_region_by_its_port(server, port, database, primary):
    there = Region(f"http://127.0.0.1:{port}", database)
    primary("SET", "k", "v")
    assert there("GET", "k") is None
    assert there("GET", "k", known=primary.known) == "v"


def test_the_sdk_reads_what_it_wrote(port, database):
    far = {"url": f"http://127.0.0.1:{port}", "token": database["rest_token"], "allow_telemetry": False}
    writer = Redis(**far)
    writer.set("k", "v")
    assert Redis(**far).get("k") is None
    assert writer.get("k") == "v"


def test_another_region_is_the_primary(server, database, primary):
    primary("SET", "k", "v")
    assert Region(server.rest_url, database, "sa-east-1")("GET", "k") == "v"


def test_a_new_region_begins_with_the_data(server, cloud, database, primary):
    primary("SET", "k", "v")
    path = f"redis/update-regions/{database['database_id']}"
    cloud.ok("POST", path, {"read_regions": ["us-west-1"]})
    new = Region(server.rest_url, database, "us-west-1")
    assert new("GET", "k") == "v"
    primary("SET", "k", "w")
    assert new("GET", "k") == "v"
    assert Region(server.rest_url, database, "us-east-2")("GET", "k") == "w"


def test_many_changes_come_in_slices(primary, far):
    primary.post("/pipeline", json.dumps([["INCR", "n"]] * 1500))
    assert far("GET", "n") is None
    primary("SET", "k", "v")
    assert far("GET", "n", known=primary.known) == "1500"
    primary.post("/pipeline", json.dumps([["INCR", "n"]] * 1500))
    primary.wait(LAG)
    assert far("GET", "n") == "3000"


def test_what_changes_while_a_region_is_made_comes_to_it_too():
    primary = Client(Engine(Config(), ManualClock()))
    for number in range(300):
        primary.play(f"RPUSH l:{number} a b")
    region = ReadRegion(primary.engine, Engine(Config(), ManualClock()), LAG)
    there = Client(region.engine)
    job = region.copied()
    for number in range(0, 300, 2):
        next(job)
        primary.play(f"RPUSH l:{number} c")
        primary.play(f"DEL l:{299 - number}")
    run_through(job)
    run_through(region.loaded())
    region.begin()
    assert there.play("LRANGE l:0 0 -1") == b"*2\r\n$1\r\na\r\n$1\r\nb\r\n"
    primary.engine.timers.turn_clock(primary.engine.clock.now + LAG)
    digests = {client.play("DEBUG DIGEST") for client in (primary, there)}
    assert len(digests) == 1
    assert there.play("DBSIZE") == b":150\r\n"
    region.end()
    assert not primary.engine.propagation.active


def test_there_are_as_many_copies_as_there_may_be(server, cloud, database):
    path = f"redis/update-regions/{database['database_id']}"
    many = ["us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "sa-east-1"]
    assert cloud("POST", path, {"read_regions": many}) == (400, {"error": "the limit of databases is reached"})
    assert cloud.ok("GET", f"redis/database/{database['database_id']}")["read_regions"] == ["us-east-2", "eu-west-1"]
    cloud.ok("POST", path, {"read_regions": many[:5]})


def test_old_tokens_open_no_region(server, cloud, database, primary, far):
    renewed = cloud.ok("POST", f"redis/reset-password/{database['database_id']}")
    assert far("GET", "k") == 401
    assert Region(server.rest_url, renewed, "us-east-2")("GET", "k") is None
    status, answer = Rest(server.rest_url, renewed["read_only_rest_token"])(
        "SET", "k", "v", Emulator_Region="us-east-2"
    )
    assert (status, answer["error"].split()[0]) == (400, "NOPERM")
