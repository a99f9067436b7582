-- group: branchy
-- State machines written with goto: nested continue, a hand-made regular expression, a retry loop.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1500 * scale)
local byte = string.byte

local parts = {}
for i = 1, 1200 do
  parts[i] = i % 4 == 0 and "ab" .. i or i % 4 == 1 and "abbbc" or i % 4 == 2 and "xyz" or "-" .. i .. ".5e" .. i % 9
end
local text = table.concat(parts, " ") .. " "

-- counts the words matching ab*c and the decimal numbers
local function count(s)
  local at, words, numbers = 1, 0, 0
  local c
  ::start::
  c = byte(s, at)
  at = at + 1
  if not c then
    return words, numbers
  elseif c == 97 then
    goto letters
  elseif c == 45 or (c >= 48 and c <= 57) then
    goto number
  elseif c == 32 then
    goto start
  end
  ::skip::
  c = byte(s, at)
  at = at + 1
  if c and c ~= 32 then
    goto skip
  end
  goto start
  ::letters::
  c = byte(s, at)
  at = at + 1
  if c == 98 then
    goto letters
  elseif c == 99 then
    words = words + 1
    goto start
  end
  goto skip
  ::number::
  c = byte(s, at)
  at = at + 1
  if c and (c == 46 or c == 101 or (c >= 48 and c <= 57)) then
    goto number
  end
  numbers = numbers + 1
  goto start
end

local words, numbers, kept = 0, 0, 0
for i = 1, rounds do
  local w, n = count(text)
  words, numbers = words + w, numbers + n
  for x = 1, 60 do
    if x % 3 == 0 then
      goto continue
    end
    for y = 1, 20 do
      if x * y % 7 == i % 7 then
        goto continue
      end
    end
    kept = kept + 1
    ::continue::
  end
end
print(string.format("gotos %d %d %d", words, numbers, kept))
