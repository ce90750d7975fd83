"""The REST API's requests and answers, a row of the table for each form, error and kind of value."""

import asyncio
import base64
import json

import pytest
import redis

import emulator
from emulator.rest import requests
from tests.rest import TOKEN, WAYS, Rest, gateway

pytest.importorskip("h11")


@pytest.fixture(scope="module")
def server():
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        yield server


@pytest.fixture(scope="module", params=WAYS)
def url(request, server):
    if request.param == "engine":
        yield server.rest_url
    else:
        with gateway(server.url) as url:
            yield url


@pytest.fixture
def rest(server, url):
    server.connect().flushall()
    return Rest(url)


NOT_AVAILABLE = (
    "ERR Command is not available: '{}'. See https://upstash.com/docs/redis/overall/rediscompatibility for details"
)
NOT_ALLOWED = 'ERR Command "{}" is not allowed in REST or it has a special context path'


# Forms


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/set/k/v", ["SET", "k", "v"]),
        ("/SeT/k/v/", ["SET", "k", "v"]),
        ("/set/a%2Fb/c%20d", ["SET", "a/b", "c d"]),
        ("/set/a+b/c", ["SET", "a+b", "c"]),
        ("/set//v", ["SET", "", "v"]),
        ("/set/k/v?EX=5&NX", ["SET", "k", "v", "EX", "5", "NX"]),
        ("/set/k/v?ex=5&_token=dev&nx", ["SET", "k", "v", "ex", "5", "nx"]),
        ("/set/k/%E2%82%AC?EX=1%30", ["SET", "k", "€", "EX", "10"]),
        ("/set/k/v?EX=", ["SET", "k", "v", "EX", ""]),
    ],
)
def test_a_command_in_the_path(server, rest, method, path, command):
    with server.record() as recording:
        rest.request(method, path)
    name, *words = [word.decode() for word in recording.commands[-1].words]
    assert [name.upper(), *words] == command


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_body_is_the_last_argument_but_for_the_query(server, rest, method):
    value = bytes(range(256))
    assert rest.request(method, "/set/k?EX=50&NX", value)[0] == 200
    client = server.connect()
    assert client.get("k") == value and client.ttl("k") == 50


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_a_json_body_counts_whatever_its_type(rest, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert rest.post("/", '["SET","k","v"]', headers) == (200, {"result": "OK"})


@pytest.mark.parametrize(
    ("body", "stored"),
    [
        (
            '["RPUSH","l",1,-2,1.50,1e+21,12345678901234567890,true,false]',
            "1 -2 1.50 1e+21 12345678901234567890 true false",
        ),
        (r'["RPUSH","l","€","\u20ac","\ud83d\ude00"]', "€ € 😀"),
        (r'["RPUSH","l","\ud83d","a\udc00b"]', "\ufffd a\ufffdb"),
        (' \n["rpush" , "l" , "x"]\r\n', "x"),
    ],
)
def test_arguments_in_json(server, rest, body, stored):
    assert rest.post("/", body.encode())[0] == 200
    assert server.connect(encoding="utf-8", decode_responses=True).lrange("l", 0, -1) == stored.split()


def test_head_has_no_body(rest):
    status, body, headers = rest.request("HEAD", "/get/k")
    assert (status, body, headers["content-length"]) == (200, b"", "15")


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "FOO"])
def test_other_methods(rest, method):
    status, body, headers = rest.request(method, "/get/k")
    assert (status, body) == (405, b"") and headers["allow"] == "GET, POST, PUT, HEAD, OPTIONS"


def test_health_needs_no_token(url):
    assert Rest(url, None).request("GET", "/-/health")[:2] == (200, b'{"status":"ok"}')


# Errors


