"""``cloud-dir``: the databases of the management API outlive the server, with their data and what is known of them."""

import json
import os
import socket

import pytest

import emulator
from tests.cloud import SETTINGS, Management
from tests.rest import Rest

pytest.importorskip("h11")


@pytest.fixture
def serve(tmp_path):
    return lambda **settings: emulator.Server(**SETTINGS, cloud_dir=tmp_path / "cloud", **settings)


def end(server):
    """What SIGTERM does: data are saved."""
    assert server.run(lambda engine: engine.request_shutdown())


def files(path):
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_everything_is_as_it_was(serve):
    with serve() as server:
        cloud = Management(server.cloud_url)
        one, two = cloud.create(database_name="one"), cloud.create(database_name="two", eviction=True)
        team = cloud.ok("POST", "team", {"team_name": "crew"})
        cloud.ok("POST", "redis/move-to-team", {"team_id": team["team_id"], "database_id": two["database_id"]})
        for database in (one, two):
            Rest(server.rest_url, database["rest_token"])("SET", "name", database["database_name"])
        renewed = cloud.ok("POST", f"redis/reset-password/{one['database_id']}")
        before = [cloud.ok("GET", f"redis/database/{made['database_id']}") for made in (one, two)]
        log = cloud.ok("GET", "auditlogs")
        end(server)
    with serve() as server:
        cloud = Management(server.cloud_url)
        for database in before:
            found = cloud.ok("GET", f"redis/database/{database['database_id']}")
            assert found | {"port": 0} == database | {"port": 0}
            rest = Rest(server.rest_url, database["rest_token"])
            assert rest("GET", "name") == (200, {"result": database["database_name"]})
        assert Rest(server.rest_url, one["rest_token"])("PING")[0] == 401
        assert renewed["rest_token"] == before[0]["rest_token"]
        assert cloud.ok("GET", "teams") == [team]
        assert cloud.ok("GET", "auditlogs") == log


def test_a_change_is_kept_before_it_is_answered(serve, tmp_path):
    with serve() as server:
        cloud = Management(server.cloud_url)
        made = cloud.create()
        path = tmp_path / "cloud" / made["database_id"]
        assert json.loads((path / "database.json").read_text())["rest_token"] == made["rest_token"]
        cloud.ok("POST", f"redis/rename/{made['database_id']}", {"name": "another"})
        assert json.loads((path / "database.json").read_text())["database_name"] == "another"
        if os.name == "posix":
            assert (path / "database.json").stat().st_mode & 0o077 == 0
        cloud.ok("DELETE", f"redis/database/{made['database_id']}")
        assert files(tmp_path / "cloud") == ["account.json"]


def test_a_file_that_was_being_written_when_the_process_died_is_none(serve, tmp_path):
    with serve() as server:
        made = Management(server.cloud_url).create()
    (tmp_path / "cloud" / made["database_id"] / "database.temp").write_text('{"database_')
    with serve() as server:
        assert (
            Management(server.cloud_url).ok("GET", f"redis/database/{made['database_id']}")["database_name"]
            == "MyRedis"
        )


@pytest.mark.parametrize("name", ["database.json", "dump.rdb"])
def test_a_server_does_not_start_over_what_is_damaged(serve, tmp_path, name):
    with serve() as server:
        made = Management(server.cloud_url).create()
        end(server)
    path = tmp_path / "cloud" / made["database_id"] / name
    damaged = path.read_bytes()[:-9]
    path.write_bytes(damaged)
    with pytest.raises(OSError, match="cloud-dir"), serve():
        pass
    assert path.read_bytes() == damaged


def test_the_append_only_file_keeps_each_change(serve):
    with serve(appendonly=True, appendfsync="always") as server:
        made = Management(server.cloud_url).create()
        Rest(server.rest_url, made["rest_token"])("SET", "k", "v")
    with serve(appendonly=True) as server:
        assert Rest(server.rest_url, made["rest_token"])("GET", "k") == (200, {"result": "v"})


def test_a_database_without_an_account_ends_after_a_restart_too(serve, tmp_path):
    with serve() as server:
        cloud = Management(server.cloud_url)
        cloud.request("POST", "/start-redis", headers={"Idempotency-Key": "one"})
        (made,) = cloud.ok("GET", "redis/databases")
        told = cloud.ok("GET", f"redis/database/{made['database_id']}")
        Rest(server.rest_url, told["rest_token"])("SET", "k", "v")
        end(server)
    path = tmp_path / "cloud" / made["database_id"] / "database.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"expires": 1}))
    with serve() as server:
        cloud = Management(server.cloud_url)
        assert cloud.ok("GET", "redis/databases") == []
        cloud.ok("POST", "team", {"team_name": "crew"})
        assert files(tmp_path / "cloud") == ["account.json"]


def test_a_server_does_not_start_where_it_would_have_to_leave_databases_out(serve):
    with serve() as server:
        for _ in range(2):
            Management(server.cloud_url).create()
    with pytest.raises(OSError, match="limit of databases"), serve(emulator_max_keyspaces=1):
        pass


def test_a_folder_that_cannot_be_had(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OSError, match=r"Management API: .*file"),
        emulator.Server(cloud_dir=tmp_path / "file", **SETTINGS),
    ):
        pass


@pytest.mark.parametrize(
    ("setting", "words"), [("cloud_account", "nobody"), ("cloud_account", "me:"), ("cloud_regions", "eu-west-1")]
)
def test_settings_that_are_not_as_they_should_be(setting, words):
    name = setting.replace("_", "-")
    with pytest.raises(OSError, match=f"Management API: {name}"), emulator.Server(**SETTINGS | {setting: words}):
        pass


@pytest.mark.parametrize("setting", ["cloud_port", "cloud_proxy", "cloud_regions"])
def test_a_port_that_somebody_has(setting):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = SETTINGS | {setting: f"eu-west-1:{port}" if setting == "cloud_regions" else port}
        with pytest.raises(OSError, match=r"Management API: .*in use"), emulator.Server(**settings):
            pass
