-- Yields across pcall, xpcall, metamethods, iterators, dofile-like loads, and where they are not allowed.
local yield, wrap = coroutine.yield, coroutine.wrap
local function run(f, ...)
  local co = coroutine.create(f)
  local out = {}
  local r = table.pack(coroutine.resume(co, ...))
  while coroutine.status(co) ~= "dead" do
    out[#out + 1] = "<" .. tostring(r[2]) .. ">"
    r = table.pack(coroutine.resume(co, "r" .. #out))
  end
  for i = 1, r.n do out[#out + 1] = tostring(r[i]) end
  print(table.concat(out, " "))
end
local mt = {}
for _, n in ipairs({ "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "shl", "shr", "bnot", "concat", "len", "index", "call" }) do
  mt["__" .. n] = function(...) return yield(n) end
end
mt.__eq = function() return yield("eq") ~= nil end
mt.__lt = function() return yield("lt") == nil end
mt.__le = function() return yield("le") ~= nil end
mt.__newindex = function(t, k, v) rawset(t, k, v .. yield("newindex")) end
local function obj() return setmetatable({}, mt) end
local a, b = obj(), obj()
run(function() return a + b, a - 1, 2 * a, a / b, a % 3, a ^ b, -a, a // b end)
run(function() return a & b, a | 1, 1 ~ a, a << 1, 1 >> a, ~a end)
run(function() return a .. "x", "x" .. a, "x" .. "y" .. a .. "z", #a, a.field, a[1], a("arg"), a:method() end)
run(function() return a == b, a ~= b, a < b, a <= b, a > b, a >= b, a < 1, 1 <= a end)
run(function() local o = obj() o.x = "v" o[1] = "w" return rawget(o, "x"), rawget(o, 1) end)
run(function() if a == b then return "then" else return "else" end end)
run(function() if a < b then return "then" elseif a <= b then return "elseif" end end)
run(function() local n = 0 while a < b do n = n + 1 end return n end)
run(function() return not (a == b), (a < b) and 1 or 2, a.x and a.y end)
run(function() local t = { a.x, a.y, z = a.z } return t[1], t[2], t.z end)
run(function() for i, v in function() local r = yield("iter") if r ~= "r3" then return r, yield("second") end end do print(i, v) end return "done" end)
run(function() return pcall(function() return yield("in pcall"), "more" end) end)
run(function() return pcall(pcall, pcall, yield, "deep pcall") end)
run(function() return xpcall(yield, debug.traceback, "in xpcall") end)
run(function() return pcall(function() yield("before") error("err", 0) end) end)
run(function() local f = load("local y = ... return y('loaded'), 2") return f(yield) end)
run(function() for k, v in pairs(setmetatable({}, { __pairs = function() yield("pairs") return next, { k = "v" } end })) do return k, v end end)
run(function() return tostring(setmetatable({}, { __tostring = function() return "no yield" end })) end)
run(function() local t = setmetatable({}, { __index = function(_, k) return yield(k) end }) return t.a .. t.b .. t.c end)
run(function() local function f(...) return yield(...) end return f(1, 2), f() end)
run(function() return (function(...) return select("#", ...) end)(yield(1), yield(2), yield(3)) end)
-- not across these
local function no(f, ...) print(coroutine.resume(coroutine.create(f), ...)) end
no(function() table.sort({ 3, 2, 1 }, function(x, y) yield() return x < y end) end)
no(function() ("abc"):gsub(".", yield) end)
no(function() tostring(setmetatable({}, { __tostring = function() yield() return "" end })) end)
no(function() load(function() yield() end) end)
no(function() table.concat(setmetatable({}, { __len = function() return 1 end, __index = function() return yield("x") end })) end)
print(pcall(yield))
