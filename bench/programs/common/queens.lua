-- group: branchy
-- All ways to place n queens, by backtracking with three tables of attacked lines.
local scale = tonumber(arg and arg[1]) or 1
local n = scale >= 1 and 9 or 7

local solutions, tried, check = 0, 0, 0
local column, up, down, place = {}, {}, {}, {}

local function put(row)
  if row > n then
    solutions = solutions + 1
    local sum = 0
    for i = 1, n do
      sum = sum * 3 + place[i]
    end
    check = (check + sum) % 1000003
    return
  end
  for c = 1, n do
    tried = tried + 1
    if not column[c] and not up[row + c] and not down[row - c] then
      column[c], up[row + c], down[row - c] = true, true, true
      place[row] = c
      put(row + 1)
      column[c], up[row + c], down[row - c] = false, false, false
    end
  end
end

for _ = 1, math.max(1, math.floor(150 * scale)) do
  put(1)
end
print(string.format("queens %d %d %d", solutions, tried, check))
