-- A loop and the coroutines that it resumes become one trace, without calls of helpers for the switches.
local util = require "jit.util"
jit.opt.start("hotloop=5")
local wrap, yield, create, resume = coroutine.wrap, coroutine.yield, coroutine.create, coroutine.resume
-- calls f; then there must be a trace of the loop in the given line (counted from that of the function)
local function check(f, line)
  local first = util.funcinfo(f).linedefined
  local stops = {}
  jit.attach(function(what, tr, func, pc)
    if what == "stop" and func then stops[#stops + 1] = {tr, util.funcinfo(func, pc).currentline - first} end
  end, "trace")
  for i = 1, 3 do f() end
  local found
  for _, s in ipairs(stops) do
    local i = util.traceinfo(s[1])
    if i and i.linktype == "loop" and s[2] == line then found = i end
  end
  assert(found, "no loop was compiled")
end
check(function()
  local co = wrap(function() local i = 0 while true do i = i + 1 yield(i) end end)
  local s = 0
  for k = 1, 200 do s = s + co() end
  assert(s == 20100)
end, 3)
check(function()
  local s = 0
  for v in wrap(function() for i = 1, 200 do yield(i) end end) do
    s = s + v
  end
  assert(s == 20100)
end, 2)
check(function()
  local ring = {}
  for i = 1, 40 do ring[i] = create(function(v) while true do v = yield(v + i) end end) end
  local t = 0
  for lap = 1, 20 do
    for i = 1, 40 do local _, v = resume(ring[i], t) t = v end
  end
  assert(t == 20 * 820)
end, 5)
check(function()
  local s = 0
  for k = 1, 200 do
    local co = create(function(a) local b = yield(a + 1) return b * 2 end)
    local _, a = resume(co, k)
    local _, b = resume(co, a)
    s = s + b
  end
  assert(s == 2 * (20100 + 200))
end, 3)
