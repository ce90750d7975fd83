"""No script ends, stalls or outlives the process that runs it: the server's, or in process the user's own."""

import contextlib
import json
import signal
import socket
import sys
import threading
import time
import urllib.request

import pytest
import redis

import emulator
from conformance import servers
from emulator.protocol.client_side import encoded
from tests.script_attacks import ATTACKS

LIMIT = 30 << 20
LARGE = b"x" * (5 << 19)
WITH_LITTLE_MEMORY = f"""
import emulator.scripting.runtime as runtime
runtime._MEMORY_LIMIT = {LIMIT}
from emulator.__main__ import main
main()
"""
LOOPS = {
    "a loop": "while true do end",
    "a loop that has written": "redis.call('set', 'k', 'v') while true do end",
    "a loop that catches": "while true do pcall(function() while true do end end) end",
    "a loop in an error": "error(setmetatable({}, {__newindex = rawset, __index = function() while true do end end}))",
    "a loop of short threads": "local function f(d) if d > 0 then for _ = 1, 99 do coroutine.wrap(f)(d - 1) end end end f(9)",
    "a loop of commands": "while true do redis.pcall('ping') end",
}


class Raw:
    """A connection whose replies are bytes, however deep they are nested."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)

    def send(self, *words):
        self.socket.sendall(encoded(words))

    def ask(self, *words):
        """The reply with its last line, which a PING behind it marks."""
        self.send(*words)
        self.send(b"PING")
        data = b""
        while not data.endswith(b"+PONG\r\n"):
            more = self.socket.recv(1 << 20)
            assert more, "the server has gone"
            data += more
        return data.removesuffix(b"+PONG\r\n")

    def close(self):
        self.socket.close()


@pytest.fixture(scope="module")
def port():
    number = servers.free_port()
    command = [sys.executable, "-c", WITH_LITTLE_MEMORY, "--port", str(number), *servers.OPTIONS]
    with servers.running(command, number):
        yield number


@pytest.fixture
def raw(port):
    with contextlib.closing(Raw(port)) as connection:
        yield connection


@pytest.mark.parametrize("name", ATTACKS)
def test_a_server_lives_on(raw, name):
    source, text = ATTACKS[name]
    assert text in raw.ask(b"EVAL", source.encode(), b"0")
    assert raw.ask(b"EVAL", b"return 7", b"0") == b":7\r\n"


@pytest.mark.parametrize("name", ATTACKS)
def test_a_server_lives_on_after_a_function(raw, name):
    source, text = ATTACKS[name]
    raw.ask(b"FUNCTION", b"FLUSH")
    library = f"#!lua name=attack\nredis.register_function('attack', function() {source} end)"
    assert raw.ask(b"FUNCTION", b"LOAD", library.encode()) == b"$6\r\nattack\r\n"
    assert text in raw.ask(b"FCALL", b"attack", b"0")
    assert raw.ask(b"EVAL", b"return 7", b"0") == b":7\r\n"


# redis-py itself reads replies by recursion
@pytest.mark.parametrize("name", [name for name in ATTACKS if "a result beyond the stack" not in name])
def test_the_process_of_a_user_lives_on(monkeypatch, name):
    monkeypatch.setattr("emulator.scripting.runtime._MEMORY_LIMIT", LIMIT)
    source, text = ATTACKS[name]
    with emulator.connect() as client:
        try:
            reply = client.eval(source, 0)
        except redis.ResponseError as error:
            reply = error
        wanted = text.decode().lstrip(":-*")
        assert wanted in str(reply) or (wanted == "0" and not reply)
        assert client.eval("return 7", 0) == 7


def test_scripts_that_do_not_fit_are_refused(raw):
    raw.ask(b"SCRIPT", b"FLUSH")
    answers = [raw.ask(b"SCRIPT", b"LOAD", b"return '%d%b'" % (number, LARGE)) for number in range(20)]
    assert answers[0].startswith(b"$40") and answers[-1].endswith(b"not enough memory\r\n")
    assert raw.ask(b"EVAL", b"return 7", b"0") == b":7\r\n"
    assert raw.ask(b"SCRIPT", b"FLUSH") == b"+OK\r\n"
    assert raw.ask(b"SCRIPT", b"LOAD", b"return '%b'" % LARGE).startswith(b"$40")


GARBAGE = {
    "tables": "for _ = 1, 3 do local t = {} for i = 1, 150000 do t = {t} end end return 7",
    "texts": "for i = 1, 9 do local t = {} for j = 1, 100 do t[j] = i .. j .. string.rep('x', 100000) end end return 7",
    "values": "redis.call('set', 'k', string.rep('x', 6000000)) for i = 1, 9 do redis.call('get', 'k') end return 7",
    "answers": "for i = 1, 9 do redis.sha1hex(string.rep('x', 5000000) .. i) end return 7",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_no_want_of_memory(raw, kind):
    assert raw.ask(b"EVAL", GARBAGE[kind].encode(), b"0") == b":7\r\n"


def test_scripts_of_eval_make_room_for_one_that_runs(raw):
    raw.ask(b"SCRIPT", b"FLUSH")
    for number in range(7):
        raw.ask(b"EVAL", b"return #'%d%b'" % (number, LARGE), b"0")
    assert raw.ask(b"EVAL", GARBAGE["tables"].encode(), b"0") == b":7\r\n"


def test_scripts_of_eval_make_room(raw):
    raw.ask(b"SCRIPT", b"FLUSH")
    for number in range(20):
        reply = raw.ask(b"EVAL", b"return #'%d%b'" % (number, LARGE), b"0")
        assert reply == b":%d\r\n" % (len(LARGE) + len(str(number)))
    assert raw.ask(b"EVAL", b"return 7", b"0") == b":7\r\n"


def test_arguments_that_do_not_fit_are_refused(raw):
    assert raw.ask(b"EVAL", b"return #ARGV", b"0", *[LARGE] * 4) == b":4\r\n"
    assert raw.ask(b"EVAL", b"return #ARGV", b"0", *[LARGE] * 20) == b"-ERR not enough memory\r\n"
    assert raw.ask(b"EVAL", b"return #KEYS", b"20", *[LARGE] * 20) == b"-ERR not enough memory\r\n"
    assert raw.ask(b"EVAL", b"return #ARGV", b"0", *[b"x"] * 100_000) == b":100000\r\n"
    assert raw.ask(b"EVAL", b"return 7", b"0") == b":7\r\n"


def test_libraries_that_do_not_fit_are_refused(raw):
    raw.ask(b"FUNCTION", b"FLUSH")
    code = b"#!lua name=lib%d\nlocal text = '%b%d' redis.register_function('f%d', function() return #text end)"
    answers = [raw.ask(b"FUNCTION", b"LOAD", code % (number, LARGE, number, number)) for number in range(20)]
    assert answers[0] == b"$4\r\nlib0\r\n" and answers[-1].endswith(b"not enough memory\r\n")
    assert raw.ask(b"FCALL", b"f0", b"0") == b":%d\r\n" % (len(LARGE) + 1)
    dumped = raw.ask(b"FUNCTION", b"DUMP").partition(b"\r\n")[2][:-2]
    assert raw.ask(b"FUNCTION", b"RESTORE", dumped, b"FLUSH") == b"+OK\r\n"
    assert raw.ask(b"FCALL", b"f0", b"0") == b":%d\r\n" % (len(LARGE) + 1)
    endless = b"#!lua name=endless\nlocal t = {} while true do t[#t + 1] = {} end"
    assert b"not enough memory" in raw.ask(b"FUNCTION", b"LOAD", endless)
    assert raw.ask(b"FCALL", b"f0", b"0") == b":%d\r\n" % (len(LARGE) + 1)
    raw.ask(b"FUNCTION", b"FLUSH")


def test_results_as_deep_as_redis_has_them(raw):
    for levels, end in ((1900, b":1\r\n"), (7993, b":1\r\n"), (7994, b"-ERR reached lua stack limit\r\n")):
        reply = raw.ask(b"EVAL", b"local t = {1} for _ = 1, %d do t = {t} end return t" % levels, b"0")
        assert reply == b"*1\r\n" * (levels + 1) + end
    reply = raw.ask(b"EVAL", b"local t = {1} for _ = 1, 2665 do t = {map = {a = t}} end return t", b"0")
    assert reply == b"*2\r\n$1\r\na\r\n" * 2664 + b"*2\r\n" + b"-ERR reached lua stack limit\r\n" * 2


def test_results_as_deep_as_redis_has_them_by_rest():
    with emulator.Server() as server:
        source = "local t = {1} for _ = 1, 1900 do t = {{t, 2}, {}} end return {map = {a = t}}"
        body = b'["EVAL", "%b", "0"]' % source.encode()
        request = urllib.request.Request(server.rest_url, body, {"Authorization": f"Bearer {server.rest_token}"})
        with urllib.request.urlopen(request) as reply:
            assert reply.read() == b'{"result":["a",' + b"[[" * 1900 + b"[1]" + b",2],[]]" * 1900 + b"]}"


# The end


@contextlib.contextmanager
def looping(script):
    """A server process in which a script is busy, and a connection to it."""
    number = servers.free_port()
    command = servers.emulator_command(number, "--busy-reply-threshold", "20")
    with (
        servers.running(command, number) as process,
        contextlib.closing(Raw(number)) as busy,
        contextlib.closing(Raw(number)) as other,
    ):
        busy.send(b"EVAL", script.encode(), b"0")
        while not _line(other, b"PING").startswith(b"-BUSY"):
            pass
        yield process, other


def _line(connection, *words):
    connection.send(*words)
    data = b""
    while not data.endswith(b"\r\n"):
        more = connection.socket.recv(1 << 16)
        if not more:
            return b""
        data += more
    return data


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_waits_for_the_script(number):
    with looping("while true do end") as (process, other):
        process.send_signal(number)
        for _ in range(20):
            assert _line(other, b"PING").startswith(b"-BUSY")
        assert process.poll() is None
        assert _line(other, b"SHUTDOWN").startswith(b"-BUSY")
        assert _line(other, b"SCRIPT", b"KILL") == b"+OK\r\n"
        assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_does_not_wait(number):
    with looping("redis.call('set', 'k', 'v') while true do end") as (process, other):
        process.send_signal(number)
        assert _line(other, b"SCRIPT", b"KILL").startswith(b"-UNKILLABLE")
        process.send_signal(number)
        assert process.wait(20) == 1


PATTERN = b"redis.log(redis.LOG_WARNING, 'begun') return string.find(string.rep('a', 3000), string.rep('a-', 8) .. 'b')"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_heard_while_a_function_of_lua_runs(number, tmp_path):
    port, log = servers.free_port(), tmp_path / "log"
    with (
        servers.running(servers.emulator_command(port, "--logfile", str(log)), port) as process,
        contextlib.closing(Raw(port)) as busy,
    ):
        busy.send(b"EVAL", PATTERN, b"0")
        for sign in ("begun", "scheduling shutdown"):
            while sign not in log.read_text():
                time.sleep(0.001)
            process.send_signal(number)
        assert process.wait(20) == 1


@pytest.mark.parametrize("script", LOOPS.values(), ids=LOOPS)
def test_shutdown_does_not_wait(script):
    with looping(script) as (process, other):
        assert _line(other, b"SHUTDOWN", b"SAVE").startswith(b"-BUSY")
        assert _line(other, b"SHUTDOWN", b"NOSAVE") == b""
        assert process.wait(20) == 0


@pytest.mark.parametrize("keyspace", [False, True], ids=["main", "keyspace"])
@pytest.mark.parametrize("script", LOOPS.values(), ids=LOOPS)
def test_a_server_in_python_ends_while_a_script_loops(script, keyspace):
    with emulator.Server() as server:
        handle = server.keyspace("one") if keyspace else server
        handle.command("SET", "k", "v")  # so that the keyspace is there, which two threads would make twice
        looper = threading.Thread(target=_loop, args=(handle.connect(retry=None), script))
        looper.start()
        while not _runs(server, keyspace):
            assert looper.is_alive()
            time.sleep(0.001)
    looper.join(20)
    assert not looper.is_alive()


def _runs(server, keyspace):
    engine = server._server.engine
    engine = engine.keyspaces.open(b"one") if keyspace else engine
    lua = engine.scripting._lua
    return lua is not None and lua.current is not None


def _loop(client, script):
    with contextlib.suppress(redis.RedisError):
        client.eval(script, 0)


class Http:
    """A connection to the REST API, on which requests are sent before earlier ones are answered."""

    def __init__(self, server):
        self._token = server.rest_token
        host, _, port = server.rest_url.removeprefix("http://").partition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)

    def send(self, body, path="/"):
        data = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self._token}\r\n"
        self.socket.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def read_until(self, end):
        data = b""
        while not data.endswith(end):
            more = self.socket.recv(1 << 16)
            assert more, data
            data += more
        return data

    def ask(self, *words):
        self.send(list(words))
        return self.read_until(b"}")

    def close(self):
        self.socket.close()


LOOP = ["EVAL", "while true do end", "0"]


@pytest.mark.parametrize("pipeline", [False, True], ids=["alone", "in a task"])
def test_a_script_of_rest_leaves_the_others_their_turn(pipeline, caplog):
    with (
        emulator.Server(busy_reply_threshold=20) as server,
        contextlib.closing(Http(server)) as busy,
        contextlib.closing(Http(server)) as other,
    ):
        if pipeline:
            busy.send([["GET", "k"]] * 1000 + [LOOP], "/pipeline")
        else:
            busy.send(LOOP)
        while b"BUSY" not in other.ask("GET", "k"):
            pass
        busy.send(["GET", "k"])
        assert b"BUSY" in other.ask("GET", "k")
        other.send([["GET", "k"]] * 1000, "/pipeline")
        assert other.read_until(b"}]").count(b"BUSY") == 1000
        assert b"OK" in other.ask("SCRIPT", "KILL")
        assert b"Script killed by user" in busy.read_until(b'{"result":null}')
        busy.send([["GET", "k"]] * 1000 + [LOOP] if pipeline else LOOP, "/pipeline" if pipeline else "/")
        while b"BUSY" not in other.ask("GET", "k"):
            pass
    assert "Exception" not in caplog.text


def test_two_keyspaces_may_be_busy_at_once(caplog):
    with emulator.Server(busy_reply_threshold=20) as server:
        loopers = []
        for name in ("one", "other"):
            client = server.keyspace(name).connect(retry=None)
            loopers.append(threading.Thread(target=_loop, args=(client, "while true do end")))
            loopers[-1].start()
            waiting = server.keyspace(name).connect(retry=None)
            while True:
                try:
                    waiting.ping()
                except redis.ResponseError:
                    break
        for name in ("one", "other"):
            assert server.keyspace(name).connect().execute_command("SCRIPT KILL")
        for looper in loopers:
            looper.join(20)
            assert not looper.is_alive()
    assert "Exception" not in caplog.text


def test_function_stats_tell_what_was_sent():
    library = "#!lua name=lib\nredis.register_function('Loop', function() while true do end end)"
    with emulator.Server(busy_reply_threshold=20) as server:
        client, other = server.connect(retry=None, protocol=3), server.connect(protocol=3)
        client.function_load(library)
        with contextlib.closing(Raw(server.port)) as caller:
            caller.send(b"fCall", b"lOOP", b"0", b"x")
            while (running := other.execute_command("FUNCTION STATS")[b"running_script"]) is None:
                pass
            assert running[b"name"] == b"Loop" and running[b"command"] == [b"fCall", b"lOOP", b"0", b"x"]
            assert other.function_kill()


def test_ctrl_c_ends_a_script_in_process(client, monkeypatch):
    def interrupted(session, *words):
        raise KeyboardInterrupt

    monkeypatch.setattr(client.engine.commands[b"echo"], "fn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.play("EVAL \"while true do redis.pcall('echo', 'x') end\" 0")
    client.received()
    assert client.play('EVAL "return 7" 0') == b":7\r\n"


def test_scripts_leave_no_cycles(client):
    import gc

    def play():
        for source in ("return {1,{2}}", "error('x')", "return (", "return redis.call('nope')", "return {{err='A b'}}"):
            client.play(f'EVAL "{source}" 0')
        client.play("SCRIPT FLUSH")

    play()
    gc.collect()
    play()
    assert gc.collect() == 0
