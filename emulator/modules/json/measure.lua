-- How deep a JSON text is nested, and what its value weighs (document.py says how), in one pass over a text that is known to be
-- right.  A name that an object has twice counts twice: the real module has made room for both.

local use = ...
local memory = use("memory")

local QUOTE, BACKSLASH, UNICODE, COLON, COMMA, MINUS, ZERO, NINE = 34, 92, 117, 58, 44, 45, 48, 57
local OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT = 91, 93, 123, 125
local WORDS = { [110] = 4, [116] = 4, [102] = 5 } -- null, true, false by their first letters
local SPACES = { [32] = true, [9] = true, [10] = true, [13] = true }
local POINTER, HEADER, LEAST_ROOM, SHORT, LONG = 8, 24, 4, 4, 16
local MOST_LEVELS = 2 ^ 12 -- more than any text has

local function digit(byte) return byte <= NINE and byte - ZERO or byte % 32 + 9 end

-- How many bytes of UTF-8 four hexadecimal digits stand for; half of a pair for two of its four.
local function size_of_code(from, place)
  local high = digit(from[place]) * 16 + digit(from[place + 1])
  if high >= 0xD8 and high <= 0xDF then return 2 end
  if high >= 8 then return 3 end
  return (high > 0 or digit(from[place + 2]) >= 8) and 2 or 1
end

-- The place behind a string that has begun before this one, and its bytes.
local function string_behind(from, place)
  local size = 0
  while from[place] ~= QUOTE do
    if from[place] ~= BACKSLASH then
      place, size = place + 1, size + 1
    elseif from[place + 1] ~= UNICODE then
      place, size = place + 2, size + 1
    else
      place, size = place + 6, size + size_of_code(from, place + 2)
    end
  end
  return place + 1, size
end

-- The place behind a number, and its bytes beside the pointer; a double and -0 are as large as a long integer.
local function number_behind(from, place, length)
  local start, number, whole = place, 0, true
  local negative = from[place] == MINUS
  if negative then place = place + 1 end
  while place < length do
    local byte = from[place]
    if byte >= ZERO and byte <= NINE then
      number = number * 10 + byte - ZERO
    elseif byte == COMMA or byte == CLOSE_ARRAY or byte == CLOSE_OBJECT or SPACES[byte] then
      break
    else
      whole = false -- a point or a power
    end
    place = place + 1
  end
  if not whole or negative and number == 0 then return place, LONG end
  if negative then number = -number end
  if number >= -128 and number < 384 then return place, 0 end
  return place, number >= -8388608 and number < 8388608 and SHORT or LONG
end

-- The bytes of an array or object of so many elements beside its pointer; each is a place of so many bytes.
local function container_size(count, width)
  local room = LEAST_ROOM
  while room < count do room = room * 2 end
  return HEADER - POINTER + width * room
end

local function measure(text)
  local from, length = memory.view(text), #text
  local counts = memory.numbers(MOST_LEVELS) -- of elements, by levels
  local level, most, size, place = 0, 0, 0, 0
  local empty = false -- whether nothing has come since a container was opened
  while place < length do
    local byte = from[place]
    place = place + 1
    if byte == QUOTE then
      local bytes
      place, bytes = string_behind(from, place)
      size, empty = size + POINTER + bytes, false
    elseif byte == COMMA then
      counts[level] = counts[level] + 1
    elseif byte == COLON then
      size = size - POINTER -- that was a name, which has none
    elseif byte == OPEN_ARRAY or byte == OPEN_OBJECT then
      level, size, empty = level + 1, size + POINTER, true
      counts[level] = 1
      if level > most then most = level end
    elseif byte == CLOSE_ARRAY or byte == CLOSE_OBJECT then
      if not empty then size = size + container_size(counts[level], byte == CLOSE_ARRAY and POINTER or HEADER) end
      level, empty = level - 1, false
    elseif WORDS[byte] then
      place, size, empty = place + WORDS[byte] - 1, size + POINTER, false
    elseif not SPACES[byte] then
      local bytes
      place, bytes = number_behind(from, place - 1, length)
      size, empty = size + POINTER + bytes, false
    end
  end
  return most, size
end

return { measure = memory.words and measure or nil } -- slower than Python without LuaJIT
