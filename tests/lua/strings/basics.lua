-- The plain functions of string: positions that are negative, zero, too large or reversed.
local s = "hello"
print(#s, s:len(), ("a\0b"):len(), #"")
for _, p in ipairs({ { 1, 5 }, { 2 }, { -3 }, { -3, -2 }, { 0 }, { 0, 0 }, { 3, 2 }, { 4, 100 }, { -100, 2 }, { 6 }, { 5, 5 }, { math.mininteger, math.maxinteger }, { math.maxinteger }, { 1, math.mininteger } }) do
  print(p[1], p[2], ("%q"):format(s:sub(p[1], p[2])))
end
print(s:byte(), s:byte(2), s:byte(-1), s:byte(1, -1))
print(s:byte(10), s:byte(0), s:byte(3, 2), ("\255\0"):byte(1, 2))
print(string.char(), string.char(72, 105), #string.char(0, 255))
print(("ab"):rep(3), ("ab"):rep(3, "-"), ("ab"):rep(1, "-"), ("ab"):rep(0), ("ab"):rep(-1), (""):rep(1000000), ("x"):rep(0, "y") == "")
print(("abc"):reverse(), (""):reverse(), ("a\0b"):reverse() == "b\0a")
print(("MiXed 123 é"):upper(), ("MiXed 123"):lower())
print(pcall(string.rep))
print(pcall(string.rep, "x", -1))
print(pcall(string.char, 256))
print(pcall(string.char, -1))
print(pcall(string.char, "x"))
print(pcall(string.rep, "x", 1 << 40, "y"))
print(pcall(string.rep, "abc", math.maxinteger))
print(pcall(string.sub))
print(pcall(string.byte, {}))
print(pcall(string.upper, nil))
print(tostring("x") == "x", tostring(12), tostring(nil), tostring(true), tostring(-0.0))
print(("x"):rep(3):upper():lower():len())
print(s:sub(2, -2):byte(1, -1))
local parts = {}
for i = 1, #s do parts[#parts + 1] = s:sub(i, i):upper() .. s:byte(i) end
print(table.concat(parts, " "))
-- byte with many results
local long = ("abc"):rep(50)
print(select("#", long:byte(1, -1)), (select(150, long:byte(1, -1))))
print(string.len(123), string.sub(12345, 2, 3), string.rep(7, 3), (5 .. ""):rep(2))
