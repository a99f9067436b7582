-- group: numeric
-- Gravity between eight bodies on a ring, leapfrog steps; field reads and writes on floats.
local scale = tonumber(arg and arg[1]) or 1
local steps = math.floor(125000 * scale)

local bodies = {}
for i = 1, 8 do
  local angle = (i - 1) * math.pi / 4
  bodies[i] = {
    x = math.cos(angle) * (1 + i / 10),
    y = math.sin(angle) * (1 + i / 10),
    z = (i % 3 - 1) / 20,
    vx = -math.sin(angle) * 0.8,
    vy = math.cos(angle) * 0.8,
    vz = 0.0,
    mass = 0.05 + i / 200,
  }
end

local function kick(list, dt)
  local n = #list
  for i = 1, n do
    local a = list[i]
    local ax, ay, az, am = a.x, a.y, a.z, a.mass
    for j = i + 1, n do
      local b = list[j]
      local dx, dy, dz = b.x - ax, b.y - ay, b.z - az
      local d2 = dx * dx + dy * dy + dz * dz + 0.01
      local f = dt / (d2 * math.sqrt(d2))
      local fb, fa = f * b.mass, f * am
      a.vx = a.vx + dx * fb
      a.vy = a.vy + dy * fb
      a.vz = a.vz + dz * fb
      b.vx = b.vx - dx * fa
      b.vy = b.vy - dy * fa
      b.vz = b.vz - dz * fa
    end
  end
end

local function drift(list, dt)
  for i = 1, #list do
    local a = list[i]
    a.x = a.x + dt * a.vx
    a.y = a.y + dt * a.vy
    a.z = a.z + dt * a.vz
  end
end

local function energy(list)
  local e = 0.0
  for i = 1, #list do
    local a = list[i]
    e = e + 0.5 * a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz)
    for j = i + 1, #list do
      local b = list[j]
      local dx, dy, dz = b.x - a.x, b.y - a.y, b.z - a.z
      e = e - a.mass * b.mass / math.sqrt(dx * dx + dy * dy + dz * dz + 0.01)
    end
  end
  return e
end

local before = energy(bodies)
for _ = 1, steps do
  kick(bodies, 0.0005)
  drift(bodies, 0.0005)
end
print(string.format("nbody %.9f %.9f", before, energy(bodies)))
