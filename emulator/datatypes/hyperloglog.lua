-- The runs of a sparse sketch for hyperloglog.py.  Places are counted from 0.

local use = ...
local memory = use("memory")

-- How many registers the run at a place has, and how many bytes it takes; nil where it is torn.
local function run_at(from, place, size)
  local code = from[place]
  if code >= 128 then return code % 4 + 1, 1 end
  if code < 64 then return code + 1, 1 end
  if place + 1 < size then return (code - 64) * 256 + from[place + 1] + 1, 2 end
end

-- The run that has a register: its place, that of the run before it (its own where there is none), how many registers it has,
-- how many of them come later; nil where the runs end before.
local function find(runs, register)
  local from, size = memory.view(runs), #runs
  local place, before, left = 0, 0, register
  while place < size do
    local span, width = run_at(from, place, size)
    if not span then return nil end
    left = left - span
    if left < 0 then return place, before, span, -1 - left end
    before, place = place, place + width
  end
end

local has_ffi, ffi = pcall(require, "ffi")
if not has_ffi then return { find = find } end
local band, bor, lshift, rshift = memory.band, memory.bor, memory.lshift, memory.rshift
local max, REGISTERS, HEADER, DENSE = math.max, 16384, 16, 0

-- Three bytes hold four registers.  What is larger is not told by a branch, which nobody could foresee.
local function raise_dense(to, from)
  for index = 0, REGISTERS - 1, 4 do
    local a, b, c = from[0], from[1], from[2]
    to[index] = max(to[index], band(a, 63))
    to[index + 1] = max(to[index + 1], bor(rshift(a, 6), band(lshift(b, 2), 63)))
    to[index + 2] = max(to[index + 2], bor(rshift(b, 4), band(lshift(c, 4), 63)))
    to[index + 3] = max(to[index + 3], rshift(c, 2))
    from = from + 3
  end
end

local function raise_sparse(to, from, size)
  local place, first = 0, 0
  while place < size do
    local code, span, width = from[place], run_at(from, place, size)
    if not span or first + span > REGISTERS then return false end
    if code >= 128 then
      local value = rshift(code - 128, 2) + 1
      for index = first, first + span - 1 do to[index] = max(to[index], value) end
    end
    place, first = place + width, first + span
  end
  return first == REGISTERS
end

-- Raises the registers at an address, of a byte each, to those of a sketch, whose form was looked at; whether its runs add up.
local function merge(address, sketch)
  local to, from = ffi.cast("uint8_t *", ffi.cast("uintptr_t", address)), memory.view(sketch)
  if from[4] ~= DENSE then return raise_sparse(to, from + HEADER, #sketch - HEADER) end
  raise_dense(to, from + HEADER)
  return true
end

return { find = find, merge = merge }
