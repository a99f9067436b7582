-- Each object has a metatable of its own that only says `__index`: what is known of one object holds for all, until its metatable is changed.

local Base = { kind = "base", common = 1 }
function Base:name() return "base " .. self.id end
local Class = setmetatable({ kind = "class" }, { __index = Base })
function Class:double() return self.id * 2 end

local function new(id) return setmetatable({ id = id }, { __index = Class }) end
local N = 120

do -- inherited fields and methods
  local s, names = 0, {}
  for i = 1, N do
    local o = new(i)
    s = s + o:double() + o.common + (o.missing or 0)
    names[i % 7] = o:name() .. o.kind
    o.kind = "own" .. i % 3
    if o.kind == "own2" then s = s + 1 end
    o.kind = nil
    assert(o.kind == "class")
  end
  print("inherit", s, names[3])
end

-- what is done to the metatable of every n-th object, while a loop runs over all of them
local function changed(label, change, use)
  local objects = {}
  for i = 1, N do objects[i] = new(i) end
  local s, bad = 0, 0
  for round = 1, 3 do
    for i = 1, N do
      local o = objects[i]
      if i % 11 == 0 and round == 2 then change(o, getmetatable(o)) end
      local ok, v = pcall(use, o)
      if ok then s = s + v else bad = bad + 1 end
    end
  end
  print(label, s, bad)
end
local Other = { double = function(self) return self.id * 1000 end, common = 5 }
changed("other table", function(_, m) m.__index = Other end, function(o) return o:double() + o.common end)
changed("raw other", function(_, m) rawset(m, "__index", Other) end, function(o) return o:double() + o.common end)
changed("function", function(_, m) m.__index = function(_, k) return k == "common" and 7 or function() return 9 end end end,
  function(o) return o:double() + o.common end)
changed("nothing", function(_, m) m.__index = nil end, function(o) return o:double() + o.common end)
changed("nothing and back", function(_, m) m.__index = nil m.__index = Class end, function(o) return o:double() + o.common end)
changed("newindex", function(_, m) m.__newindex = function(t, k, v) rawset(t, k, v * 2) end end,
  function(o) o.fresh = o.id local v = o.fresh o.fresh = nil return v end)
changed("call", function(_, m) m.__call = function(o, x) return o.id + x end end, function(o) return o(1) end)
changed("arithmetic", function(_, m) m.__add = function(a, b) return (type(a) == "table" and a.id or a) + (type(b) == "table" and b.id or b) end end,
  function(o) return o + 1 end)
changed("concat", function(_, m) m.__concat = function(a, b) return 3 end end, function(o) return o .. "x" end)
changed("length", function(_, m) m.__len = function(o) return o.id end end, function(o) return #o end)
changed("order", function(_, m) m.__lt = function(a, b) return a.id < b.id end end, function(o) return o < new(50) and 1 or 2 end)
changed("pairs", function(_, m) m.__pairs = function(o) return function(_, k) if not k then return 1, o.id end end end end,
  function(o) local s = 0 for _, v in pairs(o) do s = s + v end return s end)
changed("text", function(_, m) m.__name = "Named" m.__tostring = function(o) return "o" .. o.id end end, function(o) return tostring(o):sub(1, 1) == "o" and 1 or 0 end)
changed("metatable of it", function(_, m) setmetatable(m, { __index = function(_, k) return nil end }) end, function(o) return o:double() end)
changed("integers", function(_, m) m[1] = 1 m[2] = 2 table.insert(m, 3) m[100] = 4 end, function(o) return o:double() + #getmetatable(o) end)
changed("texts", function(_, m) for i = 1, 80 do m["k" .. i] = i end m.__index = Other end, function(o) return o:double() end)
changed("object", function(o) for i = 1, 80 do o["k" .. i] = i end end, function(o) return o:double() + o.common + (o.k7 or 0) end)
changed("removed", function(o) setmetatable(o, nil) end, function(o) return o:double() end)
changed("replaced", function(o) setmetatable(o, { __index = Other }) end, function(o) return o:double() end)
changed("shared", function(o, m) local p = setmetatable({ id = 1 }, m) assert(p:double() == 2) m.__index = Other assert(p:double() == 1000) end,
  function(o) return o:double() end)
changed("protected", function(_, m) m.__metatable = "locked" end, function(o) return getmetatable(o) == "locked" and 1 or 2 end)
changed("class of others", function(o) local p = setmetatable({ id = 3 }, { __index = o }) assert(p:double() == 6) o.double = Other.double assert(p:double() == 3000) end,
  function(o) return o:double() end)

do -- the class changes
  local objects, s = {}, 0
  for i = 1, N do objects[i] = new(i) end
  for round = 1, 6 do
    if round == 3 then Class.common = 10 elseif round == 4 then Class.common = nil elseif round == 5 then Base.common = 100 end
    if round == 6 then Class.double = function(self) return -self.id end end
    for i = 1, N do s = s + objects[i].common + objects[i]:double() end
  end
  print("class", s)
end

do -- identity, traversal, weakness, finalizers
  local o = new(1)
  local m = getmetatable(o)
  assert(m == getmetatable(o) and m ~= getmetatable(new(1)) and next(m) == "__index" and next(m, "__index") == nil)
  assert(rawget(m, "__index") == Class and rawlen(m) == 0)
  local w = setmetatable({}, { __index = Class })
  getmetatable(w).__mode = "v"
  setmetatable(w, getmetatable(w))
  w.x = {}
  collectgarbage()
  print("weak", w.x, w.common)
  local kept = setmetatable({}, { __mode = "v" })
  for i = 1, 20 do kept[i] = new(i) end
  collectgarbage()
  print("kept", next(kept))
  local runs = 0
  for i = 1, 20 do
    local p = new(i)
    local pm = getmetatable(p)
    pm.__gc = function(x) runs = runs + (x.common or 0) * 0 + 1 end
    if i % 2 == 0 then setmetatable(p, pm) end
  end
  collectgarbage() collectgarbage()
  print("gc", runs)
end

do -- many classes, each with a few objects; classes die
  local s = 0
  for i = 1, 300 do
    local C = { v = i }
    local a, b = setmetatable({}, { __index = C }), setmetatable({}, { __index = C })
    s = s + a.v + b.v
    if i % 100 == 0 then collectgarbage() end
  end
  print("classes", s)
end
