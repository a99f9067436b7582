-- Returned values and proper tail calls: depth without end, tracebacks, through metamethods and varargs.
local function loop(n, acc) if n == 0 then return acc end return loop(n - 1, acc + 1) end
print(loop(300000, 0))
local function a(n, ...) if n == 0 then return ... end return a(n - 1, ...) end
print(a(100000, 1, 2, 3))
local ping, pong
function ping(n) if n == 0 then return "ping" end return pong(n - 1) end
function pong(n) if n == 0 then return "pong" end return ping(n - 1) end
print(ping(100001), ping(100000))
local obj = {}
function obj:step(n) if n == 0 then return "method" end return self:step(n - 1) end
print(obj:step(100000))
local callable = setmetatable({}, { __call = function(self, n) if n == 0 then return "call" end return self(n - 1) end })
print(callable(50000))
print((function(...) return select("#", ...) end)((function() return 1, nil, 3, nil end)()))
local function none() end
local function one() return 1 end
local function paren() return (table.unpack({ 1, 2, 3 })) end
print(none(), one(), paren(), select("#", none()), select("#", (none())), select("#", one(), none()), select("#", none(), one()))
local function many() return 1, 2, 3 end
print(({ many() })[3], #{ many(), many() }, #{ many(), (many()) })
-- not tail calls: these have work left to do
local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end
print(deep(10000))
local function wrapped(n) if n == 0 then return 0 end return (wrapped(n - 1)) end
print(wrapped(10000))
-- a tail call into C and back, and a tail call that errors
local function tostr(v) return tostring(v) end
print(tostr(5), (function() return pcall(error, "e", 0) end)())
local function fail() return error("tail error") end
print(pcall(fail))
print((function() return debug.traceback("tb") end)():gsub("\n.*", ""), 1)
local function lost() return debug.traceback("lost", 1) end
local function caller() return lost() end
print((caller():gsub("%[C%]: in %?", "[C]")))
print(pcall(function() return none().x end))
-- tail calls drop the frame, so upvalues of it are closed first
local function maker(n) local v = n local f = function() v = v + 1 return v end return f() + 0, f() end
print(maker(5))
local function closer(n) local v = n return (function(f) return f() end)(function() v = v * 2 return v end) end
print(closer(21))
