-- Lists of all values of a call or of `...`, short loops through them, and the functions of `table` that take or give whole lists.
local N = 120

local function show(t) 
  local s = {}
  for k = 1, t.n or #t do s[k] = tostring(t[k]) end
  return "[" .. table.concat(s, " ") .. "]"
end

-- constructors: how many, which kinds, what comes before
local function list(...) return { ... } end
local function counted(...) return { n = select("#", ...), ... } end
local function more(a, ...) return { a, a, ... } end
local function named(...) return { x = 1, y = ..., ... } end
local function three(x) return x, x + 1, nil end
local s = 0
for i = 1, N do
  local a, b, c = list(), list(i), list(i, i + 0.5, "x")
  local d, e = list(1, 2, 3, 4, 5, 6, i), list(1, 2, 3, 4, 5, 6, 7, i)
  local f = list(nil, i, nil)
  local g, h = counted(i, nil, nil), counted()
  local m, n = more(i, "a", true), named(i, i)
  local k = { three(i) }
  local l = { i, three(i) }
  s = s + #a + #b + #c + #d + #e + f[2] + g.n + h.n + #m + n.y + n[2] + #k + #l + d[7] + e[8] + c[2]
  c[#c + 1] = i
  a[1], e[9], d[8] = i, i, "t"
  s = s + c[4] + a[1] + #e + #d
  f[3] = i
  b[1] = nil
  s = s + f[3] + #b
  if i % 40 == 0 then print(show(c), show(d), show(e), show(g), show(m), show(k), show(l)) end
end
print(s)
local function long(n)
  local t = {}
  for k = 1, n do t[k] = k end
  return table.unpack(t)
end
for i = 1, N do
  local t, u = { long(12) }, { n = 1, long(60) }
  t[13], u[61] = i, i
  s = s + #t + #u + t[12] + u[60]
end
print(s)

-- short loops through lists that are made for them
local function sum(...)
  local n = 0
  for k, v in ipairs({ ... }) do n = n + k * v end
  return n
end
local function find(x, ...)
  for k, v in ipairs({ ... }) do
    if v == x then return k end
  end
  return -1
end
local function all(...)
  local n = 0
  for _, v in ipairs({ ... }) do n = n + #v end
  return n
end
for i = 1, N do
  s = s + sum() + sum(i) + sum(1, 2, i) + sum(i, 2, 3, 4, 5, 6, 7) + sum(1, 2, 3, 4, 5, 6, 7, 8, i)
  s = s + find(i % 4, 3, 2, 1) + sum(1, nil, 3) + all("a", "bb", "c" .. i)
  s = s + sum(1, i % 3 == 0 and 2.5 or 2)
  for _, v in ipairs({ i, i + 1 }) do
    for _, w in ipairs({ v, 1 }) do s = s + w end
  end
end
print(s)
for i = 1, N do
  local n = 0
  for k, v in ipairs({ 1, 2, 3, i }) do
    if k == 2 then goto continue end
    if v == 50 then break end
    n = n + v
    ::continue::
  end
  s = s + n
end
print(s)

-- pack and unpack
local function swap(...) local t = table.pack(...) return t.n, t[2], t[1] end
for i = 1, N do
  local n, x, y = swap(i, i + 1)
  local p = table.pack(nil, i, nil)
  local q = table.pack()
  s = s + n + x - y + p.n + p[2] + q.n + #table.pack(table.unpack({ 1, 2, i }))
  p[4], q[1] = 1, 2
  p.extra = i
  s = s + p.extra + p[4] + q[1]
  local t = { 1, 2, 3, 4, 5, i }
  local a, b, c = table.unpack(t, i % 5 + 1, i % 7)
  local d, e = table.unpack(t, -1, 1)
  local f, g = table.unpack(t, 1, i)
  local h = table.unpack(t, 6, 6)
  s = s + (a or 0) + (b or 0) + (c or 0) + (d or 1) + (e or 2) + f + (g or 5) + h
  local none = table.unpack(t, 3, 2)
  assert(none == nil)
  s = s + select("#", table.unpack(t, 2, i % 4 + 2))
end
print(s)
print(pcall(table.unpack, {}, 1, 1e8))
print(pcall(table.unpack, {}, math.mininteger, math.maxinteger))
for i = 1, N do
  local ok, e = pcall(function() local a, b = table.unpack({}, math.maxinteger - 1, math.maxinteger + i % 3) return a, b end)
  s = s + (ok and 1 or #e)
end
print(s)

-- move
local src, dst = {}, {}
for k = 1, 40 do src[k], dst[k] = k, 0 end
for i = 1, N do
  local r = table.move(src, i % 10 + 1, i % 10 + 5, i % 20 + 1, dst)
  assert(r == dst)
  s = s + r[i % 20 + 3]
  table.move(src, 1, 30, 2)
  table.move(src, 2, 31, 1)
  table.move(src, 5, 4, 1)
  s = s + src[1] + src[30] + src[i % 40 + 1]
  local fresh = table.move(src, 1, i % 6, 1, {})
  s = s + #fresh
  local str = table.move({ "a", "b" }, 1, 2, 3, { 1, 2 })
  s = s + #str
end
print(s, show(dst))
local mt = setmetatable({}, { __newindex = function(t, k, v) rawset(t, k, v * 2) end })
for i = 1, N do table.move(src, 1, 3, i % 3 + 1, mt) end
print(show(mt), pcall(table.move, src, 1, math.maxinteger, 2))

-- sort without an order function
local seed = 7
local function rnd(n) seed = seed * 16807 % 2147483647 return seed % n end
local function sorted(t)
  for k = 2, #t do if t[k] < t[k - 1] then return false end end
  return true
end
for i = 1, N do
  local a, b, c = {}, {}, {}
  for k = 1, i % 30 do a[k], b[k], c[k] = rnd(100), rnd(100) / 8, "s" .. rnd(100) end
  table.sort(a)
  table.sort(b)
  table.sort(c, nil)
  assert(sorted(a) and sorted(b) and sorted(c))
  s = s + (a[1] or 0) + (b[#b] or 0) + #(c[1] or "")
  if i % 10 == 0 then
    a[#a + 1] = 0.5
    table.sort(a)
    s = s + a[1]
  end
  if i % 13 == 0 then
    b[#b + 1] = -0.0
    b[#b + 1] = 0 / 0
    pcall(table.sort, b)
  end
  if i % 17 == 0 then
    c[#c + 1] = 1
    s = s + (pcall(table.sort, c) and 1 or 2)
  end
end
print(s)

-- `...` in a loop of the vararg function itself
local function select_all(...)
  local n = 0
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    local last = select(-1, ...)
    n = n + v * last
  end
  return n
end
print(select_all(long(60)), select_all(long(100)))
local function keeps(t, ...)
  local n = 0
  for i = 1, 60 do
    t.x = t.x + i
    local a, b = ...
    n = n + t.x + select("#", ...) + a + (b or 0)
  end
  return n
end
print(keeps({ x = 1 }, 1), keeps({ x = 1 }, 1, 2, 3))

-- lists of many lengths, empty ones too, as arguments and results
do
  local function count(...) return select("#", ...) end
  local function pass(...) return count(...) end
  local function ends(...) local a = ... return a or 0, (select(-1, 0, ...)) end
  local list = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18 }
  local s, none = 0, {}
  for i = 1, 400 do
    s = s + pass(table.unpack(list, 1, i % 12)) + pass(table.unpack(list, 5, i % 3)) + pass(table.unpack(none)) + pass(table.unpack(list, 2, -i))
    local a, b = ends(table.unpack(list, i % 7 + 1, i % 19))
    s = s + a + b + #{ table.unpack(list, 3, i % 5) } + count(table.unpack(list, i % 19))
    s = s + #string.char(table.unpack(list, 1, i % 4)) + count(table.unpack(list, math.maxinteger, math.mininteger))
  end
  print(s)
end
