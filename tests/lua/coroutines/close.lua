-- coroutine.close: statuses, pending closings, errors, self.
local function cl(name, log) return setmetatable({}, { __close = function(_, e) log[#log + 1] = name .. ":" .. tostring(e) end }) end
local co = coroutine.create(print)
print(coroutine.close(co), coroutine.status(co), coroutine.resume(co))
local log = {}
co = coroutine.create(function() local a <close> = cl("a", log) local b <close> = cl("b", log) coroutine.yield() end)
coroutine.resume(co)
print(coroutine.status(co), coroutine.close(co), coroutine.status(co), table.concat(log, " "))
print(coroutine.close(co))
co = coroutine.create(function() error("failed", 0) end)
coroutine.resume(co)
print(coroutine.close(co))
print(coroutine.close(co))
co = coroutine.create(function() error({ 1 }) end)
coroutine.resume(co)
local ok, e = coroutine.close(co)
print(ok, type(e), e[1])
log = {}
co = coroutine.create(function()
  local a <close> = cl("a", log)
  local b <close> = setmetatable({}, { __close = function() error("in close", 0) end })
  local c <close> = cl("c", log)
  coroutine.yield()
end)
coroutine.resume(co)
print(coroutine.close(co)) print(table.concat(log, " "), coroutine.status(co))
print(pcall(coroutine.close, coroutine.running()))
coroutine.wrap(function() print(pcall(coroutine.close, coroutine.running())) end)()
local outer
outer = coroutine.create(function() coroutine.wrap(function() print(pcall(coroutine.close, outer)) end)() end)
coroutine.resume(outer)
-- closing through wrap on error
log = {}
local w = coroutine.wrap(function() local a <close> = cl("wrapped", log) error("w", 0) end)
print(pcall(w)) print(table.concat(log, " "))
-- nested coroutines are not closed with their creator
log = {}
local inner
outer = coroutine.create(function()
  local a <close> = cl("outer", log)
  inner = coroutine.create(function() local b <close> = cl("inner", log) coroutine.yield() end)
  coroutine.resume(inner) coroutine.yield()
end)
coroutine.resume(outer) coroutine.close(outer)
print(table.concat(log, " "), coroutine.status(inner)) coroutine.close(inner) print(table.concat(log, " "))
-- a closing function may resume others and use pcall
log = {}
co = coroutine.create(function()
  local a <close> = setmetatable({}, { __close = function() log[#log + 1] = coroutine.wrap(function() return "nested" end)() log[#log + 1] = tostring(pcall(error, "x")) end })
  coroutine.yield()
end)
coroutine.resume(co) print(coroutine.close(co), table.concat(log, " "))
-- inside a protected call of the coroutine
log = {}
co = coroutine.create(function() pcall(function() local a <close> = cl("p", log) coroutine.yield() end) log[#log + 1] = "never" end)
coroutine.resume(co) print(coroutine.close(co), table.concat(log, " "))
