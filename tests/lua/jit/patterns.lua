-- Functions of patterns in compiled loops: plain and odd arguments, errors in mid-loop, the iterator of gmatch.

-- gmatch as iterator of the hot loop, with captures of both kinds
local text = ("key%d=value%d; "):rep(40):gsub("%%d", function() return "7" end)
local n, sum = 0, 0
for k, p, v in text:gmatch("(%w+)()=(%w+)") do
  n = n + 1
  sum = sum + p
  assert(k == "key7" and v == "value7")
end
print(n, sum)

-- in an inner loop, over subjects of several lengths; wanted results more and fewer than there are
local total = 0
for i = 1, 60 do
  local s = ("word "):rep(i % 7)
  for w, none in s:gmatch("%a+") do
    assert(none == nil)
    total = total + #w
  end
  for a in s:gmatch("(w)(o)") do
    total = total + #a
  end
end
print(total)

-- empty matches, and an anchor that is none in gmatch
local out = {}
for i = 1, 50 do
  local r = {}
  for m in ("abc"):gmatch("x*") do
    r[#r + 1] = "<" .. m .. ">"
  end
  for m in ("^a^a"):gmatch("^a") do
    r[#r + 1] = m
  end
  out[i] = table.concat(r)
end
print(out[1], out[50])

-- the iterator called directly, and exhausted
local found = 0
for i = 1, 50 do
  local f = ("a1b22"):gmatch("%d+")
  local a, b, c = f(), f(), f()
  found = found + #a + #b + (c == nil and 1 or 0)
end
print(found)

-- two iterators through one loop, then a Lua function and pairs
local function drain(f, s, k)
  local count = 0
  for x in f, s, k do
    count = count + 1
  end
  return count
end
local counts = 0
for i = 1, 30 do
  counts = counts + drain(("a b c"):gmatch("%a"))
  counts = counts + drain(("10 20"):gmatch("%d+"))
end
counts = counts + drain(pairs({ 1, 2, x = 3 }))
local left = 3
counts = counts + drain(function()
  left = left - 1
  return left > 0 and left or nil
end)
print(counts)

-- find and match: results wanted, positions, init, anchors
local acc = {}
for i = 1, 60 do
  local s = "item" .. i .. ": " .. i * 3
  local a, b = s:find("%d+")
  local c, d, e = s:find("(%d+)$")
  local name, value = s:match("^(%a+)%d+:%s*(%d+)$")
  local nothing = s:match("^%d")
  local whole = s:match("%d+", -2)
  local pos = s:match("()%d")
  local far = s:find("%a", 100)
  acc[i] = table.concat({ a, b, c, d, e, name, value, tostring(nothing), whole, pos, tostring(far) }, ",")
end
print(acc[1], acc[10], acc[60])

-- all results
local function pack2(...)
  return select("#", ...), ...
end
for i = 1, 50 do
  local n1, a, b = pack2(("k=v"):match("(%w)=(%w)"))
  local n2, c = pack2(("k=v"):find("(%w)=(%w)"))
  local n3 = pack2(("k=v"):match("x"))
  assert(n1 == 2 and a == "k" and b == "v" and n2 == 4 and c == 1 and n3 == 1)
end

-- results that come and go
local hits = 0
for i = 1, 100 do
  local y, m = ("date " .. (i % 3 == 0 and "2020-1" or "none")):match("(%d+)-(%d+)")
  if y then
    hits = hits + y + m
  end
end
print(hits)

-- patterns that change in the loop; plain and not
local pats = { "a", "%a", "[b-d]", "z", ".-c", "%d" }
local where = 0
for i = 1, 120 do
  where = where + (("abcd"):find(pats[i % #pats + 1]) or 100)
end
print(where)
where = 0
for i = 1, 100 do
  where = where + (("a.c"):find(".", 1, i % 2 == 0) or 0)
end
print(where)

-- numbers in place of texts
local digits = 0
for i = 1, 60 do
  digits = digits + #string.match(i * 37, "%d+") + (string.find(i, 1) or 0)
end
print(digits)

-- gsub: text, %-items, tables, functions, counts
local map = { a = "1", b = 2, c = false, d = 2.5 }
local res
for i = 1, 80 do
  local s1, n1 = ("hello world"):gsub("o", "0")
  local s2, n2 = ("hello world"):gsub("(%w+)", "<%1>", 1)
  local s3 = ("abc"):gsub("%w", "%0%0")
  local s4, n4 = ("abcde"):gsub("%a", map)
  local s5 = ("abc"):gsub("b", function(x) return x .. i end)
  local s6, n6 = ("abc"):gsub("", "-")
  local s7, n7 = ("abc"):gsub("z", "y")
  local s8 = ("abc"):gsub("^a", "%%")
  local s9 = ("abc"):gsub("()", "%1")
  res = table.concat({ s1, n1, s2, n2, s3, s4, n4, s5, s6, n6, s7, n7, s8, s9 }, " ")
end
print(res)

-- a table gets a metatable in mid-loop
local defaults = {}
local lookups = 0
for i = 1, 60 do
  if i == 40 then
    setmetatable(defaults, { __index = function(_, k) lookups = lookups + 1; return k:upper() end })
  end
  res = ("xyz"):gsub("%w", defaults)
end
print(res, lookups)

-- tables behind tables, which change in mid-loop: values, false, keys that are captures, a function, a loop, no table
do
  local last = { x = "X", y = 2, z = false }
  local mt = { __index = setmetatable({ y = "Y" }, { __index = last }) }
  local t = setmetatable({ [1] = "one" }, mt)
  local seen = {}
  for i = 1, 120 do
    if i == 20 then last.z = "Z" end
    if i == 40 then mt.__index = last end
    if i == 60 then mt.__index = function(_, k) return k .. i end end
    if i == 63 then mt.__index = nil end
    if i == 80 then mt.__index = last setmetatable(last, { __index = t }) end
    if i == 100 then setmetatable(last, { __index = 5 }) end
    if i == 110 then setmetatable(last, nil) last.w = {} end
    local ok, r, n = pcall(string.gsub, "wxyz", "%a", t)
    r = ok and r .. n or r:gsub("^.-:%d+: ", "")
    if seen[#seen] ~= r then seen[#seen + 1] = r end
  end
  print(table.concat(seen, "; "))
  for i = 1, 30 do
    res = ("abc"):gsub("()", setmetatable({ [1] = "one" }, { __index = { [2] = "two", [4] = 4 } }))
  end
  print(res)
end

-- errors in mid-loop
local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or e
end
local messages = {}
for _, p in ipairs({ "%a", "[a", "(a", "a%", "%f", "%b", "%2", "a)" }) do
  messages[#messages + 1] = try(function()
    local r = 0
    for i = 1, 40 do
      local pat = i < 35 and "%a" or p
      r = r + (("abc"):find(pat) or 0)
    end
    return r
  end)
end
print(table.concat(messages, "|"))
print(try(function()
  for i = 1, 40 do
    local r = i < 30 and "x" or "%2"
    res = ("abc"):gsub("(b)", r)
  end
end))
print(try(function()
  for i = 1, 40 do
    map.b = i < 30 and "x" or {}
    res = ("abc"):gsub("%a", map)
  end
end))
print(try(function()
  local s = ("a"):rep(300000)
  for i = 1, 40 do
    res = s:match(i < 39 and "b" or ".-b")
    if i == 38 then
      s = ("a"):rep(250) .. "c"
    end
  end
  return #s
end))
print(try(function()
  for i = 1, 40 do
    for a in ("a b"):gmatch(i < 38 and "%a" or "[") do
      res = a
    end
  end
end))

-- more captures than compiled code takes
local many = ("(.)"):rep(20)
local letters = 0
for i = 1, 40 do
  local t = { ("abcdefghijklmnopqrstuvwxyz"):match(many) }
  letters = letters + #t
  local a, b, c = ("abcdefghijklmnopqrstuvwxyz"):match(many)
  letters = letters + #(a .. b .. c)
end
print(letters)

-- long results
local long = 0
for i = 1, 30 do
  local s = ("word%d "):rep(i * 20)
  local r, n = s:gsub("%%d", "!")
  long = long + #r + n + #s:match("^.*$")
end
print(long)
