-- group: coroutines
-- A round-robin scheduler: tasks of four kinds yield from within loops and nested calls, end, and are replaced.
local scale = tonumber(arg and arg[1]) or 1
local steps = math.floor(900000 * scale)
local create, resume, yield, status = coroutine.create, coroutine.resume, coroutine.yield, coroutine.status

local function descend(depth, v)
  if depth == 0 then
    return yield(v)
  end
  return descend(depth - 1, v + depth) + 1
end

local kinds = {
  function(n)
    for i = 1, n do
      yield(i)
    end
  end,
  function(n)
    local sum = 0
    for i = 1, n, 2 do
      sum = sum + descend(i % 6, i)
    end
    return sum
  end,
  function(n)
    local list = {}
    while #list < n do
      list[#list + 1] = yield(#list)
    end
    local sum = 0
    for _, v in ipairs(list) do
      sum = sum + v
    end
    return sum
  end,
  function(n)
    return yield(n) * 2
  end,
}

local ring, made = {}, 0
local function spawn(at)
  made = made + 1
  ring[at] = create(kinds[made % 4 + 1])
  local _, v = resume(ring[at], made % 37 + 1)
  return v
end

local check = 0
for i = 1, 50 do
  check = check + (spawn(i) or 0)
end
for i = 1, steps do
  local at = i % 50 + 1
  local _, v = resume(ring[at], i % 10)
  check = (check + (v or 0)) % 1000003
  if status(ring[at]) == "dead" then
    check = (check + (spawn(at) or 0)) % 1000003
  end
end
print(string.format("tasks %d %d", made, check))
