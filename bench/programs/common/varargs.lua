-- group: varargs
-- Variable arguments passed on, packed into tables and unpacked again.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(600000 * scale)
local unpack = table.unpack or unpack

local function sum(...)
  local total = 0
  for _, v in ipairs({ ... }) do
    total = total + v
  end
  return total
end

local function forward(f, ...)
  return f(...)
end

local function rotate(first, ...)
  return ..., first
end

local function pack(...)
  return { n = select("#", ...), ... }
end

local function count(...)
  return select("#", ...)
end

local check = 0
for i = 1, rounds do
  local t = pack(i, i + 1, i % 7, 4)
  local a, b = rotate(unpack(t, 1, t.n))
  check = (check + forward(sum, a, b, unpack(t)) + forward(count, nil, unpack(t, 2, 3)) + forward(math.max, i % 13, 5, 2)) % 1000003
end
print(string.format("varargs %d", check))
