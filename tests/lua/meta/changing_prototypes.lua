-- Values that prototypes hold and change: found by fields, computed keys and through chains, while everything around them changes.
local function object(proto, record)
  local o = setmetatable({ own = 1 }, proto)
  if not record then
    o[{}] = true -- a dictionary
  end
  return o
end

for _, record in ipairs({ true, false }) do
  local base = { v = 0, w = "w", gone = 1 }
  base.__index = base
  local mid = setmetatable({ m = 1 }, base)
  mid.__index = mid
  local objects = {}
  for i = 1, 12 do
    objects[i] = object(i % 2 == 0 and base or mid, record)
  end
  local key = record and "v" or "w"
  local sum, nils = 0, 0
  local function round(n)
    for r = 1, n do
      for i = 1, #objects do
        local o = objects[i]
        local v = o.v
        if v == nil then nils = nils + 1 else sum = sum + v end
        local w = o[key]
        if w == nil then nils = nils + 1 elseif w ~= "w" then sum = sum + w * 2 end
        sum = sum + (o.m or 5) + (o.absent or 0)
      end
      base.v = base.v and base.v + 1
    end
    return sum, nils
  end
  print("changing", record, round(50))
  -- absent, there again, in the one nearer
  base.v = nil
  print("nil", round(3))
  base.v = 7
  print("back", round(20))
  mid.v = 100
  print("nearer", round(20))
  mid.v = nil
  print("farther", round(20))
  mid.m = mid.m + 1
  print("other", round(20))
  rawset(base, "v", 1000)
  print("rawset", round(20))
  -- the holder becomes a dictionary, by an integer and by a computed key
  base[1 << 40] = true
  print("integer", round(20))
  base.v = 3
  print("integer", round(20))
  mid["k" .. #objects] = 1
  print("computed", round(20))
  base.w = 9
  print("type", round(20))
  -- more fields, so that the holder's values move
  for i = 1, 40 do
    mid["f" .. i] = i
  end
  mid.m = 50
  print("grown", round(20))
  -- other prototypes
  local other = { v = 1, m = 2 }
  other.__index = other
  setmetatable(mid, other)
  print("switched", round(20))
  other.v = 2
  print("switched", round(20))
  for i = 1, #objects, 3 do
    setmetatable(objects[i], other)
  end
  print("mixed", round(20))
  collectgarbage()
  print("collected", round(20))
  setmetatable(mid, nil)
  setmetatable(other, { __index = function(_, k) return k == "absent" and 1 or nil end })
  print("function", round(20))
end

-- fields that are recreated for each of many prototypes, which die
local total = 0
for n = 1, 300 do
  local p = { x = n }
  p.__index = p
  local o = setmetatable({}, p)
  for _ = 1, 4 do
    total = total + o.x
    p.x = p.x + 1
  end
  if n % 50 == 0 then
    collectgarbage()
  end
end
print(total)

-- a holder that is asked itself
local class = { n = 0 }
class.__index = class
local one = setmetatable({}, class)
local s = 0
for i = 1, 200 do
  class.n = class.n + i
  s = s + class.n + one.n
  if i == 100 then
    one.n = 1
  end
end
print(s)
