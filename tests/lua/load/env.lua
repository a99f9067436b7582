-- _ENV: as local, parameter, upvalue and table; sandboxes; globals are its fields.
local print, setmetatable, pcall = print, setmetatable, pcall
x = "global x"
do local _ENV = { x = "inner" } print(x) y = "set in inner" print(_ENV.y) end
print(x, y)
local function f(_ENV) return x end
print(f({ x = "param" }), f({}), f(_ENV))
local function sandbox(env) local _ENV <const> = env function hello() return "hello " .. name end name = "world" return hello end
local e = {}
print(sandbox(e)(), e.name, e.hello ~= nil, hello)
e.name = "again" print(e.hello())
do local _ENV = setmetatable({}, { __index = _G, __newindex = function(t, k, v) _G.rawset(t, k, v) end }) z = 1 print(z, _G.z) end
print(z, pcall(function() local _ENV = nil return x end))
print(pcall(function() local _ENV = nil x = 1 end)) print(pcall(function() local _ENV = 5 return x end)) print(pcall(function() local _ENV = {} print() end))
print(_ENV == _G, _G._G == _G, _ENV.x)
local g = load("local _ENV = {...}; return _ENV[1]") print(g("a"))
for _, _ENV in ipairs({ { v = 1 }, { v = 2 } }) do print(v) end
print(load("return _ENV.x", "n", "t", { x = "custom" })(), load("_ENV = { x = 'replaced' } return x", "n")(), x)
-- assigning to _ENV as an upvalue changes it for all functions that share it
local function shared() local _ENV = { a = 1 } local function get() return a end local function set(t) _ENV = t end return get, set end
local get, set = shared() print(get()) set({ a = 2 }) print(get())
-- a global with a metatable that finds undefined names
local strict = setmetatable({}, { __index = function(_, k) error("undefined " .. k, 2) end, __newindex = function(t, k, v) rawset(t, k, v) end })
print(pcall(load("return undefinedname", "=strict", "t", strict))) print(load("defined = 1 return defined", "=strict", "t", strict)())
local up = debug.getupvalue(load("return x"), 1) print(up, select("#", debug.getupvalue(load("return 1"), 1)))
debug.setupvalue(get, 1, { a = "set by debug" }) print(get())
function _ENV.viaenv() return "via env" end print(viaenv()) _ENV["with space"] = 1 print(_G["with space"]) _ENV["with space"] = nil
local t = { x = 1, print = print } do local _ENV = t function newfn() return x end x = x + 1 local y = x print(y) end print(t.newfn(), newfn)
print((function() local _ENV = { x = { y = { z = "deep" } } } return x.y.z end)()) x, y, viaenv = nil
