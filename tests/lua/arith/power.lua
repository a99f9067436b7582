-- powers of all kinds of operands, constant and not
local function pow(a, b) return a ^ b end
local vals = { 0, 1, -1, 2, 3, 10, 0.5, -0.5, 2.0, 3.0, -0.0, 1 / 0, -1 / 0, 1e308, math.maxinteger, math.mininteger }
for _, a in ipairs(vals) do
  local t = {}
  for _, b in ipairs(vals) do t[#t + 1] = string.format("%.14g", pow(a, b)) end
  print(table.concat(t, " "))
  print(a ^ 2, a ^ 2.0, a ^ 0.5, a ^ 3, a ^ -1, 2 ^ a, 2.5 ^ a, 0 ^ a, a ^ 0)
end
print(pow("2", 3), pow(2, "0x10"), "10" ^ 2, 2 ^ "3", math.type(2 ^ 2), math.type(pow(3, 2)))
print(pcall(pow, {}, 2)) print(pcall(pow, 2, "x")) print(pcall(function(x) return x ^ 2 end, nil)) print(pcall(function(x) return 3 ^ x end, true))
print(pow(0 / 0, 0), pow(0 / 0, 1) ~= pow(0 / 0, 1), pow(1, 0 / 0))
