-- group: strings
-- table.concat over lists of strings and numbers, with and without separators and ranges.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(960 * scale)

local words = {}
for i = 1, 6000 do
  words[i] = i % 3 == 0 and i or "item" .. i % 97
end
local total, sum = 0, 0
for round = 1, rounds do
  words[round] = "r" .. round
  local plain = table.concat(words)
  local comma = table.concat(words, ", ")
  local slice = table.concat(words, "-", round, round + 900)
  total = total + #plain + #comma + #slice
  sum = (sum * 33 + plain:byte(round) + comma:byte(-round) + slice:byte(round + 5)) % 65521
end
print(string.format("concat %d %d", total, sum))
