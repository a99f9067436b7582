-- What instructions remember of objects with plain metatables (`setmetatable(o, { __index = Class })`): each site is used before and after a
-- change, by objects that are changed and by others of the same shape.

local function class(parent, c)
  return setmetatable(c, parent and { __index = parent })
end
local Base = class(nil, { kind = "base", common = 1 })
function Base:get() return "base " .. self.id end
local Class = class(Base, { level = 2 })
function Class:own() return "class " .. self.id end
local Same = class(nil, { common = 30, level = 40, kind = "same" })
function Same:get() return "same " .. self.id end
function Same:own() return "same own " .. self.id end

local function new(c, id) return setmetatable({ id = id }, { __index = c }) end

-- the sites
local function field(o) return o.common end
local function missing(o) return o.nothing end
local function method(o) return o:get() end
local function own(o) return o:own() end
local function computed(o, k) return o[k] end
local function add(o, v) o.fresh = v return rawget(o, "fresh") end
local function cleared(o) return o.kind end
local function all(o)
  local r = {}
  for k, f in ipairs { field, missing, method, own, function(x) return computed(x, "level") end, cleared } do
    local ok, v = pcall(f, o)
    r[k] = ok and tostring(v) or "error"
  end
  return table.concat(r, " ")
end
local function warm(...)
  for _ = 1, 20 do
    for _, o in ipairs { ... } do all(o) o.kind = "x" cleared(o) o.kind = nil end
  end
end

do -- two classes whose objects have the same shape, in turn at each site
  local a, b = new(Class, 1), new(Same, 2)
  warm(a, b)
  print(all(a)) print(all(b))
end

local function changed(label, change)
  local a, b, c = new(Class, 1), new(Class, 2), new(Same, 3)
  warm(a, b, c)
  change(a, getmetatable(a))
  print(label, all(a), "|", all(b), "|", all(c))
  warm(a, b, c)
  print(label, all(a), "|", all(b), "|", all(c))
end
changed("other table", function(_, m) m.__index = Same end)
changed("rawset", function(_, m) rawset(m, "__index", Same) end)
changed("function", function(_, m) m.__index = function(_, k) return k .. "!" end end)
changed("none", function(_, m) m.__index = nil end)
changed("more", function(_, m) m.__tostring = function() return "text" end end)
changed("replaced", function(o) setmetatable(o, { __index = Same }) end)
changed("ordinary", function(o) setmetatable(o, { __index = Same, __name = "Same" }) end)
changed("a function", function(o) setmetatable(o, { __index = function(_, k) return k .. "?" end }) end)
changed("removed", function(o) setmetatable(o, nil) end)
changed("shared", function(_, m) print(all(setmetatable({ id = 9 }, m))) m.__index = Same end)
changed("own method", function(o) o.get = function() return "mine" end end)
changed("own field", function(o) o.common = 8 o.nothing = 9 end)
changed("dictionary", function(o) for i = 1, 70 do o["k" .. i] = i end o.common = 7 end)
changed("prototype", function(o) print(all(setmetatable({}, { __index = o }))) o.common = 5 end)
changed("class field", function() Class.common = (Class.common or 100) + 1 end)
changed("class rawset", function() rawset(Class, "common", 200) end)
changed("class method", function() Class.own = function() return "replaced" end end)
changed("class loses", function() Class.common = nil Class.own = nil end)
changed("base", function() Base.common = 300 Base.nothing = "there" end)
changed("base loses", function() Base.nothing = nil Base.own = function() return "late" end end)
changed("between", function() setmetatable(Class, { __index = Same }) end)
changed("between again", function() getmetatable(Class).__index = Base end)
changed("cycle", function(_, m) m.other = m setmetatable(Base, { __index = m }) m.__index = Base end)
setmetatable(Base, nil)
changed("weak", function(o, m) m.__mode = "v" setmetatable(o, m) o.common = {} collectgarbage() end)

do -- new fields
  local a, b, c = new(Class, 1), new(Class, 2), new(Same, 3)
  for i = 1, 30 do
    for k, o in ipairs { a, b, c, new(Class, 4) } do
      if i == 10 and k == 1 then
        getmetatable(o).__newindex = function(t, key, v) rawset(t, key, -v) end
      elseif i == 15 and k == 2 then
        getmetatable(o).__newindex = Same
      elseif i == 20 and k == 1 then
        getmetatable(o).__newindex = nil
      elseif i == 25 then
        setmetatable(o, { __index = Class, __newindex = function() end })
      end
      if i % 5 == 0 then
        for key in pairs(o) do if key ~= "id" then o[key] = nil end end
        local fresh = setmetatable({ id = o.id }, getmetatable(o))
        print("add", i, k, add(o, i), add(fresh, i + 100), o.fresh, rawget(Same, "fresh"))
      else
        add(o, i)
      end
    end
  end
end

do -- with the metatable of userdata, whose function the same site has used
  local f = io.tmpfile()
  local m = { __index = function(_, k) return "of " .. k end }
  debug.setmetatable(f, m)
  local a = new(Class, 1)
  for _ = 1, 20 do field(a) field(f) computed(a, "level") computed(f, "level") cleared(a) cleared(f) end
  local t = setmetatable({ id = 2 }, m)
  for _ = 1, 20 do assert(field(t) == "of common" and computed(t, "level") == "of level" and cleared(t) == "of kind") end
  t.kind = 1
  t.kind = nil
  print("userdata", field(t), cleared(t), field(a), cleared(a), (pcall(method, t)))
  debug.setmetatable(f, nil)
end

do -- metatables and classes die, others come
  local s = 0
  for round = 1, 6 do
    local classes = {}
    for i = 1, 20 do
      classes[i] = { common = i * round, get = function() return i end }
    end
    for i = 1, 200 do
      local o = new(classes[i % 20 + 1], i)
      s = s + field(o) + method(o) + (missing(o) or 0)
      if i % 50 == 0 then collectgarbage("step") end
    end
    classes = nil
    collectgarbage()
  end
  print("dying", s)
end
