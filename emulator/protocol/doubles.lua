-- Prints many doubles for numbers.py, by Grisu2 as it stands there; only where LuaJIT has operations for 64 bits.

local found, ffi = pcall(require, "ffi")
if not found or jit.version_num < 20100 then return {} end
local bit = require("bit")
local band, lshift, rshift, floor, abs = bit.band, bit.lshift, bit.rshift, math.floor, math.abs
local doubles, words = ffi.typeof("const double *"), ffi.typeof("const uint64_t *")
local room, word, word_room, short_room = ffi.typeof("uint8_t[?]"), ffi.typeof("uint64_t"), ffi.typeof("uint64_t[?]"), ffi.typeof("int16_t[?]")
local ONE, LOW, ROUND, HIDDEN = word(1), word(2 ^ 32 - 1), word(2 ^ 31), word(2 ^ 52)
local ZERO, MINUS, POINT, PLUS, LETTER, LINE_BREAK = 48, 45, 46, 43, 101, 10
local LONGEST = 32 -- bytes of a text and its line break
local MOST_DIGITS = 18
local CERTAIN = 2 ^ 53 -- whole numbers up to here are printed as such
local digits = room(MOST_DIGITS + 10)
local units = {}
for kappa = 0, 9 do units[kappa] = 10 ^ kappa end

-- The upper half of a product of 128 bits.
local function multiply(a, b)
  local high_a, low_a, high_b, low_b = rshift(a, 32), band(a, LOW), rshift(b, 32), band(b, LOW)
  local high_low, low_high = high_a * low_b, low_a * high_b
  local middle = band(high_low, LOW) + band(low_high, LOW) + rshift(low_a * low_b, 32) + ROUND
  return high_a * high_b + rshift(high_low, 32) + rshift(low_high, 32) + rshift(middle, 32)
end

local function round(count, delta, rest, unit, distance)
  while rest < distance and delta - rest >= unit and (rest + unit < distance or distance - rest > rest + unit - distance) do
    digits[count - 1] = digits[count - 1] - 1
    rest = rest + unit
  end
end

-- Puts the shortest digits between the boundaries into `digits`: how many, and the power of the last one.  Above the point
-- they are looked at as doubles, which is quicker.
local function generate(value, upper, delta, shift)
  local distance, one = upper - value, lshift(ONE, shift)
  local whole, part, count = tonumber(rshift(upper, shift)), band(upper, one - 1), 0
  local whole_delta, fits = tonumber(rshift(delta, shift)), part <= band(delta, one - 1)
  for kappa = 9, 0, -1 do
    local unit = units[kappa]
    local digit = floor(whole / unit)
    whole = whole - digit * unit
    if digit > 0 or count > 0 then
      digits[count] = ZERO + digit
      count = count + 1
    end
    if whole < whole_delta or whole == whole_delta and fits then
      round(count, delta, lshift(word(whole), shift) + part, lshift(word(unit), shift), distance)
      return count, kappa
    end
  end
  local scale, kappa = 1, 0
  repeat
    part, delta, scale, kappa = part * 10, delta * 10, scale * 10, kappa - 1
    local digit = tonumber(rshift(part, shift))
    part = band(part, one - 1)
    if digit > 0 or count > 0 then
      digits[count] = ZERO + digit
      count = count + 1
    end
  until part < delta
  round(count, delta, part, one, distance * word(scale))
  return count, kappa
end

local function put_digits(from, stop, to, place)
  for index = from, stop - 1 do to[place + index - from] = digits[index] end
  return place + stop - from
end

local function put_zeros(count, to, place)
  for index = place, place + count - 1 do to[index] = ZERO end
  return place + count
end

local function put_small(number, to, place)
  if number >= 100 then
    to[place] = ZERO + floor(number / 100)
    place = place + 1
  end
  if number >= 10 then
    to[place] = ZERO + floor(number / 10) % 10
    place = place + 1
  end
  to[place] = ZERO + number % 10
  return place + 1
