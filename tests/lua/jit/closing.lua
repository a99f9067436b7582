-- Variables to be closed in hot loops: left in every way, several at once, with metamethods that change, fail, yield.

local log = {}
local C = { __close = function(o, e) log[#log + 1] = o.name .. (e and "!" .. tostring(e):match("%w+$") or "") end }
local function new(name) return setmetatable({ name = name }, C) end
local a, b, c = new "a", new "b", new "c"
local function show(what)
  local n = #log
  print(what, n, table.concat(log, " ", math.max(1, n - 11), n))
  log = {}
end

for i = 1, 60 do local x <close> = a end
show("block")
for i = 1, 60 do local x <close> = i % 3 == 0 and b or i % 3 == 1 and a or nil end
show("sometimes")
for i = 1, 60 do
  local x <close> = a
  local y <close> = i % 2 == 0 and b or nil
  do local z <close> = c end
end
show("several")
for i = 1, 60 do
  local x <close> = i % 2 == 0 and a or nil
  local y <close> = b
end
show("first of two")
for i = 1, 60 do
  while true do
    local x <close> = a
    if i % 2 == 0 then break end
    local y <close> = b
    if i % 3 == 0 then break end
    do goto out end
  end
  ::out::
end
show("break, goto")
for i = 1, 60 do
  local x <close> = a
  if i % 2 == 0 then goto continue end
  do local y <close> = b end
  ::continue::
end
show("continue")

local function f(i)
  local x <close> = a
  if i % 3 == 0 then return i, x.name end
  local y <close> = b
  return i
end
local s = 0
for i = 1, 60 do s = s + f(i) end
show("return " .. s)
local function g(i, ...) local x <close> = c return ... end
for i = 1, 60 do s = s + select("#", g(i, 1, 2)) + select("#", g(i)) end
show("varargs " .. s)

for i = 1, 60 do
  local ok, e = pcall(function()
    local x <close> = a
    if i % 2 == 0 then error("err", 0) end
    local y <close> = b
    if i % 3 == 0 then local t = nil; return t.x end
  end)
  s = s + (ok and 1 or 0)
end
show("errors " .. s)
local bad = setmetatable({}, { __close = function() error("close", 0) end })
for i = 1, 60 do
  local ok, e = pcall(function() local x <close> = i % 5 == 0 and bad or a end)
  if not ok then log[#log + 1] = e end
end
show("errors in __close")
for i = 1, 60 do
  local ok, e = pcall(function() local x <close> = i % 20 == 0 and {} or a end)
  if not ok then log[#log + 1] = e:match("variable.*") end
end
show("nothing to call")

-- captured variables, values that are assigned elsewhere, metamethods that change
local kept
for i = 1, 60 do
  local x <close> = a
  local get = function() return x end
  kept = get
end
show("captured " .. kept().name)
for i = 1, 60 do
  local x <close> = a
  if i == 30 then C.__close = function(o) log[#log + 1] = "new" end end
  if i == 45 then setmetatable(a, { __close = function(o) log[#log + 1] = "other" end }) end
end
show("changed")
setmetatable(a, C)
C.__close = function(o) log[#log + 1] = o.name end

-- generic loops with a closing value, inside others
local function iter(s, k) if k < 3 then return k + 1 end end
for i = 1, 30 do
  local x <close> = b
  for k in iter, nil, 0, a do
    local y <close> = c
    if k == 2 and i % 2 == 0 then break end
  end
end
show("generic for")

-- coroutines: yields inside, a __close that yields, closing from outside
local Y = setmetatable({}, { __close = function() coroutine.yield("closing") end })
local co = coroutine.wrap(function()
  for i = 1, 40 do
    local x <close> = a
    do local y <close> = i % 4 == 0 and Y or b end
    coroutine.yield(i)
  end
  return "end"
end)
local r
repeat r = co() log[#log + 1] = tostring(r) until r == "end"
show("yields")
for i = 1, 40 do
  local co = coroutine.create(function() local x <close> = a coroutine.yield() end)
  coroutine.resume(co)
  coroutine.close(co)
end
show("coroutine.close")

-- recursion in __close, and out of it
local depth = 0
local R = {}
R.__close = function(o)
  depth = depth + 1
  if o.n > 0 then local x <close> = setmetatable({ n = o.n - 1 }, R) end
end
for i = 1, 40 do local x <close> = setmetatable({ n = i % 5 }, R) end
print(depth)
local function nest(n)
  if n == 0 then return 0 end
  do local x <close> = a end
  local v = nest(n - 1)
  local y <close> = b
  return v + 1
end
for i = 1, 20 do s = s + nest(i % 6) end
show("recursion " .. s)

-- several at once, at returns of all kinds: results wait while variables are closed
log = {}
C.__close = function(o, e) log[#log + 1] = o.name .. (e and "!" or "") return 1, 2, 3 end
local sum = 0
local function two(i) local x <close> = a local y <close> = b return i, i + 1, x.name end
local function none() local x <close> = a local y <close> = nil local z <close> = c end
local function list(...) local x <close> = a local y <close> = c return ... end
local function early(i)
  local x <close> = a
  if i % 3 == 0 then return "early" end
  local y <close> = i % 2 == 0 and b or false
  if i % 5 == 0 then return y and 1 or 2, i end
  do local z <close> = c if i % 7 == 0 then return 7, 7, 7 end end
  for k = 1, 3 do
    local z <close> = c
    if k == i % 4 then return k end
  end
  return nil, i
end
for i = 1, 60 do
  local p, q, n = two(i)
  none()
  sum = sum + p + q + #n + select("#", two(i)) + select("#", list(i, nil)) + select("#", list())
  sum = sum + #{ early(i) } + (select(2, early(i)) or 0)
  local ok, v, w = pcall(two, i)
  sum = sum + w
  if i % 10 == 0 then collectgarbage("step") end
end
show("returns " .. sum)
-- from coroutines, functions that recurse, methods and metamethods
local M = setmetatable({}, {
  __index = function(_, k) local x <close> = a local y <close> = b return k + 1 end,
  __eq = function() local x <close> = c return true end,
  __concat = function(_, k) local x <close> = c return "r" .. k end,
})
local M2 = setmetatable({}, getmetatable(M))
local function down(n) local x <close> = a if n == 0 then return 0 end return down(n - 1) + 1, n end
for i = 1, 40 do
  sum = sum + M[i] + down(i % 9) + #(M .. i)
  if M == M2 then sum = sum + 1 end
  local co = coroutine.wrap(function(v) local x <close> = b local y <close> = a v = coroutine.yield(v) return v, v end)
  sum = sum + co(i) + select("#", co(i))
end
show("frames " .. sum)
-- the function that closes exits while the results wait, makes garbage, changes what is closed next
local odd = setmetatable({ name = "odd", n = 0 }, { __close = function(o)
  o.n = o.n + 1
  if o.n % 7 == 0 then log[#log + 1] = "seven" end
  o[o.n % 5] = { o.n }
  if o.n == 50 then getmetatable(o).__close = function() log[#log + 1] = "replaced" end end
end })
local function held(i) local x <close> = odd local y <close> = odd local t = { i } return t, t[1], i end
for i = 1, 60 do
  local t, v, w = held(i)
  sum = sum + t[1] + v + w
end
show("exits " .. sum)
-- closing values of generic loops, alone and with variables inside, left in every way
local function walk(i)
  for k in iter, nil, 0, i % 4 ~= 0 and a or nil do
    local x <close> = b
    if k == i % 5 then return k end
    if k == 2 and i % 3 == 0 then break end
  end
  return 10
end
for i = 1, 60 do sum = sum + walk(i) end
show("loops " .. sum)
-- native functions and objects as __close, and errors at returns
local native = setmetatable({}, { __close = rawlen })
local called = setmetatable({}, { __close = setmetatable({}, { __call = function(_, o) log[#log + 1] = "called" end }) })
local function others(i) local x <close> = native local y <close> = a local z <close> = called return i end
local function broken(i) local x <close> = a local y <close> = i % 4 == 0 and bad or b return i end
for i = 1, 60 do
  sum = sum + others(i)
  local ok, e = pcall(broken, i)
  sum = sum + (ok and e or #e)
end
show("others " .. sum)
