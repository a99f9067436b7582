-- string.format of objects with __tostring: in hot loops, with other items, errors before and behind, metatables that change.
local calls = 0
local P = { __tostring = function(p) calls = calls + 1 return "<" .. p.n .. ">" end, __name = "P" }
local function new(n) return setmetatable({ n = n }, P) end
local p, q = new(1), new("q")
local s = 0
for i = 1, 200 do
  p.n = i
  s = s + #string.format("%s", p) + #string.format("%d %s %5.1f", i, p, i / 2)
  s = s + #("%s|%s|%s|%s|%s|%s"):format(1, nil, true, "x", 2.5, p) + #string.format("%s%%%s", p, {}):match("<%d+>%%")
  s = s + #string.format("%s %s", p, q) + #string.format("%s %s", i % 3 == 0 and p or "text", i)
  s = s + #string.format("%s", p, i, nil, {}) + #string.format("%s %s %s %s %s %s %s", 1, 2, 3, 4, 5, 6, q)
  if i % 10 == 0 then s = s + #string.format("%10s|%-8s|%.2s", p, q, p) end
end
print(s, calls)
print(string.format("%s and %q and %x", q, "z\n", 255), ("%s"):format(p))

-- errors: which comes first, what has been called by then
local function fails(...)
  local before = calls
  local ok, e = pcall(string.format, ...)
  return ok, e, calls - before
end
for i = 1, 30 do
  local a = { fails("%s %d", p, "x") }
  local b = { fails("%d %s", "x", p) }
  local c = { fails("%s %s", p) }
  local d = { fails("%s %y", p, 1) }
  local e = { fails("%5s %s", "a\0b", p) }
  local f = { fails("%s %5s", p, "a\0b") }
  local g = { fails("%s %d", p, 1.5) }
  if i == 30 then
    for _, r in ipairs { a, b, c, d, e, f, g } do print(r[1], (r[2]:gsub("\0", "0")), r[3]) end
  end
end
local function wrong(v) return setmetatable({}, { __tostring = function() return v end }) end
local function show(i, o) return string.format("%d %s", i, o) end
for i = 1, 40 do
  local ok, e = pcall(show, i, wrong(i % 4 == 0 and {} or i % 4 == 1 and i or i % 4 == 2 and i / 2 or "t"))
  if i > 36 then print(ok, e) end
end
local bad = setmetatable({}, { __tostring = function(o) if o.x then error("bad") end return "good" end })
for i = 1, 40 do
  bad.x = i % 20 == 0 or nil
  local ok, e = pcall(show, i, bad)
  if i % 20 < 2 then print(ok, e) end
end

-- what it looks like from inside, yields, hooks
local seen
local look = setmetatable({}, { __tostring = function()
  if not seen then
    seen = {}
    for l = 1, 3 do
      local i = debug.getinfo(l, "nSl")
      seen[l] = i.what .. " " .. tostring(i.name) .. " " .. i.currentline
    end
  end
  return "look"
end })
local function outer() return (string.format("[%s]", look)) end
for i = 1, 20 do outer() end
print(table.concat(seen, ", "))
print(coroutine.wrap(function()
  return pcall(string.format, "%s", setmetatable({}, { __tostring = function() coroutine.yield() return "" end }))
end)())
local n = 0
debug.sethook(function() n = n + 1 end, "c")
local text = string.format("%s", p)
debug.sethook()
print(text, n > 1)

-- the metamethod changes, the value is kept alive, garbage is made
for i = 1, 100 do
  if i == 40 then P.__tostring = function(o) return ("x"):rep(o.n % 7) end end
  if i == 70 then P.__tostring = nil end
  p.n = i
  local t = string.format("%s:%s", p, i)
  s = s + (t:match("^P: ") and 1 or #t)
  if i == 95 then P.__tostring = function(o) collectgarbage() return tostring(o.n) .. string.format("%s", q == o and 1 or 2) end end
end
print(s)

-- several objects with __tostring: the order of the calls; a call changes what comes behind it; numbers and texts with __tostring of their own
do
  local log = {}
  local Q = { __tostring = function(q) log[#log + 1] = q.n return "q" .. q.n end }
  local R = { __tostring = function(r) log[#log + 1] = r.n if r.f then r.f() end return r.n end }
  local plain = setmetatable({}, { __name = "plain" })
  local a, b, c = setmetatable({ n = 1 }, Q), setmetatable({ n = 2 }, R), setmetatable({ n = 3 }, Q)
  local u
  for i = 1, 200 do
    log = {}
    u = ("%s-%d-%s-%s-%s-%5.2f"):format(a, i, b, "t", c, i) .. string.format("%s %s", c, a) .. string.format("%s%s", a, a, b)
    u = u .. table.concat(log, ",") .. #string.format("%s %s", b, plain):match("^2 plain: ")
  end
  print(u)
  for i = 1, 20 do
    setmetatable(c, Q)
    b.f = function() setmetatable(c, i % 3 == 0 and R or nil) end
    u = string.format("%s %s %s", a, b, c):gsub("table: .*", "table")
    if i > 17 then print(u) end
  end
  b.f = nil
  setmetatable(c, Q)
  for i = 1, 20 do
    local ok, e = pcall(string.format, "%s %s %s", a, i % 4 == 1 and wrong({}) or c, i % 2 == 0 and wrong(true) or b)
    if i > 16 then print(ok, (tostring(e):gsub("^.*: ", ""))) end
  end
  local N = { __tostring = string.lower, __index = { lower = 1 } }
  for i = 1, 20 do
    local ok, e = pcall(string.format, "%s %s", a, setmetatable({}, N))
    if i == 20 then print(ok, e) end
  end
  debug.setmetatable(0, { __tostring = function() return "number" end })
  for i = 1, 20 do u = string.format("%s %d %s %s", a, 7, 8, c) .. string.format("%d", 5) end
  print(u)
  debug.setmetatable(0, nil)
end
