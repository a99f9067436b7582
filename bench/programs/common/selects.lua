-- group: varargs
-- Walking variable arguments with select, positive and negative, and recursion on the tail.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1000000 * scale)

local function largest(...)
  local best = (...)
  for i = 2, select("#", ...) do
    local v = select(i, ...)
    if v > best then
      best = v
    end
  end
  return best
end

local function fold(acc, first, ...)
  if first == nil then
    return acc
  end
  return fold((acc * 3 + first) % 65521, ...)
end

local function last(...)
  return (select(-1, ...))
end

local check = 0
for i = 1, rounds do
  local a, b = i % 17, i % 23
  check = (check + largest(a, b, 9, 4, a + b, 1) + fold(i % 100, a, b, 3, 4, 5, 6) + last(b, a, i % 5)) % 1000003
end
print(string.format("selects %d", check))
