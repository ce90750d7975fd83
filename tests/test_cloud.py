"""The management API: databases are made, found, changed and deleted, and each is a Redis of its own."""

import gc
import tracemalloc
from http.client import RemoteDisconnected

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import emulator
from emulator.clock import ManualClock
from emulator.core.engine import Engine
from emulator.rest.cloud.statistics import Usage
from tests.cloud import EMAIL, KEY, NEW, SETTINGS, Management, managed
from tests.rest import Rest

pytest.importorskip("h11")


@pytest.fixture(scope="module")
def server():
    with emulator.Server(**SETTINGS) as server:
        yield server


@pytest.fixture
def cloud(server):
    with managed(server) as cloud:
        yield cloud


@pytest.fixture
def database(cloud):
    return cloud.create()


@pytest.fixture
def by_resp(server):
    clients = []

    def connect(database, **kwargs):
        kwargs = {"password": database["password"], "retry": Retry(NoBackoff(), 0)} | kwargs
        client = redis.Redis(host=database["endpoint"], port=database["port"], decode_responses=True, **kwargs)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


def get(cloud, database):
    return cloud.ok("GET", f"redis/database/{database['database_id']}")


def test_a_new_database_answers_at_once_by_rest_and_by_resp(server, database, by_resp):
    rest = Rest(server.rest_url, database["rest_token"])
    assert rest("SET", "k", "v") == (200, {"result": "OK"})
    assert by_resp(database).get("k") == "v"
    assert by_resp(database, password=database["rest_token"]).get("k") == "v"
    assert by_resp(database, username="default", protocol=3).get("k") == "v"
    assert server.connect().get("k") is None


def test_a_database_is_told_as_it_was_made(cloud, database):
    assert database["database_name"] == "MyRedis"
    assert database["primary_region"] == "us-east-1"
    assert database["all_members"] == ["us-east-1", "us-east-2"]
    assert database["user_email"] == EMAIL
    assert get(cloud, database) == database


def test_its_read_only_token_reads(server, database, by_resp):
    reading = Rest(server.rest_url, database["read_only_rest_token"])
    assert reading("GET", "k") == (200, {"result": None})
    assert reading("SET", "k", "v")[0] == 400
    client = by_resp(database, username="default_ro", password=database["read_only_rest_token"])
    assert client.get("k") is None
    with pytest.raises(redis.exceptions.NoPermissionError):
        client.set("k", "v")


def test_databases_know_nothing_of_each_other(server, cloud, by_resp):
    one, two = cloud.create(), cloud.create()
    by_resp(one).set("k", "v")
    assert by_resp(two).get("k") is None
    assert Rest(server.rest_url, two["rest_token"])("GET", "k") == (200, {"result": None})
    with pytest.raises(redis.exceptions.AuthenticationError):
        by_resp(one).execute_command("AUTH", two["password"])


@pytest.mark.parametrize(
    "command", ["SHUTDOWN", "CONFIG GET *", "DEBUG OBJECT k", "SAVE", "MIGRATE h 1 k 0 9", "REPLICAOF NO ONE"]
)
def test_a_database_does_not_reach_the_server(database, by_resp, command):
    with pytest.raises(redis.exceptions.ResponseError, match="unknown command"):
        by_resp(database).execute_command(*command.split())


def test_a_database_sees_no_other_keyspace(server, database, by_resp):
    server.connect().execute_command("EMULATOR", "KEYSPACE", "USE", "named")
    client = by_resp(database)
    assert client.execute_command("EMULATOR", "KEYSPACE", "LIST") == []
    with pytest.raises(redis.exceptions.ResponseError, match="max number of keyspaces"):
        client.execute_command("EMULATOR", "KEYSPACE", "USE", "named")
    assert server.connect().execute_command("EMULATOR", "KEYSPACE", "LIST") == [b"named"]


def test_the_secrets_are_told_to_whoever_asks_for_them(cloud, database):
    hidden = cloud.ok("GET", f"redis/database/{database['database_id']}?credentials=hide")
    assert hidden == {name: value for name, value in database.items() if "token" not in name and name != "password"}
    assert cloud.ok("GET", "redis/databases") == [hidden]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "x", "region": "global", "primary_region": "eu-west-1"},
        {"database_name": "x", "region": "eu-west-1", "tls": True, "consistent": False, "multizone": False},
        {"database_name": "x", "platform": "gcp", "primary_region": "us-central1"},
        {"database_name": "x", "primary_region": "us-east-1", "plan": "payg", "budget": 0, "eviction": True},
    ],
)
def test_every_spelling_makes_a_database(cloud, fields):
    made = cloud.ok("POST", "redis/database", fields)
    assert made["database_name"] == "x"
    assert made["eviction"] is fields.get("eviction", False)
    assert made["budget"] == fields.get("budget", 20)


