-- Hooks: lines, calls, returns, counts; inside coroutines; errors and yields from hooks; removal.
local function run(mask, f, count)
  local out = {}
  local base = debug.getinfo(f, "S").linedefined
  debug.sethook(function(event, line)
    local i = debug.getinfo(2, "nSl")
    if i.short_src:find("hooks.lua", 1, true) or i.what == "C" then out[#out + 1] = event .. (line and ":" .. line - base or ":" .. tostring(i.name)) end
  end, mask, count)
  f()
  debug.sethook()
  return table.concat(out, " ")
end
local function lines()
  local a = 1
  if a > 1 then
    a = 2
  else
    a = 3
  end
  for i = 1, 2 do
    a = a + i
  end
  while a > 5 do a = a - 1 end
  return a
end
print((run("l", lines):gsub(" line:%-%d+.*", "")))
print((run("l", function()
  local t = {
    1,
    2,
  }
  local s = "a" ..
    "b"
  goto l
  s = nil
  ::l::
end):gsub(" line:%d%d+", "")))
local function callee(x) return x end
local function tailcaller(x) return callee(x) end
print((run("c", function() callee(1) tailcaller(2) tostring(3) pcall(callee) end):gsub(" call:sethook", "")))
print((run("r", function() callee(1) tostring(3) end):gsub("return:sethook ", "")))
print((run("cr", function() tailcaller(1) end):gsub("return:sethook ", ""):gsub(" call:sethook", "")))
-- counts
local n = 0
debug.sethook(function(e) n = n + 1 end, "", 100) for i = 1, 10000 do local x = i end debug.sethook() print(n > 50, n < 1000) local last = n for i = 1, 1000 do local x = i end print(n == last)
-- gethook
local hook = function() end debug.sethook(hook, "crl", 5) local h, m, c = debug.gethook() debug.sethook() print(h == hook, m, c, debug.gethook())
debug.sethook(hook, "", 0) print(debug.gethook()) debug.sethook(nil, "l") print(debug.gethook()) debug.sethook()
-- an error in a hook ends the code under it
local function guarded() debug.sethook(function() debug.sethook() error("from hook", 0) end, "", 1000) local i = 0 while true do i = i + 1 end end
print(pcall(guarded)) print(pcall(function() debug.sethook(function(e, l) debug.sethook() error("line hook") end, "l") local x = 1
  return x end))
-- a hook of a coroutine is its own
local log = {} local co = coroutine.create(function() local a = 1
  coroutine.yield()
  local b = 2
end)
debug.sethook(co, function(e, l) log[#log + 1] = l - debug.getinfo(1, "S").linedefined + (debug.getinfo(2, "S").linedefined - debug.getinfo(2, "S").linedefined) end, "l")
coroutine.resume(co) coroutine.resume(co) print(#log, log[2] - log[1] >= 1, debug.gethook(), type(debug.gethook(co))) local count = 0 debug.sethook(function() count = count + 1 end, "l") coroutine.wrap(function() local x = 1
  x = 2 end)() debug.sethook() print(count > 0)
-- locals can be read and changed from a hook
local function target() local v = 1
  v = v + 1
  return v end
debug.sethook(function(_, l) if l == debug.getinfo(target, "S").linedefined + 1 then debug.setlocal(2, 1, 41) end end, "l") local r = target() debug.sethook() print(r)
-- call hooks see arguments and returns see results
local seen = {} debug.sethook(function(e) local i = debug.getinfo(2, "fr") if i.func == callee then if e == "call" then seen[#seen + 1] = select(2, debug.getlocal(2, 1)) else seen[#seen + 1] = select(2, debug.getlocal(2, i.ftransfer)) end end end, "cr") callee("arg") debug.sethook() print(seen[1], seen[2])
-- recursion under a hook, hooks inside hooks are off
local depth = 0 debug.sethook(function() depth = depth + 1 callee() tostring(1) end, "c") local function rec(k) if k > 0 then return rec(k - 1) end end rec(5) debug.sethook() print(depth)
print(pcall(debug.sethook, 5, "l")) print(pcall(debug.sethook, hook)) print(pcall(debug.gethook, 5)) debug.sethook()
local steps = {} debug.sethook(function(e, l) steps[#steps + 1] = e end, "l") for i = 1, 3 do
  local x = i
end debug.sethook() print(#steps > 5, steps[1])
-- metamethod and iterator calls
local names = {} local mt = setmetatable({}, { __add = function() return 1 end, __index = function() return 2 end }) debug.sethook(function() names[#names + 1] = tostring(debug.getinfo(2, "n").name) end, "c") local z = mt + 1, mt.x for _ in callee do break end debug.sethook() print(table.concat(names, " "))
