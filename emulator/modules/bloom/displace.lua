-- How a cuckoo filter makes place for a fingerprint by moving others about; cuckoo.py does the same, slowly, where there is no FFI.
local has_ffi, ffi = pcall(require, "ffi")
if not has_ffi then return {} end
local bit = require("bit")
local band, bxor = bit.band, bit.bxor
local bytes, places = ffi.typeof("uint8_t *"), ffi.typeof("uintptr_t")
local OTHER = 0x5BD1E995

-- Whether there was place in the filter at an address, whose buckets are a power of two; where there was none all is as before:
-- each move says where the one before it came from, so they are undone without having been noted down.
local function displace(address, buckets, size, iterations, bucket, fingerprint)
  local room, mask, slot = ffi.cast(bytes, ffi.cast(places, address)), buckets - 1, 0
  for _ = 1, iterations do
    local place = bucket * size + slot
    room[place], fingerprint = fingerprint, room[place]
    bucket = band(bxor(bucket, fingerprint * OTHER), mask)
    for free = bucket * size, bucket * size + size - 1 do
      if room[free] == 0 then
        room[free] = fingerprint
        return true
      end
    end
    slot = slot + 1
    if slot == size then slot = 0 end
  end
  for _ = 1, iterations do
    if slot == 0 then slot = size end
    slot = slot - 1
    bucket = band(bxor(bucket, fingerprint * OTHER), mask)
    local place = bucket * size + slot
    room[place], fingerprint = fingerprint, room[place]
  end
  return false
end

return { displace = displace }
