-- keys that are not there, in loops long enough for every cache to be filled

local function times(n, f, ...)
  local r
  for _ = 1, n do
    r = f(...)
  end
  return r
end
local function get(t, k)
  return t[k]
end
local keys = { 1, 100, -5, 2 ^ 40 | 0, 3.0, 2.5, "a", "absent", true, false, print, ("long"):rep(20), math.maxinteger, -0.0, 1 / 0 }

-- records, arrays, dictionaries small and large, both at once
local function fill(n)
  local t = {}
  for i = 1, n do
    t["k" .. i] = i
  end
  return t
end
local function sparse(n)
  local t = {}
  for i = 1, n do
    t[i * 1000] = i
    t[-i] = -i
  end
  return t
end
local subjects = {
  record = { a = 1, b = 2 },
  array = { 10, 20, nil, 40 },
  small = { [2.5] = "two and a half", [true] = "yes" },
  large = fill(200),
  ints = sparse(100),
  empty = {},
}
subjects.large[2.5], subjects.large[true], subjects.large[3] = "2.5", "true", "three"
subjects.large[print], subjects.large[("long"):rep(20)] = "print", "long"
subjects.large[math.maxinteger], subjects.large[2 ^ 40 | 0] = "max", "2^40"

local function show(v)
  return type(v) == "function" and "function" or tostring(v)
end
for _, name in ipairs({ "record", "array", "small", "large", "ints", "empty" }) do
  local t = subjects[name]
  local out = {}
  for i, k in ipairs(keys) do
    out[i] = show(times(3, get, t, k))
  end
  print(name, table.concat(out, " "))
end
print(times(3, get, subjects.large, "k77"), times(3, get, subjects.ints, 5000), times(3, get, subjects.ints, -50))

-- float keys find integer ones, in dictionaries and arrays
print(times(3, get, subjects.ints, 5000.0), times(3, get, subjects.array, 2.0), times(3, get, subjects.large, 2.0 ^ 40))

-- the same with __index: function, vararg function, native function, table, nothing
local function args(...)
  return select("#", ...) .. ":" .. show((select(2, ...)))
end
local metas = {
  { "lua", { __index = function(_, k) return "<" .. show(k) .. ">" end } },
  { "vararg", { __index = function(...) return args(...) end } },
  { "one", { __index = function(t) return rawlen(t) end } },
  { "three", { __index = function(_, k, x) return show(k) .. show(x) end } },
  { "none", { __index = function() end } },
  { "two", { __index = function() return "first", "second" end } },
  { "native", { __index = rawget } },
  { "tail", { __index = function(...) return args(...) end } },
  { "table", { __index = { a = "A", [100] = "hundred", [2.5] = "float" } } },
  { "no index", { __newindex = error } },
}
for _, m in ipairs(metas) do
  for _, name in ipairs({ "record", "array", "large", "ints" }) do
    local t = setmetatable(subjects[name], m[2])
    local out = {}
    for i, k in ipairs(keys) do
      out[i] = show(times(3, get, t, k))
    end
    print(m[1], name, table.concat(out, " "))
    setmetatable(t, nil)
  end
end

-- the metatable changes while a loop runs
do
  local mt = { __index = function(_, k) return k * 2 end }
  local t = setmetatable({ 1, 2, 3 }, mt)
  local sum = 0
  for i = 1, 40 do
    sum = sum + (t[i] or 0)
    if i == 10 then
      mt.__index = function(_, k) return -k end
    elseif i == 20 then
      mt.__index = { [25] = 1000 }
    elseif i == 30 then
      mt.__index = nil
    elseif i == 35 then
      rawset(mt, "__index", function() return 7 end)
    end
  end
  print(sum)
end

-- errors, yields and closing in such a function
do
  local t = setmetatable({}, { __index = function(_, k) error("no " .. k, 0) end })
  for i = 1, 3 do
    print(pcall(get, t, "key" .. i))
  end
  local u = setmetatable({}, { __index = function(_, k) return coroutine.yield(k) end })
  local co = coroutine.wrap(function()
    local s = 0
    for i = 1, 5 do
      s = s + u[i]
    end
    return "sum " .. s
  end)
  print(co(), co(10), co(20), co(30), co(40), co(50))
  local depth = 0
  local v = setmetatable({}, { __index = function(self, k) depth = depth + 1 return depth < 180 and self[k + 1] or error(k, 0) end })
  print(pcall(get, v, 1))
end

-- constant keys of dictionaries, found, missing, inherited, assigned
do
  local d = fill(100)
  local n = 0
  for i = 1, 10 do
    n = n + d.k5 + (d.absent or 1)
    d.k6 = i
    if i == 4 then
      d.absent = 100
    elseif i == 7 then
      d.absent = nil
    elseif i == 8 then
      d.k5 = nil
      setmetatable(d, { __index = { k5 = 0.5 } })
    end
  end
  print(n, d.k6)
  local log = {}
  setmetatable(d, { __newindex = function(_, k, v) log[#log + 1] = k .. "=" .. v end })
  for i = 1, 3 do
    d.k5 = i
    d.k7 = i
    d.other = i
  end
  print(table.concat(log, " "), d.k7)
end

-- environments that are records
do
  local function run(env, n)
    local _ENV <const> = env
    for i = 1, n do
      x = (x or 0) + i
      y = y and y + 1 or z
    end
    return x, y
  end
  print(run({}, 3))
  print(run({ x = 1, y = 2, z = 3 }, 4))
  print(run({ x = 1.5 }, 5))
  print(run(setmetatable({ z = 9 }, { __index = { y = 100 } }), 3))
  local log = 0
  print(run(setmetatable({}, { __newindex = function(t, k, v) log = log + 1 rawset(t, k, v) end }), 3))
  print(log)
end

-- strings in order, with bytes that are not text
do
  local s = { "", "a", "ab", "b", "a\0b", "a\0", "\xff", "\x80", ("x"):rep(50), ("x"):rep(51), "B", "é" }
  table.sort(s, function(a, b) return a < b end)
  print((table.concat(s, ","):gsub("[^%g]", function(c) return ("\\%d"):format(c:byte()) end)))
  print("a" <= "a", "a" < "a", "a" > "", "" >= "", "" < "", "b" >= "ab")
end

-- functions that a native one calls, ending in every way
do
  local t = { 5, 3, 8, 1, 9, 2 }
  local function less(a, b)
    return a < b
  end
  table.sort(t, function(a, b) return less(b, a) end)
  print(table.concat(t, " "))
  table.sort(t, function(...) local a, b = ... return a < b end)
  print(table.concat(t, " "))
  table.sort(t, function(a, b) if a > b then return true, "more" end end)
  print(table.concat(t, " "))
  table.sort(t, function(a, b) return select(2, pcall(less, a, b)) end)
  print(table.concat(t, " "))
  print(("abc"):gsub(".", function(c) if c ~= "b" then return c:upper() end end))
  print(("abc"):gsub(".", function() end), ("abc"):gsub(".", function() return end))
end
