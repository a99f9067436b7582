-- Functions of table, and loops over tables, in hot code.

local N = 300

local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or (tostring(e):gsub("^[^:]*:%d+: ", ""))
end

do -- insert and remove at the end
  local insert, remove = table.insert, table.remove
  local t = {}
  for i = 1, N do insert(t, i) end
  for i = 1, N do insert(t, i + 0.5) end
  for i = 1, N do insert(t, i % 2 == 0 and "s" or i) end
  print("insert", #t, t[1], t[N + 1], t[#t], t[#t - 1])
  local n, nils = 0, 0
  for i = 1, 3 * N + 50 do
    local v = remove(t)
    if v == nil then nils = nils + 1 elseif type(v) == "number" then n = n + v else n = n + 1000 end
  end
  print(n, nils, #t)
  local small = 0
  for i = 1, N do
    local s = {}
    insert(s, i)
    insert(s, "two")
    insert(s, {})
    insert(s, 2, 1.5)
    small = small + #s + s[2]
    remove(s)
    remove(s, 1)
    small = small + #s
  end
  print(small)
  local stack = {}
  local deep = 0
  for i = 1, 4 * N do
    if i % 5 < 3 then insert(stack, i) else deep = deep + (remove(stack) or 0) end
  end
  print(#stack, deep)
  print(try(function() for i = 1, N do insert(i < N and t or nil, 1) end end))
  print(try(function() for i = 1, N do insert(t, i < N and 1 or -5, 1) end end))
  print(try(function() for i = 1, N do if i < N then insert(t, 1) else insert(t) end end end))
  local log = {}
  local proxy = setmetatable({}, {__newindex = function(_, k, v) log[#log + 1] = k .. "=" .. v end, __len = function() return 9 end})
  for i = 1, N do insert(i < N and {} or proxy, i) end
  print(table.concat(log))
  local holes = {1, 2, nil, 4}
  for i = 1, N do insert(holes, i) end
  print(holes[N] ~= nil)
end

do -- unpack
  local unpack = table.unpack
  local t = {1, 2, 3}
  local n = 0
  for i = 1, N do
    local a, b, c, d = unpack(t)
    n = n + a + b + c + (d or 0)
    t[i % 3 + 1] = i
    local x, y = unpack(t, 2)
    n = n + x + y
    local p = unpack(t, 3, 3)
    n = n + p + select("#", unpack(t)) + select("#", unpack(t, 1, 5)) + select("#", unpack(t, 3, 2))
    n = n + math.max(unpack(t))
  end
  print("unpack", n)
  for i = 1, N do
    if i % 100 == 0 then t[#t + 1] = i end
    n = n + select("#", unpack(t))
  end
  print(n)
  print(try(function() for i = 1, N do unpack(t, 1, i < N and 2 or 1e8) end end))
end

do -- concat
  local t = {"a", "b", 3, 4.5}
  local n = 0
  for i = 1, N do
    t[2] = i
    n = n + #table.concat(t) + #table.concat(t, ", ") + #table.concat(t, "-", 2, 3) + #table.concat(t, "x", 3, 2) + #table.concat({})
  end
  print("concat", n, table.concat(t, "/"))
  print(try(function() for i = 1, N do t[1] = i < N and "a" or {} table.concat(t) end end))
end

do -- ipairs
  local t = {}
  for i = 1, N do t[i] = i end
  local s, k = 0, 0
  for i, v in ipairs(t) do s = s + i * v; k = k + 1 end
  print("ipairs", s, k)
  t[150] = nil
  k = 0
  for i in ipairs(t) do k = k + 1 end
  print(k)
  local inner = 0
  for i = 1, N do
    for j, v in ipairs {1, 2.5, 3} do inner = inner + j * v end
    for _ in ipairs {} do inner = inner + 1e9 end
  end
  print(inner)
  local proxy = setmetatable({}, {__index = function(_, i) if i <= N then return i * 2 end end})
  s = 0
  for i, v in ipairs(proxy) do s = s + v end
  print(s)
  -- grows while it is traversed
  local g = {1}
  for i, v in ipairs(g) do if i < N then g[i + 1] = v + i end end
  print(#g, g[N])
  s = 0
  local mixed = {}
  for i = 1, N do mixed[i] = i % 3 == 0 and "x" or i end
  for i, v in ipairs(mixed) do if v == "x" then s = s + 1 else s = s + v end end
  print(s)
  -- beyond the array part
  local sparse = {}
  for i = N, 1, -1 do sparse[i] = i end
  s = 0
  for i, v in ipairs(sparse) do s = s + v end
  print(s)
  print(try(function() for i = 1, N do for _ in ipairs(i < N and {} or nil) do end end end))
end

do -- pairs and next
  local t = {}
  for i = 1, N do t[i] = i end
  local s, k = 0, 0
  for i, v in pairs(t) do s = s + i + v; k = k + 1 end
  print("pairs", s, k)
  for i = 1, N do t["key" .. i] = i end
  s, k = 0, 0
  for i, v in pairs(t) do s = s + v; k = k + #tostring(i) end
  print(s, k)
  -- holes
  for i = 1, N, 3 do t[i] = nil; t["key" .. i] = nil end
  s, k = 0, 0
  for i, v in pairs(t) do s = s + v; k = k + 1 end
  print(s, k)
  -- values are changed and removed while it is traversed
  for i, v in pairs(t) do
    if v % 2 == 0 then t[i] = nil else t[i] = v + 1 end
  end
  s, k = 0, 0
  for i, v in pairs(t) do s = s + v; k = k + 1 end
  print(s, k)
  -- records
  local r = {a = 1, b = 2, c = 3, d = 4.5, e = "x"}
  local sum, keys = 0, 0
  for i = 1, N do
    for key, v in pairs(r) do
      keys = keys + #key
      if type(v) == "number" then sum = sum + v end
    end
    r.a = i
  end
  print(sum, keys)
  -- many kinds of keys
  local kinds = {[true] = 1, [false] = 2, [1.5] = 3, [-1] = 4, [print] = 5, [r] = 6, z = 7, 8, 9}
  sum = 0
  for i = 1, N do for key, v in pairs(kinds) do sum = sum + v; if kinds[key] ~= v then error("key") end end end
  print(sum)
  -- next by itself
  local n = 0
  for i = 1, N do
    if next({}) == nil then n = n + 1 end
    if next(r) then n = n + 1 end
    local key, v = next(t)
    if t[key] == v then n = n + 1 end
    local c = 0
    local x, y = next(r)
    while x do c = c + 1; x, y = next(r, x) end
    n = n + c
  end
  print(n)
  print(try(function() for i = 1, N do next(r, i < N and "a" or "none") end end))
  print(try(function() for i = 1, N do for _ in pairs(i < N and {} or nil) do end end end))
  local custom = setmetatable({}, {__pairs = function(o) return function(_, i) i = (i or 0) + 1; if i <= 3 then return i, -i end end, o, nil end})
  sum = 0
  for i = 1, N do for _, v in pairs(i % 2 == 0 and custom or r) do if type(v) == "number" then sum = sum + v end end end
  print(sum)
  for i, v in next, {5, 6} do sum = sum + v end
  for a, b, c in pairs({x = 1}) do print(a, b, c) end
  print(sum)
end

do -- queues: insertion and removal at positions
  local insert, remove = table.insert, table.remove
  local q, sum = {}, 0
  for i = 1, N do
    insert(q, 1, i)
    insert(q, #q // 2 + 1, i + 0.5)
    insert(q, #q + 1, "last")
    insert(q, #q, {i})
    if i % 3 == 0 then
      local first, middle = remove(q, 1), remove(q, #q // 2)
      sum = sum + (tonumber(first) or 1) + (tonumber(middle) or 2)
      remove(q, #q)
    end
  end
  print("queue", #q, sum)
  local kinds = {}
  for i = 1, #q do local k = math.type(q[i]) or type(q[i]); kinds[k] = (kinds[k] or 0) + 1 end
  print(kinds.integer, kinds.float, kinds.string, kinds.table)
  while #q > 0 do remove(q, 1) end
  print(#q, remove(q, 1), next(q))
  collectgarbage("step")
  for i = 1, N do insert(q, 1, {i}) if i % 7 == 0 then collectgarbage("step", 1) end end
  for i = 1, N do sum = sum + remove(q, i % #q + 1)[1] if i % 7 == 0 then collectgarbage("step", 1) end end
  print(sum)
  print(try(function() for i = 1, N do insert(q, i < N and 1 or i + 2, i) end end))
  print(try(function() for i = 1, N do insert(q, i < N and 1 or 1.5, i) end end))
end

do -- generic loops inside loops, with something to be closed, and left early
  local closed, n = 0, 0
  local lists = {{1, 2, 3}, {4, 5}, {}, {a = 6, b = 7}}
  for i = 1, N do
    for _, v in ipairs(lists[i % 4 + 1]) do n = n + v if v == 5 then break end end
    for k, v in pairs(lists[i % 4 + 1]) do n = n + v end
    if i % 50 == 0 then
      for k in next, {1}, nil, setmetatable({}, {__close = function() closed = closed + 1 end}) do n = n + k end
    end
    do
      local c <close> = i % 2 == 0 and setmetatable({}, {__close = function() closed = closed + 1 end}) or nil
      for _, v in ipairs(lists[1]) do n = n + v end
    end
  end
  print(n, closed)
  local function each(t) local i = 0 return function() i = i + 1 return t[i] end end
  for i = 1, N do for v in each(lists[1]) do n = n + v end end
  print(n)
end
