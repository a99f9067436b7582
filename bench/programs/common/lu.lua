-- group: numeric
-- LU factorisation with partial pivoting and solution of a linear system.
local scale = tonumber(arg and arg[1]) or 1
local n = math.floor(400 * scale ^ (1 / 3) + 0.5)

local seed = 12345
local function random()
  seed = (seed * 16807) % 2147483647
  return seed / 2147483647
end

local a, rhs = {}, {}
for i = 1, n do
  local row, sum = {}, 0.0
  for j = 1, n do
    row[j] = random() - 0.5
    sum = sum + row[j] * (j % 5)
  end
  a[i], rhs[i] = row, sum
end

local function factor(m)
  local pivots = {}
  for k = 1, n do
    local p, largest = k, math.abs(m[k][k])
    for i = k + 1, n do
      local v = math.abs(m[i][k])
      if v > largest then
        p, largest = i, v
      end
    end
    pivots[k] = p
    m[k], m[p] = m[p], m[k]
    local top = m[k]
    local inverse = 1.0 / top[k]
    for i = k + 1, n do
      local row = m[i]
      local f = row[k] * inverse
      row[k] = f
      for j = k + 1, n do
        row[j] = row[j] - f * top[j]
      end
    end
  end
  return pivots
end

local function solve(m, pivots, b)
  for k = 1, n do
    local p = pivots[k]
    b[k], b[p] = b[p], b[k]
  end
  for i = 2, n do
    local row, s = m[i], b[i]
    for j = 1, i - 1 do
      s = s - row[j] * b[j]
    end
    b[i] = s
  end
  for i = n, 1, -1 do
    local row, s = m[i], b[i]
    for j = i + 1, n do
      s = s - row[j] * b[j]
    end
    b[i] = s / row[i]
  end
  return b
end

local x = solve(a, factor(a), rhs)
local worst = 0.0
for i = 1, n do
  worst = math.max(worst, math.abs(x[i] - i % 5))
end
print(string.format("lu %d %s", n, worst < 1e-6 and "solved" or string.format("wrong %g", worst)))
