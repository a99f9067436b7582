-- group: numeric
-- Largest singular value of an implicit matrix by power iteration; calls a small float function in the inner loop.
local scale = tonumber(arg and arg[1]) or 1
local n = math.floor(380 * math.sqrt(scale))

local function entry(i, j)
  local d = i - j
  return 1.0 / (1.0 + d * d * 0.25 + i * 0.125)
end

local function multiply(src, dst)
  for i = 1, n do
    local sum = 0.0
    for j = 1, n do
      sum = sum + entry(i, j) * src[j]
    end
    dst[i] = sum
  end
end

local function multiply_transposed(src, dst)
  for i = 1, n do
    local sum = 0.0
    for j = 1, n do
      sum = sum + entry(j, i) * src[j]
    end
    dst[i] = sum
  end
end

local v, w, t = {}, {}, {}
for i = 1, n do
  v[i], w[i], t[i] = 1.0, 0.0, 0.0
end
local sigma = 0.0
for _ = 1, 60 do
  multiply(v, t)
  multiply_transposed(t, w)
  local norm = 0.0
  for i = 1, n do
    norm = norm + w[i] * w[i]
  end
  norm = math.sqrt(norm)
  for i = 1, n do
    v[i] = w[i] / norm
  end
  sigma = math.sqrt(norm)
end
print(string.format("spectral %.9f", sigma))
