-- Functions of the basic library in hot loops, and calls whose last argument gives all its results.

local N = 300

local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or (tostring(e):gsub("^[^:]*:%d+: ", ""))
end

do -- type
  local values = {1, 1.5, "s", {}, print, true, false, coroutine.create(print), function() end, io.stdout}
  local counts = {}
  for i = 1, N do
    local t = type(values[i % (#values + 1) + 1])
    counts[t] = (counts[t] or 0) + 1
  end
  local keys = {}
  for k, v in pairs(counts) do keys[#keys + 1] = k .. "=" .. v end
  table.sort(keys)
  print("type", table.concat(keys, " "))
  local n = 0
  for i = 1, N do
    local v = values[i % 2 + 1]
    if type(v) == "number" then n = n + 1 end
    if math.type(v) == "float" then n = n + 1 end
  end
  print(n)
  print(try(function() local f = type; for i = 1, N do if i < N then f(i) else f() end end end))
end

do -- assert
  local n = 0
  for i = 1, N do
    n = n + assert(i)
    local a, b = assert(i, "message")
    n = n + #b
    assert(true)
    assert("x", i)
  end
  print("assert", n)
  print(try(function() for i = 1, N do assert(i < N, "at the end") end end))
  print(try(function() for i = 1, N do assert(i < N and i) end end))
  print(try(function() for i = 1, N do assert(i < N or nil) end end))
end

do -- select
  local function count(...) return select("#", ...) end
  local function second(...) return (select(2, ...)) end
  local function last(...) return (select(-1, ...)) end
  local function rest(...) return select(2, ...) end
  local function sum(...)
    local s = 0
    for i = 1, select("#", ...) do s = s + (select(i, ...)) end
    return s
  end
  local n = 0
  for i = 1, N do
    n = n + count() + count(i) + count(i, nil) + count(nil, nil, nil)
    n = n + second(1, i, 3) + last(1, 2, i)
    local a, b, c = rest(1, i, 5)
    n = n + a + b + (c and 1 or 0)
    n = n + sum(1, 2, 3) + sum(i) + sum()
    n = n + count(rest(i, i, i))
    if second(1) == nil then n = n + 1 end
  end
  print("select", n)
  print(try(function() for i = 1, N do second(select(i < N and 1 or 0, i)) end end))
  print(try(function() for i = 1, N do second(select(i < N and 1 or -5, i)) end end))
end

do -- raw access
  local mt = {__index = function() return "index" end, __newindex = function() error("newindex") end,
    __eq = function() return true end, __len = function() return 77 end}
  local t, u = setmetatable({10, 20, x = 1}, mt), setmetatable({}, mt)
  local plain = {}
  local dict = {}
  for i = 1, 40 do dict["k" .. i] = i; dict[i * 1000] = i end
  local key = {}
  dict[key] = 5
  dict[true] = 6
  dict[1.5] = 7
  local n = 0
  for i = 1, N do
    n = n + rawget(t, 1) + rawget(t, "x") + rawlen(t) + rawlen("four")
    if rawget(t, 3) == nil and rawget(t, "y") == nil and rawget(t, i) ~= "index" then n = n + 1 end
    if rawequal(t, t) and not rawequal(t, u) and rawequal(1, 1.0) and not rawequal("a", "b") and rawequal("a", "a") then n = n + 1 end
    if not rawequal(nil, false) and rawequal(nil, nil) and rawequal(i, i) and not rawequal(i, -i) then n = n + 1 end
    rawset(plain, i, i)
    n = n + #rawset(plain, "f", i)
    n = n + rawget(dict, "k" .. (i % 40 + 1)) + rawget(dict, (i % 40 + 1) * 1000) + rawget(dict, key) + rawget(dict, true) + rawget(dict, 1.5)
    if rawget(dict, "none") == nil and rawget(dict, -5) == nil and rawget(dict, false) == nil then n = n + 1 end
    rawset(t, "x", i % 3)
    rawset(t, 2, i)
  end
  print("raw", n, rawget(t, 2), plain.f, #plain)
  print(try(function() for i = 1, N do rawset(plain, i < N and i or nil, 1) end end))
  print(try(function() for i = 1, N do rawset(plain, i < N and i or 0/0, 1) end end))
  print(try(function() for i = 1, N do rawget(i < N and plain or i, 1) end end))
  print(try(function() for i = 1, N do rawlen(i < N and plain or i) end end))
  local long = ("x"):rep(100)
  local e = 0
  for i = 1, N do if rawequal(long, ("x"):rep(50) .. ("x"):rep(50)) then e = e + 1 end end
  print(e)
end

do -- metatables
  local Class = {}
  Class.__index = Class
  function Class.get(o) return o.v end
  local function new(v) return setmetatable({v = v}, Class) end
  local n = 0
  for i = 1, N do
    local o = new(i)
    n = n + o:get()
    if getmetatable(o) == Class then n = n + 1 end
    if getmetatable({}) == nil and getmetatable(i) == nil then n = n + 1 end
    if getmetatable("").__index == string then n = n + 1 end
    setmetatable(o, nil)
    if o.get == nil and getmetatable(o) == nil then n = n + 1 end
    local p = setmetatable(setmetatable({}, Class), {__index = {z = i}})
    n = n + p.z
    if p.get == nil then n = n + 1 end
  end
  print("meta", n)
  local guarded = setmetatable({}, {__metatable = "locked"})
  for i = 1, N do assert(getmetatable(guarded) == "locked") end
  print(try(function() for i = 1, N do setmetatable(i < N and {} or guarded, Class) end end))
  print(try(function() for i = 1, N do setmetatable({}, i < N and Class or 1) end end))
  -- finalizers and weakness that come later
  local mt = {}
  local objects = {}
  for i = 1, N do
    if i == 150 then mt.__mode = "k" end
    if i == 200 then mt.__index = function(_, k) return k end end
    objects[i] = setmetatable({}, mt)
  end
  objects[N][{}] = 1
  collectgarbage()
  print(next(objects[N]), objects[N].q, objects[1].q)
  local finalized = 0
  local fin = {}
  for i = 1, N do
    if i == 250 then fin.__gc = function() finalized = finalized + 1 end end
    setmetatable({}, fin)
  end
  collectgarbage()
  collectgarbage()
  print(finalized)
  -- a table that becomes the metatable of others while it is hot
  local proto = {}
  local c = 0
  for i = 1, N do
    local o = setmetatable({}, {__index = proto})
    proto.field = i
    c = c + o.field
  end
  print(c)
end

do -- all results of the last argument
  local floor, sqrt, max = math.floor, math.sqrt, math.max
  local function two(a, b) return b, a end
  local function pass(...) return ... end
  local function tail(x) return floor(x) end
  local n = 0
  for i = 1, N do
    n = n + floor(sqrt(i)) + max(two(i, 3)) + floor(pass(i / 2, 1)) + tail(i / 3)
    n = n + select("#", pass(two(i, i))) + select("#", pass()) + select("#", pass(nil, nil))
    n = n + tonumber(tostring(i)) + #tostring(floor(i / 3)) + max(pass(1, i, 7))
    n = n + string.byte(string.char(i % 200)) + (two(two(i, 2)))
    local t = {two(i, i + 1)}
    n = n + #t + t[1]
    local q = {pass(1, 2, 3), pass(4, 5)}
    n = n + #q
    n = n + #string.format("%d-%d", two(i, i))
  end
  print("multi", n)
  local function f(...) return max(...) end
  local m = 0
  for i = 1, N do m = m + f(i, 2, 3) + f(i) end
  print(m)
  print(try(function() for i = 1, N do floor(pass(i < N and 1.5 or nil)) end end))
  print(try(function() for i = 1, N do max(pass(i < N and 1.5 or {}, 1)) end end))
end
