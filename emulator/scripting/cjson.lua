-- The library `cjson`.  Source: https://kyne.au/~mark/software/lua-cjson-manual.html

local protect, as_int, marks_arrays = ...

local error, type, tonumber, tostring, pairs, pcall, select = error, type, tonumber, tostring, pairs, pcall, select
local getmetatable, setmetatable, rawget = getmetatable, setmetatable, rawget
local concat, floor, char, format, rep = table.concat, math.floor, string.char, string.format, string.rep
local byte, find, sub, gsub = string.byte, string.find, string.sub, string.gsub
local null = newproxy(true)
getmetatable(null).__tostring = function() return "userdata: (nil)" end
getmetatable(null).__metatable = false

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["/"] = "\\/", ["\b"] = "\\b", ["\t"] = "\\t", ["\n"] = "\\n", ["\f"] = "\\f",
  ["\r"] = "\\r", ["\127"] = "\\u007f",
}
for code = 0, 31 do
  local letter = char(code)
  ESCAPES[letter] = ESCAPES[letter] or format("\\u%04x", code)
end
local PLAIN = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}
local MARKS = {
  ["{"] = "T_OBJ_BEGIN", ["}"] = "T_OBJ_END", ["["] = "T_ARR_BEGIN", ["]"] = "T_ARR_END", [":"] = "T_COLON", [","] = "T_COMMA",
}

local function raise(text)
  error(text, 0)
end

-- Encoding

-- Whether a table is marked as an array, by which an empty one is told from an empty object; Redis knows of that from 8.6 on.
local function is_marked(value)
  local metatable = marks_arrays and getmetatable(value)
  return type(metatable) == "table" and metatable.__is_cjson_array
end

-- The number of elements of a table that is an array.  C keeps the largest key in an `int`: one that it has no room for is the
-- lowest integer there, and whatever key comes next is larger.
local function array_length(value, settings)
  local largest, count = 0, 0
  for key in pairs(value) do
    if type(key) ~= "number" or floor(key) ~= key or key < 1 then return nil end
    if key > largest then largest = key < 2 ^ 31 and key or -2 ^ 31 end
    count = count + 1
  end
  if settings.ratio > 0 and largest > as_int(count * settings.ratio) and largest > settings.safe then
    if not settings.convert then raise("Cannot serialise table: excessively sparse array") end
    return nil
  end
  return largest
end

local function number_text(number, settings)
  if number ~= number or number == 1 / 0 or number == -1 / 0 then
    if settings.encode_invalid == "null" then return "null" end
    if not settings.encode_invalid then raise("Cannot serialise number: must not be NaN or Inf") end
    if number ~= number then return "nan" end
    return number > 0 and "inf" or "-inf"
  end
  return format(settings.number_format, number)
end

local function string_text(text)
  return '"' .. gsub(text, '[%c"\\/\127]', ESCAPES) .. '"'
end

