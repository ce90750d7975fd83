"""Scripts that have broken a Lua or a Redis, and what each is answered with here.

The names are those of the public advisories, or say what is done; `test_script_safety` plays them in every way in.
"""

DOUBLED = "local s = string.rep('x', 2 ^ 20) for _ = 1, 40 do s = s .. s end return #s"
FILL = "local t = {} while pcall(function() t[#t + 1] = #t .. string.rep('x', 5000) end) do end "

ATTACKS: dict[str, tuple[str, bytes]] = {
    # The advisories, oldest first
    "CVE-2018-11218 cmsgpack, many arguments": (
        "local t = {} for i = 1, 4001 do t[i] = 1 end return cmsgpack.pack(unpack(t))",
        b"Too many arguments for MessagePack pack.",
    ),
    "CVE-2018-11218 cmsgpack, deep data": (
        "return cmsgpack.unpack(string.rep('\\145', 1000000) .. '\\1')",
        b"stack overflow (in function mp_decode_to_lua_array)",
    ),
    "CVE-2018-11219 struct, a size that overflows": ("return struct.pack('i2147483648', 1)", b"integral size overflow"),
    "CVE-2018-11219 struct, sizes that overflow together": (
        "return struct.unpack(string.rep('c2147483647', 3), 'x')",
        b"data string too short",
    ),
    "CVE-2020-14147 struct, digits without end": (
        "return struct.pack('>I2147483648', 10)",
        b"integral size overflow",
    ),
    "CVE-2021-32626 arguments beyond the stack": (
        "local t = {} for i = 1, 9000 do t[i] = 'x' end return redis.call('del', unpack(t))",
        b"too many results to unpack",
    ),
    "CVE-2021-32626 a result beyond the stack": (
        "local t = {1} for _ = 1, 30000 do t = {t} end return t",
        b"-ERR reached lua stack limit",
    ),
    "CVE-2021-32626 cjson beyond the stack": (
        "cjson.encode_max_depth(2147483647) local t = {} for _ = 1, 200000 do t = {t} end return cjson.encode(t)",
        b"overflow",
    ),
    "CVE-2021-32626 cjson, reading beyond the stack": (
        "cjson.decode_max_depth(2147483647) return cjson.decode(string.rep('[', 1000000))",
        b"overflow",
    ),
    "CVE-2022-0543 the library of packages": ("return package.loadlib('x', 'y')", b"nonexistent global variable"),
    "CVE-2022-24735 a function put into the globals": ("rawset(_G, 'x', 1) return 1", b"readonly table"),
    "CVE-2022-24736 a loaded chunk without a world": (
        "return loadstring('return x')()",
        b"nonexistent global variable",
    ),
    "CVE-2022-24736 nothing where a table is wanted": ("return table.concat(nil)", b"table expected, got nil"),
    "CVE-2022-24834 cjson, a long text of escapes": (
        "return #cjson.encode({string.rep('\\1', 300000)})",
        b":1800004",
    ),
    "CVE-2022-24834 cmsgpack, a long text": ("return #cmsgpack.pack(string.rep('x', 10000000))", b":10000005"),
    "CVE-2022-35977 SETRANGE": (
        "return redis.call('setrange', 'k', 2^62, 'x')",
        b"string exceeds maximum allowed size",
    ),
    "CVE-2022-35977 SORT": (
        "redis.call('rpush', 'l', 1) return redis.call('sort', 'l', 'limit', '2', '9223372036854775807')",
        b"*0",
    ),
    "CVE-2024-31449 bit.tohex": ("return bit.tohex(65535, -2147483648)", b"0000FFFF"),
    "CVE-2024-46981 the collector within metamethods": (
        "local t = setmetatable({}, {__index = function(_, k) collectgarbage() return k end}) "
        "for i = 1, 20 do local x = t['key' .. i] end return collectgarbage('count') > 0",
        b":1",
    ),
    "CVE-2025-46817 unpack": ("return {unpack({1, 2, 3}, -2, 2147483647)}", b"too many results to unpack"),
    "CVE-2025-46817 unpack, the whole range": (
        "return {unpack({1, 2, 3}, -2147483648, 2147483647)}",
        b"too many results to unpack",
    ),
    "CVE-2025-46817 unpack up to the length": ("return {unpack({1}, -2147483648)}", b"too many results to unpack"),
    "CVE-2025-46817 bytes": ("return {string.byte(string.rep('x', 100000), 1, -1)}", b"string slice too long"),
    "CVE-2025-46818 the metatable of strings": ("getmetatable('').__index = nil return 1", b"readonly table"),
    "CVE-2025-46818 the metatable of strings, raw": (
        "rawset(getmetatable(''), '__add', 1) return 1",
        b"readonly table",
    ),
    "CVE-2025-46818 the metatable of numbers": ("return type(getmetatable(1))", b"nil"),
    "CVE-2025-46819 a long bracket of many levels": (
        "return tostring(loadstring('return [' .. string.rep('=', 10000000) .. '['))",
        b"nil",
    ),
    "CVE-2025-46819 a long bracket that never ends": (
        "local level = string.rep('=', 999) "
        "return tostring(loadstring('return [=' .. level .. '[' .. string.rep(']' .. level, 1000)))",
        b"nil",
    ),
    "CVE-2025-49844 the collector within the parser": (
        "local n = 0 local chunk = load(function() n = n + 1 collectgarbage() "
        "if n == 1 then return 'return ' end if n == 2 then return '5' end end, string.rep('n', 100) .. math.random()) "
        "collectgarbage() return chunk()",
        b":5",
    ),
    # What else plain Lua 5.1 does not bound
    "compiled chunks": ("return tostring(loadstring(string.dump(function() end)))", b"nil"),
    "a compiled chunk that was changed": (
        "local d = string.dump(function() return 1 end) return tostring(loadstring(d:sub(1, -9) .. string.rep('\\255', 8)))",
        b"nil",
    ),
    "a piece that goes on for ever": (
        "return tostring(load(function() return string.dump(function() end) end))",
        b"nil",
    ),
    "environments": ("return setfenv(1, {})", b"nonexistent global variable"),
    "userdata with finalizers": ("return newproxy(true)", b"nonexistent global variable"),
    "a text repeated without end": ("return string.rep('x', 2^31 - 1)", b"not enough memory"),
    "an empty text repeated without end": ("return #string.rep('', 2^31 - 1)", b":0"),
    "doubling": (DOUBLED, b"not enough memory"),
    "a place far below a table": ("table.insert({1}, -2^31, 'x') return 1", b"position out of bounds"),
    "a range far beyond a table": ("return table.concat({1}, '', 1, 2^31 - 1)", b"invalid value (nil) at index 2"),
    "a wide field": ("return string.format('%99.99f', 1e308):len()", b":"),
    "a field that is too wide": ("return string.format('%999d', 1)", b"invalid format"),
    "a pattern as deep as it is long": (
        "return string.find(string.rep('a', 1000000), string.rep('a?', 1000000))",
        b"pattern too complex",
    ),
    "patterns within patterns": (
        "local function f(n) return (string.gsub('x', 'x', function() return f(n + 1) end)) end return f(1)",
        b"overflow",
    ),
    "coroutines within coroutines": (
        "local function f() return coroutine.wrap(f)() end return f()",
        b"overflow",
    ),
    "pcall within pcall": ("local function f() return pcall(f) end return tostring(f())", b"true"),
    "handlers that fail": (
        "local function f() error('x') end return tostring((xpcall(f, function(e) return xpcall(f, f) end)))",
        b"false",
    ),
    "a metatable that is its own": ("local t = {} t.__index = t return setmetatable(t, t).x", b"loop in gettable"),
    "sorting without order": (
        "local t = {} for i = 1, 1000 do t[i] = i end table.sort(t, function() return true end) return 1",
        b"invalid order function for sorting",
    ),
    "nested source": ("return tostring(loadstring('return ' .. string.rep('(', 100000)))", b"nil"),
    "source of one long line of operators": (
        "return tostring(loadstring('return ' .. string.rep('- ', 100000) .. '1'))",
        b"nil",
    ),
    "many locals": (
        "local t = {} for i = 1, 300 do t[i] = 'local a' .. i end return tostring(loadstring(table.concat(t, ' ')))",
        b"nil",
    ),
    "a result without end": ("local t = {} for _ = 1, 40 do t = {t, t} end return t", b"not enough memory"),
    "full of texts, then a command": (
        FILL + "local ok, e = pcall(redis.call, 'set', 'k', 'v') return e and 'refused' or 'done'",
        b"not enough memory",
    ),
    "full of texts, then tables as arguments": (
        FILL + "local a = {} for i = 1, 200 do a[i] = {} end redis.pcall(unpack(a)) return 1",
        b"not enough memory",
    ),
    "full of texts, then everything that answers": (
        FILL + "for _ = 1, 100 do redis.pcall('get', 'k') redis.pcall('hgetall', 'h') redis.pcall('set', 'k', 'v') "
        "pcall(redis.sha1hex, 'x') pcall(struct.pack, 'd', 1) pcall(loadstring, 'return 1') end return 1",
        b"not enough memory",
    ),
    "full of tables, which are the result": (
        "local t = {} while pcall(function() t[#t + 1] = {t} end) do end return t",
        b"not enough memory",
    ),
    "large values of commands": (
        "redis.call('set', 'large', string.rep('x', 800000)) local t = {} "
        "for i = 1, 100 do t[i] = i .. redis.call('get', 'large') end return #t",
        b"not enough memory",
    ),
    "large values of commands, caught": (
        "redis.call('set', 'large', string.rep('x', 800000)) local t = {} "
        "for i = 1, 100 do pcall(function() t[i] = i .. redis.call('get', 'large') end) end return #t",
        b"not enough memory",
    ),
    "an error whose place is a table that loops": (
        "local function loop() while true do end end local loops = setmetatable({}, {__index = loop, __tostring = loop}) "
        "error({err = 'x', source = loops, line = loops, ignore_error_stats_update = loops})",
        b"-x",
    ),
    "an error whose fields are what it says": (
        "error(setmetatable({}, {__newindex = function() end, __index = function(t, k) return k end}))",
        b"-err script",
    ),
    "an error that fails when it is read": (
        "local told = setmetatable({}, {__tostring = function() while true do end end}) "
        "error(setmetatable({}, {__newindex = function() end, __index = function() error(told) end}))",
        b"unknown error",
    ),
    "a long chunk": ("return tostring(loadstring(string.rep('x = 1 ', 2000000)))", b"not enough memory"),
}
