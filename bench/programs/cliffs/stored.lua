-- group: recursion
-- Memoised recursion on one table: lengths of 3n+1 chains, of which most calls find the answer one or two levels down.
local scale = tonumber(arg and arg[1]) or 1
local bound = math.floor(700000 * scale)
local floor = math.floor

local known = { 1 }
local function length(n)
  local l = known[n]
  if l then
    return l
  end
  if n % 2 == 0 then
    l = length(floor(n / 2)) + 1
  else
    l = length(3 * n + 1) + 1
  end
  known[n] = l
  return l
end

local best, at = 0, 0
for n = 1, bound do
  local l = length(n)
  if l > best then
    best, at = l, n
  end
end
print(string.format("stored %d %d", best, at))
