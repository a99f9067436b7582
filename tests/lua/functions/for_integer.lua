-- The integer for loop at the limits of integers: no overflow, the right number of rounds.
local max, min = math.maxinteger, math.mininteger
local function count(a, b, c)
  local n, last = 0, nil
  for i = a, b, c or 1 do
    n = n + 1
    last = i
    if n > 20 then break end
  end
  print(n, last, math.type(last))
end
count(max - 2, max) count(max, max) count(max, max, max) count(max - 5, max, 3) count(max - 5, max, 10)
count(min, min) count(min, min + 2) count(min + 2, min, -1) count(min, min, -1) count(min + 5, min, -3) count(min, min, min)
count(max, min) count(min, max, max) count(max, min, min) count(0, max, max) count(0, min, min) count(-1, min, min) count(1, max, max)
count(1, max) count(min, max) count(-3, 3, 2) count(3, -3, -2) count(1, 10, max) count(10, 1, min)
-- the limit may be a float; it is clipped
count(1, 3.5) count(1, 3.0) count(3, 1.5, -1) count(1, math.huge) count(1, -math.huge) count(-1, -math.huge, -1) count(1, 0 / 0) count(max - 1, 2^63) count(min + 1, -2^63, -1)
count(1, 2^70) count(1, -2^70) count(5, 0.5, -2) count(-5, -0.5, 2)
-- a float start or step makes the whole loop one of floats
count(1.0, 3) count(1, 3, 1.0) count(1, 2, 0.25) count(3, 1, -0.5) count(1.0, 3.0, 1) count(0.1, 1, 0.3) count(1.5, 1.5) count(2^53, 2^53 + 4.0, 1) count(1, 0.5, 1.0)
print(pcall(function() for i = 1, 10, 0 do end end))
print(pcall(function() for i = max, max + 1 do print("rounds", i) end end))
print(pcall(function() for i = 1, "x" do end end))
print(pcall(function() for i = {}, 1 do end end))
print(pcall(function() for i = 1, 2, "1" do end end))
local sum = 0
for i = -100, 100 do sum = sum + i * i end
print(sum)
for i = 1, 3 do local j = i i = i * 2 io.write(j, ":", i, " ") end print()
-- a step from a variable, negative and large
for _, step in ipairs({ 1, 2, 7, -1, -2, -7, 100, -100 }) do
  local n = 0
  for _ = 1, 20, step do n = n + 1 end
  for _ = 20, 1, step do n = n + 1 end
  io.write(step, "=", n, " ")
end
print()
