-- `__newindex` and `__index` for computed text keys: functions, tables, chains; keys that appear and vanish.

local function tracked(t)
  local reads, writes = 0, 0
  local p = setmetatable({}, {
    __index = function(_, k) reads = reads + 1 return t[k] end,
    __newindex = function(_, k, v) writes = writes + 1 t[k] = v end,
  })
  return p, function() return reads, writes end
end

local p, counts = tracked {}
local s = 0
for i = 1, 2000 do
  p["f" .. i % 4] = i
  s = s + p["f" .. i % 4] + (p["g" .. i % 3] or 1)
end
print("tracked", s, counts())

-- a key that the object has itself is no matter of __newindex, until it is nil
local own, n = setmetatable({ k1 = 0, k2 = 0 }, { __newindex = function(t, k, v) rawset(t, k, v and v + 1) end }), 0
for i = 1, 2000 do
  local k = "k" .. i % 3
  if i % 500 == 0 then own[k] = nil else own[k] = i end
  n = n + (rawget(own, k) or 7)
end
print("own", n, own.k0, own.k1, own.k2)

-- tables as handlers, two deep; the last one takes it
local last = {}
local middle = setmetatable({}, { __newindex = last, __index = last })
local first = setmetatable({}, { __newindex = middle, __index = middle })
local m = 0
for i = 1, 2000 do
  first["x" .. i % 50] = i
  m = m + (first["x" .. (i + 1) % 50] == nil and 0 or 1)
end
print("chain", m, next(first), next(middle), last.x7, last.x49)

-- the metatable changes, or another object comes
local odd = setmetatable({}, { __newindex = function(_, k, v) s = s + #k * v end })
local even = setmetatable({}, { __newindex = function(_, k, v) s = s - #k * v end })
for i = 1, 2000 do
  local o = i % 2 == 0 and even or odd
  if i == 1500 then setmetatable(even, nil) end
  o["key" .. i % 5] = i
end
print("both", s, even.key0, even.key1, next(odd))

-- errors from within, long keys
local refuse = setmetatable({}, { __newindex = function(_, k) error("no " .. k, 0) end })
local errors = 0
for i = 1, 500 do
  local ok, e = pcall(function() refuse["n" .. i % 9] = 1 end)
  if not ok and e == "no n" .. i % 9 then errors = errors + 1 end
  ok, e = pcall(function() refuse[("long"):rep(20) .. i % 2] = 1 end)
  if not ok and #e == 84 then errors = errors + 1 end
end
print("errors", errors, next(refuse))
