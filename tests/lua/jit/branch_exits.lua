-- Branches that go the other way after they have been recorded: exits go on where the branch leads then.
local function show(...)
  print(...)
end

-- every comparison, each way first
local function count(n, first, test)
  local yes, no = 0, 0
  for i = 1, n do
    local x = i > n // 2
    if first then
      x = not x
    end
    if test(x, i) then
      yes = yes + 1
    else
      no = no - i
    end
  end
  return yes, no
end
local nan = 0 / 0
local long1, long2 = ("x"):rep(100), ("x"):rep(99) .. "y"
local tests = {
  function(x) return x end,
  function(x) return not x end,
  function(x) return (x and 1 or nil) == nil end,
  function(x) return (x and 1 or false) ~= false end,
  function(x, i) return (x and i or -i) < 0 end,
  function(x, i) return (x and i or -i) >= 1 end,
  function(x, i) return (x and i or nan) < 1e9 end,
  function(x, i) return not ((x and i + 0.5 or nan) <= 1e9) end,
  function(x) return (x and 1 or 2) == 1 end,
  function(x) return (x and 1.5 or nan) == 1.5 end,
  function(x) return (x and 1 or 2) == (x and 1.0 or 1.0) end,
  function(x) return (x and "a" or "b") == "a" end,
  function(x) return (x and "a" or "b") < "b" end,
  function(x) return (x and long1 or long2) == long2 end,
  function(x) return (x and long1 or long2) <= long1 end,
  function(x) return (x and "1" or 1) == 1 end,
  function(x, i) return (x and i or "no") == i end,
}
for n, test in ipairs(tests) do
  show(n, count(300, true, test))
  show(n, count(300, false, test))
end

-- equality of tables: the same one, others, others that __eq makes equal
do
  local mt = { __eq = function(a, b) return a.v == b.v end }
  local a, b, c = setmetatable({ v = 1 }, mt), setmetatable({ v = 1 }, mt), setmetatable({ v = 2 }, mt)
  for _, order in ipairs { { a, b, c }, { b, c, a }, { c, a, b }, { a, c, b } } do
    local same, other = 0, 0
    for i = 1, 400 do
      local x = order[1 + (i > 100 and 1 or 0) + (i > 200 and 1 or 0)]
      if x == a then
        same = same + i
      else
        other = other + i
      end
    end
    show("eq", same, other)
  end
end

-- __lt and __le
do
  local mt = {}
  mt.__lt = function(a, b) return a.v < b.v end
  mt.__le = function(a, b) return a.v <= b.v end
  local one = setmetatable({ v = 150 }, mt)
  local n, m = 0, 0
  for i = 1, 300 do
    local x = setmetatable({ v = i }, mt)
    if x < one then
      n = n + 1
    end
    if one <= x then
      m = m + i
    end
  end
  show("order", n, m)
end

-- values of `and` and `or`
do
  local t, s, u = {}, 0, 0
  for i = 1, 300 do
    t[i] = i % 3 == 0 and i or i % 7 == 0 and "seven" or false
  end
  for k = 1, 2 do
    for i = 1, 300 do
      local v = t[i] or -1
      s = s + (v == "seven" and 7 or v)
      local w = t[i] and #tostring(t[i])
      u = u + (w or 0)
      w = not t[i] or k
      u = u + (w == true and 1 or w)
    end
  end
  show("values", s, u)
end

-- loops that end: whole numbers, fractions, downwards, generic, and what follows them
do
  local out = {}
  local n = 0
  for i = 1, 200 do
    for j = 1, i % 4 do
      n = n + j
    end
    for j = i % 3, 0, -1 do
      n = n - j
    end
    for x = 0.5, i % 5, 0.5 do
      n = n + x
    end
    for k, v in ipairs { 1, 2, i % 2 == 0 and 3 or nil } do
      n = n + k * v
    end
    for k in pairs { a = 1, b = i } do
      n = n + #k
    end
    for j = i, i + 2, 2 do
      n = n + j
      if j % 3 == 0 then
        break
      end
    end
  end
  show("ends", n)
