"""The published SDKs of Upstash for JavaScript, unmodified but for URL and token."""

import hashlib
import json

import pytest

import emulator
from tests import limiters, node
from tests.rest import TOKEN

pytest.importorskip("h11")

PACKAGES = (
    "@upstash/redis@1.39.0",
    "@upstash/ratelimit@2.2.0",
    "@upstash/core-analytics@0.0.10",
    "@upstash/lock@0.2.1",
    "@upstash/realtime@1.1.0",
    "@vercel/kv@3.0.0",
    "zod@4",
)
MOMENTS = [0, 1000, 2000, 3000, 9999, 10000, 10001, 15000, 15001, 19999, 20000, 45000]
WINDOW = 10_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("upstash"), *PACKAGES)


@pytest.fixture(scope="module")
def server():
    with emulator.Server(rest_port="auto", rest_token=TOKEN, rest_database="other:other") as server:
        yield server


@pytest.fixture(scope="module")
def seed(folder, server):
    return node.run(folder, "upstash/seed.mjs", server.rest_url, TOKEN)


NOSCRIPT = "failed: NOSCRIPT No matching script. Please use EVAL."
NO_INTEGER = "failed: ERR value is not an integer or out of range"
WRONG_TOKEN = (
    "UpstashError: WRONGPASS invalid or missing auth token. See "
    "https://docs.upstash.com/redis/troubleshooting/http_unauthorized for details."
)
EXPECTED = {
    "strings": ["OK", "hello", None, "OK", {"user": 1}, 60, 1, 6, 5, 6, 6, "hello!", 1, ["new", None, 1], "PONG"],
    "values": [
        *["OK", 8, 8, 1.5, True, None, {"a": [1, {"b": "c"}]}, [], "", "😀 é", "12345678901234567890", '\n"\\'],
        *[["OK", 8, {"a": 1}], None, [], None],
    ],
    "getOrSet": [{"id": 1}, {"id": 1}, 1],
    "sessions": [{"user": "ann", "visits": 3}, "ann", ["user", "visits"], True, 1, None],
    "leaderboard": [
        *[["bob", 20.5, "cy", 12], 2, 20.5, 1, 2],
        "UpstashError: Command failed: ERR wrong number of arguments for 'zadd' command",
    ],
    "pipelines": [
        *[["OK", 2, 1, {"f": "v"}], ["OK", 4, 4]],
        *[f"UpstashError: Command 2 [ incr ] {NO_INTEGER}", f"UpstashError: Command {NO_INTEGER}", 500500, 50],
    ],
    "scripts": [
        *[2, 5, ["k", "v", 1, None]],
        *[f"UpstashError: Command {NOSCRIPT}", f"UpstashError: Command 1 [ evalsha ] {NOSCRIPT}", [0]],
        hashlib.sha1(b"return redis.call('INCRBY', KEYS[1], ARGV[1])").hexdigest(),
        [[1, 2, 3], [4, 4], [5, 6], "abcdef", "abcdef"],
    ],
    "listening": [
        [1, 1],
        [["message", "chat", {"n": 1, "t": 'a, "b"'}], ["pmessage", "user:*", "user:7", {"hi": 1}]],
    ],
    "others": [
        *["0", [{"key": "set", "type": "set"}, {"key": "string", "type": "string"}], ["set", "string"], True, "1"],
        *["NOT_COPIED", 1, f'{WRONG_TOKEN}, command was: [["get","string"]]'],
        "UpstashError: ERR Command is not available: 'NOSUCH'. See "
        'https://upstash.com/docs/redis/overall/rediscompatibility for details, command was: ["NOSUCH"]',
        *[1, [13], "1-1", {"1-1": {"f": "v"}}, [["stream", [["1-1", ["f", "v"]]]]], "OK", [5], {"n": [1, 5]}],
    ],
    "locks": [True, False, True, False, True, True],
    "kv": [{"a": 1}, ["k"]],
}


@pytest.mark.parametrize("part", EXPECTED)
def test_what_applications_do(seed, part):
    assert seed[part] == EXPECTED[part]


def test_events_whose_bytes_come_one_by_one(folder, server):
    heard = node.run(folder, "upstash/pieces.mjs", server.rest_url, TOKEN)
    messages = [{"n": 1, "t": 'a, "b"'}, ["é 😀 日本"], 8, ["x" * 20_000]]
    for kind in ("message", "pmessage"):
        assert [event for event in heard if event[0] == kind] == [[kind, "chat é", message] for message in messages]


@pytest.fixture(scope="module")
def limited(folder, server):
    arguments = server.rest_url, TOKEN, "other", json.dumps(MOMENTS)
    return node.run(folder, "upstash/limiters.mjs", *arguments)


@pytest.mark.parametrize(
    ("name", "expected", "tokens"),
    [
        ("fixedWindow", limiters.fixed_window(MOMENTS, 3, WINDOW), 3),
        ("slidingWindow", limiters.sliding_window(MOMENTS, 4, WINDOW), 4),
        ("tokenBucket", limiters.token_bucket(MOMENTS, 2, WINDOW, 5), 5),
        ("cachedFixedWindow", limiters.cached_fixed_window(MOMENTS, 3, WINDOW), 3),
    ],
)
def test_a_limiter_follows_its_documentation(limited, name, expected, tokens):
    assert [tuple(row) for row in limited[name]] == [(*row, tokens) for row in expected]


def test_limiters_over_two_regions(limited):
    """Who is blocked is answered from memory in between, and is not counted then."""
    rows = list(zip(MOMENTS, limited["multiRegion"], strict=True))
    asked = [(moment, row[0]) for moment, row in rows if row[4:] != ["cacheBlock"]]
    expected = [success for success, _, _ in limiters.fixed_window([moment for moment, _ in asked], 3, WINDOW)]
    assert [success for _, success in asked] == expected and len(asked) >= 8
    assert not any(row[0] for _, row in rows if row[4:] == ["cacheBlock"])
    assert limited["multiRegionSliding"] == [True, True, True, True, False]
    assert limited["bothRegionsKnow"] == [True, True]


def test_who_is_blocked_is_answered_from_memory(limited):
    assert [row[0] for row in limited["ephemeralCache"]] == [True, False, False, True]
    assert limited["ephemeralCache"][2][4] == "cacheBlock"


def test_rates_dynamic_limits_deny_lists_and_analytics(limited):
    assert limited["rates"] == [6, 8, 8, 10]
    assert limited["dynamic"] == [5, 5]
    assert limited["denyList"] == [[False, "denyList", "1.2.3.4"], [False, "denyList", "bad-bot"], [True, None, None]]
    assert limited["manyMembers"] == 30_000
    usage = {"ann": {"success": 2, "blocked": 0}, "bob": {"success": 2, "blocked": 2}}
    assert limited["analytics"]["usage"] == usage and limited["analytics"]["overTime"] == 1
    assert limited["analytics"]["most"]["ratelimited"] == [{"identifier": "bob", "count": 2}]


def test_the_digests_that_the_sdk_knows_are_those_of_its_scripts(limited):
    """Whose digest did not fit would be sent again each time."""
    assert 8 <= limited["noscript"] <= limited["scripts"] <= 20


def test_events_with_a_history(folder, server):
    found = node.run(folder, "upstash/realtime.mjs", server.rest_url, TOKEN)
    texts = ["before", 'with, commas and "quotes"']
    assert sorted(found["heard"]) == sorted(texts)
    assert sorted(found["history"]) == sorted(["chat.said", text] for text in texts)
    assert found["connected"] == {"type": "connected", "channel": "room"}
    assert found["live"] == {"text": "live"}
