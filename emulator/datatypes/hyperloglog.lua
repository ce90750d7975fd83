-- The runs of a sparse sketch for hyperloglog.py.  Places are counted from 0.

local use = ...
local memory = use("memory")

-- The run that has a register: its place, that of the run before it (its own where there is none), how many registers it has,
-- how many of them come later; nil where the runs end before.
local function find(runs, register)
  local from, size = memory.view(runs), #runs
  local place, before, left = 0, 0, register
  while place < size do
    local code, width = from[place], 1
    local span
    if code >= 128 then
      span = code % 4 + 1
    elseif code < 64 then
      span = code + 1
    elseif place + 1 < size then
      span, width = (code - 64) * 256 + from[place + 1] + 1, 2
    else
      return nil
    end
    left = left - span
    if left < 0 then return place, before, span, -1 - left end
    before, place = place, place + width
  end
end

return { find = find }
