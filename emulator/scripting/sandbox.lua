-- The world that scripts live in: what they may see of Lua, and the table `redis`.
--
-- Tables of ours are handed out as proxies, empty tables whose metatable reads from the real one and refuses writing, since
-- plain Lua 5.1 has no read-only tables.  Nothing of the host is ever handed out but inside closures.
-- Errors keep the position of the script: the name of this chunk makes its functions look like C to `where`.

local bounds, brief, own_name, no_words, bad_level, invoke, tick, sha1hex, write_log, random, seed, check_command, set_protocol, tell, declare, relink = ...

local error, type, tostring, tonumber, select, getinfo = error, type, tostring, tonumber, select, debug.getinfo
local raw_next, raw_pairs, raw_pcall, raw_xpcall, raw_rawget, raw_rawset = next, pairs, pcall, xpcall, rawget, rawset
local raw_getmetatable, raw_setmetatable, raw_loadstring, raw_setfenv = getmetatable, setmetatable, loadstring, setfenv
local sethook, create = debug.sethook, coroutine.create
local resume, dump, unpack, floor, concat, remove = coroutine.resume, string.dump, unpack, math.floor, table.concat, table.remove
local largest_index = table.maxn
local gsub, match = string.gsub, string.match
local as_int = bounds.as_int
local OURS = "=[C]"
local OUR_PLACE = "^%[C%]:(%d+): "
local MOST_RESULTS = 8000
local READONLY = "Attempt to modify a readonly table"
local STEPS = 100000 -- of a thread, after which it is looked whether it has to stop
local RESUMES = 10 -- and of so many threads

-- The host refers to tables and functions by places in the registry, of which `registry[0]` is the first free one, that one
-- has the next, and the last 0.  Those that one call can bring are always free, beside those of whatever the host keeps: no
-- reference needs memory at a moment when there may be none.
local registry = debug.getregistry()
local KEPT_AT_ONCE = 256 -- things that the host may keep before the free places are counted again
local may_keep = 0
local last = 0
for place in raw_pairs(registry) do
  if type(place) == "number" and place > last then last = place end
end

local function set_free(place)
  registry[place], registry[0] = registry[0], place
end

registry[0] = 0
for place = 1, last do
  if registry[place] == nil or type(registry[place]) == "number" then set_free(place) end
end

-- The host is about to keep one thing more.
local function reserve()
  if may_keep == 0 then
    local free, place = 0, registry[0]
    while place ~= 0 do free, place = free + 1, registry[place] end
    for new = last + 1, last + MOST_RESULTS + KEPT_AT_ONCE - free do
      set_free(new)
      last = new
    end
    may_keep = KEPT_AT_ONCE
  end
  may_keep = may_keep - 1
end
reserve()

-- Where in the script we are: the innermost function that is not one of ours.
local function place_of_script()
  local level = 2
  local info = getinfo(level, "Sl")
  while info and info.source == OURS do
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return info
end

-- Where the script called a function of ours that met an error at a line of this chunk: "" where something else called it.
local function place_of_call(line)
  local level, seen = 2, false
  local info = getinfo(level, "Sl")
  while info do
    if info.source ~= OURS or info.what == "C" then
      if seen then return info.currentline > 0 and info.short_src .. ":" .. info.currentline .. ": " or "" end
    elseif info.currentline == line then
      seen = true
    end
    level = level + 1
    info = getinfo(level, "Sl")
  end
  return ""
end

-- The handler of errors that a script catches: functions of ours pass for C.
local function relocate(problem)
  if type(problem) ~= "string" then return problem end
  local line = match(problem, OUR_PLACE)
  if not line then return problem end
  local place, text = place_of_call(tonumber(line)), gsub(problem, OUR_PLACE, "", 1)
  if place == "" then text = gsub(text, "^(bad argument #%d+ to )'[^']*'", "%1'?'") end
  return place .. text
end

-- Read-only tables

local real = raw_setmetatable({}, {__mode = "k"})

local function refuse()
  error(READONLY, 2)
end

local function protect(contents)
  local proxy = raw_setmetatable({}, {__index = contents, __newindex = refuse})
  real[proxy] = contents
  return proxy
end

local function copy(contents, without)
  local twin = {}
  for key, value in raw_pairs(contents) do
    if not (without and without[key]) then twin[key] = value end
  end
  return twin
