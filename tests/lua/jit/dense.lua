-- Arrays of one type, whose elements compiled code loads without looking at tags, with everything that could belie that.

local N = 300

local function sum(t, n)
  local s = 0
  for i = 1, n or #t do s = s + (t[i] or 1000) end
  return s
end
local function fill(n, f)
  local t = {}
  for i = 1, n do t[i] = f(i) end
  return t
end
local function id(i) return i end
local function half(i) return i / 2 end

do -- the same code with integers, floats, holes, strings that are numbers
  for round = 1, 3 do
    local a, b = fill(N, id), fill(N, half)
    print(sum(a), sum(b))
    a[N // 2] = nil
    print(sum(a, N))
    b[17] = "5"
    print(sum(b, N))
    b[17] = 1
    print(sum(b, N))
    local c = fill(N, half)
    c[N] = nil
    print(sum(c, N), #c)
    c[N], c[N + 1] = 3, 4.5
    print(sum(c, N + 1))
  end
end

do -- a hole made in the loop
  local function run(at)
    local t = fill(N, id)
    local s = 0
    for i = 1, N do
      if i == at then t[i + 5] = nil end
      s = s + (t[i] or -1)
    end
    return s
  end
  for at = 10, 200, 30 do print(run(at)) end
end

do -- another type stored in the loop
  local t = fill(N, id)
  local s = 0
  for i = 1, N do
    if i % 50 == 0 then t[N - i + 1] = 0.5 end
    s = s + t[i]
  end
  print(s, math.type(t[N - 49]), math.type(t[1]))
end

do -- through another name
  local t = fill(N, id)
  local u = t
  local s = 0
  for i = 1, N - 1 do
    if i > 250 then u[i + 1] = nil end
    local v = t[i + 1]
    s = s + (v == nil and 10000 or v)
  end
  print(s)
end

do -- stacks: pushed and popped, with # and without
  local t = {}
  local s, top = 0, 0
  for i = 1, N do
    t[#t + 1] = i
    t[#t + 1] = i * 2
    s = s + t[#t]
    t[#t] = nil
  end
  print(s, #t)
  for i = 1, N do
    s = s + t[#t]
    t[#t] = nil
  end
  print(s, #t, next(t))
  local u = {}
  for i = 1, N do
    top = top + 1
    u[top] = i
    if i % 3 == 0 then
      u[top] = nil
      top = top - 1
    end
  end
  print(top, #u, sum(u))
end

do -- queue
  local q, first, last, s = {}, 1, 0, 0
  for i = 1, 3 * N do
    last = last + 1
    q[last] = i
    if i % 3 ~= 0 then
      s = s + q[first]
      q[first] = nil
      first = first + 1
    end
  end
  print(s, first, last, q[first], q[first - 1])
  local n = 0
  for i = 1, last do if q[i] == nil then n = n + 1 end end
  print(n)
end

do -- from the other end, and with 0
  local t = {}
  for i = N, 0, -1 do t[i] = i end
  print(sum(t), #t, t[0])
  local s = 0
  for i = 0, N do s = s + t[i] end
  print(s)
  t[0] = nil
  print(t[0], sum(t))
  for i = N, 1, -1 do t[i] = nil end
  print(#t, next(t))
end

do -- constructors
  local function count(t, n)
    local c = 0
    for i = 1, n do if t[i] == nil then c = c + 1 end end
    return c
  end
  local function f(...) return ... end
  local c = 0
  for i = 1, N do
    c = c + count({1, 2, 3}, 3) + count({1, nil, 3}, 3) + count({nil, nil, 3}, 3) + count({f(1, nil, 2)}, 3)
      + count({i, f()}, 2) + count({nil, i}, 2) + count({f(nil, i)}, 2) + count(table.pack(1, nil, i), 3)
  end
  print(c)
  local big = {
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, f(1, nil, 3)}
  print(sum(big, 63), #big)
  local gap = {
    nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil,
    nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil,
    nil, nil, 1, 2, 3, 4, 5}
  print(count(gap, 55), sum(gap, 55))
end

do -- library functions
  local t = fill(N, id)
  local s = 0
  for i = 1, 100 do
    s = s + table.remove(t, 5) + table.remove(t)
    table.insert(t, 7, i)
    table.insert(t, i)
    s = s + t[6] + t[#t]
  end
  print(s, #t, sum(t))
  table.move(t, 2, N, 1)
  t[N] = nil
  print(#t, sum(t))
  table.move({}, 1, 3, 100, t)
  print(sum(t, N - 1))
  rawset(t, 1, nil)
  print(sum(t, N - 1))
  local u = fill(N, function(i) return -i end)
  table.sort(u)
  print(sum(u), u[1], u[N])
  table.sort(u, function(a, b) return a > b end)
  print(sum(u), u[1], u[N])
end

do -- tables of tables, strings
  local m = fill(40, function(i) return fill(40, function(j) return i * j end) end)
  local s = 0
  for i = 1, 40 do
    for j = 1, 40 do
      m[i][j] = m[i][j] + m[j][i]
      s = s + m[i][j]
    end
  end
  print(s)
  local words = fill(N, tostring)
  local n = 0
  for i = 1, N do
    n = n + #words[i]
    words[i] = words[i] .. "!"
  end
  print(n, words[N])
  m[20] = nil
  print(pcall(function() local s = 0; for i = 1, 40 do s = s + m[i][1] end return s end))
end

do -- metatables do not matter while the elements are there
  local t = setmetatable(fill(N, id), {__index = function(_, i) return i * 1000 end, __newindex = function(t, i, v) rawset(t, i, v + 1) end})
  local s = 0
  for i = 1, N + 3 do s = s + t[i] end
  print(s)
  for i = 1, N + 3 do t[i] = 1 end
  print(sum(t, N + 3))
end

do -- the array grows and moves in the loop
  local t = {1}
  local s = 0
  for i = 1, N do
    t[#t + 1] = t[i] + 1
    s = s + t[i] + t[i + 1]
  end
  print(s, #t)
  local t, u = {0.5}, {0.5}
  for i = 2, N do t[i] = u[i - 1] * 1.5 % 7; u[i] = t[i - 1] + 1 end
  print(t[N], u[N])
end
