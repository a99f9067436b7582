-- group: recursion
-- Deep recursion that is no tail call: over lists of thousands of cells, over lopsided trees, and by two functions in turn.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(200 * scale)

local function build(n)
  if n == 0 then
    return nil
  end
  local rest = build(n - 1)
  return { v = n % 10, rest = rest }
end

local function total(list)
  if not list then
    return 0
  end
  return list.v + total(list.rest)
end

local function map(list, f)
  if not list then
    return nil
  end
  local v = f(list.v)
  return { v = v, rest = map(list.rest, f) }
end

local function grow(n)
  if n <= 0 then
    return false
  end
  return { grow(n - 1), grow(n - 4) }
end

local function leaves(t)
  if not t then
    return 1
  end
  return leaves(t[1]) + leaves(t[2])
end

local pong
local function ping(n, acc)
  if n == 0 then
    return acc
  end
  return 1 + pong(n - 1, acc + n % 3)
end
function pong(n, acc)
  if n == 0 then
    return acc
  end
  return ping(n - 1, acc) - n % 2
end

local check = 0
for r = 1, rounds do
  local list = build(3000 + r % 100)
  local twice = map(list, function(v)
    return v * 2 + r % 3
  end)
  check = (check + total(list) + total(twice) + leaves(grow(20 + r % 3)) + ping(4000, r)) % 1000003
end
print(string.format("deep %d", check))
