"""Every endpoint of the management API: the fields that it wants, and its answers to mistakes and to strangers."""

import uuid
from datetime import datetime

import pytest

import emulator
from emulator.rest.cloud.endpoints import ENDPOINTS
from tests.cloud import EMAIL, KEY, NEW, READING, SETTINGS, Management

pytest.importorskip("h11")

DATABASE, TEAM, BACKUP = "{database}", "{team}", "{backup}"
READ = [
    "GET redis/databases",
    f"GET redis/database/{DATABASE}",
    f"GET redis/stats/{DATABASE}",
    f"GET redis/list-backup/{DATABASE}",
    "GET teams",
    f"GET teams/{TEAM}",
    "GET auditlogs",
]
MEMBER = {"team_id": TEAM, "member_email": "you@example.com", "member_role": "dev"}
WRITE = {
    "POST redis/database": NEW,
    f"POST redis/rename/{DATABASE}": {"name": "x"},
    f"POST redis/reset-password/{DATABASE}": {},
    f"POST redis/enable-tls/{DATABASE}": {},
    f"POST redis/enable-eviction/{DATABASE}": {},
    f"POST redis/disable-eviction/{DATABASE}": {},
    f"POST redis/enable-autoupgrade/{DATABASE}": {},
    f"POST redis/disable-autoupgrade/{DATABASE}": {},
    f"POST redis/enable-prodpack/{DATABASE}": {},
    f"POST redis/disable-prodpack/{DATABASE}": {},
    f"POST redis/{DATABASE}/change-plan": {"plan_name": "payg"},
    f"POST redis/change-plan/{DATABASE}": {"plan": "payg"},
    f"PATCH redis/update-budget/{DATABASE}": {"budget": 360},
    f"POST redis/update-regions/{DATABASE}": {"read_regions": ["us-east-2"]},
    f"POST redis/update-allowlist/{DATABASE}": {"allowed_ips": ["10.0.0.0/8"]},
    f"POST redis/create-backup/{DATABASE}": {"name": "first"},
    f"POST redis/restore-backup/{DATABASE}": {"backup_id": BACKUP},
    f"POST redis/restore-to-moment/{DATABASE}": {"timestamp": 1},
    f"PATCH redis/enable-dailybackup/{DATABASE}": {},
    f"PATCH redis/disable-dailybackup/{DATABASE}": {},
    f"POST redis/enable-dailybackup/{DATABASE}": {},
    f"POST redis/disable-dailybackup/{DATABASE}": {},
    f"DELETE redis/delete-backup/{DATABASE}/{BACKUP}": {},
    "POST redis/move-to-team": {"team_id": TEAM, "database_id": DATABASE},
    "POST team": {"team_name": "crew", "copy_cc": True},
    "POST teams/member": MEMBER,
    "DELETE teams/member": {"team_id": TEAM, "member_email": "you@example.com"},
    f"DELETE team/{TEAM}": {},
    f"DELETE redis/database/{DATABASE}": {},
}
"""The endpoints that change something, with bodies that they take."""
OPTIONAL = {"platform", "read_regions", "copy_cc"}
ALL = [*READ, *WRITE]
DATABASE_FIELDS = (
    "database_id database_name region port creation_time state endpoint tls type budget primary_region read_regions "
    "primary_members all_members eviction auto_upgrade consistent modifying_state replicas customer_id user_email "
    "daily_backup_enabled prod_pack_enabled prometheus_enabled last_plan_upgrade_time securityAddons db_max_clients "
    "db_max_request_size db_disk_threshold db_max_entry_size db_memory_threshold db_max_commands_per_second "
    "db_request_limit db_resource_size db_type db_conn_idle_timeout db_lua_timeout db_lua_credits_per_min "
    "db_store_max_idle db_max_loads_per_sec db_acl_enabled db_acl_default_user_status db_eviction password rest_token "
    "read_only_rest_token multizone database_type allowed_ip_ranges"
).split()
SERIES = (
    "connection_count keyspace throughput diskusage latencymean latency_99 read_latency_mean read_latency_99 "
    "write_latency_mean write_latency_99 hits misses read write dailyrequests dailybilling bandwidths"
).split()
NUMBERS = (
    "daily_net_commands daily_read_requests daily_write_requests dailybandwidth total_monthly_bandwidth "
    "total_monthly_requests total_monthly_read_requests total_monthly_write_requests total_monthly_script_requests "
    "total_monthly_storage current_storage total_monthly_billing"
).split()


@pytest.fixture(scope="module")
def server():
    with emulator.Server(**SETTINGS) as server:
        yield server


@pytest.fixture(scope="module")
def cloud(server):
    return Management(server.cloud_url)


