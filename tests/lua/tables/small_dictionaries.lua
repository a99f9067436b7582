-- Dictionaries of few keys of all kinds: found, absent, removed, overwritten, and as they grow and shrink.
local keys = { "a", "b", true, false, 1.5, -1, 1 << 40, print, {}, ("long"):rep(20), "c", -7, 2.25, "d", ("other"):rep(20), 1 << 33 }

local function fill(n, from)
  local t = {}
  for i = 1, n do
    t[keys[(from + i) % #keys + 1]] = i
  end
  return t
end

local sum = 0
for round = 1, 40 do
  for n = 0, #keys do
    local t = fill(n, round)
    for i = 1, #keys do
      local want = i <= n and i or nil
      local k = keys[(round + i) % #keys + 1]
      assert(t[k] == want)
      sum = sum + (t[k] or 0)
    end
    -- every second one goes, and others come
    for i = 1, n, 2 do
      t[keys[(round + i) % #keys + 1]] = nil
    end
    for i = 1, 5 do
      t["new" .. i] = i
    end
    for i = 1, #keys do
      local want = i <= n and i % 2 == 0 and i or nil
      assert(t[keys[(round + i) % #keys + 1]] == want)
    end
    for i = 1, 5 do
      assert(t["new" .. i] == i)
    end
    local live = 0
    for k, v in pairs(t) do
      assert(t[k] == v)
      live = live + 1
    end
    sum = sum + live
  end
end
print(sum)

-- long strings that are equal but not the same, floats that are integers
local t = { [1.5] = 1 }
for i = 1, 30 do
  local k = ("k"):rep(50) .. i % 4
  t[k] = (t[k] or 0) + 1
  t[2.0 ^ 50] = i
end
print(t[("k"):rep(50) .. 0], t[("k"):rep(50) .. 3], t[1 << 50], t[("k"):rep(50)])

-- integers of which many look alike
for _, step in ipairs({ 1, 256, 65536, 1 << 32, 1 << 44 }) do
  local u, s = { x = 0 }, 0
  for i = 1, 8 do
    u[-i * step] = i
  end
  for _ = 1, 20 do
    for i = 1, 16 do
      s = s + (u[-i * step] or 0)
    end
  end
  print(s)
end

-- keys that die, and others in their place
collectgarbage()
local weak = setmetatable({}, { __mode = "k" })
for i = 1, 6 do
  weak[{}] = i
end
collectgarbage()
weak.x, weak[7.5] = 1, 2
local n = 0
for _ in pairs(weak) do
  n = n + 1
end
print(n, weak.x, weak[7.5], weak[{}])
