-- Tables with metatables of their own: elements by functions in __index, stores where there may be a __newindex, pairs.
local function auto(kind)
  local mt = {}
  mt.__index = function(t, k)
    local v = { k }
    rawset(t, k, v)
    return v
  end
  if kind == 1 then
    mt.__newindex = function(t, k, v) rawset(t, k, { "new", v }) end
  elseif kind == 2 then
    mt.__pairs = function(t) return next, { 7 }, nil end
  elseif kind == 3 then
    mt.__index = { [5] = { "inherited" } }
  elseif kind == 4 then
    mt.__index = nil
  end
  return setmetatable({}, mt)
end

local function visit(t)
  local n = 0
  for k, v in pairs(t) do
    n = n + (type(v) == "table" and #v or v)
  end
  return n
end

-- most are of one kind; others come when the code is there
local log = {}
for r = 1, 400 do
  local kind = r > 300 and r % 5 or 0
  local t = auto(kind)
  local s = 0
  for i = 1, 12 do
    local e = t["k" .. i % 5]
    s = s + (e and #e or 100)
    local f = t[i % 7 + 3]
    s = s + (f and #f or 1000)
    t[i % 6 + 40] = i
    t["x" .. i % 3] = s
    if i % 4 == 0 then t["x" .. i % 3] = nil end
  end
  s = s + visit(t)
  for i = 40, 45 do s = s + (type(t[i]) == "table" and #t[i] or t[i]) end
  if r % 50 == 0 or r > 393 then log[#log + 1] = kind .. ":" .. s end
end
print(table.concat(log, " "))

-- the metatable gets a __newindex, or an __index, while the loop runs
local seen = {}
for r = 1, 200 do
  local mt = {}
  local t = setmetatable({}, mt)
  local hits = 0
  for i = 1, 10 do
    if i == 6 and r % 3 == 0 then mt.__newindex = function() hits = hits + 1 end end
    if i == 8 and r % 5 == 0 then mt.__newindex = nil end
    t[i * 11] = i
    t["a" .. i] = i
  end
  local n = 0
  for _ in pairs(t) do n = n + 1 end
  seen[n + 100 * hits] = (seen[n + 100 * hits] or 0) + 1
end
local keys = {}
for k in pairs(seen) do keys[#keys + 1] = k end
table.sort(keys)
for i, k in ipairs(keys) do keys[i] = k .. "=" .. seen[k] end
print(table.concat(keys, " "))

-- errors of such functions come through
local function strict()
  return setmetatable({}, { __index = function(_, k) error("no " .. k, 0) end })
end
local caught = 0
for r = 1, 200 do
  local t = strict()
  for i = 1, 4 do t["f" .. i] = i end
  local ok, why = pcall(function()
    local s = 0
    for i = 1, 6 do s = s + t["f" .. i] end
    return s
  end)
  if not ok and why == "no f5" then caught = caught + 1 end
end
print(caught)
