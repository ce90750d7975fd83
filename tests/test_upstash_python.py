"""The published SDKs of Upstash for Python, unmodified but for URL and token."""

import asyncio
import time

import pytest

import emulator
from tests import limiters
from tests.rest import TOKEN

pytest.importorskip("h11")
upstash_redis = pytest.importorskip("upstash_redis")
upstash_ratelimit = pytest.importorskip("upstash_ratelimit")

MOMENTS = [0, 1000, 2000, 3000, 9000, 10000, 11000, 15000, 16000, 19000, 20000, 45000]
WINDOW = 10_000
START = 1_700_000_000


@pytest.fixture
def server():
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        yield server


@pytest.fixture
def redis(server):
    return upstash_redis.Redis(url=server.rest_url, token=TOKEN)


def test_what_applications_do(redis):
    assert redis.set("greeting", "hello", ex=60) and redis.get("greeting") == "hello"
    assert redis.setex("s", 60, "x") and 0 < redis.ttl("s") <= 60
    assert redis.incrby("big", 2**63 - 1) == 2**63 - 1
    assert redis.set("OK", "OK") and redis.get("OK") == "OK" and redis.get("none") is None
    assert redis.hset("h", values={"a": 1, "b": "é😀"}) == 2 and redis.hgetall("h") == {"a": "1", "b": "é😀"}
    assert redis.hgetall("none") == {}
    assert redis.rpush("l", "a", "b") == 2 and redis.lrange("l", 0, -1) == ["a", "b"]
    assert redis.zadd("z", {"ann": 10, "bob": 20.5}) == 2
    assert redis.zrange("z", 0, -1, rev=True, withscores=True) == [("bob", 20.5), ("ann", 10.0)]
    assert redis.zscore("z", "bob") == 20.5 and redis.zincrby("z", 1.5, "ann") == 11.5
    assert redis.sadd("set", "a", "b") == 2 and set(redis.smembers("set")) == {"a", "b"}
    assert redis.type("z") == "zset" and redis.ping() == "PONG" and redis.dbsize() == 8
    assert redis.eval("return {KEYS[1], ARGV[1], 1}", ["k"], ["v"]) == ["k", "v", 1]
    assert redis.publish("nobody", "x") == 0 and redis.exists("h", "none") == 1
    assert redis.json is not None and redis.flushall()


def test_pipelines_and_transactions(redis):
    pipeline = redis.pipeline()
    pipeline.set("n", 1).incr("n").get("n")
    assert pipeline.exec() == [True, 2, "2"]
    transaction = redis.multi()
    transaction.set("n", 5).decr("n")
    assert transaction.exec() == [True, 4]


def test_errors(server, redis):
    redis.set("k", "v")
    with pytest.raises(upstash_redis.errors.UpstashError, match="not an integer"):
        redis.incr("k")
    with pytest.raises(upstash_redis.errors.UpstashError, match="WRONGPASS invalid or missing auth token"):
        upstash_redis.Redis(url=server.rest_url, token="wrong", rest_retries=0).get("k")
    with pytest.raises(upstash_redis.errors.UpstashError, match="NOSCRIPT No matching script"):
        redis.evalsha("f" * 40)


def test_the_asynchronous_client(server):
    async def scenario():
        async with upstash_redis.asyncio.Redis(url=server.rest_url, token=TOKEN) as redis:
            await redis.set("k", "v")
            pipeline = redis.pipeline()
            pipeline.get("k")
            pipeline.incr("n")
            return (
                await redis.get("k"),
                await pipeline.exec(),
                await asyncio.gather(*(redis.incr("n") for _ in range(20))),
            )

    value, answers, numbers = asyncio.run(scenario())
    assert (value, answers, sorted(numbers)) == ("v", ["v", 1], list(range(2, 22)))


@pytest.mark.parametrize("name", ["fixed", "sliding", "bucket"])
def test_a_limiter_follows_its_documentation(server, redis, name, monkeypatch):
    algorithm, expected, most = {
        "fixed": (upstash_ratelimit.FixedWindow(3, WINDOW, "ms"), limiters.fixed_window(MOMENTS, 3, WINDOW), 3),
        "sliding": (upstash_ratelimit.SlidingWindow(4, WINDOW, "ms"), limiters.sliding_window(MOMENTS, 4, WINDOW), 4),
        "bucket": (upstash_ratelimit.TokenBucket(5, 2, WINDOW, "ms"), limiters.token_bucket(MOMENTS, 2, WINDOW, 5), 5),
    }[name]
    limiter = upstash_ratelimit.Ratelimit(redis, algorithm, prefix=name)
    found = []
    server.clock.freeze()
    for moment in MOMENTS:
        now = START + moment / 1000
        server.clock.set(now)
        monkeypatch.setattr(time, "time", lambda now=now: now)
        monkeypatch.setattr(time, "time_ns", lambda now=now: int(now * 1e9))
        answer = limiter.limit("user")
        found.append((answer.allowed, answer.remaining, round((answer.reset - START) * 1000), answer.limit))
    monkeypatch.undo()
    assert found == [(*row, most) for row in expected]
    assert limiter.get_remaining("somebody else") == most
    assert limiter.get_reset("user") * 1000 > (START * 1000 + MOMENTS[-1])


def test_documents(redis):
    assert redis.json.set("d", "$", {"name": "ann", "tags": ["x"], "n": 1, "in": {"n": 2}})
    assert redis.json.get("d", "$.name") == ["ann"] and redis.json.get("d", "$.tags") == [["x"]]
    assert redis.json.numincrby("d", "$..n", 5) == [7, 6]
    assert redis.json.arrappend("d", "$.tags", "y", {"z": None}) == [3]
    assert redis.json.arrpop("d", "$.tags") == [{"z": None}]
    assert redis.json.strlen("d", "$.name") == [3] and redis.json.type("d", "$.n") == ["integer"]
    assert redis.json.merge("d", "$", {"n": None, "new": True}) and redis.json.objlen("d", "$") == [4]
    assert redis.json.toggle("d", "$.new") == [False] and redis.json.delete("d", "$.new") == 1
    assert redis.json.mset([("d", "$.a", 1), ("e", "$", {"a": 2})]) and redis.json.mget(["d", "e"], "$.a") == [[1], [2]]
    assert redis.json.clear("e") == 1 and redis.type("e") == "json"
