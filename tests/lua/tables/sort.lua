-- table.sort: orders, comparison functions, sizes, errors.
local function check(t, less)
  less = less or function(a, b) return a < b end
  for i = 2, #t do if less(t[i], t[i - 1]) then return false end end
  return true
end
local seed = 1
local function random(n) seed = seed * 16807 % 2147483647 return seed % n + 1 end
local all = true
for size = 0, 60 do
  local t = {}
  for i = 1, size do t[i] = random(30) end
  table.sort(t)
  all = all and check(t)
  for i = 1, size do t[i] = random(1000) end
  table.sort(t, function(a, b) return a > b end)
  all = all and check(t, function(a, b) return a > b end)
  table.sort(t, function(a, b) return a < b end)
  all = all and check(t)
end
print(all)
local words = { "pear", "apple", "fig", "Banana", "cherry", "apple pie", "", "10", "9" }
table.sort(words) print(table.concat(words, ","))
table.sort(words, function(a, b) if #a ~= #b then return #a < #b end return a < b end) print(table.concat(words, ","))
local mixed = { 3, 1.5, 2, -1, 2.5, 0, 1e10, -1e10, 2 }
table.sort(mixed)
for i, v in ipairs(mixed) do io.write(tostring(v), i < #mixed and " " or "\n") end
local records = {}
for i = 1, 30 do records[i] = { k = i * 7 % 10, id = i } end
table.sort(records, function(a, b) if a.k ~= b.k then return a.k < b.k end return a.id < b.id end)
for i = 1, 30 do io.write(records[i].id, i < 30 and " " or "\n") end
local sorted = {}
for i = 1, 500 do sorted[i] = i end
table.sort(sorted) print(sorted[1], sorted[250], sorted[500])
for i = 1, 500 do sorted[i] = 501 - i end
table.sort(sorted) print(sorted[1], sorted[250], sorted[500])
for i = 1, 500 do sorted[i] = i % 2 end
table.sort(sorted) print(sorted[1], sorted[250], sorted[251], sorted[500])
print(pcall(table.sort, { 1, "x", 2 }))
print(pcall(table.sort, { {}, {} }))
print(pcall(table.sort, { 3, 2, 1 }, 5))
print(pcall(table.sort))
print(pcall(table.sort, { 3, 1, 2 }, function() error("in order", 0) end))
print(pcall(table.sort, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, function() return true end))
print(pcall(table.sort, { 1, 2 }, nil))
local lt = setmetatable({}, {})
local objects = {}
local mt = { __lt = function(a, b) return a.v < b.v end }
for i = 1, 10 do objects[i] = setmetatable({ v = i * 3 % 11 }, mt) end
table.sort(objects)
for i = 1, 10 do io.write(objects[i].v, " ") end print()
local calls = 0
table.sort({ 5, 3, 8, 1, 9, 2 }, function(a, b) calls = calls + 1 return a < b end)
print(calls > 0, lt ~= nil)
local proxy = setmetatable({}, { __index = { 3, 1, 2 }, __len = function() return 3 end })
table.sort(proxy) print(rawget(proxy, 1), rawget(proxy, 2), rawget(proxy, 3))

-- objects in the order of their metamethods: one for all, several, one that changes, fails, yields, collects or sorts in turn
do
  local calls = 0
  local A = { __lt = function(a, b) calls = calls + 1 return a.v < b.v end }
  local B = { __lt = function(a, b) calls = calls + 1000 return a.v < b.v end }
  local function objects(n, pick)
    local t, x = {}, 7
    for i = 1, n do
      x = x * 16807 % 2147483647
      t[i] = setmetatable({ v = x % 1000 }, pick(i))
    end
    return t
  end
  local function show(t)
    local out, sorted = {}, true
    for i, o in ipairs(t) do
      out[i] = o.v
      sorted = sorted and (i == 1 or t[i - 1].v <= o.v)
    end
    print(#t, sorted, table.concat(out, " ", 1, math.min(#t, 8)), calls)
    calls = 0
  end
  for _, n in ipairs({ 2, 3, 10, 150 }) do
    local t = objects(n, function() return A end)
    table.sort(t)
    show(t)
    t = objects(n, function(i) return i % 3 == 0 and A or B end)
    table.sort(t)
    show(t)
  end
  local old, left = A.__lt, 40
  A.__lt = function(a, b)
    left = left - 1
    if left == 0 then A.__lt = old end
    collectgarbage("step")
    local s = { b, a }
    if left % 8 == 0 then table.sort(s, function(x, y) return x.v < y.v end) end
    return a.v < b.v
  end
  local t = objects(60, function() return A end)
  table.sort(t)
  show(t)
  A.__lt = function(a, b) return a.w < b.w end
  print(pcall(table.sort, t))
  A.__lt = function(a, b) return coroutine.yield() end
  print(coroutine.wrap(function() return pcall(table.sort, t) end)())
  A.__lt = function() return true end
  print(pcall(table.sort, t))
  A.__lt = setmetatable({}, { __call = function(_, a, b) return a.v < b.v end })
  table.sort(t)
  show(t)
  A.__lt = rawequal
  print(pcall(table.sort, objects(3, function() return A end)))
  A.__lt = nil
  print(pcall(table.sort, t))
end
