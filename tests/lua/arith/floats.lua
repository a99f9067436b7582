-- Float arithmetic and how floats print.
local inf, nan = 1 / 0, 0 / 0
print(inf, -inf, nan ~= nan, inf - inf ~= inf - inf)
print(0.0, -0.0, 0.0 == -0.0, 1 / -0.0, 1 / 0.0)
print(1.0, 100.0, 1e15, 1e16, 1e100, 123456789012.0, 0.1, 1 / 3, -1 / 3)
print(3.14159265358979, 1e-5, 1e-10, 5e-324, 1.7976931348623157e308, 2^-1074)
print(0.1 + 0.2, 0.1 + 0.2 == 0.3, 1e308 * 10, -1e308 * 10)
for _, a in ipairs({ 5.5, -5.5 }) do
  for _, b in ipairs({ 2.0, -2.0, inf, -inf, 0.25 }) do
    print(a, b, a // b, a % b)
  end
end
print(inf // 1, inf % 2 ~= inf % 2, 5.0 // 0, -5.0 // 0, (5.0 % 0) ~= (5.0 % 0), 0.0 // 0 ~= 0.0 // 0)
print(5 % inf, -5 % inf, 5 % -inf, -5 % -inf, 0.0 % 1, -0.0 % 1)
print(2 ^ 10, 2 ^ 0.5, 2 ^ -1, (-2) ^ 2, -2 ^ 2, (-8) ^ (1 / 3) ~= (-8) ^ (1 / 3), 0 ^ 0, inf ^ 0, nan ^ 0)
print(2 ^ 1023 * 2, 10 ^ 308, 10 ^ 309, 7.0 // 2, 7.5 // 2, -7.5 // 2)
print(1e15 + 0.5, 2^53 + 1.0, 123456.789e3, 1e15 / 10, 314.16e-2, 0.31416E1, 34e1)
print(0x.1p4, 0xA.8p0, 0x1p-2, 0xffp0, 0x1P+4)
print(-nan ~= -nan, nan == nan, nan < nan, nan <= nan, nan > 1, 1 > nan, nan ~= 1)
print(3 | 0, 3.0 | 0, math.floor(3.7), math.ceil(3.2), math.floor(-3.7), math.ceil(-3.2))
print(string.format("%.17g %.17g %.3f", 0.1, 1 / 3, 2 / 3))
print(1e1, 1e2, 12345678901234.0, 123456789012345.0, 1234567890123456.0)
