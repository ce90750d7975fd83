-- The listpacks of a quicklist as payloads have them, many at a time, for quicklist.py.  Places are counted from 0.

local use = ...
local memory, listpack, packed = use("memory"), use("datatypes/listpack"), use("rdb/packed")
local number_at, put_bytes, HEADER = listpack.number_at, listpack.put_bytes, listpack.HEADER
local string_at, put_elements = packed.string_at, packed.put_elements
local char, concat = string.char, table.concat
local PACKED = 2 -- stands before each: that it is none of the nodes that are one value

-- Listpacks of texts as `columns` gives them, in each as many as the counts say, four bytes each.
local function pack(texts, lengths, count, counts, compresses)
  local from, numbers, pieces = memory.view(texts), memory.view(counts), {}
  local sizes, gap = memory.lengths(texts, lengths, count)
  local start, first = 0, 0
  for place = 0, #counts - 1, 4 do
    local number, node = number_at(numbers, place), nil
    node, start = listpack.pack_some(from, start, gap, sizes, first, number)
    first = first + number
    local head, content = packed.parts(node, compresses)
    pieces[#pieces + 1] = char(PACKED) .. head
    pieces[#pieces + 1] = content
  end
  return concat(pieces)
end

-- The places of up to so many strings, three numbers for each, and the bytes that they have when none is compressed.
local function strings_of(from, stop, most)
  local strings, place, bytes = {}, 0, 0
  while #strings < 3 * most and place < stop do
    if from[place] ~= PACKED then break end
    local start, next, whole = string_at(from, place + 1, stop)
    if not start then break end
    local last = #strings
    strings[last + 1], strings[last + 2], strings[last + 3] = start, next, whole or false
    place, bytes = next, bytes + (whole or next - start)
  end
  return strings, bytes
end

-- Up to so many listpacks from the beginning: the texts of their elements, a line break behind each; how many each has and
-- the bytes that it should take, four bytes each; how many bytes that was.  It ends before whatever is anything else.
local function unpack(data, most)
  local padded = data .. listpack.BEYOND
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
