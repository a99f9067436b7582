-- The library `jit`: what needs no compiled code.
assert(jit.version:match "^Traceorus %d" and math.type(jit.version_num) == "integer")
assert(type(jit.os) == "string" and type(jit.arch) == "string")
local util = require "jit.util"
assert(require "jit" == jit and require "jit.opt" == jit.opt and util == jit.util)
-- errors
local function fails(message, f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok and e:find(message, 1, true), e)
end
fails("no parameter is called 'hotlop'", jit.opt.start, "hotlop=1")
fails("must be 1 to 65534", jit.opt.start, "3", "hotloop=0")
fails("#2 to 'jit.opt.start' (no such pass: '+flod'", jit.opt.start, "3", "+flod")
fails("Lua function, true or nil expected", jit.off, 1)
fails("Lua function, true or nil expected", jit.flush, print)
fails("there are no events 'texit'", jit.attach, print, "texit")
fails("function expected", jit.attach)
-- LuaJIT's names
jit.opt.start("3", "-narrow", "+fuse", "noabc", "sizemcode=64", "maxirconst=1000", "callunroll=3")
fails("no parameter is called 'sizecode'", jit.opt.start, "sizecode=64")
-- functions
local up = 1
local function f(a, b, ...)
  return up + a
end
local i = util.funcinfo(f)
assert(i.params == 2 and i.isvararg and i.upvalues == 1 and not i.children)
assert(i.lastlinedefined == i.linedefined + 2 and i.loc:match ":(%d+)$" == tostring(i.linedefined))
assert(util.funcinfo(f, 1).currentline >= i.linedefined)
assert(util.funcinfo(f, i.bytecodes).currentline == nil)
assert(util.funcuvname(f, 0) == "up" and util.funcuvname(f, 1) == nil)
assert(util.funcinfo(print).addr and not util.funcinfo(print).source)
assert(select("#", util.traceinfo(9999)) == 0 and select("#", util.tracemc(9999)) == 0)
