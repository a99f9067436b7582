-- debug.traceback: frames of every kind, levels, messages that are not strings.
local function show(s) print((s:gsub("%[C%]: in %?", "[C]: in ?"))) end
local function lua() return (debug.traceback("in a local")) end
show(lua())
local t = { field = function() return (debug.traceback("in a field")) end }
function t:method() return (debug.traceback("in a method")) end
show((t.field())) show((t:method()))
function globalfunction() return (debug.traceback("in a global")) end
show((globalfunction()))
local function up() return (debug.traceback("upvalue")) end
local function usesup() local r = up() return r end
show((usesup()))
show((select(2, pcall(function() local r = debug.traceback("in pcall") return r end))))
show((table.pack(pcall(string.gsub, "x", "x", function() print((debug.traceback("in gsub"))) end))[2]))
show((select(2, xpcall(function() local x = nil x() end, debug.traceback))))
show((select(2, xpcall(function() error("thrown") end, debug.traceback))))
show((select(2, xpcall(error, debug.traceback, "direct"))))
local mt = setmetatable({}, { __index = function() local r = debug.traceback("in __index") return r end, __add = function() local r = debug.traceback("in __add") return r end })
show(mt.x) show(mt + 1)
local r = {} table.sort({ 1, 2 }, function(a, b) r[1] = debug.traceback("in sort") return a < b end) show(r[1])
for v in function() if not r[2] then r[2] = debug.traceback("in iterator") return r[2] end end do show(v) end
show((debug.traceback("level 0", 0))) show((debug.traceback("level 1", 1))) show((debug.traceback("level 2", 2))) show(debug.traceback("level 50", 50))
show(debug.traceback()) show(debug.traceback(nil) == nil and "nil" or debug.traceback(nil))
print(debug.traceback({}) ~= nil, type(debug.traceback({})), debug.traceback(5), debug.traceback(print) == print)
local function rec(n) if n == 0 then return (debug.traceback("deep")) end local s = rec(n - 1) return s end
show((rec(30)))
show((rec(5)))
local function tail() return debug.traceback("tail") end
show((tail()))
local co = coroutine.create(function() local function inner() coroutine.yield() end inner() end)
coroutine.resume(co)
show(debug.traceback(co)) show(debug.traceback(co, "msg", 1))
show((load("return (debug.traceback('in a chunk'))", "=(chunk)")()))
show((load("return (debug.traceback('in a string chunk'))")()))
local nested = (function() return (function() local s = debug.traceback("anonymous") return s end)() end)()
show(nested)
