-- Errors in and about metamethods that compiled code has inlined: messages, variable names, tracebacks.

local N = 100

local function message(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or e
end

local M = {}
M.__index = M
M.__add = function(a, b) if b == N then error("in add") end return a end
M.__sub = function(a, b) local x = b == N and nil or b; return x + 1 end
M.__lt = function(a, b) return a.n < b.limit end
M.__call = function(self, x) return x.field.deep end
M.__concat = function(a, b) return a.n .. b end
M.__len = function(a) return a.n + a.missing end
M.__eq = function(a, b) return a.n.x == 1 end
M.__newindex = function(t, k, v) if v == N then error({k = k}) end rawset(t, "got", v) end

do -- errors raised inside
  local t = setmetatable({n = 1}, M)
  print(message(function() for i = 1, N do t = t + i end end))
  print(message(function() for i = 1, N do local _ = t - i end end))
  local u = setmetatable({n = 1, limit = 5}, M)
  local v = setmetatable({n = 1}, M)
  print(message(function() for i = 1, N do local _ = t < (i < N and u or v) end end))
  local good, bad = {field = {deep = 1}}, {}
  print(message(function() for i = 1, N do local _ = t(i < N and good or bad) end end))
  print(message(function() for i = 1, N do local _ = t .. (i < N and "x" or {}) end end))
  t.missing = 2
  print(message(function() for i = 1, N do if i == N then t.missing = nil end local _ = #t end end))
  local a, b = setmetatable({n = {}}, M), setmetatable({n = {}}, M)
  print(message(function() for i = 1, N do if i == N then rawset(a, "n", nil) end local _ = a == b end end))
  local e = select(2, pcall(function() for i = 1, N do t["k"] = i end end))
  print(type(e), e.k, rawget(t, "got"))
end

do -- no metamethod in the end
  local t = setmetatable({n = 1}, {__add = function(a, b) return 1 end})
  print(message(function()
    local sum = 0
    for i = 1, N do
      if i == N then getmetatable(t).__add = nil end
      sum = sum + (t + i)
    end
  end))
  local callee = setmetatable({}, {__call = function() return 1 end})
  print(message(function()
    for i = 1, N do
      if i == N then setmetatable(callee, nil) end
      callee(i)
    end
  end))
  local holder = {field = setmetatable({}, {__index = function() return 1 end})}
  print(message(function()
    for i = 1, N do
      if i == N then holder.field = nil end
      local _ = holder.field.x
    end
  end))
  print(message(function()
    local v
    for i = 1, N do
      v = i < N and setmetatable({}, {__concat = function() return "" end}) or {}
      local _ = v .. "x"
    end
  end))
  print(message(function()
    local v
    for i = 1, N do
      v = i < N and setmetatable({}, {__lt = function() return true end}) or {}
      local _ = v < v
    end
  end))
end

do -- tracebacks name the metamethods
  local text
  local T = {}
  T.__add = function(a, b) if b == N then text = debug.traceback("here") end return a end
  T.__index = function(t, k) return t + k end
  local t = setmetatable({}, T)
  local function run() for i = 1, N do local _ = t[i] end end
  run()
  print((text:gsub("\n%s*%[C%].*", "")))
  local info
  T.__lt = function(a, b)
    local i = debug.getinfo(1, "nSl")
    info = i.name .. " " .. i.namewhat .. " " .. i.currentline .. " " .. debug.getinfo(2, "l").currentline
    return true
  end
  for i = 1, N do local _ = t < t end
  print(info)
end

do -- locals of the caller are seen, and changed, from a metamethod
  local S = {}
  S.__unm = function(a)
    local name, v = debug.getlocal(2, 1)
    if v == 50 then debug.setlocal(2, 1, 60) end
    return name
  end
  local t = setmetatable({}, S)
  local function run()
    local count = 0
    for i = 1, N do
      count = count + 1
      local _ = -t
    end
    return count
  end
  print(run())
end

do -- stack overflow in a metamethod
  local R = {}
  R.__index = function(t, k) return t[k + 1] end
  local t = setmetatable({}, R)
  local ok, e = pcall(function() for i = 1, 3 do local _ = t[i] end end)
  print(ok, (tostring(e):gsub("%(.*", "")):match("stack overflow"))
end
