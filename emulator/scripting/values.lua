-- Values on their way between scripts and the host: results to the host, replies to Lua.

local rawget, pairs, type, unpack = rawget, pairs, type, unpack
local values = {}

-- Results, for the host to make a reply of: values in the order in which they are printed.  nil, a shape and what it holds
-- stand for what is no plain value; the elements of an aggregate follow it.

local MOST_SLOTS = 7995  -- so deep does Redis's own conversion go: its stack is bounded
local MOST_AT_ONCE = 4000
local FEW = 64

local function special(out, shape, held)
  local count = out.count
  out[count + 2], out[count + 3], out.count = shape, held, count + 3
end

local SHAPES = {
  {"err", "string"}, {"ok", "string"}, {"double", "number"}, {"map", "table"}, {"set", "table"}, {"big_number", "string"},
}

-- What a table stands for, and what of it counts.
local function shape_of(value)
  for number = 1, #SHAPES do
    local shape, kind = SHAPES[number][1], SHAPES[number][2]
    local held = rawget(value, shape)
    if type(held) == kind then return shape, held end
  end
  local held = rawget(value, "verbatim_string")
  if type(held) == "table" and type(rawget(held, "format")) == "string" and type(rawget(held, "string")) == "string" then
    return "verbatim_string", held
  end
  return "array", value
end

-- One function, since it calls itself as deep as the result is nested.
local function append(out, value, slots)
  local kind = type(value)
  if slots > MOST_SLOTS then return special(out, "err", "ERR reached lua stack limit") end
  if kind ~= "table" then
    if kind ~= "string" and kind ~= "number" and kind ~= "boolean" then return special(out, "null", false) end
    out.count = out.count + 1
    out[out.count] = value
    return
  end
  local shape, held = shape_of(value)
  if shape == "array" then
    special(out, shape, 0)
    local place, length = out.count, 0
    local item = rawget(held, 1)
    while item ~= nil do
      length = length + 1
      append(out, item, slots + 1)
      item = rawget(held, length + 1)
    end
    out[place] = length
  elseif shape == "map" or shape == "set" then
    special(out, shape, 0)
    local place, length = out.count, 0
    for key, item in pairs(held) do
      length = length + 1
      append(out, key, slots + (shape == "map" and 4 or 3))
      if shape == "map" then append(out, item, slots + 3) end
    end
    out[place] = length
  elseif shape == "verbatim_string" then
    special(out, shape, rawget(held, "format"))
    append(out, rawget(held, "string"), 0)
  elseif shape == "err" and rawget(value, "ignore_error_stats_update") then
    special(out, "known_err", held)
  elseif shape == "double" and held == 0 and 1 / held < 0 then
    special(out, shape, "-0")
  else
    special(out, shape, held)
  end
end

-- How many values there are, and where they are few they themselves.
function values.flatten(value)
  local out = {count = 0}
  append(out, value, 1)
  if out.count > MOST_AT_ONCE then return out.count, out end
  return out.count, unpack(out, 1, out.count)
end

values.slice = unpack

-- A result for the host: of a small table nil and, as `flatten` has it, what it holds; anything else as it is.
function values.brief(value)
  if type(value) ~= "table" then return value end
  local shape, held = shape_of(value)
  if shape == "array" then
    local place, item = 1, rawget(held, 1)
    while item ~= nil do
      if place > FEW or type(item) == "table" then return value end
      place, item = place + 1, rawget(held, place + 1)
    end
  elseif type(held) == "table" then
    return value
  end
  local out = {count = 0}
  append(out, value, 1)
  return nil, unpack(out, 1, out.count)
end

function values.pack(...)
  return {...}
end

function values.status(text)
  return {ok = text}
end

function values.failure(text)
  return {err = text}
end

function values.wrapped(name, value)
  return {[name] = value}
end

-- Tables of a map or a set are filled one element after another, as Redis does: `pairs` then has the same order.

function values.map(flat, length)
  local found = {}
  for place = 1, length, 2 do found[flat[place]] = flat[place + 1] end
  return {map = found}
end

function values.set(flat, length)
  local found = {}
  for place = 1, length do found[flat[place]] = true end
  return {set = found}
end

return values
