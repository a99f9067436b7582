-- group: tables
-- table.sort: numbers, strings, and records through a comparison function.
local scale = tonumber(arg and arg[1]) or 1
local n = math.floor(140000 * scale)

local seed = 5
local function random()
  seed = (seed * 16807) % 2147483647
  return seed
end

local numbers, strings, records = {}, {}, {}
for i = 1, n do
  numbers[i] = random()
  strings[i] = string.format("%x", random())
  records[i] = { key = random() % 1000, id = i }
end
table.sort(numbers)
table.sort(strings)
table.sort(records, function(a, b)
  if a.key == b.key then
    return a.id < b.id
  end
  return a.key < b.key
end)
local descending = {}
for i = 1, n do
  descending[i] = numbers[i]
end
table.sort(descending, function(a, b)
  return a > b
end)
local mid = math.floor(n / 2)
print(string.format("tablesort %d %s %d %d %d", numbers[mid], strings[mid], records[mid].key, records[mid].id, descending[3]))
