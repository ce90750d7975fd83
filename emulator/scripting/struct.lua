-- The library `struct`: packing by a format.  Source: http://www.inf.puc-rio.br/~roberto/struct/

local pack_double, pack_float, read_double, read_float = ...
local error, type, tonumber, tostring, select, unpack = error, type, tonumber, tostring, select, unpack
local byte, char, find, rep, reverse, sub = string.byte, string.char, string.find, string.rep, string.reverse, string.sub
local concat, floor = table.concat, math.floor

local SIZES = {b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1}
local SIGNED = {b = true, h = true, i = true, l = true}
local INTEGERS = {b = true, B = true, h = true, H = true, i = true, I = true, l = true, L = true, T = true}
local LARGEST_INTEGER = 32
local LARGEST_NUMBER = 2147483647
local MOST_SLOTS = 8000

local function raise(text)
  error(text, 4)
end

-- One format after another: option, size and alignment; `state` has what stays in force.
local function options(name, layout)
  local state = {place = 1, little = true, align = 1}

  local function digits(default)
    local _, stop, text = find(layout, "^(%d+)", state.place)
    if not text then return default end
    state.place = stop + 1
    local number = tonumber(text)
    if number > LARGEST_NUMBER then raise("integral size overflow") end
    return number
  end

  local function following()
    while state.place <= #layout do
      local option = sub(layout, state.place, state.place)
      state.place = state.place + 1
      if option == ">" then
        state.little = false
      elseif option == "<" then
        state.little = true
      elseif option == "!" then
        local align = digits(8)
        local power = align
        while power > 1 do power = power / 2 end
        if power ~= 1 then
          raise("alignment " .. align .. " is not a power of 2")
        end
        state.align = align
      elseif option == "i" or option == "I" then
        local size = digits(4)
        if size > LARGEST_INTEGER then raise("integral size " .. size .. " is larger than limit of " .. LARGEST_INTEGER) end
        return option, size
      elseif option == "c" then
        return option, digits(1)
      elseif option == "s" then
        return option, 0
      elseif SIZES[option] then
        return option, SIZES[option]
      elseif option ~= " " then
        raise("bad argument #1 to '" .. name .. "' (invalid format option '" .. option .. "')")
      end
    end
  end
  return state, following
end

local function padding(state, option, size, total)
  if size == 0 or option == "c" or option == "x" or option == "s" then return 0 end
  local align = size < state.align and size or state.align
  if align <= 1 then return 0 end
  return (align - total % align) % align
end

-- C has the lowest integer for what is too low or no number; its 64 bits are two exact halves.
local function integer_bytes(number, size, little)
  if not (number >= -2 ^ 63) then number = -2 ^ 63 end
  number = number >= 0 and floor(number) or -floor(-number)
  local low, high = number % 2 ^ 32, floor(number / 2 ^ 32) % 2 ^ 32
  local bytes = {}
  for place = 1, size do
    if place == 5 then low = high end
    bytes[place] = char(place <= 8 and low % 256 or 0)
    low = floor(low / 256)
  end
  local text = concat(bytes)
  return little and text or reverse(text)
end

-- The integer in up to eight bytes, the least first; its halves are exact, so that it is rounded once.
local function read_integer(text, signed)
  local size = #text
  local negative = signed and size > 0 and byte(text, size) >= 128
  local function half(last, first)
    local number = 0
    for place = size < last and size or last, first, -1 do
      local value = byte(text, place)
      number = number * 256 + (negative and 255 - value or value)
    end
    return number
  end
  local high, low = half(8, 5), half(4, 1)
  return negative and -(high * 2 ^ 32 + (low + 1)) or high * 2 ^ 32 + low
end

local function check_number(place, name, value)
  local number = tonumber(value)
  if not number then
    error("bad argument #" .. place .. " to '" .. name .. "' (number expected, got " .. type(value) .. ")", 3)
  end
  return number
end

