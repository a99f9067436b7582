-- Generators consumed by loops: compiled, the loop and the coroutine are one trace.

local wrap, yield, create, resume = coroutine.wrap, coroutine.yield, coroutine.create, coroutine.resume
local status, running, isyieldable = coroutine.status, coroutine.running, coroutine.isyieldable
local N = 300

do -- wrap called by hand, never ending
  local co = wrap(function()
    local i = 0
    while true do
      i = i + 1
      yield(i)
    end
  end)
  local s = 0
  for k = 1, N do s = s + co() * k end
  print("endless", s)
end

do -- for in, to the end
  local s, n = 0, 0
  for a, b, c in wrap(function() for i = 1, N do yield(i, i / 2) end end) do
    s, n = s + a * b, n + (c == nil and 1 or 0)
  end
  print("for in", s, n)
end

do -- arguments and results of resume
  local co = create(function(a, b)
    local sum = a + b
    while true do
      local x, y, z = yield(sum, a, b)
      a, b = x, y
      sum = sum + x + y + (z or 0)
    end
  end)
  local t = 0
  for k = 1, N do
    local ok, s, a, b, none = resume(co, k, k * 0.5)
    assert(ok and none == nil)
    t = t + s - a + b
  end
  print("resume", t, status(co))
end

do -- all results, all arguments
  local function count(...) return select("#", ...), ... end
  local co = wrap(function(...)
    local n = select("#", ...)
    while true do n = select("#", yield(n, n, n)) end
  end)
  local t = 0
  for k = 1, N do
    local n, a, b, c = count(co(k, k))
    t = t + n + a + b + c
  end
  print("all", t)
  local list
  local gen = wrap(function() for i = 1, N do yield(i, i + 1, i + 2) end return "end", "of", "it", "all" end)
  for i = 1, N + 1 do
    list = {gen()}
    t = t + #list
  end
  print("lists", t, table.concat(list, " "))
end

