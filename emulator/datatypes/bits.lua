-- Bits of strings for bits.py, eight bytes at a time; only where LuaJIT has operations for so many.

local found, ffi = pcall(require, "ffi")
if not found then return {} end
local bit = require("bit")
if not pcall(bit.band, ffi.cast("uint64_t", 1), 1) then return {} end
local band, bor, bxor, rshift = bit.band, bit.bor, bit.bxor, bit.rshift
local words, bytes, filled = ffi.typeof("const uint64_t *"), ffi.typeof("const uint8_t *"), ffi.typeof("uint8_t *")
local places, room = ffi.typeof("uintptr_t"), ffi.typeof("uint64_t[?]")
local ONES = ffi.cast("uint64_t", 0x01010101) * 2 ^ 32 + 0x01010101 -- in each byte
local TWOS, FOURS, EIGHTS, NONE = ONES * 0x55, ONES * 0x33, ONES * 0x0F, ONES * 0

local function ones_in(word)
  word = word - band(rshift(word, 1), TWOS)
  word = band(word, FOURS) + band(rshift(word, 2), FOURS)
  return rshift(band(word + rshift(word, 4), EIGHTS) * ONES, 56)
end

-- Three words added up bit by bit: the carries and the sums.
local function added(one, other, third)
  local sums = bxor(one, other)
  return bor(band(one, other), band(sums, third)), bxor(sums, third)
end

-- Four words at a time are added up to one whose bits count four each, and only that one's are counted (Harley and Seal).
local function count(address, size)
  local from, whole = ffi.cast(words, ffi.cast(places, address)), (size - size % 32) / 8
  local total, ones, twos = NONE, NONE, NONE
  for place = 0, whole - 1, 4 do
    local twos_a, ones_a = added(ones, from[place], from[place + 1])
    local twos_b, ones_b = added(ones_a, from[place + 2], from[place + 3])
    local fours, twos_c = added(twos, twos_a, twos_b)
    ones, twos = ones_b, twos_c
    total = total + ones_in(fours)
  end
  total = 4 * total + 2 * ones_in(twos) + ones_in(ones)
  local rest = ffi.cast(bytes, from)
  for place = 8 * whole, size - 1 do total = total + ones_in(NONE + rest[place]) end
  return tonumber(total)
end

-- What an operation makes of two texts of the same length.
local function combining(operation)
  return function(one, other)
    local size = #one
    local a, b, to, whole = ffi.cast(words, one), ffi.cast(words, other), room(size / 8 + 1), (size - size % 8) / 8
    for place = 0, whole - 1 do to[place] = operation(a[place], b[place]) end
    local c, d, rest = ffi.cast(bytes, one), ffi.cast(bytes, other), ffi.cast(filled, to)
    for place = 8 * whole, size - 1 do rest[place] = operation(c[place], d[place]) end
    return ffi.string(to, size)
  end
end

local invert = combining(bit.bnot) -- which takes no second one

return { count = count, NOT = function(text) return invert(text, text) end, AND = combining(bit.band), OR = combining(bit.bor), XOR = combining(bit.bxor) }
