-- The area under a line through samples, which are arrays of 64-bit integers and of doubles as bytes.
local has_ffi, ffi = pcall(require, "ffi")

local function area(times, values, sum, turned)
  local count = math.min(#times, #values) / 8
  local t, v = ffi.cast("const int64_t *", times), ffi.cast("const double *", values)
  local first, last, step = 0, count - 2, 1
  if turned then
    first, last, step = count - 2, 0, -1
  end
  for i = first, last, step do
    sum = sum + (v[i] + v[i + 1]) * 0.5 * tonumber(t[i + 1] - t[i])
  end
  return sum
end

return { area = has_ffi and area or nil }
