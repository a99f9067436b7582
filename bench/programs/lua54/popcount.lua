-- group: integers
-- Counting, isolating and reversing bits of 64-bit words; a bit set with ranges.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(4000000 * scale)

local function popcount(v)
  v = v - ((v >> 1) & 0x5555555555555555)
  v = (v & 0x3333333333333333) + ((v >> 2) & 0x3333333333333333)
  v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F
  return (v * 0x0101010101010101) >> 56
end

local function reverse(v)
  v = ((v >> 1) & 0x5555555555555555) | ((v & 0x5555555555555555) << 1)
  v = ((v >> 2) & 0x3333333333333333) | ((v & 0x3333333333333333) << 2)
  v = ((v >> 4) & 0x0F0F0F0F0F0F0F0F) | ((v & 0x0F0F0F0F0F0F0F0F) << 4)
  v = ((v >> 8) & 0x00FF00FF00FF00FF) | ((v & 0x00FF00FF00FF00FF) << 8)
  v = ((v >> 16) & 0x0000FFFF0000FFFF) | ((v & 0x0000FFFF0000FFFF) << 16)
  return (v >> 32) | (v << 32)
end

local words = {}
for i = 0, 1023 do
  words[i] = 0
end
local x, bits, low = 88172645463325252, 0, 0
for i = 1, rounds do
  x = x * 6364136223846793005 + 1442695040888963407
  local n = x >> 48
  local w, bit = n >> 6, 1 << (n & 63)
  words[w] = words[w] ~ bit
  bits = bits + popcount(x)
  low = low + popcount((x & -x) - 1)
  if i & 7 == 0 then
    x = reverse(x) ~ ~i
  end
end
local set = 0
for i = 0, 1023 do
  set = set + popcount(words[i])
end
print(string.format("popcount %d %d %d", bits, low, set))
