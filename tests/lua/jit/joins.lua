-- Fields of records of very many shapes at one place, and computed keys: the trace looks them up.

local N = 400

local function make(k, i)
  local t = {}
  for j = 0, 5 do if math.floor(k / 2 ^ j) % 2 == 1 then t["f" .. j] = i end end
  t.key = i
  t.value = 2 * i
  return t
end
local recs = {}
for i = 1, 40 do recs[i] = make(i, i) end

do -- reads and writes of fields that all of them have
  local s = 0
  for i = 1, N do
    local t = recs[i % 40 + 1]
    s = s + t.key + t.value
    t.value = (t.value + i) % 512
  end
  print("plain", s)
end

do -- fields that some lack, or that are nil there
  local s, there = 0, 0
  for i = 1, N do
    local t = recs[i * 7 % 40 + 1]
    if t.f1 then s = s + t.f1; there = there + 1 end
    if i % 50 == 0 then t.f1 = nil elseif i % 50 == 1 then t.f1 = i end
  end
  print("absent", s, there)
end

do -- types of the values change
  local seen = {}
  for i = 1, N do
    local t = recs[i % 40 + 1]
    t.key = i % 3 == 0 and i or i % 3 == 1 and i + 0.5 or "s" .. i % 4
    local k = math.type(t.key) or type(t.key)
    seen[k] = (seen[k] or 0) + 1
  end
  print("types", seen.integer, seen.float, seen.string)
  for i = 1, 40 do recs[i].key = i end
end

