-- The library `cmsgpack`.  Source: https://github.com/msgpack/msgpack/blob/master/spec.md

local as_int, pack_double, pack_float, read_double, read_float = ...
local error, type, tonumber, tostring, pairs, select, unpack, next = error, type, tonumber, tostring, pairs, select, unpack, next
local byte, char, sub = string.byte, string.char, string.sub
local concat, floor = table.concat, math.floor
local DEEPEST = 16

local function big_endian(number, size)
  local bytes = {}
  for place = size, 1, -1 do
    bytes[place] = char(number % 256)
    number = floor(number / 256)
  end
  return concat(bytes)
end

-- As two halves, since a double has 53 exact bits.
local function eight_bytes(number)
  return big_endian(floor(number / 2 ^ 32) % 2 ^ 32, 4) .. big_endian(number % 2 ^ 32, 4)
end

local function integer_text(number)
  if number >= 0 then
    if number <= 127 then return char(number) end
    if number <= 0xFF then return "\204" .. char(number) end
    if number <= 0xFFFF then return "\205" .. big_endian(number, 2) end
    if number <= 0xFFFFFFFF then return "\206" .. big_endian(number, 4) end
    return "\207" .. eight_bytes(number)
  end
  if number >= -32 then return char(256 + number) end
  if number >= -128 then return "\208" .. char(256 + number) end
  if number >= -32768 then return "\209" .. big_endian(number % 2 ^ 16, 2) end
  if number >= -2147483648 then return "\210" .. big_endian(number % 2 ^ 32, 4) end
  return "\211" .. eight_bytes(number)
end

local function number_text(number)
  if floor(number) == number and number >= -9223372036854775808 and number < 9223372036854775808 then
    return integer_text(number)
  end
  local short = pack_float(number)
  if read_float(short) == number then return "\202" .. short end
  return "\203" .. pack_double(number)
end

local function string_text(text)
  local length = #text
  if length < 32 then return char(0xA0 + length) .. text end
  if length <= 0xFF then return "\217" .. char(length) .. text end
  if length <= 0xFFFF then return "\218" .. big_endian(length, 2) .. text end
  return "\219" .. big_endian(length, 4) .. text
end

-- The length where the keys are the integers from 1 on.
local function array_length(value)
  local largest, count = 0, 0
  for key in pairs(value) do
    if type(key) ~= "number" or key <= 0 or floor(key) ~= key then return nil end
    if key > largest then largest = key end
    count = count + 1
  end
  return largest == count and largest or nil
end

local append

