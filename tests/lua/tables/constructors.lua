-- Table constructors: positions, keys, multiple results, trailing separators, nested ones, order of evaluation.
local function f(...) return ... end
local t = { 1, 2, 3, x = 10, [20] = "twenty", ["a b"] = 5, 4; 5 }
print(#t, t.x, t[20], t["a b"], t[4], t[5])
print(#{ f(1, 2, 3) }, #{ f(1, 2, 3), 10 }, #{ (f(1, 2, 3)) }, #{ f() }, #{ f(), 1 }, #{ [1] = "a", "b" })
print(({ [1] = "key", "positional" })[1], ({ 1, 2, [2] = "x" })[2], next({}), #{ n = 1 })
local nested = { { 1, { 2, { 3 } } }, inner = { deep = { "v" } } }
print(nested[1][2][2][1], nested.inner.deep[1])
print(#{ ... }, select("#", table.unpack({ nil, nil, 3 }, 1, 3)))
local k = "key"
local u = { [k] = 1, [k .. "2"] = 2, [1 + 1] = "two", [2.0] = "float two", [true] = "bool" }
print(u.key, u.key2, u[2], u[true])
local order = {}
local function log(v) order[#order + 1] = v return v end
local v = { log("a"), [log("b")] = log("c"), log("d"), x = log("e") }
print(table.concat(order, " "), v.b, v[1], v[2], v.x)
print(pcall(function() return { [nil] = 1 } end))
print(pcall(function() return { [0 / 0] = 1 } end))
print(#{ 1, 2, nil, 4 } == 4, #{ nil, nil, 3 } == 3, #{ nil }, #{ f(nil, nil) } == 0)
-- 50 items, across the size in which constructors are stored in parts
local items = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
  31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, f(51, 52, 53) }
local sum = 0
for i, x in ipairs(items) do assert(i == x) sum = sum + x end
print(#items, sum)
local function g() return { g = g }, {} end
print(#{ g(), g() }, type(({ g() })[1]), { f } ~= { f })
local a = { f "str", f { 1 }, f [[long]] }
print(a[1], #a[2], a[3])
for i = 1, 3 do
  local fresh = { i, name = "n" .. i, sub = { i } }
  order[i] = fresh
end
print(order[1] ~= order[2], order[1][1], order[3].name, order[2].sub[1])
