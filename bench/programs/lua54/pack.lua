-- group: integers
-- Records written and read with string.pack and string.unpack in several formats.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(500000 * scale)
local pack, unpack = string.pack, string.unpack

local check, bytes = 0, 0
for i = 1, rounds do
  local record = pack("<I2 i4 i8 d s1 B", i & 0xFFFF, -i, i * 0x10001, i / 4, "name" .. i % 100, i & 0xFF)
  bytes = bytes + #record
  local a, b, c, d, s, e = unpack("<I2 i4 i8 d s1 B", record)
  check = (check * 31 + a + b + c + #s + e + d // 1 | 0) % 1000000007
  local big = pack(">I3 z j", i & 0xFFFFFF, s, ~i)
  local f, z, g, after = unpack(">I3 z j", big)
  check = check ~ f ~ g ~ #z ~ after
end
print(string.format("pack %d %d", check, bytes))