@pytest.mark.parametrize(
    ("path", "body", "status", "answer"),
    [
        ("/", "", 400, "EOF"),
        ("/", "{}", 400, "expected JSON array"),
        ("/", '"GET"', 400, "expected JSON array"),
        ("/", "[]", 400, "ERR empty command"),
        ("/", '["GET"', 400, "ERR failed to parse command"),
        ("/", "[NaN]", 400, "ERR failed to parse command"),
        ("/", '["GET","k"] x', 400, "ERR failed to parse command"),
        ("/", '["SET","k",null]', 400, "ERR null args are not supported"),
        ("/", '[["GET","k"]]', 400, 'ERR unsupported arg type: "[": json.Delim'),
        ("/", '["SET","k",{}]', 400, 'ERR unsupported arg type: "{": json.Delim'),
        ("/", '["GET"]', 400, "ERR wrong number of arguments for 'get' command"),
        ("/", '["ZADD","leaderboard"]', 400, "ERR wrong number of arguments for 'zadd' command"),
        ("/", '["FOO","k"]', 400, NOT_AVAILABLE.format("FOO")),
        ("/", '["ft.search","i","*"]', 400, NOT_AVAILABLE.format("FT.SEARCH")),
        ("/", '[""]', 400, NOT_AVAILABLE.format("")),
        ("/nosuch", "", 400, NOT_AVAILABLE.format("NOSUCH")),
        ("/post/x", "", 400, NOT_AVAILABLE.format("POST")),
        ("/", '["EVALSHA","x","0"]', 400, "NOSCRIPT No matching script. Please use EVAL."),
        ("/pipeline", "", 400, "EOF"),
        ("/pipeline", "[]", 400, "ERR empty pipeline request"),
        ("/pipeline", "{}", 400, "expected JSON array"),
        ("/pipeline", '["GET","k"]', 400, "expected JSON array"),
        ("/pipeline", "[[", 400, "ERR failed to parse pipeline request"),
        ("/multi-exec", "[]", 400, "ERR empty pipeline request"),
        ("/multi-exec", '[["SET","k","v"],[]]', 400, "ERR empty pipeline command"),
        ("/multi-exec", '[["SET","k","v"],["FOO"]]', 400, NOT_AVAILABLE.format("FOO")),
        ("/multi-exec", '[["SET","k","v"],["GET"]]', 400, "ERR wrong number of arguments for 'get' command"),
        ("/multi-exec", '[["SET","k","v"],["MULTI"]]', 400, NOT_ALLOWED.format("MULTI")),
    ],
)
def test_errors(server, rest, path, body, status, answer):
    assert rest.post(path, body) == (status, {"error": answer})
    assert server.connect().dbsize() == 0


@pytest.mark.parametrize(
    "command",
    "AUTH HELLO RESET QUIT CLIENT MULTI EXEC DISCARD WATCH UNWATCH SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE MONITOR "
    "BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP ssubscribe".split(),
)
def test_commands_that_need_a_connection(rest, command):
    assert rest(command, "a", 0) == (400, {"error": NOT_ALLOWED.format(command.upper())})
    assert rest([["PING"], [command, "a", 0]])[1][1] == {"error": NOT_ALLOWED.format(command.upper())}


def test_only_database_zero(rest):
    assert rest("SELECT", 0) == (200, {"result": "OK"})
    assert rest("SELECT", 1) == (400, {"error": NOT_ALLOWED.format("SELECT")})


def test_who_may_not_come_in(url):
    text = (
        "WRONGPASS invalid or missing auth token. See https://docs.upstash.com/redis/troubleshooting/http_unauthorized for "
        "details."
    )
    for token in (None, "", "wrong"):
        assert Rest(url, token)("GET", "k") == (401, {"error": text})
    assert Rest(url, None).post("/pipeline?_token=wrong", "rubbish") == (401, {"error": text})


@pytest.mark.parametrize(
    ("path", "header"),
    [("/", "Bearer dev"), ("/", "bearer dev"), ("/", "dev"), ("/?_token=dev", None), ("/?_token=dev", "Bearer wrong")],
)
def test_ways_to_give_the_token(url, path, header):
    headers = {} if header is None else {"Authorization": header}
    assert Rest(url, None).post(path, '["PING"]', headers) == (200, {"result": "PONG"})


