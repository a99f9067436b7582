-- group: integers
-- Encoding, decoding, counting and slicing UTF-8 text.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(600 * scale)

local points = {}
for i = 1, 4000 do
  local kind = i % 5
  points[i] = kind == 0 and 0x1F300 + i % 200 or kind == 1 and 0x4E00 + i or kind == 2 and 0xC0 + i % 60 or 0x41 + i % 26
end
local check, total = 0, 0
for round = 1, rounds do
  local parts = {}
  for i = 1, #points do
    parts[i] = utf8.char(points[i])
  end
  local text = table.concat(parts)
  for _, c in utf8.codes(text) do
    check = (check * 3 + c) & 0xFFFFFFF
  end
  total = total + utf8.len(text)
  for k = 1, 200 do
    local at = utf8.offset(text, k * 19)
    check = check ~ utf8.codepoint(text, at)
  end
  for c in text:gmatch(utf8.charpattern) do
    total = total + #c
  end
  points[round] = points[round] + 1
end
print(string.format("utf8 %d %d", check, total))
