-- group: oop
-- A hierarchy of classes with constructors by __call, inherited and overridden methods; objects live for one iteration.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1500000 * scale)

local function class(parent)
  local c = {}
  c.__index = c
  return setmetatable(c, {
    __index = parent,
    __call = function(k, ...)
      local o = setmetatable({}, k)
      o:init(...)
      return o
    end,
  })
end

local Shape = class()
function Shape:init(name)
  self.name = name
end
function Shape:area()
  return 0
end
function Shape:label()
  return self.name .. ":" .. self:area()
end
local Box = class(Shape)
function Box:init(w, h)
  Shape.init(self, "box")
  self.w, self.h = w, h
end
function Box:area()
  return self.w * self.h
end
local Square = class(Box)
function Square:init(s)
  Box.init(self, s, s)
  self.name = "square"
end
local Circle = class(Shape)
function Circle:init(r)
  Shape.init(self, "circle")
  self.r = r
end
function Circle:area()
  return self.r * self.r * 3
end

local make = {
  function(i)
    return Box(i % 5, i % 7)
  end,
  function(i)
    return Square(i % 6)
  end,
  function(i)
    return Circle(i % 4)
  end,
  function()
    return Shape("none")
  end,
}
local area, length = 0, 0
for i = 1, rounds do
  local o = make[i % 4 + 1](i)
  area = area + o:area()
  if i % 64 == 0 then
    length = length + #o:label()
  end
end
print(string.format("hierarchy %d %d", area, length))
