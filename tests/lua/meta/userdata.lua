-- Fields, methods and operators of userdata, as look-ups are cached: what changes must be seen at once.
local function new(mt) return debug.setmetatable(io.tmpfile(), mt) end

local function field(u) return u.x end
local function method(u, ...) return u:m(...) end
local function store(u, v) u.x = v end
local function computed(u, k) return u[k] end
local function many(f, ...) local r for _ = 1, 100 do r = f(...) end return r end

-- a table for __index, and one behind it
local base = {m = function(u, a) return "base " .. a end}
local class = setmetatable({x = 1, m = function(u, a) return "class " .. a end}, {__index = base})
local mt = {__index = class}
local a, b = new(mt), new(mt)
print(many(field, a), many(method, a, 1))
class.x = 2
print(field(a), field(b))
class.m = nil
print(method(a, 2), method(b, 3))
class.m = function() return "new" end
print(method(a, 4))
class.x = nil
print(field(a))
base.x = "base"
print(many(field, a))
mt.__index = {x = "other", m = function() return "other m" end}
print(field(a), method(a))
mt.__index = nil
print(pcall(field, a))
print(pcall(method, a))
mt.__index = class
print(field(a), method(a))

-- a function for __index
mt.__index = function(u, k) return k .. "!" end
print(many(field, a), many(computed, a, "y"), pcall(method, a))
mt.__index = function(u, k) return "second" end
print(field(a), computed(a, "y"))
mt.__index = rawequal
print(many(field, a), many(computed, a, "z"))
mt.__index = class
print(field(a), computed(a, "x"))

-- other metatables at the same place
local c = new {__index = {x = "c", m = function() return "c:m" end}}
for i = 1, 50 do field(a) field(c) method(a) method(c) end
print(field(a), field(c), method(a), method(c))
debug.setmetatable(c, mt)
print(field(c), method(c))
debug.setmetatable(c, {})
print(pcall(field, c))
debug.setmetatable(c, nil)
print((pcall(field, c)))

-- the metatable and the class as receivers themselves
mt.__index = mt
mt.x, mt.m = "in mt", function() return "mt:m" end
print(many(field, a), many(field, mt), many(method, a), many(method, mt))
setmetatable(mt, {__index = {x = "behind mt"}})
mt.x = nil
print(many(field, a), many(field, mt))
mt.x = 5
print(field(a), field(mt))

-- __newindex
local log = {}
mt.__newindex = function(u, k, v) log[#log + 1] = k .. "=" .. v end
many(store, a, 1)
print(#log, log[100])
mt.__newindex = function(u, k, v) log[#log + 1] = k .. "<-" .. v end
store(a, 2)
print(#log, log[101])
mt.__newindex = log
many(store, a, 3)
print(#log, log.x)
mt.__newindex = nil
print(pcall(store, a, 4))
mt.__newindex = rawset
print((pcall(store, a, 4)))

-- operators
local function ops(x, y) return x + y, x .. y, x < y, x <= y, -x, #x, x == y, x(7) end
mt.__add = function(p, q) return (p == 1 or q == 1) and "one" or "add" end
mt.__concat = function() return "concat" end
mt.__lt = function() return true end
mt.__le = function() return false end
mt.__unm = function() return "unm" end
mt.__len = function() return 42 end
mt.__eq = function() return true end
mt.__call = function(self, n, ...) return self == a, n, select("#", ...) end
for i = 1, 50 do ops(a, b) end
print(ops(a, b))
print(a + 1, 1 + a, many(function() return a + 1 end), many(function() return 1 + a end))
for _, name in ipairs {"__add", "__concat", "__lt", "__le", "__unm", "__len", "__eq", "__call"} do
  local f = mt[name]
  mt[name] = function() return "changed" end
  print(name, ops(a, b))
  mt[name] = nil
  local ok = pcall(ops, a, b)
  print(name, ok or "error")
  mt[name] = f
end
print(ops(a, b))
local t = setmetatable({}, {__add = function() return "table" end})
print(many(function() return t + a end), many(function() return a + t end))
