-- Patterns of use: read-only tables, defaults, tracing, memoising, virtual arrays, sets with operators.
local function readonly(t)
  return setmetatable({}, { __index = t, __newindex = function(_, k) error("read-only field " .. tostring(k), 2) end, __len = function() return #t end, __pairs = function() return next, t, nil end })
end
local days = readonly({ "Sun", "Mon", "Tue" })
print(days[1], #days, pcall(function() days[4] = "x" end))
local n = 0
for _, v in pairs(days) do n = n + #v end
print(n)
local defaults = setmetatable({}, { __index = function() return 0 end })
for w in ("a b a c a"):gmatch("%a") do defaults[w] = defaults[w] + 1 end
print(defaults.a, defaults.b, defaults.c, defaults.d)
local trace = {}
local function traced(t)
  return setmetatable({}, {
    __index = function(_, k) trace[#trace + 1] = "r" .. k return t[k] end,
    __newindex = function(_, k, v) trace[#trace + 1] = "w" .. k t[k] = v end,
  })
end
local tt = traced({})
tt.x = 1 tt.x = tt.x + 1 tt.y = tt.x
print(tt.y, table.concat(trace, " "))
local memo = setmetatable({}, { __mode = "k" })
local function expensive(key) if not memo[key] then memo[key] = { #key } end return memo[key] end
local key = { 1, 2, 3 }
print(expensive(key) == expensive(key), expensive(key)[1])
local fib = setmetatable({ 1, 1 }, { __index = function(t, i) local v = t[i - 1] + t[i - 2] rawset(t, i, v) return v end })
print(fib[50], fib[90], #fib)
local range = setmetatable({}, { __index = function(_, i) if i <= 5 then return i * i end end, __len = function() return 5 end })
local s = {}
for i, v in ipairs(range) do s[i] = v end
print(table.concat(s, " "), table.unpack(range))
local Set = {} Set.__index = Set
local function set(list) local o = setmetatable({}, Set) for _, v in ipairs(list) do o[v] = true end return o end
local function keys(o) local l = {} for k in pairs(o) do l[#l + 1] = k end table.sort(l) return "{" .. table.concat(l, ",") .. "}" end
Set.__add = function(a, b) local r = set({}) for k in pairs(a) do r[k] = true end for k in pairs(b) do r[k] = true end return r end
Set.__mul = function(a, b) local r = set({}) for k in pairs(a) do r[k] = b[k] end return r end
Set.__sub = function(a, b) local r = set({}) for k in pairs(a) do if not b[k] then r[k] = true end end return r end
Set.__le = function(a, b) for k in pairs(a) do if not b[k] then return false end end return true end
Set.__lt = function(a, b) return a <= b and not (b <= a) end
Set.__eq = function(a, b) return a <= b and b <= a end
Set.__len = function(a) local c = 0 for _ in pairs(a) do c = c + 1 end return c end
Set.__tostring = keys
local s1, s2 = set({ 1, 2, 3 }), set({ 2, 3, 4 })
print(keys(s1 + s2), keys(s1 * s2), keys(s1 - s2), s1 <= s2, s1 * s2 <= s1, s1 * s2 < s1, s1 == set({ 3, 2, 1 }), #(s1 + s2), tostring(s2))
local Complex = {}
Complex.__index = Complex
local function complex(re, im) return setmetatable({ re = re, im = im or 0 }, Complex) end
local function lift(v) return type(v) == "number" and complex(v) or v end
Complex.__add = function(a, b) a, b = lift(a), lift(b) return complex(a.re + b.re, a.im + b.im) end
Complex.__mul = function(a, b) a, b = lift(a), lift(b) return complex(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re) end
Complex.__unm = function(a) return complex(-a.re, -a.im) end
Complex.__eq = function(a, b) return a.re == b.re and a.im == b.im end
Complex.__tostring = function(a) return a.re .. (a.im < 0 and "" or "+") .. a.im .. "i" end
Complex.__call = function(a, what) return a[what] end
Complex.__concat = function(a, b) return tostring(a) .. tostring(b) end
local i = complex(0, 1)
print(tostring(i * i), tostring(2 + 3 * i), tostring(-i), i * i == complex(-1), i("im"), i .. " and " .. i)
