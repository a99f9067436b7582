-- Multiple assignment: evaluation before assignment, adjustment, swaps, indexes that change while assigning.
local a, b, c = 1, 2
print(a, b, c)
a, b = b, a
print(a, b)
a, b, c = (function() return 10, 20, 30, 40 end)()
print(a, b, c)
a, b, c = 0, (function() return 1, 2 end)()
print(a, b, c)
a, b, c = (function() return 1, 2 end)(), 5
print(a, b, c)
local i, t = 1, { "x", "y", "z" }
i, t[i] = i + 1, "changed"
print(i, t[1], t[2])
t[i], t[i + 1] = t[i + 1], t[i]
print(t[1], t[2], t[3])
local x, y, z = { n = 1 }, { n = 2 }, nil
x, y, x.n, y.n = y, x, y.n * 10, x.n * 10
print(x.n, y.n)
do local p = { 1, 2 } p, p[1] = nil, 5 print(p) end
local log = {}
local function v(n) log[#log + 1] = n return n end
local o = setmetatable({}, { __newindex = function(_, k, val) log[#log + 1] = "set" .. k .. "=" .. tostring(val) end })
o[v("k1")], o[v("k2")] = v("v1"), v("v2")
table.sort(log, function(p, q) return p < q end)
print(table.concat(log, " "))
local s = 1
local function side() s = s + 1 return s end
local q, r, w = side(), side() * 10, side() * 100
print(q, r, w)
local d, e = nil
print(d, e)
local f = function() end
local g, h = f()
print(g, h)
local n1, n2, n3 = table.unpack({ 1, 2, 3, 4 })
print(n1, n2, n3)
global1, global2 = "g1", "g2"
global1, global2 = global2, global1
print(global1, global2, _G.global1)
local u1, u2 = 1, 2
local function swap() u1, u2 = u2, u1 return u1, u2 end
print(swap()) print(swap())
local tt = {}
tt.a, tt.b, tt.c = 1, 2
print(tt.a, tt.b, tt.c)
tt.x, tt.x = 1, 2
print(tt.x == 1 or tt.x == 2)
local k = "key"
tt[k], k = "value", "other"
print(tt.key, k, tt.other)
for _, src in ipairs({ "a, b += 1", "1 = 2", "f() = 1", "a.b:c = 1", "local a.b = 1", "(a) = 1", "a, f() = 1, 2", "local function a.b() end", "a" , "a.b", "f(){}", "local 1 = 2", "x, y", "nil = 1", "... = 1" }) do
  print(select(2, load(src, "=a")) or "ok")
end
-- a local initialiser does not see the local itself
local outer = "outer"
do local outer = outer .. "+inner" print(outer) end
print(outer)
local function rec() return rec end
print(rec() == rec)
local notrec = function() return notrec end
print(notrec())
