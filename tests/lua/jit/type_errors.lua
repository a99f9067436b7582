-- errors that instructions raise because of their operands' types, caught by a pcall in the same loop: message, line and name are those of the interpreter
local upnil
local record = { a = 1, inner = {} }
local function lua_function() end
local cases = {
  { "index local", function(x) return x.field end, nil },
  { "index upvalue", function() return upnil.field end },
  { "index field", function() return record.missing.field end },
  { "index number", function(x) local y = x return y.field end, 5 },
  { "index boolean", function(x) return x[1] end, true },
  { "index function", function(x) return x[x] end, lua_function },
  { "method", function(x) return x:name() end, nil },
  { "absent method", function(x) return x:name() end, {} },
  { "store field", function(x) x.field = 1 end, false },
  { "store index", function(x) x[1] = 1 end, 1.5 },
  { "store computed", function(x) local k = "a" .. 1 x[k] = 1 end, nil },
  { "global", function() return undefinedglobal.field end },
  { "add", function(x) return x + 1 end, nil },
  { "add right", function(x) return 1 + x end, {} },
  { "mul field", function(x) return x.v * x.w end, { v = 2 } },
  { "unm", function(x) return -x end, {} },
  { "unm text", function(x) return -x end, "text" },
  { "text", function(x) return x + 1 end, "text" },
  { "bits", function(x) return x & 1 end, true },
  { "bits of float", function(x) return x & 1 end, 1.5 },
  { "bnot", function(x) return ~x end, lua_function },
  { "divide", function(x) return 1 // x end, 0 },
  { "lt", function(x) return x < 1 end, nil },
  { "gt", function(x) return x > 1 end, nil },
  { "ge constant left", function(x) return 1 >= x end, {} },
  { "le", function(x) return x <= "a" end, 1 },
  { "two tables", function(x) return x < record end, {} },
  { "two booleans", function(x) return x <= x end, true },
  { "concat left", function(x) return x .. "a" end, nil },
  { "concat right", function(x) return "a" .. x end, {} },
  { "concat middle", function(x) return "a" .. x .. "b" end, nil },
  { "concat first of four", function(x) return x .. "a" .. 1 .. "b" end, true },
  { "concat last", function(x) return "a" .. "b" .. x end, lua_function },
  { "len", function(x) return #x end, nil },
  { "len number", function(x) return #x end, 7 },
  { "call local", function(x) x() end, nil },
  { "call field", function(x) x.f(1, 2) end, {} },
  { "call global", function() undefinedglobal() end },
  { "call all", function(x) x(select(2, 1, 2, 3)) end, 5 },
  { "tail call", function(x) return x.f(1) end, {} },
  { "deep", function(x) local function f(n) if n == 0 then return x.y end return (f(n - 1)) end return f(3) end, nil },
  { "in a metamethod", function(x) return setmetatable({}, { __index = function(_, k) return k.y.z end })[x] end, "key" },
  { "assert", function(x) assert(x, "message") end, false },
  { "assert of nothing", function(x) assert(x) end, nil },
  { "assert of an object", function(x) assert(x, record) end, nil },
}
local function run(f, x, n)
  local last, fails = nil, 0
  for i = 1, n do
    local ok, e = pcall(f, x)
    if not ok then fails = fails + 1 end
    last = e
  end
  return fails, last == record and "the object" or last
end
for i, c in ipairs(cases) do
  print(c[1], run(c[2], c[3], 12))
end

-- the same place fails for some values only, and for different reasons
local odd = { 1, { v = 2 }, "text", false, { v = {} }, {}, 2.5 }
local function value(x) return x.v + 1 end
local counts = {}
for i = 1, 210 do
  local ok, r = pcall(value, odd[i % 7 + 1])
  r = tostring(r):gsub("^.-:%d+: ", "")
  counts[r] = (counts[r] or 0) + 1
end
local names = {}
for k, n in pairs(counts) do names[#names + 1] = k .. "=" .. n end
table.sort(names)
print(table.concat(names, "; "))

-- what types have may change
local failed = 0
for i = 1, 60 do
  if i == 30 then debug.setmetatable(nil, { __index = function(_, k) return k end }) end
  if i == 45 then debug.setmetatable(nil, nil) end
  if not pcall(function(x) return x.field end, upnil) then failed = failed + 1 end
end
print(failed)
local mt, o = { __name = "Kind" }, {}
local seen = {}
for i = 1, 60 do
  if i == 30 then setmetatable(o, mt) end
  if i == 45 then mt.__add = function() return 0 end end
  local ok, e = pcall(function(x) return x + 1 end, o)
  e = tostring(e):gsub("^.-:%d+: ", "")
  if seen[#seen] ~= e then seen[#seen + 1] = e end
end
print(table.concat(seen, "; "))

-- pending variables are closed, handlers are called, coroutines die
local closed = 0
for i = 1, 20 do
  pcall(function() local c <close> = setmetatable({}, { __close = function(_, e) closed = closed + #e end }) return upnil.x end)
end
print(closed)
local handled = 0
for i = 1, 20 do
  xpcall(function() return upnil.x end, function(e) handled = handled + #e + #debug.traceback() // 1000 end)
end
print(handled)
local dead = 0
for i = 1, 20 do
  local co = coroutine.create(function() pcall(coroutine.yield) local ok, e = pcall(function() return upnil.x end) return e end)
  coroutine.resume(co)
  local _, e = coroutine.resume(co)
  dead = dead + #e
end
print(dead)
-- inside other bodies of library functions
local n = 0
for i = 1, 20 do
  local t = {}
  for k = 1, 40 do t[k] = k == 20 and {} or k end
  local ok, e = pcall(table.sort, t, function(a, b) return a < b end)
  n = n + (ok and 0 or #e)
  ok, e = pcall(string.gsub, "abc", ".", function(c) return upnil.x end)
  n = n + (ok and 0 or #e)
end
print(n)
