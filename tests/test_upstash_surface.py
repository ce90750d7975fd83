"""@upstash/redis: each method that `upstash/seed.mjs` has not is called once; commands that have no method by `exec`."""

import json

import pytest

import emulator
from conformance.servers import free_port
from emulator.clock import ManualClock
from tests import node
from tests.cloud import SETTINGS, Management
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
ARRAYS = [
    (["arset", "a", 0, "x", "y", 3], 3),
    (["armset", "a", {"5": "u", "9": 7}], 2),
    (["arget", "a", 2], 3),
    (["armget", "a", 0, 3], ["x", None]),
    (["argetrange", "a", 1, 3], ["y", 3, None]),
    (["arlen", "a"], "10"),
    (["arcount", "a"], 5),
    (["arscan", "a", 0, 20], [["0", "x"], ["1", "y"], ["2", 3], ["5", "u"], ["9", 7]]),
    (["arscan", "a", 20, 0, {"limit": 1}], [["9", 7]]),
    (["argrep", "a", 0, 20, {"predicates": [{"match": "x"}, {"exact": "y"}], "combine": "or"}], ["0", "1"]),
    (["argrep", "a", 0, 20, {"predicates": [{"glob": "*"}], "withValues": True, "limit": 1}], [["0", "x"]]),
    (["arop", "a", 2, 9, "sum"], 10),
    (["arop", "a", 0, 20, {"match": "x"}], 1),
    (["arnext", "a"], "0"),
    (["arseek", "a", 20], 1),
    (["arinsert", "a", "i", "j"], "21"),
    (["arlastitems", "a", 2, {"rev": True}], ["j", "i"]),
    (
        ["arinfo", "a"],
        {
            "count": 7,
            "len": "22",
            "nextInsertIndex": "22",
            "slices": 1,
            "directorySize": 1,
            "superDirEntries": 0,
            "sliceSize": 4096,
        },
    ),
    (["arring", "r", 2, "b", "c", "d"], "0"),
    (["ardel", "a", 0], 1),
    (["ardelrange", "a", [1, 3]], 2),
]
OTHERS = [
    (["flushall"], "OK"),
    (["mset", {"s": "abc", "n": "5"}], "OK"),
    (["msetnx", {"n": "1", "new": "1"}], 0),
    (["decrby", "n", 2], 3),
    (["incrbyfloat", "n", 0.5], 3.5),
    (["getrange", "s", 0, 1], "ab"),
    (["setrange", "s", 1, "xy"], 3),
    (["getex", "s", {"ex": 60}], "axy"),
    (["getdel", "s"], "axy"),
    (["psetex", "s", 1000, "v"], "OK"),
    (["pttl", "s"], 1000),
    (["setbit", "b", 3, 1], 0),
    (["getbit", "b", 3], 1),
    (["bitcount", "b"], 1),
    (["bitpos", "b", 1], 3),
    (["bitop", "not", "c", "b"], 1),
    (["rpush", "l", "a", "b", "c"], 3),
    (["lpush", "l", "z"], 4),
    (["lpushx", "none", "a"], 0),
    (["rpushx", "l", "d"], 5),
    (["lindex", "l", 0], "z"),
    (["linsert", "l", "before", "a", "y"], 6),
    (["llen", "l"], 6),
    (["lpos", "l", "c"], 4),
    (["lset", "l", 0, "x"], "OK"),
    (["lrem", "l", 0, "y"], 1),
    (["ltrim", "l", 0, 2], "OK"),
    (["lmove", "l", "m", "left", "right"], "x"),
    (["lpop", "l"], "a"),
    (["rpop", "l"], "b"),
    (["lmpop", 1, ["m"], "LEFT"], ["m", ["x"]]),
    (["sadd", "s1", "a", "b", "c"], 3),
    (["sadd", "s2", "b"], 1),
    (["scard", "s1"], 3),
    (["sdiff", "s1", "s2"], ["a", "c"]),
    (["sdiffstore", "s3", "s1", "s2"], 2),
    (["sinter", "s1", "s2"], ["b"]),
    (["sintercard", ["s1", "s2"]], 1),
    (["sinterstore", "s3", "s1", "s2"], 1),
    (["sismember", "s1", "a"], 1),
    (["smismember", "s1", ["a", "q"]], [1, 0]),
    (["smove", "s1", "s2", "a"], 1),
    (["sunion", "s2", "s3"], ["b", "a"]),
    (["sunionstore", "s3", "s2"], 2),
    (["srem", "s3", "a"], 1),
    (["spop", "s3"], "b"),
    (["srandmember", "s2", 2], ["b", "a"]),
    (["sscan", "s2", 0], ["0", ["b", "a"]]),
    (["zadd", "z", {"score": 1, "member": "a"}, {"score": 2, "member": "b"}, {"score": 3, "member": "c"}], 3),
    (["zadd", "y", {"score": 1, "member": "b"}], 1),
    (["zcount", "z", 1, 2], 2),
    (["zlexcount", "z", "-", "+"], 3),
    (["zmscore", "z", ["a", "q"]], [1, None]),
    (["zrank", "z", "b"], 1),
    (["zunion", 2, ["z", "y"], {"withScores": True}], ["a", 1, "b", 3, "c", 3]),
    (["zunionstore", "u", 2, ["z", "y"]], 3),
    (["zinterstore", "u", 2, ["z", "y"]], 1),
    (["zdiffstore", "u", 2, "z", "y"], 2),
    (["zscan", "z", 0], ["0", ["a", 1, "b", 2, "c", 3]]),
    (["zpopmin", "z"], ["a", 1]),
    (["zpopmax", "z"], ["c", 3]),
    (["zremrangebyscore", "z", 9, 10], 0),
    (["zremrangebyrank", "z", 0, 0], 1),
    (["zremrangebylex", "y", "[a", "[b"], 1),
    (["pfadd", "p", "a", "b"], 1),
    (["pfmerge", "q", "p"], "OK"),
    (["pfcount", "q"], 2),
    (
        [
            "geoadd",
            "g",
            {"longitude": 13.361389, "latitude": 38.115556, "member": "P"},
            {"longitude": 15.087269, "latitude": 37.502669, "member": "C"},
        ],
        2,
    ),
    (["geodist", "g", "P", "C", "KM"], 166.2742),
    (["geohash", "g", "P"], ["sqc8b49rny0"]),
    (
        [
            "geosearch",
            "g",
            {"type": "FROMMEMBER", "member": "P"},
            {"type": "BYRADIUS", "radius": 200, "radiusType": "KM"},
            "ASC",
        ],
        [{"member": "P"}, {"member": "C"}],
    ),
    (
        [
            "geosearchstore",
            "h",
            "g",
            {"type": "FROMMEMBER", "member": "P"},
            {"type": "BYRADIUS", "radius": 1, "radiusType": "KM"},
            "ASC",
        ],
        1,
    ),
    (["set", "k", "v"], "OK"),
    (["exists", "k", "none"], 1),
    (["expireat", "k", LATER], 1),
    (["pexpireat", "k", LATER * 1000], 1),
    (["pexpire", "k", 1000], 1),
    (["persist", "k"], 1),
    (["rename", "k", "kk"], "OK"),
    (["renamenx", "kk", "k"], 1),
    (["touch", "k"], 1),
    (["unlink", "k"], 1),
    (["echo", "hi"], "hi"),
    (["time"], [1700000000, 0]),
    (["scriptLoad", "return 1"], "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
    (["evalshaRo", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", [], []], 1),
    (["evalRo", "return ARGV[1]", [], ["x"]], "x"),
    (["flushdb"], "OK"),
    (["dbsize"], 0),
    (["randomkey"], None),
]
ABSENT = (
    "UpstashError: ERR Command is not available: '{}'. See "
    "https://upstash.com/docs/redis/overall/rediscompatibility for details, command was: "
)
SCHEMA = {"name": "i", "dataType": "string", "prefix": "p:", "schema": {"t": "TEXT"}}
SEARCH = [
    (
        ["search.createIndex", SCHEMA],
        f'{ABSENT.format("SEARCH.CREATE")}["SEARCH.CREATE","i","ON","STRING","PREFIX","1","p:","SCHEMA","t","TEXT"]',
    ),
    (
        ["vector.createIndex", {"name": "v", "dimension": 3, "metric": "COSINE"}],
        f'{ABSENT.format("VECTOR.CREATE")}["VECTOR.CREATE","v","DIM",3,"METRIC","COSINE"]',
    ),
    *(
        (["exec", [name, "i"]], f'{ABSENT.format(name)}["{name}","i"]')
        for name in ("SEARCH.QUERY", "SEARCH.DROP", "VECTOR.QUERY", "FT.SEARCH")
    ),
]
"""They come with the search part."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return node.install(tmp_path_factory.mktemp("surface"), "@upstash/redis@1.39.0")


@pytest.fixture
def play(folder, tmp_path):
    """``play(url, token, calls)``: what a new client is answered to these calls."""

    def play(url, token, calls):
        path = tmp_path / "calls.json"
        path.write_text(json.dumps(calls))
        return node.run(folder, "upstash/calls.mjs", url, token, path)

    return play


def test_every_method_once(play):
    calls = [*JSON, *FUNCTIONS, *HASHES, *STREAMS, *NEWER, *ARRAYS, *SEARCH, *OTHERS]
    with emulator.Server(rest_port="auto", rest_token=TOKEN, compat="8.10", clock=ManualClock()) as server:
        found = play(server.rest_url, TOKEN, [call for call, _ in calls])
    different = [(call, expected, got) for (call, expected), got in zip(calls, found, strict=True) if got != expected]
    assert different == []


def test_a_client_in_a_region_that_lags_reads_what_it_wrote(play):
    port = free_port()
    settings = SETTINGS | {"cloud_lag": 1000, "cloud_regions": f"eu-west-1:{port}"}
    with emulator.Server(clock=ManualClock(), **settings) as server:
        database = Management(server.cloud_url).create(read_regions=["eu-west-1"])
        there = f"http://127.0.0.1:{port}", database["rest_token"]
        assert play(*there, [["set", "k", "v"]]) == ["OK"]
        assert play(*there, [["get", "k"]]) == [None]
        assert play(*there, [["set", "k", "w"], ["get", "k"]]) == ["OK", "w"]
