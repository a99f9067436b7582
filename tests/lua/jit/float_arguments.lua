-- What a loop passes to a helper is of unknown type in its first iteration and a float from then on.
local function list(from, to, step)
  local t = {}
  for i = from, to, step do t[#t + 1] = i end
  return t
end
for _ = 1, 20 do
  local t = list(-1.0, 1.5, 0.5)
  assert(#t == 6)
  for i = 1, 6 do assert(t[i] == -1.0 + (i - 1) * 0.5 and math.type(t[i]) == "float") end
end
print(table.concat(list(-1.0, 1.5, 0.5), " "))
