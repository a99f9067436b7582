-- group: numeric
-- Escape counts of the Mandelbrot set on a grid; pure float locals.
local scale = tonumber(arg and arg[1]) or 1
local size = math.floor(620 * math.sqrt(scale))
local limit = 160

local inside, total = 0, 0
for py = 0, size - 1 do
  local ci = 2.4 * py / size - 1.2
  for px = 0, size - 1 do
    local cr = 3.0 * px / size - 2.1
    local zr, zi, count = 0.0, 0.0, 0
    local r2, i2 = 0.0, 0.0
    while count < limit and r2 + i2 <= 4.0 do
      zi = 2.0 * zr * zi + ci
      zr = r2 - i2 + cr
      r2 = zr * zr
      i2 = zi * zi
      count = count + 1
    end
    if count == limit then
      inside = inside + 1
    end
    total = total + count
  end
end
print(string.format("mandelbrot %d %d", inside, total))
