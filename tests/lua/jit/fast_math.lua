-- Functions of math in hot loops: each with plain arguments for long enough to be compiled, then with odd ones.

local N = 300
local huge, nan = math.huge, 0/0
local maxint, minint = math.maxinteger, math.mininteger

local function show(v)
  if v ~= v then return "nan" end
  if math.type(v) == "float" then return string.format("%.14g%s", v, v == 0 and 1/v < 0 and "(-)" or "f") end
  return tostring(v)
end

local values = {0, 1, -1, 7, -7, 1000, maxint, minint, 0.0, -0.0, 0.5, -0.5, 2.5, -2.5, 1e15 + 0.5, 1e300, -1e300,
  2.0^53, 2.0^63, -(2.0^63), huge, -huge, nan}

-- one argument: the loop body sees one value many times, and then the others
local one = {
  floor = function(x) return math.floor(x) end,
  ceil = function(x) return math.ceil(x) end,
  abs = function(x) return math.abs(x) end,
  sqrt = function(x) return math.sqrt(x) end,
  sin = function(x) return math.sin(x) end,
  cos = function(x) return math.cos(x) end,
  tan = function(x) return math.tan(x) end,
  asin = function(x) return math.asin(x) end,
  acos = function(x) return math.acos(x) end,
  atan = function(x) return math.atan(x) end,
  exp = function(x) return math.exp(x) end,
  log = function(x) return math.log(x) end,
  log2 = function(x) return math.log(x, 2) end,
  log10 = function(x) return math.log(x, 10) end,
  log3 = function(x) return math.log(x, 3) end,
  deg = function(x) return math.deg(x) end,
  rad = function(x) return math.rad(x) end,
  tointeger = function(x) return math.tointeger(x) end,
  type = function(x) return math.type(x) end,
  modf1 = function(x) return (math.modf(x)) end,
  modf2 = function(x) return (select(2, math.modf(x))) end,
  maxmix = function(x) return math.max(x, 1, 2.5) end,
  minmix = function(x) return math.min(x, 1, 2.5) end,
  maxone = function(x) return math.max(x) end,
}
local names = {}
for name in pairs(one) do names[#names + 1] = name end
table.sort(names)

for _, name in ipairs(names) do
  local f = one[name]
  local out = {}
  for _, v in ipairs(values) do
    local r
    for i = 1, N do r = f(v) end
    out[#out + 1] = show(r)
  end
  -- all values in turn, in one loop
  local mixed = 0
  for i = 1, N do
    local r = f(values[i % #values + 1])
    if r == r and r ~= huge and r ~= -huge and type(r) == "number" then mixed = mixed + r % 1000 end
  end
  print(name, table.concat(out, " "), string.format("%.8g", mixed))
end

-- two arguments
local two = {
  atan = function(x, y) return math.atan(x, y) end,
  max = function(x, y) return math.max(x, y) end,
  min = function(x, y) return math.min(x, y) end,
  fmod = function(x, y) return math.fmod(x, y) end,
  pow = function(x, y) return x ^ y end,
  log = function(x, y) return math.log(x, y) end,
}
local pairsof = {{7, 3}, {-7, 3}, {7, -3}, {-7, -3}, {7.5, 2}, {-7.5, 2}, {7.5, -2}, {0, 1}, {-0.0, 1}, {1, 2.5}, {2.5, 1},
  {1, 1.0}, {1.0, 1}, {minint, -1}, {maxint, 2.0^63}, {2.0^63, maxint}, {huge, 2}, {2, huge}, {nan, 1}, {1, nan}, {5, 0.0}, {1e308, 10}}
names = {}
for name in pairs(two) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
  local f = two[name]
  local out = {}
  for _, p in ipairs(pairsof) do
    local x, y, r = p[1], p[2], nil
    for i = 1, N do r = f(x, y) end
    out[#out + 1] = show(r)
  end
  for i = 1, N do
    local p = pairsof[i % #pairsof + 1]
    f(p[1], p[2])
  end
  print(name, table.concat(out, " "))
end

do -- unsigned comparison
  local n, m = 0, 0
  for i = -N, N do
    if math.ult(i, 5) then n = n + 1 end
    if math.ult(5, i) then m = m + 1 end
  end
  print("ult", n, m)
end

do -- integer accumulation through floor and ceil
  local s, t = 0, 0
  for i = 1, N do
    s = s + math.floor(i / 3)
    t = t + math.ceil(-i / 7)
  end
  print(s, math.type(s), t, math.type(t))
end

-- the generator gives the numbers that its seed says
math.randomseed(42)
do
  local s, a, b, c = 0.0, 0, 0, 0
  for i = 1, N do
    local r = math.random()
    assert(r >= 0 and r < 1)
    s = s + r
    local k = math.random(6)
    assert(k >= 1 and k <= 6)
    a = a + k
    b = b + math.random(-3, 3)
    c = c ~ math.random(0)
    c = c ~ math.random(minint, maxint)
  end
  print(string.format("%.12g", s), a, b, c)
end

-- errors in compiled code
local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or (tostring(e):gsub("^[^:]*:%d+: ", ""))
end
local function loop(f, good, bad, ...)
  for i = 1, N do
    f(i == N and bad or good, ...)
  end
end
print(try(loop, math.floor, 1.5, "x"))
print(try(loop, math.floor, 1.5, {}))
print(try(loop, math.sqrt, 4, {}))
print(try(loop, math.abs, -4, "a"))
print(try(loop, math.max, 4, {}, 3))
print(try(loop, math.fmod, 4, "z", 3))
print(try(loop, function(y) return math.fmod(7, y) end, 4, 0))
print(try(loop, function(n) return math.random(n) end, 4, -1))
print(try(loop, function(n) return math.random(n) end, 4, 1.5))
print(try(loop, function(n) return math.random(1, n) end, 4, 0))
print(try(loop, function(n) return math.tointeger(n) end, 4, "8"))
print(try(loop, function(n) return math.ult(1, n) end, 4, 4.5))
print(try(loop, function(n) return math.type(n) end, 4, print))
-- numbers in strings are converted by the function itself
do
  local s = 0
  for i = 1, N do s = s + math.floor(i % 10 == 0 and "3.7" or 2.5) + math.sqrt(i % 50 == 0 and "16" or 4) end
  print(s)
end
-- a function that is replaced
do
  local f, s = math.abs, 0
  for i = 1, N do
    s = s + f(-i)
    if i == 200 then f = math.floor end
  end
  print(s)
end
