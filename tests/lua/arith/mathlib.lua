-- The functions of math, with their argument errors and the sequence of the generator.
local function near(a, b) return math.abs(a - b) < 1e-12 end
print(math.pi, math.huge, -math.huge, math.maxinteger, math.mininteger)
print(near(math.sin(1), 0.8414709848078965), near(math.cos(1), 0.5403023058681398), near(math.tan(1), 1.5574077246549023))
print(near(math.asin(1), math.pi / 2), near(math.acos(0), math.pi / 2), near(math.atan(1), math.pi / 4))
print(near(math.atan(1, -1), 3 * math.pi / 4), math.atan(0, -1) == math.pi, near(math.atan(-1, -1), -3 * math.pi / 4))
print(math.sqrt(2) == 2 ^ 0.5, near(math.exp(1), 2.718281828459045), math.log(1), near(math.log(8, 2), 3), near(math.log(1000, 10), 3), near(math.log(27, 3), 3))
print(math.floor(3.7), math.floor(-3.2), math.floor(5), math.ceil(3.2), math.ceil(-3.7), math.floor(1e300), math.floor(-0.5))
print(math.modf(3.7), math.modf(-3.7), math.modf(5), math.modf(math.huge), math.modf(-math.huge))
print(math.max(3, 1, 2), math.min(3, 1, 2), math.max(1.5), math.max(-0.0, 0), math.max(1, 0 / 0) ~= nil)
print(math.abs(-5), math.abs(5.5), math.abs(-0.0), math.abs(math.mininteger))
print(math.type(1), math.type(1.0), math.type("1"), math.type(nil), pcall(math.type))
print(math.ult(-1, 0), math.ult(0, -1), math.deg(math.pi), near(math.rad(180), math.pi))
for _, call in ipairs({
  { math.floor, "x" }, { math.floor }, { math.max }, { math.sqrt, {} }, { math.random, 0, 1.5 }, { math.random, 2, 1 },
  { math.random, 1, 2, 3 }, { math.abs }, { math.fmod, 1 }, { math.ult, 1.5, 2 }, { math.sin, "a" }, { math.log, 2, "b" },
}) do
  print(select(2, pcall(table.unpack(call))))
end
print(math.floor("7"), math.sqrt("16"), pcall(math.max, "10", 9))
math.randomseed(42)
print(math.random(0), math.random(0), math.random(1, 100), math.random(10), math.random(-5, 5), math.random(math.mininteger, math.maxinteger))
print(string.format("%.15f %.15f", math.random(), math.random()))
math.randomseed(42)
print(math.random(0))
math.randomseed(1, 2)
print(math.random(0), math.random(1 << 40), math.random(3, 3), math.random(1, 1))
math.randomseed(7)
local counts = {}
for _ = 1, 6000 do
  local r = math.random(6)
  counts[r] = (counts[r] or 0) + 1
end
print(table.concat(counts, " "))
local inside = true
for _ = 1, 1000 do
  local r = math.random()
  inside = inside and r >= 0 and r < 1
end
print(inside, math.tointeger("x"), math.tointeger(3.0))
