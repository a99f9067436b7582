-- Classes: single inheritance, super calls, multiple inheritance by search, mixins, privacy by closures.
local Animal = {} Animal.__index = Animal
function Animal.new(name, sound)
  return setmetatable({ name = name, sound = sound }, Animal)
end
function Animal:speak() return self.name .. " says " .. self.sound end
function Animal:rename(n) self.name = n return self end
local Dog = setmetatable({}, { __index = Animal }) Dog.__index = Dog
function Dog.new(name)
  local d = Animal.new(name, "woof")
  return setmetatable(d, Dog)
end
function Dog:speak() return Animal.speak(self) .. "!" end
function Dog:fetch(what) return self.name .. " fetches " .. what end
local Puppy = setmetatable({}, { __index = Dog }) Puppy.__index = Puppy
Puppy.__tostring = function(p) return "Puppy(" .. p.name .. ")" end
function Puppy.new(n) return setmetatable(Dog.new(n), Puppy) end
function Puppy:speak() return Dog.speak(self):gsub("woof", "yip") end
local a, d, p = Animal.new("cat", "meow"), Dog.new("rex"), Puppy.new("tiny")
print(a:speak(), d:speak(), p:speak())
print(d:fetch("stick"), p:fetch("ball"), a.fetch, p:rename("small").name, tostring(p))
print(pcall(a.fetch, a, "x"))
print(pcall(function() return a:fetch("x") end))
-- methods changed at run time reach every object
function Animal:speak() return "changed" end
print(a:speak(), d:speak(), Dog.speak == p.speak)
Dog.speak = nil
print(d:speak(), p:speak())
-- fields that hide methods
a.speak = function() return "own" end
print(a:speak(), getmetatable(a).speak(a))
-- multiple inheritance
local function class(...)
  local parents = { ... }
  local c = {}
  setmetatable(c, { __index = function(t, k)
    for _, parent in ipairs(parents) do
      local v = parent[k]
      if v ~= nil then t[k] = v return v end
    end
  end })
  c.__index = c
  return c
end
local Swims = { swim = function(s) return s.name .. " swims" end, move = function() return "by water" end }
local Flies = { fly = function(s) return s.name .. " flies" end, move = function() return "by air" end }
local Duck = class(Flies, Swims)
local duck = setmetatable({ name = "duck" }, Duck)
print(duck:swim(), duck:fly(), duck:move(), rawget(Duck, "move") ~= nil, duck.run)
-- accessors
local Temperature = {}
Temperature.__index = function(t, k)
  if k == "fahrenheit" then return t.celsius * 9 / 5 + 32 end
  return rawget(Temperature, k)
end
Temperature.__newindex = function(t, k, v)
  if k == "fahrenheit" then t.celsius = (v - 32) * 5 / 9 else rawset(t, k, v) end
end
local temp = setmetatable({ celsius = 100 }, Temperature)
print(temp.fahrenheit)
temp.fahrenheit = 32
print(temp.celsius, rawget(temp, "fahrenheit"))
-- deep chains
local deep = { value = "bottom" }
for _ = 1, 50 do deep = setmetatable({}, { __index = deep }) end
print(deep.value)
local function counter()
  local n = 0
  return setmetatable({}, { __call = function() n = n + 1 return n end, __len = function() return n end, __index = { reset = function() n = 0 end } })
end
local c = counter()
c() c()
print(#c, c(), c:reset(), #c)
-- is-a by walking metatables
local function isa(o, cls)
  local m = getmetatable(o)
  while m do
    if m == cls then return true end
    local up = getmetatable(m)
    m = up and up.__index
  end
  return false
end
print(isa(p, Puppy), isa(p, Dog), isa(p, Animal), isa(d, Puppy), isa(a, Dog))
