-- The library `bit`: the arguments are checked here, the host does the arithmetic.

local operate = ...
local error, tonumber, type, select = error, tonumber, type, select

local function number(place, name, value)
  local found = tonumber(value)
  if not found or type(value) == "boolean" then
    local got = value == nil and "no value" or type(value)
    error("bad argument #" .. place .. " to '" .. name .. "' (number expected, got " .. got .. ")", 3)
  end
  return found
end

local library = {}

for _, name in ipairs({"tobit", "bnot", "bswap"}) do
  library[name] = function(value)
    return operate(name, number(1, name, value))
  end
end

for _, name in ipairs({"band", "bor", "bxor"}) do
  library[name] = function(...)
    local values = {...}
    for place = 1, select("#", ...) do values[place] = number(place, name, values[place]) end
    if #values == 0 then number(1, name, nil) end
    return operate(name, unpack(values))
  end
end

for _, name in ipairs({"lshift", "rshift", "arshift", "rol", "ror"}) do
  library[name] = function(value, count)
    return operate(name, number(1, name, value), number(2, name, count))
  end
end

function library.tohex(value, digits)
  if digits == nil then return operate("tohex", number(1, "tohex", value)) end
  return operate("tohex", number(1, "tohex", value), number(2, "tohex", digits))
end

return library