end

local function expect(number, name, wanted, value)
  if type(value) ~= wanted then
    error("bad argument #" .. number .. " to '" .. name .. "' (" .. wanted .. " expected, got " .. type(value) .. ")", 3)
  end
end

-- Basic functions

local base = {
  _VERSION = _VERSION, assert = assert, error = error, gcinfo = gcinfo, ipairs = ipairs,
  rawequal = rawequal, select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = bounds.unpack,
}

function base.next(contents, key)
  expect(1, "next", "table", contents)
  return raw_next(real[contents] or contents, key)
end

function base.pairs(contents)
  expect(1, "pairs", "table", contents)
  if real[contents] then return base.next, contents, nil end
  return raw_next, contents, nil
end

function base.rawget(contents, key)
  expect(1, "rawget", "table", contents)
  return raw_rawget(real[contents] or contents, key)
end

function base.rawset(contents, key, value)
  expect(1, "rawset", "table", contents)
  if real[contents] then error(READONLY, 0) end
  return raw_rawset(contents, key, value)
end

-- The collector is not for scripts to stop.
local TUNING = {stop = true, restart = true, setpause = true, setstepmul = true}

function base.collectgarbage(...)
  if TUNING[(...)] then return 0 end
  return collectgarbage(...)
end

local string_metatable

function base.getmetatable(value)
  if type(value) == "string" then return string_metatable end
  if real[value] then
    local behind = raw_getmetatable(real[value])
    return behind and protect(behind)
  end
  return raw_getmetatable(value)
end

function base.setmetatable(contents, metatable)
  expect(1, "setmetatable", "table", contents)
  if metatable ~= nil and type(metatable) ~= "table" then
    error("bad argument #2 to 'setmetatable' (nil or table expected)", 2)
  end
  if real[contents] then error(READONLY, 0) end
  local changed = raw_pcall(raw_setmetatable, contents, metatable)
  if not changed then error("cannot change a protected metatable", 2) end
  return contents
end

local function caught(ok, ...)
  local problem = ...
  if not ok and type(problem) == "table" then
    local text = problem.err
    if type(text) == "string" or type(text) == "number" then return false, text end
  end
  return ok, ...
end

function base.pcall(...)
  local count = select("#", ...)
  if count == 0 then error("bad argument #1 to 'pcall' (value expected)", 2) end
  local body, first, second = ...
  if count == 1 then return caught(raw_xpcall(body, relocate)) end
  if count == 2 then return caught(raw_xpcall(function() return body(first) end, relocate)) end
  if count == 3 then return caught(raw_xpcall(function() return body(first, second) end, relocate)) end
  local words = {...}
  return caught(raw_xpcall(function() return body(unpack(words, 2, count)) end, relocate))
end

-- Scripts cannot look at the stack, so their handlers may as well run when it has been unwound.  Within the hook that stops a
-- script they could not be stopped.
local function handled(handler, ok, ...)
  if ok then return true, ... end
  local answered, answer = raw_pcall(handler, (...))
  if answered then return false, answer end
  return false, "error in error handling"
end

function base.xpcall(body, handler)
  return handled(handler, raw_xpcall(body, relocate))
end

-- Chunks are compiled for the world that asks for them, by way of the host, which takes the tail calls out of them;
-- compiled ones are refused.

local function compile(world, code, name)
  if code:byte(1) == 27 then return nil, "attempt to load chunk with wrong mode" end
  local chunk, problem = raw_loadstring(code, name)
  if not chunk then return nil, problem end
  return raw_setfenv(raw_loadstring(relink(dump(chunk))), world)
end