def test_a_deleted_database_is_gone(server, cloud, database, by_resp):
    client = by_resp(database)
    client.set("k", "v")
    assert cloud.ok("DELETE", f"redis/database/{database['database_id']}") == "OK"
    assert cloud("GET", f"redis/database/{database['database_id']}") == (404, "database not found")
    assert Rest(server.rest_url, database["rest_token"])("GET", "k")[0] == 401
    with pytest.raises(redis.exceptions.AuthenticationError):  # rather than find itself among the server's own data
        client.get("k")


def test_a_renamed_database_is_reached_as_before(server, cloud, database):
    renamed = cloud.ok("POST", f"redis/rename/{database['database_id']}", {"name": "Another"})
    assert renamed == database | {"database_name": "Another"}
    assert Rest(server.rest_url, database["rest_token"])("PING")[0] == 200


def test_old_secrets_are_worth_nothing(server, cloud, database, by_resp):
    client = by_resp(database)
    client.set("k", "v")
    renewed = cloud.ok("POST", f"redis/reset-password/{database['database_id']}", {})
    changed = {name for name, value in renewed.items() if value != database[name]}
    assert changed == {"password", "rest_token", "read_only_rest_token"}
    for token in ("rest_token", "read_only_rest_token"):
        assert Rest(server.rest_url, database[token])("GET", "k")[0] == 401
        assert Rest(server.rest_url, renewed[token])("GET", "k") == (200, {"result": "v"})
    with pytest.raises(redis.exceptions.AuthenticationError):
        client.get("k")
    by_resp(renewed).execute_command("EMULATOR", "RESET")
    assert by_resp(renewed).get("k") is None
    with pytest.raises(redis.exceptions.AuthenticationError):  # nor does a renewal bring them back
        by_resp(renewed, password=database["password"]).get("k")


def test_what_is_switched_on_and_off(cloud, database):
    path = database["database_id"]
    for what, field in (("eviction", "eviction"), ("autoupgrade", "auto_upgrade"), ("prodpack", "prod_pack_enabled")):
        for word in ("enable", "disable"):
            assert cloud.ok("POST", f"redis/{word}-{what}/{path}") == "OK"
            assert get(cloud, database)[field] is (word == "enable")
    assert cloud.ok("POST", f"redis/enable-tls/{path}")["tls"] is True


def test_auto_upgrade_is_switched_once(cloud, database):
    path = database["database_id"]
    assert cloud("POST", f"redis/disable-autoupgrade/{path}") == (400, {"error": "auto upgrade is already disabled"})
    cloud.ok("POST", f"redis/enable-autoupgrade/{path}")
    assert cloud("POST", f"redis/enable-autoupgrade/{path}") == (400, {"error": "auto upgrade is already enabled"})


def test_keys_are_evicted_where_they_are_to_be(cloud, database, by_resp):
    policy = [line for line in by_resp(database).info("memory").items() if line[0] == "maxmemory_policy"]
    assert policy == [("maxmemory_policy", "noeviction")]
    cloud.ok("POST", f"redis/enable-eviction/{database['database_id']}")
    memory = by_resp(database).info("memory")
    assert (memory["maxmemory_policy"], memory["maxmemory"]) == ("allkeys-random", 256 << 20)
    cloud.ok("POST", f"redis/change-plan/{database['database_id']}", {"plan": "fixed_1gb"})
    assert by_resp(database).info("memory")["maxmemory"] == 1 << 30
    by_resp(database).execute_command("EMULATOR", "RESET")
    assert by_resp(database).info("memory")["maxmemory"] == 1 << 30


def test_plan_budget_regions_and_addresses(cloud, database):
    path = database["database_id"]
    assert cloud.ok("POST", f"redis/{path}/change-plan", {"plan_name": "payg", "auto_upgrade": True}) == "OK"
    assert cloud.ok("PATCH", f"redis/update-budget/{path}", {"budget": 360}) == "OK"
    assert cloud.ok("POST", f"redis/update-regions/{path}", {"read_regions": ["eu-west-1", "us-west-1"]}) == "OK"
    assert cloud.ok("POST", f"redis/update-allowlist/{path}", {"allowed_ips": ["10.0.0.0/8", "1.2.3.4"]}) == "OK"
    found = get(cloud, database)
    assert (found["type"], found["auto_upgrade"], found["budget"]) == ("payg", True, 360)
    assert found["all_members"] == ["us-east-1", "eu-west-1", "us-west-1"]
    assert found["allowed_ip_ranges"] == ["10.0.0.0/8", "1.2.3.4"]


