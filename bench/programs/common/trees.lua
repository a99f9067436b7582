-- group: gc
-- Complete binary trees built and dropped beside one long-lived tree.
local scale = tonumber(arg and arg[1]) or 1
local depth = scale >= 1 and 15 or 10
local rounds = math.max(1, math.floor(14 * scale))

local function build(d)
  if d == 0 then
    return {}
  end
  return { build(d - 1), build(d - 1) }
end

local function count(node)
  local left = node[1]
  if not left then
    return 1
  end
  return 1 + count(left) + count(node[2])
end

local kept = build(depth)
local total = 0
for round = 1, rounds do
  local d = 4
  while d <= depth do
    local n = math.floor(2 ^ (depth - d))
    for _ = 1, n do
      total = total + count(build(d))
    end
    d = d + 4
  end
  total = total + round
end
print(string.format("trees %d %d", count(kept), total))
