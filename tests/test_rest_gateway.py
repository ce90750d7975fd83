"""The REST API over Redises that run elsewhere: a real one, the master that sentinels name, a cluster."""

import json
import time
from contextlib import ExitStack, contextmanager

import pytest
import redis

from conformance import servers
from tests.rest import TOKEN, Rest, gateway

pytest.importorskip("h11")


@pytest.fixture(scope="module", autouse=True)
def _oracle():
    try:
        servers.oracle_command(1)
    except servers.NoOracle as error:
        pytest.skip(str(error))


@contextmanager
def one_server():
    with servers.oracle() as (host, port):
        yield f"redis://{host}:{port}", redis.Redis(host, port)


@contextmanager
def by_sentinels(folder):
    with servers.oracle() as (host, port):
        own = servers.free_port()
        (folder / "sentinel.conf").write_text(f"port {own}\nsentinel monitor main {host} {port} 1\n")
        program = servers.oracle_command(own)[0]
        with servers.running([program, str(folder / "sentinel.conf"), "--sentinel"], own):
            yield f"redis+sentinel://127.0.0.1:{own}/main/0", redis.Redis(host, port)


@contextmanager
def cluster(folder):
    with ExitStack() as stack:
        nodes = []
        for number in range(3):
            port, bus = servers.free_port(), servers.free_port()
            own = folder / str(number)
            own.mkdir()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
            stack.enter_context(servers.running(servers.oracle_command(port, *options), port))
            node = redis.Redis(port=port)
            node.execute_command("CLUSTER", "ADDSLOTSRANGE", 16384 * number // 3, 16384 * (number + 1) // 3 - 1)
            node.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            nodes.append((node, port, bus))
        for _, port, bus in nodes[1:]:
            nodes[0][0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        while not all(b"cluster_state:ok" in node.execute_command("CLUSTER", "INFO") for node, _, _ in nodes):
            time.sleep(0.05)
        ports = [port for _, port, _ in nodes]
        client = redis.RedisCluster("127.0.0.1", ports[0])
        yield f"redis+cluster://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}", client


@pytest.fixture(scope="module", params=["one server", "sentinels", "cluster"])
def upstream(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("upstream")
    kinds = {"one server": one_server, "sentinels": lambda: by_sentinels(folder), "cluster": lambda: cluster(folder)}
    with kinds[request.param]() as (url, client), gateway(url, "--rest-readonly-token", "ro") as rest_url:
        yield client, rest_url


@pytest.fixture
def client(upstream):
    upstream[0].flushall()
    return upstream[0]


@pytest.fixture
def rest(client, upstream):
    return Rest(upstream[1])


def test_commands_and_pipelines(client, rest):
    assert rest("SET", "k", "v") == (200, {"result": "OK"}) and client.get("k") == b"v"
    assert rest("INCR", "k")[0] == 400
    words = [["SET", f"k{n}", n] for n in range(50)] + [["GET", f"k{n}"] for n in range(50)] + [["PING"], ["NOPE"]]
    status, answers = rest(words)
    assert status == 200 and [answer["result"] for answer in answers[50:100]] == [str(n) for n in range(50)]
    assert answers[100] == {"result": "PONG"} and "not available" in answers[101]["error"]
    assert rest("GET", "k", Upstash_Encoding="base64") == (200, {"result": "dg=="})


def test_commands_over_many_keys(rest):
    keys = [f"k{n}" for n in range(30)]
    assert rest("MSET", *(word for key in keys for word in (key, key.upper()))) == (200, {"result": "OK"})
    assert rest("MGET", *keys, "none")[1]["result"] == [*(key.upper() for key in keys), None]
    assert rest("DBSIZE") == (200, {"result": 30}) and rest("EXISTS", *keys) == (200, {"result": 30})
    assert sorted(rest("KEYS", "*")[1]["result"]) == sorted(keys)
    assert rest("DEL", *keys[:10]) == (200, {"result": 10})
    found, cursor = [], "0"
    while found == [] or cursor != "0":
        cursor, some = rest("SCAN", cursor, "COUNT", 4)[1]["result"]
        found += some
    assert sorted(found) == sorted(keys[10:])
    assert rest("SCAN", 0, "WITHTYPE", "COUNT", 1000)[1]["result"][1][1] == "string"
    assert rest("FLUSHALL") == (200, {"result": "OK"}) and rest("DBSIZE") == (200, {"result": 0})


def test_transactions(rest):
    commands = [["SET", "{a}1", "x"], ["INCR", "{a}2"], ["INCR", "{a}1"]]
    status, answers = rest.post("/multi-exec", json.dumps(commands))
    assert (
        status == 200 and answers[:2] == [{"result": "OK"}, {"result": 1}] and "not an integer" in answers[2]["error"]
    )
    status, answer = rest.post("/multi-exec", '[["SET","{a}1","y"],["INCR"]]')
    assert (status, answer["error"]) == (400, "ERR wrong number of arguments for 'incr' command")
    assert rest("GET", "{a}1") == (200, {"result": "x"})


def test_scripts(rest):
    script = "#!lua flags=allow-key-locking\nreturn {KEYS[1], false, 1}"
    assert rest("EVAL", script, 1, "k") == (200, {"result": ["k", None, 1]})
    digest = rest("SCRIPT", "LOAD", script)[1]["result"]
    assert rest([["EVALSHA", digest, 1, key] for key in "abcdef"])[1] == [
        {"result": [key, None, 1]} for key in "abcdef"
    ]
    assert rest("SCRIPT", "FLUSH") == (200, {"result": "OK"})
    assert rest("EVALSHA", digest, 1, "k") == (400, {"error": "NOSCRIPT No matching script. Please use EVAL."})


def test_tokens(client, rest):
    reader = Rest(f"http://{rest.host}:{rest.port}", "ro")
    assert reader("GET", "k") == (200, {"result": None})
    text = "NOPERM this user has no permissions to run the 'set' command or its subcommand"
    assert reader("SET", "k", "v") == (400, {"error": text})
    assert Rest(f"http://{rest.host}:{rest.port}", "wrong")("GET", "k")[0] == 401
    assert rest("ACL", "SETUSER", "bob", "on", ">secret", "+get", "+ping", "~*")[0] == 200
    token = rest("ACL", "RESTTOKEN", "bob", "secret")[1]["result"]
    bob = Rest(f"http://{rest.host}:{rest.port}", token)
    assert bob("GET", "k") == (200, {"result": None}) and bob("SET", "k", "v")[0] == 400
    rest("ACL", "SETUSER", "bob", "off")
    assert bob("GET", "k")[0] == 401
    assert rest("ACL", "RESTTOKEN", "bob", "wrong")[0] == 400


def test_streams_of_events(client, rest):
    with rest.events("/subscribe/chat") as events:
        assert events.next() == b"data: subscribe,chat,1\n\n"
        rest("PUBLISH", "chat", "a,b")
        assert events.next() == b"data: message,chat,a,b\n\n"
    with rest.events("/psubscribe/c*") as events:
        assert events.next() == b"data: psubscribe,c*,1\n\n"
    with rest.events("/monitor") as events:
        assert events.next() == b'data: "OK"\n\n'


def test_reads_of_streams_do_not_wait(rest):
    assert rest("XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", "$") == (200, {"result": None})
    assert rest("BLPOP", "l", 0)[0] == 400
    assert rest("WAIT", 5, 0) == (200, {"result": 0})


def test_the_sync_token_moves(rest):
    tokens = [
        rest.request("POST", "/", body)[2]["upstash-sync-token"]
        for body in ('["INCR","n"]', '["GET","n"]', '["INCR","n"]')
    ]
    assert tokens[0] == tokens[1] != tokens[2]


def test_a_redis_that_is_not_there():
    with gateway(f"redis://127.0.0.1:{servers.free_port()}") as url:
        status, answer = Rest(url, TOKEN)("PING")
        assert status == 400 and answer["error"].startswith("ERR upstream: ")
        assert Rest(url).request("GET", "/-/health")[0] == 200
