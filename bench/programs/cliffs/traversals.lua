-- group: tables
-- pairs and next over tables that change between and during traversals: entries removed, values replaced, tables emptied and filled.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(12000 * scale)

local check = 0
local t, seed = {}, 13
for r = 1, rounds do
  for i = 1, 25 do
    seed = (seed * 16807) % 2147483647
    local k = seed % 200
    t[i % 3 == 0 and "k" .. k or k] = r % 50 + i
  end
  local sum, count = 0, 0
  for k, v in pairs(t) do
    sum = sum + v
    count = count + 1
    if v % 3 == 0 then
      t[k] = nil
    elseif v % 3 == 1 then
      t[k] = v + 1
    end
  end
  local k, v = next(t)
  while k ~= nil do
    sum = sum + v
    k, v = next(t, k)
  end
  if r % 100 == 0 then
    for key in pairs(t) do
      t[key] = nil
    end
    assert(next(t) == nil)
  end
  check = (check * 3 + sum + count) % 1000003
end
print(string.format("traversals %d", check))
