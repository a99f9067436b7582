-- Strings have a metatable: method calls, fields, user additions, arithmetic through string metamethods.
print(("x"):upper(), ("%d"):format(5), #"abc", ("abc").len == string.len, ("abc").nothing, ("abc")[1])
print(getmetatable("").__index == string, getmetatable("abc") == getmetatable(""), getmetatable("").__name)
function string:shout(n) return self:upper() .. ("!"):rep(n or 1) end
print(("hey"):shout(), ("hey"):shout(3))
string.shout = nil
print(pcall(function() return ("x"):shout() end))
print(pcall(function() local s = "x"; s.field = 1 end))
print(pcall(function() local s = "x"; return s.a.b end))
print(pcall(function() return #5 end))
local mt = getmetatable("")
local names = {}
for k in pairs(mt) do names[#names + 1] = k end
table.sort(names)
print(table.concat(names, " "))
mt.__call = function(s, ...) return s .. "(" .. table.concat({ ... }, ",") .. ")" end
print(("f")(1, 2), pcall("g", 3))
mt.__call = nil
mt.__index = function(s, k) return type(k) == "number" and s:sub(k, k) or string[k] end
local s = "index"
print(s[1], s[-1], s:upper(), s[10] == "")
mt.__index = string
-- an operand with its own metamethod wins over the coercion
local v = setmetatable({}, { __add = function(a, b) return (a == "5" and "str" or "obj") .. "+" .. (type(b) == "table" and "obj" or b) end })
print("5" + v, v + "6", pcall(function() return "x" + v end))
print(pcall(function() return "x" + 1 end))
print(pcall(function() return {} + "1" end))
print(pcall(function() return "1" + nil end))
print(pcall(function() return -"x" end))
print(pcall(function() return "a" * "b" end))
