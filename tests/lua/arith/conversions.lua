-- Integer and float: which results are which, and conversions between them.
local function show(...)
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    io.write(tostring(v), ":", tostring(math.type(v)), i < select("#", ...) and " " or "\n")
  end
end
show(1 + 1, 1 + 1.0, 1.0 + 1, 2 * 3, 2 * 3.0, 4 - 2, 4 - 2.0)
show(6 / 2, 7 // 2, 7 // 2.0, 7 % 4, 7 % 4.0, 2 ^ 2, -3, -3.0)
show(math.floor(2.5), math.ceil(2.5), math.floor(2^70), math.ceil(-2^70))
show(math.tointeger(3.0), math.tointeger(3.5), math.tointeger(2^63), math.tointeger(-2^63), math.tointeger({}))
show(math.max(1, 2.0), math.max(2, 2.0), math.max(2.0, 2), math.min(1, 1.0), math.abs(-3), math.abs(-3.0))
show(3 | 0, 3.0 | 0, 2^53 | 0, "10" + 0, "10.0" + 0, "0x10" + 0, "1e1" + 0, (10 .. "") + 1)
show(1e3, 1000, 0x10, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0x1ffffffffffffffff)
show(9223372036854775807, 9223372036854775808, -9223372036854775808, -9223372036854775809)
show(math.maxinteger + 0.0, math.mininteger + 0.0, math.maxinteger + 1.0 == 2^63)
print(1 == 1.0, math.type(1) == math.type(1.0), ({ [1] = "a" })[1.0], ({ [2.0] = "b" })[2])
for _, v in ipairs({ 2.5, 2^63, -2^63, 0 / 0, 1 / 0, "3", "3.0", "3.5", "x", {} }) do
  local ok, r = pcall(function() return v | 0 end)
  print(ok, ok and r or (r:gsub("^.-:%d+: ", "")))
end
-- floats as loop bounds and string indices
print(("hello"):sub(2.0, 4.0), pcall(string.sub, "hello", 1.5))
print(#table.pack(table.unpack({ 1, 2, 3 }, 1.0, 2.0)))
print(string.rep("ab", 2.0), pcall(string.rep, "ab", 2.5))
print(tostring(3) == "3", tostring(3.0) == "3.0", 3 .. "", 3.0 .. "", -0.0 .. "", 1e100 .. "")
print(math.ult(1, -1), math.ult(-1, 1), math.ult(1, 2))
print(7 // 1 | 0, (7.0 // 1) | 0, math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(7.5, 2))
print(pcall(math.fmod, 1, 0))
print(math.fmod(1, 0.0) ~= math.fmod(1, 0.0), math.fmod(math.mininteger, -1))
