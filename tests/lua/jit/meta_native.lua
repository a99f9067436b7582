-- Functions of the libraries as metamethods, in loops.

local function object(event, f, fields)
  local t = setmetatable({}, {[event] = f})
  for k, v in pairs(fields or {}) do rawset(t, k, v) end
  return t
end

-- each runs often, and its last result is what is shown
local function loop(f, ...)
  local r
  for i = 1, 60 do r = f(...) end
  return r
end

print(loop(function(t) return t.x end, object("__index", math.max and select and function(t, k) return k .. k end)))
print(pcall(loop, function(t) return t.x end, object("__index", select)))
print(loop(function(t) return t[1] end, object("__index", rawequal)))
print(loop(function(t, k) return t[k] end, object("__index", rawequal), "key"))
print(loop(function(t) return #t end, object("__len", rawlen, {1, 2, 3})))
print(loop(function(t) return #t end, object("__len", rawequal)))
print(loop(function(t) return -t end, object("__unm", type)))
print(loop(function(t) return t + 1 end, object("__add", rawget, {"first"})))
print(loop(function(t) return t .. "x" end, object("__concat", rawget, {x = "field"})))
-- the operands on the right are joined first, once
print(loop(function(t, x) return t .. "a" .. x end, object("__concat", rawget, {ax = "right", axx = "wrong"}), "x"))
print(loop(function(t, x) return t .. 1 .. x .. 2 end, object("__concat", rawget, {["1x2"] = "right"}), "x"))
print(loop(function(t, u) return t == u end, object("__eq", rawequal), object("__eq", rawlen)))
print(loop(function(t, u) return t < u end, object("__lt", rawequal), object("__lt", rawlen)))
print(loop(function(t, u) return t <= u end, object("__le", rawlen, {1}), {}))
print(loop(function(t) return t(3) end, object("__call", rawget, {[3] = "three"})))

-- stores
do
  local t = object("__newindex", rawset)
  for i = 1, 60 do
    t.x = i
    rawset(t, "x", nil)
    t[i] = i
    t[1.5] = i
  end
  print(#t, t.x, t[1.5])
end

-- none, one, more results
for n = 0, 2 do
  local t = object("__index", ({function() end, rawlen, select})[n + 1])
  print(n, pcall(loop, function(t) return t.x end, t))
end

-- the function changes, or goes
do
  local m = {__index = rawequal, __len = rawlen}
  local t = setmetatable({}, m)
  for i = 1, 100 do
    if i == 30 then m.__index = function() return "lua" end end
    if i == 50 then m.__index, m.__len = rawlen, type end
    if i == 70 then m.__index = {x = "table"} end
    if i == 90 then m.__index, m.__len = nil, nil end
    local x, n = t.x, #t
    if i % 10 == 9 then print(i, x, n) end
  end
end

-- errors, and results of coroutines
do
  local t = object("__index", error)
  local caught = 0
  for i = 1, 60 do
    local ok, e = pcall(function() return t.x end)
    if not ok and e == t then caught = caught + 1 end
  end
  print(caught)
  local y = object("__index", coroutine.yield)
  local f = coroutine.wrap(function() local s = "" for i = 1, 60 do s = s .. y.x end return s end)
  f()
  local r
  for i = 1, 60 do r = f(i % 10) end
  print(r)
end
