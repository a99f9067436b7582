-- group: numeric
-- Heat spreading over a plate: a five-point stencil on one flat array, swapped each step.
local scale = tonumber(arg and arg[1]) or 1
local w, h = 120, 120
local steps = math.floor(1000 * scale)

local now, following = {}, {}
for i = 1, w * h do
  now[i], following[i] = 0.0, 0.0
end
for x = 1, w do
  now[x], following[x] = 100.0, 100.0
end
for _ = 1, steps do
  for y = 1, h - 2 do
    local base = y * w
    for i = base + 2, base + w - 1 do
      local c = now[i]
      following[i] = c + 0.2 * (now[i - 1] + now[i + 1] + now[i - w] + now[i + w] - 4.0 * c)
    end
  end
  now, following = following, now
end
local sum = 0.0
for i = 1, w * h do
  sum = sum + now[i]
end
print(string.format("heat %.6f %.9f", sum, now[2 * w + 60]))
