-- Metamethods that are native functions: as operands come and go, with errors, and changed while loops run.

local N = 120
local s = 0
local function counted(mt) return setmetatable({ 1, 2, 3, x = 4 }, mt) end

local raw = counted { __index = rawget }
for i = 1, N do
  if raw[i] then s = s + raw[i] end
  if raw.y == nil then s = s + raw.x end
  if raw[i + 0.5] == nil and raw[raw] == nil then s = s + 1 end
end
print("rawget", s)

local len = counted { __len = rawlen, __call = rawlen, __unm = rawlen, __bnot = type }
for i = 1, N do
  s = s + #len + len() - -len
  if ~len == "table" then s = s + 1 end
end
print("rawlen", s)

local new = counted { __newindex = rawset }
for i = 1, N do
  new[i] = i
  new["k" .. i % 5] = i
  new[i + 0.5] = i
  s = s + new[i] + new[i + 0.5]
end
print("rawset", s, #new, new.k1)

-- results: none, several, of other types
local last
local several = counted { __index = math.modf, __add = select, __sub = rawequal, __mul = math.type, __idiv = string.rep }
for i = 1, N do
  local ok, e = pcall(function() return several[i + 10] end)
  if not ok then last = e end
  s = s + (several - several == true and 2 or 0)
  ok = pcall(function() return several + i end)
  s = s + (ok and 1000 or 1)
end
print("several", s, (last:gsub("^.-:%d+: ", "")))
local strings = getmetatable("")
strings.__add, strings.__unm, strings.__mul = string.rep, string.len, string.find
for i = 1, N do
  local three, none = "abc" + 2, "abc" * "x"
  s = s + #three + -("x"):rep(i % 7) + ("abc" * "b")
  if none == nil then s = s + 1 end
end
strings.__add, strings.__unm, strings.__mul = nil, nil, nil
print("strings", s)

-- concatenations, of operands that have been joined before
local joined = counted { __concat = table.pack }
for i = 1, N do
  local a, b = joined .. "a" .. i, i .. joined
  local c = "x" .. joined
  s = s + #a[2] + b[1] + a.n + b.n + #c[1]
  if a[1] == joined and b[2] == joined and c[2] == joined then s = s + 1 end
  if i % 2 == 0 then
    local d = (joined .. i .. 5 .. i)[2]
    s = s + d:len()
  end
end
print("concat", s)

-- called objects: numbers of arguments and results, as last argument, in tail calls
local object = counted { __call = select }
local function tail(...) return object(...) end
for i = 1, N do
  local call = setmetatable({}, { __call = table.pack })
  local t = call(i, i + 1)
  s = s + t.n + t[2] + t[3] + call().n + #{ call(nil, 2) }
  s = s + select("#", call(1, 2, 3)) + call(table.unpack({ 1, 2, 3 }, 1, i % 3)).n
  local ok = pcall(tail, 1)
  s = s + (ok and 1 or 0)
end
print("call", s)

-- comparisons
local order = { __lt = rawequal, __le = rawequal, __eq = rawequal }
local p, q = setmetatable({}, order), setmetatable({}, order)
for i = 1, N do
  if p < q then s = s + 1 end
  if p <= p then s = s + 2 end
  if p == q then s = s + 4 end
  if i % 2 == 0 and not (p >= q) then s = s + 8 end
end
print("compare", s)

-- they change from native to Lua and back
local mt = { __index = rawget, __len = rawlen }
local t = setmetatable({}, mt)
for i = 1, N do
  if i == 40 then mt.__index = function(_, k) return k end mt.__len = function() return 100 end end
  if i == 80 then mt.__index = { 7 } mt.__len = math.abs end
  if i == 100 then mt.__index = rawequal mt.__len = rawlen end
  local ok, v = pcall(function() return #t + (t[1] or 0) end)
  s = s + (ok and v or 10)
  if i == 60 then rawset(t, 1, 3) end
end
print("changes", s)

-- of library functions that are left to calls: with effects that must be seen
local out = setmetatable({ n = 0 }, { __index = setmetatable, __newindex = table.insert })
for i = 1, N do
  local ok = pcall(function() return out[i] end)
  s = s + (ok and 1 or 0) + out.n
  out.n = i
end
print("effects", s, #out)

-- raw access to tables with metatables
local loud = setmetatable({}, { __index = error, __newindex = error, __len = error })
for i = 1, N do
  rawset(loud, i, i)
  rawset(loud, "a" .. i % 4, i)
  rawset(loud, i / 2, i)
  s = s + rawget(loud, i) + (rawget(loud, "a" .. i % 5) or 1) + rawget(loud, i / 2) + rawlen(loud)
  if i % 3 == 0 then rawset(loud, "a0", nil) end
  local ok = pcall(rawset, loud, i % 40 == 0 and 0 / 0 or "z", 1)
  s = s + (ok and 1 or 100)
end
print("raw", s)
