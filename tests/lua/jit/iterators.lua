-- Lua functions as iterators of generic loops, compiled.

local N = 300

local function range(n)
  local i = 0
  return function()
    i = i + 1
    if i <= n then return i end
  end
end
local function step(n, i) if i < n then return i + 1, i * 2 end end
local function each(t) -- results that are more than wanted, and false among the values
  local i = 0
  return function()
    i = i + 1
    if t[i] ~= nil then return t[i] or "no", i, "extra", 4 end
  end
end

local s = 0
for i in range(N) do s = s + i end
for i, v in step, N, 0 do s = s + v - i end
for v, i in each({ 1, 2.5, false, "x", 5 }) do s = s + i end
print(s)

-- many short loops: the closure is another one each time
local total = 0
for r = 1, N do
  for i in range(r % 7) do total = total + i end
  for i, v in step, r % 5, 0 do total = total + v end
end
print(total)

-- types that change in the loop
local function mixed(n, i)
  i = (i or 0) + 1
  if i > n then return nil end
  if i % 3 == 0 then return i, "s" .. i end
  if i % 7 == 0 then return i, nil end
  return i, i / 2
end
local strings, nils, sum = 0, 0, 0
for i, v in mixed, N do
  if v == nil then nils = nils + 1
  elseif type(v) == "string" then strings = strings + #v
  else sum = sum + v end
end
print(strings, nils, sum)

-- vararg iterators, tail calls, iterators that loop and that call others
local function va(...)
  local n, i = ...
  if i < n then return i + 1, select("#", ...) end
end
local function tail(n, i) return va(n, i) end
local function odd(n, i)
  repeat i = i + 1 until i % 2 == 1 or i > n
  if i <= n then return i end
end
local function map(f, it, st, c)
  return function()
    local v
    c, v = it(st, c)
    if c ~= nil then return f(c), v end
  end
end
total = 0
for i, k in va, N, 0 do total = total + k end
for i, k in tail, N, 0 do total = total + k end
for i in odd, N, 0 do total = total + i end
for x, v in map(function(x) return x * 10 end, step, N, 0) do total = total + x + v end
for x in map(function(x) return x + 0.5 end, next, { 1, 2, 3 }) do total = total + x end
print(total)

-- recursion through an iterator
local function walk(t, depth)
  local n = 0
  for v in each(t) do
    if type(v) == "table" then n = n + walk(v, depth + 1) else n = n + depth end
  end
  return n
end
local tree = {}
for i = 1, 5 do tree = { tree, i, { i, { i } }, "leaf" } end
for i = 1, 60 do total = walk(tree, 1) end
print(total)

-- errors in the iterator: message and traceback; break and return out of the loop; goto
local function bad(n, i)
  i = i + 1
  if i == 200 then error("at " .. i) end
  if i == 250 then return i .. {} end
  return i
end
print(pcall(function() for i in bad, nil, 0 do s = i end end))
local tb
print(xpcall(function() for i in bad, nil, 200 do s = i end end, function(e)
  tb = debug.traceback("tb", 1):gsub("[^\n]*xpcall.*", "")
  return e
end))
print(select(2, tb:gsub("\n", "\n")) >= 3, tb:find("for iterator", 1, true) ~= nil)
local function first(n)
  for i in range(N) do if i * i > n then return i end end
end
total = 0
for i = 1, N do
  total = total + first(i)
  for j in range(3) do
    if j == 2 then break end
    total = total + j
  end
end
print(total)
print(pcall(function() for i in range(120) do if i == 100 then i = nil + 1 end end end))
print(pcall(function()
  local f = range(N)
  for i = 1, 2 do
    for j in f do if j == 150 then f = 5 end end
  end
end))

-- yields from iterator and body
local co = coroutine.wrap(function()
  local function it(n, i)
    if i % 50 == 0 then coroutine.yield("it", i) end
    if i < n then return i + 1 end
  end
  for i in it, N, 1 do
    if i % 70 == 0 then coroutine.yield("body", i) end
  end
  return "end"
end)
local seen = {}
repeat
  local what, i = co()
  seen[#seen + 1] = what .. tostring(i)
until what == "end"
print(table.concat(seen, " "))

-- closing values, __call iterators, the loop variable captured and assigned
local closed = 0
for r = 1, 50 do
  for i in range(3), nil, nil, setmetatable({}, { __close = function() closed = closed + 1 end }) do
    if i == 2 then break end
  end
end
local callable = setmetatable({ n = 0 }, { __call = function(self, st, c) c = (c or 0) + 1; if c <= 5 then return c end end })
total = 0
for r = 1, 50 do
  for i in callable do total = total + i end
end
local fs = {}
for i in range(100) do
  local j = i
  i = i * 2
  fs[j] = function() return i + j end
end
for i = 1, 100 do total = total + fs[i]() end
print(closed, total)

-- an iterator whose variable is changed by debug.setupvalue
local k = 0
local function counter(limit)
  return function(_, c)
    if c == 0 then limit = 0 end
    k = (c or 0) + 1
    if k <= limit then return k end
  end
end
local it = counter(N)
local runs = 0
for i in it do
  runs = runs + 1
  if i == 200 then
    for u = 1, 2 do
      if debug.getupvalue(it, u) == "limit" then debug.setupvalue(it, u, 210) end
    end
  end
end
print(runs)
