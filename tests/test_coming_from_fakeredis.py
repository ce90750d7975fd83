"""Each row of the README's table "Coming from fakeredis": what is written there is done, beside what it replaces."""

import asyncio

import pytest
import redis

import emulator
from emulator.client import LocalConnection

fakeredis = pytest.importorskip("fakeredis")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (lambda: fakeredis.FakeRedis(), lambda: emulator.connect()),
        (lambda: fakeredis.FakeStrictRedis(), lambda: emulator.connect()),
        (lambda: fakeredis.FakeRedis(decode_responses=True), lambda: emulator.connect(decode_responses=True)),
        (lambda: fakeredis.FakeRedis(db=3), lambda: emulator.connect(db=3)),
        (lambda: fakeredis.FakeRedis.from_url("redis://here/3"), lambda: emulator.connect(db=3)),
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
        emulator.connect().json().set("k", "$", {})


def test_it_is_always_the_same_redis():
    assert emulator.connect().info("server")["redis_version"].startswith("8.2.")
