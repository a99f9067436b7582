-- group: tables
-- Breadth-first search through mazes with a two-index queue.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(65 * scale)
local w, h = 160, 160

local seed = 7
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end

local function new_queue()
  return { head = 1, tail = 0, items = {} }
end

local function push(q, v)
  local tail = q.tail + 1
  q.tail = tail
  q.items[tail] = v
end

local function pop(q)
  local head = q.head
  if head > q.tail then
    return nil
  end
  local v = q.items[head]
  q.items[head] = nil
  q.head = head + 1
  return v
end

local function make_maze()
  local wall = {}
  for i = 0, w * h - 1 do
    local x, y = i % w, math.floor(i / w)
    wall[i] = x == 0 or y == 0 or x == w - 1 or y == h - 1 or random(100) < 28
  end
  wall[w + 1] = false
  return wall
end

local function explore(wall)
  local distance = { [w + 1] = 0 }
  local q = new_queue()
  push(q, w + 1)
  local steps = { 1, -1, w, -w }
  local reached, furthest = 0, 0
  while true do
    local cell = pop(q)
    if not cell then
      return reached, furthest
    end
    local d = distance[cell]
    reached = reached + 1
    if d > furthest then
      furthest = d
    end
    for k = 1, 4 do
      local to = cell + steps[k]
      if not wall[to] and not distance[to] then
        distance[to] = d + 1
        push(q, to)
      end
    end
  end
end

local cells, depth = 0, 0
for _ = 1, rounds do
  local reached, furthest = explore(make_maze())
  cells, depth = cells + reached, depth + furthest
end
print(string.format("queue %d %d", cells, depth))
