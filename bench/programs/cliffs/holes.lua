-- group: tables
-- Lists with holes: filled backwards, from the middle, at zero and below, with gaps; emptied and filled again, so that parts move between array and hash.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1500 * scale)

local check = 0
for r = 1, rounds do
  local t = {}
  for i = 400, 1, -1 do
    t[i] = i
  end
  for i = -50, 0 do
    t[i] = i + r
  end
  for i = 1, 400, 3 do
    t[i] = nil
  end
  for i = 1, 2000, 37 do
    t[i] = r + i
  end
  local sum, count = 0, 0
  for i = -60, 2000 do
    local v = t[i]
    if v then
      sum = sum + v
      count = count + 1
    end
  end
  for i = 1, 400 do
    t[i] = (t[i] or 0) + 1
  end
  for i = 400, 200, -1 do
    t[i] = nil
  end
  for i = 200, 260 do
    t[i] = r % 5 == 0 and r or i + 0.5
  end
  local keys = 0
  for k, v in pairs(t) do
    keys = keys + k
    sum = sum + v
  end
  check = (check * 3 + math.floor(sum * 2) + count + keys) % 1000003
end
print(string.format("holes %d", check))
