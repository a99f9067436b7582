-- Bitwise operators: shifts by any amount, operands that are floats, strings are no operands, messages.
print(0xF0 & 0x3C, 0xF0 | 0x0F, 0xF0 ~ 0xFF, ~0, ~5, ~-1)
for _, by in ipairs({ 0, 1, 31, 32, 63, 64, 65, 1000, -1, -63, -64, -65 }) do
  print(by, 1 << by, -1 << by, -1 >> by, 0x7F00 >> by)
end
print(1 << math.maxinteger, 1 << math.mininteger, 1 >> math.maxinteger, -1 >> math.mininteger)
print(math.mininteger >> 63, math.mininteger >> 1, -1 >> 1 == math.maxinteger, 1 << 63 == math.mininteger)
print(5.0 & 3, 2^40 | 0, -1.0 >> 60, 1 << 3.0)
for _, s in ipairs({ "7", "0x10", "3.0", "x" }) do
  print(pcall(function() return s & 3 end))
end
print(1 | 2 ~ 3 & 4 << 1, (1 | 2) ~ 3, 1 .. 2 == "12", 3 & 2 == 2)
local a, b = 0x0123456789ABCDEF, -2
print(a & b, a | b, a ~ b, a << 4, a >> 4, ~a, b >> 60, b << 60)
local function rotl(x, n) return (x << n) | (x >> (64 - n)) end
print(rotl(a, 8) == 0x23456789ABCDEF01, rotl(a, 0) == a, string.format("%x", rotl(a, 60)))
local function message(f, ...)
  print((select(2, pcall(f, ...)):gsub("^.-:%d+: ", "")))
end
message(function(x) return x & 1 end, 1.5)
message(function(x) return 1 << x end, "a")
message(function(x) return x | 1 end, {})
message(function(x) return x ~ 1 end, nil)
message(function(x) return ~x end, "x")
message(function(x) return ~x end, 2^64)
message(function(x) return x >> 1 end, "1.5")
message(function() local t = { f = 0.5 }; return t.f & 1 end)
message(function() return undefined_global & 1 end)
local n = 0
for i = 0, 63 do n = n | (i % 3 == 0 and 1 << i or 0) end
print(n, string.format("%X", n))
local count = 0
while n ~= 0 do n = n & (n - 1); count = count + 1 end
print(count)
