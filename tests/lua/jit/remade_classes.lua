-- Classes that are made anew each time: their methods are looked up, and what they are may change at any time.
local function class(base)
  local c = {}
  c.__index = c
  return setmetatable(c, base and { __index = base })
end

local function one(n, change)
  local C = class()
  function C.new(x) return setmetatable({ x = x }, C) end
  function C:get() return self.x end
  function C:add(k) self.x = self.x + k return self end
  local o, s = C.new(1), 0
  for i = 1, n do
    s = s + o:add(i):get()
    if change and i == n // 2 then s = s + change(C, o) end
  end
  return s
end

local kinds = {
  -- another method; by rawset; one of the object's own; none at all any more; another class; a method of the class above
  function(C) C.get = function(self) return -self.x end return 1 end,
  function(C) rawset(C, "add", function(self, k) self.x = self.x - k return self end) return 2 end,
  function(C, o) o.get = function() return 7 end return 3 end,
  function(C, o) local get = C.get C.get = nil C.__index = { get = get, add = C.add } return 4 end,
  function(C, o) setmetatable(o, { __index = { add = C.add, get = function() return 11 end } }) return 5 end,
  function(C, o) local get = C.get C.get = nil setmetatable(C, { __index = { get = function(self) return get(self) + 1 end } }) return 6 end,
  function(C, o) C.__index = function(_, k) return k == "add" and C.add or function() return 5 end end return 7 end,
  function(C, o) C.get = setmetatable({}, { __call = function(_, self) return self.x * 2 end }) return 8 end,
}
local sums = {}
for round = 1, 200 do
  local k = round % 20 == 0 and round // 20 % #kinds + 1
  sums[#sums + 1] = one(40, k and kinds[k])
end
local s = 0
for i = 1, #sums do s = (s * 3 + sums[i]) % 1000000007 end
print("changed", s)

-- methods of classes as functions and through the class itself, derived classes, objects of both
local function two(n)
  local Shape = class()
  function Shape.new(c, w) return setmetatable({ w = w }, c) end
  function Shape:area() return self.w * 2 end
  function Shape.twice(x) return 2 * x end
  local Square = class(Shape)
  function Square:area() return self.w * self.w end
  local s = 0
  for i = 1, n do
    local c = i % 3 == 0 and Square or Shape
    local o = c:new(i % 10)
    s = s + o:area() + c.twice(i) + (getmetatable(o) == c and 1 or 0)
    if i == n - 3 then Shape.twice = function(x) return x end end
    if i == n - 2 then Square.twice = function(x) return -x end end
    if i == n - 1 then Square.new, Shape.new = nil, function(_, w) return setmetatable({ w = -w }, Square) end end
  end
  return s
end
s = 0
for _ = 1, 100 do s = (s * 3 + two(30)) % 1000000007 end
print("derived", s)

-- what is stored into a table counts from the moment on that objects inherit from it
local function three(n)
  local P = { f = function() return 1 end }
  local other = { f = function() return 100 end }
  local o = setmetatable({}, { __index = other })
  local s = 0
  for i = 1, n do
    P.f = i % 2 == 0 and function() return 1 end or function() return 2 end
    if i == 10 then setmetatable(o, { __index = P }) end
    s = s + o:f()
  end
  return s
end
s = 0
for _ = 1, 100 do s = (s * 3 + three(20)) % 1000000007 end
print("stored", s)

-- finalizers, protected metatables, and what is no table, whichever class it is
local closed = 0
local function four(n)
  local M = { __gc = function() closed = closed + 1 end, __index = { v = 3 } }
  local L = { __metatable = "locked", __index = { v = 4 } }
  local s = 0
  for i = 1, n do
    local o = setmetatable({}, i % 4 == 0 and M or L)
    s = s + o.v
    if i == n then
      s = s + (pcall(setmetatable, o, i % 2 == 0 and M or L) and 1 or 0)
      s = s + (pcall(setmetatable, o, 1) and 1 or 0)
    end
  end
  return s
end
s = 0
for k = 1, 100 do s = (s * 3 + four(20 + k % 4)) % 1000000007 end
collectgarbage()
collectgarbage()
print("made", s, closed)
