-- The library `bit`: the arguments are checked here, the host does the arithmetic.

local operate = ...
local error, tonumber, type, select = error, tonumber, type, select

local function number(place, name, value, missing)
  local found = tonumber(value)
  if not found or type(value) == "boolean" then
    error("bad argument #" .. place .. " to '" .. name .. "' (number expected, got " .. (missing and "no value" or type(value)) .. ")", 3)
  end
  return found
end

local library = {}

for _, name in ipairs({"tobit", "bnot", "bswap"}) do
  library[name] = function(...)
    return operate(name, number(1, name, (...), select("#", ...) < 1))
  end
end

for _, name in ipairs({"band", "bor", "bxor"}) do
  library[name] = function(...)
    local values, count = {...}, select("#", ...)
    for place = 1, count < 1 and 1 or count do values[place] = number(place, name, values[place], count < 1) end
    return operate(name, unpack(values))
  end
end

for _, name in ipairs({"lshift", "rshift", "arshift", "rol", "ror"}) do
  library[name] = function(...)
    local value, count = ...
    local given = select("#", ...)
    return operate(name, number(1, name, value, given < 1), number(2, name, count, given < 2))
  end
end

function library.tohex(...)
  local value, digits = ...
  local given = select("#", ...)
  value = number(1, "tohex", value, given < 1)
  if given < 2 then return operate("tohex", value) end
  return operate("tohex", value, number(2, "tohex", digits))
end

return library
