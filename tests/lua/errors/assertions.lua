-- Error values of every type through error, pcall, coroutines and closing; nil and false as errors.
local values = { 1, 1.5, "s", true, false, print, {}, coroutine.create(print), io.stdout, n = 10 }
for i = 1, values.n do
  local v = values[i]
  local ok, e = pcall(error, v)
  local ok2, e2 = coroutine.resume(coroutine.create(error), v)
  local ok3, e3 = xpcall(error, function(m) return m end, v)
  local got
  pcall(function() local c <close> = setmetatable({}, { __close = function(_, x) got = x end }) error(v, 0) end)
  print(i, type(v), ok, rawequal(e, v), ok2, rawequal(e2, v), ok3, rawequal(e3, v), rawequal(got, v))
end
-- numbers get no position, strings do; converted strings stay what they are
print(pcall(function() error(12) end)) print(pcall(function() error("12") end)) print(math.type(select(2, pcall(error, 12))))
-- rethrowing keeps the object
local o = {}
print(select(2, pcall(function() local ok, e = pcall(error, o) error(e) end)) == o)
-- error objects with fields and methods
local E = setmetatable({}, { __call = function(cls, m) return setmetatable({ msg = m }, cls) end })
E.__index = E
E.__tostring = function(e) return "E: " .. e.msg end
function E:describe() return "described " .. self.msg end
local ok, e = pcall(function() error(E("custom")) end)
print(ok, tostring(e), e:describe(), getmetatable(e) == E)
-- error inside metamethods, iterators and callbacks
print(pcall(function() return setmetatable({}, { __add = function() error("in add", 0) end }) + 1 end))
print(pcall(function() for _ in function() error("in iterator", 0) end do end end))
print(pcall(table.sort, { 2, 1 }, function() error("in compare", 0) end))
print(pcall(string.gsub, "a", "a", function() error("in gsub", 0) end))
print(pcall(load, function() error("in reader", 0) end))
print(pcall(tostring, setmetatable({}, { __tostring = function() error("in tostring", 0) end })))
print(pcall(require, "no_such_module_at_all") == false)
print(pcall(function() return 1 < setmetatable({}, { __lt = function() error("in lt", 0) end }) end))
print(pcall(function() local t = setmetatable({}, { __newindex = function(_, k) error("in newindex " .. k, 0) end }) t.key = 1 end))
print(pcall(function() local t = setmetatable({}, { __call = function(_, a) error("in call " .. a, 0) end }) t("x") end))
print(pcall(next, setmetatable({}, {}), "x"))
-- long messages and odd chunk names
print(#select(2, pcall(error, ("x"):rep(10000), 0)))
for _, name in ipairs({ "=exact name", "@file.lua", "text of the chunk", "first line\nsecond", "=" .. ("n"):rep(100), "@" .. ("f"):rep(100), ("t"):rep(100), "", "=", "@", "=\nx" }) do
  print(select(2, pcall(load("error('msg')", name))))
end
