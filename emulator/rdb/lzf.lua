-- LZF for lzf.py: the very bytes that LibLZF makes as Redis has it built.  Places are counted from 1.

local byte, char, floor, concat, unpack = string.byte, string.char, math.floor, table.concat, unpack
local LONGEST_LITERAL = 32
local FURTHEST = 8192
local LONGEST_COPY = 264
-- LibLZF compares the first bytes of a long copy without a look at the limit, which it may so exceed.
local UNROLLED, UNROLLED_END = 16, 19
local SLOTS = 65536

-- Output: the last bytes stand in a ring, as far back as a copy may reach; each half of it that is full becomes a string.
local ring, written, pieces = {}, 0, {}
local HALF = FURTHEST / 2

local function begin()
  written, pieces = 0, {}
end

local function put(number)
  ring[written % FURTHEST + 1] = number
  written = written + 1
  if written % HALF == 0 then
    local last = (written - 1) % FURTHEST + 1
    pieces[#pieces + 1] = char(unpack(ring, last - HALF + 1, last))
  end
end

local function finished()
  local last = written % FURTHEST
  local rest = char(unpack(ring, last - written % HALF + 1, last))
  pieces[#pieces + 1] = rest
  local whole = concat(pieces)
  pieces = {}
  return whole
end

-- Where three bytes were last, by what they hash to.  What earlier calls left there lies before `base`.
local places, base, size_before = {}, 0, 0
for slot = 1, SLOTS do places[slot] = 0 end

local function slot_of(first, second, third)
  return (first * 256 + second - 5 * (first * 65536 + second * 256 + third)) % SLOTS + 1
end

local function put_literals(data, from, last)
  for start = from, last, LONGEST_LITERAL do
    local stop = start + LONGEST_LITERAL - 1
    if stop > last then stop = last end
    put(stop - start)
    for place = start, stop do put(byte(data, place)) end
  end
end

local function put_copy(back, length)
  local code, high = length - 2, floor((back - 1) / 256)
  if code < 7 then
    put(high + code * 32)
  else
    put(high + 7 * 32)
    put(code - 7)
  end
  put((back - 1) % 256)
end

-- The first place from `place` on whose three bytes were seen before, and where that was; nil where there is none.
local function next_match(data, place, last)
  local first, second = byte(data, place, place + 1)
  while place <= last do
    local third = byte(data, place + 2)
    local slot = slot_of(first, second, third)
    local earlier = places[slot] - base
    places[slot] = place + base
    if earlier > 1 and place - earlier <= FURTHEST and byte(data, earlier) == first
      and byte(data, earlier + 1) == second and byte(data, earlier + 2) == third then
      return place, earlier
    end
    first, second, place = second, third, place + 1
  end
end

local function length_of_copy(data, earlier, place)
  local longest = #data - place - 1
  if longest > LONGEST_COPY then longest = LONGEST_COPY end
  if longest > UNROLLED and longest < UNROLLED_END then longest = UNROLLED_END end
  local length = 3
  while length < longest and byte(data, earlier + length) == byte(data, place + length) do length = length + 1 end
  return length
end

-- How far LibLZF has come with its output: it copies pending literals at once, behind a byte for their number.
local function reached(pending)
  return written + pending + floor(pending / LONGEST_LITERAL) + 1
end

local function compress(data, most)
  begin()
  base, size_before = base + size_before, #data
  local last, literals = #data - 2, 1
  local place, earlier = next_match(data, 1, last)
  while place do
    local pending = place - literals
    local room = pending % LONGEST_LITERAL == 0 and 3 or 4
    if reached(pending) + room >= most then return nil end
    put_literals(data, literals, place - 1)
    local length = length_of_copy(data, earlier, place)
    put_copy(place - earlier, length)
    literals = place + length
    if literals > last then break end
    for near = literals - 2, literals - 1 do places[slot_of(byte(data, near, near + 2))] = near + base end
    place, earlier = next_match(data, literals, last)
  end
  local pending = (literals > last and literals or last + 1) - literals
  if reached(pending) + 3 > most then return nil end
  put_literals(data, literals, #data)
  return finished()
end

local function decompress(data, size)
  begin()
  local place, stop = 1, #data
  while place <= stop and written <= size do
    local code = byte(data, place)
    place = place + 1
    if code < LONGEST_LITERAL then
      if place + code > stop then return nil end
      for literal = place, place + code do put(byte(data, literal)) end
      place = place + code + 1
    else
      local length = floor(code / 32)
      if length == 7 then
        length = length + (byte(data, place) or 0)
        place = place + 1
      end
      if place > stop then return nil end
      local from = written - code % 32 * 256 - byte(data, place) - 1
      if from < 0 then return nil end
      for earlier = from, from + length + 1 do put(ring[earlier % FURTHEST + 1]) end
      place = place + 1
    end
  end
  return written == size and finished() or nil
end

return compress, decompress
