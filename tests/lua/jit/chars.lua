-- Strings of one byte in compiled loops: made by sub and char, compared, used as keys; ranges that are none.

local N = 200
local text = "a.b-c,\0\255z" .. ("end"):rep(3)

local dots, same, zero, high = 0, 0, 0, 0
for i = 1, N do
  local k = i % #text + 1
  local c = text:sub(k, k)
  if c == "." then dots = dots + 1 end
  if c == text:sub(#text - k, #text - k) then same = same + 1 end
  if c == "\0" then zero = zero + 1 end
  if c ~= "\255" then high = high + 1 end
  if c == "ab" or c == "" then error("no") end
end
print(dots, same, zero, high)

-- outside, at the ends, from the end
local empty, joined = 0, {}
for i = -20, N do
  local c = text:sub(i, i)
  if c == "" then empty = empty + 1 end
  if i < 30 then joined[#joined + 1] = c end
end
print(empty, (table.concat(joined):gsub("[^%g]", "?")))
print(#("x"):sub(0, 0), ("x"):sub(-1, -1), ("x"):sub(2, 2) == "")

-- made from bytes; equal to what is made otherwise
local equal = 0
for i = 0, 255 do
  local c = string.char(i)
  if c == ("%c"):format(i) then equal = equal + 1 end
  if c:byte() == i and #c == 1 then equal = equal + 1 end
end
print(equal)
local ok, e = pcall(function()
  for i = 200, 260 do
    local c = string.char(i)
  end
end)
print(ok, e)

-- compared with long texts and with texts of other origin
local long = ("."):rep(100)
local n = 0
for i = 1, N do
  local c = text:sub(i % 3 + 1, i % 3 + 1)
  if c == long then n = n + 1000 end
  if c == long:match(".") then n = n + 1 end
  if rawequal(c, long:sub(i % 100 + 1, i % 100 + 1)) then n = n + 10 end
  if not rawequal(c, "b") then n = n + 100 end
end
print(n)

-- as keys: records, dictionaries, absent keys, with metatables
local record = { a = 1, b = 2, ["."] = 3 }
local counts, found, absent = {}, 0, 0
for i = 1, N do
  local c = text:sub(i % #text + 1, i % #text + 1)
  counts[c] = (counts[c] or 0) + 1
  found = found + (record[c] or 0)
  if record[c] == nil then absent = absent + 1 end
end
local keys = {}
for k in pairs(counts) do keys[#keys + 1] = k end
table.sort(keys)
for i, k in ipairs(keys) do keys[i] = ("%q"):format(k) .. counts[k] end
print(found, absent, table.concat(keys, " "))

-- a record grows, becomes a dictionary, and gets a metatable while a loop reads it by computed keys
local t = { x = 1, y = 2 }
local sum, default = 0, 0
for i = 1, N do
  local k = i % 2 == 0 and "x" or "y" .. ""
  if i % 5 == 0 then k = k .. k end
  sum = sum + (t[k] or 0)
  if i == 60 then t.z = 4 end
  if i == 90 then for j = 1, 100 do t["f" .. j] = j end end
  if i == 150 then
    setmetatable(t, { __index = function(_, key) default = default + 1; return #key end })
  end
end
print(sum, default)

-- stores of new computed keys: into records, dictionaries, arrays; nil; other kinds; metatables that come in mid-loop
local s, hits = {}, 0
for i = 1, N do
  s["k" .. i % 50] = i
  s["n" .. i] = i % 3 ~= 0 and i or nil
  s[-i] = i / 2
  s[i % 2 == 0] = i
  s[s] = i
  s[2 ^ 40 + i] = i
end
local total, size = 0, 0
for k, v in pairs(s) do size = size + 1; total = total + v end
print(size, total)
local a = {}
for i = 1, N do
  a[i] = i
  a[i] = i % 7 == 0 and tostring(i) or a[i]
  if i % 11 == 0 then a[i + 5] = 0.5 end
end
local types = {}
for i = 1, N + 5 do
  local ty = math.type(a[i]) or type(a[i])
  types[ty] = (types[ty] or 0) + 1
end
print(#a >= N, types.integer, types.float, types.string, types["nil"])
local guarded, stored = {}, 0
for i = 1, N do
  if i == 100 then
    setmetatable(guarded, { __newindex = function(g, k, v) stored = stored + 1; rawset(g, k, v) end })
  end
  guarded["g" .. i] = i
  rawset(guarded, "r" .. i, i)
end
print(stored, guarded.g5, guarded.g150, guarded.r150)
ok, e = pcall(function()
  local bad = {}
  for i = 1, N do
    local k = "k" .. i
    if i == 150 then k = nil end
    bad[k] = i
  end
end)
print(ok, e)
ok, e = pcall(function()
  local bad = {}
  for i = 1, N do
    local k = i
    if i == 150 then k = 0 / 0 end
    bad[k] = i
  end
end)
print(ok, e)
