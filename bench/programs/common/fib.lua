-- group: recursion
-- Doubly recursive Fibonacci numbers through a local and through a global function.
local scale = tonumber(arg and arg[1]) or 1
local n = scale >= 1 and 34 or 24

local function fib(k)
  if k < 2 then
    return k
  end
  return fib(k - 1) + fib(k - 2)
end

function global_fib(k)
  if k < 2 then
    return k
  end
  return global_fib(k - 1) + global_fib(k - 2)
end

print(string.format("fib %d %d", fib(n), global_fib(n - 1)))