def test_the_order_of_checks(url):
    stranger, friend = Rest(url, None), Rest(url)
    assert stranger.request("OPTIONS", "/")[0] == 200
    assert stranger.request("DELETE", "/")[0] == 405
    assert stranger.request("POST", "/", "rubbish", {"Upstash-Encoding": "rot13"})[0] == 401
    assert "encoding" in friend.post("/", "rubbish", {"Upstash-Encoding": "rot13"})[1]["error"]


def test_blocking_reads_of_streams_answer_at_once(rest):
    assert rest("XREAD", "BLOCK", 0, "STREAMS", "s", "$") == (200, {"result": None})
    rest("XADD", "s", "1-1", "a", "b")
    assert rest("XREAD", "BLOCK", 0, "STREAMS", "s", "0") == (200, {"result": [["s", [["1-1", ["a", "b"]]]]]})


# Values

VALUES = [
    (["SET", "new", "v"], "OK", "OK"),
    (["PING"], "PONG", b"PONG"),
    (["TYPE", "s"], "string", b"string"),
    (["GET", "none"], None, None),
    (["GET", "ok"], "OK", b"OK"),
    (["GET", "empty"], "", b""),
    (["GET", "emoji"], "😀", "😀".encode()),
    (["GET", "binary"], '\ufffd\x00\n"\\', b'\xff\x00\n"\\'),
    (["INCRBY", "big", 0], 2**63 - 1, 2**63 - 1),
    (["STRLEN", "s"], 1, 1),
    (["LRANGE", "list", 0, -1], ["OK", "8"], [b"OK", b"8"]),
    (["HGETALL", "hash"], ["a", "1", "b", "2"], [b"a", b"1", b"b", b"2"]),
    (["HGETALL", "none"], [], []),
    (["SMEMBERS", "none"], [], []),
    (["ZSCORE", "zset", "one"], "1.5", b"1.5"),
    (["ZINCRBY", "zset", 0, "inf"], "inf", b"inf"),
    (["ZRANGE", "zset", 0, -1, "WITHSCORES"], ["one", "1.5", "inf", "inf"], [b"one", b"1.5", b"inf", b"inf"]),
    (["GEOPOS", "none", "m"], [None], [None]),
    (["HMGET", "none", "a", "b"], [None, None], [None, None]),
    (["CONFIG", "GET", "maxmemory"], ["maxmemory", "0"], [b"maxmemory", b"0"]),
    (["XAUTOCLAIM", "stream", "g", "c", 0, 0], ["0-0", [], []], [b"0-0", [], []]),
    (
        ["EVAL", "return {1, 2.9, false, true, 'x', {'y'}}", 0],
        [1, 2, None, 1, "x", ["y"]],
        [1, 2, None, 1, b"x", [b"y"]],
    ),
    (["EVAL", "return redis.status_reply('OK')", 0], "OK", "OK"),
    (["EVAL", "return {redis.status_reply('OK')}", 0], ["OK"], [b"OK"]),
    (["EVAL", "return {redis.error_reply('MY error')}", 0], ["MY error"], [b"MY error"]),
    (["EVAL", "redis.setresp(3) return {double=1.25}", 0], "1.25", b"1.25"),
    (["SCAN", 0, "MATCH", "none"], ["0", []], [b"0", []]),
    (["SISMEMBER", "none", "a"], 0, 0),
]


