-- rawget, rawset, rawequal, rawlen pass metamethods by; getmetatable and setmetatable.
local mt = {
  __index = function() return "from index" end,
  __newindex = function() error("newindex called") end,
  __len = function() return 99 end,
  __eq = function() return true end,
}
local a, b = setmetatable({}, mt), setmetatable({}, mt)
print(a.x, rawget(a, "x"), #a, rawlen(a), a == b, rawequal(a, b), rawequal(a, a), a ~= b)
print(rawset(a, "x", 1) == a, a.x, rawget(a, "x"), b.x)
print(rawequal(1, 1.0), rawequal("a", "a"), rawequal(nil, false), rawequal(0, -0.0))
print(pcall(rawget, 1, 2)) print(pcall(rawset, {}, 1)) print(pcall(rawequal, 1)) print(pcall(rawlen, nil)) print(pcall(rawget, {}))
print(getmetatable(a) == mt, getmetatable({}), getmetatable(1), getmetatable(nil), getmetatable(print))
print(setmetatable(a, nil) == a, a.y, getmetatable(a))
print(pcall(setmetatable, {}, 1)) print(pcall(setmetatable, 1, {})) print(pcall(setmetatable, {})) print((pcall(setmetatable, {}, nil, 1)))
local locked = setmetatable({}, { __metatable = "locked" })
print(getmetatable(locked), pcall(setmetatable, locked, {}))
local hidden = setmetatable({}, { __metatable = false })
print(getmetatable(hidden), pcall(setmetatable, hidden, nil))
print(pcall(getmetatable))
-- a metatable changed while in use
local o = setmetatable({}, { __index = { v = 1 } })
print(o.v)
getmetatable(o).__index = { v = 2 }
print(o.v)
getmetatable(o).__index = nil
print(o.v)
getmetatable(o).__index = function(_, k) return k .. "!" end
print(o.v)
local calls = 0
local lazy = setmetatable({}, { __index = function(t, k) calls = calls + 1 rawset(t, k, k * 2) return k * 2 end })
print(lazy[1], lazy[1], lazy[2], calls)
