-- Places and distances of many scores for geohash.py; only where LuaJIT calls the system's sine, as Python does.

local found, ffi = pcall(require, "ffi")
if not found or jit.version_num < 20100 then return {} end
local bit = require("bit")
local band, bor, rshift = bit.band, bit.bor, bit.rshift
local sin, cos, asin, sqrt, abs, floor, pi = math.sin, math.cos, math.asin, math.sqrt, math.abs, math.floor, math.pi
local doubles, room = ffi.typeof("const double *"), ffi.typeof("double[?]")
local WORD, HALF = 2 ^ 32, 2 ^ 16
local LONGITUDE_LIMIT, LATITUDE_LIMIT = 180, 85.05112878
local LONGITUDE_STEP, LATITUDE_STEP = 2 * LONGITUDE_LIMIT / 2 ^ 26, 2 * LATITUDE_LIMIT / 2 ^ 26
local RADIANS, EARTH_RADIUS = pi / 180, 6372797.560856
local OUTSIDE = -1

-- The bits of a number of 32 bits that stand in even places.
local function evens(bits)
  bits = band(bits, 0x55555555)
  bits = band(bor(bits, rshift(bits, 1)), 0x33333333)
  bits = band(bor(bits, rshift(bits, 2)), 0x0F0F0F0F)
  bits = band(bor(bits, rshift(bits, 4)), 0x00FF00FF)
  return band(bor(bits, rshift(bits, 8)), 0xFFFF)
end

-- Longitude and latitude of a score of up to 63 bits, in degrees.
local function place_of(score)
  score = floor(score)
  local low = score % WORD
  local high = (score - low) / WORD
  local x, y = evens(high) * HALF + evens(low), evens(rshift(high, 1)) * HALF + evens(rshift(low, 1))
  local longitude = ((-LONGITUDE_LIMIT + y * LONGITUDE_STEP) + (-LONGITUDE_LIMIT + (y + 1) * LONGITUDE_STEP)) / 2
  local latitude = ((-LATITUDE_LIMIT + x * LATITUDE_STEP) + (-LATITUDE_LIMIT + (x + 1) * LATITUDE_STEP)) / 2
  if longitude > LONGITUDE_LIMIT then longitude = LONGITUDE_LIMIT end
  if latitude > LATITUDE_LIMIT then latitude = LATITUDE_LIMIT end
  return longitude, latitude
end

-- The places of scores, a longitude and a latitude each; all numbers are doubles as they stand in memory.
local function places_of(scores)
  local count = #scores / 8
  local numbers, to = ffi.cast(doubles, scores), room(2 * count)
  for index = 0, count - 1 do to[2 * index], to[2 * index + 1] = place_of(numbers[index]) end
  return ffi.string(to, 16 * count)
end

local function along_meridian(one, other) return EARTH_RADIUS * abs(other * RADIANS - one * RADIANS) end

-- What it takes to measure from a place.
local function centre(over, up)
  return { latitude_in_degrees = up, longitude = over * RADIANS, latitude = up * RADIANS, cosine = cos(up * RADIANS) }
end

local function metres_to(x, y, from)
  local v = sin((x * RADIANS - from.longitude) / 2)
  if v == 0 then return along_meridian(from.latitude_in_degrees, y) end
  local latitude = y * RADIANS
  local u = sin((latitude - from.latitude) / 2)
  return 2 * EARTH_RADIUS * asin(sqrt(u * u + from.cosine * cos(latitude) * v * v))
end

local function opened(scores)
  local count = #scores / 8
  return count, ffi.cast(doubles, scores), room(count)
end

-- The metres from a place to that of each score; OUTSIDE for one that is further than `reach`, or so far by its latitude alone
-- that it lies not between south and north.
local function in_circle(scores, over, up, reach, south, north)
  local from = centre(over, up)
  local count, numbers, to = opened(scores)
  for index = 0, count - 1 do
    local x, y = place_of(numbers[index])
    local metres = y >= south and y <= north and metres_to(x, y, from)
    to[index] = metres and metres <= reach and metres or OUTSIDE
  end
  return ffi.string(to, 8 * count)
end

-- The same for a box, which reaches so many metres up and aside.
local function in_box(scores, over, up, high, aside)
  local from = centre(over, up)
  local count, numbers, to = opened(scores)
  for index = 0, count - 1 do
    local x, y = place_of(numbers[index])
    to[index] = OUTSIDE
    if along_meridian(y, up) <= high then
      local cosine, v = cos(y * RADIANS), sin((from.longitude - x * RADIANS) / 2)
      if 2 * EARTH_RADIUS * asin(sqrt(cosine * cosine * v * v)) <= aside then to[index] = metres_to(x, y, from) end
    end
  end
  return ffi.string(to, 8 * count)
end

return { places_of = places_of, in_circle = in_circle, in_box = in_box }
