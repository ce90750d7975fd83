"""The service's own command line, unmodified: it finds the emulator by the environment that is told at the start."""

import json

import pytest

import emulator
from tests import node
from tests.cloud import SETTINGS

pytest.importorskip("h11")

CLI = "@upstash/cli/dist/cli.js"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("cli"), "@upstash/cli@1.0.2")


@pytest.fixture(scope="module")
def upstash(folder):
    """``upstash("redis", "list")``: what the program prints, as JSON; it is to succeed."""
    with emulator.Server(**SETTINGS) as server:
        lines = dict(line.split("=", 1) for line in server.run(lambda _: server._server.cloud.lines))
        environ = lines | {"UPSTASH_CONFIG_HOME": str(folder / "config")}

        def call(*words, fails=False):
            status, out, err = node.call(folder, CLI, *words, environ=environ)
            assert status == int(fails), err
            return json.loads(err if fails else out)

        call.rest_url = server.rest_url
        yield call


def redis(upstash, verb, database, *words):
    return upstash("redis", *verb.split(), "--db-id", database["database_id"], *words)


def execute(upstash, database, *words):
    """What a command is answered."""
    options = ("--db-url", upstash.rest_url, "--db-token", database["rest_token"])
    return upstash("redis", "exec", *options, *words)["result"]


def test_a_database_by_the_command_line(upstash):
    made = upstash("redis", "create", "--name", "mine", "--region", "us-east-1", "--read-regions", "us-east-2")
    assert made["read_regions"] == ["us-east-2"]
    assert [found["database_name"] for found in upstash("redis", "list")] == ["mine"]
    assert redis(upstash, "get", made)["rest_token"] == made["rest_token"]
    assert execute(upstash, made, "SET", "k", "v") == "OK"
    assert execute(upstash, made, "--json", '["GET","k"]') == "v"
    assert redis(upstash, "rename", made, "--name", "ours")["database_name"] == "ours"
    assert upstash("team", "list") == []
    assert redis(upstash, "stats", made)["daily_net_commands"] == 2
    redis(upstash, "backup create", made, "--name", "before")
    (backup,) = redis(upstash, "backup list", made)
    execute(upstash, made, "SET", "k", "broken")
    redis(upstash, "backup restore", made, "--backup-id", backup["backup_id"])
    assert execute(upstash, made, "GET", "k") == "v"
    redis(upstash, "backup delete", made, "--backup-id", backup["backup_id"])
    redis(upstash, "change-plan", made, "--plan", "payg")
    redis(upstash, "update-budget", made, "--budget", "500")
    redis(upstash, "update-regions", made, "--read-regions", "eu-west-1", "us-west-1")
    found = redis(upstash, "get", made)
    assert (found["type"], found["budget"], found["read_regions"]) == ("payg", 500, ["eu-west-1", "us-west-1"])
    redis(upstash, "delete", made)
    assert upstash("redis", "get", "--db-id", made["database_id"], fails=True) == {"error": '"database not found"'}


def test_what_else_the_command_line_does(upstash):
    made = upstash("redis", "create", "--name", "other", "--region", "us-east-1")
    for verbs, expected in [
        (("enable-tls", "enable-eviction", "enable-autoupgrade", "backup enable-daily"), True),
        (("disable-eviction", "disable-autoupgrade", "backup disable-daily"), False),
    ]:
        for verb in verbs:
            redis(upstash, verb, made)
        found = redis(upstash, "get", made)
        assert [found[name] for name in ("eviction", "auto_upgrade", "daily_backup_enabled")] == [expected] * 3
    assert found["tls"] is True
    renewed = redis(upstash, "reset-password", made)
    assert renewed["password"] != made["password"]
    assert execute(upstash, renewed, "PING") == "PONG"


def test_teams_by_the_command_line(upstash):
    made = upstash("redis", "create", "--name", "moved", "--region", "us-east-1")
    team = ("--team-id", upstash("team", "create", "--name", "crew")["team_id"])
    upstash("team", "add-member", *team, "--member-email", "you@example.com", "--role", "dev")
    members = upstash("team", "members", *team)
    assert ("you@example.com", "dev") in {(member["member_email"], member["member_role"]) for member in members}
    upstash("team", "remove-member", *team, "--member-email", "you@example.com")
    assert len(upstash("team", "members", *team)) == len(members) - 1
    redis(upstash, "move-to-team", made, *team)
    redis(upstash, "delete", made)
    upstash("team", "delete", *team)
    assert upstash("team", "list") == []
