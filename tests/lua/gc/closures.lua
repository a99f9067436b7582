-- Closures that compiled code has called are not kept by it for long: one for each request, hot within it.
-- (Some are, while their number is not known yet: of 200 requests, or 1000 closures, a few dozen at most, however recordings end.)
local alive = setmetatable({}, { __mode = "k" })
local function count()
  collectgarbage() collectgarbage()
  local n = 0
  for _ in pairs(alive) do n = n + 1 end
  return n
end
local function made(f) alive[f] = true return f end
local function sum(n, f) local s = 0 for i = 1, n do s = s + f(i) end return s end
local function request(r)
  local data = {}
  for i = 1, 50 do data[i] = i * r end
  return made(function(i) return data[i % 50 + 1] end)
end
local t = 0
for r = 1, 200 do t = t + sum(300, request(r)) end
print(t, count() <= 40)
-- the same with trees of them
local function number(n) return made(function() return n end) end
local function plus(a, b) return made(function() return a() + b() end) end
t = 0
for r = 1, 200 do
  local f = plus(plus(number(r), number(1)), number(2))
  for i = 1, 200 do t = t + f() end
end
print(t, count() <= 40)
-- and through tail calls
local function twice(f) return made(function(x) return f(f(x)) end) end
t = 0
for r = 1, 200 do
  local f = twice(made(function(x) return x + r end))
  for i = 1, 200 do t = t + f(i) end
end
print(t, count() <= 40)
