-- __call at the edge of the stack, in chains, and in circles

-- the frame's end: as many arguments as there are registers, with one more for the object
local function count(self, ...) return select("#", ...), (select(-1, ...)) end
local obj = setmetatable({}, { __call = count })
for n = 1, 240, 17 do
  local args = {}
  for i = 1, n do args[i] = i end
  print(obj(table.unpack(args)))
end
local function seven(self, a, b, c, d, e, f, g) return g, self == nil end
local o7 = setmetatable({}, { __call = seven })
for i = 1, 3 do print(o7(1, 2, 3, 4, 5, 6, 7), o7(), (o7(1))) end

-- the stack grows in such a call
local deep = setmetatable({}, {})
getmetatable(deep).__call = function(self, n, last) if n == 0 then return last end return (self(n - 1, last)) end
print(deep(3000, "last"))

-- chains
local f = function(...) return select("#", ...) end
local c = f
for i = 1, 100 do c = setmetatable({}, { __call = c }) end
print(c(), c(1), (function() return c(1, 2) end)())
print(pcall(c, 1))
