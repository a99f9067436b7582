-- group: types
-- Variables, fields and arguments whose type changes: whole numbers, fractions, strings, booleans, nil and tables in turn.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1500000 * scale)
local floor = math.floor

local values = { 1, 2.5, "12", true, false, 7, { v = 3 }, "x", 1e9, -0.25, { v = 0.5 } }
local n = #values + 1

local function weigh(v)
  if type(v) == "number" then
    return v * 4
  elseif type(v) == "string" then
    return #v
  elseif type(v) == "table" then
    return v.v * 2
  elseif v then
    return 1
  end
  return 0.5
end

local box, sum, previous = { it = 0 }, 0, nil
for i = 1, rounds do
  local v = values[i % n + 1]
  sum = (sum + weigh(v) + weigh(box.it)) % 65536
  if previous == v then
    sum = sum + 1
  end
  box.it = i % 3 == 0 and v or i % 7
  previous = v
  if i % 5 == 0 then
    -- the accumulator itself becomes a fraction and whole again
    sum = sum + 0.5
  elseif i % 5 == 2 then
    sum = floor(sum)
  end
end
print(string.format("retype %.2f", sum))
