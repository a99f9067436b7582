-- One loop resumes coroutines that wait at many places: after some traces it goes on wherever they wait.

local yield, wrap = coroutine.yield, coroutine.wrap

local function sum(g)
  local s = 0
  for v in g do s = s + v end
  return s
end

local src = {}
for i = 1, 40 do
  src[i] = load("local yield = coroutine.yield return function() for i = 1, 60 do yield(i + " .. i .. ") end end")()
end
local t = 0
for r = 1, 4 do
  for i = 1, #src do t = t + sum(wrap(src[i])) end
end
print("bodies", t)

local co = {}
for i = 1, 40 do
  local wanted = i % 4
  local vars = ({"yield(k)", "a = yield(k)", "a, b = yield(k, a)", "a = select('#', yield(k, a, b))"})[wanted + 1]
  co[i] = wrap(load("local yield = coroutine.yield return function(a, b) local k = 0 while true do k = k + 1 " .. vars .. " k = k + (tonumber(a) or 0) % 3 end end")())
end
t = 0
local n = 0
for r = 1, 100 do
  for i = 1, #co do
    local x, y = co[i](r, i)
    t = (t * 3 + x + (y or 0)) % 1000003
    n = n + select("#", co[i](i))
  end
end
print("places", t, n)

local function body()
  local n = 0
  while true do
    n = n + yield(1) n = n + yield(2) n = n + yield(3) n = n + yield(4)
    n = n + yield(5) n = n + yield(6) n = n + yield(7) n = n + yield(8)
    n = n + yield(9) n = n + yield(10) n = n + yield(11) n = n + yield(12)
    if n % 3 == 0 then yield(n % 7) elseif n % 5 == 0 then n = n + yield(n % 11) else yield(0) end
    if n > 100000 then error("full") end
  end
end
local pool = {}
for i = 1, 17 do
  pool[i] = coroutine.create(body)
  for k = 1, i do coroutine.resume(pool[i], k) end
end
t = 0
for r = 1, 400 do
  for i = 1, 17 do
    local ok, v = coroutine.resume(pool[i], i)
    if not ok then
      t = t + #v
      pool[i] = coroutine.create(body)
    else
      t = t + v
    end
  end
end
print("yields", t)
