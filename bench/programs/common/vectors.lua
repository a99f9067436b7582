-- group: oop
-- Small vectors with arithmetic, comparison, call and index metamethods; many short-lived objects.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(300000 * scale)

local Vec = {}
Vec.__index = Vec
local function vec(x, y, z)
  return setmetatable({ x = x, y = y, z = z }, Vec)
end
Vec.__add = function(a, b)
  return vec(a.x + b.x, a.y + b.y, a.z + b.z)
end
Vec.__sub = function(a, b)
  return vec(a.x - b.x, a.y - b.y, a.z - b.z)
end
Vec.__mul = function(a, b)
  if type(a) == "number" then
    return vec(a * b.x, a * b.y, a * b.z)
  elseif type(b) == "number" then
    return vec(a.x * b, a.y * b, a.z * b)
  end
  return a.x * b.x + a.y * b.y + a.z * b.z
end
Vec.__unm = function(a)
  return vec(-a.x, -a.y, -a.z)
end
Vec.__eq = function(a, b)
  return a.x == b.x and a.y == b.y and a.z == b.z
end
Vec.__lt = function(a, b)
  return a * a < b * b
end
Vec.__concat = function(a, b)
  return tostring(a) .. tostring(b)
end
Vec.__call = function(a, f)
  return vec(f(a.x), f(a.y), f(a.z))
end
function Vec:cross(o)
  return vec(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
end

local p, v = vec(1.0, 0.5, -0.25), vec(0.01, -0.02, 0.03)
local push = vec(0.05, 0.02, -0.04)
local centre, longer, same = vec(0.0, 0.0, 0.0), 0, 0
local function halve(c)
  return c * 0.5
end
for i = 1, rounds do
  local pull = centre - p
  v = v + pull * 0.001
  p = p + v * 0.01
  if p < v then
    longer = longer + 1
  end
  if i % 16 == 0 then
    v = v(halve) + push:cross(v) + push
  end
  if -(-p) == p then
    same = same + 1
  end
end
print(string.format("vectors %.9f %.9f %d %d", p * p, v * v, longer, same))
