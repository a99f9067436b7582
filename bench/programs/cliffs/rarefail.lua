-- group: errors
-- A loop whose protected call fails one time in sixteen, from different depths and for different reasons.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1800000 * scale)

local function parse(v)
  if v % 16 == 3 then
    if v % 3 == 0 then
      error("odd value", 0)
    elseif v % 3 == 1 then
      local none
      return none.field
    end
    error({ v = v })
  end
  return v * 2
end

local function through(v)
  local r = parse(v)
  return r + 1
end

local sum, strings, tables = 0, 0, 0
for i = 1, rounds do
  local ok, v = pcall(i % 2 == 0 and parse or through, i)
  if ok then
    sum = (sum + v) % 1000003
  elseif type(v) == "string" then
    strings = strings + 1
  else
    tables = (tables + v.v) % 1000003
  end
end
print(string.format("rarefail %d %d %d", sum, strings, tables))
