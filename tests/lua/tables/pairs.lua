-- next, pairs and ipairs: every key once, changes while traversing, errors.
local function collect(t)
  local keys = {}
  for k, v in pairs(t) do keys[#keys + 1] = tostring(k) .. "=" .. tostring(v) end
  table.sort(keys)
  return table.concat(keys, " ")
end
print(collect({ 1, 2, 3 }), collect({ a = 1, b = 2, 10, [true] = false, [1.5] = "f", [-1] = "neg" }), collect({}))
local mixed = {}
for i = 1, 20 do mixed[i] = i mixed["k" .. i] = -i mixed[i * 100] = i mixed[-i] = i end
local count, sum = 0, 0
for _, v in pairs(mixed) do count = count + 1 sum = sum + v end
print(count, sum)
-- assigning to existing fields and clearing them is allowed while traversing
for k in pairs(mixed) do mixed[k] = nil end
print(next(mixed), collect(mixed))
for i = 1, 50 do mixed[i] = i mixed["s" .. i] = i end
for k, v in pairs(mixed) do
  if v % 2 == 0 then mixed[k] = nil else mixed[k] = v * 10 end
end
count, sum = 0, 0
for _, v in pairs(mixed) do count = count + 1 sum = sum + v end
print(count, sum)
local seen = {}
local k, v = next({ only = 1 })
print(k, v, next({ only = 1 }, "only"))
local arr = { "a", "b", "c" }
k = nil
repeat
  k, v = next(arr, k)
  seen[#seen + 1] = tostring(k) .. tostring(v)
until k == nil
print(table.concat(seen, " "))
print(pcall(next, {}, "nokey"))
print(pcall(next, { 1, 2 }, 3))
print(pcall(next, nil))
print(pcall(next))
print(pcall(pairs))
print((pcall(pairs, nil)))
print(pcall(ipairs))
print((pcall(ipairs, 5)))
for i, x in ipairs({ 1, 2, nil, 4 }) do io.write(i, ":", x, " ") end print()
for i, x in ipairs(setmetatable({}, { __index = function(_, i) if i <= 3 then return i * i end end })) do io.write(i, ":", x, " ") end print()
for i in ipairs({}) do print("never", i) end
local grow = { 1 }
for i in ipairs(grow) do if i < 5 then grow[i + 1] = i end end
print(#grow)
print(rawequal(next, (pairs({}))), type((ipairs({}))), select("#", pairs({})), select(2, pairs(arr)) == arr, select(3, pairs(arr)), select(3, ipairs(arr)))
-- __pairs decides
local proxy = setmetatable({}, { __pairs = function(t)
  local i = 0
  return function() i = i + 1 if i <= 3 then return i, i * 2 end end, t, nil
end })
for a, b in pairs(proxy) do io.write(a, "=", b, " ") end print()
print(collect(setmetatable({}, { __pairs = function() return next, { z = 26 }, nil, "extra" end })))
for a, b, c, d in next, { 5 } do print(a, b, c, d) end
