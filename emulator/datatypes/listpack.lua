-- Listpacks for rdb/listpack.py: the elements between the header and the end mark.  Places are counted from 0.

local use = ...
local memory = use("memory")
local band, rshift, copy, floor, char = memory.band, memory.rshift, memory.copy, math.floor, string.char
local MINUS, ZERO, NINE, LINE_BREAK = 45, 48, 57, 10
local WORD = 2 ^ 32
local MOST_AROUND = 10 -- bytes round a text: what it is and its size before it, the size of both behind it
local CERTAIN = 15 -- so many digits say an integer that a number of Lua can be
local MILLION = 1000000
local HEADER = 6
local UNKNOWN, END = 65535, 0xFF
local BEYOND = ("\0"):rep(16)
local MOST_TEXT = 3 -- bytes of text that come of a byte of a listpack

local function number_at(from, place)
  return from[place] + from[place + 1] * 256 + from[place + 2] * 65536 + from[place + 3] * 16777216
end

-- The size of an element as it stands behind it: groups of 7 bits, all but the first with the top bit set.
local function put_size(size, to, place)
  if size < 128 then
    to[place] = size
    return place + 1
  end
  local unit = size < 16383 and 128 or size < 2097151 and 16384 or size < 268435455 and 2097152 or 268435456
  local mark = 0
  while unit >= 1 do
    to[place] = floor(size / unit) % 128 + mark
    place, unit, mark = place + 1, unit / 128, 128
  end
  return place
end

-- The lowest bytes of a number, from two to four; written out, since LuaJIT is good at one loop round it all.
local function put_bytes(number, width, to, place)
  to[place], to[place + 1] = band(number, 255), band(rshift(number, 8), 255)
  if width > 2 then to[place + 2] = band(rshift(number, 16), 255) end
  if width > 3 then to[place + 3] = band(rshift(number, 24), 255) end
  return place + width
end

local function put_wide(low, high, to, place)
  to[place] = 0xF4
  place = put_bytes(high, 4, to, put_bytes(low, 4, to, place + 1))
  to[place] = 9
  return place + 1
end

local function put_integer(number, to, place)
  if number >= 0 and number < 128 then
    to[place], to[place + 1] = number, 1
    return place + 2
  end
  if number >= -4096 and number < 4096 then
    to[place], to[place + 1], to[place + 2] = 0xC0 + band(rshift(number, 8), 31), band(number, 255), 2
    return place + 3
  end
  local magnitude = number < 0 and -1 - number or number
  if magnitude >= 2147483648 then return put_wide(number, floor(number / WORD), to, place) end
  local width = magnitude < 32768 and 2 or magnitude < 8388608 and 3 or 4
  to[place] = 0xEF + width
  place = put_bytes(number, width, to, place + 1)
  to[place] = width + 1
  return place + 1
end

-- The bytes that this takes.
local function integer_room(number)
  if number >= 0 and number < 128 then return 2 end
  if number >= -4096 and number < 4096 then return 3 end
  local magnitude = number < 0 and -1 - number or number
  return magnitude < 32768 and 4 or magnitude < 8388608 and 5 or magnitude < 2147483648 and 6 or 10
end

local function put_text(from, start, size, to, place)
  local first = place
  if size < 64 then
    to[place] = 0x80 + size
    place = place + 1
  elseif size < 4096 then
    to[place], to[place + 1] = 0xE0 + rshift(size, 8), band(size, 255)
    place = place + 2
  else
    to[place] = 0xF0
    place = put_bytes(size, 4, to, place + 1)
  end
  copy(to, place, from, start, size)
  place = place + size
  return put_size(place - first, to, place)
end

-- The number that digits say, not quite where it is large; nil where they are something else.
local function number_of(from, start, stop)
  local number = 0
  for place = start, stop - 1 do
    local digit = from[place]
    if digit < ZERO or digit > NINE then return nil end
    number = number * 10 + digit - ZERO
  end
  return number
end

-- A text of 16 to 19 digits as an integer of 64 bits: the place behind it, nil where it is too large.
local function put_long(from, start, stop, negative, to, place)
  local high, low = 0, 0
  for digit = start, stop - 1 do
    low = low * 10 + from[digit] - ZERO
    high = high * 10 + floor(low / WORD)
    low = low % WORD
  end
  if high > 2147483647 and not (negative and high == 2147483648 and low == 0) then return nil end
  if negative then
    high = (WORD - high - (low > 0 and 1 or 0)) % WORD
    low = (WORD - low) % WORD
  end
  return put_wide(low, high, to, place)
end

