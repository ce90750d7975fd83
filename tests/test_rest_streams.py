"""Subscriptions and MONITOR as server-sent events."""

import pytest

import emulator
from emulator.rest.tokens import token_of
from tests.rest import TOKEN, WAYS, Rest, gateway

pytest.importorskip("h11")


def started():
    return emulator.Server(rest_port="auto", rest_token=TOKEN, rest_readonly_token="ro")


@pytest.fixture
def server():
    with started() as server:
        yield server


@pytest.fixture
def rest(server):
    return Rest(server.rest_url)


@pytest.fixture(scope="module")
def shared():
    """A server for tests that leave it as it was."""
    with started() as server:
        yield server


@pytest.fixture(scope="module", params=WAYS)
def either(request, shared):
    """The REST API of an engine, and that of a gateway to it."""
    if request.param == "engine":
        yield Rest(shared.rest_url)
    else:
        with gateway(shared.url, "--rest-readonly-token", "ro") as url:
            yield Rest(url)


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_subscription(shared, either, method):
    with either.events("/subscribe/chat", method) as events:
        assert events.status == 200 and events.headers["content-type"] == "text/event-stream"
        assert events.headers["cache-control"] == "no-cache" and events.headers["access-control-allow-origin"] == "*"
        assert events.next() == b"data: subscribe,chat,1\n\n"
        client = shared.connect()
        assert client.pubsub_numsub("chat") == [(b"chat", 1)]
        assert client.publish("chat", '{"n":1,"t":"a, b"}') == 1
        assert events.next() == b'data: message,chat,{"n":1,"t":"a, b"}\n\n'
        assert either("PUBLISH", "chat", "two\nlines") == (200, {"result": 1})
        assert events.next() == b"data: message,chat,two\ndata: lines\n\n"
    while client.pubsub_numsub("chat") != [(b"chat", 0)]:
        pass


def test_patterns_and_several_channels(shared, either):
    with either.events("/psubscribe/user:%2A") as events, either.events("/subscribe/a/b") as several:
        assert events.next() == b"data: psubscribe,user:*,1\n\n"
        assert [several.next(), several.next()] == [b"data: subscribe,a,1\n\n", b"data: subscribe,b,2\n\n"]
        either("PUBLISH", "user:7", "hello")
        assert events.next() == b"data: pmessage,user:*,user:7,hello\n\n"
        either("PUBLISH", "b", "x")
        assert several.next() == b"data: message,b,x\n\n"


def test_a_question_mark_in_a_name(either):
    with either.events("/psubscribe/a?c") as events:
        assert events.next() == b"data: psubscribe,a?c,1\n\n"


def test_a_large_message_of_any_bytes(shared, either):
    payload = bytes(range(256)) * 8000
    with either.events("/subscribe/c") as events:
        events.next()
        shared.connect().publish("c", payload.replace(b"\n", b"").replace(b"\r", b""))
        received = events.next()
    assert received == b"data: message,c," + payload.replace(b"\n", b"").replace(b"\r", b"") + b"\n\n"


def test_monitor(shared, either):
    with either.events("/monitor") as events:
        assert events.next() == b'data: "OK"\n\n'
        shared.connect(driver_info=None, protocol=2).get("k")
        line = events.next()
        assert line.startswith(b"data: ") and line.endswith(b'"GET" "k"\n\n') and b"[0 127.0.0.1:" in line
        either("GET", "r")
        while not line.endswith(b'"GET" "r"\n\n'):
            line = events.next()


def test_a_stream_on_which_nothing_happens_is_kept_alive(rest, monkeypatch):
    monkeypatch.setattr("emulator.rest.http._KEEP_ALIVE_SECONDS", 0.01)
    with rest.events("/subscribe/c") as events:
        assert events.next() == b"data: subscribe,c,1\n\n"
        assert [events.next() for _ in range(3)] == [b": keepalive\n\n"] * 3


def test_the_answer_to_head_is_over_at_once(either):
    assert either.request("HEAD", "/subscribe/c")[:2] == (200, b"")


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [("/subscribe/c", "wrong", 401), ("/subscribe/c", "ro", 400), ("/monitor", "ro", 400), ("/subscribe", TOKEN, 400)],
)
def test_who_may_not_listen(either, path, token, status):
    assert Rest(f"http://{either.host}:{either.port}", token).post(path)[0] == status


def test_who_reads_too_slowly_is_cut_off(server, rest):
    server.connect().config_set("client-output-buffer-limit", "pubsub 1mb 0 0")
    with rest.events("/subscribe/c") as events:
        events.next()
        client = server.connect()
        while client.publish("c", b"x" * 500_000):
            pass
        assert client.pubsub_numsub("c") == [(b"c", 0)]


@pytest.mark.parametrize(
    ("path", "words", "answer"),
    [
        ("/subscribe/c", "ACL DELUSER eve", 1),
        ("/monitor", "ACL DELUSER eve", 1),
        ("/subscribe/c", "CLIENT KILL USER eve", 1),
        ("/monitor", "CLIENT KILL USER eve", 1),
        ("/subscribe/c", "ACL SETUSER eve resetchannels", b"OK"),
    ],
)
def test_a_stream_ends_with_its_user(server, rest, path, words, answer):
    client = server.connect()
    client.execute_command("ACL", "SETUSER", "eve", "on", ">secret", "~*", "&*", "+@all")
    with rest.events(path, token=token_of(b"eve", b"secret").decode()) as events:
        events.next()
        assert client.execute_command(*words.split()) == answer
        while events.next() is not None:
            pass
    assert client.pubsub_numsub("c") == [(b"c", 0)]
    assert ("eve" in client.acl_users()) is ("DELUSER" not in words)


def test_streams_end_with_the_server(rest, server):
    with rest.events("/subscribe/c") as events:
        events.next()
        server.run(lambda engine: engine.request_shutdown())
        assert events.next() is None
