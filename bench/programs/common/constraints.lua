-- group: oop
-- One-way constraints between cells: a planner sorts them by dependency and re-runs the plan after each edit.
local scale = tonumber(arg and arg[1]) or 1
local edits = math.floor(6500 * scale)

local Cell = {}
Cell.__index = Cell
local function cell(value)
  return setmetatable({ value = value, source = nil, users = {}, mark = 0 }, Cell)
end

local Constraint = {}
Constraint.__index = Constraint
function Constraint:satisfied()
  return self.output.source == self
end

local Sum = setmetatable({}, { __index = Constraint })
Sum.__index = Sum
function Sum:execute()
  self.output.value = (self.inputs[1].value + self.inputs[2].value) % 10007
end

local Scale = setmetatable({}, { __index = Constraint })
Scale.__index = Scale
function Scale:execute()
  self.output.value = (self.inputs[1].value * self.factor + self.offset) % 10007
end

local Equal = setmetatable({}, { __index = Constraint })
Equal.__index = Equal
function Equal:execute()
  self.output.value = self.inputs[1].value
end

local Planner = { stamp = 0 }
Planner.__index = Planner

function Planner:connect(kind, output, inputs, extra)
  local c = setmetatable(extra or {}, kind)
  c.output, c.inputs = output, inputs
  output.source = c
  for i = 1, #inputs do
    local users = inputs[i].users
    users[#users + 1] = c
  end
  return c
end

function Planner:plan(changed)
  self.stamp = self.stamp + 1
  local stamp, order, n = self.stamp, {}, 0
  local function visit(c)
    if c.mark == stamp then
      return
    end
    c.mark = stamp
    local users = c.users
    for i = 1, #users do
      visit(users[i].output)
    end
    if c.source then
      n = n + 1
      order[n] = c.source
    end
  end
  visit(changed)
  return order, n
end

function Planner:edit(target, value)
  target.value = value
  local order, n = self:plan(target)
  for i = n, 1, -1 do
    local c = order[i]
    if c:satisfied() then
      c:execute()
    end
  end
  return n
end

local planner = setmetatable({}, Planner)
local first = cell(1)
local chain = { first }
for i = 2, 400 do
  local c = cell(0)
  if i % 3 == 0 then
    planner:connect(Sum, c, { chain[i - 1], chain[i - 2] })
  elseif i % 3 == 1 then
    planner:connect(Scale, c, { chain[i - 1] }, { factor = i % 7 + 1, offset = i })
  else
    planner:connect(Equal, c, { chain[i - 1] })
  end
  chain[i] = c
end

local executed, check = 0, 0
for i = 1, edits do
  executed = executed + planner:edit(first, i)
  check = (check * 31 + chain[400].value + chain[i % 400 + 1].value) % 1000003
end
print(string.format("constraints %d %d", executed, check))
