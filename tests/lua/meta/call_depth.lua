-- Calls through __call keep their arguments at every depth: the stack grows in the middle of some.
local t = setmetatable({}, {})
getmetatable(t).__call = function(self, n, a, ...)
  assert(self == t and a == n * 2)
  if n == 0 then return select("#", ...) end
  local r = self(n - 1, n * 2 - 2, ...)
  return r + 1
end
print(t(400, 800), t(500, 1000, nil), t(300, 600, 1, 2, 3))
print(coroutine.wrap(function() return (t(350, 700, "x")) end)())

-- a float is no key of the array part, even if its value is an integer
print(pcall(next, { 10, 20 }, 1.0))
print(pcall(next, { 10, 20, [2 ^ 53] = 1 }, 2 ^ 53))
print(next({ 10, 20 }, 1))

-- a source that is nested too deeply is an error of `load` for message handlers
print(xpcall(load, function(m) return "handled: " .. m end, ("("):rep(300)))
