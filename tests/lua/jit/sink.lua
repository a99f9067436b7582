-- Objects that compiled code does without, until an exit needs them.

local N = 300

local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or (tostring(e):gsub("^[^:]*:%d+: ", ""))
end

do -- temporaries
  local sx, sy = 0, 0.5
  for i = 1, N do
    local p = {x = i, y = i + 0.5}
    local q = {x = p.x * 2, y = p.y - p.x}
    sx, sy = sx + q.x, sy + q.y
  end
  print("temporaries", sx, sy)
end

do -- with metamethods
  local V = {}
  V.__index = V
  local function new(x, y) return setmetatable({x = x, y = y}, V) end
  V.__add = function(a, b) return new(a.x + b.x, a.y + b.y) end
  V.__mul = function(a, k) return new(a.x * k, a.y * k) end
  V.__eq = function(a, b) return a.x == b.x and a.y == b.y end
  V.__tostring = function(a) return "(" .. a.x .. ", " .. a.y .. ")" end
  function V:dot(o) return self.x * o.x + self.y * o.y end
  function V:plus(o) return new(self.x + o.x, self.y + o.y) end
  local s, d, same = new(0, 0), 0, 0
  for i = 1, N do
    local v = new(i, -i) * 2
    s = s + v
    d = d + v:dot(v)
    if v == new(i * 2, -i * 2) then same = same + 1 end
  end
  print(tostring(s), d, same)
  local t = new(0, 0.5)
  for i = 1, N do
    t = t:plus(new(i, 1)):plus(new(1, 0.25))
  end
  print(tostring(t), getmetatable(t) == V)
end

