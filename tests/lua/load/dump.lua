-- string.dump and loading what it gives: values, upvalues, strip, varargs, nested functions, refusals.
local function again(f, strip) return load(string.dump(f, strip), "=dumped", "b") end
print(again(function() return 1, 2.5, "str", nil, true, false, math.maxinteger, -0.0, 1e300 end)())
print(again(function(a, b, ...) return a + b, select("#", ...), ... end)(1, 2, 3, nil))
print(again(function(n) local function fact(k) if k <= 1 then return 1 end return k * fact(k - 1) end return fact(n) end)(10))
local up = 5
local f = again(function() return up end)
print(pcall(f), debug.setupvalue(f, 1, 7), f())
local g = again(function() return up, print end)
print(debug.getupvalue(g, 1), debug.getupvalue(g, 2))
local first = again(function() return type end)
print(first() == type, first ~= nil)
print(again(function() for i = 1, 3 do local t = { i, x = i } for k, v in pairs(t) do if k == "x" then goto c end ::c:: end end return "loops" end)())
print(again(function() local a <const>, b <close> = 10, nil return a << 2, a // 3, a ^ 2, a .. "", -a, ~a, not a, #"abc" end)())
print(again(function() return coroutine.wrap(function() coroutine.yield("y") end)() end)())
print(again(function() return ("x"):rep(50), "a\0b", "\u{20AC}", [[long
string]] end)())
-- stripped chunks lose names and lines, not meaning
local function named(a) local loc = a return loc.x end
print(pcall(again(named), nil)) print(pcall(again(named, true), nil)) print(again(named, true)({ x = 1 }))
print(#string.dump(named, true) < #string.dump(named), debug.getinfo(again(named, true), "l").currentline, debug.getinfo(again(named), "S").linedefined, debug.getinfo(again(named, true), "S").source)
print(debug.getlocal(again(named), 1), debug.getlocal(again(named, true), 1), (debug.getupvalue(again(function() return up end, true), 1)))
-- modes, names and refusals
print(load(string.dump(function() return "ok" end), "n", "bt")(), pcall(string.dump, print), pcall(string.dump))
print(load(string.dump(function() end), "=n", "t"))
print(pcall(string.dump, 5)) print(pcall(string.dump, coroutine.wrap(function() end)))
-- every cut and many changed bytes are refused or give a function; nothing else
local text = string.dump(function(a) local t = { a, 1, 2.5, "s" } for i = 1, #t do t[i] = t[i] end return t end)
local refused = 0
for i = 0, #text - 1 do if not load(text:sub(1, i), "=cut", "b") then refused = refused + 1 end end
print(refused == #text, select(2, load(text:sub(1, 20), "=cut", "b")):find("truncated") ~= nil, text:sub(1, 4) == "\27Lua", text:byte(5) == 0x54)
for i = 1, 30 do local changed = text:sub(1, i - 1) .. string.char(text:byte(i) ~ 0x55) .. text:sub(i + 1) if i <= 15 then io.write(load(changed, "=c", "b") and "y" or "n") end end print()
print(load(text .. "garbage", "=tail", "b")(9)[1])
-- dumping twice gives the same, and a loaded function can be dumped again
local twice = string.dump(again(function(x) return x + 1 end))
print(load(twice)(41))
