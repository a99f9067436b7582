-- Integer arithmetic: wrap-around, floor division and remainder by sign, division by zero.
local max, min = math.maxinteger, math.mininteger
print(max, min, max + 1 == min, min - 1 == max)
print(max * 2, min * 2, max * max, min * min, min * -1, -min)
print(math.abs(min), min // -1, min % -1, max // -1)
for _, a in ipairs({ 7, -7 }) do
  for _, b in ipairs({ 2, -2, 3, -3, 7, -8 }) do
    print(a, b, a // b, a % b, a - (a // b) * b == a % b)
  end
end
print(0 // 5, 0 % 5, 0 // -5, 0 % -5)
print(max // 2, min // 2, max % 10, min % 10, min % 3, max % -10)
print(pcall(function() return 1 // 0 end))
print(pcall(function() return 1 % 0 end))
local zero = 0
print(pcall(function(a) return a // zero end, 5))
print(pcall(function(a) return a % zero end, 5))
print(1 / 0, -1 / 0, 0 / 0 ~= 0 / 0, 3 / 2, 4 / 2, max / 1, 7 // 2.0, 7 % 2.5)
print(1e15 + 0, 2^53, 2^63, -2^63, 10 // 3, 10.0 // 3, -10 // 3.0)
-- wrap-around in loops and with variables
local s, x = 0, 1
for i = 1, 200 do
  x = x * 6364136223846793005 + 1442695040888963407
  s = s + (x // 65536) % 1000 - i
end
print(s, x)
local factorial = 1
for i = 1, 30 do factorial = factorial * i end
print(factorial)
print(5 // 1, -5 // 1, 5 % 1, -5 % 1, 5 // -1, min // 1, min % 1)
print(1 << 62, 1 << 63, (1 << 63) - 1, 3 * (1 << 62))
