-- Bytes to read and to write, counted from 0: memory itself by LuaJIT's FFI; elsewhere stand-ins for it, which are slow.
-- A room is written in ascending order and read no further back than `FURTHEST`.  Nobody checks the bounds of
-- memory but its user, who also holds the text that he has a view of: a view alone does not keep it.

local FURTHEST = 8192
local WORD = 8
local LINE_BREAK = 10
local LARGE = 2 ^ 20 -- bytes from which on what is left over is not left to the collector's leisure

-- A function whose memory is given back at once where it took much.  It is not called in the place of the one that is returned:
-- this holds `data` while there are views of it.
local function tidy(work)
  local function after(size, ...)
    if size > LARGE then collectgarbage() end
    return ...
  end
  return function(data, ...) return after(#data, work(data, ...)) end
end

local found, ffi = pcall(require, "ffi")

if found then
  local bit, bytes, words = require("bit"), ffi.typeof("const uint8_t *"), ffi.typeof("const int32_t *")
  local room, sizes, numbers = ffi.typeof("uint8_t[?]"), ffi.typeof("const uint32_t *"), ffi.typeof("int32_t[?]")
  local singles, single_room = ffi.typeof("const float *"), ffi.typeof("float[?]")

  -- A word at once is one instruction; what it has beyond the bytes wanted is overwritten by whatever comes next.
  local function copy(to, place, from, start, size)
    if size <= WORD then return ffi.copy(to + place, from + start, WORD) end
    if size > 2 * WORD then return ffi.copy(to + place, from + start, size) end
    ffi.copy(to + place, from + start, WORD)
    ffi.copy(to + place + WORD, from + start + WORD, WORD)
  end

  local function parted(texts, count)
    local from, found, place = ffi.cast(bytes, texts), ffi.new(numbers, count), 0
    for index = 0, count - 2 do
      local start = place
      while from[place] ~= LINE_BREAK do place = place + 1 end
      found[index] = place - start
      place = place + 1
    end
    found[count - 1] = #texts - place
    return found
  end

  local function lengths(texts, told, count)
    if told == "" and count > 0 then return parted(texts, count), 1 end
    return ffi.cast(#told == count and bytes or sizes, told), 0
  end

  return {
    tidy = tidy,
    view = function(text) return ffi.cast(bytes, text) end,
    lengths = lengths,
    room = function(size) return ffi.new(room, size + WORD) end,
    numbers = function(count) return ffi.new(numbers, count) end,
    text = function(from, size) return ffi.string(from, size) end,
    readable = function(from) return from end,
    copy = copy,
    words = function(text) return ffi.cast(words, text) end,
    singles = function(text) return ffi.cast(singles, text) end,
    single_room = function(count) return ffi.new(single_room, count) end,
    band = bit.band,
    rshift = bit.rshift,
    bor = bit.bor,
    bxor = bit.bxor,
    lshift = bit.lshift,
  }
end

local byte, char, floor = string.byte, string.char, math.floor
local HALF, LATER = FURTHEST / 2, 16

-- The last bytes stand in a ring; each half of it that is full becomes a string.  That is a little later, since of several
-- bytes in one assignment Lua writes the last one first.
local function new_room()
  local ring, pieces, kept = {}, {}, 0 -- so many bytes are in strings
  local function keep(size)
    local first = kept % FURTHEST + 1
    pieces[#pieces + 1] = char(unpack(ring, first, first + size - 1))
    kept = kept + size
  end
  local function put(_, place, value)
    ring[place % FURTHEST + 1] = value
    if place == kept + HALF + LATER then keep(HALF) end
  end
  local function rest(size)
    if size - kept > HALF then keep(HALF) end
    keep(size - kept)
    return table.concat(pieces)
  end
  local stand_in = { __index = function(_, place) return ring[place % FURTHEST + 1] end, __newindex = put, __call = function(_, size) return rest(size) end }
  return setmetatable({}, stand_in)
end

local function parted(texts, count)
  local found, place = {}, 1
  for index = 0, count - 2 do
    local start = place
    place = texts:find("\n", place, true) + 1
    found[index] = place - start - 1
  end
  found[count - 1] = #texts - place + 1
  return found
end

local function view(text)
  return setmetatable({}, { __index = function(_, place) return byte(text, place + 1) end })
end

local function lengths(texts, told, count)
  if told == "" and count > 0 then return parted(texts, count), 1 end
  if #told == count then return view(told), 0 end
  local function number(_, place)
    local a, b, c, d = byte(told, 4 * place + 1, 4 * place + 4)
    return a + b * 256 + c * 65536 + d * 16777216
  end
  return setmetatable({}, { __index = number }), 0
end

return {
  tidy = tidy,
  view = view,
  lengths = lengths,
  room = new_room,
  numbers = function() return setmetatable({}, { __index = function() return 0 end }) end,
  text = function(room, size) return room(size) end,
  readable = function(room, size) return view(room(size)) end,
  copy = function(to, place, from, start, size)
    for offset = 0, size - 1 do to[place + offset] = from[start + offset] end
  end,
  band = function(number, mask) return number % (mask + 1) end,
  rshift = function(number, bits) return floor(number / 2 ^ bits) end,
}
