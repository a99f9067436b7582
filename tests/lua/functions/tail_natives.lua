-- tail calls of library functions, and from frames that something else than a Lua function waits for

local function set(t, m) return setmetatable(t, m) end
local mt = {}
print(getmetatable(set({}, mt)) == mt, select("#", (function(...) return select(2, ...) end)(1, 2, 3)))
print((function(s) return s:byte(1, -1) end)("abc"))
print((function(...) return math.max(...) end)(3, 9, 4), (function(x) return type(x) end)(nil))
print((function() return print end)() == print, pcall(function() return tostring() end))
print((function() return next({}) end)(), (function() return assert(1, 2, 3) end)())
print((function() return pcall(error, "e", 0) end)())
print((function() return pcall(function() return 1, 2, 3 end) end)())
print((function() return xpcall(error, function(m) return "h" .. m end, "e", 0) end)())
print((function(...) return table.unpack({ ... }) end)(1, nil, 3))
local x <const> = (function() return math.floor(2.5) end)()
print(x, ((function() return ("a"):rep(3) end)()))
local a, b, c, e = (function() return ("abc"):find("b", 1, true) end)()
print(a, b, c, e)

-- from metamethods
local Num = {}
local function num(v) return setmetatable({ v = v }, Num) end
Num.__add = function(p, q) return num((p.v or 0) + q.v) end
Num.__index = function(t, k) return rawget(t, k .. "x") end
Num.__newindex = function(t, k, v) return rawset(t, k, v * 2) end
Num.__call = function(self, ...) return select("#", ...), self.v end
Num.__eq = function(p, q) return rawequal(p.v, q.v) end
Num.__lt = function(p, q) return (function(r, s) return r < s end)(p.v, q.v) end
Num.__concat = function(p, q) return tostring(p.v or p) .. tostring(q.v or q) end
Num.__len = function(p) return tonumber(p.v) end
Num.__close = function(p) return print("closed", p.v) end
for _ = 1, 3 do
  local n = num(1) + num(2)
  n.y = 5
  n.zx = 7
  print(n.v, n.y, n.z, n(1, 2), n == num(3), n < num(4), n .. num(9), #n)
  local k <close> = n
end

-- from native functions, protected calls and coroutines
local function id(...) return ... end
print(pcall(function(...) return id(...) end, 1, 2))
print(pcall(function() return error("tail", 0) end))
print(pcall(function() return error({}) end) == false)
local t = { 3, 1, 2 }
table.sort(t, function(p, q) return (function(...) local r, s = ... return r > s end)(p, q) end)
print(table.concat(t, " "), ("x1y2"):gsub("%d", function(d) return id(d + 1) end))
local co = coroutine.wrap(function(p)
  local q = (function(...) return coroutine.yield(...) end)(p, p)
  return coroutine.yield(q)
end)
print(co(1)) print(co(2)) print(co(3))
print(pcall(co))
print(coroutine.resume(coroutine.create(function(...) return id(...) end), 1, 2, 3))
print(coroutine.wrap(function() return coroutine.isyieldable() end)())
print(coroutine.wrap(function(...) return coroutine.resume(coroutine.create(function(...) return coroutine.yield(...) end), ...) end)(4, 5))

-- no stack is used up
local function down(n) if n == 0 then return "bottom" end return down(n - 1) end
print(pcall(down, 300000), coroutine.wrap(down)(300000))
local deep = setmetatable({}, { __index = function(_, k) return down(k) end })
print(deep[300000])

-- what the debug library tells
local function where() return debug.traceback("tb", 1) end
print((where():gsub("%[C%]: in .*", "")))
local function named() return debug.getinfo(1, "nt") end
local i = named()
print(i.name, i.istailcall)
local function f() return debug.getinfo(1, "t").istailcall, debug.getinfo(2, "t").istailcall end
local function g() return f() end
print(g())
print(pcall(function() return f() end))
print(select(2, pcall(function() local up return up() end)))
print(select(2, pcall(function() return string.rep() end)))
print(select(2, pcall(function() local s = "x" return s:rep({}) end)))
print(select(2, pcall(function() return setmetatable(1, 2) end)))
