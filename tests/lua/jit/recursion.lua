-- Functions that call themselves: compiled, inlined into themselves, returned to at every count of results, and left in the middle.

local function fib(k) if k < 2 then return k end return fib(k - 1) + fib(k - 2) end
print("fib", fib(20), fib(20.0), fib(15), fib(10.5))

-- another closure of the same function while the first is compiled
local function maker(step)
  local function down(n) if n <= 0 then return step end return down(n - step) + 1 end
  return down
end
local one, two = maker(1), maker(2)
for _ = 1, 60 do one(5) end
print("closures", one(30), two(30), maker(3)(30))

-- results: none, too few, too many, all
local function none(n) if n > 0 then none(n - 1) end end
local function three(n) if n == 0 then return 1, 2, 3 end return three(n - 1) end
local function pair(n)
  if n == 0 then return 0, "end" end
  local a, b, c = pair(n - 1)
  return a + 1, b, c
end
local function all(n) if n == 0 then return 10, 20, 30 end return n, all(n - 1) end
local function sum(n, ...) if n == 0 then return select("#", ...) end return (sum(n - 1, n, ...)) + 0 end
local function boxed(n) if n == 0 then return {} end local t = { n, pair(n % 5) } t[#t + 1] = #boxed(n - 1) return t end
for i = 1, 70 do none(i) three(i) pair(i) all(i % 9) sum(i % 12) boxed(i % 8) end
print("results", select("#", none(30)), three(40), select(2, pair(33)), #{ all(8) }, select("#", all(7)), sum(11, 1, 2), #boxed(7))
print("all", all(6))

-- mutual, not in tail position; different types on the way down
local b
local function a(n, x) if n == 0 then return x end return 1 + b(n - 1, x) end
function b(n, x) if n == 0 then return -x end return 0.5 + a(n - 1, x) end
local s = 0
for i = 1, 80 do s = s + a(i, i % 3 == 0 and 1.5 or 2) end
print("mutual", s, a(40, 1), b(40, 1), a(3, 0.25))

-- proper tail calls, of itself and of others, with frames of a normal call below
local function count(n, acc) if n == 0 then return acc end return count(n - 1, acc + 1) end
local odd
local function even(n) if n == 0 then return true end return odd(n - 1) end
function odd(n) if n == 0 then return false end return even(n - 1) end
local function ack(m, n)
  if m == 0 then return n + 1 elseif n == 0 then return ack(m - 1, 1) end
  return ack(m - 1, ack(m, n - 1))
end
print("tail", count(300000, 0), even(100001), odd(100001), ack(2, 9), ack(3, 4))

-- memory is made and collected on the way
local function tree(d) if d == 0 then return { 1 } end return { tree(d - 1), tree(d - 1), d } end
local function nodes(t) if t[2] then return 1 + nodes(t[1]) + nodes(t[2]) end return 1 end
local total = 0
for d = 1, 11 do total = total + nodes(tree(d)) end
local weak = setmetatable({}, { __mode = "v" })
for i = 1, 20 do weak[i] = tree(6) end
collectgarbage()
print("trees", total, next(weak))

-- errors: from the depths, past the end of the stack, positions in between
local function fail(n) if n == 0 then error("here") end local r = fail(n - 1) return r + 1 end
local function runaway(n) return 1 + runaway(n + 1) end
for i = 1, 70 do pcall(fail, i % 6) end
print("errors", pcall(fail, 20))
local ok, e = pcall(runaway, 1)
print("overflow", ok, (tostring(e):gsub("stack overflow.*", "stack overflow")))
local function trace(n) if n == 0 then return debug.traceback("t", 1) end local r = trace(n - 1) return r end
for i = 1, 100 do trace(i % 5) end
print((trace(4):gsub("\n%s*%[C%].*", "")))
print((select(2, pcall(function() local function walk(t) return walk(t.next) + 1 end return walk({ next = { next = { next = {} } } }) end))))

-- coroutines have small stacks
local function deep(n) if n == 0 then return 0 end return 1 + deep(n - 1) end
local function give(n) if n == 0 then coroutine.yield("bottom") return 0 end local r = give(n - 1) if n % 7 == 0 then coroutine.yield(n) end return r + 1 end
local out = {}
for i = 1, 60 do out[#out + 1] = coroutine.wrap(deep)(i * 5) end
for v in coroutine.wrap(function() coroutine.yield(give(30)) end) do out[#out + 1] = v end
print("coroutines", #out, out[60], table.concat(out, " ", 61))

-- what debug functions see and change in the middle
local seen = {}
local function look(n)
  local mine = n * 2
  if n == 0 then
    for level = 2, 5 do local _, v = debug.getlocal(level, 2) seen[#seen + 1] = v end
    if #seen > 200 then debug.setlocal(3, 2, 1000) end
    return 0
  end
  local r = look(n - 1)
  return r + mine
end
for i = 1, 60 do look(6) end
print("locals", look(6), seen[1], seen[4], #seen)

-- through pcall, metamethods and library functions
local function safe(n) if n == 0 then return 0 end local ok, v = pcall(safe, n - 1) return ok and v + 1 or -1 end
local mt = {}
mt.__index = function(t, k) if k <= 0 then return 0 end return t[k - 1] + 1 end
local indexed = setmetatable({}, mt)
local function sorted(n) local t = { 3, 1, 2 } table.sort(t, function(x, y) return x + 0 * (n > 0 and sorted(n - 1) or 1) < y end) return t[1] end
for i = 1, 70 do safe(i % 20) sorted(i % 3) local _ = indexed[i % 30] end
print("through", safe(50), indexed[40], sorted(3))
