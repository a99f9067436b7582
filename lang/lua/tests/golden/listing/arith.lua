local a, b = ...
local r
r = a + b; r = a + 1; r = a - 1; r = 1 + a; r = 1 - a; r = a + 1.5; r = a - 40000
r = a * 2; r = 2 * a; r = a / 2; r = 2 / a; r = a % 3; r = 3 % a; r = a ^ 2; r = 2 ^ a; r = a // 2; r = 2 // a
r = a & 1; r = 1 & a; r = a | b; r = a ~ 7; r = a << 1; r = 1 << a; r = a >> 2; r = 2 >> a; r = a & 1.0
r = -a; r = ~a; r = #a; r = not a
r = 1 + 2 * 3; r = 2^10; r = 7 // 2; r = 1 / 0; r = 0 / 0; r = 1 // 0; r = -0.0; r = 5 % -3; r = ~0; r = 1 << 63
r = "a" + 1; r = not nil; r = not 1; r = -(-3); r = 10 // 0.3
r = a + b * a - b / a
r = (a + b) * (a - b)
r = a .. b .. 1 .. "x"
r = a .. (b .. a)
