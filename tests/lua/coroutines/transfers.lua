-- Values in all counts through resume, wrap and yield, called in every way, between stacks of all sizes.
local unpack, select = table.unpack, select
local create, resume, wrap, yield = coroutine.create, coroutine.resume, coroutine.wrap, coroutine.yield

local function show(name, ...)
  local t = { n = select("#", ...), ... }
  for i = 1, t.n do
    t[i] = tostring(t[i])
  end
  print(name, t.n, table.concat(t, " ", 1, t.n))
end

local list = { 1, 2, 3, 4, 5, 6 }
-- yields n values for every number of results that yield's call wants
local function body(n)
  local a, b, c, d
  yield(unpack(list, 1, n))
  a = yield(unpack(list, 1, n))
  show("one", a)
  a, b = yield(unpack(list, 1, n))
  show("two", a, b)
  a, b, c, d = yield(unpack(list, 1, n))
  show("four", a, b, c, d)
  show("all", yield(unpack(list, 1, n)))
  show("list", #{ yield(unpack(list, 1, n)) })
  a = (yield(unpack(list, 1, n)))
  show("paren", a)
  show("tail", (function() return yield(unpack(list, 1, n)) end)())
  show("vararg tail", (function(...) return yield(...) end)(unpack(list, 1, n)))
  show("pcall", pcall(yield, unpack(list, 1, n)))
  show("in pcall", pcall(function(...) return yield(...) end, unpack(list, 1, n)))
  show("xpcall", xpcall(yield, print, unpack(list, 1, n)))
  show("meta", setmetatable({}, { __call = function(_, ...) return yield(...) end })(unpack(list, 1, n)))
  show("index", setmetatable({}, { __index = function(_, k) return yield(k) end }).x)
  show("add", setmetatable({}, { __add = function(_, k) return yield(k) end }) + n)
  for k in yield, n do
    show("for", k)
    if k ~= 2 then break end
  end
  do
    local closed <close> = setmetatable({}, { __close = function() show("closing", yield("close")) end })
  end
  return unpack(list, 1, n)
end

for n = 0, 3 do
  for m = 0, 3 do
    local co = create(body)
    local ok = resume(co, n)
    while coroutine.status(co) == "suspended" do
      local a, b, c, d, e = resume(co, unpack(list, 1, m))
      show("resumed", a, b, c, d, e)
      if coroutine.status(co) == "suspended" then
        show("resumed all", resume(co, unpack(list, 1, m)))
      end
      if coroutine.status(co) == "suspended" then
        local p = resume(co, unpack(list, 1, m))
        show("resumed one", p)
      end
      if coroutine.status(co) == "suspended" then
        resume(co, unpack(list, 1, m))
      end
      if coroutine.status(co) == "suspended" then
        show("resumed tail", (function(...) return resume(co, ...) end)(unpack(list, 1, m)))
      end
      if coroutine.status(co) == "suspended" then
        show("resumed pcall", pcall(resume, co, unpack(list, 1, m)))
      end
    end
    show("dead", resume(co))
    local w = wrap(body)
    w(n)
    for i = 1, 8 do
      if i % 3 == 0 then
        local a, b = w(unpack(list, 1, m))
        show("wrapped", a, b)
      elseif i % 3 == 1 then
        show("wrapped all", w(unpack(list, 1, m)))
      else
        show("wrapped pcall", pcall(w, unpack(list, 1, m)))
      end
    end
  end
end

-- bodies that run to their end at once: parameters and results in all counts
local bodies = {
  function() end,
  function(a) return a end,
  function(a, b, c) return c, b, a end,
  function(...) return ... end,
  function(a, ...) return select("#", ...), a, ... end,
  function(a, b) return pcall(select, b, a) end,
  function(...) return select("#", ...) end,
  function(a) return (function(...) return ..., a end)(a, a) end,
  select,
  print,
}
for i, f in ipairs(bodies) do
  for n = 0, 3 do
    local function make() return create(f) end
    resume(make(), unpack(list, 1, n))
    local ok = resume(make(), unpack(list, 1, n))
    local ok2, a, b, c = resume(make(), unpack(list, 1, n))
    show("body " .. i, ok, ok2, a, b, c)
    show("body all " .. i, resume(make(), unpack(list, 1, n)))
    show("body pcall " .. i, pcall(resume, make(), unpack(list, 1, n)))
    show("body tail " .. i, (function(...) return resume(make(), ...) end)(unpack(list, 1, n)))
    show("body wrap " .. i, pcall(wrap(f), unpack(list, 1, n)))
    if i ~= 9 then
      local x, y = wrap(f)(unpack(list, 1, n))
      show("body wrap two " .. i, x, y)
      show("body wrap all " .. i, wrap(f)(unpack(list, 1, n)))
    end
    local co = make()
    resume(co, unpack(list, 1, n))
    show("body dead " .. i, coroutine.status(co), coroutine.close(co), resume(co))
  end
end
for k in wrap(function(s, c) return end) do show("never") end
show("big", resume(create(load("local a = ... local b = {" .. ("a,"):rep(120) .. "} local function f(" .. ("x,"):rep(100) .. "y) return y end return #b, f(table.unpack(b))")), 7))
show("count", select("#", resume(create(function(...) return ... end), unpack(list, 1, 5))))

-- more values than the stacks have room for
local many = {}
for i = 1, 3000 do many[i] = i end
local co = wrap(function(...)
  local n = select("#", ...)
  while true do
    n = select("#", yield(n, unpack(many, 1, n)))
  end
end)
show("many", select("#", co(unpack(many))))
show("many", select("#", co(1, 2)))
show("many", select("#", co(unpack(many))))
local function deep(n, co) if n == 0 then return select("#", co(unpack(many))) end local r = deep(n - 1, co) return r end
show("deep", wrap(function() return deep(300, co) end)())

-- generators in for loops, one inside the other; results become garbage at once
local function numbers(n) return wrap(function() for i = 1, n do yield(i, { i }) end end) end
local function filtered(src, f) return wrap(function() for v, t in src do if f(v) then yield(v, t) end end end) end
local sum = 0
for v, t in filtered(filtered(numbers(2000), function(v) return v % 2 == 0 end), function(v) return v % 3 == 0 end) do
  sum = sum + v + t[1]
  if v % 500 == 0 then collectgarbage() end
end
show("sum", sum)
collectgarbage("generational")
sum = 0
for v, t in filtered(numbers(3000), function(v) return v % 7 == 0 end) do
  sum = sum + v + t[1]
  local junk = { {}, {}, { v } }
end
collectgarbage("incremental")
show("generational", sum)

-- states and refusals
local self
self = create(function() return resume(self) end)
show("self", resume(self))
local outer
outer = create(function()
  local inner = create(function() return resume(outer) end)
  return resume(inner)
end)
show("outer", resume(outer))
show("main", pcall(yield, 1))
show("sort", coroutine.resume(create(function() table.sort({ 3, 2, 1 }, function(a, b) yield() return a < b end) end)))
local function nest(n)
  local c = create(function(k) local r = yield(k) return r end)
  resume(c, n)
  if n == 0 then return select(2, resume(c, "bottom")) end
  return (select(2, resume(create(nest), n - 1)))
end
show("nest", nest(50))
local depth = 0
local function forever() depth = depth + 1 local c = wrap(function() yield() return forever() end) c() return c() end
show("forever", pcall(forever) == false, depth > 50 and depth < 250)
show("running", wrap(function() yield(1) local c, main = coroutine.running() return type(c), main, coroutine.isyieldable() end)())

-- hooks see switches
local events = {}
local hooked = create(function() yield(1) yield(2) end)
resume(hooked)
debug.sethook(hooked, function(e) events[#events + 1] = e end, "r")
resume(hooked)
debug.sethook(hooked)
show("events", #events > 0, resume(hooked))
-- errors thrown after switches have their tracebacks
local c = create(function() yield() local x = yield() error("oops" .. x) end)
resume(c)
resume(c)
local ok, e = resume(c, 5)
show("error", ok, (e:gsub("^.-:%d+: ", "")))
print((debug.traceback(c):gsub("[^\n]-:%d+:", "src:")))