local function put(from, start, size, to, place)
  local first = size > 0 and size <= 20 and from[start] or 0
  if first == ZERO and size == 1 then return put_integer(0, to, place) end
  local negative = first == MINUS
  local digits, stop = negative and start + 1 or start, start + size
  if (negative or first > ZERO and first <= NINE) and digits < stop and from[digits] > ZERO and stop - digits < 20 then
    local number = number_of(from, digits, stop)
    if number and stop - digits <= CERTAIN then return put_integer(negative and -number or number, to, place) end
    local behind = number and put_long(from, digits, stop, negative, to, place)
    if behind then return behind end
  end
  return put_text(from, start, size, to, place)
end

-- What a listpack of so many bytes and elements begins with.
local function header(size, count)
  local told = count < UNKNOWN and count or UNKNOWN
  local a, b, c, d = size % 256, floor(size / 256) % 256, floor(size / 65536) % 256, floor(size / 16777216)
  return char(a, b, c, d, told % 256, floor(told / 256))
end

-- A listpack of so many of the texts that have these sizes, from a first one on that begins at a place, with a gap of so many
-- bytes behind each; and where the next one begins.
local function pack_some(from, start, gap, sizes, first, count)
  local most = count * MOST_AROUND + 1
  for index = first, first + count - 1 do most = most + sizes[index] end
  local to, place = memory.room(most), 0
  for index = first, first + count - 1 do
    local size = sizes[index]
    place = put(from, start, size, to, place)
    start = start + size + gap
  end
  to[place] = END
  return header(HEADER + place + 1, count) .. memory.text(to, place + 1), start
end

-- A listpack of texts as `columns` gives them.
local function pack(texts, lengths, count)
  local sizes, gap = memory.lengths(texts, lengths, count)
  return (pack_some(memory.view(texts), 0, gap, sizes, 0, count))
end

-- Reading

local scratch = memory.room(64)

local threes_text = {}
for number = 0, 999 do threes_text[number + 1] = ("%03d"):format(number) end
threes_text = table.concat(threes_text)
local threes = memory.view(threes_text) -- three digits of each number below a thousand

-- The digits of a number below a million; the other function has zeros before them, so that they are six.
local function put_short(number, to, place)
  local upper = floor(number / 1000)
  local first, last = 3 * upper, 3 * (number - 1000 * upper)
  if upper >= 100 then to[place] = threes[first]; place = place + 1 end
  if upper >= 10 then to[place] = threes[first + 1]; place = place + 1 end
  if upper >= 1 then to[place] = threes[first + 2]; place = place + 1 end
  if number >= 100 then to[place] = threes[last]; place = place + 1 end
  if number >= 10 then to[place] = threes[last + 1]; place = place + 1 end
  to[place] = threes[last + 2]
  return place + 1
end

local function put_six(number, to, place)
  local upper = floor(number / 1000)
  local first, last = 3 * upper, 3 * (number - 1000 * upper)
  to[place], to[place + 1], to[place + 2] = threes[first], threes[first + 1], threes[first + 2]
  to[place + 3], to[place + 4], to[place + 5] = threes[last], threes[last + 1], threes[last + 2]
  return place + 6
end

local function put_decimal(number, to, place)
  if number < 0 then
    to[place] = MINUS
    place, number = place + 1, -number
  end
  if number < MILLION then return put_short(number, to, place) end
  local upper = floor(number / MILLION)
  number = number - MILLION * upper
  if upper < MILLION then return put_six(number, to, put_short(upper, to, place)) end
  local top = floor(upper / MILLION)
  return put_six(number, to, put_six(upper - MILLION * top, to, put_short(top, to, place)))
end

-- The same for one of 64 bits by its halves, without a sign.
local function put_unsigned(low, high, to, place)
  if high == 0 then return put_decimal(low, to, place) end
  local part = high % MILLION * WORD + low
  local upper = floor(high / MILLION) * WORD + floor(part / MILLION)
  return put_six(part % MILLION, to, put_decimal(upper, to, place))
end

-- The same with a sign.
local function put_signed(low, high, to, place)
  if high < WORD / 2 then return put_unsigned(low, high, to, place) end
  to[place] = MINUS
  return put_unsigned((WORD - low) % WORD, WORD - high - (low > 0 and 1 or 0), to, place + 1)
end

-- The head of a text at a place: where it begins and its bytes; nil where there is no text.
local function text_at(from, place)
  local code = from[place]
  if code < 0x80 then return nil end
  if code < 0xC0 then return place + 1, code - 0x80 end
  if code < 0xE0 then return nil end
  if code < 0xF0 then return place + 2, band(code, 15) * 256 + from[place + 1] end
  if code == 0xF0 then return place + 5, number_at(from, place + 1) end
  return nil
end

