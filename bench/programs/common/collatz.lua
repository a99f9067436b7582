-- group: numeric
-- Longest 3n+1 chain below a bound; remainder and halving of whole numbers, no cache.
local scale = tonumber(arg and arg[1]) or 1
local bound = math.floor(170000 * scale)
local floor = math.floor

local best, best_start, total = 0, 0, 0
for start = 1, bound do
  local n, len = start, 1
  while n ~= 1 do
    if n % 2 == 0 then
      n = floor(n / 2)
    else
      n = 3 * n + 1
    end
    len = len + 1
  end
  total = total + len
  if len > best then
    best, best_start = len, start
  end
end
print(string.format("collatz %d %d %d", best_start, best, total))
