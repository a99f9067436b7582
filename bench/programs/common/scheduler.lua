-- group: oop
-- A little operating system: prioritised tasks with message queues, devices and workers handing packets round.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(110 * scale))

local Task = {}
Task.__index = Task

local System = {}
System.__index = System

function System.new()
  return setmetatable({ tasks = {}, byname = {}, delivered = 0, switches = 0 }, System)
end

function System:add(name, priority, run)
  local task = setmetatable({
    name = name,
    priority = priority,
    system = self,
    first = nil,
    last = nil,
    pending = 0,
    waiting = true,
    run = run,
    state = {},
  }, Task)
  local at = #self.tasks + 1
  while at > 1 and self.tasks[at - 1].priority < priority do
    self.tasks[at] = self.tasks[at - 1]
    at = at - 1
  end
  self.tasks[at] = task
  self.byname[name] = task
  return task
end

function Task:receive(packet)
  packet.link = nil
  if self.last then
    self.last.link = packet
  else
    self.first = packet
  end
  self.last = packet
  self.pending = self.pending + 1
  self.waiting = false
end

function Task:take()
  local packet = self.first
  if packet then
    self.first = packet.link
    if not self.first then
      self.last = nil
    end
    self.pending = self.pending - 1
  end
  return packet
end

function Task:send(name, packet)
  local system = self.system
  system.delivered = system.delivered + 1
  system.byname[name]:receive(packet)
end

function System:loop()
  while true do
    local chosen
    for i = 1, #self.tasks do
      local task = self.tasks[i]
      if not task.waiting then
        chosen = task
        break
      end
    end
    if not chosen then
      return
    end
    self.switches = self.switches + 1
    chosen:run()
    if chosen.pending == 0 and not chosen.busy then
      chosen.waiting = true
    end
  end
end

local function device(task)
  local packet = task:take()
  if packet then
    packet.value = (packet.value * 5 + 3) % 8191
    task:send(packet.origin, packet)
  end
end

local function worker(task)
  local packet = task:take()
  if packet then
    local state = task.state
    state.sum = ((state.sum or 0) + packet.value) % 65521
    for i = 1, #packet.data do
      packet.data[i] = (packet.data[i] + state.sum) % 256
    end
    packet.hops = packet.hops + 1
    if packet.hops < 200 then
      packet.origin = task.name
      task:send(packet.hops % 2 == 0 and "disk" or "network", packet)
    else
      task:send("collector", packet)
    end
  end
end

local function collector(task)
  local packet = task:take()
  if packet then
    local s = task.state.sum or 0
    for i = 1, #packet.data do
      s = (s * 3 + packet.data[i]) % 65521
    end
    task.state.sum = s
  end
end

local check, delivered, switches = 0, 0, 0
for round = 1, rounds do
  local system = System.new()
  local first = system:add("worker1", 10, worker)
  local second = system:add("worker2", 20, worker)
  system:add("disk", 40, device)
  system:add("network", 50, device)
  local sink = system:add("collector", 5, collector)
  for i = 1, 20 do
    local packet = { value = i * round % 97, hops = 0, origin = "worker1", data = { i, i + 1, i + 2, i + 3 } }
    if i % 2 == 0 then
      first:receive(packet)
    else
      second:receive(packet)
    end
  end
  system:loop()
  check = (check + sink.state.sum) % 65521
  delivered, switches = delivered + system.delivered, switches + system.switches
end
print(string.format("scheduler %d %d %d", check, delivered, switches))
