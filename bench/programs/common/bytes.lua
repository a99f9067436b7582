-- group: strings
-- string.byte, string.char and string.sub in loops: a cipher, Adler-32 and a palindrome count.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(480 * scale)
local byte, char, sub = string.byte, string.char, string.sub

local pieces = {}
for i = 1, 5000 do
  pieces[i] = char(97 + i * i % 26)
end
local text = table.concat(pieces)

local function shift(s, by)
  local out = {}
  for i = 1, #s do
    local c = byte(s, i)
    out[i] = char((c - 97 + by) % 26 + 97)
  end
  return table.concat(out)
end

local function adler(s)
  local a, b = 1, 0
  for i = 1, #s do
    a = (a + byte(s, i)) % 65521
    b = (b + a) % 65521
  end
  return b * 65536 + a
end

local function palindromes(s, width)
  local count = 0
  for i = 1, #s - width do
    if sub(s, i, i) == sub(s, i + width, i + width) and sub(s, i + 1, i + 1) == sub(s, i + width - 1, i + width - 1) then
      count = count + 1
    end
  end
  return count
end

local check, count = 0, 0
for i = 1, rounds do
  text = shift(text, i % 25 + 1)
  check = (check * 3 + adler(text)) % 4294967291
  count = count + palindromes(text, 3 + i % 4)
end
print(string.format("bytes %.0f %d", check, count))
