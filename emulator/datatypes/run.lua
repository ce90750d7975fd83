-- Runs of streams for stream.py: entries that all have the fields of the first one, as they stand in a listpack.

local use = ...
local memory, listpack = use("memory"), use("rdb/listpack")
local put, put_integer, put_wide, number_at = listpack.put, listpack.put_integer, listpack.put_wide, listpack.number_at
local WORD = 2 ^ 32
local SAME_FIELDS = 2
local ID, HALF = 16, 8 -- bytes
local MOST_BESIDE = 3 + 2 * 11 + 11 -- bytes of an entry: flags, both halves of its id, how many elements it has

-- How far a half of an id lies behind that of the first, as a signed integer of 64 bits.
local function put_distance(ids, id, first, to, place)
  local low, high = number_at(ids, id) - number_at(ids, first), number_at(ids, id + 4) - number_at(ids, first + 4)
  if low < 0 then low, high = low + WORD, high - 1 end
  if high == 0 then return put_integer(low, to, place) end
  if high == -1 then return put_integer(low - WORD, to, place) end
  return put_wide(low, high, to, place)
end

-- Entries by the first id and theirs, the lowest byte first, and by so many values for each, one behind the other, and the
-- lengths of those.
local function entries(ids, texts, lengths, width)
  local from, places, sizes = memory.view(texts), memory.view(ids), memory.view(lengths)
  local to = memory.room(#texts + #lengths / 4 * listpack.MOST_AROUND + #ids / ID * MOST_BESIDE)
  local start, place, id, left = 0, 0, 0, 0
  for index = 0, #lengths - 4, 4 do -- one flat loop, which is what LuaJIT is good at
    if left == 0 then
      id, left = id + ID, width
      to[place], to[place + 1] = SAME_FIELDS, 1
      place = put_distance(places, id + HALF, HALF, to, place + 2)
      place = put_distance(places, id, 0, to, place)
    end
    local size = number_at(sizes, index)
    place = put(from, start, size, to, place)
    start, left = start + size, left - 1
    if left == 0 then place = put_integer(width + 3, to, place) end
  end
  return memory.text(to, place)
end

return { entries = entries }
