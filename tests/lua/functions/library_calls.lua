-- Library functions with common, unusual and wrong arguments, with any number of results wanted.
local function show(...)
  local t = table.pack(...)
  for i = 1, t.n do
    local v = t[i]
    if type(v) == "number" then
      t[i] = math.type(v) .. " " .. string.format("%.17g", v)
      if v ~= v then t[i] = "nan" end
    elseif type(v) == "table" or type(v) == "function" then
      t[i] = type(v)
    else
      t[i] = tostring(v)
    end
  end
  print(t.n, table.concat(t, " | ", 1, t.n))
end

-- calls f with 0, 1, 2, 3 and all results wanted, and as a whole through pcall
local function try(f, ...)
  local ok, err = pcall(f, ...)
  if not ok then
    return print(false, err)
  end
  f(...)
  local a <const> = f(...)
  local b, c = f(...)
  local d, e, g, h = f(...)
  show(a)
  show(b, c)
  show(d, e, g, h)
  show(f(...))
  show((f(...)))
  show(f(...), "x")
end

local inf, nan = math.huge, 0 / 0
local numbers = {
  0, 1, -1, 2, 7, -7, math.maxinteger, math.mininteger, 0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 2.5,
  1e15 + 0.5, -1e15 - 0.5, 2 ^ 52, 2 ^ 53, 2 ^ 61, 2 ^ 62, 2 ^ 63, -2 ^ 62, -2 ^ 63, 1e100, -1e100, inf, -inf, nan,
  4611686018427387903.0, 5e-324, -5e-324,
}

print("-- rounding")
for _, f in ipairs { math.floor, math.ceil, math.abs, math.sqrt } do
  for _, x in ipairs(numbers) do
    show(x, f(x))
  end
  try(f, 2.25)
  try(f, "10.5")
  try(f, 3, "more")
  try(f)
  try(f, nil)
  try(f, "x")
  try(f, {})
end

print("-- max and min")
for _, f in ipairs { math.max, math.min } do
  for _, x in ipairs { 1, -3, 2.5, -0.0, 0.0, 0, inf, nan, math.mininteger } do
    for _, y in ipairs { 1, -3, 2.5, -0.0, 0.0, 0, -inf, nan, math.maxinteger } do
      local r = f(x, y)
      show(x, y, r, math.type(r) == "float" and 1 / r or 0)
    end
  end
  try(f, 3)
  try(f, 1, 2)
  try(f, 2.5, 1.5)
  try(f, 1, 2, 3)
  try(f)
  try(f, "2", 1)
  try(f, 1, "x")
  try(f, 1, nil)
end

