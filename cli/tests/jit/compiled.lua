-- The library `jit`: switches, removal, events and information about traces.
local util = require "jit.util"
local function passes(...)
  local set = {}
  for i = 2, select("#", ...) do set[select(i, ...)] = true end
  return set
end
assert(passes(jit.status()).fold and passes(jit.status()).fwd)
jit.opt.start("-fwd", "nocse")
assert(passes(jit.status()).fold and not passes(jit.status()).fwd and not passes(jit.status()).cse)
jit.opt.start()
assert(passes(jit.status()).fwd)
jit.opt.start("hotloop=5")
local log = {}
local function note(what, tr, func, pc, a, b)
  local line = func and util.funcinfo(func, pc).currentline
  log[#log + 1] = { what, tr, line, b }
end
jit.attach(note, "trace")
local function f(n)
  local s = 0
  for i = 1, n do s = s + i end
  return s
end
local line = util.funcinfo(f).linedefined
assert(f(1000) == 500500)
for i = 1, 3 do f(10) end
assert(log[1][1] == "start" and log[1][3] == line + 2, log[1][3])
local n
for _, e in ipairs(log) do
  if e[1] == "stop" and e[3] == line + 2 then n = e[2] break end
end
local i = util.traceinfo(n)
assert(i.linktype == "loop" and i.link == n and i.nins > 3 and i.nexit > 0 and i.kind == "loop")
local code, address = util.tracemc(n)
assert(#code > 10 and math.type(address) == "integer")
-- removed, and not made again while it is off
jit.off(f)
assert(not util.traceinfo(n))
log = {}
for i = 1, 20 do f(1000) end
jit.attach(note)
for _, e in ipairs(log) do assert(e[1] ~= "stop" or e[3] ~= line + 2) end
local count = #log
local function traces()
  local t = 0
  for i = 1, 200 do if util.traceinfo(i) then t = t + 1 end end
  return t
end
jit.flush()
jit.off()
assert(jit.status() == false)
jit.on(f)
for i = 1, 20 do f(1000) end
assert(traces() == 0)
jit.on()
assert(jit.status() == true)
for i = 1, 20 do f(1000) end
assert(traces() > 0 and #log == count)
jit.flush(f)
jit.flush(1)
