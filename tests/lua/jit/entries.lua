-- Traces that end in the entries of others, with slots of the types that these check, and of others.
local function sum(n)
  if n < 1 then
    return n
  end
  return n + sum(n - 1) // 1
end
print(sum(100), sum(100.5), sum(50), sum(3.25))

-- types that change on the way down
local function mixed(n, v)
  if n == 0 then
    return v
  end
  if n % 7 == 0 then
    return mixed(n - 1, v + 0.5)
  elseif n % 11 == 0 then
    return mixed(n - 1, v // 1 | 0)
  end
  return mixed(n - 1, v + n) + 1
end
local s = 0
for i = 1, 60 do
  s = s + mixed(i, i % 2 == 0 and i or i + 0.25)
end
print(s)

-- an inner loop that is entered with integers, floats, other steps, other arrays
local function inner(t, from, to, step, init)
  local acc = init
  for i = from, to, step do
    acc = acc + t[i]
  end
  return acc
end
local ints, floats, strings = {}, {}, {}
for i = 1, 20 do
  ints[i], floats[i], strings[i] = i, i + 0.5, tostring(i)
end
local total = 0
for i = 1, 200 do
  local t = i % 5 == 0 and floats or i % 17 == 0 and strings or ints
  local init = i % 3 == 0 and 0.0 or 0
  local step = i % 4 == 0 and 2 or 1
  total = total + inner(t, 1, 20, step, init)
  if i % 50 == 0 then
    total = total + inner(ints, 20, 1, -1, 1)
  end
end
print(total)

-- loops one after the other in one frame, whose variables share slots
local out = 0
for i = 1, 100 do
  for j = 1, 10 do
    out = out + j
  end
  for j = 1.0, 3.0 do
    out = out + j
  end
  local k = i % 2 == 0 and 1 or 1.5
  while k < 10 do
    k = k + k
    out = out + k
  end
end
print(out)

-- functions that call each other, by closures that are exchanged
local even, odd
function even(n)
  if n == 0 then
    return true
  end
  return odd(n - 1)
end
function odd(n)
  if n == 0 then
    return false
  end
  return even(n - 1)
end
local old = odd
local yes = 0
for i = 1, 200 do
  if even(i) then
    yes = yes + 1
  end
  if i == 120 then
    function odd(n)
      return n == 7 or old(n)
    end
  end
end
print(yes)

-- not in a tail position, by a field and with missing arguments
local m = {}
function m.tree(depth, value)
  if depth == 0 then
    return value or 1
  end
  return m.tree(depth - 1, value) + m.tree(depth - 1) + (depth == 3 and m.tree(1, 0.5) or 0)
end
print(m.tree(8), m.tree(7, 2), m.tree(6, 1.5))
