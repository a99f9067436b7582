-- Objects with `__call` in tail position: the handler takes the frame's place, with the object as its first argument.

local log = {}
local function show(...) local t = { ... } for i = 1, #t do t[i] = tostring(t[i]) end log[#log + 1] = table.concat(t, " ") end

local plain = setmetatable({ n = 3 }, { __call = function(self, a, b) return self.n + a, b end })
local open = setmetatable({}, { __call = function(self, ...) return select("#", ...), ... end })
local none = setmetatable({}, { __call = function() end })

local function two(a, b) return plain(a, b) end
local function one(a) return plain(a) end
local function many(...) return plain(...) end
local function all(...) return open(...) end
local function some(a, b) return open(a, b, a) end
local function from_open(...) local a = ... return open(a, ...) end
local function nothing() return none(1, 2, 3) end

local s = 0
for i = 1, 300 do
  local a, b = two(i, 2)
  local c, d = one(i)
  local e, f = many(i, 4, 5)
  local g, h, j = all(i, 6)
  local k, l = some(i, 7)
  local m, n, o, p = from_open(i, 8)
  s = s + a + b + c + e + f + g + h + j + k + l + m + n + o + p + select("#", nothing())
  assert(d == nil)
end
show("sum", s)

-- a chain of objects: the handler of one calls the next, in constant space
local chain = {}
for i = 1, 5 do
  chain[i] = setmetatable({}, { __call = function(_, n) if n == 0 then return i end return chain[i % 5 + 1](n - 1) end })
end
show("chain", chain[1](20000), chain[2](7))

-- handlers that are objects or natives themselves
local twice = setmetatable({}, { __call = plain })
local native = setmetatable({}, { __call = rawlen })
local function through(f, ...) return f(...) end
for i = 1, 200 do
  local ok, e = pcall(through, twice, i)
  assert(not ok and e:find("attempt to perform arithmetic on a table value"))
  assert(through(native) == 0)
end

-- errors inside name the right places; the caller is gone from the traceback, as in any tail call
local bad = setmetatable({}, { __call = function(_, x) return x.field.other end })
local function go(x) return bad(x) end
for i = 1, 200 do
  local ok, e = pcall(go, { field = i % 50 == 0 and {} or nil })
  if i % 100 == 99 then show(ok, (e:gsub("^.-:%d+: ", ""))) end
end
local trace = setmetatable({}, { __call = function() return (debug.traceback("t"):gsub("\n.*", "")), debug.traceback():find("tail calls") ~= nil end })
local function traced() return trace() end
for _ = 1, 100 do traced() end
show(traced())
print(table.concat(log, "\n"))

-- what is called changes
local handlers = { function(_, x) return x end, function(_, x) return -x end, function(_, x) return x / 2 end }
local mt = {}
local object = setmetatable({}, mt)
local function call(x) return object(x) end
local t = 0
for i = 1, 600 do
  mt.__call = handlers[i // 100 % 3 + 1]
  t = t + call(i)
end
print("changes", t)
mt.__call = nil
print((select(2, pcall(call, 1)):gsub("^.-:%d+: ", "")))