print("-- byte, char, len, sub")
local long = ("abcdefghij"):rep(300)
for _, s in ipairs { "", "a", "abc", "\0\xff", long } do
  for _, i in ipairs { 0, 1, 2, 3, 4, -1, -2, -3, -4, 3000, -3000, math.maxinteger, math.mininteger } do
    show(i, string.byte(s, i))
    show(#string.sub(s, i), (s:byte(i)))
    for _, j in ipairs { 0, 1, 2, -1, -2, 1030, -3001, math.maxinteger, math.mininteger } do
      show(i, j, #string.sub(s, i, j), (string.format("%q", string.sub(s, i, j):sub(1, 12)):gsub("\xff", "?")))
    end
  end
end
try(string.byte, "abc")
try(string.byte, "abc", 2)
try(string.byte, "abc", "2")
try(string.byte, "abc", 2.0)
try(string.byte, "abc", nil)
try(string.byte, "abc", 2.5)
try(string.byte, "abc", 1, 3)
try(string.byte, "abc", 9)
try(string.byte, 123, 2)
try(string.byte)
try(string.byte, {})
try(string.char)
try(string.char, 65)
print(string.byte(string.char(0, 255, 10), 1, -1))
try(string.char, 65.0, "66")
try(string.char, 65, 66, 67, 68, 69, 70, 71, 72, 73)
try(string.char, 256)
try(string.char, -1)
try(string.char, 1.5)
try(string.len, "abc")
try(string.len, "")
try(string.len, 12.5)
try(string.len)
try(string.len, nil)
try(string.sub, "hello", 2)
try(string.sub, "hello", 2, 3)
try(string.sub, "hello", 2.0, "4")
try(string.sub, "hello", 2, nil)
try(string.sub, 12345, 2, 3)
try(string.sub, "hello")
try(string.sub)
try(string.sub, "hello", {})
try(string.sub, "hello", 1, 1.5)

print("-- type, select, assert")
for _, v in ipairs { 1, 1.5, "s", "", true, false, {}, print, function() end, coroutine.create(print), io.stdout } do
  show(type(v))
end
try(type, nil)
try(type, nil, 1)
try(type)
try(select, "#")
try(select, "#", nil, nil)
try(select, "#x", 1)
try(select, 1)
try(select, 1, "a", "b", "c")
try(select, 2, "a", "b", "c")
try(select, 3, "a", nil, nil)
try(select, 4, "a", "b", "c")
try(select, math.maxinteger, "a")
try(select, -1, "a", "b", "c")
try(select, -3, "a", "b", "c")
try(select, -4, "a", "b", "c")
try(select, 0, "a")
try(select, "2", "a", "b")
try(select, 2.0, "a", "b")
try(select, 1.5, "a", "b")
try(select, "")
try(select)
try(assert, true)
try(assert, 1, 2, 3)
try(assert, 0)
try(assert, nil)
try(assert, false, "message")
print(type(select(2, pcall(assert, nil, { 1 }))))
try(assert)
try(assert, false, nil)

print("-- tonumber, tostring")
try(tonumber, 1)
try(tonumber, 1.5)
try(tonumber, "0x10")
try(tonumber, "z", 36)
try(tonumber, 1, nil)
try(tonumber, nil)
try(tonumber)
try(tonumber, 10, 16)
try(tostring, "s")
try(tostring, 12)
try(tostring, -0.0)
try(tostring, 1e300)
try(tostring, true)
try(tostring, nil)
try(tostring)
local sm = getmetatable("")
sm.__tostring = function(s) return "<" .. #s .. ">" end
try(tostring, "abc")
sm.__tostring = nil
try(tostring, "abc")
debug.setmetatable(1, { __tostring = function() return "number" end, __index = math })
try(tostring, 1)
try(tostring, 1.5)
debug.setmetatable(1, nil)
try(tostring, 1)

print("-- metatables")
local mt, protected = { __index = {} }, { __metatable = "locked" }
local t = setmetatable({}, mt)
print(getmetatable(t) == mt, getmetatable({}), getmetatable("").__index == string, getmetatable(1))
print(setmetatable(t, nil) == t, getmetatable(t))
setmetatable(t, protected)
print(getmetatable(t), pcall(setmetatable, t, nil))
print(pcall(setmetatable, t, mt))
protected.__metatable = nil
print(getmetatable(t) == protected, setmetatable(t, mt) == t)
protected.__metatable = false
setmetatable(t, protected)
print(getmetatable(t), pcall(setmetatable, t, nil))
try(getmetatable)
try(setmetatable)
try(setmetatable, {})
try(setmetatable, 1, {})
try(setmetatable, {}, 1)
try(setmetatable, {}, {}, 1)

print("-- raw access")
local r = setmetatable({ 10, 20, x = 30 }, { __index = function() return "index" end, __len = function() return 99 end,
  __eq = function() return true end })
print(rawget(r, 1), rawget(r, 3), rawget(r, "x"), rawget(r, "y"), rawget(r, nil), rawget(r, nan), rawget(r, 2.0))
print(rawlen(r), rawlen("abc"), rawequal(r, setmetatable({}, getmetatable(r))), rawequal(r, r))
print(rawequal(1, 1.0), rawequal("a", "a"), rawequal(nil, nil), rawequal(nil, false))
try(rawget, {})
try(rawget)
try(rawget, 1, 2)
try(rawlen, {})
try(rawlen, 1)
try(rawlen)
try(rawequal, 1)
try(rawequal)
try(rawequal, 1, 1, 2)

print("-- next, pairs, ipairs")
try(next, {})
try(next, { 1, 2 })
try(next, { 1, 2 }, 1)
try(next, { 1, 2 }, 2)
try(next, { 1, 2 }, 3)
try(next, { x = 1 }, "x")
try(next, { x = 1 }, "y")
try(next, { 1, x = 1 }, 1)
try(next, {}, nan)
try(next)
try(next, 1)
try(pairs, {})
try(pairs)
try(pairs, nil)
try(ipairs, {})
try(ipairs, 1)
try(ipairs)
local p = setmetatable({}, { __pairs = function(x) return function(_, k) if not k then return 1, 2 end end, x, nil end })
for k, v in pairs(p) do print(k, v) end

print("-- insert, remove")
local q = {}
for i = 1, 20 do table.insert(q, i) end
print(#q, table.concat(q, ","))
for _ = 1, 15 do io.write(tostring(table.remove(q)), " ") end
print(#q, table.remove(q, 1), table.concat(q, ","))
table.insert(q, 2, "two")
table.insert(q, nil)
print(#q, q[2])
print(table.remove({}), table.remove({}, 0), table.remove({ [0] = "zero" }))
local log = setmetatable({}, { __newindex = function(x, k, v) print("set", k, v); rawset(x, k, v) end,
  __len = function() return 4 end })
table.insert(log, "v")
print(table.remove(log))
try(table.insert)
try(table.insert, {})
try(table.insert, 1, 2)
try(table.insert, {}, 1, 2, 3)
try(table.insert, {}, 5, 2)
try(table.remove, 1)
print((pcall(table.remove, { 1, 2, 3 }, 7)))
