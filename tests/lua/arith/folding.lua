-- nostress: compiles some 30,000 chunks
-- An expression of constants must give what the same expression gives on variables.
local operators = { "+", "-", "*", "/", "//", "%", "^", "&", "|", "~", "<<", ">>", "..", "==", "~=", "<", "<=", ">", ">=" }
local values = {
  "0", "1", "-1", "2", "7", "-7", "63", "64", "0.0", "0.5", "-2.5", "1e300", "3.0",
  "math.maxinteger", "math.mininteger", "9223372036854775807", "(1/0)", "(-1/0)", "'10'", "'a'",
}
local function text(ok, v)
  if not ok then
    return "error " .. tostring(v):gsub("^.-:%d+: ", ""):gsub(" %(.-%)", "")
  elseif v ~= v then
    return "nan"
  end
  return tostring(v) .. ":" .. tostring(math.type(v) or type(v))
end
local count, differ, sum = 0, 0, 0
for _, op in ipairs(operators) do
  for _, a in ipairs(values) do
    for _, b in ipairs(values) do
      local direct = load("return (" .. a .. ") " .. op .. " (" .. b .. ")", "=e")
      local left = load("local a = " .. a .. " return a " .. op .. " (" .. b .. ")", "=e")
      local right = load("local b = " .. b .. " return (" .. a .. ") " .. op .. " b", "=e")
      local both = load("local a, b = ... return a " .. op .. " b", "=e")
      local r1, r2, r3 = text(pcall(direct)), text(pcall(left)), text(pcall(right))
      local r4 = text(pcall(both, load("return " .. a)(), load("return " .. b)()))
      count = count + 1
      if r1 ~= r4 or r2 ~= r4 or r3 ~= r4 then
        differ = differ + 1
        print(a, op, b, r1, r2, r3, r4)
      end
      for i = 1, #r4 do sum = (sum * 31 + r4:byte(i)) % 1000003 end
    end
  end
end
print(count, differ, sum)
for _, e in ipairs({ "-0.0", "- 0", "1/-0.0", "~0.0", "-(-9223372036854775808)", "not 0", "#'abc'", "-'3'", "not nil", "2^53+1", "0.0 == -0.0" }) do
  print(e, text(pcall(load("return " .. e))))
end