local function append(out, value, settings, depth)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = string_text(value)
  elseif kind == "number" then
    out[#out + 1] = number_text(value, settings)
  elseif kind == "boolean" then
    out[#out + 1] = value and "true" or "false"
  elseif kind == "nil" or value == null then
    out[#out + 1] = "null"
  elseif kind ~= "table" then
    raise("Cannot serialise " .. kind .. ": type not supported")
  else
    depth = depth + 1
    if depth > settings.encode_depth then raise("Cannot serialise, excessive nesting (" .. depth .. ")") end
    local marked = is_marked(value)
    local length = marked and #value or array_length(value, settings)
    if marked or length and length > 0 then
      out[#out + 1] = "["
      local missing = 0  -- there may be millions before the next element
      for place = 1, length do
        local item = rawget(value, place)
        if item == nil then
          missing = missing + 1
        else
          if missing > 0 then out[#out + 1] = rep("null,", missing) end
          append(out, item, settings, depth)
          out[#out + 1], missing = ",", 0
        end
      end
      out[length > 0 and #out or #out + 1] = "]"  -- instead of the last comma: the last element is never a missing one
      return
    end
    out[#out + 1] = "{"
    local first = true
    for key, item in pairs(value) do
      if not first then out[#out + 1] = "," end
      first = false
      if type(key) == "number" then
        out[#out + 1] = '"' .. number_text(key, settings) .. '":'
      elseif type(key) == "string" then
        out[#out + 1] = string_text(key) .. ":"
      else
        raise("Cannot serialise " .. type(key) .. ": table key must be a number or string")
      end
      append(out, item, settings, depth)
    end
    out[#out + 1] = "}"
  end
end

-- Decoding

local function fail(expected, found, place)
  raise("Expected " .. expected .. " but found " .. found .. " at character " .. place)
end

local function utf8(code)
  if code < 0x80 then return char(code) end
  if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
  if code < 0x10000 then return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64) end
  return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
end

local function unicode(text, place)
  local digits = sub(text, place + 2, place + 5)
  if not find(digits, "^%x%x%x%x$") then return nil end
  local code = tonumber(digits, 16)
  if code < 0xD800 or code > 0xDFFF then return utf8(code), 6 end
  local second = sub(text, place + 8, place + 11)
  if code >= 0xDC00 or sub(text, place + 6, place + 7) ~= "\\u" or not find(second, "^%x%x%x%x$") then return nil end
  local low = tonumber(second, 16)
  if low < 0xDC00 or low > 0xDFFF then return nil end
  return utf8((code - 0xD800) * 1024 + low - 0xDC00 + 0x10000), 12
end

-- The rest of a string behind its quote: the string, and the place behind it.
local function read_string(text, place, expected)
  local parts, count = nil, 0
  while true do
    local stop = find(text, '["\\%c]', place)
    while stop and byte(text, stop) == 127 do stop = find(text, '["\\%c]', stop + 1) end
    if not stop then fail(expected, "unexpected end of string", #text + 1) end
    local letter = sub(text, stop, stop)
    if letter == '"' then
      local rest = sub(text, place, stop - 1)
      if not parts then return rest, stop + 1 end
      parts[count + 1] = rest
      return concat(parts), stop + 1
    end
    if letter ~= "\\" then
      if letter == "\0" then fail(expected, "unexpected end of string", stop) end
      parts = parts or {}
      parts[count + 1] = sub(text, place, stop)
      count, place = count + 1, stop + 1
    else
      parts = parts or {}
      parts[count + 1] = sub(text, place, stop - 1)
      local code = sub(text, stop + 1, stop + 1)
      local meant, length
      if code == "u" then
        meant, length = unicode(text, stop)
        if not meant then fail(expected, "invalid unicode escape code", stop) end
      else
        meant, length = PLAIN[code], 2
        if not meant then fail(expected, "invalid escape code", stop) end
      end
      parts[count + 2] = meant
      count, place = count + 2, stop + length
    end
  end
end

local function is_invalid_number(text, place)
  local start = find(text, "^[-+]?0[xX]", place) or find(text, "^[-+]?[iI][nN][fF]", place)
    or find(text, "^[-+]?[nN][aA][nN]", place) or find(text, "^[-+]?0%d", place) or find(text, "^%+", place)
  return start ~= nil
end

local function read_number(text, place, expected)
  local _, stop = find(text, "^[-+]?%d+%.?%d*", place)
  if not stop then _, stop = find(text, "^[-+]?%.%d+", place) end
  local hexadecimal_start, hexadecimal_stop = find(text, "^[-+]?0[xX]%x+", place)
  if hexadecimal_start then
    local digits = sub(text, place, hexadecimal_stop)
    local sign = sub(digits, 1, 1) == "-" and -1 or 1
    return sign * tonumber((gsub(digits, "^[-+]", ""))), hexadecimal_stop + 1
  end
  if stop then
    local _, exponent = find(text, "^[eE][-+]?%d+", stop + 1)
    stop = exponent or stop
    return tonumber(sub(text, place, stop)), stop + 1
  end
  local _, infinite = find(text, "^[-+]?[iI][nN][fF]", place)
  if infinite then
    local _, longer = find(text, "^[iI][nN][iI][tT][yY]", infinite + 1)
    return sub(text, place, place) == "-" and -1 / 0 or 1 / 0, (longer or infinite) + 1
  end
  local _, none = find(text, "^[-+]?[nN][aA][nN]", place)
  if none then return -(0 / 0), none + 1 end
  fail(expected, "invalid number", place)
end

local read_value

-- What stands at a place, for an error.
local function token(text, place, settings)
  local letter = sub(text, place, place)
  if letter == "" or letter == "\0" then return "T_END" end
  if MARKS[letter] then return MARKS[letter] end
  if letter == '"' then
    read_string(text, place + 1, settings.expected)
    return "T_STRING"
  end
  if find(letter, "[-%d]") then
    if not settings.decode_invalid and is_invalid_number(text, place) then return "invalid number" end
    read_number(text, place, settings.expected)
    return "T_NUMBER"
  end
  if sub(text, place, place + 3) == "true" or sub(text, place, place + 4) == "false" then return "T_BOOLEAN" end
  if sub(text, place, place + 3) == "null" then return "T_NULL" end
  return "invalid token"
end

local function expect(text, place, settings, expected)
  settings.expected = expected
  fail(expected, token(text, place, settings), place)
end

local function space(text, place)
  return find(text, "[^ \t\n\r]", place) or #text + 1
end

local function deeper(settings, depth, place)
  if depth > settings.decode_depth then
    raise("Found too many nested data structures (" .. depth .. ") at character " .. place)
  end
end

local function read_object(text, place, settings, depth)
  deeper(settings, depth, place - 1)
  local object = {}
  place = space(text, place)
  if byte(text, place) == 125 then return object, place + 1 end
  while true do
    if byte(text, place) ~= 34 then expect(text, place, settings, "object key string") end
    local key
    key, place = read_string(text, place + 1, "object key string")
    place = space(text, place)
    if byte(text, place) ~= 58 then expect(text, place, settings, "colon") end
    object[key], place = read_value(text, space(text, place + 1), settings, depth)
    place = space(text, place)
    local mark = byte(text, place)
    if mark == 125 then return object, place + 1 end
    if mark ~= 44 then expect(text, place, settings, "comma or object end") end
    place = space(text, place + 1)
  end
end

local function read_array(text, place, settings, depth)
  deeper(settings, depth, place - 1)
  local array, count = {}, 0
  if settings.mark_arrays then setmetatable(array, protect({__is_cjson_array = true})) end
  place = space(text, place)
  if byte(text, place) == 93 then return array, place + 1 end
  while true do
    count = count + 1
    array[count], place = read_value(text, place, settings, depth)
    place = space(text, place)
    local mark = byte(text, place)
    if mark == 93 then return array, place + 1 end
    if mark ~= 44 then expect(text, place, settings, "comma or array end") end
    place = space(text, place + 1)
  end
end

function read_value(text, place, settings, depth)
  local mark = byte(text, place)
  if mark == 34 then return read_string(text, place + 1, "value") end
  if mark == 123 then return read_object(text, place + 1, settings, depth + 1) end
  if mark == 91 then return read_array(text, place + 1, settings, depth + 1) end
  if mark and (mark == 45 or mark >= 48 and mark <= 57) then
    if not settings.decode_invalid and is_invalid_number(text, place) then fail("value", "invalid number", place) end
    return read_number(text, place, "value")
  end
  if sub(text, place, place + 3) == "true" then return true, place + 4 end
  if sub(text, place, place + 4) == "false" then return false, place + 5 end
  if sub(text, place, place + 3) == "null" then return null, place + 4 end
  if settings.decode_invalid and is_invalid_number(text, place) then return read_number(text, place, "value") end
  expect(text, place, settings, "value")
end

-- The module

local function one_argument(name, ...)
  if select("#", ...) ~= 1 then error("bad argument #1 to '" .. name .. "' (expected 1 argument)", 3) end
end

local function integer_setting(settings, field, name, place, least, most, value)
  if value == nil then return settings[field] end
  local number = tonumber(value)
  if not number then
    error("bad argument #" .. place .. " to '" .. name .. "' (number expected, got " .. type(value) .. ")", 3)
  end
  number = as_int(number)
  if number < least or number > most then
    error("bad argument #1 to '" .. name .. "' (expected integer between " .. least .. " and "
      .. format("%d", most) .. ")", 3)
  end
  settings[field] = number
  return number
end

local function switch(settings, field, name, value, third)
  if value ~= nil then
    if type(value) == "boolean" then
      settings[field] = value
    elseif value == "on" or value == "off" then
      settings[field] = value == "on"
    elseif third and value == third then
      settings[field] = third
    elseif type(value) ~= "string" and type(value) ~= "number" then
      error("bad argument #1 to '" .. name .. "' (string expected, got " .. type(value) .. ")", 3)
    else
      error("bad argument #1 to '" .. name .. "' (invalid option '" .. tostring(value) .. "')", 3)
    end
  end
  return settings[field]
end

local new

function new()
  local settings = {
    convert = false, ratio = 2, safe = 10, encode_depth = 1000, decode_depth = 1000, precision = 14, number_format = "%.14g",
    encode_invalid = false, decode_invalid = true, keep_buffer = true, mark_arrays = false,
  }
  local module = {_NAME = "cjson", _VERSION = "2.1.0", null = null, new = new}

  function module.encode(...)
    one_argument("encode", ...)
    local out = {}
    local ok, problem = pcall(append, out, (...), settings, 0)
    if not ok then error(problem, 2) end
    return concat(out)
  end

  function module.decode(...)
    one_argument("decode", ...)
    local text = ...
    if type(text) ~= "string" and type(text) ~= "number" then
      error("bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")", 2)
    end
    text = tostring(text)
    if #text >= 2 and (byte(text, 1) == 0 or byte(text, 2) == 0) then
      error("JSON parser does not support UTF-16 or UTF-32", 2)
    end
    local ok, value, place = pcall(read_value, text, space(text, 1), settings, 0)
    if ok then
      place = space(text, place)
      if place > #text or byte(text, place) == 0 then return value end  -- C's text ends at a zero byte
      ok, value = pcall(expect, text, place, settings, "the end")
    end
    error(value, 2)
  end

  function module.encode_sparse_array(convert, ratio, safe)
    switch(settings, "convert", "encode_sparse_array", convert)
    integer_setting(settings, "ratio", "encode_sparse_array", 2, 0, 2147483647, ratio)
    integer_setting(settings, "safe", "encode_sparse_array", 3, 0, 2147483647, safe)
    return settings.convert, settings.ratio, settings.safe
  end

  function module.encode_max_depth(depth)
    return integer_setting(settings, "encode_depth", "encode_max_depth", 1, 1, 2147483647, depth)
  end

  function module.decode_max_depth(depth)
    return integer_setting(settings, "decode_depth", "decode_max_depth", 1, 1, 2147483647, depth)
  end

  function module.encode_number_precision(precision)
    local digits = integer_setting(settings, "precision", "encode_number_precision", 1, 1, 14, precision)
    settings.number_format = "%." .. digits .. "g"
    return digits
  end

  function module.encode_keep_buffer(keep)
    return switch(settings, "keep_buffer", "encode_keep_buffer", keep)
  end

  function module.encode_invalid_numbers(allow)
    return switch(settings, "encode_invalid", "encode_invalid_numbers", allow, "null")
  end

  function module.decode_invalid_numbers(allow)
    return switch(settings, "decode_invalid", "decode_invalid_numbers", allow)
  end

  if marks_arrays then
    function module.decode_array_with_array_mt(...)
      if select("#", ...) > 1 then
        error("bad argument #2 to 'decode_array_with_array_mt' (found too many arguments)", 2)
      end
      return switch(settings, "mark_arrays", "decode_array_with_array_mt", (...))
    end
  end

  return module
end

return new()