local function check_string(place, name, value, missing)
  if type(value) ~= "string" and type(value) ~= "number" then
    local got = missing and "no value" or type(value)
    error("bad argument #" .. place .. " to '" .. name .. "' (string expected, got " .. got .. ")", 3)
  end
  return tostring(value)
end

local library = {}

function library.pack(layout, ...)
  layout = check_string(1, "pack", layout, layout == nil)
  local state, following = options("pack", layout)
  local values, parts, total, argument = {...}, {}, 0, 0
  local function add(text)
    parts[#parts + 1] = text
    total = total + #text
  end
  local option, size = following()
  while option do
    add(rep("\0", padding(state, option, size, total)))
    if option == "x" then
      add("\0")
    else
      argument = argument + 1
      local value = values[argument]
      if INTEGERS[option] then
        add(integer_bytes(check_number(argument + 1, "pack", value), size, state.little))
      elseif option == "d" or option == "f" then
        local text = (option == "d" and pack_double or pack_float)(check_number(argument + 1, "pack", value))
        add(state.little and reverse(text) or text)
      else
        local text = check_string(argument + 1, "pack", value)
        if option == "s" then
          add(text .. "\0")
        else
          if size == 0 then size = #text end
          if #text < size then error("bad argument #" .. (argument + 2) .. " to 'pack' (string too short)", 2) end
          add(sub(text, 1, size))
        end
      end
    end
    option, size = following()
  end
  return concat(parts)
end

function library.unpack(...)
  local layout, data, place = ...
  local given = select("#", ...)
  layout, data = check_string(1, "unpack", layout, given < 1), check_string(2, "unpack", data, given < 2)
  local start = place == nil and 1 or check_number(3, "unpack", place)
  if start >= 0 and start < 1 then error("bad argument #3 to 'unpack' (offset must be 1 or greater)", 2) end
  if start ~= start then start = -2 ^ 63 end
  local offset = (start < 0 and -floor(-start) or floor(start)) - 1
  local state, following = options("unpack", layout)
  local values, count = {}, 0
  local option, size = following()
  while option do
    if count + given + 2 > MOST_SLOTS then error("stack overflow (too many results)", 2) end
    offset = offset + padding(state, option, size, offset)
    if option == "c" and size == 0 then
      if count == 0 or type(values[count]) ~= "number" then error("format 'c0' needs a previous size", 2) end
      size = values[count] < 2 ^ 64 and floor(values[count]) or values[count] >= 2 ^ 64 and 0 or -1
      count = count - 1
    end
    if size < 0 or offset < 0 or offset + size > #data then error("bad argument #2 to 'unpack' (data string too short)", 2) end
    local piece = sub(data, offset + 1, offset + size)
    if option == "s" then
      local stop = find(data, "\0", offset + 1, true)
      if not stop then error("unfinished string in data", 2) end
      count = count + 1
      values[count] = sub(data, offset + 1, stop - 1)
      size = stop - offset
    elseif option == "c" then
      count = count + 1
      values[count] = piece
    elseif option ~= "x" then
      count = count + 1
      if INTEGERS[option] then
        values[count] = read_integer(state.little and piece or reverse(piece), SIGNED[option])
      else
        values[count] = (option == "d" and read_double or read_float)(state.little and reverse(piece) or piece)
      end
    end
    offset = offset + size
    option, size = following()
  end
  values[count + 1] = offset + 1
  return unpack(values, 1, count + 1)
end

function library.size(layout)
  layout = check_string(1, "size", layout, layout == nil)
  local state, following = options("size", layout)
  local total = 0
  local option, size = following()
  while option do
    if option == "s" then error("bad argument #1 to 'size' (option 's' has no fixed size)", 2) end
    if option == "c" and size == 0 then error("bad argument #1 to 'size' (option 'c0' has no fixed size)", 2) end
    total = total + padding(state, option, size, total) + size
    option, size = following()
  end
  return total
end

return library
