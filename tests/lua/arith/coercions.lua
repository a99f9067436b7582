-- Strings as numbers in arithmetic, numbers as strings in concatenation, tonumber in full.
print("10" + 1, "10" - "3", "2" * "3", "7" / "2", "7" // "2", "7" % "4", "2" ^ "3", -"2")
print("  10  " + 1, "\t0x1F\n" + 0, "1e2" + 0, "0x.8p1" + 0, "-5" + 0, "- 5" == "x")
print(math.type("10" + 1), math.type("10.0" + 1), math.type("10" * "10"), math.type(-"2"), math.type(-"2.0"))
print(10 .. 20, 1.5 .. "x", -1 .. "", 2^63 .. "", 1e15 .. "|" .. 1e16)
print("9223372036854775807" + 0, "9223372036854775808" + 0, "9223372036854775807" + 1, "-9223372036854775808" + 0)
for _, s in ipairs({ "", " ", "1 2", "1x", "x1", "0x", "1e", "1e+", ".", "-", "+-1", "1__0", "inf", "nan", "0x1p", "1\0", "１" }) do
  local ok, e = pcall(function() return s + 1 end)
  print(("%q"):format(s), ok, (e:gsub("^.-:%d+: ", "")))
  print(tonumber(s))
end
for _, s in ipairs({ "1", "-1", "+1", "1.", ".5", "5.e1", "0x10", "-0x10", "0xA.8", "0x.Ap1", "1E5", " 7 ", "\n7\t", "1e400", "-0", "0x7fffffffffffffff", "0xffffffffffffffffff", "00012" }) do
  local v = tonumber(s)
  print(("%q"):format(s), v, math.type(v))
end
print(tonumber("10", 2), tonumber("ff", 16), tonumber("FF", 16), tonumber("zz", 36), tonumber("-z", 36), tonumber(" 11 ", 2))
print(tonumber("8", 8), tonumber("12", 2), tonumber("", 10), tonumber("1.0", 10), tonumber("7fffffffffffffff", 16), tonumber("ffffffffffffffff", 16))
print(pcall(tonumber, 10, 16))
print(pcall(tonumber, "10", 1))
print(pcall(tonumber, "10", 37))
print(pcall(tonumber))
print(tonumber(nil), tonumber({}), tonumber(true), tonumber(5), tonumber(5.5))
print(pcall(function() return {} .. "x" end))
print(pcall(function() return "a" .. nil end))
print(pcall(function() return "a" .. true .. "b" end))
print(("10"):rep(2) + 1, #"10" + 1, ("0x" .. "ff") + 0)
-- strings do not coerce in comparisons or as table keys
local t = { ["1"] = "string", [1] = "integer" }
print(t["1"], t[1], t[1.0], t["1.0"])
print("10" == 10, pcall(function() return "10" < 5 end))