-- An integer at a place: the place behind it and the number, or of one that Lua cannot be sure of its lower and its upper half.
local function integer_at(from, place)
  local code = from[place]
  if code < 0x80 then return place + 1, code end
  if code < 0xE0 then
    local number = band(code, 31) * 256 + from[place + 1]
    return place + 2, number >= 4096 and number - 8192 or number
  end
  local number = from[place + 1] + from[place + 2] * 256
  if code == 0xF1 then return place + 3, number >= 32768 and number - 65536 or number end
  number = number + from[place + 3] * 65536
  if code == 0xF2 then return place + 4, number >= 8388608 and number - 16777216 or number end
  number = number + from[place + 4] * 16777216
  if code == 0xF3 then return place + 5, number >= WORD / 2 and number - WORD or number end
  if code ~= 0xF4 then return nil end
  local high = number_at(from, place + 5)
  if high > 0 and high < WORD - 1 then return place + 9, number, high end
  return place + 9, high == 0 and number or number - WORD
end

-- The same as text: the places behind both, and the size that it should have; nil where there is none.
local function put_integer_at(from, place, to, written)
  local next, number, high = integer_at(from, place)
  if not next then return nil end
  if high then return next, put_signed(number, high, to, written), 10 end
  return next, put_decimal(number, to, written), integer_room(number)
end

-- The size of a text in a listpack; one that says an integer stands there as such.
local function size_of(from, start, size)
  local first = size > 0 and size <= 20 and from[start] or 0
  if first == MINUS or first >= ZERO and first <= NINE then return put(from, start, size, scratch, 0) end
  local whole = size + (size < 64 and 1 or size < 4096 and 2 or 5)
  return whole + put_size(whole, scratch, 0)
end

-- The place behind the size that stands behind an element; nil where that is another one.
local function behind(from, place, size)
  if size < 128 then return from[place] == size and place + 1 or nil end
  local count = put_size(size, scratch, 0)
  for offset = 0, count - 1 do
    if from[place + offset] ~= scratch[offset] then return nil end
  end
  return place + count
end

-- An element at a place as text: the places behind both, and the bytes that it should take; nil where there is none.
local function put_element_at(from, place, stop, to, written)
  local start, size = text_at(from, place)
  local next, room
  if start then
    next = start + size
    if next > stop then return nil end
    copy(to, written, from, start, size)
    written, room = written + size, size_of(from, start, size)
  else
    next, written, room = put_integer_at(from, place, to, written)
    if not next or next > stop then return nil end
  end
  return behind(from, next, next - place), written, room
end

-- The elements of the listpack between two places as texts, a line break behind each, and where there is room for them their
-- lengths, four bytes each: where the texts end, how many there are, the bytes that they should take; nil where it is none.  What
-- is read is followed by other bytes, so that what is cut off is read up to its end mark and not much beyond.
local function put_elements(from, start, stop, to, written, lengths)
  local size = stop - start
  if size <= HEADER or number_at(from, start) ~= size or from[stop - 1] ~= END then return nil end
  local place, last, count, whole, room = start + HEADER, stop - 1, 0, 0, nil
  while place < last do
    local first = written
    place, written, room = put_element_at(from, place, last, to, written)
    if not place then return nil end
    if lengths then put_bytes(written - first, 4, lengths, 4 * count) end
    count, whole = count + 1, whole + room
    to[written] = LINE_BREAK
    written = written + 1
  end
  local told = from[start + 4] + from[start + 5] * 256
  if place ~= last or (told ~= count and told ~= UNKNOWN) then return nil end
  return written, count, whole
end

-- The texts of the elements of a listpack, their lengths, how many bytes they should take.
local function unpack(data)
  local padded = data .. BEYOND
  local to, lengths = memory.room(#data * MOST_TEXT), memory.room(#data * 2)
  local written, count, whole = put_elements(memory.view(padded), 0, #data, to, 0, lengths)
  local _ = padded -- which the view does not keep
  if not written then return nil end
  return memory.text(to, written), memory.text(lengths, 4 * count), whole
end

return {
  pack = memory.tidy(pack),
  unpack = memory.tidy(unpack),
  pack_some = pack_some,
  put_elements = put_elements,
  header = header,
  put = put,
  put_element_at = put_element_at,
  integer_at = integer_at,
  integer_room = integer_room,
  behind = behind,
  put_integer = put_integer,
  put_wide = put_wide,
  put_bytes = put_bytes,
  put_decimal = put_decimal,
  put_unsigned = put_unsigned,
  number_of = number_of,
  number_at = number_at,
  MOST_AROUND = MOST_AROUND,
  MOST_TEXT = MOST_TEXT,
  HEADER = HEADER,
  BEYOND = BEYOND,
  LINE_BREAK = LINE_BREAK,
  threes = threes_text, -- which the view of it does not keep
}
