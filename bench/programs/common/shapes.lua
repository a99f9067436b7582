-- group: oop
-- Method calls on one site that meets ten classes in changing order.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(60000 * scale)

local classes = {}
for k = 1, 10 do
  local c = {}
  c.__index = c
  local weight = k
  -- each class lists its fields in another order
  if k % 2 == 0 then
    function c.new(size)
      return setmetatable({ size = size, weight = weight, seen = 0 }, c)
    end
  else
    function c.new(size)
      return setmetatable({ seen = 0, tag = k, weight = weight, size = size }, c)
    end
  end
  if k % 3 == 0 then
    function c:area()
      return self.size * self.weight
    end
  elseif k % 3 == 1 then
    function c:area()
      return self.size + self.weight
    end
  else
    function c:area()
      return self.size * 2 - self.weight
    end
  end
  function c:grow(by)
    self.size = (self.size + by) % 1000
    self.seen = self.seen + 1
    return self
  end
  classes[k] = c
end

local seed = 17
local shapes = {}
for i = 1, 100 do
  seed = (seed * 16807) % 2147483647
  shapes[i] = classes[seed % 10 + 1].new(i)
end
local total = 0
for round = 1, rounds do
  for i = 1, 100 do
    local s = shapes[i]
    if i % 4 == round % 4 then
      s:grow(i)
    end
    total = total + s:area()
  end
  total = total % 1000000007
end
local seen = 0
for i = 1, 100 do
  seen = seen + shapes[i].seen
end
print(string.format("shapes %d %d", total, seen))
