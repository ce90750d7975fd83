-- The checksum for crc64.py, in halves of 32 bits; only where there are operations on bits.

local use = ...
local memory = use("memory")
if not memory.bxor then return {} end
local band, bor, bxor, lshift, rshift = memory.band, memory.bor, memory.bxor, memory.lshift, memory.rshift

-- The function that computes it by eight tables, behind one another, of 256 remainders of eight bytes each.
local function prepared(tables)
  local lows, highs, halves = memory.numbers(2048), memory.numbers(2048), memory.words(tables)
  local told = memory.numbers(2)
  for place = 0, 2047 do lows[place], highs[place] = halves[2 * place], halves[2 * place + 1] end

  return memory.tidy(function(data)
    local words, from, low, high = memory.words(data), memory.view(data), 0, 0
    local whole = #data - #data % 8
    for word = 0, whole / 4 - 2, 2 do
      low, high = bxor(low, words[word]), bxor(high, words[word + 1])
      local a, b, c, d = band(low, 255), band(rshift(low, 8), 255), band(rshift(low, 16), 255), rshift(low, 24)
      local e, f, g, h = band(high, 255), band(rshift(high, 8), 255), band(rshift(high, 16), 255), rshift(high, 24)
      low = bxor(lows[1792 + a], lows[1536 + b], lows[1280 + c], lows[1024 + d], lows[768 + e], lows[512 + f], lows[256 + g], lows[h])
      high = bxor(
        highs[1792 + a], highs[1536 + b], highs[1280 + c], highs[1024 + d], highs[768 + e], highs[512 + f], highs[256 + g], highs[h]
      )
    end
    for place = whole, #data - 1 do
      local first = band(bxor(low, from[place]), 255)
      low = bxor(lows[first], bor(rshift(low, 8), lshift(high, 24)))
      high = bxor(highs[first], rshift(high, 8))
    end
    told[0], told[1] = low, high
    return memory.text(told, 8)
  end)
end

return { prepared = prepared }
