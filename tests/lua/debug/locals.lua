-- debug.getlocal, setlocal, getupvalue, setupvalue, upvalueid, upvaluejoin.
local function f(a, b, ...)
  local x, y = "x value", 2
  do local inner = "inner" end
  for i = 1, 1 do
    local n = 1
    while true do local name, v = debug.getlocal(1, n) if not name then break end if name:sub(1, 1) ~= "(" and name ~= "n" then io.write(name, "=", tostring(v), " ") end n = n + 1 end
    print()
  end
  for n = -1, -4, -1 do print(debug.getlocal(1, n)) end
  print(debug.setlocal(1, 3, "changed"), x, debug.setlocal(1, 100, 1), debug.setlocal(1, -1, "va"), ...)
  return a, b
end
f(10, nil, "v1", "v2")
print(debug.getlocal(f, 1), debug.getlocal(f, 2), debug.getlocal(f, 3), debug.getlocal(print, 1))
local function outer() local secret = "hidden" local function inner() local names = {} for l = 1, 3 do for n = 1, 10 do local name, v = debug.getlocal(l, n) if name and name ~= "names" and name:sub(1, 1) ~= "(" and type(v) == "string" then names[#names + 1] = l .. name .. "=" .. v end end end return table.concat(names, " ") end local r = inner() return r end
print(outer())
print(pcall(debug.getlocal, 100, 1)) print(pcall(debug.setlocal, 100, 1, 2)) print(pcall(debug.getlocal)) print(pcall(debug.getlocal, 1)) print(pcall(debug.getlocal, "x", 1))
local co = coroutine.create(function(p, ...) local q = p * 2 coroutine.yield() return q end) coroutine.resume(co, 21, "extra")
print(debug.getlocal(co, 1, 1)) print(debug.getlocal(co, 1, 2)) print(debug.getlocal(co, 1, -1)) print(debug.setlocal(co, 1, 2, "set from outside")) print(coroutine.resume(co))
-- upvalues
local u1, u2 = 1, "two"
local function g() return u1, u2, print end
local function h() return u2 end
for n = 1, 4 do local name, v = debug.getupvalue(g, n) print(name, name == "_ENV" and v == _G or v) end
print(debug.setupvalue(g, 1, 100), u1, debug.setupvalue(g, 10, 1), (g()), select(2, g()) == u2)
print(debug.getupvalue(print, 1), debug.getupvalue(string.gmatch("x", "x"), 1) ~= nil, pcall(debug.getupvalue, 1, 1))
print(debug.upvalueid(g, 2) == debug.upvalueid(h, 1), debug.upvalueid(g, 1) == debug.upvalueid(g, 2), type(debug.upvalueid(g, 1)), (debug.upvalueid(g, 10)))
local function counter() local n = 0 return function() n = n + 1 return n end end
local c1, c2 = counter(), counter() c1() c1() debug.upvaluejoin(c2, 1, c1, 1) print(c2(), c1(), c2()) print(pcall(debug.upvaluejoin, c1, 5, c2, 1)) print(pcall(debug.upvaluejoin, print, 1, c1, 1)) print(pcall(debug.upvaluejoin, c1, 1, print, 1))
-- debug.setmetatable and getmetatable on every type
debug.setmetatable(5, { __index = function(n, k) return k .. n end, __call = function(n, x) return n * x end }) print((5).field, (5)(6), (2.5).x) debug.setmetatable(5, nil)
debug.setmetatable(nil, { __index = function(_, k) return "nil." .. k end }) print((nil).x, undefinedglobal.y) debug.setmetatable(nil, nil) debug.setmetatable(true, { __tostring = function(b) return b and "YES" or "NO" end }) print(tostring(true), tostring(false)) debug.setmetatable(true, nil)
debug.setmetatable(print, { __index = { name = "a function" }, __concat = function(a, b) return "fn.." end }) print(print.name, print .. 1, (function() end).name) debug.setmetatable(print, nil)
debug.setmetatable(co, { __len = function() return 99 end }) print(#co) debug.setmetatable(co, nil) print(debug.getmetatable("").__index == string, debug.getmetatable(5), debug.getmetatable({}), debug.setmetatable({}, nil) ~= nil)
local locked = setmetatable({}, { __metatable = "no" }) print(getmetatable(locked), type(debug.getmetatable(locked)), debug.setmetatable(locked, { __len = function() return 1 end }) == locked, #locked)
print(type(debug.getregistry()), debug.getuservalue(5), debug.getuservalue(io.stdout), pcall(debug.setuservalue, 5, 1), debug.setuservalue(io.stdout, 1)) print(debug.getregistry()[2] == _G, type(debug.getregistry()[1]), debug.getregistry()._LOADED == package.loaded)
