-- Weak tables, files and other userdata in compiled loops.
local N = 150
local s = 0

-- weak tables: what is collected is gone
for _, mode in ipairs({ "k", "v", "kv" }) do
  local w = setmetatable({}, { __mode = mode })
  local keep = {}
  for i = 1, N do
    local k, v = {}, {}
    w[k] = v
    w[i] = v
    w.name = i % 2 == 0 and v or i
    if i % 3 == 0 then keep[#keep + 1] = k; keep[#keep + 1] = v end
    assert(w[k] == v and w[i] == v)
    assert(w.name == (i % 2 == 0 and v or i))
    if w[-i] == nil then s = s + 1 end
    if i % 50 == 0 then
      k, v = nil, nil
      collectgarbage()
      local n = 0
      for _ in pairs(w) do n = n + 1 end
      -- what is in registers may still be alive
      s = s + (n > 0 and 1 or 0)
    end
    w[i] = nil
    assert(w[i] == nil)
  end
  s = s + #keep
end
print(s)

-- a memory of results
local calls = 0
local memory = setmetatable({}, { __mode = "v" })
local function point(x)
  local p = memory[x]
  if not p then
    calls = calls + 1
    p = { x = x }
    memory[x] = p
  end
  return p
end
local hold = {}
for i = 1, N do
  hold[i % 10] = point(i % 10)
  s = s + point(i % 10).x
end
print(s, calls)
for i = 1, N do
  if i == N // 2 then memory = setmetatable({}, { __mode = "v", __index = function(t, k) return { x = k * 2 } end, __newindex = function() s = s + 1000 end }) end
  s = s + point(i % 10).x
  memory[i + 1000] = hold
end
print(s)
-- strong, then weak, then strong again
local t, weak = {}, { __mode = "k" }
for i = 1, N do
  if i == 50 then setmetatable(t, weak) elseif i == 100 then setmetatable(t, nil) end
  t[i % 7], t.f, t[hold] = i, i, "h"
  s = s + t[i % 7] + t.f + #t[hold]
end
print(s)
print(pcall(function() for i = 1, N do setmetatable(t, weak)[i < 100 and 1 or nil] = 1 end end))

-- files
local name = os.tmpname()
local f = assert(io.open(name, "w"))
local o = { n = 0 }
for i = 1, N do
  o.n = o.n + i
  f:write(i, " ", i / 2, "\n", "text ", o.n, "\n")
  o.n = o.n + 1
end
print(f:seek("cur") > 0, io.type(f), f:close(), io.type(f))
local lines, bytes = 0, 0
for line in io.lines(name) do
  lines = lines + 1
  bytes = bytes + #line
end
print(lines, bytes)
for a, b in io.lines(name, "n", "l") do
  lines = lines + a // 1
  bytes = bytes + #b
  if a > 40 then break end
  io.read(0)
end
print(lines)
f = assert(io.open(name))
for i = 1, N do
  local x, y = f:read("n", "n")
  local rest, line = f:read("L", "l")
  o.n = o.n + x + y + #rest + #line
end
print(o.n, f:read("a"), f:read("l"))
for i = 1, N do
  f:seek("set", i % 20)
  s = s + #f:read(5)
end
print(s, tostring(f):match("^file %("))
f:close()
for i = 1, N do
  local ok, m = pcall(f.read, f)
  s = s + (ok and 1 or #m)
end
os.remove(name)
print(s)

-- userdata with metatables: fields by __index, and what there is not
local meta = getmetatable(f)
for i = 1, N do
  local w, nothing = io.stdout.write, io.stdout.nothing
  assert(w == meta.__index.write and nothing == (i == 101 and 5 or nil))
  if i == 100 then meta.__index.nothing = 5 end
  if i == 101 then assert(io.stdout.nothing == 5); meta.__index.nothing = nil end
end
meta.__add = function(a, b) return 7 end
meta.__len = function() return 9 end
meta.__lt = function() return true end
local out = io.stdout
for i = 1, N do
  s = s + (out + i) + (i + out) + #out + (out < i and 1 or 2)
end
meta.__add, meta.__len, meta.__lt = nil, nil, nil
print(s, pcall(function() return out + 1 end))
