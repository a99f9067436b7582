-- pcall, xpcall, error, assert: values, levels, objects, handlers, nesting.
print(pcall(function(...) return select("#", ...), ... end, 1, nil, 3))
print(pcall(error)) print(pcall(error, nil)) print(pcall(error, "msg")) print(pcall(error, "msg", 0)) print(pcall(error, 42)) print(pcall(error, true))
local obj = setmetatable({}, { __tostring = function() return "object" end })
print(select(2, pcall(error, obj)) == obj, pcall(error, obj))
local function lvl(n) error("level " .. n, n) end
local function caller(n) lvl(n) end
for n = 0, 4 do print(pcall(caller, n)) end
print(pcall(function() error("with position") end))

print((select(2, pcall(function() error({ code = 5 }) end))).code)
print(pcall(nil)) print(pcall(5)) print(pcall({})) print(pcall(pcall))
print(xpcall(function() return "fine", 2 end, print))
print(xpcall(function(a, b) return a + b end, print, 3, 4))
print(xpcall(error, function(m) return "handled " .. tostring(m), "extra" end, "m"))
print(xpcall(error, function() end, "m"))
print(xpcall(function() local x = nil + 1 end, function(m) return m:upper() end))
print(xpcall(nil, function(m) return "H:" .. m end))
print(pcall(xpcall)) print(pcall(xpcall, print)) print(pcall(xpcall, print, nil))
-- errors in the handler
print(xpcall(error, function() error("again") end, "m"))
print(xpcall(error, error, "m"))
print(pcall(xpcall, error, nil, "m"))
local depth = 0
print(xpcall(error, function(m) depth = depth + 1 if depth < 5 then error("nested") end return "stopped at " .. depth end, "m"))
-- the handler runs before the stack unwinds
print(xpcall(function() local inner = "visible" error("x") end, function(m)
  local info = debug.getinfo(2, "n")
  local _, v = debug.getlocal(3, 1)
  return info.name .. " " .. tostring(v)
end))
-- nesting
print(pcall(pcall, error, "e")) print(pcall(pcall)) print(pcall(pcall, pcall, pcall, error, "deep"))
print(pcall(function() local ok, e = pcall(error, "inner", 0) error("outer+" .. e, 0) end))
local function retry(n) local tries = 0 while true do tries = tries + 1 local ok, e = pcall(function() if tries < n then error("fail " .. tries, 0) end return "ok" end) if ok then return tries, e end end end
print(retry(5))
-- assert
print(pcall(assert, false)) print(pcall(assert, nil, "message")) print(pcall(assert, false, { 1 }) == false, type(select(2, pcall(assert, false, { 1 }))))
print(assert(1, 2, 3)) print(assert("v")) print(pcall(assert)) print(pcall(assert, nil, nil)) print(pcall(assert, false, 5))
print(select("#", assert(true, nil, nil)))
-- state after many errors
local count = 0
for i = 1, 1000 do local ok = pcall(function() local t = {} t[i] = i error(t) end) if not ok then count = count + 1 end end
print(count)
-- locals and upvalues keep their values
local v = 1
pcall(function() v = 2 local w = 3 error(w) end)
print(v)
local t = {}
pcall(function() t.a = 1 t.b = t.x.y t.c = 3 end)
print(t.a, t.b, t.c)
print(pcall(string.rep, "x", -1), pcall(select, "#"), pcall(next, {}))
print(pcall(coroutine.wrap(function() error("from coroutine", 0) end)))
print(pcall(load, "x ="), pcall(load("error('in chunk')", "=chunk")))
