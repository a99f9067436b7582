-- group: tables
-- Sieve of Eratosthenes on a table of booleans.
local scale = tonumber(arg and arg[1]) or 1
local limit = math.floor(1000000 * scale)

local count, last = 0, 0
for _ = 1, 10 do
  local composite = {}
  for i = 1, limit do
    composite[i] = false
  end
  count = 0
  for i = 2, limit do
    if not composite[i] then
      count = count + 1
      last = i
      for j = i * i, limit, i do
        composite[j] = true
      end
    end
  end
end
print(string.format("sieve %d %d", count, last))
