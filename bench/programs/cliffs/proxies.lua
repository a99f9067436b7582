-- group: tables
-- Tables behind proxies: reads and writes are counted by metamethods, keys are integers and computed texts.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(500000 * scale)

local function tracked(t)
  local reads, writes = 0, 0
  local proxy = setmetatable({}, {
    __index = function(_, k)
      reads = reads + 1
      return t[k]
    end,
    __newindex = function(_, k, v)
      writes = writes + 1
      t[k] = v
    end,
  })
  return proxy, function()
    return reads, writes
  end
end
local function readonly(t)
  return setmetatable({}, {
    __index = t,
    __newindex = function(_, k)
      error("read only: " .. k, 2)
    end,
  })
end

local p, counts = tracked({})
local r = readonly({ 1, 2, 3, 4, 5, x = 1 })
local sum, refused = 0, 0
for i = 1, rounds do
  p[i % 100] = i
  p["f" .. i % 4] = i
  sum = (sum + r[i % 5 + 1] + r.x + p[i % 100] + p["f" .. i % 4]) % 1000003
  if i % 64 == 0 and not pcall(function()
    r.y = 1
  end) then
    refused = refused + 1
  end
end
local reads, writes = counts()
print(string.format("proxies %d %d %d %d", sum, refused, reads, writes))
