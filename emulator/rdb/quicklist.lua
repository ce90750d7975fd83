-- The listpacks of a quicklist as payloads have them, many at a time, for quicklist.py.  Places are counted from 0.

local use = ...
local memory, listpack, lzf = use("memory"), use("datatypes/listpack"), use("rdb/lzf")
local number_at, put_bytes, HEADER = listpack.number_at, listpack.put_bytes, listpack.HEADER
local char, sub, floor, concat = string.char, string.sub, math.floor, table.concat
local PACKED = 2 -- stands before each: that it is none of the nodes that are one value
local COMPRESSED, LONG = 0xC3, 0x80
local LEAST = 21 -- bytes from which on a string is compressed
local MOST_PER_BYTE = 88 -- which LZF makes of one
local BEYOND = ("\0"):rep(16)

local function length(size)
  if size < 64 then return char(size) end
  if size < 16384 then return char(64 + floor(size / 256), size % 256) end
  return char(LONG, floor(size / 16777216) % 256, floor(size / 65536) % 256, floor(size / 256) % 256, size % 256)
end

-- Listpacks of texts as `columns` gives them, in each as many as the counts say, four bytes each.
local function pack(texts, lengths, count, counts, compresses)
  local from, numbers, pieces = memory.view(texts), memory.view(counts), {}
  local sizes, gap = memory.lengths(texts, lengths, count)
  local start, first = 0, 0
  for place = 0, #counts - 1, 4 do
    local number, packed = number_at(numbers, place), nil
    packed, start = listpack.pack_some(from, start, gap, sizes, first, number)
    first = first + number
    local short = compresses and #packed >= LEAST and lzf.compress(packed, #packed - 4)
    local head = short and char(COMPRESSED) .. length(#short) or ""
    pieces[#pieces + 1] = char(PACKED) .. head .. length(#packed)
    pieces[#pieces + 1] = short or packed
  end
  return concat(pieces)
end

-- A length at a place, and the place behind it; nil where there is something else.
local function length_at(from, place)
  local first = from[place]
  if first < 64 then return first, place + 1 end
  if first < LONG then return (first - 64) * 256 + from[place + 1], place + 2 end
  if first > LONG then return nil end
  return ((from[place + 1] * 256 + from[place + 2]) * 256 + from[place + 3]) * 256 + from[place + 4], place + 5
end

-- The string of a listpack at a place: where its bytes begin and end, the size that they have when it is compressed; nil
-- where it is cut off, or something else.
local function string_at(from, place, stop)
  if from[place] ~= PACKED then return nil end
  local size, whole
  local compressed = from[place + 1] == COMPRESSED
  size, place = length_at(from, compressed and place + 2 or place + 1)
  if compressed and size then
    whole, place = length_at(from, place)
    if not whole or whole > size * MOST_PER_BYTE then return nil end
  end
  if not size or place + size > stop then return nil end
  return place, place + size, whole
end

-- The places of up to so many strings, three numbers for each, and the bytes that they have when none is compressed.
local function strings_of(from, stop, most)
  local strings, place, bytes = {}, 0, 0
  while #strings < 3 * most and place < stop do
    local start, next, whole = string_at(from, place, stop)
    if not start then break end
    local last = #strings
    strings[last + 1], strings[last + 2], strings[last + 3] = start, next, whole or false
    place, bytes = next, bytes + (whole or next - start)
  end
  return strings, bytes
end

-- The elements of one of them: where the texts end, how many, the bytes that they should take; nil where it is damaged.
local function put_elements(from, start, next, whole, to, written)
  if whole then
    local room = memory.room(whole + #BEYOND)
    if not lzf.put_decompressed(from, start, next, room, whole) then return nil end
    from, start, next = memory.readable(room, whole), 0, whole
  end
  return listpack.put_elements(from, start, next, to, written)
end

-- Up to so many listpacks from the beginning: the texts of their elements, a line break behind each; how many each has and
-- the bytes that it should take, four bytes each; how many bytes that was.  It ends before whatever is anything else.
local function unpack(data, most)
  local padded = data .. BEYOND
  local from = memory.view(padded)
  local strings, bytes = strings_of(from, #data, most)
  local to, numbers = memory.room(bytes * listpack.MOST_TEXT), memory.room(#strings * 3)
  local written, place, told = 0, 0, 0
  for index = 1, #strings, 3 do
    local next = strings[index + 1]
    local behind, count, whole = put_elements(from, strings[index], next, strings[index + 2], to, written)
    if not behind then break end
    told = put_bytes(whole + HEADER + 1, 4, numbers, put_bytes(count, 4, numbers, told))
    written, place = behind, next
  end
  local _ = padded -- which the view does not keep
  return memory.text(to, written), memory.text(numbers, told), place
end

return { pack = memory.tidy(pack), unpack = memory.tidy(unpack) }
