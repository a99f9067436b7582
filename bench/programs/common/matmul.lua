-- group: numeric
-- Product of dense float matrices held as tables of rows.
local scale = tonumber(arg and arg[1]) or 1
local n = math.floor(340 * scale ^ (1 / 3) + 0.5)

local function build(f)
  local m = {}
  for i = 1, n do
    local row = {}
    for j = 1, n do
      row[j] = f(i, j)
    end
    m[i] = row
  end
  return m
end

local function transpose(m)
  return build(function(i, j)
    return m[j][i]
  end)
end

local function product(a, b)
  local bt, c = transpose(b), {}
  for i = 1, n do
    local ai, ci = a[i], {}
    for j = 1, n do
      local bj, sum = bt[j], 0.0
      for k = 1, n do
        sum = sum + ai[k] * bj[k]
      end
      ci[j] = sum
    end
    c[i] = ci
  end
  return c
end

local a = build(function(i, j)
  return (i * 7 + j * 3) % 11 / 8
end)
local b = build(function(i, j)
  return (i * 5 - j * 2) % 13 / 16
end)
local c = product(a, b)
local trace, corner = 0.0, c[1][n]
for i = 1, n do
  trace = trace + c[i][i]
end
print(string.format("matmul %d %.7f %.7f", n, trace, corner))
