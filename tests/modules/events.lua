-- needs: cqueues cqueues.socket cqueues.condition cqueues.promise cqueues.thread luv luaevent.core
-- Event loops: cqueues, libuv, libevent.

local cqueues = require "cqueues"
local condition, csocket, promise = require "cqueues.condition", require "cqueues.socket", require "cqueues.promise"

do
  local cq, log = cqueues.new(), {}
  for i = 1, 5 do
    cq:wrap(function()
      for n = 1, 20 do cqueues.sleep(0) end
      log[#log + 1] = i
    end)
  end
  local c, woken = condition.new(), 0
  for _ = 1, 10 do
    cq:wrap(function()
      c:wait()
      woken = woken + 1
    end)
  end
  cq:wrap(function() cqueues.sleep(0.001) c:signal() end)
  print(cq:loop(), table.concat(log, " "), woken, cq:empty(), cq:count())
  local failing = cqueues.new():wrap(function() cqueues.sleep(0) error("in a coroutine") end)
  local ok, message = failing:loop()
  print(ok, message)
  local p = promise.new()
  local waiting = cqueues.new()
  waiting:wrap(function() print(p:get()) print(pcall(function() return promise.new(error, "broken"):get() end)) end)
  waiting:wrap(function() p:set(true, "value", 2) end)
  print(waiting:loop())
end

do
  local a, b = csocket.pair()
  local cq, sum = cqueues.new(), 0
  cq:wrap(function()
    for i = 1, 300 do a:write(i, "\n") end
    a:flush()
    a:shutdown("w")
  end)
  cq:wrap(function()
    for line in b:lines() do sum = sum + tonumber(line) end
  end)
  print(cq:loop(), sum, b:eof(), b:read(1))
  a:close() b:close()
  -- another system thread has a Lua state of its own
  local thread, con = require "cqueues.thread".start(function(con)
    local sum = 0
    for line in con:lines() do sum = sum + tonumber(line) end
    con:write(("sum %d\n"):format(sum))
  end)
  for i = 1, 100 do con:write(i, "\n") end
  con:shutdown("w")
  print(con:read("*l"), thread:join())
end

do
  local uv = require "luv"
  local ticks, timer = 0, uv.new_timer()
  timer:start(1, 1, function()
    ticks = ticks + 1
    if ticks == 20 then timer:close() end
  end)
  local idle, turns = uv.new_idle(), 0
  idle:start(function()
    turns = turns + 1
    if turns > 200 then idle:stop() idle:close() end
  end)
  print(uv.run(), ticks, turns > 200)
  local server = uv.new_tcp()
  server:bind("127.0.0.1", 0)
  server:listen(16, function()
    local client = uv.new_tcp()
    server:accept(client)
    client:read_start(function(_, chunk)
      if chunk then client:write(chunk:upper()) else client:close() server:close() end
    end)
  end)
  local client, got = uv.new_tcp(), ""
  client:connect("127.0.0.1", server:getsockname().port, function()
    client:write("hello")
    client:read_start(function(err, chunk)
      got = got .. (chunk or "")
      if got == "HELLO" then client:write(" again") elseif #got > 10 then client:shutdown(function() client:close() end) end
    end)
  end)
  print(uv.run(), got)
  local path = os.tmpname()
  local fd = uv.fs_open(path, "w", 420)
  print(uv.fs_write(fd, "written", 0), uv.fs_close(fd), uv.fs_stat(path).size, uv.fs_unlink(path))
  local co = coroutine.wrap(function()
    local me = coroutine.running()
    uv.fs_stat("/no/such/file", function(err) coroutine.resume(me, err) end)
    print(coroutine.yield())
  end)
  co()
  print(uv.run())
  local sums = {}
  for i = 1, 4 do
    uv.new_work(function(n) local s = 0 for k = 1, n do s = s + k end return s end, function(s) sums[#sums + 1] = s end):queue(i * 1000)
  end
  uv.run()
  table.sort(sums)
  print(table.concat(sums, " "))
  local out, pipe = {}, uv.new_pipe()
  local handle = uv.spawn("/bin/sh", {args = {"-c", "echo from a child; exit 3"}, stdio = {nil, pipe}}, function(code) out[#out + 1] = code end)
  pipe:read_start(function(_, chunk) if chunk then out[#out + 1] = chunk else pipe:close() end end)
  uv.run()
  handle:close()
  uv.run()
  table.sort(out, function(a, b) return tostring(a) < tostring(b) end)
  print(out[1], out[2], pcall(uv.new_timer().start))
end

do
  local core = require "luaevent.core"
  local base, count = core.new(), 0
  base:addevent(nil, core.EV_TIMEOUT, function()
    count = count + 1
    return count < 10 and core.EV_TIMEOUT or core.LEAVE, 0.001
  end, 0.001)
  print(base:loop(), count)
end
