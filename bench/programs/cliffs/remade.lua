-- group: oop
-- Classes, objects and closures that each run of a function makes anew, as drivers of benchmarks and frameworks for tests do.
local scale = tonumber(arg and arg[1]) or 1

local function class(base)
  local c = {}
  c.__index = c
  return setmetatable(c, base and { __index = base })
end

-- one object of a new class, in a loop
local function counter(n)
  local Counter = class()
  function Counter.new()
    return setmetatable({ n = 0 }, Counter)
  end
  function Counter:add(k)
    self.n = (self.n + k) % 10007
    return self.n
  end
  function Counter:get()
    return self.n
  end
  local c, s = Counter.new(), 0
  for i = 1, n do
    c:add(i)
    s = s + c:get()
  end
  return s
end

-- some objects of two new classes, given to a new closure
local function shapes(n)
  local Shape = class()
  function Shape.new(c, w, h)
    return setmetatable({ w = w, h = h }, c)
  end
  function Shape:area()
    return self.w * self.h
  end
  function Shape:scale(k)
    self.w = self.w * k % 101
  end
  local Square = class(Shape)
  function Square:area()
    return self.w * self.w
  end
  local list, total = {}, 0
  for i = 1, 20 do
    list[i] = (i % 2 == 0 and Shape or Square):new(i, i + 1)
  end
  local function each(f)
    for i = 1, #list do
      f(list[i])
    end
  end
  for _ = 1, n do
    each(function(o)
      o:scale(3)
      total = total + o:area()
    end)
  end
  return total
end

-- a scheduler of tasks, which are closures over it
local function tasks(n)
  local Scheduler = class()
  function Scheduler:spawn(f)
    self.list[#self.list + 1] = { run = f, left = n, done = 0 }
  end
  function Scheduler:step(t)
    t.left = t.left - 1
    return t.left > 0
  end
  local s = setmetatable({ list = {} }, Scheduler)
  s:spawn(function(t)
    t.done = t.done + 1
    return s:step(t)
  end)
  s:spawn(function(t)
    t.done = t.done + 2
    return s:step(t)
  end)
  local going = true
  while going do
    going = false
    for i = 1, #s.list do
      local t = s.list[i]
      if t.left > 0 and t.run(t) then
        going = true
      end
    end
  end
  return s.list[1].done + s.list[2].done
end

local sum = 0
for _ = 1, math.floor(2000 * scale) do
  sum = sum + counter(500) + shapes(10) + tasks(100)
end
print(string.format("remade %d", sum))
