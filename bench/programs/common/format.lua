-- group: strings
-- string.format with the common conversions, tostring and tonumber round trips.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(320000 * scale)
local format = string.format

local length, sum = 0, 0
for i = 1, rounds do
  local a = format("%d:%5d|%-8s|%05.2f", i, i % 1000, "id" .. i % 100, i / 8)
  local b = format("%x %s %q %c", i, i % 2 == 0 and "even" or "odd", "say \"hi\"", 65 + i % 26)
  local c = format("%.3f %g %%", i / 3, i / 4)
  length = length + #a + #b + #c
  sum = (sum + tonumber(format("%d", i * 3))) % 1000003
end
print(string.format("format %d %d", length, sum))
