-- group: tables
-- Whole-array passes: fill, map, filter, prefix sums, reversal, rotation, maximum.
local scale = tonumber(arg and arg[1]) or 1
local n = 20000
local rounds = math.floor(180 * scale)

local function map(t, f)
  local r = {}
  for i = 1, #t do
    r[i] = f(t[i])
  end
  return r
end

local function filter(t, keep)
  local r = {}
  for i = 1, #t do
    local v = t[i]
    if keep(v) then
      r[#r + 1] = v
    end
  end
  return r
end

local function prefix_sums(t, modulus)
  local s = 0
  for i = 1, #t do
    s = (s + t[i]) % modulus
    t[i] = s
  end
end

local function reverse(t, from, to)
  while from < to do
    t[from], t[to] = t[to], t[from]
    from, to = from + 1, to - 1
  end
end

local function rotate(t, by)
  local len = #t
  reverse(t, 1, by)
  reverse(t, by + 1, len)
  reverse(t, 1, len)
end

local data = {}
for i = 1, n do
  data[i] = i * 31 % 977
end
local check = 0
for round = 1, rounds do
  local squares = map(data, function(v)
    return v * v % 1009
  end)
  local odd = filter(squares, function(v)
    return v % 2 == 1
  end)
  prefix_sums(odd, 65521)
  rotate(squares, round * 17 % n + 1)
  local largest = 0
  for _, v in ipairs(odd) do
    if v > largest then
      largest = v
    end
  end
  check = (check * 31 + #odd + largest + squares[round]) % 1000003
  data = squares
end
print(string.format("arrayops %d", check))
