"""Who may do what by REST: tokens of databases, read-only ones, those of users; databases that know nothing of each other."""

import asyncio
import base64
from contextlib import nullcontext

import pytest
import redis

import emulator
from tests.rest import TOKEN, WAYS, Rest, gateway

pytest.importorskip("h11")

UNAUTHORIZED = 401


@pytest.fixture(scope="module")
def server():
    settings = {
        "rest_port": "auto",
        "rest_token": TOKEN,
        "rest_readonly_token": "ro",
        "rest_database": "east:te:re west:tw",
    }
    with emulator.Server(**settings) as server:
        yield server


@pytest.fixture
def open_with(server):
    server.connect().flushall()
    return lambda token: Rest(server.rest_url, token)


@pytest.mark.parametrize(
    "command", [["GET", "k"], ["HGETALL", "h"], ["LRANGE", "l", 0, -1], ["PING"], ["ECHO", "x"], ["TTL", "k"]]
)
def test_what_a_read_only_token_allows(open_with, command):
    assert open_with("ro")(*command)[0] == 200


@pytest.mark.parametrize(
    "command",
    [
        ["SET", "k", "v"],
        ["SCAN", 0],
        ["KEYS", "*"],
        ["EVAL", "return 1", 0],
        ["EVALSHA", "x", 0],
        ["EVAL_RO", "return 1", 0],
        ["GEOADD", "g", 1, 1, "m"],
        ["COPY", "k", "k"],
        ["PUBLISH", "c", "x"],
        ["FLUSHALL"],
        ["ACL", "SETUSER", "x"],
        ["CONFIG", "GET", "*"],
    ],
)
def test_what_it_does_not_allow(open_with, command):
    name = "|".join(command[:2]).lower() if command[0] in ("ACL", "CONFIG") else command[0].lower()
    text = f"NOPERM this user has no permissions to run the '{name}' command or its subcommand"
    assert open_with("ro")(*command) == (400, {"error": text})
    answers = open_with("ro")([["GET", "k"], command, ["PING"]])[1]
    assert answers == [{"result": None}, {"error": text}, {"result": "PONG"}]


def test_a_transaction_with_something_forbidden_does_nothing(open_with):
    assert open_with("ro").post("/multi-exec", '[["GET","k"],["SET","k","v"]]')[0] == 400
    assert open_with(TOKEN)("GET", "k") == (200, {"result": None})


def test_the_read_only_token_is_a_password_on_the_resp_port(server):
    assert server.connect(username="default_ro", password="ro").get("k") is None
    with pytest.raises(redis.exceptions.NoPermissionError):
        server.connect(username="default_ro", password="ro").set("k", "v")
    with pytest.raises(redis.AuthenticationError):
        server.connect(username="default_ro", password="dev").ping()


def test_tokens_of_users(server, open_with):
    admin = open_with(TOKEN)
    admin("ACL", "SETUSER", "bob", "on", ">secret", "+get", "~*")
    token = admin("ACL", "RESTTOKEN", "bob", "secret")[1]["result"]
    assert open_with(token)("GET", "k") == (200, {"result": None})
    assert open_with(token)("SET", "k", "v")[0] == 400
    admin("ACL", "SETUSER", "bob", "+set")
    assert open_with(token)("SET", "k", "v") == (200, {"result": "OK"})
    admin("ACL", "SETUSER", "bob", "-get")
    assert open_with(token)("GET", "k")[0] == 400
    admin("ACL", "SETUSER", "bob", "off")
    assert open_with(token)("GET", "k")[0] == UNAUTHORIZED
    admin("ACL", "DELUSER", "bob")
    assert open_with(token)("GET", "k")[0] == UNAUTHORIZED


@pytest.mark.parametrize(("user", "password"), [("bob", "wrong"), ("nobody", "secret")])
def test_a_token_for_somebody_else(open_with, user, password):
    admin = open_with(TOKEN)
    admin("ACL", "SETUSER", "bob", "on", ">secret")
    error = f'ERR Wrong password or user "{user}" does not exist'
    assert admin("ACL", "RESTTOKEN", user, password) == (400, {"error": error})


def test_a_token_that_is_a_password(open_with):
    admin = open_with(TOKEN)
    token = admin("ACL", "GENTOKEN", "ann")[1]["result"]
    assert admin("ACL", "GENTOKEN", "ann", "given") == admin("ACL", "GENTOKEN", "ann", "given")
    admin("ACL", "SETUSER", "ann", "on", f">{token}", "+@all", "~*")
    assert open_with(token)("ACL", "WHOAMI") == (200, {"result": "ann"})


