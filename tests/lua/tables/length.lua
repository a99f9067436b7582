-- nostress: 70,000 stores
-- The length of sequences as they grow and shrink, and # on other values.
local t = {}
for i = 1, 100 do t[i] = i assert(#t == i) end
for i = 100, 51, -1 do t[i] = nil assert(#t == i - 1) end
print(#t)
for i = 51, 2000 do t[#t + 1] = i end
print(#t, t[1], t[2000])
for i = 1, 1990 do t[#t] = nil end
print(#t, t[10], t[11])
local h = { [3] = 3 }
h[1] = 1 h[2] = 2
print(#h)
h[5] = 5 h[4] = 4
print(#h, h[5])
local rev = {}
for i = 50, 1, -1 do rev[i] = i end
print(#rev)
local holes = { n = 0 }
holes[1] = 1 holes[3] = 3
local n = #holes
print(n == 1 or n == 3, (n == 0 or holes[n] ~= nil) and holes[n + 1] == nil)
print(#{}, #{ x = 1 }, #{ [0] = 0 }, #{ [-1] = 1 }, #{ [0] = 0, 1 }, #{ [1.5] = 1 })
print(#"abc", #"", pcall(function() return #5 end))
print(pcall(function() return #nil end))
print(pcall(function() local x = {} return #x.y end))
print(#setmetatable({ 1, 2 }, { __len = function() return 42 end }), rawlen(setmetatable({ 1, 2 }, { __len = function() return 42 end })), rawlen("four"))
print(pcall(rawlen, 5))
local q = {}
for i = 1, 10 do q[i] = i end
for i = 1, 5 do q[i] = nil end
local border = #q
print(border == 10 or border == 0)
for i = 1, 5 do q[i] = i end
print(#q)
table.remove(q) table.remove(q, 1)
print(#q, q[1], q[8])
local big = {}
for i = 1, 70000 do big[i] = true end
print(#big)
big[70001] = true big[35000] = nil big[35000] = 1
print(#big)
