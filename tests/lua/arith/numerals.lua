-- Numerals in source text, good and bad.
print(0, 00, 1, 0x0, 0xff, 0XFF, 0xAbC, 3., .5, 3.5, 3e2, 3E-2, 3e+2, 0x1p4, 0x.8, 0x8., 0xA.8p1)
print(0xffffffffffffffff, 0x10000000000000000, 0x7fffffffffffffff1, 1e308, 1e309, 1e-400)
print(9007199254740993, 123456789012345678901234567890, 0.1e1, 1e0)
print(1 ..2, 1.5 ..2, 0x1 ..2)
print(2^-2, - -2, -2^2, 2^3^2, -3 % 5, (-3) % 5)
for _, s in ipairs({ "0x", "0xg", "1e", "1e+", "3x", "0x1p", "1.2.3", "08x", "0b1", "1_000", "0x1.p", ".5.", "1..2" }) do
  local f, e = load("return " .. s, "=n")
  print(s, f and tostring(f()) or e)
end
print(3 --[[comment]] + 4, 5 -- comment
  + 6)
print(1 < 2, 1<2, 1- -1, 2--3
)
print(0x7fffffffffffffff + 1 == math.mininteger, -0x8000000000000000 == math.mininteger, -9223372036854775808 == math.mininteger, math.type(-9223372036854775808))
print(1//1, 1.//1, 7//2*2+7%2 == 7, 2^2//3, 10-2-3, 2^2^0)
