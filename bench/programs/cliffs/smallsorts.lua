-- group: tables
-- Very many short lists sorted with comparison functions: by a field, by two fields, by a table of ranks, by a closure over the round.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(12000 * scale)
local sort = table.sort

local seed = 77
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end

local ranks = {}
for i = 0, 99 do
  ranks[i] = i * 37 % 100
end
local function by_key(x, y)
  return x.key < y.key
end
local function by_both(x, y)
  if x.group ~= y.group then
    return x.group > y.group
  end
  return x.key < y.key
end

local check = 0
for r = 1, rounds do
  local list, numbers = {}, {}
  for i = 1, 20 do
    list[i] = { key = random(1000) * 20 + i, group = random(4) }
    numbers[i] = random(100)
  end
  sort(list, r % 2 == 0 and by_key or by_both)
  sort(numbers, function(x, y)
    return ranks[x] < ranks[y]
  end)
  local first = list[1].key + numbers[1] * 3 + numbers[20]
  local near = r % 100
  sort(numbers, function(x, y)
    local dx, dy = (x - near) * (x - near), (y - near) * (y - near)
    return dx < dy or dx == dy and x < y
  end)
  check = (check * 5 + first + numbers[1] + numbers[10]) % 1000003
end
print(string.format("smallsorts %d", check))