local function append_table(out, value, depth)
  local length = array_length(value)
  if length then
    if length <= 15 then
      out[#out + 1] = char(0x90 + length)
    elseif length <= 0xFFFF then
      out[#out + 1] = "\220" .. big_endian(length, 2)
    else
      out[#out + 1] = "\221" .. big_endian(length, 4)
    end
    for place = 1, length do append(out, value[place], depth + 1) end
    return
  end
  local count = 0
  for _ in pairs(value) do count = count + 1 end
  if count <= 15 then
    out[#out + 1] = char(0x80 + count)
  elseif count <= 0xFFFF then
    out[#out + 1] = "\222" .. big_endian(count, 2)
  else
    out[#out + 1] = "\223" .. big_endian(count, 4)
  end
  for key, item in pairs(value) do
    append(out, key, depth + 1)
    append(out, item, depth + 1)
  end
end

function append(out, value, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = string_text(value)
  elseif kind == "number" then
    out[#out + 1] = number_text(value)
  elseif kind == "boolean" then
    out[#out + 1] = value and "\195" or "\194"
  elseif kind == "table" and depth < DEEPEST then
    append_table(out, value, depth)
  else
    out[#out + 1] = "\192"
  end
end

-- Reading: each value with the place behind it.  Redis's own reader keeps what is begun on Lua's stack, which is bounded:
-- `slots` is what it has there.

local SHORT, BAD = "Missing bytes in input.", "Bad data format in input."
local MOST_SLOTS = 8000
local MANY = "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)"
local DEEP = "stack overflow (in function mp_decode_to_lua_array)"
local FULL = "stack overflow (in function mp_unpack_full)"

local function take(data, place, size)
  if place + size - 1 > #data then error(SHORT, 0) end
  return sub(data, place, place + size - 1), place + size
end

local function big_endian_number(piece, first, last)
  local number = 0
  for position = first, last do
    number = number * 256 + byte(piece, position)
  end
  return number
end

-- The two halves of eight bytes are exact, so that their sum is rounded once.
local function signed(data, place, size)
  local piece
  piece, place = take(data, place, size)
  local high, low = 0, big_endian_number(piece, size == 8 and 5 or 1, size)
  if size == 8 then high = big_endian_number(piece, 1, 4) end
  if byte(piece, 1) >= 128 then
    if size == 8 then high = high - 2 ^ 32 else low = low - 2 ^ (8 * size) end
  end
  return high * 2 ^ 32 + low, place
end

local function unsigned(data, place, size)
  if size == 8 then return signed(data, place, size) end
  local piece
  piece, place = take(data, place, size)
  return big_endian_number(piece, 1, size), place
end

local read

local function read_array(data, place, length, slots)
  if slots + 2 > MOST_SLOTS then error(DEEP, 0) end
  local array = {}
  for position = 1, length do array[position], place = read(data, place, slots + 2) end
  return array, place
end

local function read_map(data, place, length, slots)
  local map = {}
  for _ = 1, length do
    local key
    key, place = read(data, place, slots + 1)
    local value
    value, place = read(data, place, slots + 2)
    if key == nil then error({"table index is nil"}) end
    if key ~= key then error({"table index is NaN"}) end
    map[key] = value
  end
  return map, place
end

local READERS = {
  [0xC0] = function(_, place) return nil, place end,
  [0xC2] = function(_, place) return false, place end,
  [0xC3] = function(_, place) return true, place end,
  [0xCA] = function(data, place)
    local piece
    piece, place = take(data, place, 4)
    return read_float(piece), place
  end,
  [0xCB] = function(data, place)
    local piece
    piece, place = take(data, place, 8)
    return read_double(piece), place
  end,
}
for power = 0, 3 do
  local size = 2 ^ power
  READERS[0xCC + power] = function(data, place) return unsigned(data, place, size) end
  READERS[0xD0 + power] = function(data, place) return signed(data, place, size) end
end
for power, code in pairs({[0] = 0xD9, 0xDA, 0xDB}) do
  READERS[code] = function(data, place)
    local length
    length, place = unsigned(data, place, 2 ^ power)
    return take(data, place, length)
  end
end
for power = 1, 2 do
  local size = 2 ^ power
  READERS[0xDB + power] = function(data, place, slots)
    local length
    length, place = unsigned(data, place, size)
    return read_array(data, place, length, slots)
  end
  READERS[0xDD + power] = function(data, place, slots)
    local length
    length, place = unsigned(data, place, size)
    return read_map(data, place, length, slots)
  end
end

function read(data, place, slots)
  if slots + 1 > MOST_SLOTS then error(MANY, 0) end
  local code = byte(data, place)
  if not code then error(SHORT, 0) end
  place = place + 1
  if code < 0x80 then return code, place end
  if code >= 0xE0 then return code - 256, place end
  if code < 0x90 then return read_map(data, place, code - 0x80, slots) end
  if code < 0xA0 then return read_array(data, place, code - 0x90, slots) end
  if code < 0xC0 then return take(data, place, code - 0xA0) end
  local reader = READERS[code]
  if not reader then error(BAD, 0) end
  return reader(data, place, slots)
end

-- The module

local function text_argument(name, value, given)
  if type(value) ~= "string" and type(value) ~= "number" then
    local got = given < 1 and "no value" or type(value)
    error("bad argument #1 to '" .. name .. "' (string expected, got " .. got .. ")", 3)
  end
  return tostring(value)
end

local function number_argument(place, name, value, given)
  local number = tonumber(value)
  if not number then
    local got = given < place and "no value" or type(value)
    error("bad argument #" .. place .. " to '" .. name .. "' (number expected, got " .. got .. ")", 3)
  end
  if not (number >= -2 ^ 63 and number < 2 ^ 63) then return -2 ^ 63 end  -- as C makes 64 bits of it
  return number < 0 and -floor(-number) or floor(number)
end

-- All values where neither limit nor offset is given, else the place behind the last one as well.
local function unpack_some(data, limit, offset)
  local all = limit == 0 and offset == 0
  if limit < 0 or offset < 0 then
    error("Invalid request to unpack with offset of " .. as_int(offset) .. " and limit of " .. #data .. ".", 3)
  end
  if offset > #data then error("Start offset " .. as_int(offset) .. " greater than input length " .. #data .. ".", 3) end
  local values, count, place = {}, 0, offset + 1
  while place <= #data and (all or count < limit) do
    local ok, value, behind = pcall(read, data, place, 1 + count)
    if not ok then
      if type(value) == "table" then error(value[1], 0) end
      error(value, 3)
    end
    count = count + 1
    values[count], place = value, behind
  end
  if all then return unpack(values, 1, count) end
  if count + 2 > MOST_SLOTS then error(FULL, 3) end
  values[0] = place > #data and -1 or place - 1
  return unpack(values, 0, count)
end

local library = {
  _NAME = "cmsgpack", _VERSION = "lua-cmsgpack 0.4.0", _COPYRIGHT = "Copyright (C) 2012, Salvatore Sanfilippo",
  _DESCRIPTION = "MessagePack C implementation for Lua",
}

function library.pack(...)
  local count = select("#", ...)
  if count == 0 then error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 2) end
  if 2 * count > MOST_SLOTS then error("bad argument #0 to 'pack' (Too many arguments for MessagePack pack.)", 2) end
  local out = {}
  for position = 1, count do append(out, (select(position, ...)), 0) end
  return concat(out)
end

function library.unpack(...)
  return unpack_some(text_argument("unpack", (...), select("#", ...)), 0, 0)
end

function library.unpack_one(...)
  local data, offset = ...
  local given = select("#", ...)
  data = text_argument("unpack_one", data, given)
  return unpack_some(data, 1, offset == nil and 0 or number_argument(2, "unpack_one", offset, given))
end

function library.unpack_limit(...)
  local data, limit, offset = ...
  local given = select("#", ...)
  data, limit = text_argument("unpack_limit", data, given), number_argument(2, "unpack_limit", limit, given)
  return unpack_some(data, limit, offset == nil and 0 or number_argument(3, "unpack_limit", offset, given))
end

return library
