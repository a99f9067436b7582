-- Variable arguments in compiled loops: select, tail calls of vararg functions, short inner loops.

local N = 300

local function largest(...)
  local best = (...)
  for i = 2, select("#", ...) do
    local v = select(i, ...)
    if v > best then best = v end
  end
  return best
end
local function fold(acc, first, ...)
  if first == nil then return acc end
  return fold((acc * 3 + first) % 65521, ...)
end
local function last(...) return (select(-1, ...)) end

-- alone, so that their loops are compiled first
local many = {}
for i = 1, 250 do many[i] = i * 7 % 251 end
print(largest(table.unpack(many)), largest(3), last(1, 2, 3))

local check = 0
for i = 1, N do
  local a, b = i % 17, i % 23
  check = (check + largest(a, b, 9, 4, a + b, 1) + fold(i % 100, a, b, 3, 4, 5, 6) + last(b, a, i % 5)) % 1000003
end
print(check)

-- numbers of arguments that change; floats among them; nil in the middle
local sum = 0
for i = 1, N do
  if i % 3 == 0 then
    sum = sum + largest(i, 2.5)
  elseif i % 3 == 1 then
    sum = sum + largest(1, i, 3)
  else
    sum = sum + largest(i)
  end
  sum = sum + fold(i, 1, 2, nil, 4)
end
print(sum)

-- tail calls between functions with and without extra arguments, more and fewer than parameters
local plain, var
function plain(n, a, b, c)
  if n == 0 then return a, b, c end
  return var(n - 1, a, b, c, n)
end
function var(n, a, ...)
  if n == 0 then return a, ... end
  return plain(n - 1, ..., a)
end
local acc = {}
for i = 1, N do
  local a, b, c, d, e = plain(i % 6, i, "x", 2.5)
  acc[i % 6 + 1] = table.concat({ tostring(a), tostring(b), tostring(c), tostring(d), tostring(e) }, ",")
end
print(table.concat(acc, " "))

-- errors and tracebacks inside such frames
local function deep(n, ...)
  if n == 0 then
    local t = debug.traceback("here")
    return select("#", ...), (t:gsub("\n.*", "")), select(2, t:gsub("%(%.%.%.tail calls%.%.%.%)", ""))
  end
  return deep(n - 1, n, ...)
end
local n, head, tails
for i = 1, N do n, head, tails = deep(5) end
print(n, head, tails)
local function fail(n, ...)
  if n == 0 then return ... + 1 end
  return fail(n - 1, ...)
end
local ok, e
for i = 1, N do
  ok, e = pcall(function() return (fail(3, i > 250 and {} or i)) end)
end
print(ok, e)

-- exits from inside the frames: the extra arguments are where they belong
local function pick(i, ...)
  local x = select("#", ...)
  if i % 50 == 0 then return x, ... end
  return x, (...)
end
local function go(i, ...) return pick(i, i, ...) end
local total = 0
for i = 1, N do
  local x, a, b, c = go(i, "p", 4, nil)
  total = total + x + a + (c or 0) + (b and #b or 0)
end
print(total)

-- a loop with a known number of iterations inside another, compiled before it; one whose number changes
local grid = 0
local function row(k, n)
  local r = 0
  for i = 1, n do r = r + i * k end
  return r
end
for i = 1, 200 do grid = grid + row(1, 200) end
for i = 1, N do grid = grid + row(i, 4) end
for i = 1, N do grid = grid + row(i, i % 9) end
for i = 1, N do
  for j = 8, 2, -2 do grid = grid - j end
  for j = 1, 3 do
    for k = 1, 2 do grid = grid + j * k end
  end
end
print(grid)
