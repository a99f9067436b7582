-- What the debug library changes behind the back of compiled code.
local function setter(step)
  local function add(n) return n + step end
  return add
end
local add = setter(1)
local n = 0
for i = 1, 200 do
  n = add(n)
  if i == 100 then debug.setupvalue(add, 1, 10) end
end
print("setupvalue", n)

local other = setter(1000)
n = 0
for i = 1, 200 do
  n = add(n)
  if i == 150 then debug.upvaluejoin(add, 1, other, 1) end
end
print("upvaluejoin", n)

n = 0
local k = 1
for i = 1, 200 do
  n = n + k
  if i == 100 then
    for j = 1, 100 do
      local name = debug.getlocal(1, j)
      if name == "k" then debug.setlocal(1, j, 5) break end
    end
  end
end
print("setlocal", n)

-- from a function that the loop calls by way of a library function
local function meddle(i)
  if i == 100 then
    for j = 1, 100 do
      local name = debug.getlocal(3, j)
      if name == "k" then debug.setlocal(3, j, 7) break end
    end
  end
  return "x"
end
n, k = 0, 1
for i = 1, 200 do
  n = n + k
  string.gsub("a", "a", function() return meddle(i) end)
end
print("setlocal through gsub", n)
