-- group: recursion
-- Takeuchi's function, Ackermann's function and mutual recursion with tail calls.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(60 * scale))

local function tak(x, y, z)
  if y >= x then
    return z
  end
  return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y))
end

local function ackermann(m, n)
  if m == 0 then
    return n + 1
  elseif n == 0 then
    return ackermann(m - 1, 1)
  end
  return ackermann(m - 1, ackermann(m, n - 1))
end

local odd
local function even(n)
  if n == 0 then
    return true
  end
  return odd(n - 1)
end
function odd(n)
  if n == 0 then
    return false
  end
  return even(n - 1)
end

local check = 0
for i = 1, rounds do
  check = check + tak(18, 12, 6) + ackermann(2, 60 + i) + ackermann(3, 6)
  if even(200000 + i) then
    check = check + 1
  end
end
print(string.format("tak %d", check))
