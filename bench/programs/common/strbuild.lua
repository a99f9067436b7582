-- group: strings
-- Strings built piece by piece with the concatenation operator, then used as table keys.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(230 * scale)

local check = 0
for round = 1, rounds do
  local s = ""
  for i = 1, 1200 do
    s = s .. (i % 10) .. ","
  end
  local keys = {}
  for i = 1, 1200 do
    keys["k" .. i .. "/" .. (i + round) % 50] = i
  end
  local found = 0
  for i = 1, 1200 do
    if keys["k" .. i .. "/" .. i % 50] then
      found = found + 1
    end
  end
  check = (check * 17 + #s + found) % 1000003
end
print(string.format("strbuild %d", check))
