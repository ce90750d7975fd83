-- LZF for lzf.py: the very bytes that LibLZF makes as Redis has it built.  Places are counted from 0.

local use = ...
local memory = use("memory")
local band, rshift, copy = memory.band, memory.rshift, memory.copy
local LONGEST_LITERAL = 32
local WORD = 8 -- bytes that `copy` takes at once, two of them at most one by one
local FURTHEST = 8192
local LONGEST_COPY = 264
-- LibLZF compares the first bytes of a long copy without a look at the limit, which it may so exceed.
local UNROLLED, UNROLLED_END = 16, 19
local SLOTS = 65536
local HIGHEST = 2 ^ 31 - 1

-- Where three bytes were last, by what they hash to.  What earlier calls left there lies before `base`.
local places, base, size_before = memory.numbers(SLOTS), 0, 0

local function move_base(size)
  base, size_before = base + size_before + 1, size
  if base + size > HIGHEST then places, base = memory.numbers(SLOTS), 1 end
end

local function slot_of(first, second, third)
  return band(first * 256 + second - 5 * (first * 65536 + second * 256 + third), SLOTS - 1)
end

local function put_literals(from, start, stop, to, place)
  while start < stop do
    local count = stop - start
    if count > LONGEST_LITERAL then count = LONGEST_LITERAL end
    to[place] = count - 1
    copy(to, place + 1, from, start, count)
    start, place = start + count, place + 1 + count
  end
  return place
end

local function put_copy(back, length, to, place)
  local code, high = length - 2, rshift(back - 1, 8)
  if code < 7 then
    to[place] = high + code * 32
  else
    to[place] = high + 7 * 32
    place = place + 1
    to[place] = code - 7
  end
  to[place + 1] = band(back - 1, 255)
  return place + 2
end

local function length_of_copy(from, size, earlier, place)
  local longest = size - place - 2
  if longest > LONGEST_COPY then longest = LONGEST_COPY end
  if longest > UNROLLED and longest < UNROLLED_END then longest = UNROLLED_END end
  local length = 3
  while length < longest and from[earlier + length] == from[place + length] do length = length + 1 end
  return length
end

-- How far LibLZF has come with its output: it copies pending literals at once, behind a byte for their number.
local function reached(written, pending)
  return written + pending + rshift(pending, 5) + 1
end

-- One flat loop, which is what LuaJIT is good at.
local function compress(data, most)
  local size = #data
  if size < 3 or most < 1 then return nil end
  local from, to, written = memory.view(data), memory.room(most), 0
  move_base(size)
  local places, base = places, base
  local last, literals, place = size - 3, 0, 0
  while place <= last do
    local first, second, third = from[place], from[place + 1], from[place + 2]
    local slot = slot_of(first, second, third)
    local earlier = places[slot] - base
    places[slot] = place + base
    if earlier > 0 and place - earlier <= FURTHEST and from[earlier] == first
      and from[earlier + 1] == second and from[earlier + 2] == third then
      local pending = place - literals
      local room = pending % LONGEST_LITERAL == 0 and 3 or 4
      if reached(written, pending) + room >= most then return nil end
      written = put_literals(from, literals, place, to, written)
      local length = length_of_copy(from, size, earlier, place)
      written = put_copy(place - earlier, length, to, written)
      literals = place + length
      if literals > last then break end
      for near = literals - 2, literals - 1 do
        places[slot_of(from[near], from[near + 1], from[near + 2])] = near + base
      end
      place = literals
    else
      place = place + 1
    end
  end
  local pending = (literals > last and literals or last + 1) - literals
  if reached(written, pending) + 3 > most then return nil end
  return memory.text(to, put_literals(from, literals, size, to, written))
end

-- What stands between two places, written to a room; whether it was of that size.
local function put_decompressed(from, place, stop, to, size)
  local written = 0
  while place < stop do
    local code = from[place]
    place = place + 1
    if code < LONGEST_LITERAL then
      local count = code + 1
      if place + count > stop or written + count > size then return false end
      copy(to, written, from, place, count)
      place, written = place + count, written + count
    else
      local length = rshift(code, 5)
      if length == 7 then
        if place >= stop then return false end
        length = length + from[place]
        place = place + 1
      end
      if place >= stop then return false end
      local earlier = written - band(code, 31) * 256 - from[place] - 1
      length = length + 2
      if earlier < 0 or written + length > size then return false end
      if written - earlier >= length or (written - earlier >= WORD and length <= 2 * WORD) then
        copy(to, written, to, earlier, length)
      else -- what is copied goes on in what has been copied
        for offset = 0, length - 1 do to[written + offset] = to[earlier + offset] end
      end
      place, written = place + 1, written + length
    end
  end
  return written == size
end

local function decompress(data, size)
  local to = memory.room(size)
  return put_decompressed(memory.view(data), 0, #data, to, size) and memory.text(to, size) or nil
end

local tidy = memory.tidy
return { compress = tidy(compress), decompress = tidy(decompress), put_decompressed = put_decompressed }
