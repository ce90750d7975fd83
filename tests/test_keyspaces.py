"""Named keyspaces: Redises in one server that know nothing of each other."""

import asyncio
import threading

import pytest
import redis

import emulator


@pytest.fixture
def server():
    with emulator.Server() as server:
        yield server


def of(server, name, **kwargs):
    """A client of a keyspace, as anybody's client gets there: by a user's name."""
    return server.connect(username=f"keyspace.{name}", password="any", decode_responses=True, **kwargs)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_user_name_chooses_a_keyspace(server, protocol):
    with of(server, "a", protocol=protocol) as one, of(server, "b", protocol=protocol) as other:
        one.set("k", "of a")
        other.set("k", "of b")
        assert (one.get("k"), other.get("k")) == ("of a", "of b")
        assert server.connect().dbsize() == 0
        assert one.execute_command("EMULATOR", "KEYSPACE", "GET") == "a"
        assert sorted(one.execute_command("EMULATOR", "KEYSPACE", "LIST")) == ["a", "b"]


def test_who_names_the_same_keyspace_shares_it(server):
    with of(server, "a") as one, of(server, "a") as other:
        one.rpush("queue", "job")
        assert other.lpop("queue") == "job"


def test_a_command_chooses_a_keyspace_and_goes_on_in_the_same_pipeline(server):
    with server.connect(decode_responses=True, client_name="me", max_connections=1) as client:
        client.set("k", "main")
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command("EMULATOR", "KEYSPACE", "USE", "a")
        pipeline.get("k").set("k", "a").client_getname()
        assert pipeline.execute() == ["OK", None, True, "me"]
        assert client.execute_command("EMULATOR", "KEYSPACE", "USE", "") == "OK"
        assert client.get("k") == "main"


def test_channels_scripts_settings_and_clients_are_its_own(server):
    with of(server, "a") as one, of(server, "b") as other:
        listening = one.pubsub()
        listening.subscribe("channel")
        assert listening.get_message(timeout=60)["type"] == "subscribe"
        assert other.publish("channel", "x") == 0 and one.publish("channel", "y") == 1
        digest = one.script_load("return 1")
        assert one.script_exists(digest) == [True] and other.script_exists(digest) == [False]
        one.config_set("maxmemory", "5mb")
        assert other.config_get("maxmemory")["maxmemory"] == "0"
        one.acl_setuser("ann", enabled=True, passwords=["+x"], commands=["+get"], keys=["*"])
        assert other.acl_users() == ["default"]
        assert len(other.client_list()) == 1


def test_its_clock_is_its_own(server):
    with of(server, "a") as one, of(server, "b") as other:
        one.set("k", "v", ex=10)
        other.set("k", "v", ex=10)
        one.execute_command("EMULATOR", "CLOCK", "ADVANCE", 10_000)
        assert one.get("k") is None and other.get("k") == "v"


def test_what_expires_in_a_keyspace_does_so_by_itself(server):
    with of(server, "a", protocol=3) as client:
        client.config_set("notify-keyspace-events", "Ex")
        listening = client.pubsub()
        listening.subscribe("__keyevent@0__:expired")
        client.set("k", "v", px=1)
        messages = iter(lambda: listening.get_message(timeout=60), None)
        assert next(message for message in messages if message["type"] == "message")["data"] == "k"


def test_a_wait_ends_by_a_client_of_the_same_keyspace(server):
    with of(server, "a") as one, of(server, "a") as other, of(server, "b") as stranger:
        got = []
        waiting = threading.Thread(target=lambda: got.append(one.blpop("queue", 0)))
        waiting.start()
        while not any(line["flags"] == "b" for line in other.client_list()):
            pass
        stranger.rpush("queue", "not this")
        other.rpush("queue", "job")
        waiting.join(60)
        assert got == [("queue", "job")]


def test_a_dropped_keyspace_is_gone_with_its_clients(server):
    admin = server.connect()
    connection = of(server, "a", retry=None).connection_pool.get_connection()
    connection.send_command("SET", "k", "v")
    assert connection.read_response() == "OK"
    assert [admin.execute_command("EMULATOR", "KEYSPACE", "DROP", "a") for _ in range(2)] == [1, 0]
    with pytest.raises(redis.ConnectionError):
        connection.read_response()
    with of(server, "a") as client:
        assert client.get("k") is None


def test_the_password_is_the_servers(server):
    with emulator.Server(requirepass="secret") as guarded:
        with pytest.raises(redis.AuthenticationError):
            of(guarded, "a").ping()
        assert guarded.connect(username="keyspace.a", password="secret").ping()
        with pytest.raises(redis.AuthenticationError):
            guarded.connect(password=None, retry=None).execute_command("EMULATOR", "KEYSPACE", "USE", "a")


def test_a_user_of_that_name_comes_first(server):
    admin = server.connect()
    admin.acl_setuser("keyspace.a", enabled=True, nopass=True, commands=["+@all"], keys=["*"])
    with of(server, "a") as client:
        assert client.acl_whoami() == "keyspace.a" and client.execute_command("EMULATOR", "KEYSPACE", "GET") == ""


def test_nobody_leaves_within_a_transaction_or_a_script(server):
    client = server.connect(decode_responses=True)
    pipeline = client.pipeline()
    pipeline.execute_command("AUTH", "keyspace.a", "x")
    pipeline.set("k", "v")
    answers = pipeline.execute(raise_on_error=False)
    assert "cannot change its keyspace" in str(answers[0]) and client.get("k") == "v"


def test_without_the_commands_there_are_no_keyspaces():
    with emulator.Server(emulator_commands="no") as server, pytest.raises(redis.AuthenticationError):
        of(server, "a").ping()


def test_renamed_commands_are_renamed_there_too(server):
    server.run(lambda engine: engine.commands.rename(b"flushall", b""))
    with of(server, "a") as client, pytest.raises(redis.ResponseError, match="unknown command"):
        client.flushall()


def test_keyspaces_in_process():
    local = emulator.Local()
    one, other = (local.connect(username=f"keyspace.{name}", password="x") for name in "ab")
    one.set("k", "v", px=1)
    other.set("k", "v")
    assert one.blpop("nothing", 0.05) is None
    assert one.get("k") is None and other.get("k") == b"v"


def test_keyspaces_of_an_asynchronous_client():
    async def scenario():
        async with emulator.Server() as server:
            async with redis.asyncio.Redis.from_url(f"redis://keyspace.a:x@{server.host}:{server.port}") as client:
                await client.set("k", "v")
            async with redis.asyncio.Redis.from_url(server.url) as client:
                assert await client.dbsize() == 0

    asyncio.run(scenario())
