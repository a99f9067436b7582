-- group: oop
-- Classes in the style `setmetatable(o, { __index = Class })`: each object has a metatable of its own; classes inherit in the same way.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(30000 * scale)

local Thing = {}
function Thing.new(x)
  return setmetatable({ x = x, speed = x % 7 - 3 }, { __index = Thing })
end
function Thing:move()
  self.x = self.x + self.speed
  if self.x < 0 or self.x > 500 then
    self.speed = -self.speed
    return true
  end
  return false
end
function Thing:weight()
  return 1
end

local Heavy = setmetatable({}, { __index = Thing })
function Heavy.new(x)
  local o = Thing.new(x)
  o.mass = x % 5 + 2
  return setmetatable(o, { __index = Heavy })
end
function Heavy:weight()
  return self.mass
end

local things, bounces, weight = {}, 0, 0
for i = 1, 100 do
  things[i] = i % 3 == 0 and Heavy.new(i * 5) or Thing.new(i * 5)
end
for r = 1, rounds do
  for i = 1, #things do
    local t = things[i]
    if t:move() then
      bounces = bounces + 1
    end
    weight = weight + t:weight()
  end
  -- some are replaced
  local k = r % 100 + 1
  things[k] = k % 3 == 0 and Heavy.new(r % 500) or Thing.new(r % 500)
end
print(string.format("ownmeta %d %d", bounces, weight))
