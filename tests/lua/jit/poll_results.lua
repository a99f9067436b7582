-- Values that wait for the instruction that takes them all are alive: no collection comes between, in traces that begin behind calls.
local function fib(n)
  if n < 2 then return n end
  return fib(n - 1) + fib(n - 2)
end
local function P(...)
  local s = {}
  for i = 1, select("#", ...) do s[i] = tostring((select(i, ...))) end
  return table.concat(s, " ")
end
local dead = coroutine.create(function() end)
coroutine.resume(dead)
local function text(n) return fib(n % 5) .. "!" .. n, "second" .. n end
for i = 1, 60 do
  local a = P(coroutine.resume(dead, fib(i % 6)))
  local b = P(pcall(assert, i % 2 == 0, text(i)))
  local c = P(i, load("return ..., ... .. 'x'", nil, "t", {})(fib(i % 4)))
  if i % 20 == 0 then print(a, b, c) end
end
