-- group: strings
-- A scanner for a small language: character classes by byte, names interned through a table.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(480 * scale)
local byte, sub = string.byte, string.sub

local lines = {}
for i = 1, 120 do
  lines[#lines + 1] = "let value_" .. i .. " = (alpha" .. i % 7 .. " + " .. i * 3 .. ") * 0.5; -- note " .. i
  lines[#lines + 1] = 'if value_' .. i .. ' >= limit then call("text ' .. i .. '", beta) end'
end
local source = table.concat(lines, "\n")

local keywords = { let = true, ["if"] = true, ["then"] = true, ["end"] = true, call = true }
local letter, digit, space = {}, {}, { [32] = true, [10] = true, [9] = true }
for c = 97, 122 do
  letter[c], letter[c - 32] = true, true
end
letter[95] = true
for c = 48, 57 do
  digit[c] = true
end

local function scan(text)
  local kinds = { name = 0, keyword = 0, number = 0, string = 0, operator = 0, comment = 0 }
  local names, distinct = {}, 0
  local at, size = 1, #text
  while at <= size do
    local c = byte(text, at)
    local start = at
    if space[c] then
      at = at + 1
    elseif letter[c] then
      repeat
        at = at + 1
        c = byte(text, at)
      until not (letter[c] or digit[c])
      local word = sub(text, start, at - 1)
      if keywords[word] then
        kinds.keyword = kinds.keyword + 1
      else
        kinds.name = kinds.name + 1
        if not names[word] then
          distinct = distinct + 1
          names[word] = distinct
        end
      end
    elseif digit[c] then
      repeat
        at = at + 1
        c = byte(text, at)
      until not (digit[c] or c == 46)
      kinds.number = kinds.number + 1
    elseif c == 34 then
      repeat
        at = at + 1
        c = byte(text, at)
      until c == 34
      at = at + 1
      kinds.string = kinds.string + 1
    elseif c == 45 and byte(text, at + 1) == 45 then
      repeat
        at = at + 1
        c = byte(text, at)
      until c == 10 or not c
      kinds.comment = kinds.comment + 1
    else
      at = at + 1
      if (c == 60 or c == 61 or c == 62) and byte(text, at) == 61 then
        at = at + 1
      end
      kinds.operator = kinds.operator + 1
    end
  end
  return kinds, distinct
end

-- a missing byte at the end of the text indexes these tables with nil
local none = {
  __index = function()
    return false
  end,
}
setmetatable(letter, none)
setmetatable(digit, none)

local kinds, distinct
for i = 1, rounds do
  kinds, distinct = scan(source .. "\nlet extra" .. i .. " = 1;")
end
print(
  string.format(
    "lexer %d %d %d %d %d %d %d",
    kinds.name,
    kinds.keyword,
    kinds.number,
    kinds.string,
    kinds.operator,
    kinds.comment,
    distinct
  )
)
