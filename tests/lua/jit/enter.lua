-- Side traces that go on in the body of their loop, or must not: what the loop has found is changed on the other way.
local function way(i)
  return (i * 7919) % 13 % 3
end

do -- values of slots only
  local n, a, b = 1, 0, 0
  while n <= 3000 do
    if way(n) == 0 then
      a = a + n
    elseif way(n) == 1 then
      b = b - a
    else
      a, b = b, a
    end
    n = n + 1
  end
  print("slots", n, a, b)
end

do -- types of slots change on one way, for a while
  local n, x = 1, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      x = x + 1
    elseif n > 1000 and n < 1200 then
      x = x + 0.5
    elseif n == 1200 then
      x = 7
    elseif n > 2000 and n < 2100 then
      x = tostring(x)
    elseif n >= 2100 and type(x) == "string" then
      x = 1
    end
    n = n + 1
  end
  print("types", n, x)
end

do -- a slot that the loop only looks at is changed
  local n, step, limit = 1, 1, 3000
  while n <= limit do
    if way(n) ~= 0 then
      n = n + step
    else
      step = step == 1 and 2 or 1
      limit = limit - 1
      n = n + step
    end
  end
  print("a slot", n, step, limit)
end

do -- the same value in each iteration, another one after the other way
  local n, flag, seen = 1, false, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      if flag then seen = seen + 1 end
      flag = false
    else
      flag = n
    end
    n = n + 1
  end
  print("a constant", n, flag, seen)
end

do -- fields of an object, read on one way, written on another
  local o, n, sum = { step = 1, other = 0 }, 1, 0
  local alias = o
  while n <= 3000 do
    if way(n) ~= 0 then
      sum = sum + o.step
    elseif n % 5 == 0 then
      alias.step = n % 7
    else
      o.other = o.other + 1
    end
    n = n + 1
  end
  print("a field", n, sum, o.step, o.other)
end

do -- another type in it
  local o, n, sum = { step = 1 }, 1, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      sum = sum + o.step
      o.step = 1
    elseif n % 5 == 0 then
      o.step = 0.25
    end
    n = n + 1
  end
  print("its type", n, sum, o.step)
end

do -- the shape
  local o, n, sum = { x = 1 }, 1, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      sum = sum + (o.y or o.x)
    elseif n > 1500 and not o.y then
      o.y = 10
    elseif n > 2500 then
      o.y = nil
    end
    n = n + 1
  end
  print("the shape", n, sum, o.y)
end

do -- a metatable
  local o, n, sum = {}, 1, 0
  local m = { __index = function(_, k) return k == "x" and 100 end }
  while n <= 3000 do
    if way(n) ~= 0 then
      sum = sum + (o.x or 1)
    elseif n % 100 == 0 then
      setmetatable(o, getmetatable(o) == nil and m or nil)
    end
    n = n + 1
  end
  print("a metatable", n, sum)
end