@pytest.mark.parametrize("password", [b"", b"x", b"dev"])
@pytest.mark.parametrize("way", WAYS)
def test_who_needs_no_password_has_no_token_that_anybody_could_make(server, way, password):
    forged = base64.b64encode(b"default\0" + password).decode()
    with (
        gateway(server.url, "--rest-readonly-token", "ro") if way == "gateway" else nullcontext(server.rest_url) as url
    ):
        assert Rest(url, forged)("FLUSHALL")[0] == UNAUTHORIZED
        assert Rest(url, TOKEN)("ACL", "RESTTOKEN", "default", password.decode())[0] == 400
        assert Rest(url, "ro")("ACL", "RESTTOKEN", "default", password.decode())[0] == 400
        assert Rest(url, TOKEN)("PING")[0] == 200
    with emulator.Server(rest_database="east:te") as other:
        assert Rest(other.rest_url, forged).post("/", '["PING"]', {"Host": "east.localhost"})[0] == UNAUTHORIZED


def test_a_token_ends_when_its_user_is_off(server):
    with emulator.Server(rest_token=TOKEN, rest_readonly_token="ro") as server:
        for token, user in ((TOKEN, "default"), ("ro", "default_ro")):
            assert Rest(server.rest_url, token)("PING")[0] == 200
            server.command("ACL", "SETUSER", user, "off")
            assert Rest(server.rest_url, token)("PING")[0] == UNAUTHORIZED


@pytest.mark.parametrize("token", ["", "x", "ZGVm", "ZGVmYXVsdAA=", "!!!", "é", "ZGVmYXVsdAB3cm9uZw==\n"])
def test_rubbish_is_no_token(server, token):
    with emulator.Server(rest_port="auto", rest_token=TOKEN, requirepass="guarded") as guarded:
        assert Rest(guarded.rest_url, None).post("/?_token=" + token.encode().hex(), '["PING"]')[0] == UNAUTHORIZED
        assert Rest(guarded.rest_url, token.strip().encode().decode("latin-1"))("PING")[0] == UNAUTHORIZED


def test_databases_know_nothing_of_each_other(server, open_with):
    east, west, main = open_with("te"), open_with("tw"), open_with(TOKEN)
    east("SET", "k", "east")
    main("SET", "k", "main")
    assert (west("GET", "k")[1], east("GET", "k")[1], main("GET", "k")[1]) == (
        {"result": None},
        {"result": "east"},
        {"result": "main"},
    )
    assert open_with("re")("GET", "k") == (200, {"result": "east"}) and open_with("re")("SET", "k", "v")[0] == 400
    west("FLUSHALL")
    assert east("DBSIZE") == (200, {"result": 1})
    assert server.connect(username="keyspace.east", password="x").get("k") == b"east"


def test_a_database_by_its_host_name(open_with):
    assert open_with("te").post("/", '["PING"]', {"Host": "east.localhost:8079"})[0] == 200
    assert open_with("te").post("/", '["PING"]', {"Host": "west.localhost:8079"})[0] == UNAUTHORIZED


def test_a_keyspace_of_a_test_has_a_token_of_its_own(server):
    with server.keyspace("of a test") as keyspace:
        rest = Rest(keyspace.rest_url, keyspace.rest_token)
        assert rest("SET", "k", "v") == (200, {"result": "OK"})
        assert keyspace.connect().get("k") == b"v" and keyspace.rest_token == keyspace.rest_token
    assert rest("GET", "k")[0] == UNAUTHORIZED


def test_without_a_token_one_is_made():
    with emulator.Server() as server:
        assert len(server.rest_token) > 20 and Rest(server.rest_url, server.rest_token)("PING")[0] == 200
    with emulator.Server(requirepass="secret") as server:
        assert server.rest_token == "secret" and Rest(server.rest_url, "secret")("PING")[0] == 200


def test_a_server_in_the_running_loop():
    async def scenario():
        async with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
            rest = Rest(server.rest_url)
            assert (await asyncio.to_thread(rest, "PING"))[0] == 200
        async with emulator.Server() as server:
            with pytest.raises(RuntimeError, match="rest_port"):
                server.rest_url  # noqa: B018

    asyncio.run(scenario())
