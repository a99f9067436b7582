-- group: types
-- A long run whose load changes: the same functions meet whole numbers, then fractions, then records, then objects, and all of it again in another order.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(64 * scale))

local point = {}
point.__index = point
point.__add = function(a, b)
  return setmetatable({ x = (a.x + b.x) % 4096, y = (a.y + b.y) % 4096 }, point)
end
point.__lt = function(a, b)
  return a.x < b.x
end
function point:size()
  return self.x + self.y
end
local function new(x, y)
  return setmetatable({ x = x, y = y }, point)
end

local function sum(list, zero)
  local s = zero
  for i = 1, #list do
    s = s + list[i]
  end
  return s
end

local function least(list)
  local m = list[1]
  for i = 2, #list do
    if list[i] < m then
      m = list[i]
    end
  end
  return m
end

local function sizes(list, size)
  local s = 0
  for i = 1, #list do
    s = s + size(list[i])
  end
  return s
end

local makers = {
  function(i) return i % 97 end,
  function(i) return i % 97 + 0.25 end,
  function(i) return new(i % 97, i % 5) end,
  function(i) return i % 97 * 1000 end,
  function(i) return new(i % 31 + 0.5, 1) end,
}
local measure = {
  function(v) return v end,
  function(v) return v * 4 end,
  function(v) return v:size() end,
  function(v) return v % 1009 end,
  function(v) return v:size() * 2 end,
}

local check = 0
for r = 1, rounds do
  for k = 1, 5 do
    local which = (k * r + r) % 5 + 1
    local list = {}
    for i = 1, 300 + which * 20 do
      list[i] = makers[which](i * r)
    end
    local zero = type(list[1]) == "table" and new(0, 0) or 0
    for _ = 1, 12 do
      local s, l = sum(list, zero), least(list)
      check = (check + measure[which](s) * 2 + measure[which](l) * 4 + sizes(list, measure[which])) % 1000003
    end
  end
end
print(string.format("phases %.2f", check))