def encoded(value):
    if isinstance(value, list):
        return [encoded(element) for element in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@pytest.fixture
def filled(server, rest):
    client = server.connect()
    client.mset({"s": "x", "ok": "OK", "empty": "", "emoji": "😀", "binary": b'\xff\x00\n"\\', "big": 2**63 - 1})
    client.rpush("list", "OK", "8")
    client.hset("hash", mapping={"a": 1, "b": 2})
    client.zadd("zset", {"one": 1.5, "inf": "inf"})
    client.xgroup_create("stream", "g", mkstream=True)
    return rest


@pytest.mark.parametrize(("command", "plain", "base64_of"), VALUES, ids=lambda value: str(value)[:30])
def test_values(filled, command, plain, base64_of):
    assert filled(*command) == (200, {"result": plain})
    filled("DEL", "new")
    assert filled(*command, Upstash_Encoding="base64") == (200, {"result": encoded(base64_of)})
    filled("DEL", "new")
    assert filled([command, ["PING"]]) == (200, [{"result": plain}, {"result": "PONG"}])
    filled("DEL", "new")
    answer = filled.post("/multi-exec", json.dumps([command]), {"Upstash-Encoding": "base64"})
    assert answer == (200, [{"result": encoded(base64_of)}])


@pytest.mark.parametrize("command", [row[0] for row in VALUES] + [["FOO"], ["INCR", "list"]], ids=str)
def test_resp2_is_what_the_resp_port_says(server, filled, command):
    status, body, headers = filled.request("POST", "/", json.dumps(command), {"Upstash-Response-Format": "resp2"})
    assert headers["content-type"] == "application/octet-stream" and status == (400 if body.startswith(b"-") else 200)
    filled("DEL", "new")
    with Raw(server) as ask:
        expected = ask(command)
    assert body == expected or (command == ["FOO"] and body.startswith(b"-ERR Command is not available: 'FOO'"))


class Raw:
    """The bytes of replies."""

    def __init__(self, server):
        self._connection = redis.Connection(host=server.host, port=server.port, protocol=2)

    def __enter__(self):
        self._connection.connect()
        return self

    def __exit__(self, *exc):
        self._connection.disconnect()

    def __call__(self, words):
        sock = self._connection._sock
        sock.sendall(b"".join(self._connection.pack_command(*words)) + b"*2\r\n$4\r\nECHO\r\n$3\r\nend\r\n")
        received = b""
        while not received.endswith(b"$3\r\nend\r\n"):
            received += sock.recv(65536)
        return received.removesuffix(b"$3\r\nend\r\n")


def test_formats_that_do_not_go_together(rest):
    resp2 = {"Upstash-Response-Format": "resp2"}
    assert rest.post("/", '["PING"]', resp2 | {"Upstash-Encoding": "base64"})[0] == 400
    assert rest.post("/", '["PING"]', {"Upstash-Response-Format": "xml"})[0] == 400
    assert rest.request("POST", "/pipeline", '[["PING"],["GET","k"],["FOO"]]', resp2)[1].startswith(
        b"+PONG\r\n$-1\r\n-ERR Comm"
    )
    assert rest.post("/multi-exec", '[["PING"]]', resp2) == (200, [{"result": "PONG"}])


# Pipelines and transactions


def test_a_pipeline_goes_on_after_an_error(rest):
    answers = rest([["SET", "n", "x"], ["INCR", "n"], ["GET", "n"]])
    error = {"error": "ERR value is not an integer or out of range"}
    assert answers == (200, [{"result": "OK"}, error, {"result": "x"}])
    assert rest([["PING"], []]) == (200, [{"result": "PONG"}, {"error": "ERR empty pipeline command"}])


def test_a_long_pipeline(rest):
    status, answers = rest([["INCR", "n"]] * 3000 + [["SELECT", "0"]] + [["INCR", "n"]] * 10)
    assert status == 200 and [answer["result"] for answer in answers[:3000]] == list(range(1, 3001))
    assert answers[-1] == {"result": 3010}


def test_a_transaction_goes_on_after_an_error_at_run_time(rest):
    commands = [["SET", "n", "x"], ["INCR", "n"], ["LPUSH", "l", "a"]]
    error = {"error": "ERR value is not an integer or out of range"}
    assert rest.post("/multi-exec", json.dumps(commands)) == (200, [{"result": "OK"}, error, {"result": 1}])


def test_a_transaction_is_one(server, rest):
    waiting = server.connect().pubsub()
    waiting.subscribe("done")
    commands = [["RPUSH", "l", "a"], ["LLEN", "l"], ["PUBLISH", "done", "x"]]
    blocked = server.connect()
    import threading

    got = []
    thread = threading.Thread(target=lambda: got.append(blocked.blpop("l", 10)))
    thread.start()
    while not server.run(lambda engine: engine.blocking.blocks):
        pass
    assert rest.post("/multi-exec", json.dumps(commands))[1][:2] == [{"result": 1}, {"result": 1}]
    thread.join()
    assert got == [(b"l", b"a")]


def test_a_transaction_without_memory_for_it_does_nothing(server):
    rest, client = Rest(server.rest_url), server.connect()
    client.flushall()
    client.config_set("maxmemory", 1)
    status, answer = rest.post("/multi-exec", '[["GET","k"],["SET","k","v"]]')
    client.config_set("maxmemory", 0)
    assert status == 400 and answer["error"].startswith("OOM command not allowed when used memory > 'maxmemory'")
    assert client.get("k") is None


# Sync tokens


def test_the_sync_token_moves_with_each_write(rest):
    def token(*words, **headers):
        return rest.request("POST", "/", json.dumps(words), headers)[2]["upstash-sync-token"]

    first = token("SET", "k", "v")
    assert first and token("GET", "k") == first
    assert (
        len({first, token("SET", "k", "v"), token("EVAL", "redis.call('incr', KEYS[1])", 1, "n"), token("DEL", "k")})
        == 4
    )
    assert token("GET", "k", **{"Upstash-Sync-Token": "no such thing"})
    assert rest.request("POST", "/multi-exec", '[["INCR","n"]]')[2]["upstash-sync-token"] != token("FLUSHALL")


# Large bodies


@pytest.mark.parametrize(
    "body",
    [
        *(
            "",
            " ",
            "[]",
            "[ ]",
            "[1,2]",
            '["a" , [1.50,"x"],{"k":[null,true]}]',
            " [1]\n",
            "{}",
            '{"a":1}',
            '"x"',
            "5",
            "[",
            "]",
            "[,]",
        ),
        *(
            "[1,]",
            "[1 2]",
            "[1]]",
            "[1],",
            "[1",
            '["a',
            "[NaN]",
            "x",
            "[" * 5000,
            "[[[[]]]]",
            '["\\ud83d"]',
            "[1,2,3]x",
            "\ufeff[]",
        ),
    ],
    ids=repr,
)
def test_a_large_body_is_read_as_a_small_one_is(body):
    def read(reading):
        try:
            return reading()
        except requests.BadRequest as error:
            return error.text, error.status

    small = read(lambda: requests.elements_of_body(body.encode(), "no JSON"))
    assert read(lambda: asyncio.run(requests.elements_of_large_body(body.encode(), "no JSON"))) == small


def test_large_bodies(rest):
    value = "x" * (requests.LARGE // 10)
    status, found = rest([["SET", f"k{number}", value] for number in range(20)] + [["GET", "k3"]])
    assert status == 200 and found[-1] == {"result": value}
    assert rest("SET", "k", "y" * 2 * requests.LARGE) == (200, {"result": "OK"})
    assert rest.post("/pipeline", '["' + "x" * 2 * requests.LARGE + '"]') == (400, {"error": "expected JSON array"})
    assert rest.post("/multi-exec", json.dumps([["SET", "k", "z" * 2 * requests.LARGE], ["STRLEN", "k"]]))[1] == [
        {"result": "OK"},
        {"result": 2 * requests.LARGE},
    ]


# JSON


def test_documents_by_rest(server, rest):
    document = '{"a":2,"nested":{"a":4,"l":[1]}}'
    assert rest("JSON.SET", "d", "$", document) == (200, {"result": "OK"})
    assert rest("JSON.GET", "d") == (200, {"result": document})
    assert rest("JSON.GET", "d", "$.a", "$.nested.a") == (200, {"result": '{"$.a":[2],"$.nested.a":[4]}'})
    assert rest("JSON.NUMINCRBY", "d", "$.a", 1) == (200, {"result": "[3]"})
    assert rest("JSON.ARRAPPEND", "d", "$..l", 2, '{"k":null}') == (200, {"result": [3]})
    assert rest("JSON.STRLEN", "d", "$.*") == (200, {"result": [None, None]})
    status, answer = rest("JSON.SET", "d", "$.a", "{")
    assert (status, answer["error"].partition(", command")[0]) == (
        400,
        "EOF while parsing an object at line 1 column 1",
    )
    assert rest([["JSON.DEL", "d", "$.a"], ["JSON.TYPE", "d", "$"]]) == (200, [{"result": 1}, {"result": ["object"]}])
    assert rest.post("/json.get/d/$.nested.a") == (200, {"result": "[4]"})


def test_what_the_service_calls_documents(server, rest):
    rest("JSON.SET", "d", "$", "{}")
    assert rest("TYPE", "d") == (200, {"result": "json"})
    assert rest("SCAN", 0, "TYPE", "json") == (200, {"result": ["0", ["d"]]})
    assert rest("SCAN", 0, "TYPE", "json", "WITHTYPE") == (200, {"result": ["0", ["d", "json"]]})
    assert server.connect().type("d") == b"ReJSON-RL"


def test_what_is_within_comes_first(server):
    """Not by the gateway: the order is that of the Redis behind it."""
    server.connect().flushall()
    rest = Rest(server.rest_url)
    document = '{"a":2,"nested":{"a":4,"deep":{"a":5}},"list":[{"a":6}]}'
    rest("JSON.SET", "d", "$", document)
    assert rest("JSON.GET", "d", "$..a") == (200, {"result": "[5,4,6,2]"})
    assert rest("JSON.NUMINCRBY", "d", "$..a", 1) == (200, {"result": "[6,5,7,3]"})
    assert server.connect().execute_command("JSON.GET", "d", "$..a") == b"[3,5,6,7]"


# The dialect


def test_what_is_otherwise_than_in_redis(server, rest):
    script = "#!lua flags=allow-key-locking\nreturn redis.call('get', KEYS[1])"
    rest("SET", "k", "v")
    assert rest("EVAL", script, 1, "k") == (200, {"result": "v"})
    digest = rest("SCRIPT", "LOAD", script)[1]["result"]
    assert rest("EVALSHA", digest, 1, "k") == (200, {"result": "v"})
    assert rest("SCRIPT", "EXISTS", digest, "0" * 40) == (200, {"result": [1, 0]})
    assert rest("EVAL", script.replace("locking", "locking,no-writes"), 1, "k") == (200, {"result": "v"})
    assert rest("SCAN", 0, "WITHTYPE", "MATCH", "k") == (200, {"result": ["0", ["k", "string"]]})
    assert rest("SCAN", 0, "MATCH", "withtype", "count", 100) == (200, {"result": ["0", []]})
    assert rest("SCAN", 0, "TYPE", "withtype", "withtype") == (200, {"result": ["0", []]})
    assert rest("COPY", "k", "k") == (200, {"result": 0})
    assert rest("TYPE", "k") == (200, {"result": "string"}) and rest("TYPE", "none") == (200, {"result": "none"})
    client = server.connect()
    for words in (["EVAL", script + " ", 1, "k"], ["SCAN", 0, "WITHTYPE"], ["COPY", "k", "k"]):
        with pytest.raises(redis.ResponseError):
            client.execute_command(*words)


def test_what_only_an_engine_does(server):
    rest = Rest(server.rest_url)
    dynamic = "#!lua flags=allow-key-locking\nreturn redis.call('get', 'other')"
    text = "ERR Dynamic keys are not allowed in Lua scripts when 'allow-key-locking' flag is set. Key was: other"
    assert rest("EVAL", dynamic, 1, "k") == (400, {"error": text})
    code = (
        "#!lua name=lib\n"
        "redis.register_function{function_name='get', callback=function(keys) return redis.call('get', keys[1]) end, "
        "flags={'allow-key-locking'}}\n"
        "redis.register_function('set', function(keys) return redis.call('set', keys[1], 'w') end)"
    )
    rest("SET", "k", "v")
    assert rest("FUNCTION", "LOAD", "REPLACE", code) == (200, {"result": "lib"})
    assert rest("FCALL_RO", "get", 1, "k") == (200, {"result": "v"})
    status, answer = rest("FCALL_RO", "set", 1, "k")
    assert status == 400 and "commands are not allowed from read-only" in answer["error"]
    assert rest("FUNCTION", "DELETE", "lib") == (200, {"result": "OK"})
