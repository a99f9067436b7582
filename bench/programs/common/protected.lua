-- group: errors
-- Protected calls that succeed: pcall, xpcall, assert and results passed through.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(4000000 * scale)

local function work(a, b)
  return a + b, a - b
end

local function handler(e)
  return e
end

local check = 0
for i = 1, rounds do
  local ok, sum, difference = pcall(work, i % 100, 3)
  if ok then
    check = check + sum - difference
  end
  local _, again = xpcall(work, handler, i % 50, 2)
  check = (check + assert(again, "no value")) % 1000003
  local fine = pcall(assert, true)
  if not fine then
    check = 0
  end
end
print(string.format("protected %d", check))
