-- __index and __newindex: functions, tables, chains, loops, on values that are not tables.
local base = { shared = "base" }
local mid = setmetatable({ own = "mid" }, { __index = base })
local obj = setmetatable({}, { __index = mid })
print(obj.shared, obj.own, obj.none, rawget(obj, "shared"))
base.later = 1
print(obj.later)
obj.shared = "own"
print(obj.shared, mid.shared)
obj.shared = nil
print(obj.shared)
local f = setmetatable({}, { __index = function(t, k, extra) return k, extra, "lost" end })
print(f.key, f[1], f[1.5], f[true], f[nil], (f[f]) == f)
print(select("#", f.key))
-- __newindex
local log = {}
local n = setmetatable({ present = 1 }, { __newindex = function(t, k, v) log[#log + 1] = tostring(k) .. "=" .. tostring(v) end })
n.present = 2 n.absent = 3 n[1] = "one" n.absent = 4 n[1.0] = "again" n[true] = nil
print(n.present, n.absent, n[1], table.concat(log, " "))
local target = {}
local r = setmetatable({}, { __newindex = target })
r.x = 1 r[1] = 2
print(rawget(r, "x"), target.x, target[1], r.x)
local chain = setmetatable({}, { __newindex = setmetatable({}, { __newindex = function(t, k, v) rawset(t, k, v * 10) end }) })
chain.v = 5
print(rawget(chain, "v"), getmetatable(chain).__newindex.v)
-- an existing field, even false, hides the metamethods; nil does not
local h = setmetatable({ a = false }, { __index = function() return "missing" end, __newindex = function() error("should not be called") end })
print(h.a, h.b)
h.a = 1 h.a = nil
print(h.a, pcall(function() h.a = 2 end))
-- loops in the chain
local loop = {}
setmetatable(loop, { __index = loop, __newindex = loop })
print(pcall(function() return loop.x end))
print(pcall(function() loop.x = 1 end))
local l1, l2 = {}, {}
setmetatable(l1, { __index = l2 }) setmetatable(l2, { __index = l1 })
print(pcall(function() return l1.x end))
-- metamethods that are neither functions nor tables
print(pcall(function() return setmetatable({}, { __index = 5 }).x end))
print(pcall(function() setmetatable({}, { __newindex = true }).x = 1 end))
print(setmetatable({}, { __index = "string" }).upper == string.upper, pcall(function() return setmetatable({}, { __index = "abc" }).len("x") end))
local callable = setmetatable({}, { __index = setmetatable({}, { __call = function() return "not called" end, __index = function(_, k) return "indexed " .. k end }) })
print(callable.x)
-- integer keys, arrays with holes, method calls through __index
local arr = setmetatable({ 1, 2, nil, 4 }, { __index = function(_, i) return -i end })
print(arr[1], arr[2], arr[3], arr[4], arr[5], arr[0], #arr == 4 or #arr == 2)
local cls = { greet = function(self, w) return self.name .. " " .. w end }
print(setmetatable({ name = "bob" }, { __index = cls }):greet("hi"))
print(pcall(function() local x = 5 return x.y end))
print(pcall(function() local x = 5 x.y = 1 end))
-- _G with a metatable
setmetatable(_G, { __index = function(_, k) return "global " .. k end, __newindex = function(t, k, v) rawset(t, k, v and "set " .. v) end })
print(undefined_name)
new_global = "x"
print(new_global)
setmetatable(_G, nil)
print(undefined_name)
