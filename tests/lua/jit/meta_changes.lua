-- Metatables and metamethods that change while a loop is hot.

local N = 120

do -- another function for the same event
  local M = {__add = function(a, b) return 1 end}
  local t, s = setmetatable({}, M), 0
  for i = 1, N do
    if i == 60 then M.__add = function(a, b) return 10 end end
    if i == 90 then M.__add = nil; M.__add = function(a, b) return 100 end end
    s = s + (t + 1)
  end
  print("function", s)
end

do -- the event goes away, and comes back
  local M = {__index = function() return 5 end, __len = function() return 3 end,
    __eq = function() return true end, __newindex = function(t, k, v) rawset(t, "last", v) end}
  local s, n = 0, 0
  for i = 1, N do
    local t = setmetatable({}, M)
    if i == 50 then M.__index, M.__len, M.__eq, M.__newindex = nil end
    if i == 80 then
      M.__index = function() return 7 end
      M.__len = function() return 11 end
      M.__eq = function() return false end
    end
    s = s + (t.x or 1) + #t
    if t == setmetatable({}, M) then n = n + 1 end
    t.new = i
    s = s + (rawget(t, "last") or 0)
  end
  print("event", s, n)
end

do -- another metatable for the same object
  local A = {__add = function() return 1 end, __index = {k = 1}}
  local B = {__add = function() return 1000 end, __index = function() return 2 end}
  local t, s = setmetatable({}, A), 0
  for i = 1, N do
    if i % 40 == 0 then setmetatable(t, i % 80 == 0 and A or B) end
    s = s + (t + t) + t.k
  end
  print("metatable", s)
end

do -- inside the metamethod itself
  local s = 0
  local M = {}
  M.__add = function(a, b)
    if b == 70 then setmetatable(a, {__add = function() return -1 end, __sub = M.__sub}) end
    if b == 100 then a.x = nil end
    return b
  end
  local t = setmetatable({x = 1}, M)
  for i = 1, N do s = s + (t + i) + (t.x or 5) end
  print("inside", s)
end

do -- the field appears, and vanishes
  local asked = 0
  local M = {__index = function(t, k) asked = asked + 1; return 3 end}
  local t, s = setmetatable({}, M), 0
  for i = 1, N do
    if i == 40 then t.x = 100 end
    if i == 80 then t.x = nil end
    if i == 100 then rawset(t, 5, 1) end
    s = s + t.x + t[5]
  end
  print("field", s, asked)
end

do -- classes with functions that are replaced
  local Base = {}
  Base.__index = Base
  Base.__tostring = function() return "base" end
  function Base:f() return 1 end
  local Derived = setmetatable({}, Base)
  Derived.__index = Derived
  local o, s = setmetatable({}, Derived), 0
  for i = 1, N do
    if i == 30 then function Derived:f() return 10 end end
    if i == 60 then Derived.f = nil end
    if i == 90 then Base.f = function() return 100 end end
    s = s + o:f()
  end
  print("class", s)
end

do -- many functions at one place
  local s = 0
  for i = 1, N do
    local M = {__add = function(a, b) return i + b end, __lt = function(a, b) return i % 2 == 0 end}
    local t = setmetatable({}, M)
    s = s + (t + 1)
    if t < t then s = s + 1 end
  end
  print("many", s)
end

do -- metatables of basic types
  local s = 0
  for i = 1, N do
    if i == 40 then debug.setmetatable(1, {__index = function(n, k) return n * 2 end, __call = function(n, x) return n + x end}) end
    if i == 80 then debug.setmetatable(1, {__concat = function(a, b) return "c" end, __len = function(n) return n end}) end
    s = s + (select(2, pcall(function() return (i).x end)) == i * 2 and 1 or 0)
    s = s + (select(2, pcall(function() return #i end)) == i and 1 or 0)
    s = s + (select(2, pcall(function() return i({}) end)) == nil and 1 or 0)
  end
  debug.setmetatable(1, nil)
  print("basic", s)
  local mt = getmetatable("")
  for i = 1, N do
    if i == 90 then mt.__index = function(s, k) return function() return k end end end
    s = s + ("10" + 1) + (-"2") + (("abc"):upper() == "upper" and 1 or 0)
  end
  mt.__index = string
  print("basic", s)
end

do -- types of operands change
  local M = {__add = function(a, b) return (type(a) == "table" and 1 or a) + (type(b) == "table" and 2 or b) end}
  local t = setmetatable({}, M)
  local list = {1, t, 2.5, t, 3, "4"}
  local s = 0
  for i = 1, N do
    local a, b = list[i % 6 + 1], list[i % 4 + 1]
    s = s + (a + b)
  end
  print("types", s)
end

do -- metatable with a weak mode, and one in dictionary mode
  local W = setmetatable({}, {__mode = "k", __index = function(t, k) return 4 end, __add = function() return 3 end})
  local s = 0
  for i = 1, N do s = s + W.x + W[i] + (W + 1) end
  local D = {}
  for i = 1, 60 do D["k" .. i] = i end
  D.__add = function(a, b) return b end
  D.__index = function(t, k) return 2 end
  local o = setmetatable({}, D)
  for i = 1, N do
    if i == 70 then D.__add = function(a, b) return -b end end
    s = s + (o + i) + o.k1
  end
  print("modes", s)
end
