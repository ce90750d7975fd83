"""@upstash/redis: methods for documents, functions, hashes and streams, each called once; newer commands by `exec`."""

import json

import pytest

import emulator
from emulator.clock import ManualClock
from tests import node
from tests.rest import TOKEN

pytest.importorskip("h11")

LIBRARY = """#!lua name=lib
redis.register_function{function_name="f", callback=function(k, a) return a[1] end, flags={"no-writes"}}"""
DOCUMENT = {"n": 1, "s": "ab", "l": [1, 2, 3], "o": {"x": 1}, "b": True}
LATER = 4_102_444_800  # in the year 2100

JSON = [
    (["json.set", "d", "$", DOCUMENT], "OK"),
    (["json.get", "d"], DOCUMENT),
    (["json.get", "d", "$.n"], [1]),
    (["json.mset", {"key": "e", "path": "$", "value": [1]}, {"key": "g", "path": "$", "value": 5}], "OK"),
    (["json.mget", ["d", "e"], "$"], [[DOCUMENT], [[1]]]),
    (["json.arrappend", "d", "$.l", 4, 5], [5]),
    (["json.arrindex", "d", "$.l", 3], [2]),
    (["json.arrinsert", "d", "$.l", 0, 0], [6]),
    (["json.arrlen", "d", "$.l"], [6]),
    (["json.arrpop", "d", "$.l"], [5]),
    (["json.arrtrim", "d", "$.l", 1, 2], [2]),
    (["json.numincrby", "d", "$.n", 2], [3]),
    (["json.nummultby", "d", "$.n", 4], [12]),
    (["json.objkeys", "d", "$.o"], [["x"]]),
    (["json.objlen", "d", "$.o"], [1]),
    (["json.strappend", "d", "$.s", '"c"'], [3]),
    (["json.strlen", "d", "$.s"], [3]),
    (["json.toggle", "d", "$.b"], [0]),
    (["json.type", "d", "$.b"], ["boolean"]),
    (["json.merge", "d", "$", '{"m":null,"z":1}'], "OK"),
    (["json.resp", "d", "$.l"], [["[", 1, 2]]),
    (["json.clear", "d", "$.l"], 1),
    (["json.del", "d", "$.z"], 1),
    (["json.forget", "d", "$.o"], 1),
    (["json.get", "d"], {"n": 12, "s": "abc", "l": [], "b": False}),
]
FUNCTIONS = [
    (["functions.load", {"code": LIBRARY}], "lib"),
    (
        ["functions.list"],
        [{"libraryName": "lib", "engine": "LUA", "functions": [{"name": "f", "flags": ["no-writes"]}]}],
    ),
    (["functions.call", "f", [], ["a"]], "a"),
    (["functions.callRo", "f", [], ["b"]], "b"),
    (["functions.stats"], {"engines": {"LUA": {"librariesCount": 1, "functionsCount": 1}}}),
    (["functions.delete", "lib"], "OK"),
    (["functions.flush"], "OK"),
]
HASHES = [
    (["hset", "h", {"f": 1, "g": "two"}], 2),
    (["hsetnx", "h", "f", 9], 0),
    (["hget", "h", "f"], 1),
    (["hmget", "h", "f", "none"], {"f": 1, "none": None}),
    (["hgetall", "h"], {"f": 1, "g": "two"}),
    (["hexists", "h", "f"], 1),
    (["hkeys", "h"], ["f", "g"]),
    (["hvals", "h"], [1, "two"]),
    (["hlen", "h"], 2),
    (["hstrlen", "h", "g"], 3),
    (["hincrby", "h", "f", 2], 3),
    (["hincrbyfloat", "h", "f", 0.5], 3.5),
    (["hrandfield", "h", 2], ["f", "g"]),
    (["hscan", "h", 0], ["0", ["f", 3.5, "g", "two"]]),
    (["hexpire", "h", "f", 100], [1]),
    (["httl", "h", "f"], [100]),
    (["hpersist", "h", "f"], [1]),
    (["hpexpire", "h", "f", 100_000], [1]),
    (["hpersist", "h", "f"], [1]),
    (["hexpireat", "h", "f", LATER], [1]),
    (["hexpiretime", "h", "f"], [LATER]),
    (["hpexpireat", "h", "f", LATER * 1000], [1]),
    (["hpexpiretime", "h", "f"], [LATER * 1000]),
    (["hsetex", "h", {"expiration": {"ex": 60}}, {"e": "v"}], 1),
    (["hgetex", "h", {"persist": True}, "e"], {"e": "v"}),
    (["hgetdel", "h", "e"], {"e": "v"}),
    (["hdel", "h", "f"], 1),
    (["hmset", "h", {"f": 1}], "OK"),
]
STREAMS = [
    (["xadd", "x", "1-1", {"f": "v"}], "1-1"),
    (["xadd", "x", "2-1", {"f": "w"}], "2-1"),
    (["xadd", "x", "3-1", {"f": "x"}], "3-1"),
    (["xlen", "x"], 3),
    (["xrange", "x", "-", "+", 1], {"1-1": {"f": "v"}}),
    (["xrevrange", "x", "+", "-", 1], {"3-1": {"f": "x"}}),
    (["xread", "x", "2-1"], [["x", [["3-1", ["f", "x"]]]]]),
    (["xgroup", "x", {"type": "CREATE", "group": "g", "id": "0"}], "OK"),
    (["xreadgroup", "g", "ann", "x", ">", {"count": 2}], [["x", [["1-1", ["f", "v"]], ["2-1", ["f", "w"]]]]]),
    (["xpending", "x", "g", "-", "+", 1], [["1-1", "ann", 0, 1]]),
    (["xclaim", "x", "g", "bob", 0, "1-1"], [["1-1", ["f", "v"]]]),
    (["xautoclaim", "x", "g", "bob", 0, "0", {"count": 2}], ["0-0", [["1-1", ["f", "v"]], ["2-1", ["f", "w"]]], []]),
    (["xack", "x", "g", "1-1"], 1),
    (
        ["xinfo", "x", {"type": "GROUPS"}],
        [["name", "g", "consumers", 2, "pending", 1, "last-delivered-id", "2-1", "entries-read", 2, "lag", 1]],
    ),
    (["xackdel", "x", "g", "DELREF", "2-1"], [1]),
    (["xdelex", "x", "KEEPREF", "1-1"], [1]),
    (["xdel", "x", "3-1"], 1),
    (["xtrim", "x", {"strategy": "MAXLEN", "exactness": "=", "threshold": 0}], 0),
]
NEWER = [
    (["exec", ["SET", "s", "v"]], "OK"),
    (["exec", ["DIGEST", "s"]], "f7042be43fb80714"),
    (["exec", ["SET", "s", "w", "IFEQ", "none"]], None),
    (["exec", ["SET", "s", "w", "IFEQ", "v"]], "OK"),
    (["exec", ["SET", "s", "x", "IFNE", "v"]], "OK"),
    (["exec", ["SET", "s", "y", "IFDEQ", "0" * 16]], None),
    (["exec", ["SET", "s", "y", "IFDNE", "0" * 16]], "OK"),
    (["exec", ["DELEX", "s", "IFEQ", "none"]], 0),
    (["exec", ["DELEX", "s", "IFEQ", "y"]], 1),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("surface"), "@upstash/redis@1.39.0")


def test_every_method_once(folder, tmp_path):
    calls = [*JSON, *FUNCTIONS, *HASHES, *STREAMS, *NEWER]
    path = tmp_path / "calls.json"
    path.write_text(json.dumps([call for call, _ in calls]))
    with emulator.Server(rest_port="auto", rest_token=TOKEN, compat="8.4", clock=ManualClock()) as server:
        found = node.run(folder, "upstash/calls.mjs", server.rest_url, TOKEN, path)
    different = [(call, expected, got) for (call, expected), got in zip(calls, found, strict=True) if got != expected]
    assert different == []
