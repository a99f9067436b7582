-- nostress: a million elements
-- Constructors and strings of a million elements; long sequences through every path.
local N = 1000000
local t = load("return {" .. ("7,"):rep(N) .. "}")()
print(#t, t[1], t[N], t[N + 1])
t = load("return {" .. ("'s',"):rep(N - 1) .. "'last', n = 1}")()
print(#t, t[1], t[N], t.n)
local parts = {}
for i = 1, 100000 do parts[i] = "[" .. i * 3 .. "]=" .. i end
t = load("return {" .. table.concat(parts, ",") .. "}")()
local count, sum = 0, 0
for k, v in pairs(t) do count = count + 1 sum = sum + k - v end
print(count, sum, t[3], t[300000])
local s = ("abcdefghij"):rep(N)
print(#s, s:sub(-3), s:byte(5000001), #(s .. s), select(2, s:gsub("j", "")))
local list = {}
for i = 1, N do list[i] = i end
local total = 0
for _, v in ipairs(list) do total = total + v end
print(total, #table.concat(list), #table.concat(list, ","))
table.sort(list, function(a, b) return a > b end)
print(list[1], list[N])
local nested = load("return " .. ("{"):rep(150) .. ("}"):rep(150))()
local depth = 0
while nested do depth = depth + 1 nested = nested[1] end
print(depth)
local lines = {}
for i = 1, 100000 do lines[i] = "x = " .. i end
lines[#lines + 1] = "error('here')"
print(pcall(load(table.concat(lines, "\n"), "=long")))
x = nil
