-- __call, __len, __tostring, __name, __metatable, __close and __mode are looked up raw in the metatable.
local c = setmetatable({}, { __call = function(self, ...) return select("#", ...), ... end })
print(c(), c(1), c(1, nil), c(nil, nil, 3))
print(pcall(c, 1, 2), select("#", c(table.unpack({}, 1, 100))))
local nested = setmetatable({}, { __call = setmetatable({}, { __call = function(inner, outer, a) return type(inner), type(outer), a end }) })
print(nested("x"))
local function f() return c("tail") end
print(f())
for i, v in setmetatable({}, { __call = function(_, s, n) n = n + 1 if n <= s then return n, n * n end end }), 3, 0 do io.write(i, ":", v, " ") end print()
print(pcall(setmetatable({}, { __call = 5 })))
print(pcall(setmetatable({}, {})))
print(pcall(function() local t = {} t() end))
print(pcall(function() local t = { x = {} } t.x() end))
print(pcall(function() local t = { x = {} } t.x.y() end))
print(pcall(function() local t = {} t:method() end))
print(table.pack(pcall(string.gsub, "abc", "b", c))[2])
print(pcall(table.sort, { 3, 1, 2 }, setmetatable({}, { __call = function(_, a, b) return a < b end })))
local co = coroutine.wrap(setmetatable({}, { __call = function() return "no" end }) and function() return c("in co") end)
print(co())
print(pcall(coroutine.create, c))
-- __len
print(#setmetatable({}, { __len = function() return "any value" end }), #setmetatable({ 1, 2 }, { __len = function(t) return rawlen(t) * 10 end }))
print(pcall(function() return #setmetatable({}, { __len = function() error("len", 0) end }) end))
print(pcall(table.unpack, setmetatable({}, { __len = function() return "x" end })))
-- metamethods are read without their metatable's own __index
local inherits = setmetatable({}, setmetatable({}, { __index = { __add = function() return "never" end, __call = function() return "never" end, __len = function() return -1 end } }))
print(pcall(function() return inherits + 1 end))
print(pcall(inherits))
print(#inherits)
-- metamethods added later are found
local late = setmetatable({}, {})
print(pcall(function() return late + 1 end))
getmetatable(late).__add = function() return "now" end
print(late + 1)
getmetatable(late).__add = nil
print(pcall(function() return late + 1 end))
getmetatable(late).__index = function() return "index" end
print(late.x)
getmetatable(late).__eq = function() return true end
print(late == setmetatable({}, {}), late == setmetatable({}, getmetatable(late)))
-- __name in messages
local named = setmetatable({}, { __name = "MyType" })
print(pcall(function() return named + 1 end))
print(pcall(function() return named .. "x" end))
print(pcall(function() return named() end))
print(pcall(function() return named < named end))
print(pcall(string.rep, named))
print(pcall(ipairs))
print(pcall(setmetatable, named, 5))
print((tostring(named):gsub("0x%x+", "ADDR")))
