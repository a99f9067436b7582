-- group: strings
-- Edit distance between generated words: two rows, byte comparisons, minimum of three.
local scale = tonumber(arg and arg[1]) or 1
local count = math.floor(210 * math.sqrt(scale))
local byte = string.byte

local function distance(a, b)
  local n, m = #a, #b
  local previous, current = {}, {}
  for j = 0, m do
    previous[j] = j
  end
  for i = 1, n do
    current[0] = i
    local ca = byte(a, i)
    for j = 1, m do
      local best = previous[j - 1]
      if ca ~= byte(b, j) then
        local up, left = previous[j], current[j - 1]
        if up < best then
          best = up
        end
        if left < best then
          best = left
        end
        best = best + 1
      end
      current[j] = best
    end
    previous, current = current, previous
  end
  return previous[m]
end

local words, seed = {}, 11
for i = 1, count do
  local letters = {}
  for k = 1, 18 + i % 6 do
    seed = (seed * 16807) % 2147483647
    letters[k] = string.char(97 + seed % 6)
  end
  words[i] = table.concat(letters)
end
local total, least = 0, 100
for i = 1, count do
  for j = i + 1, count do
    local d = distance(words[i], words[j])
    total = total + d
    if d < least then
      least = d
    end
  end
end
print(string.format("editdistance %d %d", total, least))
