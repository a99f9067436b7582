-- group: branchy
-- Game of life on a torus: neighbour counts with wrap-around, two tables of rows.
local scale = tonumber(arg and arg[1]) or 1
local generations = math.floor(380 * scale)
local w, h = 128, 96

local seed = 1
local grid = {}
for y = 1, h do
  local row = {}
  for x = 1, w do
    seed = (seed * 16807) % 2147483647
    row[x] = seed % 3 == 0
  end
  grid[y] = row
end

local function step(old)
  local new = {}
  for y = 1, h do
    local above = old[y > 1 and y - 1 or h]
    local here = old[y]
    local below = old[y < h and y + 1 or 1]
    local row = {}
    for x = 1, w do
      local l, r = x > 1 and x - 1 or w, x < w and x + 1 or 1
      local n = 0
      if above[l] then n = n + 1 end
      if above[x] then n = n + 1 end
      if above[r] then n = n + 1 end
      if here[l] then n = n + 1 end
      if here[r] then n = n + 1 end
      if below[l] then n = n + 1 end
      if below[x] then n = n + 1 end
      if below[r] then n = n + 1 end
      row[x] = n == 3 or (n == 2 and here[x])
    end
    new[y] = row
  end
  return new
end

for _ = 1, generations do
  grid = step(grid)
end
local alive, check = 0, 0
for y = 1, h do
  for x = 1, w do
    if grid[y][x] then
      alive = alive + 1
      check = (check * 5 + y * w + x) % 1000003
    end
  end
end
print(string.format("life %d %d", alive, check))
