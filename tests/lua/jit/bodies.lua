-- Library functions whose work is done by Lua code of their own: what programs can see of that is nothing.

local function rnd(n, m)
  local t, seed = {}, 11
  for i = 1, n do
    seed = (seed * 16807) % 2147483647
    t[i] = seed % m
  end
  return t
end

-- sorts of all sizes, many order functions, the same one for many tables
local function sorted(t, less)
  for i = 2, #t do if less(t[i], t[i - 1]) then return false end end
  return true
end
local orders = {
  function(a, b) return a < b end,
  function(a, b) return a > b end,
  function(a, b) return a % 10 < b % 10 end,
  function(a, b) return -a < -b end,
  function(a, b) return (a * 7) % 13 < (b * 7) % 13 end,
  function(a, b) return tostring(a) < tostring(b) end,
  function(a, b) if a % 2 == b % 2 then return a < b end return a % 2 == 0 end,
  function(a, b) return a // 3 < b // 3 end,
  function(a, b) local x, y = { a }, { b } return x[1] < y[1] end,
  function(a, b) return math.max(a, b) ~= a end,
}
local good = 0
for size = 0, 77, 7 do
  for _, less in ipairs(orders) do
    local t = rnd(size, 40)
    table.sort(t, less)
    if sorted(t, less) then good = good + 1 end
  end
end
print(good)
local calls = 0
local big = {}
for i = 1, 600 do big[i] = i end
table.sort(big, function(a, b) calls = calls + 1 return a < b end)
print(calls)
for i = 1, 600 do big[i] = i % 3 end
table.sort(big, function(a, b) calls = calls + 1 return a < b end)
print(calls)

-- how it looks from inside
local function levels()
  local out = {}
  for l = 2, 5 do
    local i = debug.getinfo(l, "nSltu")
    if not i then break end
    out[#out + 1] = table.concat({ i.what, i.short_src:match("[^/]*$"), i.currentline, tostring(i.name), i.namewhat,
      i.nparams, tostring(i.isvararg) }, " ")
  end
  return table.concat(out, "; ")
end
local seen
local function look(x) seen = seen or levels() return x end
local function less(a, b) look() return a < b end
table.sort(rnd(40, 50), less)
print(seen)
local obj = setmetatable({}, {
  __tostring = function() look() return "obj" end,
  __pairs = function(o) look() return function(_, k) if not k then return 1, 2 end end, o, nil end,
})
seen = nil
print(tostring(obj), seen)
seen = nil
for k, v in pairs(obj) do print(k, v, seen) end
table.sort({ 1, 2 }, function(a, b)
  print(debug.getinfo(2, "f").func == table.sort, (debug.getlocal(2, 1)))
  print((debug.traceback("here", 1):gsub("[^\n]*/", "")))
  return a < b
end)
print(pcall(debug.getlocal, table.sort, 1))

-- errors: positions, levels, what is caught where
print(pcall(table.sort, { 1, 2, 3, 4, 5, 6 }, function() return true end))
local ok, e = pcall(function() table.sort(rnd(40, 50), function() return true end) end)
print((e:gsub("^.*/", "")))
ok, e = pcall(table.sort, rnd(40, 50), function() error("two", 2) end)
print(e)
ok, e = pcall(table.sort, { 1, 2, 3 }, function() error({ 7 }) end)
print(ok, e[1])
print((select(2, xpcall(function() table.sort(rnd(40, 50), function() return true end) end,
  debug.traceback)):gsub("[^\n]*/", "")))
for _, v in ipairs { 1, 2.5, false, {} } do
  local o = setmetatable({}, { __tostring = function() return v end })
  local ok, s = pcall(tostring, o)
  print(ok, s, math.type(s))
end
print(pcall(tostring, setmetatable({}, { __tostring = function() end })))

-- yields: not out of sort and tostring, but out of __pairs; and afterwards as before
local function tries(f)
  return coroutine.wrap(function()
    local inside
    local ok, m = pcall(f, function() inside = coroutine.isyieldable() coroutine.yield("yielded") end)
    return ok, m, inside, coroutine.isyieldable()
  end)
