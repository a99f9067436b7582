-- string.rep of short and long units and separators.
local units = { "", "a", "ab", "abcdefg", ("x"):rep(31) .. "y", ("x"):rep(40) .. "y" }
local seps = { "", ",", "--sep--", ("s"):rep(33) }
for _, u in ipairs(units) do
  for n = 0, 5 do
    for _, sep in ipairs(seps) do io.write(u:rep(n, sep), "|") end
  end
  print()
end
