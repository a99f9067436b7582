-- string.pack, unpack, packsize, utf8.codes in compiled loops, plain and odd.
local N = 150
local pack, unpack = string.pack, string.unpack
local function hex(s) return (s:gsub(".", function(c) return string.format("%02x", c:byte()) end)) end

local s = 0
for i = 1, N do
  local a = pack("<I2 i4 i8 d s1 B", i & 0xFFFF, -i, i * 0x10001, i / 4, "name" .. i % 7, i & 0xFF)
  local b, c, d, e, f, g, at = unpack("<I2 i4 i8 d s1 B", a)
  assert(b == i & 0xFFFF and c == -i and d == i * 0x10001 and e == i / 4 and f == "name" .. i % 7 and g == i & 0xFF and at == #a + 1)
  local big = pack(">I3 z j x n", i * 1000 & 0xFFFFFF, f, ~i, i + 0.5)
  local h, z, j, n, after = unpack(">I3 z j x n", big)
  s = s + h + #z + j + n + after
  local f4 = unpack("<f", pack("<f", i / 3))
  s = s + f4
  s = s + string.packsize("<i3 I7 d f b x") + string.packsize("!8 b d")
  if i % 50 == 0 then print(hex(a), hex(big)) end
end
print(s)

-- arguments of other types, at the limits, beyond them
local function try(f, ...)
  local ok, a, b = pcall(f, ...)
  return ok and (type(a) == "string" and hex(a) or tostring(a)) .. "," .. tostring(b) or a
end
local values = { 127, -128, 128, -129, 255, 256, 0, 3.0, 3.5, "12", "x", 2^53, math.mininteger }
for _, form in ipairs({ "b", "B", "<h", ">I2", "<i3", ">i7", "j", "<I8", "d", "<f", "s1", "z", "c3", "!4i4", "<i16" }) do
  local out = {}
  for r = 1, 3 do
    for k, v in ipairs(values) do
      local text = try(pack, form, v)
      if r == 1 then out[k] = text else assert(out[k] == text) end
    end
  end
  print(form, table.concat(out, " "))
end
for i = 1, N do
  local ok, m = pcall(pack, "<I1", i * 2)
  s = s + (ok and #m or #m * 2)
  ok, m = pcall(pack, "z", i % 10 == 0 and "a\0b" or "ab")
  s = s + (ok and #m or #m * 2)
  ok, m = pcall(pack, "s1", ("x"):rep(i * 2))
  s = s + (ok and #m or #m * 2)
end
print(s)

-- positions, data that are too short
local data = pack("<i4 s2 z i2", 100000, "hello", "zero", -5)
for i = 1, N do
  local ok, a, b, c, d, e = pcall(unpack, "<i4 s2 z i2", data:sub(1, #data - (i % 10 == 0 and i // 10 or 0)))
  s = s + (ok and a + #b + #c + d + e or #a)
  local x, at = unpack("<i4", data, 1)
  local y, at2 = unpack("<s2", data, at)
  local t, at3 = unpack("z", data, at2)
  s = s + x + #y + #t + unpack("<i2", data, at3)
  local p = i % 20 - 5
  ok, a, b = pcall(unpack, "B", data, p)
  s = s + (ok and a + b or #a)
end
print(s)
for i = 1, N do
  local ok, m = pcall(unpack, i % 3 == 0 and "<s8" or "<s1", "\255\255\255\255\255\255\255\255")
  s = s + (ok and 1 or #m)
  local w = { unpack("<i1 i2 i3", "\255\255\255\1\2\3") }
  s = s + #w + w[1] + w[3]
  local one = unpack("<I8", ("\255"):rep(8))
  s = s + one
  local v = unpack("<i" .. i % 8 + 1, "\1\2\3\4\5\6\7\8")
  s = s + v % 1000
end
print(s)

-- utf8
local texts = { "", "abc", "aäöü€😀z", ("ä€"):rep(50), "\u{7FFFFFFF}\u{200000}x" }
for r = 1, 30 do
  for k, t in ipairs(texts) do
    for at, c in utf8.codes(t, k == 5) do s = s + at * 3 + c end
    for at in utf8.codes(t, true) do s = s + at end
    for at, c, more in utf8.codes(t, true) do s = s + (more == nil and c % 7 or 0) end
  end
end
print(s)
for _, bad in ipairs({ "ab\xff", "a\xe4", "\u{D800}", "x\u{110000}" }) do
  for lax = 0, 1 do
    for r = 1, 20 do
      local n = 0
      local ok, m = pcall(function() for at, c in utf8.codes(bad, lax == 1) do n = n + at + c end end)
      s = s + n + (ok and 1 or #m)
    end
  end
end
print(s)
local f, state, zero = utf8.codes("aäb")
for i = -2, N do
  local ok, at, c = pcall(f, state, i % 6 - 1)
  s = s + (ok and (at or 0) + (c or 0) or #at)
end
print(s)
for i = 1, N do
  s = s + utf8.offset("aäöü€😀z", i % 7 + 1) + utf8.len("aäöü", 1, -1)
end
print(s)
