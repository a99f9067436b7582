-- Results in all counts through every kind of return, tail calls from fixed and vararg functions, pcall's results.
local unpack, select = table.unpack, select

local function show(name, ...)
  local t = { n = select("#", ...), ... }
  for i = 1, t.n do
    t[i] = tostring(t[i])
  end
  print(name, t.n, table.concat(t, " ", 1, t.n))
end

-- functions that return 0 to 4 results, written out, as the rest of a call, from varargs, by a tail call, by a native
-- function, by a native tail call
local function r0() return end
local function r1() return 1 end
local function r2() return 1, 2 end
local function r3() return 1, 2, 3 end
local function r4() return 1, 2, 3, 4 end
local plain = { [0] = r0, r1, r2, r3, r4 }
local function id(...) return ... end
local function makers(n)
  local f = plain[n]
  local list = { 1, 2, 3, 4 }
  return {
    { "plain", f },
    { "vararg", function(...) return id(unpack(list, 1, n)) end },
    { "vararg plain", ({ [0] = function(...) return end, function(...) return 1 end, function(...) return 1, 2 end,
      function(...) return 1, 2, 3 end, function(...) return 1, 2, 3, 4 end })[n] },
    { "open", function() local x = 0 return (function() return f() end)() end },
    { "tail", function() return f() end },
    { "tail of vararg", function(...) return f(...) end },
    { "tail to vararg", function() return id(unpack(list, 1, n)) end },
    { "fixed prefix", function() if n == 0 then return end return 1, unpack(list, 2, n) end },
    { "native", unpack, list, 1, n },
    { "native tail", function() return unpack(list, 1, n) end },
    { "native tail of vararg", function(...) return unpack(list, 1, n) end },
    { "native tail of tail", function() return (function(...) return unpack(list, 1, n) end)(7, 8, 9) end },
    { "packed", function() return unpack({ unpack({ 1, 2, 3, 4 }, 1, n) }, 1, n) end },
    { "coroutine", coroutine.wrap(function() while true do coroutine.yield(unpack(list, 1, n)) end end) },
    { "pcall", function() return select(2, pcall(f)) end },
  }
