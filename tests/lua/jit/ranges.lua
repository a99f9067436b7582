-- Bound checks that are made before the loop, and quotients that need no floats.

local N = 300

local function fill(n)
  local t = {}
  for i = 1, n do t[i] = i end
  return t
end

do -- while loops end where they should, whatever is known of the bound
  local t = fill(N)
  for round = 1, 5 do
    local i, s, n = 1, 0, 100 + round
    while i <= n do s = s + t[i]; i = i + 1 end
    print(i, s)
    i, s = 1, 0
    while i < n do s = s + t[i]; i = i + 3 end
    print(i, s)
    i, s = n, 0
    while i ~= 0 do s = s + t[i]; i = i - 1 end
    print(i, s)
    i, s = 1, 0
    repeat s = s + t[i]; i = i + 2 until i > n
    print(i, s)
  end
end

do -- neighbours, offsets that do not change, and that do
  local t = fill(N * 4)
  local w, s = 20, 0
  for i = 1 + w, N do s = s + t[i - 1] + t[i] + t[i + 1] + t[i - w] + t[i + w] end
  print(s)
  s = 0
  for i = 1, N do s = s + t[i + w]; if i % 100 == 0 then w = w + 1 end end
  print(s, w)
  s = 0
  for i = N, 3, -1 do s = s + t[i - 2] * t[i] end
  print(s)
  s = 0
  for i = 1, N do s = s + t[2 * i] + t[3 * i - 2] + t[N + 1 - i] end
  print(s)
end

do -- steps
  local t = fill(N)
  local s = 0
  for round = 1, 40 do
    for i = round, N, round do s = s + t[i] end
    for i = N, 1, -round do s = s + t[i] end
    for i = 1, N, 7 do s = s + t[i] end
  end
  print(s)
end

do -- left early, where the rest would not fit
  local t = fill(N)
  local s = 0
  for round = 1, 30 do
    for i = 1, N * 10 do
      local v = t[i]
      if v == nil or v > 250 + round then break end
      s = s + v
    end
  end
  print(s)
  for round = 1, 30 do
    for i = 1, N + round do s = s + (t[i] or round) end
  end
  print(s)
end

do -- the table changes in the loop: grown, shrunk, another one
  local t, s = fill(10), 0
  for i = 1, N do
    s = s + t[i]
    t[#t + 1] = i
  end
  print(s, #t)
  local u = fill(N)
  for i = 1, N do
    if i == 200 then u = fill(10) end
    s = s + (u[i] or -1)
  end
  print(s)
  local v = fill(N)
  for i = 1, N do
    if i == 250 then for k = N, 100, -1 do v[k] = nil end end
    s = s + (v[i] or -1)
  end
  print(s, #v)
end

do -- indices near the ends of the integers
  local t = {[math.maxinteger] = 1, [math.mininteger] = 2, [1] = 3}
  local s = 0
  for i = math.maxinteger - N, math.maxinteger do s = s + (t[i] or 0) + (t[i + 1] or 0) end
  for i = math.mininteger + N, math.mininteger, -1 do s = s + (t[i] or 0) + (t[i - 1] or 0) end
  for i = math.mininteger, math.maxinteger, 1 << 57 do s = s + (t[i + 1] or 0) end
  print(s)
  for i = -N, N do s = s + (t[i] or 0) end
  print(s)
end

do -- loops one in another with bounds that vary
  local m = {}
  for i = 1, 60 do m[i] = fill(60) end
  local s = 0
  for i = 1, 60 do
    for j = i, 60 do s = s + m[i][j] end
    for j = 1, i - 1 do m[i][j] = m[j][i] + 1 end
    for j = i + 1, 59 do s = s + m[i][j - i] * m[j][j + 1] end
  end
  print(s)
  m[30][61] = 7
  m[31] = {1, 2}
  for i = 1, 60 do
    local row = m[i]
    for j = 1, #row do s = s + row[j] end
  end
  print(s)
end

do -- floor of a quotient
  local floor = math.floor
  local big = 1 << 53
  local ints = {0, 1, -1, 2, -2, 7, -7, big - 1, big, big + 1, big + 3, -big, -big - 1, 1 - big, math.maxinteger, math.mininteger, 1 << 60, -(1 << 60) - 1}
  local out = {}
  for round = 1, 40 do
    for k = 1, #ints do
      local n = ints[k]
      out[k] = string.format("%s %s %s %s %s", floor(n / 2), floor(n / 3), floor(n * 0.25), floor(n / 1000003), floor(n / -2))
    end
  end
  print(table.concat(out, "\n"))
  local s = 0
  for i = -N, N do
    s = s + floor(i / 2) * 3 + floor(i / 7) * 5 + floor(i * 0.125) + floor(i / 0.5) + floor(i * 0.3) + math.ceil(i / 2)
    if math.type(floor(i / 2)) ~= "integer" then print("float") end
  end
  print(s)
  local n = big - 100
  for i = 1, N do
    s = s ~ floor(n / 2)
    n = n + 1
  end
  print(s)
end
