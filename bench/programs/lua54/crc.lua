-- group: integers
-- CRC-32 and CRC-64 by table over a generated text.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(60 * scale)
local byte = string.byte

local function make_table(poly)
  local t = {}
  for i = 0, 255 do
    local c = i
    for _ = 1, 8 do
      c = c & 1 == 1 and (c >> 1) ~ poly or c >> 1
    end
    t[i] = c
  end
  return t
end

local table32 = make_table(0xEDB88320)
local table64 = make_table(0xC96C5795D7870F42)

local function crc(s, t, initial)
  local c = initial
  for i = 1, #s do
    c = t[(c ~ byte(s, i)) & 0xFF] ~ (c >> 8)
  end
  return c ~ initial
end

assert(crc("123456789", table32, 0xFFFFFFFF) == 0xCBF43926)
local parts = {}
for i = 1, 9000 do
  parts[i] = tostring(i * i)
end
local text = table.concat(parts)
local a, b = 0, 0
for i = 1, rounds do
  a = (a * 31 + crc(text, table32, 0xFFFFFFFF) + i) & 0xFFFFFFFF
  b = b * 31 + crc(text, table64, -1) + i
end
print(string.format("crc %d %08x %016x", #text, a, b))
