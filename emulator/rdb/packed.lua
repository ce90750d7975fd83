-- Listpacks as payloads have them, for listpack.py and quicklist.lua: strings behind their length, compressed where that makes
-- them shorter.  Places are counted from 0.

local use = ...
local memory, listpack, lzf = use("memory"), use("datatypes/listpack"), use("rdb/lzf")
local char, floor = string.char, math.floor
local COMPRESSED, LONG = 0xC3, 0x80
local LEAST = 21 -- bytes from which on a string is compressed
local MOST_PER_BYTE = 88 -- which LZF makes of one
local BEYOND = listpack.BEYOND

local function length(size)
  if size < 64 then return char(size) end
  if size < 16384 then return char(64 + floor(size / 256), size % 256) end
  return char(LONG, floor(size / 16777216) % 256, floor(size / 65536) % 256, floor(size / 256) % 256, size % 256)
end

-- What stands before a listpack, and its bytes, compressed if that is wished for and worth it.
local function parts(packed, compresses)
  local short = compresses and #packed >= LEAST and lzf.compress(packed, #packed - 4)
  if short then return char(COMPRESSED) .. length(#short) .. length(#packed), short end
  return length(#packed), packed
end

-- A listpack of texts as `columns` gives them.
local function pack(texts, lengths, count, compresses)
  local sizes, gap = memory.lengths(texts, lengths, count)
  local packed = listpack.pack_some(memory.view(texts), 0, gap, sizes, 0, count)
  local head, content = parts(packed, compresses)
  return head .. content
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
  local size, whole
  local compressed = from[place] == COMPRESSED
  size, place = length_at(from, compressed and place + 1 or place)
  if compressed and size then
    whole, place = length_at(from, place)
    if not whole or whole > size * MOST_PER_BYTE then return nil end
  end
  if not size or place + size > stop then return nil end
  return place, place + size, whole
end

-- The elements of one of them, as `listpack.put_elements` has them; nil where it is damaged.
local function put_elements(from, start, next, whole, to, written, lengths)
  if whole then
    local room = memory.room(whole + #BEYOND)
    if not lzf.put_decompressed(from, start, next, room, whole) then return nil end
    from, start, next = memory.readable(room, whole), 0, whole
  end
  return listpack.put_elements(from, start, next, to, written, lengths)
end

-- The texts of the elements of a listpack at the beginning, their lengths, the bytes that they should take, and those that
-- its string takes; nil where it is cut off, or something else.
local function unpack(data)
  local padded = data .. BEYOND
  local from = memory.view(padded)
  local start, next, whole = string_at(from, 0, #data)
  if not start then return nil end
  local size = whole or next - start
  local to, lengths = memory.room(size * listpack.MOST_TEXT), memory.room(size * 2)
  local written, count, room = put_elements(from, start, next, whole, to, 0, lengths)
  local _ = padded -- which the view does not keep
  if not written then return nil end
  return memory.text(to, written), memory.text(lengths, 4 * count), room, next
end

return {
  pack = memory.tidy(pack),
  unpack = memory.tidy(unpack),
  parts = parts,
  string_at = string_at,
  put_elements = put_elements,
}