local function loaders(world)
  local function loadstring(code, name)
    expect(1, "loadstring", "string", type(code) == "number" and tostring(code) or code)
    code = tostring(code)
    return compile(world, code, name or code)
  end
  local function load(pieces, name)
    expect(1, "load", "function", pieces)
    local parts = {}
    local piece = pieces()
    while piece ~= nil and piece ~= "" do
      if type(piece) ~= "string" then return nil, "reader function must return a string" end
      parts[#parts + 1] = piece
      if parts[1]:byte() == 27 then break end
      piece = pieces()
    end
    return compile(world, concat(parts), name or "=(load)")
  end
  return loadstring, load
end

-- Stopping a script.  Each thread of Lua counts its own steps; once a script is to stop, each step of each thread raises, so
-- that no pcall holds it up for long.

local stopping, stopped_at = false, nil

local function stop()
  error("Script killed by user", 0)
end

local function watch()
  if not stopping and tick() then
    stopping = true
    stopped_at = place_of_script()
  end
  if stopping then
    sethook(stop, "", 1)
    stop()
  end
end

sethook(watch, "", STEPS)

-- Threads that end before the hook looks at them would never be stopped: now and then it is looked when one begins.
local resumes = 0

local function check_stop()
  resumes = (resumes + 1) % RESUMES
  if resumes == 0 or stopping then watch() end
end

local threads = copy(coroutine)

local function passes_for_c(body)
  return getinfo(body, "S").source == OURS
end

function threads.create(body)
  check_stop()
  if type(body) ~= "function" or passes_for_c(body) then
    error("bad argument #1 to 'create' (Lua function expected)", 2)
  end
  local thread = create(body)
  sethook(thread, watch, "", STEPS)
  return thread
end

local function resumed(ok, ...)
  if ok then return ... end
  local problem = ...
  error(problem, type(problem) == "string" and 3 or 0)
end

function threads.wrap(body)
  if type(body) ~= "function" or passes_for_c(body) then
    error("bad argument #1 to 'wrap' (Lua function expected)", 2)
  end
  local thread = threads.create(body)
  return function(...)
    check_stop()
    return resumed(resume(thread, ...))
  end
end

function threads.resume(thread, ...)
  check_stop()
  expect(1, "resume", "thread", thread)
  return resume(thread, ...)
end

-- Libraries

local strings, tables, maths = copy(string), copy(table), copy(math)
for name, bounded in raw_pairs(bounds.strings) do strings[name] = bounded end

function tables.insert(contents, ...)
  expect(1, "insert", "table", contents)
  if real[contents] then error(READONLY, 0) end
  return bounds.insert(contents, ...)
end

function tables.remove(contents, ...)
  expect(1, "remove", "table", contents)
  if real[contents] then error(READONLY, 0) end
  return remove(contents, ...)
end

-- What C makes of a number that it casts to an `int` at once: its whole part, or the lowest integer where that does not fit.
local function truncated(number)
  if not (number > -2 ^ 31 - 1 and number < 2 ^ 31) then return -2 ^ 31 end
  return number < 0 and -floor(-number) or floor(number)
end

function maths.random(low, high, ...)
  if select("#", ...) > 0 then error("wrong number of arguments", 2) end
  local fraction = random()
  if low == nil then return fraction end
  local from, to = 1, low
  if high ~= nil then from, to = low, high end
  expect(1, "random", "number", tonumber(low))
  from, to = as_int(tonumber(from)), as_int(tonumber(to))
  if from > to then
    error("bad argument #" .. (high and 2 or 1) .. " to 'random' (interval is empty)", 2)
  end
  return floor(fraction * as_int(to - from + 1)) + from
end

function maths.randomseed(number)
  expect(1, "randomseed", "number", tonumber(number))
  seed(as_int(tonumber(number)))
end

-- The table `redis`

local function fail(text)
  error({err = "ERR " .. text}, 0)
end

local api = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
  REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
}

function api.call(...)
  if (...) == nil and select("#", ...) == 0 then fail(no_words) end
  local reply, problem, status = invoke(...)
  if problem then error({err = problem, ignore_error_stats_update = status == nil or nil}, 0) end
  if status then return {ok = status} end
  return reply
end

function api.pcall(...)
  if (...) == nil and select("#", ...) == 0 then
    return {err = "ERR " .. no_words}
  end
  local reply, problem, status = invoke(...)
  if problem then return {err = problem, ignore_error_stats_update = status == nil or nil} end
  if status then return {ok = status} end
  return reply
end

local function single(...)
  local text = ...
  return select("#", ...) == 1 and type(text) == "string" and text
end

local function without_line_breaks_around(text)
  return gsub(gsub(text, "^[\r\n]+", ""), "[\r\n]+$", "")
end

function api.error_reply(...)
  local text = single(...)
  if not text then return {err = "ERR wrong number or type of arguments"} end
  text = match(text, "^[^%z]*")  -- C ends it there
  if text:sub(1, 1) == "-" then text = text:sub(2) end
  local code, message = match(text, "^([^ ]*) (.*)$")
  if code then return {err = code .. " " .. without_line_breaks_around(message)} end
  return {err = "ERR " .. (own_name == "server" and text or without_line_breaks_around(text))}
