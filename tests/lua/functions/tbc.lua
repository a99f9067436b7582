-- To-be-closed variables: order, every way to leave a block, errors in handlers, coroutines, generic for.
local log = {}
local function closing(name, what)
  return setmetatable({}, { __close = function(_, e) log[#log + 1] = name .. (e and ("(" .. tostring(e) .. ")") or "") if what then return what(e) end end })
end
local function flush() print(table.concat(log, " ")) log = {} end
do local a <close> = closing("a") local b <close> = closing("b") log[#log + 1] = "body" end flush()
for i = 1, 2 do local c <close> = closing("c" .. i) if i == 1 then goto continue end log[#log + 1] = "i" .. i ::continue:: end flush()
local function early() local d <close> = closing("d") do local e <close> = closing("e") return "result", #log end end
print(early()) flush()
while true do local f <close> = closing("f") break end flush()
do local nothing <close> = nil local no <close> = false log[#log + 1] = "nil and false are allowed" end flush()
print(pcall(function() local bad <close> = {} end))
print(pcall(function() local bad <close> = 42 end))
print(pcall(function() local x <close> = closing("x") local bad <close> = "str" end)) flush()
print(pcall(function() local a <close> = closing("a") local b <close> = closing("b") error("oops", 0) end)) flush()
-- an error in a handler replaces the error for those that follow
print(pcall(function()
  local a <close> = closing("a") local b <close> = closing("b", function() error("from b", 0) end) local c <close> = closing("c")
  error("first", 0)
end)) flush()
print(pcall(function() local a <close> = closing("a") local b <close> = closing("b", function() error("only b", 0) end) return "lost" end)) flush()
-- values are computed before closing
local function order() local v = 1 local a <close> = setmetatable({}, { __close = function() v = 2 end }) return v end
print(order())
local function multi(...) local a <close> = closing("m") return ... end
print(multi(1, nil, 3)) flush()
local function nottail() local a <close> = closing("t") return (function() log[#log + 1] = "callee" return "r" end)() end
print(nottail()) flush()
-- generic for closes its fourth value
local function iter(n, breakat)
  for i in (function() local c = 0 return function() c = c + 1 if c <= n then return c end end, nil, nil, closing("iter") end)() do
    if i == breakat then break end
    log[#log + 1] = i
  end
end
iter(3) flush() iter(3, 2) flush()
print(pcall(function() for i in next, { 1 }, nil, closing("forerr") do error("in body", 0) end end)) flush()
print(pcall(function() for i in next, {}, nil, 5 do end end))
-- coroutines: closed by coroutine.close, left open by a collected one
local co = coroutine.create(function() local a <close> = closing("co") coroutine.yield(1) log[#log + 1] = "resumed" end)
coroutine.resume(co) print(coroutine.close(co), coroutine.status(co)) flush()
co = coroutine.create(function() local a <close> = closing("co2") coroutine.yield(1) log[#log + 1] = "resumed" return 2 end)
coroutine.resume(co) print(coroutine.resume(co)) flush()
co = coroutine.create(function() local a <close> = closing("x", function() error("closing", 0) end) local b <close> = closing("y") coroutine.yield() end)
coroutine.resume(co) print(coroutine.close(co)) flush()
-- a handler may yield
co = coroutine.wrap(function() do local a <close> = setmetatable({}, { __close = function() coroutine.yield("in close") log[#log + 1] = "closed" end }) end return "end" end)
print(co(), co()) flush()
co = coroutine.wrap(function() return pcall(function() local a <close> = setmetatable({}, { __close = function(_, e) coroutine.yield("yield " .. e) end }) error("err", 0) end) end)
print(co()) print(co())
-- handlers see the error object, and the variable cannot be assigned
print(pcall(function() local t <close> = setmetatable({}, { __close = function(o, e) log[#log + 1] = type(o) .. type(e) end }) error({}) end) == false) flush()
print(load("local x <close> = nil; x = 1", "=t"))
-- a metatable that loses __close in the meantime
print(pcall(function() local o = setmetatable({}, { __close = function() end }) local x <close> = o setmetatable(o, {}) end))
-- nested functions keep the values alive
local function nest() local a <close> = closing("outer") local f = function() local b <close> = closing("inner") return a ~= nil end return f(), f() end
print(nest()) flush()
-- many
local function lots(n) if n == 0 then return end local v <close> = closing(n) lots(n - 1) end
lots(8) flush()
do local v = {} for i = 1, 3 do local x <close> = closing("loop" .. i) v[i] = function() return x end end print(#v) end flush()
