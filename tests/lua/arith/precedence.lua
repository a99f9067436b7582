-- Precedence and associativity of all operators; short circuits.
print(1 + 2 * 3, (1 + 2) * 3, 2 * 3 % 4, 2 + 3 .. "", 1 .. 2 + 3, 2 ^ 3 ^ 2, -2 ^ 2, not nil == true)
print(1 << 2 + 1, (1 << 2) + 1, 1 | 2 & 3, 1 ~ 3 | 4, 5 & 3 == 1, 6 & 5 | 1 << 3, "a" .. "b" == "ab")
print(1 < 2 and 2 < 3, 1 < 2 or error("not reached"), nil and error("not reached"), false or nil, nil or false)
print(1 and 2, nil and 2, false and 2, 1 or 2, nil or 2, false or nil, 1 and nil or 3, nil and 1 or 3)
print(not 1, not nil, not not nil, - - 3, not -3, ~~5, -~5, ~-5, #"abc" + 1, -#"abc", #"abc" == 3)
print(10 - 3 - 2, 100 / 10 / 2, 2 * 3 // 4, 7 // 2 * 2, 7 % 4 * 2, "a" .. "b" .. "c" .. 1)
print(1 == 1 == true, 1 ~= 2 == true, 3 > 2 == (2 < 3), 1 + 1 == 2 and "yes" or "no")
print(2 * -3, 2 ^ -1, 2 ^ - 1, -3 ^ 2, (-3) ^ 2, 5 - -3, -"2" + 4, - 2 * 3)
local function f(name, v)
  io.write(name, " ")
  return v
end
print(f("a", 1) + f("b", 2) * f("c", 3))
print(f("a", nil) and f("b", 2) or f("c", 3))
print((f("a", 1) or f("b", 2)) and f("c", 3))
print(f("x", 2) ^ f("y", 3) ^ f("z", 2))
print(f("p", "1") .. f("q", "2") .. f("r", "3"))
local t = { f("k", 1), f("l", 2), [f("m", 10)] = f("n", 3) }
print(t[1], t[2], t[10])
print(f("u", 1) < f("v", 2), f("u", 1) > f("v", 2))
local x = nil
local y = x and x.field or "default"
local z = (x or {}).field == nil
print(y, z, x == nil and "nil" or "set", not x and 1)
local n = 0
local function side() n = n + 1 return n end
local r = side() > 5 or side() > 5 or side() > 2
print(r, n)
if not (n == 3 and r) then print("wrong") else print("right") end
while n > 0 and n ~= 1 do n = n - 1 end
print(n, n == 1 and (r and "both" or "one"), (nil == false) or (1 == 1.0))
