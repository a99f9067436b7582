-- string.pack, string.unpack and string.packsize: formats, sizes, endianness, alignment.
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
local function show(fmt, ...)
  local s = string.pack(fmt, ...)
  print(fmt, hex(s), string.unpack(fmt, s))
end
show("b", -1) show("B", 255) show("<h", -2) show(">h", -2) show("<H", 65534) show("<i", -3) show(">I", 7)
show("<l", -4) show(">L", 5) show("<j", math.mininteger) show(">J", -1) show("<T", 9)
show("<i1", -128) show("<i3", -70000) show(">I3", 70000) show("<i5", 1 << 38) show("<I7", 1 << 55) show("<i16", -2) show(">i16", 5) show("<I16", 3)
show("<f", 1.5) show(">f", -0.5) show("<d", 0.1) show(">n", 1e300)
show("z", "hello") show("s1", "abc") show("<s2", "abc") show(">s4", "xyz") show("<s", "") show("c5", "abc") show("c3", "abc")
show("<i1i2i4", 1, 2, 3) show("<!i1i2i4i8", 1, 2, 3, 4) show("<!4i1i8", 1, 2) show("<!2 i1 i4", 1, 2) show(">!8b Xh i4 i8 c1 Xi8", -12, 100, 200, "x")
show("=I4", 1) show("<I2 >I2 =I1", 1, 1, 1) show("<bxbxx", 1, 2) show("", nil) show("  <  i2  ", 258)
show("<!1 b Xi8 b", 1, 2)
print(string.packsize("b"), string.packsize("<i3"), string.packsize("!8 b i8"), string.packsize("c10"), string.packsize("<i1!2i4"), string.packsize("bhijlT"), string.packsize("fdn"))
print(string.unpack("<i2", "\1\0\2\0", 3), string.unpack("z", "ab\0cd\0", 4), string.unpack("<I1I1I1", "\1\2\3"))
print(string.unpack("<i2", "xx\1\0", -2), string.unpack("", "abc", 4), pcall(string.unpack, "b", "abc", 5))
print(string.unpack("<i8", string.pack("<i8", math.maxinteger)), string.unpack("<i9", string.pack("<i9", -1)))
local s = string.pack("<I4 s1 z d", 0xDEADBEEF, "counted", "zero", 2.5)
print(#s, string.unpack("<I4 s1 z d", s))
print(string.pack("z", "a") .. string.pack("b", 7) == "a\0\7", string.pack(">I2", 0x4142), string.pack("<I2", 0x4142))
for i = 1, 16 do
  local v = i <= 8 and (1 << (i * 8 - 2)) or math.maxinteger
  local little, big = string.pack("<i" .. i, -v), string.pack(">i" .. i, -v)
  io.write(i, " ", tostring(little == big:reverse()), " ", tostring(string.unpack("<i" .. i, little) == -v), i % 4 == 0 and "\n" or "; ")
end
