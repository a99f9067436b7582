-- A loop variable that has another type in each iteration, with no period: the loop is compiled all the same.
local seed = 7
local function random(n) seed = seed * 16807 % 2147483647 return seed % n end
local kinds = { 1, 2.5, "3", true, "x" }
local last, sum, text = 0, 0, ""
for i = 1, 2000 do
  local was = last
  if type(was) == "number" then sum = sum + was
  elseif type(was) == "string" then text = text .. was if #text > 20 then text = "" end
  elseif was then sum = sum + 1 end
  last = kinds[random(#kinds) + 1]
end
print(sum, text, last)
local n, x = 0, 1
while n < 500 do
  n = n + 1
  if random(2) == 0 then x = x + 1 elseif random(3) == 0 then x = x + 0.5 else x = math.type(x) == "float" and math.floor(x) or x * 1.0 end
end
print(n, x)
