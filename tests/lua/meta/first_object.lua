-- the first object of a metatable, used more and more often, while classes change

local function class(parent)
  local c = setmetatable({}, parent and { __index = parent })
  c.__index = c
  return c
end
local Base = class()
function Base:name() return "base" end
function Base:twice(n) return 2 * n end
local Derived = class(Base)
function Derived:name() return "derived" end

local first, second = setmetatable({ a = 1 }, Derived), nil
local out = {}
for i = 1, 60 do
  out[#out + 1] = first:name() .. first:twice(i) .. (first.extra or "-") .. (first["k" .. i % 3] or "")
  if i == 20 then
    function Derived:twice(n) return -n end
  elseif i == 25 then
    Base.extra = "x"
  elseif i == 30 then
    Derived.twice = nil
    Base.k1 = "one"
  elseif i == 35 then
    second = setmetatable({ a = 2 }, Derived)
  elseif i == 40 then
    first.name = function() return "own" end
  elseif i == 45 then
    first.name = nil
    setmetatable(first, Base)
  elseif i == 50 then
    setmetatable(first, { __index = function(_, k) return k == "name" and Base.name or Base.twice end })
    first.extra, first.k0, first.k1, first.k2 = "e", "", "", ""
  elseif i == 55 then
    setmetatable(first, Derived)
    first.b, first.extra = i, nil
  end
end
print(table.concat(out, " "))
print(second:name(), second:twice(4), second.extra, first.b)

-- each object with a metatable of its own
local sum = 0
for i = 1, 200 do
  local o = setmetatable({ v = i }, { __index = { get = function(self) return self.v end } })
  sum = sum + o:get() + o:get()
end
print(sum)

-- first objects of many classes in one place
local objects = {}
for i = 1, 30 do
  local c = class(i % 2 == 0 and Base or Derived)
  c["m" .. i] = function() return i end
  c.id = function() return i end
  objects[i] = setmetatable({}, c)
end
local text = {}
for round = 1, 12 do
  for i, o in ipairs(objects) do
    if round == 12 then
      text[#text + 1] = o:id() .. o:name() .. o["m" .. i]()
    else
      sum = sum + o:id() + o:twice(i)
    end
  end
end
print(sum, table.concat(text, " "))
