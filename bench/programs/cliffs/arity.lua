-- group: varargs
-- One variadic function called with none to nine arguments and nils among them; results of changing number passed on.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(600000 * scale)
local unpack = table.unpack or unpack
local select = select

local function weigh(...)
  local n, sum = select("#", ...), 0
  for i = 1, n do
    local v = select(i, ...)
    if v then
      sum = sum + v * i
    end
  end
  return sum + n
end

local lists = {}
for n = 0, 9 do
  local list = { n = n }
  for i = 1, n do
    if (i + n) % 4 ~= 0 then
      list[i] = i * n
    end
  end
  lists[n + 1] = list
end

local function some(n, a, ...)
  if n == 0 then
    return ...
  elseif n == 1 then
    return a, ...
  elseif n == 2 then
    return a
  end
end

local check = 0
for i = 1, rounds do
  local list = lists[i * 7 % 10 + 1]
  check = (check + weigh(unpack(list, 1, list.n)) + weigh(i % 5, some(i % 4, i, 2, nil, i % 3))) % 1000003
end
print(string.format("arity %d", check))
