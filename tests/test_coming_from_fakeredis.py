"""Each row of the table "Coming from fakeredis": what is written there is done, beside what it replaces."""

import asyncio
import sys
from unittest.mock import patch

import pytest
import redis

import emulator
from emulator.testing.client import AsyncLocalConnection, LocalConnection

fakeredis = pytest.importorskip("fakeredis")


@pytest.fixture(autouse=True)
def no_servers_at_addresses():
    yield
    emulator.forget()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (lambda: fakeredis.FakeRedis(), lambda: emulator.connect()),
        (lambda: fakeredis.FakeStrictRedis(), lambda: emulator.connect()),
        (lambda: fakeredis.FakeRedis(decode_responses=True), lambda: emulator.connect(decode_responses=True)),
        (lambda: fakeredis.FakeRedis(db=3), lambda: emulator.connect(db=3)),
        (lambda: fakeredis.FakeRedis.from_url("redis://here/3"), lambda: emulator.connect("redis://here/3")),
        (lambda: fakeredis.FakeRedis("here", 6380, 3), lambda: emulator.Redis("here", 6380, 3)),
    ],
)
def test_clients(old, new):
    def uses(client):
        client.flushall()
        client.hset("h", mapping={"a": 1, "b": 2})
        client.zadd("z", {"one": 1, "two": 2})
        with client.pipeline() as pipeline:
            answers = pipeline.incr("n").lpush("l", "x", "y").execute()
        return (
            answers,
            client.hgetall("h"),
            client.zrange("z", 0, -1, withscores=True),
            client.ttl("n"),
            client.get("no"),
        )

    assert uses(new()) == uses(old())
    assert isinstance(new(), redis.Redis)


def test_asynchronous_clients():
    async def uses(client):
        async with client:
            await client.set("k", "v", ex=10)
            return await client.get("k"), await client.ttl("k")

    assert asyncio.run(uses(emulator.aconnect())) == asyncio.run(uses(fakeredis.FakeAsyncRedis())) == (b"v", 10)


def test_clients_that_share_a_server():
    server, local = fakeredis.FakeServer(), emulator.Local()
    for one, other in (
        (fakeredis.FakeRedis(server=server), fakeredis.FakeRedis(server=server)),
        (local.connect(), local.connect()),
        (emulator.connect("shared by name"), emulator.connect("shared by name")),
    ):
        one.set("k", "v")
        assert other.get("k") == b"v"
    assert emulator.connect().get("k") is emulator.connect("another name").get("k") is None

    async def there():
        async with local.aconnect() as client:
            return await client.get("k")

    assert asyncio.run(there()) == b"v"


@pytest.mark.parametrize("ours", [emulator.connect, emulator.Redis, emulator.StrictRedis])
@pytest.mark.parametrize("name", ["redis.Redis", "redis.StrictRedis", "redis.client.Redis"])
def test_patched_in_the_place_of_the_class(ours, name):
    with patch(name, ours):
        made = sys.modules["redis.client"].Redis if "client" in name else getattr(redis, name.rpartition(".")[2])
        made(host="here").set("k", "v")
        client = made("here", 6379, decode_responses=True)
        assert client.get("k") == "v" and made(host="elsewhere").get("k") is None
        assert emulator.connect().get("k") is emulator.Local().connect().get("k") is None
        with emulator.Server() as server:
            assert server.connect().ping()


@pytest.mark.parametrize("ours", [emulator.aconnect, emulator.AsyncRedis])
def test_patched_in_the_place_of_the_asynchronous_class(ours):
    async def scenario():
        async with redis.asyncio.Redis(host="here") as one, redis.asyncio.Redis(host="here", port=6380) as other:
            await one.set("k", "v")
            assert await one.get("k") == b"v" and await other.get("k") is None
            assert await emulator.AsyncRedis(host="here").get("k") == b"v"

    with patch("redis.asyncio.Redis", ours):
        asyncio.run(scenario())
    assert emulator.Redis("here").get("k") == b"v"


def test_a_patched_class_is_still_one():
    with patch("redis.Redis", emulator.Redis):
        client = redis.Redis.from_url("redis://here:7000/3", decode_responses=True)
        assert isinstance(client, redis.Redis)
        client.set("k", "v")
        assert redis.Redis("here", 7000, 3).get("k") == b"v" and redis.Redis("here", 7000).get("k") is None
        pool = redis.ConnectionPool.from_url("redis://here:7000/3")
        assert redis.Redis(connection_pool=pool).get("k") == redis.Redis.from_pool(pool).get("k") == b"v"
        again = redis.Redis(connection_pool=client.connection_pool)
        assert again.connection_pool is client.connection_pool
    assert isinstance(client, redis.Redis) and not isinstance(client, emulator.AsyncRedis)