do -- fields added one after the other
  local C = {}
  C.__index = C
  local function make(a, b, c)
    local self = setmetatable({}, C)
    self.a = a
    self.b = b
    if c then self.c = c end
    return self
  end
  function C:sum() return self.a + self.b + (self.c or 0) end
  local n, kept = 0, {}
  for i = 1, N do
    local o = make(i, 2, i % 7 == 0 and i or nil)
    n = n + o:sum()
    if i % 90 == 0 then kept[#kept + 1] = o end
  end
  print(n, #kept)
  for _, o in ipairs(kept) do
    o.d = "d"
    print(o.a, o.b, o.c, o.d, o:sum(), getmetatable(o) == C)
  end
  local many = 0
  for i = 1, N do
    local o = {}
    o.a, o.b, o.c, o.d, o.e, o.f, o.g, o.h, o.i, o.j = 1, 2, 3, 4, 5, 6, 7, 8, 9, i
    many = many + o.a + o.j
  end
  print(many)
end

do -- that escape now and then
  local kept, last = {}, nil
  for i = 1, 4 * N do
    local p = {n = i, f = i / 2, s = "s", b = i % 2 == 0, z = nil}
    if i % 100 == 0 then kept[#kept + 1] = p end
    if i % 250 == 0 then last = p end
    p.n = p.n + 1
  end
  for i, p in ipairs(kept) do print(i, p.n, p.f, p.s, p.b, p.z) end
  print(last.n, last == kept[10], next({}))
end

do -- the same object twice, in one another, in a circle
  local a, b, n
  for i = 1, N do
    local x = {v = i}
    local y = {v = -i, x = x}
    x.y = y
    local pair = {first = x, second = x, both = {x = x, y = y}}
    if i % 70 == 0 then a, b = pair, y end
    n = pair.both.y.x.v
  end
  print(n, a.first == a.second, a.first.y == a.both.y, a.both.y.x == a.first, a.both.y.v, b.x.y == b, b.v)
end

do -- carried from one iteration to the next
  local p = {x = 0, y = 1}
  for i = 1, N do
    p = {x = p.y, y = (p.x + p.y) % 1000007}
  end
  print(p.x, p.y)
  local list
  for i = 1, N do
    list = {value = i, next = list}
    if i % 10 == 0 then list = nil end
  end
  print(list)
  local acc = {n = 0}
  for i = 1, N do
    if i == N // 2 then acc = {n = acc.n, half = true} end
    acc = {n = acc.n + i, half = acc.half}
  end
  print(acc.n, acc.half)
end

do -- given to others on rare paths
  local function check(o, i)
    if i % 60 == 0 then error({code = o.code, i = i}) end
    if i % 77 == 0 then return o end
    return nil
  end
  local errors, results, sum = 0, 0, 0
  for i = 1, 2 * N do
    local o = {code = i * 2}
    local ok, r = pcall(check, o, i)
    if not ok then errors = errors + r.code + r.i
    elseif r then results = results + (r == o and r.code or 0) end
  end
  print(errors, results)
  local function find(from)
    for i = from, from + N do
      local o = {at = i, list = {i, i + 1, i + 2}}
      if o.list[2] % 97 == 0 then return o end
      sum = sum + #o.list
    end
  end
  local o = find(1)
  print(o.at, #o.list, o.list[1], o.list[2], o.list[3], sum)
  o = find(500)
  print(o.at, #o.list, o.list[3], sum)
  print(try(function()
    for i = 1, N do
      local o = {a = i < 200 and 1 or nil}
      sum = sum + o.a
    end
  end))
end

do -- lists
  local s, kept = 0, nil
  for i = 1, N do
    local t = {i, i * 0.5, "x", nil, true}
    s = s + t[1] + t[2]
    if t[4] == nil and t[5] then s = s + 1 end
    t[2] = i
    if i % 111 == 0 then kept = t end
  end
  print(s, kept[1], kept[2], kept[3], kept[4], kept[5])
  kept[4] = "four"
  print(#kept, table.concat({kept[1], kept[3], kept[4]}, ","))
  local ints
  for i = 1, N do
    local t = {i, i + 1, i + 2}
    if i % 64 == 0 then ints = t end
  end
  ints[#ints + 1] = "more"
  ints[2] = 2.5
  print(#ints, ints[1], ints[2], ints[3], ints[4])
  local e
  for i = 1, N do
    local t = {}
    if i % 64 == 0 then e = t; t[1] = i; t.x = i end
  end
  print(e[1], e.x, #e)
end

do -- closures and their variables
  local kept, s = {}, 0
  for i = 1, N do
    local n = i
    local function inc() n = n + 1; return n end
    local function get() return n + i end
    inc()
    s = s + get() + inc()
    if i % 75 == 0 then kept[#kept + 1] = {inc = inc, get = get} end
  end
  print(s)
  for _, k in ipairs(kept) do print(k.get(), k.inc(), k.get()) end
  local function compose(f, g) return function(x) return f(g(x)) end end
  local total = 0
  local function twice(x) return x * 2 end
  for i = 1, N do
    local f = compose(function(x) return x + i end, twice)
    total = total + compose(f, f)(i)
  end
  print(total)
  local fs = {}
  for i = 1, N do
    local f = function() return i end
    if i % 50 == 0 then fs[#fs + 1] = f end
  end
  print(#fs, fs[1](), fs[#fs](), fs[1] ~= fs[2])
  -- a variable that the closure and the loop share
  local count = 0
  for i = 1, N do
    local x
    local set = function(v) x = v; count = count + 1 end
    set(i); set(x + 1)
    if x ~= i + 1 then print("wrong", i, x) end
  end
  print(count)
  -- one closure of many
  local made
  for i = 1, N do
    local up = {v = i}
    made = function(d) up.v = up.v + d; return up.v, up end
    if i % 2 == 0 then made(1) end
  end
  print((made(0)), select(2, made(1)).v, (made(1)))
end

do -- alive across a collection
  local s, keep = 0, nil
  for i = 1, N do
    local p = {name = "n" .. i, list = {tostring(i)}, f = function() return i end}
    if i % 32 == 0 then collectgarbage("step") end
    if i % 64 == 0 then collectgarbage() end
    s = s + #p.name + #p.list[1] + p.f()
    if i % 100 == 0 then keep = p end
  end
  print(s, keep.name, keep.list[1], keep.f())
end

do -- another kind of value on another path
  local out = {}
  for i = 1, N do
    local v = {x = i % 3 == 0 and "s" or i % 3 == 1 and 1.5 or i}
    v.y = v.x
    if i % 7 == 0 then v.x = nil end
    if i % 61 == 0 then out[#out + 1] = v end
  end
  for _, v in ipairs(out) do io.write(tostring(v.x), " ", tostring(v.y), "; ") end
  print()
end

do -- identity
  local eq, seen = 0, {}
  for i = 1, N do
    local a, b = {}, {}
    if a == b then eq = eq + 1 end
    if i % 100 == 0 then seen[a], seen[b] = 1, 2 end
  end
  local n = 0
  for _ in pairs(seen) do n = n + 1 end
  print(eq, n)
end
