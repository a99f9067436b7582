-- group: numeric
-- In-place radix-2 FFT forwards and back; two float arrays, strided access.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(50 * scale))
local bits = 13
local n = 2 ^ bits
n = math.floor(n)

local function bit_reverse(re, im)
  local j = 0
  for i = 0, n - 2 do
    if i < j then
      re[i + 1], re[j + 1] = re[j + 1], re[i + 1]
      im[i + 1], im[j + 1] = im[j + 1], im[i + 1]
    end
    local half = n / 2
    while half <= j do
      j = j - half
      half = half / 2
    end
    j = math.floor(j + half)
  end
end

local function transform(re, im, sign)
  bit_reverse(re, im)
  local len = 2
  while len <= n do
    local half = math.floor(len / 2)
    local theta = sign * 2 * math.pi / len
    local stepr, stepi = math.cos(theta), math.sin(theta)
    for start = 1, n, len do
      local wr, wi = 1.0, 0.0
      for a = start, start + half - 1 do
        local b = a + half
        local br, bi = re[b], im[b]
        local tr, ti = wr * br - wi * bi, wr * bi + wi * br
        local ar, ai = re[a], im[a]
        re[b], im[b] = ar - tr, ai - ti
        re[a], im[a] = ar + tr, ai + ti
        wr, wi = wr * stepr - wi * stepi, wr * stepi + wi * stepr
      end
    end
    len = len * 2
  end
end

local re, im = {}, {}
for i = 1, n do
  re[i] = (i * 37 % 101) / 101
  im[i] = 0.0
end
local peak = 0.0
for _ = 1, rounds do
  transform(re, im, -1)
  peak = math.sqrt(re[2] * re[2] + im[2] * im[2])
  transform(re, im, 1)
  for i = 1, n do
    re[i], im[i] = re[i] / n, im[i] / n
  end
end
local err = 0.0
for i = 1, n do
  err = math.max(err, math.abs(re[i] - (i * 37 % 101) / 101))
end
print(string.format("fft %.6f %s", peak, err < 1e-9 and "exact" or "off"))
