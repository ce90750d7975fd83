-- Products of vectors and a Hadamard matrix for vector_math.py; only where there is memory of singles.

local use = ...
local memory = use("memory")
if not memory.singles then return {} end
local band, bxor, rshift = memory.band, memory.bxor, memory.rshift
local PARITIES = 0x6996 -- of the numbers of four bits, the lowest one first

-- The product of a vector and the first `rows` of the matrix, each sum rounded at each step.
local function project(vector, rows)
  local from, columns, sums = memory.singles(vector), #vector / 4, memory.single_room(rows)
  for row = 0, rows - 1 do
    for column = 0, columns - 1 do
      local both = band(row, column)
      both = bxor(both, rshift(both, 16))
      both = bxor(both, rshift(both, 8))
      both = bxor(both, rshift(both, 4))
      local is_odd = band(rshift(PARITIES, band(both, 15)), 1)
      sums[row] = sums[row] + (1 - 2 * is_odd) * from[column]
    end
  end
  return memory.text(sums, 4 * rows)
end

return { project = memory.tidy(project) }
