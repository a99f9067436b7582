-- Every arithmetic and bitwise metamethod: which operand decides, operand order, results.
local names = { "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "shl", "shr", "bnot", "concat" }
local mt = {}
local function text(v) return type(v) == "table" and v.name or tostring(v) end
for _, n in ipairs(names) do
  mt["__" .. n] = function(a, b) return n .. "(" .. text(a) .. "," .. text(b) .. ")" end
end
local x, y = setmetatable({ name = "x" }, mt), setmetatable({ name = "y" }, mt)
print(x + y, x - y, x * y, x / y, x % y, x ^ y, x // y)
print(x & y, x | y, x ~ y, x << y, x >> y, ~x, -x, x .. y)
print(x + 1, 1 + x, x - 1, 1 - x, x * 2, 2 * x, x / 2, 2 / x, x % 2, 2 % x, x ^ 2, 2 ^ x, x // 2, 2 // x)
print(x & 1, 1 & x, x | 1, 1 | x, x ~ 1, 1 ~ x, x << 1, 1 << x, x >> 1, 1 >> x, x .. 1, 1 .. x, x .. "s", "s" .. x)
print(x + 1.5, 2.5 - x, x * 1e10, x + 1000, x - 1000, 1000 + x, x & 1000, x << 70, 255 ~ x, x // 3.0)
print(x + "10", "10" + x, x + nil, nil + x, x + true, false + x, x + print == nil)
local other = setmetatable({ name = "other" }, { __add = function(a, b) return "other's add" end })
print(x + other, other + x, pcall(function() return other - other end))
-- results are adjusted to one value, and may be anything
local odd = setmetatable({}, { __add = function() return 1, 2, 3 end, __sub = function() end, __unm = function() return nil end, __mul = function() return {} end })
print(odd + 1, odd - 1, -odd, type(odd * 1), (select("#", odd + 1)))
-- the metamethod may be any callable
local callable = setmetatable({}, { __call = function(_, a, b) return "called " .. text(b) end })
print(setmetatable({}, { __add = callable }) + 5)
-- in compound expressions and with upvalues and fields
local box = { v = x }
local function get() return x + box.v end
print(get(), box.v - 1, (x + 1) .. (y + 2), -(-1) + x)
for _, op in ipairs({ "+", "-", "*", "/", "%", "^", "//", "&", "|", "~", "<<", ">>", ".." }) do
  local ok, e = pcall(load("local a, b = ... return a " .. op .. " b", "=op"), {}, 1)
  print(op, ok, e)
end
for _, op in ipairs({ "-", "~", "#" }) do
  print(op, pcall(load("local a = ... return " .. op .. "a", "=op"), print))
end
-- unary minus and length get the operand twice
setmetatable(x, { __unm = function(a, b) return rawequal(a, b) end, __len = function(a, b) return rawequal(a, b) end, __bnot = function(a, b) return rawequal(a, b) end })
print(-x, #x, ~x)
