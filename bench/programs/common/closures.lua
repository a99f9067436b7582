-- group: closures
-- Closures made in loops: counters sharing upvalues, composition, currying, folds.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(420000 * scale)

local function counter(start)
  local n = start
  return function()
    n = n + 1
    return n
  end, function(v)
    n = v
  end
end

local function compose(f, g)
  return function(x)
    return f(g(x))
  end
end

local function curry(f)
  return function(a)
    return function(b)
      return f(a, b)
    end
  end
end

local function fold(list, f, acc)
  for i = 1, #list do
    acc = f(acc, list[i])
  end
  return acc
end

local add = curry(function(a, b)
  return a + b
end)
local list = { 3, 1, 4, 1, 5 }
local check = 0
for i = 1, rounds do
  local next_value, reset = counter(i % 100)
  next_value()
  if i % 5 == 0 then
    reset(7)
  end
  local twice = compose(add(i % 10), add(2))
  local sum = fold(list, function(acc, v)
    return acc + v * next_value()
  end, twice(1))
  check = (check + sum) % 1000003
end
print(string.format("closures %d", check))
