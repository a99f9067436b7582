-- nostress: overflows the stack several times
-- Runaway recursion through coroutines and inside them ends in an error that can be caught.
local function recurse() return coroutine.wrap(recurse)() end
local ok, e = pcall(recurse)
print(ok, (tostring(e):match("C stack overflow")))
print(coroutine.resume(coroutine.create(function() return "still works" end)))
local function deep(n) return 1 + deep(n + 1) end
local co = coroutine.create(deep)
ok, e = coroutine.resume(co, 1)
print(ok, (tostring(e):match("stack overflow")), coroutine.status(co))
-- inside the coroutine the error can be caught, and the coroutine used further
co = coroutine.wrap(function()
  local ok, e = pcall(deep, 1)
  coroutine.yield(ok, (tostring(e):match("stack overflow")))
  return "after overflow", select(2, pcall(string.rep, "x", 3))
end)
print(co()) print(co())
for _ = 1, 3 do
  local ok, e = pcall(deep, 1)
  io.write(tostring(ok), " ", tostring(e):match("stack overflow"), "; ")
end
print()
