-- table.sort whose order function changes the table that is sorted, or makes the collector look at it.
local function list(n, f)
  local t, x = {}, 7
  for i = 1, n do
    x = x * 16807 % 2147483647
    t[i] = f(x % 1000)
  end
  return t
end
local function id(x) return x end

for _, n in ipairs({ 5, 20, 31, 40 }) do
  -- the types of elements change on the way: numbers become texts, and back
  local t, calls = list(n, id), 0
  table.sort(t, function(a, b)
    calls = calls + 1
    if calls == 3 then for i = 1, n do t[i] = tostring(t[i]) end end
    if calls == 9 then for i = 1, n do t[i] = math.tointeger(t[i]) end end
    return tonumber(a) < tonumber(b)
  end)
  print(n, #t, math.type(t[n]))

  -- a metatable comes, and goes again
  local reads, writes = 0, 0
  local mt = {
    __index = function() reads = reads + 1 return 0 end,
    __newindex = function(o, k, v) writes = writes + 1 rawset(o, k, v) end,
  }
  t, calls = list(n, id), 0
  table.sort(t, function(a, b)
    calls = calls + 1
    if calls == 2 then setmetatable(t, mt) end
    if calls == 8 then setmetatable(t, nil) end
    return a < b
  end)
  local sorted = true
  for i = 2, n do sorted = sorted and t[i - 1] <= t[i] end
  print(sorted, reads, writes)

  -- new objects take the place of old ones while the collector marks
  t = list(n, function(x) return { v = x } end)
  collectgarbage("incremental", 100, 400)
  for _ = 1, 30 do
    table.sort(t, function(a, b)
      local garbage = { a, b, {}, {} }
      return garbage[1].v < garbage[2].v
    end)
    for i = 1, n do t[i] = { v = (t[i].v * 7 + i) % 1000 } end
    collectgarbage("step", 1)
  end
  table.sort(t, function(a, b) return a.v < b.v end)
  collectgarbage()
  local sum = 0
  for i = 1, n do sum = sum + t[i].v * i end
  print(sum)

  -- booleans, whose tags differ
  local flags = list(n, function(x) return x % 2 == 0 end)
  table.sort(flags, function(a, b) return not a and b end)
  local last = 0
  for i = 1, n do
    if not flags[i] then last = i end
  end
  local first = n + 1
  for i = n, 1, -1 do
    if flags[i] then first = i end
  end
  print(first == last + 1)
end

-- elements that are in no array part
local far = {}
for i = 6, 1, -1 do far[i] = i * 5 % 7 end
local plain = setmetatable({}, { __len = function() return 6 end, __index = far, __newindex = far })
table.sort(plain, function(a, b) return a > b end)
print(table.concat(far, " "), next(plain))