end

-- a branch whose other way is the loop's own end: the next iteration, of each kind of loop
do
  local list, s = {}, 0
  for i = 1, 300 do
    list[i] = (i * 7919) % 11
  end
  for _, v in ipairs(list) do
    if v > 3 then
      s = s + v
    end
  end
  for k, v in pairs(list) do
    if v > 5 then
      s = s + k
    end
  end
  for i = 1, #list do
    if list[i] == 4 then
      s = s + i
    end
  end
  local i = 0
  while i < #list do
    i = i + 1
    if list[i] ~= 4 then
      s = s - 1
    end
  end
  repeat
    local v = list[i]
    i = i - 1
    if v < 2 then
      s = s + 100
    end
  until i < 1 or v > 20
  show("next", s, i)
end

-- a loop right behind another one's end, and conditions that end two loops
do
  local s = 0
  for i = 1, 150 do
    for j = 1, 3 do
      s = s + j
    end
    while s % 5 ~= 0 do
      s = s + 1
    end
    repeat
      s = s + 2
    until s % 3 == 0
    for j = 1, 5 do
      if (i + j) % 4 == 0 then
        goto next
      end
      s = s + 1
    end
    s = s + 1000
    ::next::
  end
  show("rows", s)
end

-- what a branch looks at is needed after it, or is not
do
  local flags, ages = {}, {}
  for i = 0, 400 do
    flags[i], ages[i] = i % 7 == 3, i % 7 == 5 and i or i % 11 == 1 and "old" or nil
  end
  local n, s, texts = 0, 0, 0
  for _ = 1, 3 do
    for i = 0, 400 do
      if flags[i] then
        n = n + 1
      end
      local age = ages[i]
      if age then
        if age == "old" then
          texts = texts + #age
        else
          s = s + age
        end
      end
    end
  end
  show("flags", n, s, texts)
end

-- inlined functions whose branches leave them
do
  local function pick(x, y)
    if x % 3 == 1 then
      return y
    elseif x % 5 == 2 then
      return
    end
    return x, y
  end
  local s, nils = 0, 0
  for i = 1, 400 do
    local a, b = pick(i, i * 2)
    if a == nil then
      nils = nils + 1
    else
      s = s + a
    end
    if b then
      s = s + b
    end
  end
  show("inlined", s, nils)
end

-- recursion that a branch ends
do
  local function depth(n, t)
    if n == 0 then
      return t
    end
    if n % 2 == 0 then
      return 1 + depth(n - 1, t)
    end
    return (depth(n - 1, not t and 1 or t))
  end
  local s = 0
  for i = 0, 120 do
    s = s + depth(i, i > 60 and 5 or 3)
  end
  show("depth", s)
end

-- equality of values whose types change, one of them known or none
do
  local things = { 1, 1.0, 2.5, "1", true, false, {}, print, 1, "x", 2, 2.0 }
  local same, last = 0, nil
  for i = 1, 600 do
    local v = things[i % #things + 1]
    if v == last then
      same = same + i
    end
    last = i % 5 == 0 and v or things[(i * 7) % 11 + 1]
  end
  local known = 0
  for i = 1, 600 do
    local v, w = things[(i * 5) % #things + 1], i % 3
    if v == w then
      known = known + 1
    end
    if w + 0.5 == v then
      known = known + 100
    end
    if type(v) == "string" and things[i % 4 + 1] == v then
      known = known + 10000
    end
  end
  local missing = 0
  local t = { [1] = 1, [-5] = 2, [1000] = "far" }
  for i = -20, 1100 do
    local v = t[i]
    if v then
      missing = missing - (v == "far" and 1 or v)
    elseif v == nil then
      missing = missing + 1
    end
    if i == 500 then
      setmetatable(t, { __index = function(_, k) return k % 2 == 0 and k or false end })
    end
  end
  show("types", same, known, missing)
end
