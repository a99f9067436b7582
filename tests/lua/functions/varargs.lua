-- Variable arguments: counts, adjustment, passing on, as table items and call arguments, in main chunks.
local function count(...) return select("#", ...) end
local function id(...) return ... end
print(count(), count(nil), count(nil, nil), count(id()), count(id(), id()), count((id(1, 2, 3))), count(id(1, 2), id(3, 4)))
local function first(...) local a, b, c = ... return a, b, c end
print(first(1), first(1, 2, 3, 4), (first(1, 2)))
local function fixed(a, b, ...) return a, b, select("#", ...), ... end
print(fixed()) print(fixed(1)) print(fixed(1, 2, 3, 4)) print(fixed(nil, nil, nil))
local function tab(...) return { ... }, { n = select("#", ...), ... }, { ..., "last" } end
local a, b, c = tab(1, nil, 3)
print(#a == 3 or #a == 1, b.n, c[1], c[2], #c)
print((...) == nil, select("#", ...))
local function sum(...) local s = 0 for i = 1, select("#", ...) do s = s + (select(i, ...) or 0) end return s end
print(sum(), sum(1, 2, 3), sum(nil, 5), sum(table.unpack({ 1, 2, 3, 4 })))
local function rev(...) if select("#", ...) == 0 then return end local h = (...) return (function(...) local t = { ... } t[#t + 1] = h return table.unpack(t) end)(rev(select(2, ...))) end
print(rev(1, 2, 3, 4))
local function tail(...) return count(...) end
print(tail(table.unpack({}, 1, 200)), count(table.unpack({}, 1, 250)))
local function inner(...) local f = function() return 1 end local g = function(...) return select("#", ...) end return f(), g(...), g(..., 1) end
print(inner(1, 2, 3))
print(pcall(load, "return ...", "x") and load("return ...")(7, 8), select("#", load("return ...")()), load("local a, b = ... return b")(1, 2))
print(load("function f() return ... end", "=v"))
-- varargs survive calls, coroutines and collections in between
local function keep(...)
  local s = ""
  for i = 1, 5 do s = s .. tostring((select(i, ...))) collectgarbage("step") end
  return s, ...
end
print(keep("a", {} and "b", 3, nil, false))
local co = coroutine.wrap(function(...) local x = coroutine.yield(...) return x, ... end)
print(co(1, 2, 3)) print(co("back"))
-- arithmetic, comparison and concatenation take the first value only
print(id(10, 20) + 1, id(1, 2) == 1, "x" .. id("y", "z"), -id(5, 6), not id(false, true), #id("abc", 1), id(1, 2) and 3, (id(nil, 1) or 2))
local t = { id(1, 2), id(3, 4), x = id(5, 6) }
print(#t, t[1], t[2], t[3], t.x, t[id(2, 1)])
local m, n, o, p = id(1, 2, 3), 10
print(m, n, o, p)
local s = setmetatable({}, { __index = function(_, k) return k, "extra" end })
print(s.a, count(s.a), count(s[1]))
print(string.format("%s-%s-%s", id("a", "b", "c")), math.max(id(3, 9, 4)), select(2, id("a", "b", "c")))
local many = {}
for i = 1, 250 do many[i] = i end
print(select("#", id(table.unpack(many))), (select(250, table.unpack(many))), sum(table.unpack(many)))
local function opt(a, b, ...) b = b or "default" return a, b, ... end
print(opt(1), opt(1, 2, 3))
