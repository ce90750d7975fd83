"""redis-py, sync and asyncio, RESP2 and RESP3, with what it does every day; and redis-cli's way of asking."""

import asyncio
import shutil
import subprocess
import threading

import pytest
import redis

from conformance import servers


@pytest.fixture(scope="module")
def address():
    with servers.emulator() as address:
        yield address


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(address, request):
    with redis.Redis(*address, protocol=request.param, decode_responses=True) as client:
        client.flushall()
        yield client


def test_strings(client):
    assert client.set("k", "v", ex=100)
    assert client.get("k") == "v"
    assert 0 < client.ttl("k") <= 100
    assert client.set("k", "w", nx=True) is None
    assert client.incr("n", 5) == 5
    assert client.mget("k", "n", "none") == ["v", "5", None]
    assert client.incrbyfloat("f", 0.1) == 0.1


def test_hashes(client):
    assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert client.hgetall("h") == {"a": "1", "b": "2"}
    assert client.hexpire("h", 100, "a") == [1]
    assert dict(client.hscan_iter("h")) == {"a": "1", "b": "2"}


def test_lists_and_blocking(client, address):
    assert client.rpush("l", "a", "b", "c") == 3
    assert client.lrange("l", 0, -1) == ["a", "b", "c"]
    assert client.lmove("l", "m") == "a"
    waiter = threading.Thread(target=lambda: redis.Redis(*address).rpush("later", "x"))
    waiter.start()
    assert list(client.blpop("later", 10)) == ["later", "x"]
    waiter.join()


def test_sets(client):
    client.sadd("s", "a", "b", "c")
    assert client.smembers("s") == {"a", "b", "c"}
    assert client.sinter("s", "s") == {"a", "b", "c"}
    assert client.srandmember("s") in {"a", "b", "c"}
    assert set(client.sscan_iter("s")) == {"a", "b", "c"}


def test_sorted_sets(client):
    client.zadd("z", {"a": 1, "b": 2.5})
    scored = client.zrange("z", 0, -1, withscores=True)
    assert [tuple(pair) for pair in scored] == [("a", 1.0), ("b", 2.5)]
    assert client.zscore("z", "b") == 2.5
    assert client.zrank("z", "b") == 1
    assert client.zpopmin("z") in ([("a", 1.0)], ["a", 1.0])  # flat on RESP3: that is redis-py's choice


def test_pipelines_and_transactions(client):
    with client.pipeline(transaction=True) as pipeline:
        assert pipeline.set("a", 1).incr("a").get("a").execute() == [True, 2, "2"]
    with client.pipeline() as pipeline:
        pipeline.watch("a")
        client.set("a", "changed")
        pipeline.multi()
        pipeline.get("a")
        with pytest.raises(redis.WatchError):
            pipeline.execute()
    with client.pipeline(transaction=False) as pipeline:
        for number in range(10_000):
            pipeline.set(f"k{number}", number)
        assert all(pipeline.execute())
    assert client.dbsize() == 10_001
    assert len(list(client.scan_iter("k*", count=500))) == 10_000


def test_publish_and_subscribe(client):
    with client.pubsub() as pubsub:
        pubsub.subscribe("ch")
        pubsub.psubscribe("p*")
        assert [pubsub.get_message(timeout=60)["type"] for _ in range(2)] == ["subscribe", "psubscribe"]
        assert client.publish("ch", "hello") == 1
        assert client.publish("party", "hi") == 1
        messages = [pubsub.get_message(timeout=60), pubsub.get_message(timeout=60)]
    assert [(message["channel"], message["data"]) for message in messages] == [("ch", "hello"), ("party", "hi")]


def test_errors(client):
    client.lpush("l", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        client.get("l")
    with pytest.raises(redis.ResponseError, match="unknown command 'NOSUCH'"):
        client.execute_command("NOSUCH")


def test_introspection(client):
    assert client.config_get("maxclients") == {"maxclients": "10000"}
    assert client.info("server")["redis_version"] == "8.2.3"
    assert client.client_setname("me")
    assert client.client_getname() == "me"
    assert any(row["name"] == "me" for row in client.client_list())
    assert client.object("encoding", "none") is None
    assert "get" in client.command()


@pytest.mark.parametrize("protocol", [2, 3])
def test_asyncio(address, protocol):
    import redis.asyncio

    async def scenario():
        client = redis.asyncio.Redis(host=address[0], port=address[1], protocol=protocol, decode_responses=True)
        await client.flushall()
        await asyncio.gather(*(client.incr("n") for _ in range(100)))
        assert await client.get("n") == "100"
        popped = asyncio.create_task(client.blpop("l", 10))
        await client.rpush("l", "x")
        assert list(await popped) == ["l", "x"]
        await client.aclose()

    asyncio.run(scenario())


def test_a_large_value(address):
    client = redis.Redis(*address)
    value = bytes(range(256)) * (1 << 16)
    assert client.set("large", value)
    assert client.get("large") == value
    client.delete("large")


def test_redis_cli(address):
    cli = shutil.which("redis-cli")
    if cli is None:
        pytest.skip("no redis-cli on PATH")
    command = [cli, "-p", str(address[1])]
    assert subprocess.check_output([*command, "ping"], text=True) == "PONG\n"
    script = "DEL z\nZADD z 1.5 a 2 b\nZRANGE z 0 -1 WITHSCORES\nGET z\n"
    output = subprocess.check_output([*command, "-3", "--no-raw"], input=script, text=True)
    assert '1) 1) "a"\n   2) (double) 1.5' in output
    assert "(error) WRONGTYPE" in output