def test_addresses():
    emulator.Redis().set("k", "v")
    for same in (
        emulator.Redis("127.0.0.1"),
        emulator.connect("localhost"),
        emulator.connect("redis://"),
        emulator.connect("rediss://LOCALHOST:6379", ssl_cert_reqs="none"),
        emulator.connect(host="localhost"),
        emulator.Redis(ssl=True, ssl_keyfile="k.pem"),
    ):
        assert same.get("k") == b"v"
    for other in (
        emulator.Redis(port=6380),
        emulator.Redis(unix_socket_path="/tmp/redis.sock"),
        emulator.connect("redis://localhost/1"),
        emulator.connect(),
    ):
        assert other.get("k") is None
    emulator.connect("unix:///tmp/redis.sock").set("k", "w")
    assert emulator.Redis(unix_socket_path="/tmp/redis.sock").get("k") == b"w"
    emulator.forget()
    assert emulator.Redis().get("k") is None


def test_a_password_is_that_of_who_came_first():
    assert emulator.Redis("safe", password="secret").set("k", "v")
    assert emulator.connect("redis://:secret@safe").get("k") == b"v"
    with pytest.raises(redis.AuthenticationError):
        emulator.Redis("safe").get("k")
    assert emulator.connect("redis://ann:secret@shared").acl_whoami() == "ann"


def test_every_argument_of_the_client_is_taken_or_refused():
    assert emulator.connect(single_connection_client=True).set("k", "v")
    assert emulator.connect(max_connections=3).connection_pool.max_connections == 3
    assert emulator.connect(client_name="x", health_check_interval=1).client_getname() == "x"
    with pytest.raises(TypeError, match="'nonsense'"):
        emulator.connect(nonsense=1)
    with pytest.raises(TypeError, match="'nonsense'"):
        emulator.aconnect(nonsense=1)


def test_the_cache_of_redis_py():
    local = emulator.Local()
    client = local.connect(protocol=3, cache_config=redis.cache.CacheConfig())
    client.set("k", "v")
    assert client.get("k") == client.get("k") == b"v" and client.get_cache().size == 1
    local.connect().set("k", "w")
    assert client.get("k") == b"w"


def test_a_server_that_is_not_connected():
    server, local = fakeredis.FakeServer(), emulator.Local()
    old, new = fakeredis.FakeRedis(server=server, retry=None), local.connect(retry=None)
    assert old.ping() and new.ping()
    server.connected = False
    local.faults.add("drop-before")
    local.faults.add("refuse")
    for client in (old, new, local.connect(retry=None)):
        with pytest.raises(redis.ConnectionError):
            client.ping()
    server.connected = True
    local.faults.clear()
    assert old.ping() and new.ping()


def test_connections_in_a_pool():
    local = emulator.Local()
    for pool in (
        redis.ConnectionPool(connection_class=fakeredis.FakeConnection, server=fakeredis.FakeServer()),
        redis.ConnectionPool(connection_class=LocalConnection, local=local),
    ):
        client = redis.Redis(connection_pool=pool)
        assert client.set("k", "v") and client.get("k") == b"v"


def test_connections_without_an_engine_go_by_their_address():
    pool = redis.BlockingConnectionPool.from_url("redis://here:7000/3", connection_class=LocalConnection)
    redis.Redis(connection_pool=pool).set("k", "v")
    assert emulator.Redis("here", 7000, 3).get("k") == emulator.Redis(connection_pool=pool).get("k") == b"v"
    assert emulator.Redis("here", 7000).get("k") is None

    async def asynchronous():
        pool = redis.asyncio.ConnectionPool.from_url("redis://here:7000/3", connection_class=AsyncLocalConnection)
        async with redis.asyncio.Redis.from_pool(pool) as client:
            return await client.get("k")

    assert asyncio.run(asynchronous()) == b"v"


def test_django():
    django = pytest.importorskip("django.core.cache.backends.redis")
    pytest.importorskip("django.conf").settings.configure()
    for options in (
        {"connection_class": fakeredis.FakeConnection, "server": fakeredis.FakeServer()},
        {"connection_class": LocalConnection, "local": emulator.Local()},
    ):
        cache = django.RedisCache("redis://here/1", {"OPTIONS": options})
        cache.set_many({"page": "<p>", "other": 1}, timeout=60)
        assert cache.get_many(["page", "other", "no"]) == {"page": "<p>", "other": 1}


def test_a_server_on_a_port():
    with emulator.Server() as server:
        assert redis.Redis(host=server.host, port=server.port).ping()


def test_scripts_need_no_extra():
    assert emulator.connect().eval("return redis.call('incrby', KEYS[1], ARGV[1])", 1, "n", 5) == 5


def test_what_is_not_here():
    with pytest.raises(redis.ResponseError, match="unknown command"):
        emulator.connect().ft("index").info()


def test_it_is_always_the_same_redis():
    assert emulator.connect().info("server")["redis_version"].startswith("8.2.")
