-- group: branchy
-- Inner loops of none to four turns, numeric, generic and while, whose number of turns differs each time.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1300000 * scale)

local lists = { {}, { 1 }, { 2, 3 }, { 4, 5, 6 }, { 7, 8, 9, 10 } }
local seed, check = 41, 0
for _ = 1, rounds do
  seed = (seed * 16807) % 2147483647
  local n = seed % 5
  for k = 1, n do
    check = check + k
  end
  for k, v in ipairs(lists[seed % 25 % 5 + 1]) do
    check = check + k * v
  end
  local m = seed % 64
  while m > 0 and m % 3 ~= 0 do
    m = m - n - 1
    check = check + 1
  end
  check = check % 1000003
end
print(string.format("shortloops %d", check))
