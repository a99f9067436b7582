-- group: tables
-- The same fields read and written in records of 60 shapes: other orders of fields, other numbers of them, some through metatables.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(50000 * scale)

local names = { "a", "b", "c", "d", "e", "f", "g" }
local base = { key = 5 }
base.__index = base
local records = {}
local seed = 23
for i = 1, 60 do
  local t = {}
  for _ = 1, i % 8 do
    seed = (seed * 16807) % 2147483647
    t[names[seed % 7 + 1]] = i
  end
  if i % 6 == 0 then
    setmetatable(t, base)
  else
    t.key = i
  end
  for _ = 1, i % 5 do
    seed = (seed * 16807) % 2147483647
    t["x" .. seed % 40] = true
  end
  t.value = i * 2
  records[i] = t
end

local sum = 0
for r = 1, rounds do
  for i = 1, 60 do
    local t = records[i]
    sum = sum + t.key + t.value
    t.value = (t.value + r) % 512
    if t.c then
      sum = sum + t.c
    end
  end
  sum = sum % 1000003
end
print(string.format("megashape %d", sum))
