-- Strings behind one another for strings.py, each with so many bytes of something else behind it.  Places are counted from 0.

local use = ...
local memory, listpack = use("memory"), use("datatypes/listpack")
local number_at, number_of, put_bytes, put_decimal = listpack.number_at, listpack.number_of, listpack.put_bytes, listpack.put_decimal
local copy, floor = memory.copy, math.floor
local MINUS, ZERO = 45, 48
local LONGEST_NUMBER = 11
local MOST_HEAD = 5 -- bytes before a text
local LEAST, MOST = -2147483648, 2147483647
local WORD = 2 ^ 32
local BYTE, SHORT, INTEGER = 0xC0, 0xC1, 0xC2
local BEYOND = ("\0"):rep(8)

-- The integer of up to 32 bits that a text says in no other way; nil where there is none.
local function integer_of(from, start, size)
  if size == 0 or size > LONGEST_NUMBER then return nil end
  if size == 1 and from[start] == ZERO then return 0 end
  local negative = from[start] == MINUS
  local digits = negative and start + 1 or start
  if digits == start + size or from[digits] <= ZERO then return nil end
  local number = number_of(from, digits, start + size)
  if not number then return nil end
  if negative then number = -number end
  return number >= LEAST and number <= MOST and number or nil
end

local function put_number(number, to, place)
  if number >= -128 and number < 128 then
    to[place], to[place + 1] = BYTE, number % 256
    return place + 2
  end
  if number >= -32768 and number < 32768 then
    to[place] = SHORT
    return put_bytes(number % 65536, 2, to, place + 1)
  end
  to[place] = INTEGER
  return put_bytes(number, 4, to, place + 1)
end

local function put_length(size, to, place)
  if size < 64 then
    to[place] = size
    return place + 1
  end
  if size < 16384 then
    to[place], to[place + 1] = 64 + floor(size / 256), size % 256
    return place + 2
  end
  to[place] = 128
  for offset = 1, 4 do to[place + offset] = floor(size / 256 ^ (4 - offset)) % 256 end
  return place + 5
end

-- Strings by so many texts behind one another and their lengths; the same part of the tails goes behind each.
local function pack(texts, lengths, count, tails)
  local from, behind = memory.view(texts), memory.view(tails)
  local sizes, gap = memory.lengths(texts, lengths, count)
  local width = #tails / count
  local to = memory.room(#texts + count * MOST_HEAD + #tails)
  local start, place = 0, 0
  for index = 0, count - 1 do
    local size = sizes[index]
    local number = integer_of(from, start, size)
    if number then
      place = put_number(number, to, place)
    else
      place = put_length(size, to, place)
      copy(to, place, from, start, size)
      place = place + size
    end
    start = start + size + gap
    if width > 0 then
      copy(to, place, behind, index * width, width)
      place = place + width
    end
  end
  return memory.text(to, place)
end

-- Up to `most` strings from the beginning: their texts, a line break behind each; their lengths, four bytes each; the bytes
-- of that width behind each; how many bytes that was.  It ends before one that is cut off, long or compressed.
local function unpack(data, most, width)
  local padded = data .. BEYOND
  local from, stop = memory.view(padded), #data
  local to, lengths, tails = memory.room(#data * 3 + 1), memory.room(#data * 4 + 1), memory.room(#data + 1)
  local place, written, count = 0, 0, 0
  while count < most and place < stop do
    local code = from[place]
    local next, first = nil, written
    if code < 64 then
      next = place + 1 + code
      if next + width > stop then break end
      copy(to, written, from, place + 1, code)
      written = written + code
    elseif code >= BYTE and code <= INTEGER then
      local size = code == BYTE and 1 or code == SHORT and 2 or 4
      next = place + 1 + size
      if next + width > stop then break end
      local limit = size == 1 and 256 or size == 2 and 65536 or WORD
      local number = number_at(from, place + 1) % limit
      if number >= limit / 2 then number = number - limit end
      written = put_decimal(number, to, written)
    else
      break
    end
    put_bytes(written - first, 4, lengths, 4 * count)
    to[written] = 10
    written = written + 1
    if width > 0 then copy(tails, count * width, from, next, width) end
    count, place = count + 1, next + width
  end
  local _ = padded -- which the view does not keep
  return memory.text(to, written), memory.text(lengths, 4 * count), memory.text(tails, count * width), place
end

return { pack = memory.tidy(pack), unpack = memory.tidy(unpack) }
