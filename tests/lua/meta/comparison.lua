-- __eq, __lt and __le: when they are called, how results become booleans, what has no fallback.
local log = {}
local mt = {}
mt.__eq = function(a, b) log[#log + 1] = "eq" return a.v == b.v end
mt.__lt = function(a, b)
  log[#log + 1] = "lt"
  return (type(a) == "table" and a.v or a) < (type(b) == "table" and b.v or b)
end
mt.__le = function(a, b)
  log[#log + 1] = "le"
  return (type(a) == "table" and a.v or a) <= (type(b) == "table" and b.v or b)
end
local function new(v) return setmetatable({ v = v }, mt) end
local a, b, c = new(1), new(2), new(1)
print(a == b, a == c, a ~= b, a ~= c, a == a, a == 1, 1 == a, a == nil, a == "x")
print(a < b, a > b, a <= b, a >= b, a <= c, a >= c, b < a, b <= a)
print(a < 5, 5 < a, a <= 1, 1 <= a, a > 0, 0 > a, a >= 1.5, 2.5 >= a, a < 1000000, a > -1000000)
print(table.concat(log, " "))
log = {}
if a == c then print("equal") end
if a ~= b then print("different") end
if not (a < b) then print("no") else print("less") end
while a >= b do print("never") end
print(#log)
-- only the truth of the result counts
local odd = setmetatable({}, { __eq = function() return 1 end, __lt = function() return nil end, __le = function() return "x" end })
local odd2 = setmetatable({}, getmetatable(odd))
print(odd == odd2, odd < odd2, odd <= odd2, odd ~= odd2, odd > odd2, odd >= odd2)
-- different metamethods: the first operand's, or else the second's
local p = setmetatable({}, { __eq = function() return "p" end, __lt = function() return false end })
local q = setmetatable({}, { __eq = function() return false end, __lt = function() return true end })
local none = setmetatable({}, {})
print(p == q, q == p, none == p, none == q, p < q, q < p, none < q, none < p)
-- no __eq between different types, none for numbers and strings
print(a == io.stdout, new("x") == "x")
local function message(f) print((select(2, pcall(f)):gsub("^.-:%d+: ", ""))) end
message(function() return {} < {} end)
message(function() return none <= none end)
message(function() return none < 1 end)
message(function() return "a" < none end)
message(function() return none > nil end)
-- rawequal and table functions
print(rawequal(a, c), #log, next({ [a] = 1 }) == a, ({ [a] = 1 })[c])
local sorted = { new(3), new(1), new(2) }
table.sort(sorted)
print(sorted[1].v, sorted[2].v, sorted[3].v)
print(pcall(function() return a < {} end))
local erring = setmetatable({}, { __eq = function() error("eq failed", 0) end, __lt = function() error("lt failed", 0) end })
print(pcall(function() return erring == setmetatable({}, getmetatable(erring)) end))
print(pcall(function() return erring < 1 end))
print(pcall(function() return 1 >= erring end))
