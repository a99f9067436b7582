-- group: numeric
-- A linear congruential generator feeding an estimate of pi and a random walk.
local scale = tonumber(arg and arg[1]) or 1
local samples = math.floor(2800000 * scale)

local state = 42
local function random(limit)
  state = (state * 3877 + 29573) % 139968
  return limit * state / 139968
end

local hits = 0
for _ = 1, samples do
  local x, y = random(1.0), random(1.0)
  if x * x + y * y <= 1.0 then
    hits = hits + 1
  end
end
local position, furthest = 0, 0
for _ = 1, samples do
  local step = random(3.0)
  if step < 1.0 then
    position = position - 1
  elseif step >= 2.0 then
    position = position + 1
  end
  if position > furthest then
    furthest = position
  elseif -position > furthest then
    furthest = -position
  end
end
print(string.format("montecarlo %d %d %d", hits, position, furthest))
