-- The concatenation operator: numbers, long chains, metamethods in the middle, order of evaluation.
print(1 .. 2, 1.5 .. 2, -1 .. -2, 2^63 .. "", 1e100 .. "|", 0.1 .. "", 10 // 3 .. "", 7 / 2 .. "", "a" .. 1 .. "b" .. 2.0)
local s = ""
for i = 1, 300 do s = s .. i .. "," end
print(#s, s:sub(1, 20), s:sub(-12))
local a, b, c = "x", "y", "z"
print(a .. b .. c, (a .. b) .. c, a .. (b .. c), a .. b .. c .. a .. b .. c .. a .. b .. c .. a .. b .. c)
local log = {}
local mt = {}
mt.__concat = function(l, r)
  local function name(v) return type(v) == "table" and v.name or tostring(v) end
  log[#log + 1] = name(l) .. "+" .. name(r)
  return setmetatable({ name = "(" .. name(l) .. name(r) .. ")" }, mt)
end
local o = setmetatable({ name = "O" }, mt)
print((o .. "a").name, ("a" .. o).name, (o .. o).name, (1 .. o).name, ("p" .. "q" .. o .. "r" .. "s").name, (o .. 1 .. 2).name)
print(table.concat(log, " "))
print(#(("x"):rep(100000) .. ("y"):rep(100000)), ("" .. "x" .. ""), "" .. "" == "")
local long = ("long string with more than forty characters "):rep(2)
print((long .. "") == long, #(long .. long), rawequal(long .. "", long))
local t = {}
t[long .. 1] = "a"
print(t[long .. "1"], t[long .. 2])
print("a\0b" .. "c\0d" == "a\0bc\0d", #("a\0" .. "\0b"))
local function f(...) return ... end
print(f("a", "b") .. "c", "x" .. f("d", "e"), f() == nil and "none")
local n = 0
local function side() n = n + 1 return n end
print(side() .. side() .. side(), side() .. "-" .. side())
