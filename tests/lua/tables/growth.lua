-- Tables that change shape: arrays filled from both ends, arrays that become hashes, fields added and removed.
local function digest(t)
  local n, s = 0, 0
  for k, v in pairs(t) do
    n = n + 1
    s = (s + (type(k) == "number" and k or #k * 1000) * 7 + (type(v) == "number" and v or 1)) % 1000003
  end
  return n .. ":" .. s
end
local t = {}
for i = 1, 300 do t[i] = i end
for i = -1, -300, -1 do t[i] = i end
for i = 1, 300 do t["f" .. i] = i end
print(digest(t), #t)
for i = 1, 300, 2 do t[i] = nil end
for i = 1, 300, 3 do t["f" .. i] = nil end
print(digest(t))
for i = 1, 300 do t[i] = i * 2 end
print(digest(t), #t)
for k in pairs(t) do t[k] = nil end
print(digest(t), next(t), #t)
t.x = 1
for i = 1, 20 do t[i] = i end
print(digest(t), #t, t.x)
local sparse = {}
for i = 0, 20 do sparse[2 ^ i] = i end
print(digest(sparse), sparse[1], sparse[1024], sparse[1 << 20])
local kinds = { 1, 2, 3 }
kinds[2] = "two" kinds[3] = 3.5 kinds[1] = false kinds[4] = {} kinds[5] = nil
print(kinds[1], kinds[2], kinds[3], type(kinds[4]), kinds[5], #kinds)
local floats = {}
for i = 1, 40 do floats[i] = i + 0.5 end
floats[20] = 20 floats[30] = "x" floats[41] = true
print(floats[19], floats[20], floats[21], floats[30], floats[40], floats[41], math.type(floats[20]), #floats)
local ints = {}
for i = 1, 40 do ints[i] = i end
ints[7] = 7.0 ints[8] = math.maxinteger ints[9] = -0.0
print(math.type(ints[6]), math.type(ints[7]), ints[8], ints[9], 1 / ints[9])
local bools = {}
for i = 1, 70 do bools[i] = i % 2 == 0 end
local count = 0
for i = 1, 70 do if bools[i] then count = count + 1 end end
bools[35] = nil
print(count, bools[34], bools[35], bools[36])
-- objects of one constructor that then differ
local function make(i)
  local o = { id = i, name = "o" .. i }
  if i % 2 == 0 then o.even = true end
  if i % 3 == 0 then o.name = nil end
  if i % 5 == 0 then o[1] = "array" end
  return o
end
local list = {}
for i = 1, 60 do list[i] = make(i) end
local e, n, a = 0, 0, 0
for _, o in ipairs(list) do
  e = e + (o.even and 1 or 0) n = n + (o.name and 1 or 0) a = a + #o
end
print(e, n, a, digest(list[30]))
-- many fields on one object
local wide = {}
for i = 1, 1000 do wide["field" .. i] = i end
local sum = 0
for i = 1, 1000 do sum = sum + wide["field" .. i] end
print(sum, wide.field1, wide.field1000, wide.field1001)
local q, head, tail = {}, 1, 0
for round = 1, 400 do
  for _ = 1, 3 do tail = tail + 1 q[tail] = tail end
  for _ = 1, round % 5 do if head <= tail then q[head] = nil head = head + 1 end end
end
print(head, tail, q[head], q[tail], q[head - 1])
