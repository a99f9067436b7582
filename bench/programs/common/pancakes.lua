-- group: numeric
-- Maximum number of prefix reversals over all permutations, enumerated by swaps (Heap's method).
local scale = tonumber(arg and arg[1]) or 1
local n = scale >= 1 and 9 or 7
local rounds = math.max(1, math.floor(2 * scale))

local perm, work, counter = {}, {}, {}

local function flips()
  local first = perm[1]
  if first == 1 then
    return 0
  end
  for i = 1, n do
    work[i] = perm[i]
  end
  local count = 0
  while first ~= 1 do
    local i, j = 1, first
    while i < j do
      work[i], work[j] = work[j], work[i]
      i, j = i + 1, j - 1
    end
    count = count + 1
    first = work[1]
  end
  return count
end

local best, sum, seen = 0, 0, 0
local function visit()
  local f = flips()
  if f > best then
    best = f
  end
  sum = sum + (seen % 2 == 0 and f or -f)
  seen = seen + 1
end

for _ = 1, rounds do
  for i = 1, n do
    perm[i] = i
    counter[i] = 1
  end
  visit()
  local level = 1
  while level <= n do
    if counter[level] < level then
      local other = level % 2 == 1 and 1 or counter[level]
      perm[other], perm[level] = perm[level], perm[other]
      visit()
      counter[level] = counter[level] + 1
      level = 1
    else
      counter[level] = 1
      level = level + 1
    end
  end
end
print(string.format("pancakes %d %d %d", best, sum, seen))