def test_teams(cloud, database):
    team = cloud.ok("POST", "team", {"team_name": "crew", "copy_cc": False})
    assert cloud.ok("GET", "teams") == [team]
    member = {"team_id": team["team_id"], "member_email": "you@example.com", "member_role": "dev"}
    assert cloud.ok("POST", "teams/member", member) == member | {"team_name": "crew"}
    roles = {member["member_email"]: member["member_role"] for member in cloud.ok("GET", f"teams/{team['team_id']}")}
    assert roles == {EMAIL: "owner", "you@example.com": "dev"}
    assert cloud.ok("DELETE", "teams/member", member) == "OK"
    moved = {"team_id": team["team_id"], "database_id": database["database_id"]}
    assert cloud.ok("POST", "redis/move-to-team", moved) == "OK"
    assert get(cloud, database)["customer_id"] == team["team_id"]
    assert cloud("DELETE", f"team/{team['team_id']}") == (400, {"error": "the team has databases"})
    cloud.ok("DELETE", f"redis/database/{database['database_id']}")
    assert cloud.ok("DELETE", f"team/{team['team_id']}") == "OK"


def test_what_was_done_is_in_the_audit_log(cloud, database):
    cloud.ok("POST", f"redis/rename/{database['database_id']}", {"name": "Another"})
    latest = cloud.ok("GET", "auditlogs")[:2]
    assert [(entry["action_string"], entry["entity"]) for entry in latest] == [
        ("Rename Database", "MyRedis"),
        ("Create Database", "MyRedis"),
    ]
    assert latest[0]["log_id"] == latest[1]["log_id"] + 1
    status, answer, _ = cloud.request("GET", "/auditlogs", headers={"Authorization": cloud.authorization})
    assert (status, answer[:1]) == (200, b"[")


def test_an_empty_database_takes_little_memory(cloud):
    count, database = 50, cloud.create()  # what is loaded once is there
    tracemalloc.start()
    try:
        made = [cloud.create()["database_id"] for _ in range(count)]
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < count * 100_000
    for database_id in (*made, database["database_id"]):
        cloud.ok("DELETE", f"redis/database/{database_id}")


def test_there_are_as_many_databases_as_there_may_be():
    with emulator.Server(**SETTINGS, emulator_max_keyspaces=120) as server:
        cloud = Management(server.cloud_url)
        made = [cloud.create() for _ in range(120)]
        listed = [database["database_id"] for database in cloud.ok("GET", "redis/databases")]
        assert listed == [database["database_id"] for database in made]
        assert cloud("POST", "redis/database", NEW) == (400, {"error": "the limit of databases is reached"})
        cloud.ok("DELETE", f"redis/database/{made[0]['database_id']}")
        cloud.create()


def test_without_an_account_nobody_comes_in_but_by_the_key_that_is_told():
    with emulator.Server(rest_port="auto", cloud_port="auto") as server:
        told = dict(line.split("=", 1) for line in server.run(lambda _: server._server.cloud.lines))
        assert told["UPSTASH_EMULATOR_API"] == server.cloud_url
        assert "a key made for this run" in server.run(lambda _: server._server.cloud.notes)[0]
        for key in ("", KEY):
            assert Management(server.cloud_url, key, told["UPSTASH_EMAIL"])("GET", "teams") == (401, "Unauthorized")
        mine = Management(server.cloud_url, told["UPSTASH_API_KEY"], told["UPSTASH_EMAIL"])
        assert mine("GET", "teams") == (200, [])


def test_a_database_is_found_by_its_host_name():
    with emulator.Server(**SETTINGS, cloud_domain="example.test") as server:
        cloud = Management(server.cloud_url)
        one, two = cloud.create(), cloud.create()
        assert one["endpoint"].endswith(".example.test")
        rest = Rest(server.rest_url, one["rest_token"])
        assert rest("PING", Host=one["endpoint"])[0] == 200
        assert rest("PING", Host=two["endpoint"])[0] == 401
        assert rest("ACL", "SETUSER", "ann", "on", ">pw", "+@all", "~*", Host=one["endpoint"])[0] == 200
        token = rest("ACL", "RESTTOKEN", "ann", "pw")[1]["result"]
        assert Rest(server.rest_url, token)("PING", Host=one["endpoint"])[0] == 200
        assert Rest(server.rest_url, token)("PING", Host=two["endpoint"])[0] == 401