end
for n = 0, 4 do
  for _, m in ipairs(makers(n)) do
    local name, f = m[1], m[2]
    if name == "native" then
      local g, x, y, z = f, m[3], m[4], m[5]
      g(x, y, z)
      local a = g(x, y, z)
      local b, c = g(x, y, z)
      local d, e, h, i, j, k = g(x, y, z)
      show(n .. " " .. name, a, b, c, d, e, h, i, j, k)
      show(n .. " " .. name .. " all", g(x, y, z))
      show(n .. " " .. name .. " list", (g(x, y, z)), #{ g(x, y, z) }, #{ 9, g(x, y, z) })
    else
      f()
      local a = f()
      local b, c = f()
      local d, e, h, i, j, k = f()
      show(n .. " " .. name, a, b, c, d, e, h, i, j, k)
      show(n .. " " .. name .. " all", f())
      show(n .. " " .. name .. " list", (f()), #{ f() }, #{ 9, f() })
      show(n .. " " .. name .. " last", 9, f())
    end
  end
end

-- varargs in all counts
local function va(...)
  local a = ...
  local b, c = ...
  local d, e, f, g = ...
  show("va", a, b, c, d, e, f, g)
  show("va all", ...)
  show("va paren", (...))
  return ...
end
va()
va(1)
va(1, 2)
va(nil, nil, 3)
va(1, 2, 3, 4, 5, 6)
local function fixed_and(x, y, ...)
  local a, b = ...
  return x, y, a, b, select("#", ...), ...
end
show("fixed", fixed_and())
show("fixed", fixed_and(1))
show("fixed", fixed_and(1, 2))
show("fixed", fixed_and(1, 2, 3))
show("fixed", fixed_and(1, 2, 3, 4, 5))

-- tail calls: argument counts that fit, fewer, more; from and to vararg functions; natives; callable tables
local function t3(a, b, c) return a, b, c end
local function fewer(a) return t3(a) end
local function more(a) return t3(a, 2, 3, 4, 5) end
local function fit(a) return t3(a, 2, 3) end
local function vfewer(...) return t3((...)) end
local function vall(...) return t3(...) end
local function vmore(a, ...) return t3(0, a, ...) end
local function tova(a) return fixed_and(a) end
local function vatova(...) return fixed_and(...) end
local function meta(...) return setmetatable({}, { __call = function(self, ...) return type(self), ... end })(...) end
for n = 0, 5 do
  show("tail " .. n, fewer(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, more(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, fit(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, vfewer(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, vall(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, vmore(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, tova(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, vatova(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("tail " .. n, meta(unpack({ 1, 2, 3, 4, 5 }, 1, n)))
  show("method " .. n, ("x"):rep(n))
end
local function loop(n, ...) if n == 0 then return ... end return loop(n - 1, ...) end
show("loop", loop(100000, 1, 2, 3))
local function grow(n, ...) if n == 0 then return select("#", ...) end return grow(n - 1, n, ...) end
show("grow", grow(200))
local function pingv(n, ...) if n == 0 then return "end", ... end return (function(...) return pingv(...) end)(n - 1, ...) end
show("pingv", pingv(20000, 1, 2))
local even, odd
function even(n) if n == 0 then return true end return odd(n - 1) end
function odd(n) if n == 0 then return false end return even(n - 1) end
show("even", even(10001), even(10000))
-- large frames entered by tail calls and small ones
local big = load("local a = ... local t = {...} local function s(" .. ("x, "):rep(150) .. "y) return y end return s(table.unpack(t, 1, 151))")
local args = {}
for i = 1, 151 do args[i] = i end
local function tobig(...) return big(...) end
show("big", tobig(unpack(args)))
local function deep(n) if n == 0 then return tobig(unpack(args)) end local r = deep(n - 1) return r end
show("deep", deep(5000))
-- many arguments and results
local many = {}
for i = 1, 5000 do many[i] = i end
local function manyv(...) return ... end
local function manyt(...) return manyv(...) end
show("many", select("#", manyv(unpack(many))), select("#", manyt(unpack(many))), (select(5000, manyt(unpack(many)))))
show("many", pcall(function(...) return select("#", ...), (select(-1, ...)) end, unpack(many)))

-- pcall and xpcall in all counts
local function handler(e) return "handled " .. tostring(e) end
for n = 0, 3 do
  local f = plain[n]
  pcall(f)
  local a = pcall(f)
  local b, c = pcall(f)
  local d, e, g, h, i = pcall(f)
  show("pcall " .. n, a, b, c, d, e, g, h, i)
  show("pcall all " .. n, pcall(f))
  show("pcall list " .. n, #{ pcall(f) }, (pcall(f)))
  show("pcall fail " .. n, pcall(error, "x", 0))
  show("pcall tail " .. n, (function() return pcall(f) end)())
  show("pcall tail " .. n, (function(...) return pcall(f, ...) end)(1, 2))
  show("pcall args " .. n, pcall(t3, unpack({ 1, 2, 3 }, 1, n)))
  show("pcall va " .. n, pcall(fixed_and, unpack({ 1, 2, 3 }, 1, n)))
  show("pcall fits", pcall(t3, 1, 2, 3))
  show("pcall native", pcall(select, n + 1, 1, 2, 3, 4))
  show("pcall pcall", pcall(pcall, f))
  show("pcall pcall", pcall(pcall, pcall, t3, 1, 2))
  show("pcall tailing", pcall(function(...) return f(...) end, 1))
  show("pcall tailing native", pcall(function(...) return select(...) end, "#", 1))
  show("pcall wrapped", pcall(coroutine.wrap(function(...) return f(coroutine.yield(...)) end), n))
  show("xpcall " .. n, xpcall(f, handler))
  show("xpcall args " .. n, xpcall(t3, handler, unpack({ 1, 2, 3 }, 1, n)))
  show("xpcall fail " .. n, xpcall(error, handler, "x", 0))
  xpcall(f, handler)
  local p = xpcall(f, handler)
  local q, r = xpcall(f, handler)
  local s, t, u, v, w = xpcall(f, handler)
  show("xpcall counts " .. n, p, q, r, s, t, u, v, w)
end
show("pcall table", pcall(setmetatable({}, { __call = function(self, a) return type(self), a end }), 5))
show("pcall nil", pcall(nil))
show("pcall none", pcall(pcall))
show("xpcall none", pcall(xpcall, print))
local function nest(n) if n == 0 then return "bottom" end return select(2, pcall(nest, n - 1)) end
show("nest", nest(100))
local function nests(n) local ok, e = pcall(nests, n + 1) if ok then return e end return tostring(e):match("stack overflow") or e end
show("nests", nests(1))
for k, v in pairs({ 10 }) do show("iterated", pcall(next, { 10 })) end
show("yield across", coroutine.wrap(function()
  local r = { pcall(function(a) local b = coroutine.yield(a) return a, b end, 1) }
  return unpack(r)
end)())
local co = coroutine.wrap(function(...)
  local ok, a, b = pcall(function(...) return coroutine.yield(...) end, ...)
  return ok, a, b, pcall(error)
end)
show("yield", co(1, 2))
show("resume", co(3))
for i = 1, 3 do
  local ok, e = pcall(function(x) if i == 2 then error({ i }) end return x end, i)
  show("mixed", ok, ok and e or e[1])
end
