-- xpcall with message handlers in hot loops: Lua functions and native ones; what they see; errors in them; errors of all kinds.
local s = 0
local function shout(e) return type(e) == "string" and e .. "!" or e end
local function fail(i, how)
  if how == 1 then error("text " .. i % 10) end
  if how == 2 then error({ n = i }) end
  if how == 3 then error("two", 2) end
  if how == 4 then error("none", 0) end
  if how == 5 then error() end
  if how == 6 then return i .. nil end
  if how == 7 then return error(i) end
  return i
end
local out = {}
for how = 1, 8 do
  for i = 1, 60 do
    local ok, e, more = xpcall(fail, shout, i, how)
    out[how] = tostring(ok) .. " " .. (type(e) == "table" and e.n or tostring(e)) .. " " .. tostring(more)
    local all = select("#", xpcall(fail, shout, i, how))
    s = s + all
  end
  print(out[how])
end
print(s)
-- handlers that give nothing, many values, or the error of another call
local function nothing() end
local function many(e) return e, 2, 3 end
local function safe(e) local ok, f = pcall(fail, 1, 4) return e .. tostring(ok) .. f end
local function nested(e)
  local ok, f = xpcall(fail, function(f) return f .. "?" end, 7, 4)
  return e .. f
end
for i = 1, 100 do
  local _, a = xpcall(fail, nothing, i, 1)
  local _, b, c = xpcall(fail, many, i, 4)
  local _, d = xpcall(fail, safe, i, 4)
  local _, e = xpcall(fail, nested, i, 4)
  local _, f = xpcall(fail, tostring, i, 7)
  local _, g = xpcall(fail, string.upper, i, 4)
  local _, h = xpcall(error, shout, "direct")
  local _, j = xpcall(error, shout, "direct", 2)
  out = { tostring(a), b, tostring(c), d, e, f, g, h, j }
end
print(table.concat(out, " "))
-- errors in handlers, and how often they are called then
local calls = 0
local function bad(e) calls = calls + 1 if type(e) == "number" and e > 0 then error(e - 1) end return e end
local function worse(e) calls = calls + 1 if calls % 4 ~= 0 then local x = e.x.y end return "done" end
for i = 1, 60 do
  local ok, e = xpcall(fail, bad, i % 5, 7)
  s = s + e
  calls = calls + 1
  out[1] = select(2, xpcall(fail, worse, i, 4))
end
print(s, calls, out[1])
print(xpcall(error, bad, 20), xpcall(error, bad, 400))
print(xpcall(fail, function(e) error(e) end, 1, 4))
-- through other frames and functions of the library, coroutines
local function deep(n) if n == 0 then error("deep", 0) end return (deep(n - 1)) end
local function sorts() table.sort({ 3, 2, 1 }, function(a, b) if a == b then return false end error("sort", 0) end) end
local function subs() return (("abc"):gsub("%w", function(c) if c == "b" then error("gsub", 0) end return c .. c end)) end
local function co() local c = coroutine.wrap(function() error("co", 0) end) c() end
local function closes() local x <close> = setmetatable({}, { __close = function(_, e) s = s + #e end }) error("close", 0) end
local function iter() for k in function() error("iter", 0) end do end end
local function meta() return #setmetatable({}, { __len = function() error("len", 0) end }) end
for i = 1, 60 do
  out = {}
  for k, f in ipairs { deep, sorts, subs, co, closes, iter, meta } do
    local ok, e = xpcall(f, shout, i % 4)
    out[k] = e
    local ok, e = xpcall(f, debug.traceback, i % 4)
    s = s + select(2, e:gsub("\n", "\n"))
  end
end
print(table.concat(out, " "), (("abc"):gsub("%w", string.upper)))
-- what handlers see
local function where(e)
  local t = {}
  for l = 1, 4 do
    local i = debug.getinfo(l, "nSl")
    t[l] = i.what .. " " .. tostring(i.name) .. " " .. i.currentline
  end
  return e .. " " .. table.concat(t, ", ") .. " " .. tostring(coroutine.isyieldable())
end
for i = 1, 60 do out[1] = select(2, xpcall(fail, where, i, 4)) end
print(out[1])
for i = 1, 60 do out[1] = select(2, xpcall(fail, debug.traceback, i, 4)) end
print((out[1]:gsub("[^\n]*/", ""):gsub("\n[^\n]*$", "")))
print(coroutine.wrap(function()
  local ok, e = xpcall(fail, function(e) coroutine.yield(1) return e end, 1, 4)
  return ok, e, coroutine.isyieldable()
end)())
-- yields and collections around them
local g = coroutine.wrap(function()
  for i = 1, 100 do
    local ok, e = xpcall(fail, function(e) if i % 10 == 0 then collectgarbage("step") end return { e .. i } end, i, 4)
    coroutine.yield(e[1])
  end
end)
local n = 0
for i = 1, 100 do n = n + #g() end
print(n)
local count = 0
debug.sethook(function() count = count + 1 end, "c")
print(xpcall(fail, shout, 1, 4))
debug.sethook()
print(count > 3)
print(s)
