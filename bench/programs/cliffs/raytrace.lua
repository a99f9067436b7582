-- group: oop
-- A ray tracer: vectors with operators, a search in a loop within a function that calls itself.
local scale = tonumber(arg and arg[1]) or 1
local height = math.floor(300 * math.sqrt(scale))
local width = math.floor(height * 4 / 3)

local V = {}
V.__index = V
local function vector(x, y, z)
  return setmetatable({ x = x, y = y, z = z }, V)
end
V.__add = function(a, b)
  return vector(a.x + b.x, a.y + b.y, a.z + b.z)
end
V.__sub = function(a, b)
  return vector(a.x - b.x, a.y - b.y, a.z - b.z)
end
V.__mul = function(a, k)
  return vector(a.x * k, a.y * k, a.z * k)
end
function V:dot(b)
  return self.x * b.x + self.y * b.y + self.z * b.z
end
function V:unit()
  return self * (1 / math.sqrt(self:dot(self)))
end

local spheres = {}
for i = 1, 8 do
  spheres[i] = { centre = vector(i - 4.5, i * 7 % 5 - 2, 6 + i % 3), radius = 0.6 + i % 2 * 0.3, shade = i / 8 }
end
local light = vector(1, 1, -1):unit()

local function trace(from, along, depth)
  local nearest, hit
  for _, s in ipairs(spheres) do
    local way = from - s.centre
    local b = way:dot(along)
    local d = b * b - way:dot(way) + s.radius * s.radius
    if d > 0 then
      local t = -b - math.sqrt(d)
      if t > 1e-4 and (not nearest or t < nearest) then
        nearest, hit = t, s
      end
    end
  end
  if not hit then
    return 0.1
  end
  local point = from + along * nearest
  local normal = (point - hit.centre):unit()
  local shade = hit.shade * (0.2 + 0.8 * math.max(0, normal:dot(light)))
  if depth < 2 then
    shade = shade * 0.8 + 0.2 * trace(point, along - normal * (2 * normal:dot(along)), depth + 1)
  end
  return shade
end

local eye, sum = vector(0, 0, 0), 0
for y = 1, height do
  for x = 1, width do
    local along = vector(2 * x / width - 1, 1.5 * y / height - 0.75, 1):unit()
    sum = sum + trace(eye, along, 0)
  end
end
print(string.format("raytrace %.6f", sum))
