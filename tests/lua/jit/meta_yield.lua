-- Yields inside metamethods that compiled code has inlined.

local N = 100
local yield = coroutine.yield

local M = {}
M.__add = function(a, b) if b % 25 == 0 then b = yield(b) end return a.n + b end
M.__index = function(t, k) if k % 30 == 0 then return yield(k) end return k end
M.__newindex = function(t, k, v) if v % 40 == 0 then v = yield(v) end rawset(t, "last", v) end
M.__lt = function(a, b) if b.n == 33 then return yield(33) > 0 end return true end
M.__concat = function(a, b)
  if type(b) == "number" and b % 20 == 0 then return yield(b) .. "" end
  return "c"
end
M.__call = function(self, x) if x % 45 == 0 then x = yield(x) end return x end

local function run(f)
  local co = coroutine.wrap(f)
  local out, back = {}, nil
  while true do
    local v = co(back)
    if type(v) ~= "number" then
      print(v, table.concat(out, " "))
      return
    end
    out[#out + 1] = v
    back = v * 10
  end
end

local function new(n) return setmetatable({n = n}, M) end

run(function() local s = 0; local t = new(1); for i = 1, N do s = s + (t + i) end return "add " .. s end)
run(function() local s = 0; local t = new(1); for i = 1, N do s = s + t[i] end return "index " .. s end)
run(function() local t = new(1); local s = 0; for i = 1, N do t[i] = i; s = s + rawget(t, "last") end return "newindex " .. s end)
run(function() local s = 0; for i = 1, N do if new(0) < new(i) then s = s + 1 end end return "lt " .. s end)
run(function() local s = 0; local t = new(1); for i = 1, N do s = s + #(t .. i .. "x") + #("a" .. t .. i) end return "concat " .. s end)
run(function() local s = 0; local t = new(1); for i = 1, N do s = s + t(i) end return "call " .. s end)

-- with protected calls in between
run(function()
  local s, t = 0, new(1)
  for i = 1, N do
    local ok, v = pcall(function() return (t + i) + t(i) end)
    s = s + v
    local ok, v = xpcall(function(x) return t[x] end, print, i)
    s = s + v
  end
  return "pcall " .. s
end)

-- several coroutines in the same loop
do
  local cos = {}
  for k = 1, 4 do
    cos[k] = coroutine.wrap(function()
      local s, t = 0, new(k)
      for i = 1, N do s = s + (t + i) end
      return "done " .. s
    end)
  end
  local left, back = 4, {}
  while left > 0 do
    for k = 1, 4 do
      if cos[k] then
        local v = cos[k](back[k])
        if type(v) == "number" then back[k] = v + k else print(k, v); cos[k] = nil; left = left - 1 end
      end
    end
  end
end
