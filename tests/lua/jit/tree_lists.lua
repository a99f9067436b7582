-- Lists whose elements come from calls that are linked: the table is made on one trace and filled on another.

local function build(d, n)
  if d == 0 then return n end
  return { build(d - 1, n), build(d - 1, n + 1) }
end
local function sum(t) if type(t) == "number" then return t end return sum(t[1]) + sum(t[2]) end
local s = 0
for i = 1, 20 do s = s + sum(build(i % 7, i)) end
print(s)

-- results of many types and numbers, nil among them, fields before and between
local function some(d, k)
  if d == 0 then return end
  if k == 0 then return nil end
  if k == 1 then return 1, 2, 3 end
  if k == 2 then return d / 2 end
  return { d, some(d - 1, (k + d) % 5) }
end
local function shape(t)
  if type(t) ~= "table" then return tostring(t) end
  local out = {}
  for i = 1, 4 do out[i] = shape(t[i]) end
  return "{" .. #t .. " " .. table.concat(out, " ") .. (t.x and " x" .. t.x or "") .. "}"
end
for i = 1, 60 do
  local text = shape(some(i % 9, i % 5))
  if i > 55 then print(text) end
end
local function mixed(d)
  if d <= 0 then return d end
  return { x = d, mixed(d - 1), [3] = "three", mixed(d - 2) }
end
for i = 1, 12 do
  local text = shape(mixed(i % 6))
  if i > 9 then print(text) end
end
local function wide(d)
  if d == 0 then return 1 end
  return { wide(d - 1), 2, 3, wide(d - 1), 5.5, "six", wide(d - 1) }
end
local function count(t) if type(t) ~= "table" then return 1 end local n = #t for i = 1, #t do n = n + count(t[i]) end return n end
for i = 1, 8 do s = s + count(wide(i % 5)) end
print(s)

-- lists grow and shrink afterwards, elements change their types
local function path(d) if d == 0 then return 0.5 end return { d, path(d - 1) } end
for i = 1, 60 do
  local t = path(i % 6 + 1)
  t[#t + 1] = i
  t[1] = i % 2 == 0 and "text" or nil
  s = s + #t + (type(t[2]) == "table" and #t[2] or t[2])
  t[3] = nil
  for _, v in ipairs(t) do s = s + 1 end
end
print(s)
