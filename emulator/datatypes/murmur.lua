-- MurmurHash64A and MurmurHash2 for murmur.py, of what is at an address; only where there are operations on 64 bits.

local has_ffi, ffi = pcall(require, "ffi")
if not has_ffi then return {} end
local bit = require("bit")
local number, places = ffi.typeof("uint64_t"), ffi.typeof("uintptr_t")
local long, short, bytes = ffi.typeof("const uint64_t *"), ffi.typeof("const uint32_t *"), ffi.typeof("const uint8_t *")
if not pcall(bit.bxor, number(2 ^ 40), 1) or bit.bxor(number(2 ^ 40), 1) < 2 ^ 40 then return {} end -- LuaJIT 2.0
local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift

local LONG_FACTOR, SHORT_FACTOR = number(0xC6A4A793) * 2 ^ 32 + 0x5BD1E995, number(0x5BD1E995)
local LOW = number(0xFFFFFFFF)

-- What is left behind the last whole word, and whether there is anything.
local function rest(address, from, size)
  local last, word = ffi.cast(bytes, ffi.cast(places, address)), number(0)
  for place = size - 1, from, -1 do word = bor(lshift(word, 8), number(last[place])) end
  return word, from < size
end

-- The hash of 64 bits by a seed: the lower half of each, then the upper one.
local function hash64(address, size, seed_low, seed_high)
  local words, whole = ffi.cast(long, ffi.cast(places, address)), size - size % 8
  local hash = bxor(number(seed_high) * 2 ^ 32 + seed_low, size * LONG_FACTOR)
  for place = 0, whole / 8 - 1 do
    local word = words[place] * LONG_FACTOR
    hash = bxor(hash, bxor(word, rshift(word, 47)) * LONG_FACTOR) * LONG_FACTOR
  end
  local last, is_there = rest(address, whole, size)
  if is_there then hash = bxor(hash, last) * LONG_FACTOR end
  hash = bxor(hash, rshift(hash, 47)) * LONG_FACTOR
  hash = bxor(hash, rshift(hash, 47))
  return tonumber(band(hash, LOW)), tonumber(rshift(hash, 32))
end

-- The hash of 32 bits by a seed.
local function hash32(address, size, seed)
  local words, whole = ffi.cast(short, ffi.cast(places, address)), size - size % 4
  local hash = bxor(number(seed), band(number(size), LOW))
  for place = 0, whole / 4 - 1 do
    local word = band(number(words[place]) * SHORT_FACTOR, LOW)
    word = bxor(word, rshift(word, 24)) * SHORT_FACTOR
    hash = band(bxor(hash * SHORT_FACTOR, word), LOW)
  end
  local last, is_there = rest(address, whole, size)
  if is_there then hash = band(bxor(hash, last) * SHORT_FACTOR, LOW) end
  hash = band(bxor(hash, rshift(hash, 13)) * SHORT_FACTOR, LOW)
  return tonumber(bxor(hash, rshift(hash, 15)))
end

return { hash64 = hash64, hash32 = hash32 }
