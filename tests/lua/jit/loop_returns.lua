-- Loops that are left by returns: from vararg functions, with all results wanted, after tail calls, by frames of every kind.

local function find(x, ...)
  for i = 1, select("#", ...) do
    if select(i, ...) == x then return i, x, ... end
  end
  return nil
end
local function sum(...)
  local s = 0
  for i = 1, select("#", ...) do s = s + (select(i, ...) or 0) end
  return s
end
local function first(t, n)
  for i = 1, #t do if t[i] >= n then return t[i] end end
end
local function tail(t, n) return first(t, n) end
local function three(n)
  while true do
    n = n - 1
    if n <= 0 then return n, n + 1, n + 2 end
  end
end
local function passed(...) return three(...) end
local function count(...) return select("#", ...) end

local t = {}
for i = 1, 30 do t[i] = i end
local s = 0
for i = 1, 200 do
  s = s + (find(7, 1, 7, i) or 0) + (find(i, 3, 5, 7, 9) or 100) + (find(i % 12, table.unpack(t, 1, i % 12)) or 50)
  s = s + count(find(2, 1, 2)) + count(find(i % 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)) + count(find(1))
  s = s + sum() + sum(i) + sum(i, nil, 2) + sum(1, 2, 3, 4, 5, 6, 7, 8, 9, i)
  s = s + tail(t, i % 30 + 1) + (first(t, i) or 1)
  s = s + count(three(i % 9)) + count(i, three(i % 7)) + select(-1, passed(i % 5)) + #{ three(i % 4) }
  s = s + math.max(three(i % 6)) + math.max(sum(i % 7, i), three(3))
end
print(s)

-- the same function called from many places, and one place that calls many functions
local function at(n) return sum(n, 1), sum(n, n, n) end
local fs = { sum, find, function(...) for i = 1, 3 do if i == ... then return i, ... end end return 5 end, tail }
for i = 1, 200 do
  local a, b = at(i)
  local c = sum(sum(a, b), sum(b))
  local f = fs[i % 3 + 1]
  s = s + c + (f(i % 4, 1, 2, 3) or 0) + count(f(1, 2, i % 5))
end
print(s)

-- protected, by metamethods, in coroutines, with variables to be closed
local closed = 0
local C = setmetatable({}, { __close = function() closed = closed + 1 end })
local M = setmetatable({}, {
  __index = function(_, k) for i = 1, k do if i * i >= k then return i end end end,
  __call = function(_, ...) for i = 1, 4 do if i == select("#", ...) then return ..., i end end end,
})
local function closing(...)
  local x <close> = C
  for i = 1, select("#", ...) do
    local y <close> = C
    if select(i, ...) == 3 then return i, ... end
  end
  return ...
end
for i = 1, 200 do
  local ok, v = pcall(find, i % 4, 1, 2, 3)
  s = s + (v or 10) + M[i % 50 + 1] + count(M(i, 2)) + (M(1, 2, i) or 0)
  s = s + count(closing(1, 2, 3)) + count(closing(i % 5, i % 4)) + closing(3)
  local co = coroutine.wrap(function(...)
    for k = 1, 3 do
      coroutine.yield(sum(k, ...))
      if k == ... then return find(k, ...) end
    end
    return 0
  end)
  repeat
    local v = co(i % 4, 2)
    s = s + (v or 0)
  until v == nil or v == 0 or v == 1
end
print(s, closed)

-- it is not always the same frame that is returned to
local function deeper(n, ...)
  if n == 0 then return sum(...), find(2, ...) end
  local v = deeper(n - 1, n, ...)
  return v + sum(n, ...)
end
for i = 1, 100 do s = s + deeper(i % 6, i) end
print(s)
