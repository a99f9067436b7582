-- group: coroutines
-- A token passed round a ring of coroutines by resume and yield, and many short-lived ones.
local scale = tonumber(arg and arg[1]) or 1
local laps = math.floor(22000 * scale)
local create, resume, yield, status = coroutine.create, coroutine.resume, coroutine.yield, coroutine.status

local size = 200
local ring = {}
for i = 1, size do
  ring[i] = create(function(token)
    while token do
      token = yield((token + i) % 65521)
    end
    return "done"
  end)
end

local token = 1
for _ = 1, laps do
  for i = 1, size do
    local _, passed = resume(ring[i], token)
    token = passed
  end
end
local finished = 0
for i = 1, size do
  local _, word = resume(ring[i], nil)
  if word == "done" and status(ring[i]) == "dead" then
    finished = finished + 1
  end
end

local sum = 0
for i = 1, laps * 20 do
  local co = create(function(a, b)
    local c = yield(a + b)
    return c * 2
  end)
  local _, x = resume(co, i, 1)
  local _, y = resume(co, x % 100)
  sum = (sum + y) % 1000003
end
print(string.format("ring %d %d %d", token, finished, sum))
