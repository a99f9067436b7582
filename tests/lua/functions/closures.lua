-- Closures: shared and separate upvalues, nesting, upvalues of parameters, identity.
local function counter()
  local n = 0
  return function() n = n + 1 return n end, function() return n end, function(v) n = v end
end
local inc, get, set = counter()
local inc2, get2 = counter()
print(inc(), inc(), inc2(), get(), get2())
set(10)
print(inc(), get(), get2())
local function nest(a)
  return function(b)
    return function(c)
      a = a + 1
      return function(d) b = b * 2 return a, b, c, d end
    end
  end
end
local l1 = nest(1)(2)
local x, y = l1(3), l1(4)
print(x(5)) print(y(6)) print(x(7))
-- a fresh local per iteration, in every kind of loop
local fs = {}
for i = 1, 3 do fs[#fs + 1] = function() i = i + 10 return i end end
for _, v in ipairs({ "a", "b" }) do fs[#fs + 1] = function() return v end end
local n = 0
while n < 2 do
  n = n + 1
  local m = n * 100
  fs[#fs + 1] = function() m = m + 1 return m, n end
end
repeat
  local r = n
  fs[#fs + 1] = function() return r end
  n = n + 1
until r >= 3
for i = 1, #fs do io.write(tostring(fs[i]()), " ") end print()
print(fs[1](), fs[1](), fs[2](), fs[6]())
-- two closures in one iteration share its local
local pairs_of = {}
for i = 1, 2 do
  local v = i
  pairs_of[i] = { function() v = v + 1 end, function() return v end }
end
pairs_of[1][1]() pairs_of[1][1]()
print(pairs_of[1][2](), pairs_of[2][2]())
-- recursion through a local function, mutual recursion through upvalues
local function fact(k) return k <= 1 and 1 or k * fact(k - 1) end
local even, odd
function even(k) if k == 0 then return true end return odd(k - 1) end
function odd(k) if k == 0 then return false end return even(k - 1) end
print(fact(10), even(10), odd(7), even(7))
-- upvalues outlive the function, also in coroutines and after errors
local function make()
  local secret = "kept"
  local co = coroutine.create(function() coroutine.yield(function() return secret end) secret = "changed" end)
  local _, f = coroutine.resume(co)
  return f, co
end
local f, co = make()
print(f())
coroutine.resume(co)
print(f())
local saved
pcall(function() local v = "before" saved = function() return v end v = "after" error("x") end)
print(saved())
-- block scopes and gotos close upvalues
local got = {}
do
  local i = 1
  ::top::
  local v = i * 2
  got[i] = function() v = v + 1 return v end
  i = i + 1
  if i <= 3 then goto top end
end
print(got[1](), got[2](), got[3](), got[1]())
print((function(...) local a, b = ... return function() return a, b end end)(1, 2)())
local function params(a, b) local g = function() a, b = b, a end g() return a, b end
print(params(1, 2))
-- 60 upvalues in one function
local src = {}
for i = 1, 60 do src[i] = "local v" .. i .. " = " .. i end
src[#src + 1] = "return function(d) "
for i = 1, 60 do src[#src + 1] = "v" .. i .. " = v" .. i .. " + d " end
src[#src + 1] = "return v1 + v30 + v60 end"
local big = load(table.concat(src, "\n"))()
print(big(1), big(2))
