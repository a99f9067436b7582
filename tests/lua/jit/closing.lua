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