end
print(tries(function(y) table.sort(rnd(40, 50), function(a, b) y() return a < b end) end)())
print(tries(function(y) return tostring(setmetatable({}, { __tostring = function() y() return "" end })) end)())
local co = tries(function(y)
  local n = 0
  for k in pairs(setmetatable({}, { __pairs = function(o) y() return next, { a = 1 }, nil, 9 end })) do n = n + 1 end
  return n
end)
print(co(), co())
local co = coroutine.wrap(function()
  for i = 1, 60 do
    local ok = pcall(table.sort, rnd(33, 50), function(a, b)
      if i % 3 == 0 then error("no") end
      if i % 3 == 1 then table.sort({ 1, 2 }, function() error("inner") end) end
      return a < b
    end)
    assert(coroutine.isyieldable())
    coroutine.yield(ok)
  end
end)
local n = 0
for i = 1, 60 do if co() then n = n + 1 end end
print(n)

-- nested too deep
local function deep(n) table.sort(rnd(32, 50), function(a, b) deep(n + 1) return a < b end) end
ok, e = pcall(deep, 1)
print(ok, e:match("stack overflow"))
print(coroutine.wrap(function() pcall(deep, 1) return coroutine.isyieldable() end)())

-- the table changes, and gets a metatable, while it is sorted
local t = rnd(40, 100)
local shadow = {}
print(pcall(table.sort, t, function(a, b)
  if not getmetatable(t) then setmetatable(t, { __index = function(_, k) return 50 end, __newindex = shadow }) end
  t[#t] = nil
  return a < b
end))
print(#t >= 0, next(shadow) ~= nil)

-- in hot loops: results, numbers of arguments, tail calls, errors that are caught on the trace
local s = 0
local function by(a, b) return a < b end
local function sort(t) return table.sort(t, by) end
for i = 1, 120 do
  local t = { i % 7, i % 5, i % 3, i % 2 }
  table.sort(t, by)
  s = s + t[1] + 10 * t[4] + select("#", table.sort(t, by)) + select("#", sort(t))
  local ok, v = pcall(table.sort, big, function(a, b) error(i) end)
  s = s + (ok and 1000 or v)
end
print(s)
local P = { __tostring = function(p) return p.name end, __name = "P" }
local p, q = setmetatable({ name = "pp" }, P), setmetatable({ name = 5 }, P)
local len = 0
for i = 1, 120 do
  len = len + #tostring(p) + #tostring(q) + #(tostring(i % 2 == 0 and p or q))
  local ok, m = pcall(tostring, i % 50 == 0 and setmetatable({}, P) or p)
  if not ok then len = len + 1000 end
end
print(len)
P.__tostring = function(p) return "new " .. p.name end
for i = 1, 100 do len = len + #tostring(p) end
P.__tostring = nil
for i = 1, 100 do len = len + #tostring(p):match("^P: ") end
print(len)
local D = { __pairs = function(o) local i = 0 return function() i = i + 1 if i <= 3 then return i, o[i] end end end }
local d = setmetatable({ 5, 6, 7 }, D)
local sum = 0
for i = 1, 120 do
  for k, v in pairs(i % 3 == 0 and { 1 } or d) do sum = sum + k * v end
end
print(sum)

-- hooks see a native function
local events = {}
debug.sethook(function(e)
  local i = debug.getinfo(2, "Sl")
  events[#events + 1] = e .. " " .. i.what .. " " .. i.currentline
end, "crl")
table.sort({ 2, 1 }, by)
debug.sethook()
print(#events, events[2], events[#events - 2])
table.sort({ 3, 2, 1 }, function(a, b)
  if not debug.gethook() then
    events = {}
    debug.sethook(function(e) events[#events + 1] = e .. " " .. debug.getinfo(2, "S").what end, "crl")
  end
  return a < b
end)
debug.sethook()
local c = 0
for _, e in ipairs(events) do if e == "line C" then c = c + 1 end end
print(#events > 4, c)
