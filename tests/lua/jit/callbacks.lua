-- Lua functions called by native ones, compiled: order functions, replacements, metamethods that natives ask for.

local N = 400
local function rnd(n)
  local t, seed = {}, 7
  for i = 1, n do
    seed = (seed * 16807) % 2147483647
    t[i] = seed % 1000
  end
  return t
end
local function show(t, n) return table.concat(t, " ", 1, n) end

-- order functions: numbers, fields, upvalues that change, results that are no booleans
local t = rnd(N)
table.sort(t, function(a, b) return a > b end)
print(show(t, 10))
local calls = 0
table.sort(t, function(a, b) calls = calls + 1; return a < b and {} or nil end)
print(show(t, 10), calls > N)
local r = {}
for i, v in ipairs(rnd(N)) do r[i] = { k = v % 50, id = i } end
table.sort(r, function(a, b)
  if a.k == b.k then return a.id < b.id end
  return a.k < b.k
end)
local s = {}
for i = 1, 8 do s[i] = r[i].k .. ":" .. r[i].id end
print(table.concat(s, " "))

-- other numbers of parameters, extra arguments, vararg functions
t = rnd(N)
table.sort(t, function(a, b, c) assert(c == nil); return a < b end)
print(show(t, 5))
table.sort(t, function(...) local a, b = ...; return a > b end)
print(show(t, 5))
local n = 0
print(pcall(table.sort, rnd(N), function(a) n = n + 1; return n % 2 == 0 end))

-- types that change while it sorts: integers, floats, texts
local mixed = rnd(N)
for i = 1, N, 3 do mixed[i] = mixed[i] + 0.5 end
table.sort(mixed, function(a, b) return a < b end)
print(show(mixed, 6))
for i = 1, N, 5 do mixed[i] = tostring(mixed[i]) end
table.sort(mixed, function(a, b) return tonumber(a) < tonumber(b) end)
print(show(mixed, 6))

-- errors and yields out of it
local count = 0
print(pcall(table.sort, rnd(N), function(a, b)
  count = count + 1
  if count == 700 then error("enough") end
  return a < b
end))
print(pcall(table.sort, { 3, 1, "x", 2 }, function(a, b) return a < b end))
print(coroutine.wrap(function()
  return pcall(table.sort, rnd(50), function(a, b) coroutine.yield() return a < b end)
end)())
local order = setmetatable({}, { __call = function(_, a, b) return a < b end })
print(pcall(table.sort, rnd(20), order))

-- an order function that calls natives with callbacks, and collects garbage
t = rnd(60)
table.sort(t, function(a, b)
  local x = { a, b }
  table.sort(x, function(p, q) return p < q end)
  local y = tostring(a):gsub("%d", function(d) return d end)
  assert(y == tostring(a))
  return x[1] == a and a ~= b
end)
print(show(t, 10))
collectgarbage("generational")
t = rnd(N)
table.sort(t, function(a, b) local g = { a .. "", { b } } return g[1] + 0 < b end)
print(show(t, 5))
collectgarbage("incremental")

-- replacements
local subject = ("k=1;v=22;"):rep(60)
local total = 0
local out, m = subject:gsub("(%a)=(%d+)", function(k, v)
  total = total + v
  if k == "k" then return nil end
  return v * 2
end)
print(#out, m, total, out:sub(1, 20))
print(pcall(string.gsub, subject, "%d", function(d) return d == "2" and {} or d end))
local hits = 0
out = subject:gsub("%w+", setmetatable({}, { __index = function(_, w) hits = hits + 1; return w:upper() end }))
print(hits, out:sub(1, 12))

-- called from a hot loop, the callback from several natives
local function id(x, y) return x end
local acc = 0
for i = 1, N do
  acc = acc + #(("ab"):gsub("%a", id))
  local ok, v = pcall(id, i)
  acc = acc + v + select("#", pcall(id))
end
print(acc)

-- __lt asked by sort, __tostring by tostring, __index by table functions
local P = {}
P.__index = P
P.__lt = function(a, b) return a.v < b.v end
P.__tostring = function(p) return "P" .. p.v end
P.__concat = function(a, b) return tostring(a) .. tostring(b) end
local ps = {}
for i, v in ipairs(rnd(100)) do ps[i] = setmetatable({ v = v }, P) end
table.sort(ps)
local names = {}
for i = 1, 100 do names[i] = tostring(ps[i]) end
print(show(names, 6))
local proxy = setmetatable({}, {
  __index = function(_, i) return i <= 80 and i * 2 or nil end,
  __len = function() return 80 end,
})
print(#table.concat(proxy, ","), select("#", table.unpack(proxy)))
local moved = table.move(proxy, 1, 80, 1, {})
print(#moved, moved[80])