def test_statistics_count_what_was_asked(server, cloud, database):
    rest = Rest(server.rest_url, database["rest_token"])
    rest([["SET", "k", "v"], ["GET", "k"], ["GET", "none"], ["HSET", "h", "f", "v"]])
    found = cloud.ok("GET", f"redis/stats/{database['database_id']}")
    assert (found["daily_net_commands"], found["daily_read_requests"], found["daily_write_requests"]) == (4, 2, 2)
    assert found["keyspace"][-1]["y"] == 2
    assert found["current_storage"] > 0
    calls = {each["metric_identifier"]: each["data_points"][-1]["y"] for each in found["command_counts"]}
    assert calls == {"SET": 1, "GET": 2, "HSET": 1}


def test_a_rate_is_the_mean_since_the_sample_before():
    clock = ManualClock()
    with emulator.Server(clock=clock, **SETTINGS) as server:
        cloud = Management(server.cloud_url)
        made = cloud.create()
        rest = Rest(server.rest_url, made["rest_token"])
        rest([["GET", "k"]] * 30)
        path = f"redis/stats/{made['database_id']}"
        turned = rest("EMULATOR", "CLOCK", "ADVANCE", "60000")
        assert turned[0] == 200
        found = cloud.ok("GET", path)
        assert [point["y"] for point in found["throughput"]] == [0, 31 / 60]
        assert [point["y"] for point in found["read"]] == [0, 0.5]


def test_the_samples_of_a_database_are_only_so_many():
    clock = ManualClock()
    usage = Usage(engine := Engine(clock=clock))
    first = usage.samples[0].second
    for _ in range(2000):
        engine.stats.commands_processed += 1
        clock.advance(60)
        usage.take_if_used()
    seconds = [sample.second for sample in usage.samples]
    assert len(seconds) <= 360
    assert seconds == sorted(seconds)
    assert (seconds[0], seconds[-1] - seconds[-100]) == (first, 99 * 60)
    assert usage.since(seconds[-1] - 3600)[0].second == seconds[-1] - 3660


def start(cloud, **headers):
    return cloud.request("POST", "/start-redis", headers=headers)


def test_a_database_without_an_account_lives_for_three_days():
    with emulator.Server(**SETTINGS) as server:
        cloud = Management(server.cloud_url)
        status, page, headers = start(cloud, **{"Idempotency-Key": "one"})
        assert (status, headers["content-type"]) == (200, "text/markdown; charset=utf-8")
        assert start(cloud, **{"Idempotency-Key": "one"})[1] == page
        assert start(cloud, **{"Idempotency-Key": "two"})[1] != page
        assert start(cloud)[1] != start(cloud)[1]
        listed = cloud.ok("GET", "redis/databases")[0]
        assert start(cloud, **{"Idempotency-Key": listed["database_id"]})[1] == page
        lines = dict(line.strip().split("=", 1) for line in page.decode().splitlines() if "UPSTASH_REDIS" in line)
        rest = Rest(lines["UPSTASH_REDIS_REST_URL"], lines["UPSTASH_REDIS_REST_TOKEN"])
        assert rest("EMULATOR", "CLOCK", "ADVANCE", str((72 * 3600 - 60) * 1000))[0] == 200
        assert rest("PING")[0] == 200
        with pytest.raises(RemoteDisconnected):
            rest("EMULATOR", "CLOCK", "ADVANCE", "60000")
        assert rest("PING")[0] == 401
        assert listed not in cloud.ok("GET", "redis/databases")


def test_only_so_many_come_without_an_account():
    with emulator.Server(**SETTINGS) as server:
        cloud = Management(server.cloud_url)
        statuses = [start(cloud, **{"Idempotency-Key": str(number)})[0] for number in range(101)]
        assert statuses == [200] * 100 + [429]
        assert start(cloud)[0] == 429
        assert start(cloud, Origin="http://evil.example")[0] == 403


def test_its_connections_count_as_clients():
    with emulator.Server(**SETTINGS, maxclients=2) as server:
        cloud = Management(server.cloud_url)
        with cloud.raw() as one, cloud.raw() as two:
            for connection in (one, two):
                connection.sendall(b"GET /v2/teams HTTP/1.1\r\nHost: x\r\n\r\n")
                assert connection.recv(1000).startswith(b"HTTP/1.1 401")
            assert cloud("GET", "teams")[0] == 503
            assert server.run(lambda engine: engine.stats.rejected_connections) == 1
