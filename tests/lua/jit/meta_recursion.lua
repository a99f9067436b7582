-- Metamethods that recurse in compiled code: calls of them that are not inlined, and returns to the instructions that have called them.

local N = 200

do -- __index that remembers; the same metatable, and a new one each time
  local M = { __index = function(t, n) local v = (t[n - 1] + t[n - 2]) % 1000007 t[n] = v return v end }
  local s = 0
  for i = 1, N do s = (s + setmetatable({ [0] = 0, [1] = 1 }, M)[40 + i % 20]) % 1000007 end
  print("memo", s)
  for i = 1, N do
    local t = setmetatable({ [0] = 0, [1] = 1 }, { __index = function(t, n) local v = (t[n - 1] + t[n - 2]) % 1000007 t[n] = v return v end })
    s = (s + t[30 + i % 10]) % 1000007
  end
  print("memo", s)
end

do -- values of a tree by a field that is computed
  local E = {}
  E.__index = function(e, k)
    if k ~= "val" then return nil end
    if e.op == "num" then return e.n elseif e.op == "+" then return e.a.val + e.b.val end
    return e.a.val * e.b.val % 1009
  end
  local function tree(d, k) if d == 0 then return setmetatable({ op = "num", n = k % 10 }, E) end
    return setmetatable({ op = k % 3 == 0 and "*" or "+", a = tree(d - 1, k + 1), b = tree(d - 1, k * 2) }, E) end
  local t = tree(6, 1)
  local s = 0
  for i = 1, N do s = s + t.val + (t.none and 1 or 0) end
  print("fields", s)
end

do -- arithmetic, length, concatenation, negation
  local T = {}
  local function leaf(v) return setmetatable({ v = v }, T) end
  local function node(l, r) return setmetatable({ l = l, r = r }, T) end
  T.__add = function(a, b) if a.v then return leaf(a.v + (b.v or 1)) end return node(a.l + b.l, a.r + b.r) end
  T.__len = function(t) if t.v then return t.v end return #t.l + #t.r end
  T.__unm = function(t) if t.v then return leaf(-t.v) end return node(-t.l, -t.r) end
  T.__concat = function(a, b) if a.v then return "" .. a.v end return (a.l .. b) .. (a.r .. b) end
  T.__call = function(t, d) if t.v or d == 0 then return d end return t.l(d - 1) + t.r(d - 1) end
  local function tree(d) if d == 0 then return leaf(d + 1) end return node(tree(d - 1), tree(d - 1)) end
  local a, b = tree(6), tree(6)
  local s = 0
  for i = 1, N do
    local c = a + b
    s = s + #c - #-a + #(a .. b) + #("<" .. a .. b .. ">") + a(i % 7)
  end
  print("arithmetic", s)
end

do -- comparisons: both outcomes, of both forms
  local L = {}
  local function list(n, last) local t for i = n, 1, -1 do t = setmetatable({ v = i == n and last or 0, next = t }, L) end return t end
  L.__lt = function(a, b) if a.v ~= b.v then return a.v < b.v end if not a.next or not b.next then return b.next and true end return a.next < b.next end
  L.__le = function(a, b) if a.v ~= b.v then return a.v < b.v end if not a.next then return 1 end if not b.next then return nil end return a.next <= b.next end
  L.__eq = function(a, b) if a.v ~= b.v then return false end if not a.next then return not b.next end return b.next ~= nil and a.next == b.next end
  local a, b, c = list(12, 1), list(12, 2), list(9, 1)
  local n = 0
  for i = 1, N do
    local x, y = i % 2 == 0 and a or b, i % 3 == 0 and c or i % 3 == 1 and b or a
    if x < y then n = n + 1 end
    if not (x <= y) then n = n + 10 end
    if x == y then n = n + 100 end
    if x ~= y then n = n + 1000 end
    local z = x >= y
    n = n + (z and 10000 or 0)
  end
  print("comparisons", n)
end

do -- stores
  local log = 0
  local W = {}
  W.__newindex = function(t, k, v) log = log + v if k > 0 then t[k - 1] = v + 1 end end
  for i = 1, N do setmetatable({}, W)[i % 12] = i end
  print("stores", log)
end

do -- metamethods that end with a tail call, return nothing, or several values
  local M = {}
  local function helper(t, n) if n <= 0 then return 1, 2, 3 end return t[n - 1] end
  M.__index = function(t, n) if n % 5 == 4 then return end return helper(t, n) end
  local t = setmetatable({}, M)
  local s, nils = 0, 0
  for i = 1, N * 2 do local v = t[i % 14] if v then s = s + v else nils = nils + 1 end end
  print("tails", s, nils)
end

do -- errors on the way, caught outside and inside
  local M = {}
  M.__index = function(t, n)
    if n == t.stop then error("stop " .. n, 0) end
    if n == 0 then return 0 end
    if n % 4 == 0 then local ok, v = pcall(function() return t[n - 1] end) return ok and v + 1 or -1 end
    return t[n - 1] + 1
  end
  local s, failed = 0, 0
  for i = 1, N * 2 do
    local ok, v = pcall(function() return setmetatable({ stop = i % 9 + 5 }, M)[i % 13] end)
    if ok then s = s + v else failed = failed + #v end
  end
  print("errors", s, failed)
end

do -- yields across
  local M = { __index = function(t, n) if n == 0 then return coroutine.yield(1) end return t[n - 1] + 1 end,
    __lt = function(a, b) if a.n == 0 then return coroutine.yield(2) end a.n = a.n - 1 return a < b end }
  local s = 0
  for i = 1, N do
    local co = coroutine.wrap(function() local a = setmetatable({}, M) local v = a[i % 8] a.n = i % 5 if a < a then v = v + 1000 end return v end)
    s = s + co() + co(i) + co(i % 2 == 0)
  end
  print("yields", s)
end

do -- hooks, locals changed from outside, collections
  local lines = 0
  local M = {}
  M.__index = function(t, n)
    if n == 0 then
      debug.sethook(function() lines = lines + 1 end, "l")
      local x = 1
      debug.sethook()
      if t.poke then debug.setlocal(2, 2, 50) end
      collectgarbage("step")
      return 0
    end
    local v = t[n - 1]
    return v + n
  end
  local s = 0
  for i = 1, 150 do s = s + setmetatable({ poke = i > 140 }, M)[i % 6] end
  print("hooks", s, lines > 0)
end

do -- recursion through f(...)
  local function f(...) local n = ... if n == 0 then return select("#", ...) end return f(n - 1, select(2, ...)) end
  local function g(n, ...) if n == 0 then return ... end return g(n - 1, n, ...) end
  local function h(n, k, ...) if n == 0 then return k end local r = h(n - 1, ...) return r or n end
  local s = 0
  for i = 1, N do s = s + f(i % 10, 1, 2) + select("#", g(i % 10)) + (h(i % 6, 1, nil, 3, 4, 5, i) or 0) end
  print("varargs", s)
end

do -- the stack gets too deep
  local M = { __index = function(t, n) return t[n + 1] end }
  local ok, e = pcall(function() return setmetatable({}, M)[1] end)
  print("deep", ok, #e > 0)
  local S = { __index = function(t, n) if n == 0 then return 1 end return t[n - 1] end }
  for i = 1, N do assert(setmetatable({}, S)[i % 150] == 1) end
end
