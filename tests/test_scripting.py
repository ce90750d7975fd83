"""Lua scripts: what they cannot reach, what bounds them, and that they leave nothing behind."""

import asyncio
import gc

import pytest

from emulator.protocol.client_side import encoded
from emulator.scripting.bytecode import without_tail_calls
from emulator.scripting.runtime import Lua


@pytest.fixture
def lua(client):
    def evaluate(source):
        from emulator.core.dispatch import run as dispatch

        dispatch(client.session, [[b"EVAL", source.encode(), b"0"]], 0, 1)
        return client.received()

    return evaluate


UNREACHABLE = [
    "io", "os.execute", "os.getenv", "os.exit", "os.remove", "package", "require", "module", "dofile", "loadfile", "debug",
    "print", "getfenv", "setfenv", "newproxy", "python", "python.eval", "python.builtins",
]  # fmt: skip


@pytest.mark.parametrize("name", UNREACHABLE)
def test_what_is_not_there(lua, name):
    reply = lua(f"return type({name})")
    assert b"nonexistent global variable" in reply or b"attempt to index" in reply or reply == b"$3\r\nnil\r\n"


ESCAPES = {
    "bytecode": "return tostring(loadstring(string.dump(function() end)))",
    "bytecode in pieces": "local d = string.dump(function() end) local n = 0 "
    "return tostring(load(function() n = n + 1 return d:sub(n, n) end))",
    "the library of Debian's package": "return package.loadlib('/usr/lib/liblua5.1.so.0', 'luaopen_io')",
    "the globals of a loaded chunk": "loadstring('x = 1')() return 'escaped'",
    "the globals of a coroutine": "coroutine.wrap(function() y = 1 end)() return 'escaped'",
    "an assignment to a library": "string.rep = nil return 'escaped'",
    "rawset": "rawset(redis, 'call', nil) return 'escaped'",
    "rawset of the globals": "rawset(_G, 'x', 1) return 'escaped'",
    "setmetatable": "setmetatable(redis, nil) return 'escaped'",
    "the metatable of strings": "getmetatable('').__index = function() return 1 end return 'escaped'",
    "the metatable of strings, its index": "getmetatable('').__index.rep = 1 return 'escaped'",
    "the metatable of the globals": "getmetatable(_G).__index = nil return 'escaped'",
    "table.insert": "table.insert(redis, 1) return 'escaped'",
    "a loop over a library": "for k, v in pairs(string) do string[k] = nil end return 'escaped'",
    "the table behind a proxy": "local _, t = pairs(redis) t.call = nil return 'escaped'",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes_that_are_known(lua, name):
    assert lua(ESCAPES[name])[:1] == b"-" or lua(ESCAPES[name]) == b"$3\r\nnil\r\n"
    assert lua("return {type(redis.call), type(string.rep), type(x), ('a'):rep(2)}")[:1] == b"-"
    assert lua("return {type(redis.call), type(string.rep), ('a'):rep(2)}") == (
        b"*3\r\n$8\r\nfunction\r\n$8\r\nfunction\r\n$2\r\naa\r\n"
    )


def test_no_object_of_the_host_is_handed_out(lua):
    source = """
    local seen, found = {}, {}
    local function visit(value)
      if type(value) == 'userdata' and value ~= cjson.null then found[#found + 1] = tostring(value) end
      if type(value) ~= 'table' or seen[value] then return end
      seen[value] = true
      for key, item in pairs(value) do visit(key) visit(item) end
      local behind = getmetatable(value)
      if behind then visit(behind) end
    end
    visit(_G)
    for _, call in ipairs({math.randomseed, redis.sha1hex, redis.log, bit.tobit, struct.pack, cmsgpack.unpack}) do
      for _, argument in ipairs({1 / 0, 0 / 0, '', {}, _G, print_nothing and 1 or true}) do
        local outcome = {pcall(call, argument, argument)}
        for _, item in ipairs(outcome) do visit(item) end
      end
    end
    return found
    """.replace("print_nothing and 1 or ", "")
    assert lua(source) == b"*0\r\n"


BOUNDED = {
    "memory by doubling": ("local s = 'x' while true do s = s .. s end", b"not enough memory"),
    "memory by tables": ("local t = {} while true do t[#t + 1] = {t} end", b"not enough memory"),
    "recursion": ("local function f() return 1 + f() end return f()", b"stack overflow"),
    "tail calls": ("local function f() return f() end return f()", b"stack overflow"),
    "recursion through pcall": ("local function f() local k, e = pcall(f) if not k then error(e, 0) end end f()", b"over"),
    "recursion of metamethods": ("local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k) return s[k] end "
                                 "return t.x", b"overflow"),
    "a chain of index tables": ("local t = {} t.__index = t setmetatable(t, t) return t.x", b"loop in gettable"),
    "a deep pattern": ("return string.find(string.rep('a', 1000000), string.rep('a?', 1000000))", b"pattern too complex"),
    "a deep table for cjson": ("local t = {} for _ = 1, 200000 do t = {t} end return cjson.encode(t)", b"excessive nesting"),
    "a deep text for cjson": ("return cjson.decode(string.rep('[', 1000000))", b"too many nested"),
    "results": ("return {unpack({}, 1, 10000000)}", b"too many results"),
    "nested source": ("return tostring(loadstring('return ' .. string.rep('{', 100000)))", b"nil"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDED)
def test_what_bounds_a_script(lua, name, monkeypatch):
    monkeypatch.setattr("emulator.scripting.runtime._MEMORY_LIMIT", 60 << 20)
    source, text = BOUNDED[name]
    assert text in lua(source)
    assert lua("return 7") == b":7\r\n"


def test_results_that_never_end(lua):
    reply = lua("local t = {} t[1] = t return t")
    assert reply.startswith(b"*1\r\n" * 7000)
    assert reply.endswith(b"-ERR reached lua stack limit\r\n")


def test_the_collector_cannot_be_stopped(lua):
    lua("collectgarbage('stop')")
    lua("for _ = 1, 100000 do local t = {} end")
    before = lua("return collectgarbage('count')")
    for _ in range(20):
        lua("for _ = 1, 100000 do local t = {} end")
    assert int(lua("return collectgarbage('count')")[1:]) < 20 * int(before[1:])


@pytest.mark.slow
def test_many_scripts_and_many_calls_leave_memory_flat(client, lua):
    scripting = client.engine.scripting
    for number in range(3000):
        lua(f"return {{{number}, redis.call('incr', 'n')}}")
    assert len(scripting.scripts) == 500
    lua("collectgarbage()")
    gc.collect()
    before = sum(scripting.vm_memory)
    objects = len(gc.get_objects())
    for number in range(3000, 9000):
        lua(f"return {{{number}, redis.call('incr', 'n')}}")
    lua("collectgarbage()")
    gc.collect()
    assert sum(scripting.vm_memory) < 1.01 * before
    assert len(gc.get_objects()) < objects + 2000
    assert scripting.evicted == 9000 + 2 - 500


def test_scripts_that_were_loaded_are_kept(client, lua):
    name = client.play('SCRIPT LOAD "return 42"').split(b"\r\n")[1].decode()
    for number in range(600):
        lua(f"return {number}")
    assert client.play(f"EVALSHA {name} 0") == b":42\r\n"


def test_a_bug_in_a_command_is_an_error_for_the_script(client, lua, monkeypatch, caplog):
    def broken(session, key):
        raise RuntimeError("a bug")

    monkeypatch.setattr(client.engine.commands[b"get"], "fn", broken)
    assert b"internal error" in lua("return redis.call('get', 'k')")
    assert "a bug" in caplog.text


def test_lua_is_only_loaded_when_it_is_needed(client):
    client.play("PING")
    assert client.engine.scripting._lua is None


def test_random_numbers_are_the_same_for_each_server():
    first, second = Lua(), Lua()
    for runtime in (first, second):
        assert runtime.compile(b"return math.random(1000000)")() == 396465


def test_compiled_chunks_without_tail_calls():
    runtime = Lua()
    chunk = runtime.compile(b"local function f(...) return ... end return f(1, f(2, 3))")
    assert chunk() == (1, 2, 3)
    with pytest.raises(Exception):  # noqa: B017
        without_tail_calls(b"no chunk")


async def _call(port, *words):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(encoded(words))
    return reader, writer


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(pcall, function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
        "while true do xpcall(function() error('x') end, function() while true do end end) end",
        "return setmetatable({}, {__index = function() while true do end end}).x",
        "while true do redis.call('ping') end",
    ],
)
def test_a_script_that_does_not_end_is_stopped(serve, script):
    async def scenario(server):
        running, kept = await _call(server.port, b"EVAL", script.encode(), b"0")
        other, writer = await _call(server.port, b"PING")
        while (reply := await other.readline()) == b"+PONG\r\n":
            writer.write(b"*1\r\n$4\r\nPING\r\n")
        assert reply.startswith(b"-BUSY")
        new, _ = await _call(server.port, b"SCRIPT", b"KILL")
        assert await new.readline() == b"+OK\r\n"
        assert (await running.readline()).startswith(b"-ERR Script killed by user with SCRIPT KILL...")
        kept.write(b"*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n")
        assert await running.readline() == b":1\r\n"

    serve(scenario, busy_reply_threshold=5)


def test_a_script_that_has_written_is_not_stopped_but_by_shutdown(serve):
    async def scenario(server):
        _, kept = await _call(server.port, b"EVAL", b"redis.call('set', 'k', 1) while true do end", b"0")
        while True:
            other, _ = await _call(server.port, b"SCRIPT", b"KILL")
            reply = await other.readline()
            if not reply.startswith(b"-NOTBUSY"):
                break
        assert reply.startswith(b"-UNKILLABLE")
        await _call(server.port, b"SHUTDOWN", b"NOSAVE")
        await server.wait_closed()
        kept.close()

    serve(scenario, busy_reply_threshold=5)