end

local function put_whole(number, to, place)
  local count = 0
  repeat
    local tenth = floor(number / 10)
    digits[count] = ZERO + number - 10 * tenth
    count, number = count + 1, tenth
  until number == 0
  for index = 0, count - 1 do to[place + index] = digits[count - 1 - index] end
  return place + count
end

-- So many digits times a power of ten.
local function put_laid_out(count, power, most, to, place)
  local exponent = power + count - 1
  if power >= 0 and abs(exponent) < count + 7 then return put_zeros(power, to, put_digits(0, count, to, place)) end
  if power < 0 and (power > -7 or abs(exponent) < 4) then
    local point = count + power
    if point > 0 then
      place = put_digits(0, point, to, place)
      to[place] = POINT
      return put_digits(point, count, to, place + 1)
    end
    to[place], to[place + 1] = ZERO, POINT
    return put_digits(0, count, to, put_zeros(-point, to, place + 2))
  end
  if count > most then count = most end
  place = put_digits(0, 1, to, place)
  if count > 1 then
    to[place] = POINT
    place = put_digits(1, count, to, place + 1)
  end
  to[place], to[place + 1] = LETTER, exponent < 0 and MINUS or PLUS
  return put_small(abs(exponent), to, place + 2)
end

-- A printer by powers of ten: those of every eighth power from -348 on, as 64-bit numbers and their powers of two.
local function printer(significands, exponents)
  local tens, twos = word_room(#significands / 8), short_room(#exponents / 2)
  ffi.copy(tens, significands, #significands)
  ffi.copy(twos, exponents, #exponents)

  -- The index of the power that brings a number of this exponent into the range of `generate`.
  local function scale(exponent)
    local index = floor((-(exponent + 87) * 0.30102999566398114 + 348) / 8)
    while true do
      local reached = exponent + twos[index] + 64
      if reached < -60 then
        index = index + 1
      elseif reached > -32 then
        index = index - 1
      else
        return index
      end
    end
  end

  local function put_fraction(bits, biased, most, to, place)
    local fraction = band(bits, HIDDEN - 1) + HIDDEN
    local exponent = biased - 1086 -- of the upper boundary, of which the top bit is set
    local gap = fraction == HIDDEN and 2 or 1
    local lower = lshift(lshift(fraction, gap) - 1, 11 - gap)
    local index = scale(exponent)
    local ten = tens[index]
    local value = multiply(lshift(fraction, 11), ten)
    local upper = multiply(lshift(2 * fraction + 1, 10), ten) - 1
    lower = multiply(lower, ten) + 1
    local count, kappa = generate(value, upper, upper - lower, -(exponent + twos[index] + 64))
    return put_laid_out(count, kappa + 348 - 8 * index, most, to, place)
  end

  -- The texts of doubles as they stand in memory, with a line break behind each; nothing for zero and what is no usual number.
  return function(numbers)
    local count, place = #numbers / 8, 0
    local from, bits, to = ffi.cast(doubles, numbers), ffi.cast(words, numbers), room(count * LONGEST)
    for index = 0, count - 1 do
      local number, most = from[index], MOST_DIGITS
      local biased = tonumber(band(rshift(bits[index], 52), 2047))
      local is_whole = floor(number) == number
      if biased > 0 and biased < 2047 and (abs(number) < CERTAIN or abs(number) > 512 * CERTAIN) then
        if number < 0 then
          to[place] = MINUS
          place, most = place + 1, MOST_DIGITS - 1
        end
        if is_whole and abs(number) < CERTAIN then
          place = put_whole(abs(number), to, place)
        else
          place = put_fraction(bits[index], biased, most, to, place)
        end
      end
      to[place] = LINE_BREAK
      place = place + 1
    end
    return ffi.string(to, place)
  end
end

return { printer = printer }
