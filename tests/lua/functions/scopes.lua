-- Scopes: shadowing, globals through _ENV, method definitions, nested functions, function statements.
local x = 1
do local x = 2 print(x) do local x = x + 1 print(x) end print(x) end
print(x)
local function f(x) x = x + 1 local x = x * 2 return x end
print(f(5), x)
for x = 10, 11 do io.write(x, " ") end print(x)
if true then local x = "inner" print(x) end
print(x)
local x = "again"
print(x)
function gfun() return "global function" end
print(gfun(), _G.gfun == gfun, _ENV.gfun == gfun)
local t = { sub = { deep = {} } }
function t.a() return "t.a" end
function t.sub.b(n) return n end
function t.sub.deep.c(...) return select("#", ...) end
function t:m(n) return self == t, n end
function t.sub.deep:mm() return self == t.sub.deep end
print(t.a(), t.sub.b(3), t.sub.deep.c(1, 2), t:m(4))
print(t.m(t, 5), t.sub.deep:mm(), t.sub.deep.mm({}))
print(pcall(function() function nope.x() end end))
print(pcall(function() function t.missing.x() end end))
local s = "str"
print(s:upper(), ("%d"):format(3), s:rep(2):upper(), #s:rep(3), ({ f = function() return "x" end }).f())
local r = (function() local a = 1 local function g() return a end a = 2 return g end)()()
print(r)
do local function x() return "function x" end print(x()) end
print(x)
local a <const>, b <const> = 1, "two"
print(a, b, a + 1)
print(load("local a <const> = 1 a = 2", "=c"))
print(load("local a <const> = 1 local function f() a = 2 end", "=c"))
print(load("local a <close> = nil a = 2", "=c"))
print(load("local a <foo> = 1", "=c"))
print(load("local a <close>, b <close> = 1", "=c"))
print(load("local a <const> = 1 do local a = 2 a = 3 end return a", "=c")())
print(load("local a<const> <close> = 1", "=c"))
print(load("local x <const> = 5; return function() return x end", "=c")()())
print(load("for i <const> = 1, 2 do end", "=c"))
-- shadowed builtins
local print2, type = print, function() return "shadowed" end
print2(type(1), _G.type(1))
local function shadow(print) return print end
print(shadow("arg"))
-- a block's locals end with it
do local hidden = 1 end
print(hidden)
local n = 0
while n < 2 do local v n = n + 1 if n == 1 then v = "set" end io.write(tostring(v), " ") end print()
for _ = 1, 2 do local v io.write(tostring(v), " ") v = 1 end print()
repeat local z = 5 until z == 5
local function outer() local function inner() return x end local x = "late" return inner(), x end
print(outer())
print((function(a, a) return a end)(1, 2))
local _ = 1 local _ = 2 print(_)
