-- Weak tables in hot loops: traversed by pairs, next and ipairs, with floats as keys, and emptied by collections meanwhile.

local keys = {}
for i = 1, 8 do keys[i] = { n = i } end
local function fill(mode)
  local t = setmetatable({}, { __mode = mode })
  for i = 1, 8 do
    t[keys[i]] = i
    t[i] = keys[i]
    t[i + 0.5] = keys[9 - i]
    t["k" .. i] = i
  end
  return t
end

for _, mode in ipairs { "k", "v", "kv" } do
  local t = fill(mode)
  local n, s, f = 0, 0, 0
  for _ = 1, 60 do
    for k, v in pairs(t) do
      n = n + 1
      if type(k) == "table" then s = s + k.n * v
      elseif math.type(k) == "float" then f = f + k + v.n
      elseif type(v) == "table" then s = s + v.n
      else s = s + v end
    end
    local k, v = next(t)
    while k do
      n = n + 1
      k, v = next(t, k)
    end
    for i, v in ipairs(t) do s = s + i * v.n end
  end
  print(mode, n, s, f)
end

-- floats as keys: read, written, integers in disguise, NaN
local t = setmetatable({}, { __mode = "v" })
local s = 0
for i = 1, 200 do
  local k = i % 10 + i % 2 / 2
  t[k] = i
  s = s + t[k] + (t[k + 0.25] or 1) + (t[i % 10] or 0)
  if i % 50 == 0 then
    print(pcall(function() t[0 / 0] = i end))
    s = s + (t[0 / 0] or 5)
  end
end
print(s, t[2.0] == t[2], math.type(next(setmetatable({ [3.0] = 1 }, { __mode = "k" }))))

-- what is collected in mid-loop is not seen any more, what is kept is
local cache = setmetatable({}, { __mode = "v" })
local kept, seen, missing = {}, 0, 0
for i = 1, 120 do
  for j = 1, 6 do
    local v = { j }
    cache[j], cache[j + 0.5] = v, v
    if j % 2 == 0 then kept[j] = v end
  end
  if i % 10 == 0 then collectgarbage() end
  for k, v in pairs(cache) do
    seen = seen + (v[1] % 2 == 0 and 1 or 0)
  end
  if i % 10 == 0 then
    for k = 1, 6 do if cache[k + 0.5] == nil then missing = missing + 1 end end
    for k, v in ipairs(cache) do missing = missing + 1000 end
  end
end
print(seen, missing)

-- fields are taken away and metatables come while it is traversed
local w = fill("k")
local left = 0
for i = 1, 100 do
  for k in pairs(w) do
    if i == 50 and type(k) == "string" then w[k] = nil end
    left = left + 1
  end
end
print(left)
local late, hold = {}, {}
for i = 1, 5 do
  late[i] = {}
  hold[i] = late[i]
end
local n = 0
for i = 1, 100 do
  if i == 50 then setmetatable(late, { __mode = "v" }) end
  if i == 80 then
    hold = nil
    collectgarbage()
  end
  for _ in pairs(late) do n = n + 1 end
  for _ in ipairs(late) do n = n + 1 end
end
print(n)
