-- Finalizers: order, resurrection, errors, marking at setmetatable, arguments, calls at exit.
local log = {}
local function flush() collectgarbage() collectgarbage() print(table.concat(log, " ")) log = {} end
local function fin(name, f) return setmetatable({ name = name }, { __gc = function(o) log[#log + 1] = o.name if f then f(o) end end }) end
do local a, b, c = fin("a"), fin("b"), fin("c") end flush()
-- reverse order of marking, also when they refer to each other
do local a = fin("first") local b = fin("second") a.other, b.other = b, a end flush()
do local outer = fin("outer") outer.inner = fin("inner", function(o) log[#log + 1] = "sees " .. o.name end) end flush()
-- resurrection: an object is finalised once, unless it is marked again
local saved
do local r = fin("once", function(o) saved = o end) end flush() print(saved.name) saved = nil flush()
do local r r = fin("again", function(o) saved = o setmetatable(o, getmetatable(o)) end) end
flush() print(saved ~= nil) saved = nil flush() saved = nil flush()
-- the metatable's __gc is read when the object is collected, but must be there when it is set
do local mt = {} local o = setmetatable({ name = "late" }, mt) mt.__gc = function(x) log[#log + 1] = x.name end end flush()
do local mt = { __gc = true } local o = setmetatable({ name = "true first" }, mt) mt.__gc = function(x) log[#log + 1] = x.name end end flush()
do local mt = { __gc = function() log[#log + 1] = "never" end } local o = setmetatable({}, mt) mt.__gc = nil end flush()
do local o = setmetatable({}, { __gc = 5 }) end flush()
do local o = fin("replaced") setmetatable(o, { __gc = function() log[#log + 1] = "by other" end }) end flush()
do local o = fin("removed") setmetatable(o, nil) end flush()
-- what a finalizer may do: allocate, collect, make other finalizers, use coroutines and pcall
do local o = fin("busy", function()
  for i = 1, 100 do local t = { i } end collectgarbage() local x = fin("made inside")
  log[#log + 1] = coroutine.wrap(function() coroutine.yield("co") end)() log[#log + 1] = tostring(pcall(error, "x"))
end) end flush() flush()
-- errors are warnings; the others still run
warn("@off") do local a, b, c = fin("ok1"), fin("bad", function() error("in gc") end), fin("ok2") end flush()
-- arguments: the object alone
do local n setmetatable({}, { __gc = function(...) n = select("#", ...) log[#log + 1] = tostring(n) end }) end flush()
-- a table used as a key, closed upvalues, threads
do local up = fin("upvalue") local f = function() return up end end flush()
-- (alone: a recording that has followed the program into a coroutine keeps it for one collection)
do local co = coroutine.create(function() local inlocal = fin("in coroutine") coroutine.yield() end) coroutine.resume(co) end flush()
local t = { fin("in table") } t[1] = nil flush()
local shared = setmetatable({}, { __mode = "k" }) do local o = fin("weak key") shared[o] = 1 end flush() print(next(shared))
-- many
local count = 0 local mt = { __gc = function() count = count + 1 end }
for i = 1, 1000 do setmetatable({}, mt) end collectgarbage() collectgarbage() print(count)
-- with to-be-closed
do local c <close> = setmetatable({ name = "closed" }, { __close = function(o) log[#log + 1] = "close" end, __gc = function(o) log[#log + 1] = "gc" end }) end flush()
-- the error status inside and collectgarbage's answers inside
do setmetatable({}, { __gc = function() log[#log + 1] = tostring(collectgarbage("count") > 0) end }) end flush()
-- at the end of the program, in reverse order
local at_exit = { setmetatable({}, { __gc = function() print("exit 1") end }), setmetatable({}, { __gc = function() print("exit 2") end }), setmetatable({}, { __gc = function(o) print("exit 3", o.v) end }) }
at_exit[3].v = "value" globalobject = setmetatable({}, { __gc = function() print("exit global") end })
