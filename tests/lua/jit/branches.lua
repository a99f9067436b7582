-- Short branches that go both ways become selections of values.

local seed = 42
local function random(n)
  seed = (seed * 16807) % 2147483647
  return seed % n
end

local N = 600

do -- counting, with and without else; steps that are not 1
  local a, b, c, d, e = 0, 0, 0, 0, 0
  for i = 1, N do
    local r = random(4)
    if r < 2 then a = a + 1 end
    if r == 3 then b = b - 1 else b = b + 5 end
    if r ~= 1 then c = c + i else c = c - i end
    if r > 1 then d = 7 else d = d * 2 end
    if r >= 2 then e = -e end
    if r <= 1 then e = e + 0.5 end
  end
  print(a, b, c, d, e)
end

do -- the smaller and the larger, of integers and floats, NaN and zeros of both signs
  local values = {3, -7, 12, 5, -7, 12, 0, 4}
  local lo, hi = math.maxinteger, math.mininteger
  for round = 1, N // 8 do
    for i = 1, #values do
      local v = values[i] + round % 3
      if v < lo then lo = v end
      if v > hi then hi = v end
    end
  end
  print(lo, hi)
  local floats = {0.5, -0.0, 0.0, -2.5, 0 / 0, 7.25, 0.0, -0.0, 1 / 0, -1 / 0}
  for first = 1, #floats do
    local lo, hi, le, ge = floats[first], floats[first], floats[first], floats[first]
    for round = 1, 20 do
      for i = 1, 8 do
        local v = floats[i]
        if v < lo then lo = v end
        if v > hi then hi = v end
        if v <= le then le = v end
        if not (v < ge) then ge = v end
      end
    end
    print(lo == lo and string.format("%g", lo), hi == hi and string.format("%g", hi), le == le and 1 / le, ge == ge and 1 / ge)
  end
end

do -- conditions in conditions
  local n, m, s = 0, 0, 0
  for i = 1, N do
    local x, y, z = random(2), random(3), random(5)
    if x == 0 and y ~= 1 then n = n + 1 end
    if x == 1 or z > 2 then m = m + 1 end
    if x == 0 then
      if y == 0 then s = s + 1 else s = s + 10 end
    elseif z == 0 then
      s = s + 100
    else
      s = s - 1
    end
    if not (x == 0 and (y == 1 or z < 2)) then n = n + 1000 end
  end
  print(n, m, s)
end

do -- values of and, or; true, false, nil
  local flags, others, count = {}, {}, {0, 0, 0, 0, 0}
  for i = 1, N do
    flags[i] = random(3) == 0
    others[i] = random(2) == 0
  end
  for round = 1, 3 do
    for i = 1, N do
      local r = random(4)
      local both = flags[i] and others[i]
      local either = flags[i] or others[i]
      local v = r == 3 or (r == 2 and flags[i])
      local w = r > 1 and 10 or 20
      local x
      if r == 0 then x = true elseif r == 1 then x = nil else x = false end
      if both then count[1] = count[1] + 1 end
      if either then count[2] = count[2] + 1 end
      if v then count[3] = count[3] + w end
      if x == nil then count[4] = count[4] + 1 end
      if x == false then count[5] = count[5] + 1 end
      flags[i] = v
    end
  end
  print(table.concat(count, " "))
end

do -- elements that may not be there, of other types, in tables that have others' elements
  local list = {1, 2.5, 3, false, 5, true, nil, 8}
  local n, m = 0, 0
  for i = 1, N do
    local k = random(12)
    local v = list[k]
    if v then n = n + 1 end
    local w = k < 6 and list[k]
    if w then m = m + 1 end
    if k == 5 then list[k] = "text" elseif k == 11 then list[5] = {} elseif k == 10 then list[5] = 5 end
  end
  print(n, m)
end

do -- objects are left alone, and must survive
  local names = {"one", "two"}
  local n, keep = 0, nil
  for i = 1, N do
    local t = {i}
    local s = "none"
    if random(2) == 0 then s = names[1] end
    local u = random(2) == 0 and t or names
    if random(3) == 0 then keep = t end
    if i % 50 == 0 then collectgarbage("step") end
    n = n + #s + #u + (keep and keep[1] or 0)
  end
  print(n)
end

do -- types that change later
  local function f(x, y, n)
    local s = x
    for i = 1, n do
      if random(2) == 0 then s = s + y end
      if random(2) == 0 then s = y else s = s - x end
    end
    return s
  end
  print(f(1, 2, 200), f(1.5, 2, 200), f(1, 2.5, 200), f(1, 2, 200))
  local t = setmetatable({}, {__add = function(a, b) return a end, __sub = function(a, b) return a end})
  print(f(t, 1, 200) ~= nil, f(1, 2, 200))
  print(select(2, pcall(f, 1, "x", 50)):match(": (.*)"))
  print(select(2, pcall(f, 1, nil, 50)):match(": (.*)"))
  print(select(2, pcall(f, {}, 1, 50)):match(": (.*)"))
end

do -- locals of the ways, and what lies above them
  local s = 0
  for i = 1, N do
    local a = i
    if random(2) == 0 then
      local b = a * 2
      local c = b + 1
      a = c - b // 2
    else
      local b = a & 15
      a = b % 8
    end
    local d = a
    s = (s + d) % 1000003
  end
  print(s)
end

do -- loops left from a branch, and gone on with
  local s, left = 0, 0
  for round = 1, 60 do
    for i = 1, 30 do
      local r = random(30)
      if r == 0 then
        left = left + 1
        break
      end
      if r < 10 then goto continue end
      s = s + r
      ::continue::
    end
    local i = 0
    while i < 20 do
      if random(2) == 0 then i = i + 1 else i = i + 2 end
    end
    s = s + i
    repeat
      local r = random(3)
      if r == 1 then i = i - 1 end
    until i < 10
    s = s - i
  end
  print(s, left)
end

do -- functions, their arguments and upvalues
  local total = 0
  local function clamp(x, lo, hi)
    if x < lo then x = lo end
    if x > hi then x = hi end
    return x
  end
  local function sign(x)
    local s = 0
    if x > 0 then s = 1 elseif x < 0 then s = -1 end
    return s
  end
  for i = 1, N do
    total = total + clamp(random(100), 20, 70) * sign(random(5) - 2)
    local f = random(100) / 8
    total = total + clamp(f, 2.5, 8)
  end
  print(total)
end

do -- a yield and an error near by
  local co = coroutine.wrap(function()
    local n = 0
    for i = 1, N do
      local r = random(2)
      if r == 0 then n = n + 1 end
      if i % 100 == 0 then coroutine.yield(n) end
    end
    return -1
  end)
  local list = {}
  for i = 1, N // 100 + 1 do list[i] = co() end
  print(table.concat(list, " "))
  local n = 0
  for i = 1, N do
    local ok, e = pcall(function(x)
      local v = 1
      if x == 0 then v = 2 end
      if x > 1 then error(v) end
      return v
    end, random(3))
    n = n + (ok and e or 10)
  end
  print(n)
end
