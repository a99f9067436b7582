-- group: tables
-- Quicksort with median of three and insertion sort for short ranges, written in Lua.
local scale = tonumber(arg and arg[1]) or 1
local n = math.floor(100000 * scale)

local function sort(t, lo, hi)
  while hi - lo > 12 do
    local mid = math.floor((lo + hi) / 2)
    if t[mid] < t[lo] then
      t[mid], t[lo] = t[lo], t[mid]
    end
    if t[hi] < t[lo] then
      t[hi], t[lo] = t[lo], t[hi]
    end
    if t[hi] < t[mid] then
      t[hi], t[mid] = t[mid], t[hi]
    end
    local pivot = t[mid]
    local i, j = lo, hi
    while i <= j do
      while t[i] < pivot do
        i = i + 1
      end
      while pivot < t[j] do
        j = j - 1
      end
      if i <= j then
        t[i], t[j] = t[j], t[i]
        i, j = i + 1, j - 1
      end
    end
    if j - lo < hi - i then
      sort(t, lo, j)
      lo = i
    else
      sort(t, i, hi)
      hi = j
    end
  end
  for i = lo + 1, hi do
    local v, j = t[i], i - 1
    while j >= lo and t[j] > v do
      t[j + 1] = t[j]
      j = j - 1
    end
    t[j + 1] = v
  end
end

local check = 0
for round = 1, 12 do
  local t, seed = {}, round
  for i = 1, n do
    seed = (seed * 16807) % 2147483647
    t[i] = seed
  end
  sort(t, 1, n)
  for i = 2, n do
    assert(t[i - 1] <= t[i])
  end
  check = (check + t[1] + t[math.floor(n / 2)]) % 1000003
end
print(string.format("quicksort %d", check))
