-- group: tables
-- table.insert and table.remove: as a stack, at the front and in the middle of short lists.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(9000 * scale)
local insert, remove = table.insert, table.remove

local check = 0
local stack = {}
for round = 1, rounds do
  for i = 1, 300 do
    insert(stack, i + round)
  end
  for _ = 1, 300 do
    check = (check + remove(stack)) % 1000003
  end
end

local line = {}
for i = 1, 64 do
  line[i] = i
end
for round = 1, rounds * 40 do
  insert(line, 1, remove(line))
  insert(line, 32, remove(line, 16))
  check = (check + line[round % 64 + 1]) % 1000003
end
print(string.format("insertremove %d %d %d", check, #line, #stack))
