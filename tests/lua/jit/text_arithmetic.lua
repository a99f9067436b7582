-- Arithmetic with texts that are numbers: integers, floats, odd forms, both sides; texts that are none; the metamethods replaced.
local texts = { "10", "-3", "2.5", " 7 ", "0x10", "1e2", "0x.8p1", "9223372036854775807", "-9223372036854775808", "9223372036854775808" }
local function show(x) return math.type(x) .. " " .. tostring(x) end
local ops = {
  function(a, b) return a + b end, function(a, b) return a - b end, function(a, b) return a * b end, function(a, b) return a / b end,
  function(a, b) return a % b end, function(a, b) return a // b end, function(a, b) return a ^ 2 end, function(a) return -a end,
  function(a, b) return b + a end, function(a, b) return 3 - a end, function(a, b) return a + 0.5 end,
}
for k, op in ipairs(ops) do
  local out = {}
  for n, t in ipairs(texts) do
    local r
    for i = 1, 30 do r = op(t, i % 10 + 1) end
    out[n] = show(r)
  end
  print(k, table.concat(out, ", "))
end
local s = 0
for i = 1, 300 do
  local a, b = ("x=" .. i .. ",y=" .. i / 2):match("x=(%d+),y=([%d.]+)")
  s = s + a * b - (i % 3 == 0 and "1" or "1.5") + -"2" + "4" * "5"
end
print(show(s))
-- types that change, texts that are no numbers
local mixed = { "1", 2, "3.5", 4.5, "0x5" }
s = 0
for i = 1, 300 do s = s + mixed[i % 5 + 1] * "2" end
print(show(s))
local function try(x) return x + 1 end
for i = 1, 60 do
  local ok, e = pcall(try, i % 20 == 0 and "x" .. i or i % 20 == 1 and {} or tostring(i))
  if not ok then print((e:gsub("^[^:]*:%d+: ", ""):gsub("0x%x+", "p"))) else s = s + e end
end
print(s)
for i = 1, 40 do
  local ok, e = pcall(function(x) return x % "0" end, "5")
  local ok, f = pcall(function(x) return x // "0" end, "5")
  if i == 40 then print((e:gsub("^.*: ", "")), (f:gsub("^.*: ", "")), "5" % "0.0" ~= "5" % "0.0", "5" // "0.0") end
end
-- other operands with metamethods, and a metatable of strings that changes
local M = setmetatable({}, { __add = function(a, b) return type(a) .. type(b) end })
local meta = getmetatable("")
local add = meta.__add
local out = {}
for i = 1, 120 do
  out[1], out[2] = "1" + M, M + "1"
  if i == 60 then meta.__add = function(a, b) return "new" end end
  if i == 90 then meta.__add = add end
  out[i % 30 + 3] = tostring("4" + i)
end
print(table.concat(out, " "))
