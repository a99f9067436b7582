-- A value is passed to a function of the runtime before the trace finds out that it is a float.
for _, r in ipairs { { 10.0, 1, -1 }, { 64, 250, 31 }, { 1.5, 9.5, 1 }, { 9, 5e-324, -1 }, { 1, 3.0, 0.5 }, { 64, 300, 31 }, { 0.25, 5, 1 } } do
  local n, s = 0, {}
  for i = r[1], r[2], r[3] do
    n = n + 1
    s[n] = i
    if n > 5 then break end
  end
  print(n, table.concat(s, " "))
end
local out = {}
for k, v in ipairs { 1, 2.5, 3, 4.5, 5.5, 6.25, 7 } do
  out[#out + 1] = v
  if math.type(v) == "float" then out[#out + 1] = v + 0.5 end
end
print(table.concat(out, " "))
