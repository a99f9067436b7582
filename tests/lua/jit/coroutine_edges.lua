-- Coroutines in compiled loops: errors, wrong uses, pcall, metamethods, to-be-closed variables, close, hooks.

local wrap, yield, create, resume = coroutine.wrap, coroutine.yield, coroutine.create, coroutine.resume
local status, running, close = coroutine.status, coroutine.running, coroutine.close
local N = 200

local function text(e) return (tostring(e):gsub("^[^:]*:%d+: ", "")) end

do -- dead, running, normal
  local s = {}
  local function note(k) s[k] = (s[k] or 0) + 1 end
  local dead = create(function() end)
  resume(dead)
  local self
  self = create(function()
    while true do
      local ok, e = resume(self)
      note(tostring(ok) .. " " .. e)
      yield(status(self))
    end
  end)
  local outer
  local inner = create(function()
    while true do
      local ok, e = resume(outer)
      note(tostring(ok) .. " " .. e .. " " .. status(outer))
      yield()
    end
  end)
  outer = create(function() while true do resume(inner) yield() end end)
  for i = 1, N do
    local ok, e = resume(dead)
    note(tostring(ok) .. " " .. e)
    local _, st = resume(self)
    note(st)
    resume(outer)
    note(status(inner) .. " " .. status(outer) .. " " .. status(dead))
  end
  local keys = {}
  for k, v in pairs(s) do keys[#keys + 1] = k .. " = " .. v end
  table.sort(keys)
  print(table.concat(keys, "\n"))
  local w = wrap(function() end)
  w()
  local n = 0
  for i = 1, N do
    local ok, e = pcall(w)
    if not ok and text(e) == "cannot resume dead coroutine" then n = n + 1 end
  end
  print("dead wrap", n)
  n = 0
  for i = 1, N do
    local ok, e = pcall(yield, i)
    if not ok and e == "attempt to yield from outside a coroutine" then n = n + 1 end
  end
  print("outside", n)
  n = 0
  for i = 1, N do
    local ok, e = pcall(resume, i)
    if not ok then n = n + #e end
  end
  print("no thread", n)
end

do -- a generator's body called outside of a coroutine
  local function body(n) for i = 1, n do yield(i) end return n end
  local s = 0
  for v in wrap(function() body(N) end) do s = s + v end
  print("body", s, pcall(body, 3))
end

do -- errors in the coroutine
  local n, dead = 0, 0
  for i = 1, N do
    local co = create(function(a)
      local b = yield(a)
      if b % 3 == 0 then error({b}) end
      local c = yield(b)
      return c.x
    end)
    local _, a = resume(co, i)
    local ok, b = resume(co, a)
    if ok then
      local ok2, e = resume(co, nil)
      n = n + (not ok2 and text(e) == "attempt to index a nil value (local 'c')" and 1 or 0)
    else
      n = n + b[1]
    end
    if status(co) == "dead" then dead = dead + 1 end
  end
  print("errors", n, dead)
  n = 0
  for i = 1, N do
    local f = wrap(function() yield(1) error("oops " .. i) end)
    f()
    local ok, e = pcall(f)
    if not ok and text(e):find("oops " .. i, 1, true) then n = n + 1 end
  end
  print("wrapped errors", n)
end

do -- errors in the loop, with coroutines on the way
  local function risky(gen)
    local s = 0
    for v in gen do
      if v == 150 then error("at " .. v) end
      s = s + v
    end
    return s
  end
  local gen = wrap(function() for i = 1, N do yield(i) end end)
  local ok, e = pcall(risky, gen)
  print("error outside", ok, text(e))
  print("goes on", risky(gen))
end

do -- across pcall
  local co = wrap(function()
    local n = 0
    while true do
      local ok, v = pcall(function(x)
        local y = yield(x)
        if y % 10 == 0 then error("ten") end
        return y
      end, n)
      n = n + (ok and v or -1)
    end
  end)
  local s = 0
  co()
  for i = 1, N do s = s + co(i) end
  print("pcall", s)
  s = 0
  for i = 1, N do
    local ok, v = pcall(wrap(function(a) return yield(a) end), i)
    s = s + (ok and v or 0)
  end
  print("pcall of wrap", s)
end

do -- across metamethods and iterators
  local mt = {
    __add = function(a, b) return yield(a, b) end,
    __index = function(t, k) return yield(k) end,
    __lt = function(a, b) yield("lt") return true end,
    __call = function(self, v) return yield(v), self end,
    __concat = function(a, b) return yield("..") end,
  }
  local co = wrap(function()
    local o, s = setmetatable({}, mt), 0
    while true do
      s = s + (o + 1)
      s = s + o.key
      if o < o then s = s + 1 end
      s = s + o(2)
      s = s + #(o .. "x")
    end
  end)
  local n = 0
  co()
  for i = 1, N do
    local v = co(i % 5 == 0 and "abc" or i)
    n = n + (type(v) == "string" and #v or 1)
  end
  print("metamethods", n)
  local function iter(s, i)
    if i < s then return yield(i + 1) end
  end
  local f = wrap(function()
    local t = 0
    for i in iter, N, 0 do t = t + i end
    return t, "end"
  end)
  local v, e = f()
  while not e do v, e = f(v) end
  print("iterator", v, e)
end

do -- to-be-closed variables, close
  local closed = 0
  local function tbc() return setmetatable({}, {__close = function() closed = closed + 1 end}) end
  for i = 1, N do
    local co = create(function()
      local a <close> = tbc()
      yield(i)
      local b <close> = tbc()
      yield(i + 1)
    end)
    resume(co)
    if i % 2 == 0 then resume(co) end
    if i % 3 == 0 then resume(co) end
    if i % 5 ~= 0 then assert(close(co) and status(co) == "dead") end
  end
  print("closed", closed)
  closed = 0
  local n = 0
  for i = 1, N do
    for v in wrap(function() local a <close> = tbc() for k = 1, 3 do yield(k) end end) do
      if v == i % 4 then break end
      n = n + v
    end
  end
  print("for in", n, closed)
  n = 0
  for i = 1, N do
    local co = create(function() local x <close> = setmetatable({}, {__close = function() error("in close") end}) yield() end)
    resume(co)
    local ok, e = close(co)
    n = n + (not ok and text(e) == "in close" and 1 or 0)
    local ok2, e2 = pcall(close, running())
    n = n + (not ok2 and text(e2) == "cannot close a running coroutine" and 1 or 0)
  end
  print("close fails", n)
  -- closing the other one in the loop that resumes it
  n = 0
  local co
  for i = 1, N do
    if i % 16 == 1 then co = create(function() local k = 0 while true do k = k + 1 yield(k) end end) end
    local ok, v = resume(co)
    n = n + (ok and v or -100)
    if i % 16 == 12 then close(co) end
  end
  print("closed in the loop", n)
end

do -- tail calls of yield and of wrapped functions
  local gen = wrap(function()
    local function give(v) return yield(v) end
    local s = 0
    while true do s = s + give(s) end
  end)
  local t = 0
  gen()
  for i = 1, N do
    local function pull() return gen(i) end
    t = t + pull()
  end
  print("tail calls", t)
end

do -- room for frames
  local function deep(n) if n == 0 then yield(n) else deep(n - 1) end return n end
  local s = 0
  for i = 1, N do
    for v in wrap(function() for d = 1, i % 50 do s = s + deep(d) end end) do s = s + v end
  end
  print("deep", s)
  local many = {}
  for i = 1, 40 do many[i] = i end
  local co = wrap(function(...)
    local n = 0
    while true do
      n = n + select("#", ...)
      n = n + select("#", yield(n, table.unpack(many)))
    end
  end)
  local t = 0
  for i = 1, N do t = t + select("#", co(table.unpack(many, 1, i % 41))) end
  print("wide", t, (co()))
end

do -- coroutines that resume coroutines, too deep in the end
  local function nest(n)
    if n == 0 then return 0 end
    return 1 + wrap(nest)(n - 1)
  end
  local s = 0
  for i = 1, 60 do s = s + nest(i) end
  print("depth", s)
  local function forever() return 1 + wrap(forever)() end
  local ok, e = pcall(forever)
  print("too deep", ok, (tostring(e):find("C stack overflow", 1, true) ~= nil))
  for i = 1, N do
    if i % 50 == 0 then ok, e = pcall(forever) s = s + (ok and 1 or 2) end
    s = s + nest(2)
  end
  print("again", s)
end

do -- hooks
  local n, lines = 0, 0
  local co = create(function() for i = 1, 1e9 do n = n + i yield(n) end end)
  for i = 1, N do
    if i == 100 then debug.sethook(co, function() lines = lines + 1 end, "l") end
    if i == 120 then debug.sethook(co) end
    resume(co)
  end
  print("hook of the coroutine", n, lines > 10)
  lines = 0
  local c2 = wrap(function() for i = 1, 1e9 do
    if i == 100 then debug.sethook(function() lines = lines + 1 end, "", 1) end
    if i == 110 then debug.sethook() end
    yield(i)
  end end)
  local s = 0
  for i = 1, N do s = s + c2() end
  print("hook set inside", s, lines > 20)
  lines = 0
  local main = running()
  local c3 = wrap(function() for i = 1, 1e9 do
    if i == 100 then debug.sethook(main, function() lines = lines + 1 end, "l") end
    if i == 110 then debug.sethook(main) end
    yield(i)
  end end)
  s = 0
  for i = 1, N do
    s = s + c3()
  end
  print("hook of the loop", s, lines > 5)
end

do -- locals seen and set from outside
  local co = create(function(a)
    local x = a
    while true do
      local y = x + 1
      yield(y)
      x = y
    end
  end)
  local s = 0
  for i = 1, N do
    local _, v = resume(co, 1)
    s = s + v
    if i % 40 == 0 then
      local name, val = debug.getlocal(co, 1, 2)
      local set = debug.setlocal(co, 1, 3, val * 2)
      s = s + (name == "x" and set == "y" and 1 or 1000)
    end
  end
  print("locals", s)
  local where = 0
  for i = 1, N do
    resume(co)
    if i % 50 == 0 then where = where + select(2, debug.traceback(co):gsub("coroutine_edges", "")) end
  end
  print("traceback", where)
end

do -- garbage: the only reference to a coroutine is its loop
  local n = 0
  for i = 1, 20 do
    for t in wrap(function() for k = 1, 20 do yield({k, tostring(k)}) end end) do
      n = n + t[1] + #t[2]
      if n % 97 == 0 then collectgarbage() end
    end
  end
  print("garbage", n)
  local weak = setmetatable({}, {__mode = "k"})
  for i = 1, 100 do
    local co = create(function(a) local t = {a} weak[t] = true yield(t) return t[1] end)
    weak[co] = true
    resume(co, {})
    if i % 2 == 0 then resume(co) end
  end
  collectgarbage()
  collectgarbage()
  print("weak", next(weak))
end
