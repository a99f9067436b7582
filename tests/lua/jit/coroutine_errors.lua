-- Coroutines that end with errors, in hot loops: resumed, wrapped, one inside another, with variables to be closed.

local N = 150
local s = 0
local function fails(i) error("e" .. i % 3, 0) end
for i = 1, N do
  local co = coroutine.create(function() fails(i) end)
  local ok, e = coroutine.resume(co)
  s = s + #e + (ok and 1000 or 0)
  local ok2, e2 = coroutine.resume(co)
  if e2 == "cannot resume dead coroutine" and coroutine.status(co) == "dead" then s = s + 1 end
end
print("resume", s)
for i = 1, N do
  local co = coroutine.create(function(a) local b = coroutine.yield(a) local t = i % 2 == 0 and {} or nil return t.x + b end)
  local _, a = coroutine.resume(co, i)
  local ok, e = coroutine.resume(co, 2)
  s = s + a + (ok and 1000 or #e)
  if i > N - 2 then print(e) end
end
print("yield", s)
for i = 1, N do
  local gen = coroutine.wrap(function() coroutine.yield(1) error(i % 2 == 0 and { i } or "text") end)
  s = s + gen()
  local ok, e = pcall(gen)
  s = s + (type(e) == "table" and e[1] or #e)
  ok, e = pcall(gen)
  if i > N - 2 then print(ok, e) end
end
print("wrap", s)

-- one inside another; caught half way, or not before the end
local function level(n, how)
  if n == 0 then error(how) end
  local co = coroutine.create(level)
  local ok, e = coroutine.resume(co, n - 1, how)
  if n % 2 == 0 then return ok, e end
  error(e, 0)
end
local function wrapped(n) if n == 0 then error("deep", 0) end return coroutine.wrap(wrapped)(n - 1) end
for i = 1, N do
  local ok, e = pcall(level, i % 5, "how")
  s = s + #tostring(e) + (ok and 1 or 0)
  ok, e = pcall(wrapped, i % 4)
  s = s + #e
  if i % 4 == 3 and i > N - 4 then print(e) end
end
print("nested", s)

-- caught inside the coroutine, which goes on
for i = 1, N do
  local co = coroutine.wrap(function()
    for k = 1, 3 do
      local ok, e = pcall(function() if k == i % 4 then error(k) end return 10 end)
      coroutine.yield(e)
    end
    return nil
  end)
  for v in co do s = s + v end
end
print("inside", s)

-- variables to be closed, errors in closing, coroutine.close of what has failed
local closed = {}
local function C(name, bad) return setmetatable({}, { __close = function(_, e)
  closed[#closed + 1] = name .. tostring(e)
  if bad then error("closing", 0) end
end }) end
for i = 1, N do
  local co = coroutine.create(function()
    local a <close> = C("a", i % 3 == 0)
    local b <close> = C("b")
    error("x" .. i % 2, 0)
  end)
  local ok, e = coroutine.resume(co)
  local ok2, e2 = coroutine.close(co)
  s = s + #e + #e2 + (ok2 and 1000 or 0)
  local gen = coroutine.wrap(function() local a <close> = C("w") error("y", 0) end)
  s = s + #select(2, pcall(gen))
  local co3 = coroutine.create(function() local a <close> = C("s") coroutine.yield() end)
  coroutine.resume(co3)
  s = s + (coroutine.close(co3) and 1 or 0)
end
print("close", s, #closed, closed[1], closed[2], closed[#closed])

-- sometimes it fails, sometimes not; the scheduler counts
local tasks, done, failed = {}, 0, 0
for i = 1, 40 do
  tasks[i] = coroutine.create(function()
    for k = 1, i % 7 do coroutine.yield(k) end
    if i % 3 == 0 then error({ i }) end
    return "end"
  end)
end
while #tasks > 0 do
  for k = #tasks, 1, -1 do
    local ok, v = coroutine.resume(tasks[k])
    if not ok then failed = failed + v[1] end
    if coroutine.status(tasks[k]) == "dead" then
      done = done + 1
      table.remove(tasks, k)
    end
  end
end
print("tasks", done, failed)

-- not caught at all, by a message handler, out of the loop
print(pcall(function()
  for i = 1, N do
    local gen = coroutine.wrap(function() if i == N - 5 then error("out", 0) end return i end)
    s = s + gen()
  end
end))
for i = 1, N do
  local ok, e = xpcall(function() return coroutine.wrap(function() error("h", 0) end)() end, function(m) return m .. "!" end)
  s = s + #e
end
print("end", s)
