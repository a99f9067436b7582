-- Texts put together from strings and integers: the edges of what fits in two words, and of what is interned.
local min, max = math.mininteger, math.maxinteger
local ints = { 0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10000, 99999999, 100000000, 123456789, -1, -10, -99999999, -100000000, max, min }

-- every combination twice: the same object, equal to what byte after byte makes
local function spelled(...)
  local out = {}
  for _, v in ipairs({ ... }) do
    for c in tostring(v):gmatch(".") do
      out[#out + 1] = c
    end
  end
  return table.concat(out)
end

local seen, count = {}, 0
local function check(made, ...)
  local want = spelled(...)
  if made ~= want or #made ~= #want then
    error("made " .. made .. ", not " .. want)
  end
  seen[made] = (seen[made] or 0) + 1
  if seen[want] ~= seen[made] then
    error("another key: " .. want)
  end
  count = count + 1
end

for _ = 1, 3 do
  for _, i in ipairs(ints) do
    for _, j in ipairs(ints) do
      check(i .. "," .. j, i, ",", j)
      check(i .. "" .. j, i, j)
    end
    check("x" .. i, "x", i)
    check(i .. "x", i, "x")
    check("" .. i, i)
  end
  for n = 0, 44 do
    local a = ("abcdefghijklmnopqrstuvwxyz"):rep(2):sub(1, n)
    check(a .. "y", a, "y")
    check("y" .. a, "y", a)
    check(a .. n, a, n)
    check(a .. a, a, a)
    check("" .. a, a)
    check(a .. "-" .. n .. "-", a, "-", n, "-")
    for k = 0, 18, 3 do
      local b = ("ZYXWVUTSRQPONMLKJIHG"):sub(1, k)
      check(a .. b, a, b)
      check(a .. b .. a, a, b, a)
      check(b .. a .. b .. n, b, a, b, n)
      check(b .. n .. a .. b .. n, b, n, a, b, n)
    end
  end
end
print(count)

-- bytes above 127 and zeros
for i = 1, 60 do
  local c = string.char(i * 4)
  local s = c .. "\0" .. c
  assert(#s == 3 and s:byte(1) == i * 4 and s:byte(2) == 0 and s:byte(3) == i * 4)
  local t = { [s] = i }
  assert(t[c .. "\0" .. c] == i and t[c .. c] == nil and t[c .. "\0"] == nil)
end

-- floats among them, and texts that grow long
local function long(n)
  local s = ""
  for i = 1, n do
    s = s .. i .. ":" .. i / 2 .. ";"
  end
  return s
end
local s = long(200)
print(#s, s:sub(1, 40), s:sub(-30))

-- an operand that is no longer an integer
local parts = { 1, 2, 3, "4", 5.5, "a", -6, 7 }
local joined = {}
for round = 1, 40 do
  for i = 1, #parts do
    joined[i] = parts[i] .. "/" .. (round % 2 == 0 and i or parts[i])
  end
end
print(table.concat(joined, " "))
