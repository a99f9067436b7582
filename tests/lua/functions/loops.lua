-- while, repeat, numeric and generic for: scopes, breaks, evaluation of bounds, assignment to the loop variable.
local i = 0
while i < 5 do i = i + 1 if i == 3 then break end end
print(i)
repeat local done = i >= 6 i = i + 1 until done
print(i)
local evaluations = 0
local function e(v) evaluations = evaluations + 1 return v end
for k = e(1), e(5), e(2) do io.write(k, " ") end print(evaluations)
for k = 3, 1 do print("never", k) end
for k = 3, 1, -1 do io.write(k, " ") end print()
for k = 1, 3 do local k = k * 10 io.write(k, " ") end print()
for k = 1, 5 do io.write(k, " ") k = k + 10 end print()
for k = 1, 3 do for l = k, 3 do if l == 2 then break end io.write(k, l, " ") end end print()
for k = 1, 0 do end
for k = 5, 5 do io.write("once ", k, "\n") end
local n = 0
while true do n = n + 1 if n > 10 then break elseif n % 2 == 0 then goto continue end io.write(n, " ") ::continue:: end print()
while n > 0 do n = n - 3 end print(n)
repeat n = n + 1 if n == 5 then break end until false print(n)
for w, x, y in (function() local c = 0 return function(s, v) c = c + 1 if c < 4 then return c, s, v end end, "state", "init" end)() do print(w, x, y) end
for a in pairs({}) do print("never") end
for k, v in next, { 7 } do print(k, v) end
print(pcall(function() for x in 5 do end end))
print(pcall(function() for x in nil do end end))
print(pcall(function() for x in pairs() do end end))
print(pcall(function() for k = 1, 10, 0 do end end))
print(pcall(function() for k = 1.0, 10, 0.0 do end end))
print(pcall(function() for k = "a", 10 do end end))
print(pcall(function() for k = 1, {} do end end))
print(pcall(function() for k = 1, 2, nil do end end))
print(pcall(function() for k = nil, 2 do end end))
print(pcall(function() for k = "1", 2 do end end))
print(pcall(function() for k = 1, "2" do end end))
-- nested breaks leave only the inner loop
local out = {}
for a = 1, 3 do
  for b = 1, 3 do
    while true do
      if b == 2 then break end
      out[#out + 1] = a .. b
      break
    end
    if a == 2 then break end
  end
end
print(table.concat(out, " "))
-- return from inside loops
local function find(t, v) for k, x in ipairs(t) do if x == v then return k end end return nil, "not found" end
print(find({ 5, 6, 7 }, 6), find({}, 1))
local function first(p) while true do repeat for k = 1, math.huge do if p(k) then return k end end until false end end
print(first(function(k) return k * k > 50 end))
-- conditions with values that are not booleans
local t = { 3, 2, 1, false }
local k = 1
while t[k] do k = k + 1 end
print(k)
repeat local s = k k = k - 1 until s == 0 or nil
print(k)
if nil then print("a") elseif 0 then print("zero is true") end
if "" then print("empty string is true") else print("b") end
if not false and nil ~= false then print("ok") end
