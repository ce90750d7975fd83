"""The REST API as an HTTP server: connections that stay, bodies in pieces, limits, browsers, and how it ends."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading

import pytest
import redis

import emulator
from emulator.core.engine import Engine
from emulator.rest import http as rest_http
from emulator.rest.http import HttpConnection
from emulator.rest.local import LocalStream
from emulator.sockets.transport import SocketTransport
from tests import torn_http
from tests.rest import TOKEN, Rest, gateway
from tests.waiting import all_gone

pytest.importorskip("h11")

HEAD = f"Host: x\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.fixture(scope="module")
def server():
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        yield server


@pytest.fixture
def rest(server):
    server.connect().flushall()
    return Rest(server.rest_url)


def answers(connection, count):
    """So many answers from a socket: status and body."""
    found = []
    with connection.makefile("rb") as file:
        for _ in range(count):
            status = int(file.readline().split()[1])
            size = 0
            while (line := file.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    size = int(line.split()[1])
            found.append((status, file.read(size)))
        found.append(file.read() if count == 0 else None)
    return found[:count]


def test_many_requests_on_a_connection(rest):
    connection = http.client.HTTPConnection(rest.host, rest.port)
    for number in range(50):
        connection.request("POST", "/", '["INCR","n"]', {"Authorization": "Bearer dev"})
        assert json.loads(connection.getresponse().read()) == {"result": number + 1}


def test_requests_one_behind_the_other_without_waiting(rest):
    one = f"POST /incr/n HTTP/1.1\r\n{HEAD}Content-Length: 0\r\n\r\n"
    big = json.dumps([["INCR", "n"]] * 600)
    long = f"POST /pipeline HTTP/1.1\r\n{HEAD}Content-Length: {len(big)}\r\n\r\n{big}"
    with rest.raw() as connection:
        connection.sendall((one * 3 + long + one).encode())
        found = answers(connection, 5)
    assert [body for _, body in found[:3]] == [b'{"result":%d}' % number for number in (1, 2, 3)]
    assert len(json.loads(found[3][1])) == 600 and found[4][1] == b'{"result":604}'


def test_a_body_in_chunks(rest):
    body = b'5\r\n["SET\r\n9\r\n","k","v"\r\n1;x=y\r\n]\r\n0\r\nTrailer: x\r\n\r\n'
    with rest.raw() as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        for byte in body:
            connection.sendall(bytes([byte]))
        assert answers(connection, 1) == [(200, b'{"result":"OK"}')]


def test_who_asks_first_whether_the_body_is_welcome(rest):
    with rest.raw() as connection:
        connection.sendall(f"POST / HTTP/1.1\r\n{HEAD}Expect: 100-continue\r\nContent-Length: 8\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b'["PING"]')
        assert answers(connection, 1) == [(200, b'{"result":"PONG"}')]


@pytest.mark.parametrize("head", ["GET /ping HTTP/1.0\r\n", "GET /ping HTTP/1.1\r\nConnection: close\r\n"])
def test_connections_that_end_with_the_answer(rest, head):
    with rest.raw() as connection:
        connection.sendall(f"{head}{HEAD}\r\n".encode())
        received = b""
        while data := connection.recv(1000):
            received += data
    assert received.endswith(b'{"result":"PONG"}')


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GARBAGE\r\n\r\n", 400),
        ("GET /ping HTTP/3.0\r\nHost: x\r\n\r\n", 505),
        ("GET /ping HTTP/1.1\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 8\r\nContent-Length: 9\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{HEAD}Content-Length: -1\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 8\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: gzip\r\n\r\n", 501),
        (f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (f"GET /{'a' * 300_000}", 431),
        (f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 100000000\r\n\r\n", 413),
    ],
)
def test_what_is_no_request_is_refused_and_closed(rest, request_text, status):
    with rest.raw() as connection:
        connection.sendall(request_text.encode())
        received = b""
        while data := connection.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status) and "error" in json.loads(body)
    assert rest("PING") == (200, {"result": "PONG"})


def test_a_hundred_megabytes(rest):
    status, body, _ = rest.request("POST", "/set/k", b"x" * 60_000_000)
    assert (status, body) == (200, b'{"result":"OK"}')
    with rest.raw() as connection:
        connection.sendall(f"POST /set/k HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
        try:
            for _ in range(100):
                connection.sendall(piece)
        except OSError:
            pass
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert rest("STRLEN", "k") == (200, {"result": 60_000_000})


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b'{"a":' * 100_000, b'["GET","\xff\xfe"]', b"\xff" * 100, b'["GET",' + b"9" * 100_000 + b"]"],
)
def test_strange_bodies(rest, body):
    assert rest.request("POST", "/", body)[0] in (200, 400)
    assert rest.request("POST", "/pipeline", body)[0] in (200, 400)


def test_a_slow_sender_is_told_so(server, rest, monkeypatch):
    monkeypatch.setattr(rest_http, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(rest_http, "_SECONDS_TO_SEND", 0.05)

    def answer():
        """Nothing where the machine is so busy that the connection counts as idle before the head is there."""
        with rest.raw() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(f"POST / HTTP/1.1\r\n{HEAD}Content-Length: 8\r\n\r\n[".encode())
            return connection.recv(1000)

    assert next(filter(None, iter(answer, object()))).startswith(b"HTTP/1.1 408 ")
    with rest.raw() as connection:
        assert connection.recv(1000) == b""


# Browsers


@pytest.mark.parametrize("path", ["/", "/pipeline", "/multi-exec", "/subscribe/x", "/get/k", "/nosuch"])
def test_a_preflight_for_each_path(server, path):
    headers = {
        "Origin": "http://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,upstash-encoding,upstash-sync-token",
        "Access-Control-Request-Private-Network": "true",
    }
    status, body, found = Rest(server.rest_url, None).request("OPTIONS", path, None, headers)
    assert (status, body) == (200, b"")
    assert found["access-control-allow-origin"] == "http://app.example"
    assert found["access-control-allow-headers"] == headers["Access-Control-Request-Headers"]
    assert found["access-control-allow-methods"] == "GET, POST, PUT, HEAD, OPTIONS"
    assert found["access-control-allow-credentials"] == found["access-control-allow-private-network"] == "true"
    assert found["access-control-max-age"] == "86400"


@pytest.mark.parametrize(
    ("method", "path", "token"),
    [("GET", "/get/k", TOKEN), ("GET", "/get", TOKEN), ("GET", "/get/k", None), ("DELETE", "/", TOKEN)],
)
def test_every_answer_may_be_read_by_a_browser(server, method, path, token):
    rest = Rest(server.rest_url, token)
    _, _, found = rest.request(method, path, None, {"Origin": "http://app.example"})
    assert found["access-control-allow-origin"] == "http://app.example"
    assert found["access-control-expose-headers"] == "Upstash-Sync-Token"
    assert rest.request(method, path)[2]["access-control-allow-origin"] == "*"


# Mishaps and the end


def test_a_bug_is_answered_and_logged(server, rest, monkeypatch, caplog):
    def broken(body):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("emulator.rest.call.command_of_body", broken)
    assert rest("PING") == (500, {"error": "ERR internal error"})
    assert "ZeroDivisionError" in caplog.text
    assert rest.request("GET", "/ping")[0] == 200


def test_faults_reach_the_rest_api(server, rest):
    server.faults.add("error", error="OOM no memory", command="set")
    assert rest("SET", "k", "v") == (400, {"error": "OOM no memory"})
    server.faults.clear()
    server.faults.add("drop-after", command="set", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        rest("SET", "k", "v")
    server.faults.clear()
    server.faults.add("delay", seconds=0.02, command="get")
    assert rest("GET", "k") == (200, {"result": "v"})
    server.faults.clear()


def test_a_command_that_is_done_otherwise_waits_while_the_server_is_paused(server, rest):
    server.connect().client_pause(30)
    assert rest("SCAN", 0, "WITHTYPE") == (200, {"result": ["0", []]})


def test_a_request_waits_while_the_server_is_paused(server, rest):
    client = server.connect()
    client.client_pause(30, all=False)
    assert rest("SET", "k", "v") == (200, {"result": "OK"})
    client.client_pause(30, all=False)
    assert rest.post("/multi-exec", '[["INCR","n"],["INCR","n"]]') == (200, [{"result": 1}, {"result": 2}])


def test_a_command_that_takes_a_thread_is_waited_for(server, rest):
    with emulator.Server() as other:
        rest("SET", "k", "v")
        assert rest("MIGRATE", other.host, other.port, "k", 0, 5000) == (200, {"result": "OK"})
        assert rest([["EXISTS", "k"], ["MIGRATE", other.host, other.port, "k", 0, 5000], ["PING"]])[1] == [
            {"result": 0},
            {"result": "NOKEY"},
            {"result": "PONG"},
        ]
        assert other.connect().get("k") == b"v"
    assert rest("WAIT", 5, 100_000) == (200, {"result": 0})


def test_what_runs_is_finished_when_the_server_ends():
    with emulator.Server(rest_port="auto", rest_token=TOKEN) as server:
        rest, client = Rest(server.rest_url), server.connect()
        client.client_pause(60_000, all=False)
        found = []
        asking = threading.Thread(target=lambda: found.append(rest("SET", "k", "v")))
        asking.start()
        idle = socket.create_connection((rest.host, rest.port))
        while not server.run(lambda engine: any(session.suspended for session in engine.sessions.values())):
            pass
        threading.Timer(0.1, client.client_unpause).start()
    asking.join()
    assert found == [(200, {"result": "OK"})] and idle.recv(10) == b""
    idle.close()


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /ping HTTP/1.1",
        "GET /subscribe/c HTTP/1.1",
        "GET /monitor HTTP/1.1",
        "NONSENSE",
        "GET /ping HTTP/1.1\r\nnone",
    ],
)
def test_connections_leave_nothing_that_only_a_full_collection_finds(server, request_line):
    host, _, port = server.rest_url.removeprefix("http://").rpartition(":")
    with all_gone(HttpConnection, LocalStream, SocketTransport):
        for _ in range(3):
            with socket.create_connection((host, int(port))) as client:
                client.sendall(f"{request_line}\r\n{HEAD}\r\n".encode())
                assert client.recv(9) == b"HTTP/1.1 "


async def rounds_until(finished):
    """How often the event loop comes round until then, which is how often others have their turn."""
    rounds = 0
    while not finished():
        rounds += 1
        await asyncio.sleep(0)
    return rounds


@pytest.mark.parametrize("words", [["INCR", "n"], ["SCAN", "0"]])
@pytest.mark.parametrize("size", [1_000, 10_000])
def test_a_long_pipeline_leaves_others_their_turn(words, size):
    async def scenario():
        transport, connection = torn_http.connection(Engine())
        body = json.dumps([words] * size)
        connection.data_received(f"POST /pipeline HTTP/1.1\r\n{HEAD}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        rounds = await rounds_until(lambda: not connection.busy)
        assert transport.written.count(b'"result"') == size
        return rounds

    assert asyncio.run(scenario()) >= size // 256


def test_many_requests_at_once_leave_others_their_turn():
    async def scenario():
        transport, connection = torn_http.connection(Engine())
        connection.data_received(f"POST /incr/n HTTP/1.1\r\n{HEAD}Content-Length: 0\r\n\r\n".encode() * 3000)
        return await rounds_until(lambda: b'{"result":3000}' in transport.written)

    assert asyncio.run(scenario()) >= 3000 // 32 - 1


def test_a_body_in_many_pieces_leaves_others_their_turn():
    async def scenario():
        transport, connection = torn_http.connection(Engine())
        pieces = b"1\r\nx\r\n" * 20_000
        connection.data_received(f"POST /set/k HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        connection.data_received(pieces + b"0\r\n\r\n")
        return await rounds_until(lambda: b'{"result":"OK"}' in transport.written)

    assert asyncio.run(scenario()) >= 20_000 // 256


def test_a_script_that_does_not_end_is_killed_by_rest(server, rest):
    server.connect().config_set("busy-reply-threshold", 20)
    found = []
    looping = threading.Thread(target=lambda: found.append(rest("EVAL", "while true do end", 0)))
    looping.start()
    while "BUSY" not in str(rest("GET", "k")):
        pass
    assert rest("SCRIPT", "KILL") == (200, {"result": "OK"})
    looping.join()
    assert found[0][0] == 400 and "Script killed by user" in found[0][1]["error"]
    assert rest("PING") == (200, {"result": "PONG"})


def test_http_that_no_client_should_send(caplog):
    assert asyncio.run(torn_http.throw(1000, seed=7)) < 1 << 18
    assert not caplog.records


def test_a_request_leaves_nothing_behind(server, rest):
    for _ in range(20):
        rest([["SET", "k", "v"], ["INCR", "k"], ["NOPE"]])
        rest.post("/multi-exec", '[["SET","k","v"],["NOPE"]]')
        rest.post("/multi-exec", '[["SET","k","v"]]')
    assert len(server.connect().client_list()) == 1
    assert server.run(lambda engine: (len(engine.databases[0].watchers), len(engine.databases[0].blocked))) == (0, 0)


def unfinished(rest, token, size, announced=True):
    """A connection that has sent the head of a request and some of its body, and what it is answered at once."""
    connection = socket.create_connection((rest.host, rest.port), 10)
    length = f"Content-Length: {size}\r\n" if announced else "Transfer-Encoding: chunked\r\n"
    head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{length}\r\n"
    connection.sendall(head.encode())
    return connection


def test_a_large_body_is_refused_before_it_comes_where_the_token_opens_nothing(rest):
    with unfinished(rest, "wrong", 20_000_000) as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_a_large_body_in_chunks_is_refused_once_it_is_large(rest):
    with unfinished(rest, "wrong", 0, announced=False) as connection:
        connection.sendall(b"11000\r\n" + b"x" * 0x11000 + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_a_small_body_is_taken_in_before_the_token_is_looked_at(rest):
    with unfinished(rest, "wrong", 2) as connection:
        connection.sendall(b"[]")
        assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_a_large_body_is_taken_in_where_the_token_opens_a_database(rest):
    assert rest("SET", "k", "x" * 1_000_000) == (200, {"result": "OK"})


def test_a_large_body_over_a_gateway(server):
    with gateway(server.url) as url:
        assert Rest(url)("SET", "k", "x" * 1_000_000) == (200, {"result": "OK"})
        with unfinished(Rest(url), "wrong", 20_000_000) as connection:
            assert connection.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_connections_of_all_ports_count_together():
    with emulator.Server(maxclients=3, rest_port="auto", rest_token=TOKEN) as server:
        rest = Rest(server.rest_url)
        first = server.connect()
        first.ping()
        with unfinished(rest, TOKEN, 2) as _, unfinished(rest, TOKEN, 2) as _:
            while server.run(lambda engine: server.rest.connection_count) < 2:
                pass
            assert rest("PING") == (503, {"error": "ERR max number of clients reached"})
            with pytest.raises(redis.ConnectionError, match="max number of clients"):
                server.connect(retry=None).ping()
            assert first.info("stats")["rejected_connections"] >= 2
            assert first.ping()