do -- metatables: values, functions, and changes of both
  local base = { inherited = 3 }
  base.__index = base
  function base:get(x) return self.key + x + self.inherited end
  local other = { __index = function(t, k) return #k end }
  local objs = {}
  for i = 1, 60 do
    objs[i] = make(i % 50 + 1, i)
    if i % 3 == 0 then setmetatable(objs[i], base)
    elseif i % 3 == 1 then setmetatable(objs[i], other); objs[i].get = base.get
    else objs[i].inherited = i; objs[i].get = base.get end
  end
  local s = 0
  for i = 1, N * 4 do
    local o = objs[i * 11 % 60 + 1]
    s = s + o.inherited + o:get(i)
    if i == N then base.inherited = 10 end
    if i == N * 2 then function base:get(x) return -x end end
    if i == N * 3 then base.get = nil; base.__index = { inherited = 1, get = function(self) return self.key end } end
  end
  print("metatables", s)
end

do -- methods of very many classes
  local classes = {}
  for k = 1, 70 do
    local C = { ["m" .. k] = true }
    C.__index = C
    if k % 2 == 0 then function C:area() return self.w * k end else function C:area() return self.w + k end end
    function C:grow() self.w = self.w + 1 return self end
    classes[k] = C
  end
  local objs = {}
  for i = 1, 140 do objs[i] = setmetatable({ w = i % 9 }, classes[i % 70 + 1]) end
  local s = 0
  for r = 1, 60 do
    for i = 1, 140 do s = (s + objs[i]:area() + objs[i]:grow().w) % 1000003 end
    if r % 20 == 0 then classes[r].area = function() return 1000 end end
    if r == 50 then for k = 1, 70, 7 do classes[k].grow = function(self) return { w = -self.w } end end end
  end
  print("classes", s)
end

do -- errors in the middle
  local t = {}
  for i = 1, 30 do t[i] = make(i, i) end
  t[31], t[32] = false, setmetatable({}, { __index = function() error("no", 0) end, __newindex = function() error("new", 0) end })
  local seen = {}
  for i = 1, N do
    local ok, e = pcall(function() local o = t[i % 32 + 1] o.value = o.value + 1 return o.value end)
    if not ok then e = e:gsub("^.-:%d+: ", ""); seen[e] = (seen[e] or 0) + 1 end
  end
  local n = 0
  for _, v in pairs(seen) do n = n + v end
  print("errors", n, seen.no, seen["attempt to index a boolean value (local 'o')"])
end

do -- records that become dictionaries, prototypes, or get new fields there
  local t = {}
  for i = 1, 30 do t[i] = make(i, i) end
  local s = 0
  for i = 1, N * 2 do
    local o = t[i % 30 + 1]
    s = s + o.value
    o.extra = i
    if i == N then for k = 1, 80 do t[3]["d" .. k] = k end t[4].value = nil setmetatable(t[4], { __index = t[5] }) setmetatable({}, t[6]).x = 1 end
    o.value = o.value % 1000 + 1
  end
  print("changes", s, t[4].value, rawget(t[4], "value"), t[3].d80)
end

do -- computed keys: short, long, absent, of records, dictionaries, with metatables
  local long = ("k"):rep(60)
  local o = { a = 1, b = 2, [long] = 3, c = 4 }
  local p = setmetatable({ a = 10 }, { __index = function(_, k) return #k end })
  local keys = { "a", "b", "c", "zz", long, "k" .. ("k"):rep(59), "a" .. "" }
  local s, nils = 0, 0
  for i = 1, N * 3 do
    local k = keys[i % #keys + 1]
    local v = o[k]
    if v then s = s + v; o[k] = v % 100 + 1 else nils = nils + 1 end
    s = s + p[k]
    if i % 100 == 0 then o.b = nil elseif i % 100 == 50 then o.b = 5 end
    if i == N * 2 then for j = 1, 100 do o["x" .. j] = j end end
  end
  print("computed", s, nils, o.a, o[long])
end

do -- counting with computed keys, and a collector that runs meanwhile
  local counts = { start = 0, num = 0, id = 0, str = 0 }
  local names = { "start", "num", "id", "str" }
  local garbage
  for i = 1, N * 10 do
    local k = names[i * i % 7 % 4 + 1]
    counts[k] = counts[k] + 1
    garbage = { k, i }
    if i % 1000 == 0 then collectgarbage() end
  end
  print("counts", counts.start, counts.num, counts.id, counts.str)
  local objs = setmetatable({}, { __mode = "v" })
  local texts = { "start", "num", "id", "str" }
  local boxes = { start = {}, num = {}, id = {}, str = {} }
  for i = 1, N * 4 do
    local k = texts[i % 4 + 1]
    boxes[k] = { boxes[k] and 1 or 0, i }
    if i % 500 == 0 then collectgarbage("step") end
  end
  print("barrier", boxes.start[2], boxes.num[2], boxes.id[2], boxes.str[2])
end

do -- a function and a coroutine whose traces are recorded anew
  local function sum(t) return t.key + (t.value or 0) end
  local s = 0
  for i = 1, N * 2 do s = s + sum(recs[i % 40 + 1]) end
  local co = coroutine.wrap(function() for i = 1, N * 2 do local t = recs[i % 40 + 1] coroutine.yield(t.key + t.value) end return 0 end)
  for i = 1, N * 2 do s = s + co() end
  local function rec(n) if n == 0 then return 0 end local t = recs[n % 40 + 1] return rec(n - 1) + t.key end
  for i = 1, N do s = s + rec(i % 50) end
  print("anew", s)
end

do -- a field that all lack, and then a class has it: what is known of the shape of a prototype is not in the look-up cache
  local list = {}
  for k = 1, 64 do
    local t = { id = k }
    if k % 2 == 1 then t.a = 1 end
    if k // 2 % 2 == 1 then t.b = 1 end
    if k // 4 % 2 == 1 then t.c = 1 end
    if k // 8 % 2 == 1 then t.d = 1 end
    if k // 16 % 2 == 1 then t.e = 1 end
    list[k] = t
  end
  local function count()
    local n = 0
    for i = 1, #list do
      if list[i].opt then n = n + 1 end
    end
    return n
  end
  for _ = 1, 200 do count() end
  local class = { id = 0, opt = true }
  class.__index = class
  print("inherited", setmetatable({}, class).opt)
  for i = 1, 64, 3 do list[i] = class end
  for _ = 1, 20 do count() end
  print("class", count())
end
