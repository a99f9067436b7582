-- group: library
-- Hardly anything but calls of library functions, many kinds of them in one loop body.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(150000 * scale)
local floor, max, min, abs, sqrt, fmod, huge = math.floor, math.max, math.min, math.abs, math.sqrt, math.fmod, math.huge
local insert, remove, concat = table.insert, table.remove, table.concat

local stack, check = {}, 0
for i = 1, rounds do
  local s = tostring(i)
  local r = s:rep(2):reverse()
  local n = tonumber(r:sub(1, 4)) or 0
  local c = string.char(s:byte(1, -1))
  insert(stack, c:upper() .. r:len())
  if #stack > 8 then
    n = n + #concat(stack, ",") + #remove(stack) + #remove(stack, 1)
  end
  n = n + max(n, i % 100, 7) - min(i % 9, 4, n) + floor(sqrt(abs(n - i)))
  n = n + floor(fmod(i, 13)) + (n < huge and 1 or 0)
  if type(c) == "string" and rawequal(c, s) and select("#", s, r, c) == 3 then
    n = n + #rawget(stack, 1) + (next(stack) or 0)
  end
  local _, last = s:find(r:sub(-1), 1, true)
  check = (check + n + (last or 0)) % 1000003
end
print(string.format("library %d %d", check, #stack))
