-- nostress: thousands of coroutines
-- Many coroutines alive at once, deep chains of them, and long conversations.
local cos = {}
for i = 1, 2000 do
  cos[i] = coroutine.create(function(v) while true do v = coroutine.yield(v + i) end end)
end
local sum = 0
for round = 1, 3 do
  for i = 1, 2000 do local _, r = coroutine.resume(cos[i], round) sum = sum + r end
end
print(sum)
for i = 1, 2000, 2 do coroutine.close(cos[i]) cos[i] = nil end
collectgarbage()
local alive = 0
for i = 2, 2000, 2 do if coroutine.status(cos[i]) == "suspended" then alive = alive + 1 end end
print(alive)
-- a pipeline
local function source(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
local function filter(p, src) return coroutine.wrap(function() for v in src do if p(v) then coroutine.yield(v) end end end) end
local function map(f, src) return coroutine.wrap(function() for v in src do coroutine.yield(f(v)) end end) end
local out = {}
for v in map(function(x) return x * x end, filter(function(x) return x % 3 == 0 end, source(30))) do out[#out + 1] = v end
print(table.concat(out, " "))
-- primes by a growing chain of filters
local function primes(n)
  local src, found = coroutine.wrap(function() for i = 2, math.huge do coroutine.yield(i) end end), {}
  while #found < n do
    local p = src()
    found[#found + 1] = p
    src = filter(function(x) return x % p ~= 0 end, src)
  end
  return found
end
print(table.concat(primes(20), " "))
-- resumes nested 150 deep
local function nest(n) if n == 0 then return coroutine.yield("bottom") end local co = coroutine.wrap(nest) local v = co(n - 1) while v == "bottom" do v = co(coroutine.yield(v)) end return (v or 0) + 1 end
local top = coroutine.wrap(nest)
print(top(150)) print(top(1000))
-- a long conversation
local acc = coroutine.wrap(function() local s = 0 while true do s = (s * 31 + coroutine.yield(s)) % 1000003 end end)
acc()
local last
for i = 1, 20000 do last = acc(i) end
print(last)
-- scheduler with priorities and messages
local tasks, trace = {}, {}
local function spawn(name, n) tasks[#tasks + 1] = { name = name, co = coroutine.create(function() for i = 1, n do trace[#trace + 1] = name .. i coroutine.yield() end end) } end
spawn("a", 3) spawn("b", 1) spawn("c", 2)
while #tasks > 0 do
  for i = #tasks, 1, -1 do coroutine.resume(tasks[i].co) if coroutine.status(tasks[i].co) == "dead" then table.remove(tasks, i) end end
end
print(table.concat(trace, " "))
