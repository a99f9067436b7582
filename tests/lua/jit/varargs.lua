-- Extra arguments of the function in which a loop runs: counted, picked one by one, by numbers that are too large or wrong, assigned.

local N = 60
local function sum(...)
  local s = 0
  for i = 1, select("#", ...) do
    local v = select(i, ...)
    if v then s = s + v * i end
  end
  return s
end
local total = 0
for i = 1, N do
  total = total + sum() + sum(i) + sum(i, nil, 3) + sum(1, 2, 3, 4, 5, i) + sum(nil, nil) + sum(i, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
end
print(total)

-- more than one value, fewer than there are, with fixed parameters
local function pairs_of(sep, a, ...)
  local out, n = {}, select("#", ...)
  for i = 1, n + 2 do
    local x, y, z = select(i, ...)
    out[#out + 1] = tostring(x) .. sep .. tostring(y) .. sep .. tostring(z)
  end
  return table.concat(out, ";")
end
for i = 1, 30 do pairs_of("-", 1, i, 2.5, "x", nil, false) end
print(pairs_of("-", 1, 2, 2.5, "x", nil, false))
print(pairs_of("-", 1))
print(pairs_of("-", nil, nil))
print(pairs_of("-"))

-- numbers that are no positions
local function odd(from, to, ...)
  local seen = {}
  for i = from, to do
    local ok, v = pcall(function(...) local a, b = select(i, ...) return a end, ...)
    local w
    if i ~= 0 and i >= -select("#", ...) then w = select(i, ...) end
    seen[#seen + 1] = tostring(ok) .. tostring(w)
  end
  return table.concat(seen, " ")
end
print(odd(-5, 5, 10, 20, 30))
local function at(i, ...)
  local s = 0
  for k = 1, 100 do
    local v = select(i, ...)
    if v then s = s + v end
  end
  return s
end
print(at(1, 5, 6), at(2, 5, 6), at(3, 5, 6), at(-1, 5, 6), at(math.maxinteger, 5), at("2", 5, 6), at(2.0, 5, 6))
print(pcall(at, 0, 1), pcall(at, -3, 1), pcall(at, {}, 1))
local changing = 0
local function vary(...)
  for k = 1, 300 do
    local i = k % 5 - 2
    if i ~= 0 then
      local v = select(i, ...)
      changing = changing + (v or 1000)
    end
    if k == 150 then i = "#" end
    changing = changing + select(k == 150 and "#" or 1, ...)
  end
  return changing
end
print(vary(1, 2, 3, 4), vary(7, 8))

-- local a, b = ...
local function two(...)
  local s = 0
  for i = 1, 100 do
    local a, b, c = ...
    s = s + (a or 1) + (b or 10) + (c or 100)
  end
  return s
end
for i = 1, 3 do print(two(), two(2), two(2, 3), two(2, 3, 4), two(2, 3, 4, 5), two(nil, 5)) end

-- another select, select as another name, extra arguments that are tables, closures over them, garbage in between
local real = select
local function own(...)
  local pick, s = select, 0
  for i = 1, 120 do
    if i == 60 then pick = function(n, ...) return real(n, ...) end end
    if i == 90 then pick = function() return 1000 end end
    s = s + pick(2, ...)
  end
  return s
end
print(own(1, 2, 3), own(4, 5))
local function objects(...)
  local n = 0
  for i = 1, 200 do
    local t = select(i % select("#", ...) + 1, ...)
    t[1] = { t[1] and #t[1] or 0, i }
    if i % 50 == 0 then collectgarbage() end
    n = n + #t[1]
  end
  return n
end
print(objects({}, {}, { { 1, 2, 3 } }))

-- changed from outside, in coroutines, under errors
local function poked(...)
  local s = 0
  for i = 1, 100 do
    if i == 50 then debug.setlocal(1, -1, 1000) end
    s = s + select(1, ...) + select("#", ...)
  end
  return s
end
print(poked(1, 2), poked(3))
local function gen(...)
  for i = 1, select("#", ...) do coroutine.yield((select(i, ...))) end
  return "end"
end
for _ = 1, 20 do
  local co = coroutine.wrap(gen)
  local n, v = 0, co(1, 2, 3, 4, 5)
  while v ~= "end" do n, v = n + v, co() end
  if _ == 20 then print(n) end
end
local function fails(...)
  local s = 0
  for i = 1, 100 do
    local v = select(i, ...)
    s = s + v
  end
end
print((pcall(fails, 1, 2, 3)))
local function recursive(n, ...)
  if n == 0 then
    local s = 0
    for i = 1, select("#", ...) do s = s + select(i, ...) end
    return s
  end
  return recursive(n - 1, n, ...) + select("#", ...)
end
local r = 0
for i = 1, 40 do r = r + recursive(i % 12) end
print(r)

-- all of them as a list, in loops of the function that has them: passed on, in tables, returned, of every number
local function count(...) return select("#", ...) end
local function sum(...)
  local s = 0
  for _, v in ipairs { ... } do s = s + v end
  return s
end
local function forward(...)
  local s = 0
  for i = 1, 20 do
    s = s + count(...) + count(i, ...) + #{ ... } + #{ i, ... } + sum(...) + math.max(i, ...)
    s = s + count(select(2, i, ...)) + count(select(-1, i, ...)) + table.pack(...).n
    local ok, n = pcall(count, ...)
    s = s + n
    if i == 15 then (function(...) return ... end)(...) end
  end
  return s, count(...), ...
end
local total = 0
for n = 0, 12 do
  local t = {}
  for k = 1, n do t[k] = k end
  for _ = 1, 5 do
    local s, c, first = forward(table.unpack(t))
    total = total + s + c + (first or 0)
    assert(c == n and count(forward(table.unpack(t))) == n + 2)
  end
end
print(total)
-- one loop, many numbers of values in turn; nil among them
local function turns(...)
  local s = 0
  for i = 1, 3 do s = s + count(...) + (select(1, ..., 7) or 100) end
  return s
end
total = 0
for i = 1, 200 do
  local t = {}
  for k = 1, i % 23 do t[k] = k % 3 ~= 0 and k or nil end
  total = total + turns(table.unpack(t, 1, i % 23))
end
print(total)
-- the values change under the list
local function assigned(...)
  local s = 0
  for i = 1, 100 do
    local a, b = ...
    local t = { ... }
    t[1], a = 5, 6
    s = s + count(...) + (...) + select(2, ...) + t[1] + a + b
  end
  return s
end
print(assigned(1, 2), assigned(3, 4, 5))

-- the rest of the arguments from a number that changes; select in tail calls of functions that helpers have entered
local function rest(...)
  local s, n = 0, select("#", ...)
  for i = 1, 120 do
    local t = { select(i % (n + 3) + 1, ...) }
    s = s + #t + (t[1] or 0) + (t[#t] or 0)
    s = s + math.max(0, select(i % 4 + 1, ...))
    if i == 60 and n > 0 then s = s + #{ select(-1, ...) } end
  end
  return s, pcall(function(...) for i = 3, -1, -1 do local t = { select(i, ...) } s = s + #t end end, ...)
end
print(rest())
print(rest(1, 2))
print(rest(1, 2.5, 3, 4, 5, 6))
print((rest(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)))
local many = {}
for i = 1, 30 do many[i] = i end
local function number(...) return select("#", ...) end
local function behind(n, ...) return select(n, ...) end
local function both(...) return select("#", ...), select(2, ...) end
local total = 0
for i = 1, 400 do
  total = total + number(table.unpack(many, 1, i % 30))
  total = total + (behind(i % 7 + 1, table.unpack(many, 1, i % 30)) or 0)
  total = total + select("#", behind(2, table.unpack(many, 20, 20 + i % 10)))
  total = total + select("#", both(table.unpack(many, 1, i % 20)))
end
print(total)
