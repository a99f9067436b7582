-- next and pairs on traces: array parts with holes, dictionaries, records, and the way from one to the other.
local function walk(t)
  local n, sum, text = 0, 0, 0
  for k, v in pairs(t) do
    n = n + 1
    if type(k) == "number" then sum = sum + k * v else text = text + #k * v end
  end
  local k, v = next(t)
  while k ~= nil do
    n = n + 1
    if type(k) == "number" then sum = sum + k * v else text = text + #k * v end
    k, v = next(t, k)
  end
  return n, sum, text
end
local function show(name, t)
  local n, sum, text
  for _ = 1, 60 do n, sum, text = walk(t) end
  print(name, n, sum, text)
end

show("empty", {})
show("array", { 1, 2, 3, 4, 5, 6, 7, 8, 9 })
local holes = {}
for i = 1, 64 do holes[i] = i end
for i = 1, 64, 3 do holes[i] = nil end
show("holes", holes)
for i = 1, 64 do holes[i] = nil end
show("emptied", holes)
holes[64] = 1
show("last", holes)
show("zero", { [0] = 7, 1, 2 })
show("record", { a = 1, bb = 2, ccc = 3 })
show("both", { 5, 6, 7, a = 1, bb = 2 })
local dict = {}
for i = 1, 40 do dict[i * 1000] = i dict["k" .. i] = i end
show("dictionary", dict)
for i = 1, 40, 2 do dict[i * 1000] = nil dict["k" .. i] = nil end
show("gaps", dict)
dict[1], dict[2], dict[3] = 1, 2, 3
show("all", dict)
show("negative", { [-1] = 5, [-2] = 6, 7, 8 })

-- a shape whose list of keys is not there yet: next without pairs
local sum = 0
for i = 1, 100 do
  local o = { 1, 2 }
  o["first" .. i] = i
  o.second = i
  local k, v = next(o)
  while k do
    sum = sum + v
    k, v = next(o, k)
  end
end
print(sum)

-- two traversals in one another, of one table and of two
local t, u = { 1, 2, x = 3, y = 4 }, { 10, z = 20 }
local n = 0
for _ = 1, 60 do
  for _, a in pairs(t) do
    for _, b in pairs(t) do n = n + a * b end
    for _, b in pairs(u) do n = n + a * b end
  end
end
print(n)

-- fields and elements go during the traversal
for r = 1, 60 do
  local d = {}
  for i = 1, 20 do d[i] = i d["s" .. i] = i end
  local left = 0
  for k, v in pairs(d) do
    if v % 2 == 0 then d[k] = nil else left = left + v d[k] = v + 1 end
  end
  for _, v in pairs(d) do left = left + v end
  if r == 60 then print(left) end
end

-- keys that are not there
local function strange(k) return next({ 1, 2, 3, a = 1 }, k) end
local ok, message
for _ = 1, 60 do ok, message = pcall(strange, "b") end
print(ok, message)
for _ = 1, 60 do ok, message = pcall(strange, 9) end
print(ok, message)
for _ = 1, 60 do ok, message = pcall(strange, 3) end
print(ok, message)
