"""The service's quotas and the commands that it lacks, which are switched on on purpose."""

import json

import pytest

import emulator
from tests.rest import TOKEN, Rest

pytest.importorskip("h11")


@pytest.fixture
def server():
    with emulator.Server(rest_port="auto", rest_token=TOKEN, upstash_limits="yes", upstash_strict="yes") as server:
        yield server


@pytest.fixture
def rest(server):
    return Rest(server.rest_url)


def test_the_size_of_a_key(rest):
    error = {"error": "ERR max key size exceeded. Limit: 32768 bytes, Actual: 32769 bytes"}
    assert rest("SET", "k" * 32769, "v") == (400, error)
    assert rest([["PING"], ["SET", "k" * 32769, "v"]]) == (200, [{"result": "PONG"}, error])
    assert rest("SET", "k" * 32768, "v") == (200, {"result": "OK"})


def test_the_size_of_a_request_is_that_of_one_command(rest):
    status, answer = rest("SET", "k", "x" * 11_245_915)
    assert status == 413 and answer["error"] == (
        "ERR max request size exceeded. Limit: 10485760 bytes, Actual: 11245919 bytes. See "
        "https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded for details"
    )
    assert rest([["SET", "a", "x" * 9_000_000], ["SET", "b", "x" * 9_000_000]])[0] == 200
    assert rest.post("/multi-exec", json.dumps([["PING"], ["SET", "k", "x" * 10_485_760]]))[0] == 413


def test_an_answer_that_is_too_large_is_an_error_with_the_status_of_an_answer(rest):
    rest([["APPEND", "k", "x" * 6_000_000]] * 2)
    status, answer = rest("GET", "k")
    assert status == 200 and answer["error"].startswith("ERR max request size exceeded.")


def test_the_size_of_what_a_key_holds(server, rest):
    server.connect().setrange("k", 104_857_590, "x")
    assert rest("APPEND", "k", "x" * 100) == (400, {"error": "ERR max single record size exceeded"})
    assert rest("SET", "other", "x") == (200, {"result": "OK"})


def test_the_size_of_all_data(server, rest):
    client = server.connect()
    for number in range(3):
        client.setrange(f"k{number}", 99_000_000, "x")
    status, answer = rest("SET", "k", "v")
    assert status == 400 and answer["error"].startswith(
        "ERR DB capacity quota exceeded. Threshold: 268435456 bytes, Usage: "
    )
    assert rest("DEL", "k1") == (200, {"result": 1}) and rest("SET", "k", "v") == (200, {"result": "OK"})


def test_the_commands_of_a_day(server, rest):
    server.clock.freeze()
    rest([["PING"]] * 9_999)
    assert rest("PING") == (200, {"result": "PONG"})
    error = {"error": "ERR max daily request limit exceeded. Limit: 10000, Usage: 10000"}
    assert rest("PING") == (400, error)
    server.clock.advance(86_400)
    assert rest("PING") == (200, {"result": "PONG"})


@pytest.mark.parametrize(
    "command", [["SLOWLOG", "GET"], ["object", "encoding", "k"], ["SORT", "l"], ["FUNCTION", "DUMP"]]
)
def test_what_the_product_lacks(rest, command):
    where = "https://upstash.com/docs/redis/overall/rediscompatibility"
    text = f"ERR Command is not available: '{command[0].upper()}'. See {where} for details"
    assert rest(*command) == (400, {"error": text})
    assert rest("FUNCTION", "LIST") == (200, {"result": []})


def test_none_of_it_unless_it_is_asked_for():
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        rest = Rest(server.rest_url)
        assert rest("SET", "k" * 40_000, "v")[0] == rest("SLOWLOG", "GET")[0] == 200
