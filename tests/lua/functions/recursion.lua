-- Recursion: deep, mutual, through closures, tables, metamethods and protected calls.
local function depth(n) if n == 0 then return 0 end return 1 + depth(n - 1) end
print(depth(1), depth(100), depth(15000))
local function ack(m, n) if m == 0 then return n + 1 elseif n == 0 then return ack(m - 1, 1) end return ack(m - 1, ack(m, n - 1)) end
print(ack(2, 3), ack(2, 9))
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(20))
local function hanoi(n, a, b, c) if n == 0 then return 0 end return hanoi(n - 1, a, c, b) + 1 + hanoi(n - 1, c, b, a) end
print(hanoi(10, "a", "b", "c"))
local function permutations(list, n, out)
  n = n or #list out = out or {}
  if n <= 1 then out[#out + 1] = table.concat(list) else
    for i = 1, n do list[n], list[i] = list[i], list[n] permutations(list, n - 1, out) list[n], list[i] = list[i], list[n] end
  end
  return out
end
print(table.concat(permutations({ "a", "b", "c" }), " "))
local function Y(f) return (function(x) return x(x) end)(function(x) return f(function(...) return x(x)(...) end) end) end
print(Y(function(self) return function(n) return n == 0 and 1 or n * self(n - 1) end end)(10))
local function flatten(t, out) out = out or {} for _, v in ipairs(t) do if type(v) == "table" then flatten(v, out) else out[#out + 1] = v end end return out end
print(table.concat(flatten({ 1, { 2, { 3, { 4 } }, 5 }, { { 6 } } }), ","))
local nested = {}
for _ = 1, 2000 do nested = { nested } end
local function measure(t) if t[1] then return 1 + measure(t[1]) end return 0 end
print(measure(nested))
local function protected(n) if n == 0 then error("bottom", 0) end local ok, e = pcall(protected, n - 1) error(e .. "+", 0) end
print(pcall(protected, 20))
local mt = {} mt.__index = function(t, k) if k <= 0 then return 0 end return k + t[k - 1] end
print(setmetatable({}, mt)[100])
mt.__add = function(a, b) if b == 0 then return 0 end return 1 + (a + (b - 1)) end
print(setmetatable({}, mt) + 100)
local function tree(d) if d == 0 then return { v = 1 } end return { l = tree(d - 1), r = tree(d - 1), v = d } end
local function sum(t) return t and t.v + sum(t.l) + sum(t.r) or 0 end
print(sum(tree(8)))
local function collatz(n, s) s = s or 0 if n == 1 then return s end return collatz(n % 2 == 0 and n // 2 or 3 * n + 1, s + 1) end
print(collatz(27), collatz(97))
local function gcd(a, b) if b == 0 then return a end return gcd(b, a % b) end
print(gcd(1071, 462), gcd(2^40 | 0, 6^20 | 0))
local function sub(s, acc) if s == "" then return acc end return sub(s:sub(2), s:sub(1, 1) .. acc) end
print(sub("recursion", ""))
local co = coroutine.wrap(function() local function walk(n) if n > 0 then walk(n - 1) coroutine.yield(n) walk(n - 1) end end walk(4) end)
local seq = {}
for v in co do seq[#seq + 1] = v end
print(table.concat(seq))
