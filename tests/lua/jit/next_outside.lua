-- traversal goes from an integer key outside the array part not into the array
local function keys(t)
  local out = {}
  for k, v in next, t do
    out[#out + 1] = k .. "=" .. v
    if #out > 100 then return "too many" end
  end
  table.sort(out)
  return table.concat(out, " ")
end
local function filled(from)
  local t = {}
  for i = 1, 12 do t[i] = i end
  t[0] = "zero"
  t[1 << 40] = "far"
  for i = 1, 6 do t[-i] = i + from end
  return t
end
for i = 1, 5 do
  print(keys(filled(i)))
end
-- the same through a function that calls itself
local function show(v)
  if type(v) ~= "table" then return tostring(v) end
  local out = {}
  for k, w in next, v do
    out[#out + 1] = show(k) .. "=" .. show(w)
    if #out > 100 then return "too many" end
  end
  table.sort(out)
  return "{" .. table.concat(out, ",") .. "}"
end
for i = 1, 5 do
  print(show({ filled(i), { filled(i), "x", true } }))
end
