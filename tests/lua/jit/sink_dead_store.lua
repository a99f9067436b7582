-- A table that is stored into another and then replaced there is needed by nothing but an exit on the way.
local function keep(x)
  local t = { 1 }
  t.a = x
  local inner = { 1, 2.5 }
  t.b = inner
  if x % 7 == 8 then return inner end
  t.b = x + 0.5
  return t
end
local s = 0
for i = 1, 300 do s = s + keep(i).b + keep(i).a end
print(s)
-- math.floor of what is no quotient
local n = 0
for i = 1, 300 do
  n = n + math.floor(math.sqrt(i)) + math.floor(i * 1.0) + math.floor(math.abs(-i / 3)) + math.floor(-(i / 2))
end
print(n)
