-- What side traces know from their parents, and what has changed since.
local function count(n, f, ...)
  local sum = 0
  for i = 1, n do
    sum = sum + f(i, ...)
  end
  return sum
end

-- shape, kind and metatable of what is in slots, in a field, in an upvalue
do
  local point = { x = 1, y = 2, list = { 1, 2, 3, 4 } }
  print(count(300, function(i, p)
    local list = p.list
    local a = list[1] + p.x
    if i % 3 == 0 then
      a = a + list[2] + p.y + point.x
    elseif i % 3 == 1 then
      a = a + list[4] + #list
    end
    return a
  end, point))
end

-- another name of the same table changes its shape, its kind, its metatable, its length
do
  local function change(kind, t)
    if kind == 1 then
      t.extra = 5
    elseif kind == 2 then
      t[1] = 1.5
    elseif kind == 3 then
      setmetatable(t, { __index = function() return 7 end })
    elseif kind == 4 then
      t[#t] = nil
    elseif kind == 5 then
      t.x = nil
    elseif kind == 6 then
      t[1] = "10"
    end
  end
  for kind = 1, 6 do
    local all = {}
    for i = 1, 200 do
      local t = { 1, 2, 3 }
      t.x = i
      all[i] = t
    end
    local sum, last = 0, nil
    for i = 1, 200 do
      local t = all[i]
      local same = t
      sum = sum + t[1] + (t.x or 0)
      if i % 2 == 0 then
        change(kind, same)
        sum = sum + t[1] + (t.x or 100) + (t[3] or 1000) + (t.extra or 0)
        if i % 4 == 0 then
          sum = sum + t[1] + (t.x or 200) + (t.none or 3)
        end
      end
      last = t
    end
    print(kind, sum, last.x, last[1])
  end
end

-- a cell that another closure assigns, with values of other types
do
  local v = 1
  local function set(x)
    v = x
  end
  local sum = 0
  for i = 1, 300 do
    sum = sum + v
    if i % 2 == 0 then
      set(i % 4 == 0 and 1.5 or 2)
      sum = sum + v
      if i % 3 == 0 then
        set("3")
        sum = sum + v
        set(1)
      end
    end
  end
  print(sum)
end

-- a slot that the collector's work writes back, and one that the branch has written
do
  local sum, k = 0, 0
  for i = 1, 400 do
    local t = { i, i + 1 }
    if i == k then
      sum = sum + 1000
    end
    if i % 5 == 0 then
      k = i + 1
      t = { "s", k }
      sum = sum + (t[2] or 0) + #t[1]
      if k % 2 == 0 then
        sum = sum - t[2]
      end
    else
      sum = sum + t[1]
    end
  end
  collectgarbage()
  print(sum, k)
end

-- the same places with nil, with few and with many elements
do
  local lists = { { 1 }, { 1, 2 }, { 1, 2, 3, 4 }, {}, { nil, 2 } }
  local sum = 0
  for i = 1, 400 do
    local l = lists[i % 5 + 1]
    local a, b = l[1], l[2]
    if a then
      sum = sum + a
      if b then
        sum = sum + b + (l[3] or 10) + (l[4] or 20)
      end
    elseif b then
      sum = sum + 100 * b
    end
  end
  print(sum)
end

-- a field that is missing goes on in the metatable, one that is there has another type now and then
do
  local base = { value = 7 }
  local objects = {
    setmetatable({}, { __index = base }),
    setmetatable({ value = 1 }, { __index = base }),
    setmetatable({ value = 2.5 }, { __index = base }),
    setmetatable({ value = "4" }, { __index = base }),
    setmetatable({ value = false }, { __index = base }),
  }
  local sum = 0
  for i = 1, 500 do
    local o = objects[i % 5 + 1]
    sum = sum + (o.value and o.value + 1 or 0)
    if i % 7 == 0 then
      objects[2].value = i
      sum = sum + objects[2].value
    elseif i % 11 == 0 then
      objects[2].value = nil
      sum = sum + objects[2].value
    end
  end
  print(sum)
end

-- functions: which one is called, and another one of its prototype
do
  local function make(n)
    return function(x)
      if x % 2 == 0 then
        return x + n
      end
      return x - n
    end
  end
  local fs = { make(1), make(2), make(3) }
  local f = fs[1]
  local sum = 0
  for i = 1, 300 do
    sum = sum + f(i)
    if i % 50 == 0 then
      f = fs[i // 50 % 3 + 1]
    end
  end
  print(sum)
end
