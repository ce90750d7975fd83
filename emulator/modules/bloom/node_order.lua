-- The quicksort of t-digests for node_order.py.  Places are counted from 0.

local use = ...
local memory, listpack = use("memory"), use("datatypes/listpack")
local number_at, put_bytes = listpack.number_at, listpack.put_bytes
local floor = math.floor
local WIDTH = 4 -- bytes of a number

local function swap(order, one, other)
  order[one], order[other] = order[other], order[one]
end

-- What partitions do while the node in the middle is one of the least: each takes one node off; where that leads.  Else many
-- equal numbers would take quadratic time.
local function take_least(order, ranks, first, last)
  local least = ranks[order[first]]
  for index = first + 1, last do
    local rank = ranks[order[index]]
    if rank < least then least = rank end
  end
  while last - first > 1 do
    local middle = floor((first + last) / 2)
    if ranks[order[middle]] ~= least then break end
    order[first], order[middle], order[last] = order[middle], order[last], order[first]
    first = first + 1
  end
  return first
end

-- Bring what is less than the node in the middle before it; where that is then.
local function partition(order, ranks, first, last)
  swap(order, floor((first + last) / 2), last)
  local pivot, place = ranks[order[last]], first
  for index = first, last - 1 do
    if ranks[order[index]] < pivot then
      swap(order, index, place)
      place = place + 1
    end
  end
  swap(order, place, last)
  return place
end

-- The order as numbers of four bytes, the lowest first.
local function packed(order, count)
  local to = memory.room(count * WIDTH)
  for place = 0, count - 1 do put_bytes(order[place], WIDTH, to, place * WIDTH) end
  return memory.text(to, count * WIDTH)
end

-- The places of nodes in the order of their ranks, both as numbers of four bytes; nil where that takes more steps than allowed.
local function ordered(text, most_steps)
  local count, from = #text / WIDTH, memory.view(text)
  local ranks, order = memory.numbers(count), memory.numbers(count)
  for place = 0, count - 1 do
    ranks[place], order[place] = number_at(from, place * WIDTH), place
  end
  local firsts, lasts, waiting = { 0 }, { count - 1 }, 1
  while waiting > 0 do
    local first, last = firsts[waiting], lasts[waiting]
    waiting = waiting - 1
    if last - first == 1 then
      if ranks[order[first]] > ranks[order[last]] then swap(order, first, last) end
    elseif first < last then
      most_steps = most_steps - (last - first)
      if most_steps < 0 then return nil end
      first = take_least(order, ranks, first, last)
      local middle = partition(order, ranks, first, last)
      firsts[waiting + 1], lasts[waiting + 1] = first, middle - 1
      firsts[waiting + 2], lasts[waiting + 2] = middle + 1, last
      waiting = waiting + 2
    end
  end
  return packed(order, count)
end

return { ordered = ordered }
