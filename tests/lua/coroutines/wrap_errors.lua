-- Errors inside coroutines: what resume, wrap and status say; the position is added by wrap.
local function body() local x = nil return x.field end
local co = coroutine.create(body)
print(coroutine.resume(co)) print(coroutine.status(co)) print(coroutine.resume(co))
print(pcall(coroutine.wrap(body)))
print(pcall(coroutine.wrap(function() error("plain") end)))
print(pcall(coroutine.wrap(function() error("level 0", 0) end)))
print(pcall(coroutine.wrap(function() error("level 2", 2) end)))
local obj = { code = 1 }
local ok, e = pcall(coroutine.wrap(function() error(obj) end))
print(ok, e == obj)
print(pcall(coroutine.wrap(function() error() end)))
print(pcall(coroutine.wrap(function() error(nil) end)))
co = coroutine.wrap(function() coroutine.yield(1) error("after yield", 0) end)
print(co()) print(pcall(co)) print(pcall(co))
-- pcall inside the coroutine catches, and the coroutine goes on
co = coroutine.wrap(function()
  print(pcall(error, "caught", 0))
  print(pcall(function() coroutine.yield("inside pcall") error("then error", 0) end))
  local ok, v = xpcall(function() return coroutine.yield("inside xpcall") end, debug.traceback)
  print(ok, v)
  print(select(2, xpcall(function() coroutine.yield("x2") error("with handler", 0) end, function(m) return "handled: " .. m end)))
  return "finished"
end)
print(co()) print(co()) print(co("resumed")) print(co())
-- errors cross several coroutines
local function chain(n) if n == 0 then error("deepest", 0) end return coroutine.wrap(chain)(n - 1) end
print(pcall(chain, 10))
local a = coroutine.create(function() local b = coroutine.create(function() error({ "inner" }) end) local ok, e = coroutine.resume(b) error(e) end)
local _, err = coroutine.resume(a)
print(type(err), err[1])
-- the stack of a dead coroutine can still be read
co = coroutine.create(function() local v = "seen" error("stop") end)
coroutine.resume(co)
print((debug.traceback(co)))
print(debug.traceback(co, "message"))
print(debug.traceback(co, nil, 1))
print(debug.traceback(coroutine.create(print)))
print(coroutine.close(co), coroutine.close(co))
-- resuming what cannot be resumed
print(coroutine.resume(coroutine.wrap(function() end) and co))
print(coroutine.resume(coroutine.running()))
local self
self = coroutine.wrap(function() return pcall(self) end)
print(self())
print(select("#", pcall(coroutine.wrap(function() end))))
