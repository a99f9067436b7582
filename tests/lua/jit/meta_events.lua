-- Metamethods of every kind in hot loops.

local N = 200

-- a number in a box, with every event
local B = {}
B.__index = B
local function box(n) return setmetatable({n = n}, B) end
local function num(x) if type(x) == "table" then return x.n end return tonumber(x) end
B.__add = function(a, b) return box(num(a) + num(b)) end
B.__sub = function(a, b) return box(num(a) - num(b)) end
B.__mul = function(a, b) return box(num(a) * num(b)) end
B.__div = function(a, b) return box(num(a) / num(b)) end
B.__mod = function(a, b) return box(num(a) % num(b)) end
B.__pow = function(a, b) return box(num(a) ^ num(b)) end
B.__idiv = function(a, b) return box(num(a) // num(b)) end
B.__band = function(a, b) return box(num(a) & num(b)) end
B.__bor = function(a, b) return box(num(a) | num(b)) end
B.__bxor = function(a, b) return box(num(a) ~ num(b)) end
B.__shl = function(a, b) return box(num(a) << num(b)) end
B.__shr = function(a, b) return box(num(a) >> num(b)) end
B.__unm = function(a, b) return box(-num(a) + (rawequal(a, b) and 0 or 1)) end
B.__bnot = function(a, b) return box(~num(a) + (rawequal(a, b) and 0 or 1)) end
B.__len = function(a, b) return num(a) + 1 end
B.__concat = function(a, b) return num(a) .. "|" .. num(b) end
B.__eq = function(a, b) return num(a) == num(b) end
B.__lt = function(a, b) return num(a) < num(b) end
B.__le = function(a, b) return num(a) <= num(b) end
B.__call = function(self, a, b, ...) return self.n + (a or 0) * 2 + (b or 0) * 3 + select("#", ...) end

do -- both sides, constants on either side
  local s = 0
  for i = 1, N do
    local a, b = box(i), box(i % 7 + 1)
    s = s + (a + b).n + (a - b).n + (a * b).n + (a % b).n + (a // b).n
    s = s + (a & b).n + (a | b).n + (a ~ b).n + (a << b).n + (a >> b).n
    s = s + (a + 1).n + (1 + a).n + (a - 2).n + (2 - a).n + (a * 3).n + (3 * a).n
    s = s + (a % 4).n + (1000 % a).n + (a // 2).n + (1000 // a).n
    s = s + (a & 6).n + (6 & a).n + (a | 6).n + (6 | a).n + (a ~ 6).n + (6 ~ a).n
    s = s + (a << 2).n + (2 << b).n + (a >> 1).n + (1024 >> b).n
    s = s + (-a).n + (~a).n + #a
  end
  print("arithmetic", s)
  local f = 0.0
  for i = 1, N do
    local a, b = box(i), box(i % 5 + 1.5)
    f = f + (a / b).n + (a / 2).n + (2 / a).n + (b ^ 2).n + (2 ^ b).n + (b + 0.25).n + (b - 0.25).n
  end
  print(string.format("floats %.6f", f))
end

do -- comparison, each way it can turn out
  local c = {0, 0, 0, 0, 0, 0, 0}
  local seven = box(7)
  for i = 1, N do
    local a, b = box(i % 10), box(i % 4)
    if a < b then c[1] = c[1] + 1 end
    if a <= b then c[2] = c[2] + 1 end
    if a == b then c[3] = c[3] + 1 end
    if a ~= seven then c[4] = c[4] + 1 end
    if a > 5 then c[5] = c[5] + 1 end
    if 5 >= a then c[6] = c[6] + 1 end
    if not (a < 3 or b > 2) then c[7] = c[7] + 1 end
  end
  print("comparison", table.concat(c, " "))
end

do -- concatenation
  local s, n = "", 0
  for i = 1, N do
    local a, b = box(i), box(i + 1)
    s = a .. b
    s = s .. (a .. "3") .. ("4" .. a) .. (5 .. a)
    n = n + #s
  end
  print("concat", s, n)
  local J = {}
  J.__concat = function(a, b)
    local function text(x) return type(x) == "table" and x[1] or x end
    return setmetatable({"<" .. text(a) .. text(b) .. ">"}, J)
  end
  local function j(x) return setmetatable({x}, J) end
  for i = 1, N do
    s = (j"a" .. "b" .. "c" .. i)[1] .. ("x" .. j"y" .. "z" .. i)[1] .. ("p" .. "q" .. j"r")[1]
      .. (i .. j"t" .. j"u" .. "v" .. "w")[1]
  end
  print("concat", s)
  J.__concat = function(a, b) return "s" end
  for i = 1, N do
    s = "1" .. "2" .. j"3" .. "4" .. "5" .. j"6" .. "7" .. i
  end
  print("concat", s)
end

do -- calls
  local s = 0
  for i = 1, N do
    local a = box(i)
    s = s + a() + a(1) + a(1, 2) + a(1, 2, 3, 4) + a(a(i))
    s = s + select("#", a(select(1, 1, 2, 3)))
  end
  print("call", s)
  local V = setmetatable({}, {__call = function(self, ...) return ... end})
  local function all(...) return select("#", ...), ... end
  for i = 1, N do
    local n, a, b, c = all(V(i, nil, i + 1))
    s = s + n + a + c + (b == nil and 1 or 0)
  end
  print("call", s)
end

do -- index functions and chains
  local asked = 0
  local A = setmetatable({}, {__index = function(t, k) asked = asked + 1; return k == "x" and 5 or nil end})
  local C = setmetatable({own = 1}, {__index = A})
  local D = setmetatable({}, {__index = C})
  local s = 0
  for i = 1, N do
    s = s + A.x + C.x + D.x + D.own + (D.y or 1) + (C[i] or 2) + (A[-i] or 3)
  end
  print("index", s, asked)
  local sq = setmetatable({}, {__index = function(t, k) return k * k end})
  local memo = setmetatable({}, {__index = function(t, k) local v = sq[k] + 1; t[k] = v; return v end})
  s = 0
  for i = 1, N do s = s + sq[i] + memo[i % 20 + 1] + memo[-(i % 5) - 1] + memo[i % 3 + 0.5] end
  print("index", s, #memo)
  local words = setmetatable({}, {__index = function(t, k) return #k end})
  for i = 1, N do s = s + words["w" .. i % 3] + words.hello end
  print("index", s)
  -- methods through functions
  local F = setmetatable({v = 2}, {__index = function(t, k) return function(self, n) return self.v * n + #k end end})
  s = 0
  for i = 1, N do s = s + F:twice(i) + F:other(1) end
  print("method", s)
end

do -- newindex functions and tables
  local log, s = {}, 0
  local P = setmetatable({}, {__newindex = function(t, k, v) rawset(t, "last", k); s = s + v end})
  for i = 1, N do
    P.x = i
    P[i] = i
    P["k" .. i % 2] = 1
  end
  print("newindex", s, P.last, P.x, P[1])
  local store = {a = 0}
  local Q = setmetatable({}, {__index = store, __newindex = store})
  for i = 1, N do
    Q.a = Q.a + i
    Q[i] = i
    Q.b = i
  end
  print("newindex", store.a, #store, store.b, next(Q))
  local base = {}
  local mid = setmetatable({}, {__newindex = function(t, k, v) base[k] = v end})
  local top = setmetatable({}, {__newindex = mid})
  for i = 1, N do top.f = i; top[i % 4 + 1] = i end
  print("newindex", base.f, #base, next(top), next(mid))
  -- present, but nil
  local R = setmetatable({x = 1}, {__newindex = function(t, k, v) rawset(t, k, v + 100) end})
  for i = 1, N do
    R.x = i
    if i % 3 == 0 then R.x = nil end
  end
  print("newindex", R.x)
end

do -- no handlers, but a metatable
  local E = {}
  local s = 0
  for i = 1, N do
    local a, b = setmetatable({1, 2, i}, E), setmetatable({}, E)
    s = s + #a + (a == b and 1 or 0) + (a ~= a and 1 or 0)
    b.x = i
    b[1] = i
    s = s + b.x + b[1] + (b.y or 0) + (b[7] or 0)
  end
  print("plain", s)
end

do -- results: none, several
  local M = {__add = function() end, __index = function() return 1, 2, 3 end, __lt = function() end,
    __len = function() return nil, 7 end, __unm = function(...) return ... end}
  local s, n = 0, 0
  for i = 1, N do
    local t = setmetatable({}, M)
    if (t + t) == nil then s = s + 1 end
    if #t == nil then s = s + 1 end
    if t < t then s = s + 1000 end
    if -t == t then s = s + 1 end
    local a, b = t.x
    n = n + a + (b or 0)
  end
  print("results", s, n)
end

do -- metamethods that call metamethods, and recursion
  local R = {}
  R.__index = R
  R.__add = function(a, b)
    if b == 0 then return a end
    return setmetatable({v = a.v + 1}, R) + (b - 1)
  end
  local s = 0
  for i = 1, N do s = s + (setmetatable({v = i}, R) + i % 6).v end
  print("recursion", s)
  local L = setmetatable({}, {__index = function(t, k) if k <= 0 then return 0 end return t[k - 1] + 1 end})
  for i = 1, N do s = s + L[i % 9] end
  print("recursion", s)
end

do -- vararg metamethods, tail calls in them
  local V = {}
  V.__add = function(...) local a, b = ... return a.v + b.v + select("#", ...) end
  V.__sub = function(a, b) return V.__add(a, b) end
  V.__index = function(t, k) return rawget(t, "v") end
  local s = 0
  for i = 1, N do
    local a, b = setmetatable({v = i}, V), setmetatable({v = 2}, V)
    s = s + (a + b) + (a - b) + a.other
  end
  print("varargs", s)
end
