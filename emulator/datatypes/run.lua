-- Runs of streams for run.py: listpacks whose entries all have the fields of the first one and none of which was deleted.

local use = ...
local memory, listpack = use("memory"), use("datatypes/listpack")
local put, put_integer, put_wide, put_bytes = listpack.put, listpack.put_integer, listpack.put_wide, listpack.put_bytes
local number_at, integer_at, integer_room = listpack.number_at, listpack.integer_at, listpack.integer_room
local header, put_element_at, put_unsigned, behind = listpack.header, listpack.put_element_at, listpack.put_unsigned, listpack.behind
local floor = math.floor
local WORD = 2 ^ 32
local SAME_FIELDS = 2
local ID, HALF = 16, 8 -- bytes
local LEAST = 10 -- bytes of an entry, which has five elements or more
local MOST_BESIDE = 3 + 2 * 11 + 11 -- bytes of an entry: flags, both halves of its id, how many elements it has
local MOST_COUNTS = 4 * 11 -- bytes of the numbers before the entries
local END = 0xFF
local MINUS = 45
local MOST_TEXT = 42 -- bytes of an id as text

-- How far a half of an id lies behind that of the first, as a signed integer of 64 bits.
local function put_distance(ids, id, first, to, place)
  local low, high = number_at(ids, id) - number_at(ids, first), number_at(ids, id + 4) - number_at(ids, first + 4)
  if low < 0 then low, high = low + WORD, high - 1 end
  if high == 0 then return put_integer(low, to, place) end
  if high == -1 then return put_integer(low - WORD, to, place) end
  return put_wide(low, high, to, place)
end

-- How many elements so many entries make, with what is before them.
local function elements_of(count, width)
  return 4 + width + count * (width + 4)
end

-- A listpack by the ids, the lowest byte first, and the texts, lengths and numbers of all values and of the fields.
local function pack(ids, texts, lengths, values, names, name_lengths, width)
  local from, places = memory.view(texts), memory.view(ids)
  local sizes, gap = memory.lengths(texts, lengths, values)
  local fields, field_sizes, field_gap = memory.view(names), memory.lengths(names, name_lengths, width)
  local count = #ids / ID
  local around = (values + width) * listpack.MOST_AROUND + count * MOST_BESIDE + MOST_COUNTS
  local to = memory.room(#texts + #names + around)
  local start, place = 0, put_integer(width, to, put_integer(0, to, put_integer(count, to, 0)))
  for index = 0, width - 1 do
    local size = field_sizes[index]
    place = put(fields, start, size, to, place)
    start = start + size + field_gap
  end
  place = put_integer(0, to, place)
  local id, left = -ID, 0
  start = 0
  for index = 0, values - 1 do -- one flat loop, which is what LuaJIT is good at
    if left == 0 then
      id, left = id + ID, width
      to[place], to[place + 1] = SAME_FIELDS, 1
      place = put_distance(places, id + HALF, HALF, to, place + 2)
      place = put_distance(places, id, 0, to, place)
    end
    local size = sizes[index]
    place = put(from, start, size, to, place)
    start, left = start + size + gap, left - 1
    if left == 0 then place = put_integer(width + 3, to, place) end
  end
  to[place] = END
  return header(listpack.HEADER + place + 1, elements_of(count, width)) .. memory.text(to, place + 1)
end

-- Unpacking: nil stands for whatever `pack` would not have made

-- A small integer at a place, behind the place that follows its element.
local function count_at(from, place)
  local next, number, high = integer_at(from, place)
  if not next or high or number < 0 or next - place + 1 ~= integer_room(number) then return nil end
  local after = behind(from, next, next - place)
  if after then return after, number end
end

-- A half of an id that is so far behind that of the first: the place behind the element, its lower and its upper part.
local function half_at(from, place, first, half)
  local next, low, high = integer_at(from, place)
  if not next then return nil end
  if next - place + 1 ~= (high and 10 or integer_room(low)) then return nil end
  if not high then high = low < 0 and WORD - 1 or 0 end
  low = low % WORD + number_at(first, half)
  high = high + number_at(first, half + 4) + (low >= WORD and 1 or 0)
  return behind(from, next, next - place), low % WORD, high % WORD
end

-- The ids of a listpack, the lowest byte first or as text, and the texts and lengths of its values and of its fields, a line
-- break behind each text.  What is read is named once more at the end, since a view does not keep it.
local function unpack(data, first, as_text)
  local padded = data .. listpack.BEYOND
  local from, stop, base = memory.view(padded), #data - 1, memory.view(first)
  local place, count, deleted, width, zero = listpack.HEADER
  place, count = count_at(from, place)
  if place then place, deleted = count_at(from, place) end
  if place then place, width = count_at(from, place) end
  if not place or deleted ~= 0 or width == 0 or from[stop] ~= END or #first ~= ID then return nil end
  if data:sub(1, listpack.HEADER) ~= header(#data, elements_of(count, width)) then return nil end

  local names, name_lengths, name_end, named, room = memory.room(#data * 3), memory.room(#data * 2), 0, 0
  while named < 4 * width do
    if place >= stop then return nil end
    local start, before = name_end, place
    place, name_end, room = put_element_at(from, place, stop, names, name_end)
    if not place or place - before ~= room then return nil end
    named = put_bytes(name_end - start, 4, name_lengths, named)
    names[name_end] = listpack.LINE_BREAK
    name_end = name_end + 1
  end
  place, zero = count_at(from, place)
  if zero ~= 0 then return nil end

  local to, lengths = memory.room(#data * 3), memory.room(#data * 2)
  local ids = memory.room((floor(#data / LEAST) + 1) * MOST_TEXT)
  local written, counted, id, left, seen = 0, 0, 0, 0, 0
  local a, b, c, d = -1, 0, 0, 0 -- the id before, its upper parts first
  while place < stop do
    if left == 0 then
      if from[place] ~= SAME_FIELDS or from[place + 1] ~= 1 then return nil end
      local e, f, g, h
      place, f, e = half_at(from, place + 2, base, HALF)
      if not place then return nil end
      place, h, g = half_at(from, place, base, 0)
      if not place then return nil end
      if e < a or e == a and (f < b or f == b and (g < c or g == c and h <= d)) then return nil end
      a, b, c, d = e, f, g, h
      if as_text then
        id = put_unsigned(f, e, ids, id)
        ids[id] = MINUS
        id = put_unsigned(h, g, ids, id + 1)
        ids[id] = listpack.LINE_BREAK
        id = id + 1
      else
        id = put_bytes(e, 4, ids, put_bytes(f, 4, ids, put_bytes(g, 4, ids, put_bytes(h, 4, ids, id))))
      end
      left, seen = width, seen + 1
    end
    local start, before = written, place
    place, written, room = put_element_at(from, place, stop, to, written)
    if not place or place - before ~= room then return nil end
    counted = put_bytes(written - start, 4, lengths, counted)
    to[written] = listpack.LINE_BREAK
    written, left = written + 1, left - 1
    if left == 0 then
      local told
      place, told = count_at(from, place)
      if told ~= width + 3 then return nil end
    end
  end
  if place ~= #padded - #listpack.BEYOND - 1 or left > 0 or seen ~= count then return nil end
  local text = memory.text
  return text(ids, id), text(to, written), text(lengths, counted), text(names, name_end), text(name_lengths, named)
end

return { pack = memory.tidy(pack), unpack = memory.tidy(unpack) }