do -- nested generators
  local function upto(n) return wrap(function() for i = 1, n do yield(i) end end) end
  local function filter(gen, f) return wrap(function() for v in gen do if f(v) then yield(v) end end end) end
  local function map(gen, f) return wrap(function() for v in gen do yield(f(v)) end end) end
  local s = 0
  for v in map(filter(upto(N), function(v) return v % 3 ~= 0 end), function(v) return v * v end) do s = s + v end
  print("nested", s)
  local function primes(n)
    local gen = wrap(function() for i = 2, n do yield(i) end end)
    local out = {}
    while true do
      local p = gen()
      if not p then break end
      out[#out + 1] = p
      gen = filter(gen, function(v) return v % p ~= 0 end)
    end
    return out
  end
  print("primes", table.concat(primes(120), " "))
end

do -- from nested calls and recursion
  local function leaf(x) yield(x) return x + 1 end
  local function twice(x) return leaf(x) + leaf(x + 0.5) end
  local s = 0
  for v in wrap(function() for i = 1, N do yield(twice(i)) end end) do s = s + v end
  print("calls", s)
  local function walk(t)
    if t then
      walk(t[1])
      yield(t[2])
      walk(t[3])
    end
  end
  local function build(lo, hi)
    if lo > hi then return nil end
    local mid = (lo * 3 + hi) // 4
    return {build(lo, mid - 1), mid, build(mid + 1, hi)}
  end
  local tree, n, last = build(1, N), 0, 0
  for round = 1, 3 do
    for v in wrap(function() walk(tree) end) do
      n = n + (v > last and 1 or 0)
      last = v
    end
  end
  print("tree", n, last)
  local function permgen(a, n)
    n = n or #a
    if n <= 1 then yield(a) else
      for i = 1, n do
        a[n], a[i] = a[i], a[n]
        permgen(a, n - 1)
        a[n], a[i] = a[i], a[n]
      end
    end
  end
  local h = 0
  for p in wrap(function() permgen {1, 2, 3, 4, 5} end) do
    for i = 1, 5 do h = (h * 7 + p[i]) % 1000003 end
  end
  print("permutations", h)
end

do -- a ring; many coroutines with one body
  local size, ring = 20, {}
  for i = 1, size do
    ring[i] = create(function(token)
      while token do token = yield((token + i) % 65521) end
      return "done", i
    end)
  end
  local token = 1
  for lap = 1, 60 do
    for i = 1, size do
      local _, passed = resume(ring[i], token)
      token = passed
    end
  end
  local done = 0
  for i = 1, size do
    local ok, word, n = resume(ring[i], nil)
    if ok and word == "done" and n == i and status(ring[i]) == "dead" then done = done + 1 end
  end
  print("ring", token, done)
end

do -- short lives
  local s = 0
  for k = 1, N do
    local co = create(function(a, b)
      local c = yield(a + b)
      return c * 2
    end)
    local _, x = resume(co, k, 1)
    local ok, y = resume(co, x % 100)
    local ok2, e = resume(co)
    s = s + y + #e + (ok and 1 or 0) + (ok2 and 1000 or 0)
  end
  print("short", s)
  s = 0
  for k = 1, N do
    local f = wrap(function(...) return select("#", ...), ... end)
    local n, v = f(k, nil, nil)
    s = s + n * v
  end
  print("varargs", s)
  s = 0
  for k = 1, N do
    local f = wrap(function(a, b, c) return c, b, a end)
    local c, b, a, none = f(k)
    s = s + a + (c == nil and 1 or 0) + (b == nil and 1 or 0) + (none == nil and 1 or 0)
  end
  print("missing", s)
end

do -- producer and consumer, both coroutines
  local function receive(p) local _, v = resume(p) return v end
  local function send(v) yield(v) end
  local producer = create(function() for i = 1, N do send("line " .. i) end end)
  local filtered = create(function()
    local n = 1
    while true do
      local x = receive(producer)
      if not x then return end
      send(n .. ":" .. x)
      n = n + 1
    end
  end)
  local chars = 0
  while true do
    local x = receive(filtered)
    if not x then break end
    chars = chars + #x
  end
  print("producer", chars, status(producer), status(filtered))
end

do -- who runs
  local main, is_main = running()
  local same, yields, states = 0, 0, 0
  local co
  co = create(function()
    while true do
      local me, m = running()
      if me == co and not m then same = same + 1 end
      if isyieldable() then yields = yields + 1 end
      if status(main) == "normal" and status(me) == "running" then states = states + 1 end
      yield()
    end
  end)
  for i = 1, N do
    assert(resume(co))
    if status(co) == "suspended" and running() == main then same = same + 1 end
    if isyieldable(co) and not isyieldable() then yields = yields + 1 end
  end
  print("running", is_main, same, yields, states)
end

do -- types that change
  local co = wrap(function()
    local i = 0
    while true do
      i = i + 1
      if i % 50 == 0 then yield("x" .. i) elseif i % 7 == 0 then yield(i + 0.5) else yield(i) end
    end
  end)
  local n, f, s = 0, 0, 0
  for k = 1, N do
    local v = co()
    if type(v) == "string" then s = s + #v elseif math.type(v) == "float" then f = f + v else n = n + v end
  end
  print("types", n, f, s)
end

do -- the loop is in the coroutine, what it gives is used elsewhere
  local log = {}
  local co = create(function()
    local s = 0
    for i = 1, N do
      s = s + i
      if i % 100 == 0 then yield(s) end
    end
    return "end"
  end)
  while status(co) ~= "dead" do log[#log + 1] = tostring(select(2, resume(co))) end
  print("inside", table.concat(log, " "))
end

do -- through upvalues and globals that both sides change
  local shared = 0
  COUNT = 0
  local co = wrap(function()
    while true do
      shared = shared + 2
      COUNT = COUNT + shared
      yield()
    end
  end)
  for i = 1, N do
    shared = shared - 1
    co()
    COUNT = COUNT - 1
  end
  print("shared", shared, COUNT)
  COUNT = nil
end

do -- tables that one side changes under the other's eyes
  local t = {x = 1, n = 0}
  local co = wrap(function()
    while true do
      t.x = t.x + 1
      if t.n % 64 == 63 then t.y = t.x; t.x = 0.5 end
      yield(t)
    end
  end)
  local s = 0
  for i = 1, N do
    local a = t.x
    local same = co()
    s = s + same.x - a
    t.n = t.n + 1
  end
  print("tables", s, t.y)
end