@pytest.fixture(scope="module")
def names(cloud):
    """A database with a backup and a team, which no request here changes."""
    team = cloud.ok("POST", "team", {"team_name": "crew", "copy_cc": False})
    database = cloud.create()["database_id"]
    cloud.ok("POST", f"redis/create-backup/{database}", {"name": "first"})
    (backup,) = cloud.ok("GET", f"redis/list-backup/{database}")
    return {DATABASE: database, TEAM: team["team_id"], BACKUP: backup["backup_id"]}


def filled(value, names):
    """A path or a body with the ids in it."""
    if isinstance(value, dict):
        return {name: filled(inner, names) for name, inner in value.items()}
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(name, text)
    return value


def state(cloud):
    return [cloud.ok("GET", path) for path in ("redis/databases", "teams", "auditlogs")]


@pytest.mark.parametrize("place", ALL)
@pytest.mark.parametrize("who", [(KEY + "x", EMAIL), ("", EMAIL), (KEY, "other@example.com"), (READING, "")])
def test_a_wrong_account_learns_nothing(server, names, place, who):
    method, path = filled(place, names).split()
    stranger = Management(server.cloud_url, *who)
    assert stranger(method, path, WRITE.get(place)) == (401, "Unauthorized")
    assert stranger(method, path, b"{") == (401, "Unauthorized")


@pytest.mark.parametrize("authorization", ["", "Basic", "Basic !", "Basic bm9jb2xvbg==", f"Bearer {KEY}"])
def test_what_is_no_account_is_a_wrong_one(cloud, authorization):
    status, _, headers = cloud.request("GET", "/v2/teams", headers={"Authorization": authorization})
    assert status == 401
    assert headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("place", WRITE)
def test_a_read_only_key_changes_nothing(server, cloud, names, place):
    method, path = filled(place, names).split()
    before = state(cloud)
    status, answer = Management(server.cloud_url, READING)(method, path, filled(WRITE[place], names))
    assert (status, answer["error"].partition(":")[0]) == (403, "Readonly API key")
    assert state(cloud) == before


@pytest.mark.parametrize("place", READ)
def test_a_read_only_key_reads(server, names, place):
    assert Management(server.cloud_url, READING)(*filled(place, names).split())[0] == 200


def test_what_a_client_asks_to_find_out_whether_its_key_only_reads(server, cloud):
    asked = "DELETE", "redis/database/readonly-check-nonexistent"
    assert "Readonly API key" in Management(server.cloud_url, READING)(*asked)[1]["error"]
    assert cloud(*asked) == (404, "database not found")


@pytest.mark.parametrize("place", [place for place in ALL if "{" in place])
def test_an_unknown_id(cloud, place):
    what = "team" if TEAM in place else "database"
    method, path = filled(place, {DATABASE: str(uuid.uuid4()), TEAM: "none", BACKUP: "none"}).split()
    assert cloud(method, path, WRITE.get(place)) == (404, f"{what} not found")


@pytest.mark.parametrize(
    ("place", "name", "what"),
    [
        (f"POST redis/restore-backup/{DATABASE}", "backup_id", "backup"),
        ("POST redis/move-to-team", "team_id", "team"),
        ("POST redis/move-to-team", "database_id", "database"),
        ("POST teams/member", "team_id", "team"),
        ("DELETE teams/member", "team_id", "team"),
        ("DELETE teams/member", "member_email", "member"),
    ],
)
def test_an_unknown_id_in_the_body(cloud, names, place, name, what):
    method, path = filled(place, names).split()
    before = state(cloud)
    assert cloud(method, path, filled(WRITE[place], names) | {name: str(uuid.uuid4())}) == (404, f"{what} not found")
    assert state(cloud) == before


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 401),
        ("POST", {"Origin": "http://evil.example"}, 403),
        ("POST", {"Idempotency-Key": "x" * 257}, 400),
        ("POST", {"Idempotency-Key": ""}, 200),
    ],
)
def test_who_starts_a_database_without_an_account(cloud, names, method, headers, status):
    before = cloud.ok("GET", "redis/databases")
    assert cloud.request(method, "/start-redis", headers=headers)[0] == status
    assert len(cloud.ok("GET", "redis/databases")) - len(before) == (status == 200)


def test_every_endpoint_is_here(server):
    found = {f"{endpoint.method} {'/'.join(endpoint.path)}": bool(endpoint.action) for endpoint in ENDPOINTS}
    assert found == dict.fromkeys(READ, False) | dict.fromkeys(WRITE, True)


WANTED = [(place, name) for place, body in WRITE.items() for name in body if name not in OPTIONAL]