do -- arrays: elements, kind, length, capacity
  local t, n, sum = { 1, 2, 3, 4 }, 1, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      sum = sum + t[n % 4 + 1] + t[1]
    elseif n % 7 == 0 then
      t[1] = n
    elseif n % 11 == 0 then
      t[#t + 1] = n
    elseif n == 2001 then
      t[2] = 0.5
    elseif n % 50 == 0 and #t > 20 then
      t[#t] = nil
    end
    n = n + 1
  end
  print("arrays", n, sum, #t)
end

do -- another array of the same length
  local t, other, n, sum = { 1, 2, 3, 4 }, { 10, 20, 30, 40 }, 1, 0
  local holder = { list = t }
  while n <= 3000 do
    local list = holder.list
    if way(n) ~= 0 then
      sum = sum + list[n % 4 + 1]
    else
      holder.list = list == t and other or t
    end
    n = n + 1
  end
  print("another array", n, sum)
end

do -- upvalues
  local n, k, sum = 1, 1, 0
  local function set(x) k = x end
  local function run()
    while n <= 3000 do
      if way(n) ~= 0 then
        sum = sum + k
      elseif n % 5 == 0 then
        k = n % 3
      else
        set(n % 4)
      end
      n = n + 1
    end
  end
  run()
  print("upvalues", n, k, sum)
end

do -- globals
  G = 1
  local n, sum = 1, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      sum = sum + G
    else
      G = n % 3
    end
    n = n + 1
  end
  print("globals", n, sum, G)
end

do -- objects that are made, and collected
  local n, last, depth = 1, nil, 0
  while n <= 3000 do
    if way(n) ~= 0 then
      last = { n, last }
      depth = depth + 1
    elseif n % 3 == 0 and last then
      last = last[2]
      depth = depth - 1
    elseif n % 97 == 0 then
      last, depth = nil, 0
      collectgarbage("step")
    end
    n = n + 1
  end
  local found = 0
  while last do found, last = found + 1, last[2] end
  print("objects", n, depth, found)
end

do -- strings as values, and more of them than registers
  local a, b, c, d, e, f, g, h = "a", "b", "c", "d", "e", "f", "g", "h"
  local p, q, r, s, t, u, v, w = 1, 2, 3, 4, 5, 6, 7, 8
  local x, y, z = 0.5, 1.5, 2.5
  local n = 1
  while n <= 3000 do
    if way(n) == 0 then
      a, b, c, d, e, f, g, h = h, a, b, c, d, e, f, g
      x = x + p - z
    elseif way(n) == 1 then
      p, q, r, s, t, u, v, w = q, r, s, t, u, v, w, p
      y = y + q / 4
    else
      z = x - y
      p = p + n % 3
    end
    n = n + 1
  end
  print("many", a, b, c, d, e, f, g, h, p, q, r, s, t, u, v, w, x, y, z)
end

do -- loops in loops, left and entered again
  local total = 0
  for i = 1, 60 do
    local n, odd = i, 0
    while n ~= 1 do
      if n % 2 == 0 then
        n = n // 2
      else
        n = 3 * n + 1
        odd = odd + 1
        if odd == 30 then break end
      end
    end
    total = total + odd
    for k = 1, 20 do
      if (k + i) % 3 == 0 then
        total = total + 1
      elseif k > 15 and i % 4 == 0 then
        break
      end
    end
  end
  print("nested", total)
end

do -- an interpreter: tables that are written are others than those that are read
  local code = { "+", ">", "+", "+", "<", "-", "j" }
  local tape, at, pc, steps = { 5, 0, 0 }, 1, 1, 0
  while pc <= #code and steps < 4000 do
    local c = code[pc]
    steps = steps + 1
    if c == "+" then
      tape[at] = tape[at] + 1
    elseif c == "-" then
      tape[at] = tape[at] - 1
    elseif c == ">" then
      at = at + 1
    elseif c == "<" then
      at = at - 1
    elseif c == "j" then
      pc = 0
      if steps > 3000 then code[4] = "-" end
    end
    pc = pc + 1
  end
  print("an interpreter", tape[1], tape[2], at, pc, steps)
end

do -- errors and results from the middle
  local function f(limit)
    local n, x = 0, 1
    while true do
      n = n + 1
      if way(n) == 0 then
        x = x + 1
      elseif n > limit then
        if n % 2 == 0 then error("at " .. n .. " " .. x, 0) end
        return n, x
      else
        x = x + way(n)
      end
    end
  end
  for limit = 200, 230 do
    print(limit, pcall(f, limit))
  end
end

do -- numeric loops: bounds that were checked before the loop
  local function sum(t, from, to, step)
    local s, odd, last = 0, 0, nil
    for i = from, to, step do
      local x = t[i]
      if x % 2 == 0 then
        s = s + x
      elseif x % 7 == 0 then
        odd = odd + t[i + 1]
        goto on
      elseif x % 11 == 0 then
        t[i] = x + 1
      else
        s = s - t[i - 1]
      end
      last = i
      ::on::
    end
    return s, odd, last
  end
  local t = {}
  for i = 0, 400 do
    t[i] = i * 37 % 101
  end
  for r = 1, 12 do
    print("bounds", sum(t, 1, 399, 1))
    print("bounds", sum(t, 399, 1, -1))
    print("bounds", sum(t, 1, 390 + r % 3, 2))
  end
  print((pcall(sum, t, 1, 500, 1)))
  t[401], t[402] = 6, 7
  print("bounds", sum(t, 1, 401, 1))
  print((pcall(sum, t, -5, 10, 1)))
end

do -- loops in loops, by one way in and another one out
  local t, s = {}, 0
  for i = 1, 50 do
    t[i] = i % 7
  end
  for i = 1, 50 do
    for k = 1, i do
      if t[k] == i % 7 then
        s = s + k
      elseif t[k] == 3 and i % 5 == 0 then
        break
      elseif t[k] == 4 then
        t[i] = (t[i] + 1) % 7
      else
        s = s - t[k]
      end
    end
  end
  print("inner", s)
end

do -- variables that are assigned in the loop
  local t, s = { 5, 6, 7, 8, 9, 10 }, 0
  for i = 1, 2000 do
    if i % 3 == 0 then
      i = i % 6 + 1
      s = s + t[i]
    elseif i % 5 == 0 then
      i = 2
      s = s - t[i + 1]
    else
      s = s + 1
    end
  end
  print("assigned", s)
end
