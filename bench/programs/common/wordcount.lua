-- group: tables
-- Counting words of a generated text in a string-keyed table, then ranking them.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(130 * scale)

local syllables = { "ka", "lo", "mi", "ne", "ru", "sa", "ti", "vo", "xe", "zu", "ba", "do" }
local seed = 2024
local function random(limit)
  seed = (seed * 16807) % 2147483647
  return seed % limit + 1
end

local parts = {}
for i = 1, 20000 do
  local word = syllables[random(12)] .. syllables[random(random(12))]
  if random(3) == 1 then
    word = word .. syllables[random(random(12))]
  end
  parts[i] = word
end
local text = table.concat(parts, " ")

local top, distinct
for _ = 1, rounds do
  local counts = {}
  for word in text:gmatch("%a+") do
    counts[word] = (counts[word] or 0) + 1
  end
  local words = {}
  for word in pairs(counts) do
    words[#words + 1] = word
  end
  table.sort(words, function(a, b)
    if counts[a] ~= counts[b] then
      return counts[a] > counts[b]
    end
    return a < b
  end)
  distinct = #words
  top = string.format("%s=%d %s=%d", words[1], counts[words[1]], words[distinct], counts[words[distinct]])
end
print(string.format("wordcount %d %s", distinct, top))