@pytest.mark.parametrize(("place", "name"), WANTED)
def test_a_field_that_is_missing_or_of_another_kind(cloud, names, place, name):
    method, path = filled(place, names).split()
    body = filled(WRITE[place], names)
    before = state(cloud)
    for wrong in ({}, {name: None}, {name: {"a": 1}}, {name: ""}, {name: -1}, {name: ["", 1]}, {name: "x" * 257}):
        given = {key: value for key, value in body.items() if key != name} | wrong
        status, answer = cloud(method, path, given)
        assert (status, list(answer)) == (400, ["error"]), given
        assert wrong or answer["error"].endswith("is required")
    assert state(cloud) == before


@pytest.mark.parametrize("place", [place for place, body in WRITE.items() if body or "DELETE" not in place])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 406),
        (b"\xff", 406),
        (b"[" * 5000, 406),
        (b"[]x", 406),
        (b"[1]", 400),
        (b'"text"', 400),
        (b"1", 400),
    ],
)
def test_a_malformed_body(cloud, names, place, body, status):
    method, path = filled(place, names).split()
    before = state(cloud)
    found, answer = cloud(method, path, body)
    assert (found, list(answer)) == (status, ["error"])
    assert state(cloud) == before


@pytest.mark.parametrize("body", [None, b"", b" ", b"null", b"{}"])
def test_what_stands_for_no_fields(cloud, names, body):
    assert cloud.ok("POST", filled(f"redis/enable-eviction/{DATABASE}", names), body) == "OK"


@pytest.mark.parametrize(
    "fields",
    [
        {"primary_region": "mars-1"},
        {"read_regions": ["mars-1"]},
        {"read_regions": ["us-east-1"]},
        {"read_regions": ["us-east-2", "us-east-2"]},
        {"read_regions": ["us-central1"]},
        {"platform": "gcp"},
        {"platform": "azure"},
        {"plan": "gold"},
        {"budget": 1.5},
        {"budget": True},
        {"eviction": "yes"},
    ],
)
def test_a_database_that_cannot_be(cloud, names, fields):
    before = state(cloud)
    status, answer = cloud("POST", "redis/database", NEW | fields)
    assert (status, list(answer)) == (400, ["error"])
    assert state(cloud) == before


@pytest.mark.parametrize("addresses", [["nowhere"], ["10.0.0.0/33"]])
def test_addresses_that_are_none(cloud, names, addresses):
    path = filled(f"redis/update-allowlist/{DATABASE}", names)
    assert cloud("POST", path, {"allowed_ips": addresses})[0] == 400


def test_an_unknown_backup(cloud, names):
    path = filled(f"redis/delete-backup/{DATABASE}/none", names)
    assert cloud("DELETE", path) == (404, "backup not found")


@pytest.mark.parametrize("place", ALL)
def test_another_method(cloud, names, place):
    _, path = filled(place, names).split()
    assert cloud("PUT", path)[0] == 405


@pytest.mark.parametrize("path", ["", "redis", "nothing", "redis/database", "redis/rename", "redis/stats/a/b"])
def test_another_path(cloud, path):
    assert cloud("GET", path) in ((404, "not found"), (405, {"error": "method not allowed: POST is"}))


def test_a_large_body_is_not_taken_in(server):
    for who in (KEY, "wrong"):
        status, _ = Management(server.cloud_url, who)("POST", "team", b" " * (64 * 1024 + 1))
        assert status == 413


def test_a_page_of_another_origin_may_not_ask(cloud):
    for method in ("OPTIONS", "GET"):
        _, _, headers = cloud.request(method, "/v2/teams", headers={"Origin": "http://evil.example"})
        assert not [name for name in headers if name.startswith("access-control")]


def test_what_a_database_has(cloud, names):
    found = cloud.ok("GET", filled(f"redis/database/{DATABASE}", names))
    assert [name for name in DATABASE_FIELDS if name not in found] == []
    assert uuid.UUID(found["database_id"])


def test_what_the_statistics_have(cloud, names):
    found = cloud.ok("GET", filled(f"redis/stats/{DATABASE}?period=3h", names))
    assert all(isinstance(found[name], int | float) for name in NUMBERS)
    for name in SERIES:
        for point in found[name]:
            datetime.strptime(point["x"], "%Y-%m-%d %H:%M:%S +0000 UTC")
            assert isinstance(point["y"], int | float)
    assert min(len(found[name]) for name in ("keyspace", "throughput", "diskusage", "read_latency_mean")) >= 2
    assert cloud("GET", filled(f"redis/stats/{DATABASE}?period=1y", names))[0] == 400
