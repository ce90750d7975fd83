"""What EMULATOR may do for whom: it is an administrator's command, and never a way to become somebody else."""

import pytest
import redis

import emulator
from tests.rest import Rest


@pytest.fixture
def server():
    with emulator.Server() as server:
        yield server


@pytest.fixture
def admin(server):
    return server.connect(decode_responses=True, username="default", password="")


def as_user(server, name="bob", password="pw"):
    return server.connect(decode_responses=True, username=name, password=password, max_connections=1)


def add(admin, *rules, name="bob"):
    admin.execute_command("ACL", "SETUSER", name, "on", ">pw", "~*", "&*", *rules)


WRITES = [
    ("CLOCK", "ADVANCE", "1000"),
    ("SNAPSHOT", "SAVE", "s"),
    ("SNAPSHOT", "RESTORE", "s"),
    ("KEYSPACE", "DROP", "a"),
    ("BACKUP", "RESTORE", "b"),
    ("RESET",),
    ("RESTART", "LOSE"),
]
EVERY_WORD = [
    *WRITES,
    ("KEYSPACE", "USE", "a"),
    ("FAULT", "ADD", "ERROR", "ERR no"),
    ("RECORD", "LINES"),
    ("SEED", "1"),
    ("LAG", "1"),
    ("LINK", "CUT"),
    ("PLAY", "LOADING"),
]


def test_every_word_is_tried(admin):
    known = admin.command_list(pattern="emulator|*")
    assert {name.partition("|")[2] for name in known} - {"help"} == {words[0].lower() for words in EVERY_WORD}


@pytest.mark.parametrize("words", EVERY_WORD, ids=" ".join)
@pytest.mark.parametrize("rules", [("+@all", "-@dangerous"), ("+@all", "-@admin"), ("+@all", "-@emulator")], ids=str)
def test_emulator_is_for_administrators(server, admin, rules, words):
    add(admin, *rules)
    with pytest.raises(redis.exceptions.NoPermissionError):
        as_user(server).execute_command("EMULATOR", *words)


@pytest.mark.parametrize("words", WRITES, ids=" ".join)
def test_what_changes_data_is_a_write(server, admin, words):
    add(admin, "+@all", "-@write")
    with pytest.raises(redis.exceptions.NoPermissionError):
        as_user(server).execute_command("EMULATOR", *words)


@pytest.mark.parametrize("words", EVERY_WORD, ids=" ".join)
def test_it_is_for_administrators_by_rest_too(server, admin, words):
    add(admin, "+@all", "-@dangerous")
    token = Rest(server.rest_url, server.rest_token)("ACL", "RESTTOKEN", "bob", "pw")[1]["result"]
    refused = f"NOPERM this user has no permissions to run the 'emulator|{words[0].lower()}' command or its subcommand"
    assert Rest(server.rest_url, token)("EMULATOR", *words) == (400, {"error": refused})


def test_a_user_stays_who_he_is_in_every_keyspace(server, admin):
    add(admin, "+emulator|keyspace", "+acl|whoami", "+get")
    admin.acl_setuser("default", enabled=False)
    bob = as_user(server)
    for keyspace in ("a", "", "a", "b", ""):
        assert bob.execute_command("EMULATOR", "KEYSPACE", "USE", keyspace) == "OK"
        assert bob.acl_whoami() == "bob"
        with pytest.raises(redis.exceptions.NoPermissionError):
            bob.set("k", "v")


def test_who_is_nobody_in_a_keyspace_does_not_come_in(server, admin):
    as_user(server, "keyspace.a", "x").ping()
    add(admin, "+@all", name="ann")
    ann = as_user(server, "ann")
    with pytest.raises(redis.exceptions.NoPermissionError):
        ann.execute_command("EMULATOR", "KEYSPACE", "USE", "a")
    assert ann.acl_whoami() == "ann"


def test_the_master_of_a_keyspace_is_nobody_outside(server, admin):
    admin.acl_setuser("bob", enabled=True, passwords=["+secret"], commands=["+@all"], keys=["*"])
    inside = as_user(server, "keyspace.a", "x")
    inside.execute_command("ACL", "SETUSER", "bob", "on", "resetpass", ">mine", "+@all", "~*")
    inside.execute_command("AUTH", "bob", "mine")
    with pytest.raises(redis.exceptions.NoPermissionError):
        inside.execute_command("EMULATOR", "KEYSPACE", "USE", "")


def test_a_restricted_default_user_is_restricted_in_new_keyspaces(server, admin):
    admin.execute_command("ACL", "SETUSER", "default", "-@all", "+get", "+emulator|keyspace")
    inside = as_user(server, "keyspace.a", "x")
    with pytest.raises(redis.exceptions.NoPermissionError):
        inside.flushall()


def test_a_recording_has_no_secrets(server, admin):
    admin.execute_command("EMULATOR", "RECORD", "START")
    admin.execute_command("ACL", "SETUSER", "bob", "on", ">secret", "+@all", "~*")
    admin.execute_command("AUTH", "bob", "secret")
    admin.execute_command("HELLO", "3", "AUTH", "bob", "secret")
    admin.config_set("requirepass", "secret")
    admin.config_get("requirepass")
    admin.execute_command("MIGRATE", "127.0.0.1", "1", "none", "0", "1", "AUTH2", "bob", "secret")
    calls = admin.execute_command("EMULATOR", "RECORD", "GET")
    assert len(calls) >= 6 and "secret" not in str(calls)
    assert "secret" not in str(admin.execute_command("EMULATOR", "RECORD", "LINES"))


def test_a_pause_does_not_hold_what_ends_it(server, admin):
    admin.client_pause(3_600_000, all=False)
    assert admin.execute_command("EMULATOR", "CLOCK", "ADVANCE", "3600000")
    assert admin.set("k", "v")


def test_keyspaces_that_nobody_uses_make_room_and_the_others_stay():
    with emulator.Server(emulator_max_keyspaces=3) as server:
        for name in ("full", "empty", "used"):
            with as_user(server, f"keyspace.{name}", "x") as client:
                if name == "full":
                    client.set("k", "v")
        kept = as_user(server, "keyspace.used", "x")
        kept.ping()
        admin = server.connect(decode_responses=True)
        for name in ("x", "y", "z"):
            as_user(server, f"keyspace.{name}", "x").ping()
            assert sorted(admin.execute_command("EMULATOR", "KEYSPACE", "LIST")) == sorted(["full", "used", name])
        kept.set("k", "v")
        held = as_user(server, "keyspace.z", "x")
        held.ping()
        with pytest.raises(redis.ResponseError, match="max number of keyspaces reached"):
            as_user(server, "keyspace.more", "x").ping()
