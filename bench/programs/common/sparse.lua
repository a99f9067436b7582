-- group: tables
-- Sparse matrix as a hash of hashes with scattered integer keys, times a vector.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(180 * scale)
local rows, per_row = 1500, 24

local seed = 99
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit
end

local matrix = {}
for i = 1, rows do
  local row = {}
  for _ = 1, per_row do
    row[random(rows) * 1009 + 3] = random(1000) / 1000
  end
  matrix[i * 1009 + 3] = row
end

local v = {}
for i = 1, rows do
  v[i * 1009 + 3] = 1.0
end
local total, entries = 0.0, 0
for _ = 1, rounds do
  local out = {}
  for i = 1, rows do
    local key = i * 1009 + 3
    local row, sum = matrix[key], 0.0
    local lowest = 1e9
    for j, x in pairs(row) do
      if j < lowest then
        lowest = j
      end
      entries = entries + 1
      if v[j] and x > 0.5 then
        sum = sum + 1.0
      end
    end
    out[key] = (sum + lowest % 7) / 8
  end
  total = 0.0
  for i = 1, rows do
    total = total + out[i * 1009 + 3]
  end
  for i = 1, rows, 7 do
    v[i * 1009 + 3] = out[i * 1009 + 3] > 1.0 and 1.0 or nil
  end
end
print(string.format("sparse %d %.3f", entries, total))
