-- What plain Lua 5.1 does not bound, and Redis's Lua or common sense does.  Errors are raised for the caller's caller.

local error, select, tonumber, type = error, select, tonumber, type
local unpack, floor, insert = unpack, math.floor, table.insert
local find, match, gmatch, gfind, gsub, rep = string.find, string.match, string.gmatch, string.gfind, string.gsub, string.rep
local MOST_RESULTS = 8000
local LONGEST_PATTERN = 2000
local LONG_TEXT = 65536
local MOST_MOVES = 10000000
local strings = {}
local bounds = {strings = strings}

-- A number as C takes it for an `int`: its lower 32 bits.
local function as_int(number)
  if not (number >= -2 ^ 63 and number < 2 ^ 63) then return 0 end
  local bits = (number < 0 and -floor(-number) or floor(number)) % 2 ^ 32
  return bits < 2 ^ 31 and bits or bits - 2 ^ 32
end

bounds.as_int = as_int

-- Plain Lua's own check of the range overflows.
function bounds.unpack(...)
  local contents, first, last = ...
  if type(contents) == "table" and (first ~= nil or last ~= nil) then
    local from, to = first == nil and 1 or tonumber(first), last == nil and #contents or tonumber(last)
    if from and to and as_int(to) - as_int(from) >= MOST_RESULTS then error("too many results to unpack", 2) end
  end
  return unpack(...)
end

-- Matching goes as deep as a pattern is long.
local function check_pattern(_, pattern)
  if type(pattern) == "string" and #pattern > LONGEST_PATTERN and find(pattern, "[%^%$%*%+%?%.%(%)%[%]%%%-]") then
    error("pattern too complex", 3)
  end
end

function strings.find(...)
  check_pattern(...)
  return find(...)
end

function strings.match(...)
  check_pattern(...)
  return match(...)
end

function strings.gmatch(...)
  check_pattern(...)
  return gmatch(...)
end

function strings.gfind(...)
  check_pattern(...)
  return gfind(...)
end

function strings.gsub(...)
  check_pattern(...)
  return gsub(...)
end

-- Plain Lua goes on for minutes where nothing is repeated often, and copies byte by byte.
local function repeated(text, count)
  if count < 2 then return count == 1 and text or "" end
  local half = repeated(text, floor(count / 2))
  return count % 2 == 1 and half .. half .. text or half .. half
end

function strings.rep(...)
  local text, count = ...
  local length, times = type(text) == "string" and #text or 0, tonumber(count)
  if type(text) == "string" and times and (length == 0 or length * times > LONG_TEXT) then
    return length == 0 and "" or repeated(text, as_int(times))
  end
  return rep(...)
end

-- Plain Lua moves whatever is between a place and the end, were it nothing.
function bounds.insert(contents, ...)
  local place = select("#", ...) == 2 and tonumber((...))
  if place and #contents - as_int(place) > MOST_MOVES then
    error("bad argument #2 to 'insert' (position out of bounds)", 3)
  end
  return insert(contents, ...)
end

return bounds
