-- Equality and identity of strings: short and long ones as values and as keys.
local short, long = "short", ("x"):rep(100)
local function copy(s) return (s:gsub("^", ""):gsub("$", "")) end
print(copy(short) == short, copy(long) == long, rawequal(copy(long), long), long == long .. "", long ~= long .. "y")
local t = {}
for n = 30, 50 do
  local key = ("k"):rep(n)
  t[key] = n
end
local sum = 0
for n = 30, 50 do sum = sum + t[copy(("k"):rep(n))] end
print(sum)
t[long] = 1
t[copy(long)] = t[copy(long)] + 1
print(t[long], rawget(t, copy(long)), t["x"], next({ [long] = true }) == copy(long))
local many = {}
for i = 1, 500 do many["key" .. i] = i many["a rather long key that is not interned at all " .. i] = -i end
local ok = true
for i = 1, 500 do ok = ok and many["key" .. i] == i and many["a rather long key that is not interned at all " .. i] == -i end
print(ok)
for i = 1, 500, 2 do many["key" .. i] = nil end
local count = 0
for _ in pairs(many) do count = count + 1 end
print(count, many.key1, many.key2)
-- equal prefixes and embedded zeros are different keys
local z = { ["a"] = 1, ["a\0"] = 2, ["a\0b"] = 3, ["\0"] = 4, [""] = 5 }
print(z.a, z["a\0"], z["a\0b"], z["\0"], z[""])
-- strings made in different ways are the same value
print(("ab"):rep(2) == "abab", "ab" .. "ab" == ("ab"):rep(2), ("ABAB"):lower() == "abab", string.char(97, 98) == "ab", ("%s"):format("ab") == "ab", table.concat({ "a", "b" }) == "ab", ("xaby"):sub(2, 3) == "ab")
local set = {}
for w in ("the quick the lazy the dog"):gmatch("%a+") do set[w] = (set[w] or 0) + 1 end
print(set.the, set.quick, set.dog, set.cat)
