-- group: tables
-- A binary heap as priority queue: shortest paths through a random graph.
local scale = tonumber(arg and arg[1]) or 1
local nodes, degree = 6000, 5
local rounds = math.floor(20 * scale)

local seed = 31337
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit + 1
end

local function heap_push(heap, key, value)
  local n = heap.n + 1
  heap.n = n
  local keys, values = heap.keys, heap.values
  while n > 1 do
    local parent = math.floor(n / 2)
    if keys[parent] <= key then
      break
    end
    keys[n], values[n] = keys[parent], values[parent]
    n = parent
  end
  keys[n], values[n] = key, value
end

local function heap_pop(heap)
  local keys, values, n = heap.keys, heap.values, heap.n
  if n == 0 then
    return nil
  end
  local key, value = keys[1], values[1]
  local lastk, lastv = keys[n], values[n]
  keys[n], values[n] = nil, nil
  n = n - 1
  heap.n = n
  local i = 1
  while true do
    local child = 2 * i
    if child > n then
      break
    end
    if child < n and keys[child + 1] < keys[child] then
      child = child + 1
    end
    if lastk <= keys[child] then
      break
    end
    keys[i], values[i] = keys[child], values[child]
    i = child
  end
  if n > 0 then
    keys[i], values[i] = lastk, lastv
  end
  return key, value
end

local edges = {}
for i = 1, nodes do
  local list = { { to = i % nodes + 1, cost = 50 + random(50) } }
  for k = 2, degree do
    list[k] = { to = random(nodes), cost = random(100) }
  end
  edges[i] = list
end

local function distances(start)
  local best, heap = {}, { n = 0, keys = {}, values = {} }
  heap_push(heap, 0, start)
  local sum = 0
  while true do
    local d, node = heap_pop(heap)
    if not d then
      return sum
    end
    if not best[node] then
      best[node] = d
      sum = sum + d
      for _, edge in ipairs(edges[node]) do
        if not best[edge.to] then
          heap_push(heap, d + edge.cost, edge.to)
        end
      end
    end
  end
end

local check = 0
for i = 1, rounds do
  check = (check * 7 + distances(i * 101)) % 1000000007
end
print(string.format("heap %d", check))
