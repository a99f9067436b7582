-- nostress: overflows the stack many times
-- Infinite recursion of every kind ends in an error that can be caught, and the state stays usable.
local function check(name, f, ...)
  local ok, e = pcall(f, ...)
  e = tostring(e)
  print(name, ok, e:match("stack overflow") or e:match("chain too long") or e:match("error in error handling") or e)
end
local function direct() return 1 + direct() end
check("direct", direct)
local a, b
function a() return 1 + b() end
function b() return (a()) end
check("mutual", a)
check("arguments", function(...) local function f(...) return f(1, ...) + 1 end return f() end)
local function through() return (pcall(through)) end
check("through pcall", function() return 1 + (function() local function f() local ok, e = pcall(f) if not ok then error(e, 0) end return e end return f() end)() end)
local mt = {}
mt.__index = function(t, k) return (t[k]) end
check("__index", function() return setmetatable({}, mt).a end)
mt.__newindex = function(t, k, v) t[k] = v end
check("__newindex", function() setmetatable({}, mt).a = 1 end)
mt.__add = function(x, y) return x + y end
check("__add", function() return setmetatable({}, mt) + 1 end)
mt.__concat = function(x, y) return x .. y end
check("__concat", function() return setmetatable({}, mt) .. "x" end)
mt.__eq = function(x, y) return x == y end
check("__eq", function() return setmetatable({}, mt) == setmetatable({}, mt) end)
mt.__lt = function(x, y) return x < y end
check("__lt", function() return setmetatable({}, mt) < 1 end)
mt.__len = function(x) return #x end
check("__len", function() return #setmetatable({}, mt) end)
mt.__call = function(self, ...) return 1 + self(...) end
check("__call", setmetatable({}, mt), 1)
mt.__tostring = function(x) return tostring(x) end
check("__tostring", tostring, setmetatable({}, mt))
check("gsub", function() local function f(s) return (s:gsub(".", f)) end return f("x") end)
check("sort", function() local function f() table.sort({ 2, 1 }, f) return false end f() end)
check("load", function() local function f() return load("local f = ... return 1 + f(f)")(f) end return load("local f = ... return 1 + f(f)")(function(g) return 1 + g(g) end) end)
check("handler", function() local function h(e) return h(e) .. "x" end local ok, e = xpcall(error, h, "x") error(e, 0) end)
check("unpack", function() local t = {} for i = 1, 100 do t[i] = i end local function f(...) return f(1, 2, 3, table.unpack(t)) + 1 end return f() end)
check("close", function() local function f() local c <close> = setmetatable({}, { __close = function() end }) return f() + 1 end return f() end)
check("for iterator", function() local function f() for _ in f do end return f() end f() end)
-- what was built before the overflow is intact
local list, depth = {}, 0
local function grow() depth = depth + 1 list[depth] = { depth } return grow() + 1 end
print(pcall(grow) == false, depth > 10000, #list == depth, list[1][1], list[depth][1] == depth)
list = nil
collectgarbage()
local function sum(n) if n == 0 then return 0 end return n + sum(n - 1) end
print(sum(10000))
print(pcall(direct) == false, pcall(direct) == false)
-- the message names the place, and a traceback of a deep stack is cut short
local ok, e = pcall(direct)
print((e:match("^(.-:%d+: stack overflow)")))
local function bounded(n) if n == 0 then error("bottom") end return 1 + bounded(n - 1) end
local _, tb = xpcall(bounded, function(m) return debug.traceback(m, 2) end, 3000)
print(select(2, tb:gsub("\n", "\n")) < 60, tb:find("skipping", 1, true) ~= nil)