end

function api.status_reply(...)
  local text = single(...)
  if not text then return {err = "ERR wrong number or type of arguments"} end
  return {ok = text}
end

function api.sha1hex(...)
  if select("#", ...) ~= 1 then fail("wrong number of arguments") end
  local text = ...
  return sha1hex((type(text) == "string" or type(text) == "number") and tostring(text) or "")
end

function api.log(level, ...)
  if select("#", ...) < 1 then fail(own_name .. ".log() requires two arguments or more.") end
  if not tonumber(level) then fail("First argument must be a number (log level).") end
  level = truncated(tonumber(level))
  if level < 0 or level > 3 then fail(bad_level) end
  local words = {}
  for number = 1, select("#", ...) do
    local word = select(number, ...)
    if type(word) == "string" or type(word) == "number" then words[#words + 1] = tostring(word) end
  end
  write_log(level, concat(words, " "))
end

function api.setresp(...)
  if select("#", ...) ~= 1 then fail(own_name .. ".setresp() requires one argument.") end
  local version = truncated(tonumber((...)) or 0)
  if version ~= 2 and version ~= 3 then fail("RESP version must be 2 or 3.") end
  set_protocol(version)
end

function api.set_repl(...)
  if select("#", ...) ~= 1 then fail(own_name .. ".set_repl() requires one argument.") end
  local flags = truncated(tonumber((...)) or 0)
  if flags < 0 or flags > 3 then
    fail("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
  end
  tell(flags)
end

function api.acl_check_cmd(...)
  if select("#", ...) == 0 then fail(no_words) end
  local allowed, problem = check_command(...)
  if problem then error({err = problem}, 0) end
  return allowed
end

local for_scripts = copy(api)

function for_scripts.breakpoint()
  return false
end

function for_scripts.debug()
end

function for_scripts.replicate_commands()
  return true
end

-- Functions are declared to the host: name, callback, description, flags

local function plain(value)
  return type(value) == "string" or type(value) == "number"
end

local function named(arguments)
  local name, callback, description, flags
  for key, value in raw_pairs(arguments) do
    if not plain(key) then fail("named argument key given to " .. own_name .. ".register_function is not a string") end
    if key == "function_name" then
      if not plain(value) then fail("function_name argument given to " .. own_name .. ".register_function must be a string") end
      name = tostring(value)
    elseif key == "description" then
      if not plain(value) then fail("description argument given to " .. own_name .. ".register_function must be a string") end
      description = tostring(value)
    elseif key == "callback" then
      if type(value) ~= "function" then fail("callback argument given to " .. own_name .. ".register_function must be a function") end
      callback = value
    elseif key == "flags" then
      if type(value) ~= "table" then
        fail("flags argument to " .. own_name .. ".register_function must be a table representing function flags")
      end
      flags = {}
      for number = 1, #value do
        if type(value[number]) ~= "string" then fail("unknown flag given") end
        flags[number] = value[number]
      end
    else
      fail("unknown argument given to " .. own_name .. ".register_function")
    end
  end
  if not name then fail(own_name .. ".register_function must get a function name argument") end
  if not callback then fail(own_name .. ".register_function must get a callback argument") end
  return name, callback, description, flags
end

local function register_function(...)
  local count = select("#", ...)
  if count < 1 or count > 2 then fail("wrong number of arguments to " .. own_name .. ".register_function") end
  local name, callback, description, flags = ...
  if count == 1 then
    if type(name) ~= "table" then
      fail("calling " .. own_name .. ".register_function with a single argument is only applicable to Lua table (representing named arguments).")
    end
    name, callback, description, flags = named(name)
  else
    if not plain(name) then fail("first argument to " .. own_name .. ".register_function must be a string") end
    if type(callback) ~= "function" then fail("second argument to " .. own_name .. ".register_function must be a function") end
    name, description, flags = tostring(name), nil, nil
  end
  reserve()
  local problem = declare(name, callback, description or false, concat(flags or {}, "\n"))
  if problem then fail(problem) end
end

local for_loading = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3, log = api.log, register_function = register_function,
}

-- Worlds

local function missing(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

local libraries = {}

-- What the world tells of the server: the version of Redis, and Valkey's name and version where it is that.
local function told(commands, version, version_number, name, own_version, own_number)
  commands.REDIS_VERSION, commands.REDIS_VERSION_NUM = version, version_number
  commands.SERVER_NAME, commands.VALKEY_VERSION, commands.VALKEY_VERSION_NUM = name, own_version, own_number
  return protect(commands)
end

local function world(commands, ...)
  local contents = copy(base)
  for name, library in raw_pairs(libraries) do contents[name] = library end
  contents.redis = told(commands, ...)
  contents[own_name] = contents.redis
  raw_setmetatable(contents, {__index = missing})
  local proxy = protect(contents)
  contents._G = proxy
  contents.loadstring, contents.load = loaders(proxy)
  return proxy, contents
end

-- Errors: where they came from, as the host's handler wants it

local function locate(problem)
  local info = place_of_script()
  if type(problem) ~= "table" then
    local place = info and gsub(info.source, "^@", "") .. ":" .. info.currentline .. ": " or ""
    problem = {err = "ERR " .. gsub(tostring(problem), OUR_PLACE, function() return place end, 1)}
  end
  if info then problem.source, problem.line = info.source, info.currentline end
  return problem
end

base.__redis__err__handler = locate
base["__" .. own_name .. "__err__handler"] = locate

-- What the host uses

local host = {protect = protect, as_int = as_int}

function host.install(name, library)
  libraries[name] = protect(library)
end

function host.finish(...)
  for name, library in raw_pairs({string = strings, table = tables, math = maths, coroutine = threads, os = {clock = os.clock}}) do
    libraries[name] = protect(library)
  end
  string_metatable = protect({__index = libraries.string})
  host.script_world, host.script_globals = world(for_scripts, ...)
  host.function_world, host.function_globals = world(copy(api), ...)
  raw_setmetatable(for_loading, {__index = missing})
  local registering = told(for_loading, ...)
  host.loading_globals = raw_setmetatable({redis = registering, [own_name] = registering}, {__index = missing})
  raw_getmetatable("").__index = strings
end

-- What C takes for a string.
local function as_text(value)
  local kind = type(value)
  return kind == "string" and value or kind == "number" and tostring(value) or nil
end

function host.compile_script(code)
  reserve()
  return compile(host.script_world, code, "@user_script")
end

function host.compile_library(code)
  reserve()
  return compile(host.function_world, code, "@user_function")
end

-- While a library is loaded its world has nothing but a `redis` that registers functions.
function host.set_loading(loading)
  local metatable = raw_getmetatable(host.function_world)
  metatable.__index = loading and host.loading_globals or host.function_globals
end

function host.load_library(chunk)
  local ok, problem = xpcall(chunk, locate)
  if not ok then return type(problem) == "table" and as_text(raw_rawget(problem, "err")) or tostring(problem) end
end

local function told_by(problem)
  return as_text(problem.err), as_text(problem.source), as_text(problem.line), problem.ignore_error_stats_update == true
end

-- The host gets texts alone: anything else may have metamethods, which it would run where nothing stops them.  They run here,
-- and an error of theirs ends here.
local function outcome(ok, value)
  if ok then return true, brief(value) end
  if type(value) ~= "table" then value = {err = "ERR " .. tostring(value)} end
  local _, text, source, line, known = raw_pcall(told_by, value)
  return false, as_text(text) or "ERR unknown error", source, line, known == true
end

-- The keys and the other arguments: so many words are keys, the rest are not.  Without a number they are tables already.
local function divided(count, ...)
  if not count then return ... end
  if count == 0 then return {}, {...} end
  if count == 1 then return {(...)}, {select(2, ...)} end
  return {unpack({...}, 1, count)}, {select(count + 1, ...)}
end

function host.run_script(chunk, ...)
  local globals = host.script_globals
  globals.KEYS, globals.ARGV = divided(...)
  return outcome(xpcall(chunk, locate))
end

function host.run_function(callback, ...)
  local keys, arguments = divided(...)
  return outcome(xpcall(function() return callback(keys, arguments) end, locate))
end

function host.stopped()
  stopping = false
  local info = stopped_at
  stopped_at = nil
  sethook(watch, "", STEPS)
  return info and info.source, info and tostring(info.currentline)
end

return host
