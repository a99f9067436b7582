-- Library functions that traces call as they are, knowing afterwards what they knew before: what those may change, they must see.
local N = 200

-- results of many types, arguments plain and odd
local out = {}
for i = 1, N do
  local a = string.format("%-5s|%5.1f|%q|%x", "k" .. i, i / 4, "a\nb", i)
  local b = string.rep("ab", i % 5, "-")
  local c, d = utf8.offset("aäöü€x", i % 5 + 1), utf8.char(64 + i % 20, 228)
  local e = os.time() > 0 and os.clock() >= 0 and #os.date("%Y-%m-%d") == 10
  local f = select("#", utf8.codepoint("äöü", 1, -1)) + #tostring(i % 3 == 0 and nil or i)
  out[#out + 1] = table.concat({ a, b, tostring(c), d, tostring(e), f }, " ")
end
print(out[1], out[7], out[N])

-- tables stay what they are known to be
local o = { x = 0, list = { 1, 2, 3 } }
for i = 1, N do
  o.x = o.x + o.list[i % 3 + 1]
  io.write("")
  o.x = o.x + #o.list
  o.list[i % 3 + 1] = i
  local _ = os.getenv("no such variable") or io.type(o)
  o.x = o.x + o.list[i % 3 + 1]
end
print(o.x)

-- but not across Lua code that runs inside: finalizers
local hits = 0
for i = 1, N // 4 do
  local before, n = o.x, #o.list
  setmetatable({}, {
    __gc = function()
      hits = hits + 1
      o.x = before + 1000
      o.list = { 1, 2, 3, i, [7] = i % 3 == 0 and "x" or nil }
      if i % 5 == 0 then o.y = i end
    end,
  })
  collectgarbage()
  o.x = o.x + #o.list - n
  assert(o.x >= before + 1000)
end
print(o.x, hits, o.y, #o.list)

-- nor those that have metatables
local mt = { __tostring = function(t) t.n = t.n + 1 return "T" .. t.n end, __name = "Named" }
local t = setmetatable({ n = 0 }, mt)
local s = 0
for i = 1, N do
  local before = t.n
  local text = i % 2 == 0 and string.format("%s", t) or tostring(t)
  s = s + #text + t.n - before
end
print(s, t.n)
for i = 1, N do
  local v = i > N // 2 and t or "text"
  local before = t.n
  s = s + #string.format("%5s|", v) + t.n - before
end
print(s, t.n)
local calls = 0
local stringmeta = getmetatable("")
for i = 1, N do
  if i == N // 2 then
    stringmeta.__tostring = function(x) calls = calls + 1 return "<" .. x .. ">" end
  end
  local before = calls
  s = s + #string.format("%s", "x" .. i % 7) + calls - before
end
stringmeta.__tostring = nil
print(s, calls)

-- gsub: what replaces decides
local seen = 0
local function count(x) seen = seen + 1 return x:upper() end
for i = 1, N do
  local before = seen
  local r = i % 3 == 0 and count or i % 3 == 1 and "%0%0" or { a = "1" }
  s = s + #(("abcabc"):gsub("%a", r)) + seen - before
end
print(s, seen)

-- errors out of them
local fails = 0
for i = 1, N do
  local ok, e = pcall(function(x) o.x = i return utf8.offset("abc", 1, x) + o.x end, i % 20 == 0 and 10 or 1)
  if not ok then fails = fails + 1 s = s + #e else s = s + e end
end
print(s, fails)

-- stack slots: results that are more or fewer than wanted
for i = 1, N do
  local a, b, c = utf8.codepoint("äöü", 1, i % 6 // 2 * 2 + 1)
  s = s + a + (b or 0) + (c or 0)
  s = s + select("#", string.byte("abcdefghijklmnop", 1, i % 17)) + math.max(string.byte("xyzxyzxyzxyz", 1, 1 + i % 12))
end
print(s)
