-- Comparisons of integers with floats without rounding, and with NaN and infinities.
local max, min = math.maxinteger, math.mininteger
local inf, nan = math.huge, 0 / 0
local function text(v) return v ~= v and "nan" or v end
local function all(a, b)
  print(text(a), text(b), a < b, a <= b, a > b, a >= b, a == b, a ~= b)
end
all(1, 1.0)
all(1, 1.5)
all(-1, -1.5)
all(max, 2^63)
all(max, max + 0.0)
all(min, -2^63)
all(min, -2^63 - 2048)
all(2^53 | 0, 2^53)
all((2^53 | 0) + 1, 2^53)
all((2^53 | 0) + 1, 2^53 + 2)
all(max - 1, 2^63)
all(0, -0.0)
all(max, inf)
all(min, -inf)
all(1, nan)
all(nan, 1)
all(inf, inf)
all(-inf, min)
all(9007199254740993, 9007199254740992.0)
all(9007199254740993, 9007199254740994.0)
all(-9007199254740993, -9007199254740992.0)
-- constants on one side take another path in most compilers
local x, y = 5, 5.5
print(x < 6, x <= 5, x > 4, x >= 6, x < 5.5, x <= 4.5, x > 5.5, x >= 4.5, x == 5.0, x ~= 5.0)
print(y < 6, y <= 5, y > 5, y >= 6, 5 < y, 6 <= y, 5.5 == y, 5 == y, y > -1, y < -1)
print(1 < 2 == true, not (1 < 2), not 1 == 2, not (1 == 2))
print("a" < "b", "a" < "B", "" < "a", "a" < "ab", "Z" < "a", "a\0b" < "a\0c", "a\0" > "a", "10" < "9")
print("abc" == "abc", "abc" ~= "abd", "1" == 1, 0 == false, nil == false)
local function message(f)
  print((select(2, pcall(f)):gsub("^.-:%d+: ", "")))
end
message(function() return 1 < "2" end)
message(function() return {} < {} end)
message(function() return nil <= 1 end)
message(function() return "a" >= 1 end)
message(function() return print < print end)
message(function() return true > false end)
message(function() return setmetatable({}, { __name = "My" }) < 1 end)
-- as conditions
local list = { 3, 1.5, max, -inf, 2^63, min, 0, 1 }
table.sort(list)
for i, v in ipairs(list) do io.write(tostring(v), i < #list and " " or "\n") end
