-- group: recursion
-- Recursion with a cache: partitions, and longest common subsequence over string keys.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(200 * scale))

local function memoize(f)
  local cache = {}
  return function(a, b)
    local row = cache[a]
    if not row then
      row = {}
      cache[a] = row
    end
    local v = row[b]
    if v == nil then
      v = f(a, b)
      row[b] = v
    end
    return v
  end
end

local check = 0
for round = 1, rounds do
  local partitions
  partitions = memoize(function(n, largest)
    if n == 0 then
      return 1
    elseif n < 0 or largest == 0 then
      return 0
    end
    return (partitions(n, largest - 1) + partitions(n - largest, largest)) % 1000003
  end)
  check = (check * 3 + partitions(90 + round % 5, 90)) % 1000003

  local x, y = {}, {}
  for i = 1, 70 do
    x[i], y[i] = i * round % 5, i * i % 5
  end
  local cache = {}
  local function common(i, j)
    if i == 0 or j == 0 then
      return 0
    end
    local key = i .. "," .. j
    local v = cache[key]
    if not v then
      if x[i] == y[j] then
        v = common(i - 1, j - 1) + 1
      else
        local a, b = common(i - 1, j), common(i, j - 1)
        v = a > b and a or b
      end
      cache[key] = v
    end
    return v
  end
  check = (check + common(70, 70)) % 1000003
end
print(string.format("memo %d", check))
