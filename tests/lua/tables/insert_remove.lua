-- table.insert and table.remove: positions, edges, errors, metamethods.
local t = {}
table.insert(t, "a") table.insert(t, "c") table.insert(t, 2, "b") table.insert(t, 1, "z") table.insert(t, #t + 1, "e")
print(table.concat(t, " "), #t)
print(table.remove(t), table.remove(t, 1), table.remove(t, 2), table.concat(t, " "), #t)
print(table.remove({}), table.remove({}, 0), table.remove({}, nil), select("#", table.remove({})))
print(table.remove({ 1, 2, 3 }, 4), #t, table.remove(t, #t + 1), #t)
local z = { [0] = "zero" }
print(table.remove(z, 0), z[0], #z)
print(pcall(table.insert, { 1, 2, 3 }, 5, "x"))
print(pcall(table.insert, { 1, 2, 3 }, 0, "x"))
print(pcall(table.insert, { 1, 2, 3 }, 6, "x"))
print(pcall(table.insert, { 1 }))
print(pcall(table.insert, { 1 }, 1, 2, 3))
print(pcall(table.insert, nil, 1))
print(pcall(table.insert, { 1 }, "x", 1))
print(pcall(table.insert, { 1 }, 1.5, 1))
print((select(2, pcall(table.remove, { 1, 2, 3 }, 5)):match("%((.-)%)")))
print((select(2, pcall(table.remove, { 1, 2, 3 }, -1)):match("%((.-)%)")))
print((select(2, pcall(table.remove, { 1, 2, 3 }, 7)):match("%((.-)%)")))
print(pcall(table.remove, 5))
table.insert(t, nil)
print(#t)
-- long runs
local q = {}
for i = 1, 200 do table.insert(q, 1, i) end
print(q[1], q[200], #q)
local s = 0
while #q > 0 do s = s * 3 % 1000003 + table.remove(q, #q // 2 + 1) end
print(s, #q)
-- through metamethods
local log = {}
local store = { "p", "q" }
local proxy = setmetatable({}, {
  __len = function() return #store end,
  __index = function(_, k) log[#log + 1] = "get " .. k return store[k] end,
  __newindex = function(_, k, v) log[#log + 1] = "set " .. k store[k] = v end,
})
table.insert(proxy, 1, "o")
print(table.concat(store, " "), table.concat(log, ", "))
log = {}
print(table.remove(proxy, 1), table.concat(store, " "), table.concat(log, ", "))
print(pcall(table.insert, setmetatable({}, { __len = function() return "x" end }), 1))
