-- Metamethods of objects that each have a metatable of their own: there, missing, of another kind, with and without things that they close over.
local function new(i)
  local mt = {}
  mt.__call = function(self, a, ...) return a + i, select("#", ...) end
  mt.__add = function(a, b) return i end
  mt.__len = function() return i % 7 end
  mt.__concat = function(a, b) return (type(a) == "table" and "o" or a) .. (type(b) == "table" and "o" or b) end
  mt.__lt = function(a, b) return i % 2 == 0 end
  mt.__le = function(a, b) return i % 2 == 1 end
  mt.__eq = function(a, b) return i % 3 == 0 end
  mt.__unm = function() return -i end
  mt.__idiv = function(a, b) return b end
  return setmetatable({}, mt)
end
local function use(o, p, r)
  local x, n = o(r, nil, 2)
  return x + n + (o + 1) + (1 + p) + #o + #(o .. "x") + #("a" .. o .. "b" .. p) + (o < p and 1 or 0) + (o <= p and 2 or 0)
    + (o == p and 4 or 0) + -o + #tostring(o // 3)
end
local objs = {}
for i = 1, 40 do objs[i] = new(i) end
local s = 0
for r = 1, 20 do
  for i = 1, 39 do s = s + use(objs[i], objs[i + 1], r) end
end
print(s)
-- made in the loop
s = 0
for i = 1, 200 do s = s + use(new(i), new(i + 1), i) end
print(s)
-- one that lacks what the others have, or has something else
local function try(f, ...) return (select(2, pcall(f, ...))) end
for _, odd in ipairs {
  setmetatable({}, {}), setmetatable({ 1, 2 }, { __call = 1, __len = 2, __add = "x", __concat = {} }),
  setmetatable({}, { __call = setmetatable({}, { __call = function(a, b, c) return c end }), __len = function() return 1.5 end }),
  setmetatable({}, { __add = math.max, __len = rawlen, __call = select, __concat = rawequal, __unm = type }), { 3 },
} do
  local out = {}
  for i = 1, 60 do
    local o = i % 20 == 0 and odd or objs[i % 40 + 1]
    local r = { try(function() return #o end), try(function() return o + 2 end), try(function() return -o end), try(function() return o .. 1 end), try(o, 2, 3, 4) }
    for k = 1, 5 do
      local v = r[k]
      if i % 20 == 0 then out[#out + 1] = type(v) == "string" and v:gsub("^.-:%d+: ", "") or tostring(v) end
      if math.type(v) == "integer" then s = s + v end
    end
  end
  print(s, table.concat(out, ", "))
end
-- metatables that change
s = 0
for i = 1, 120 do
  local o = objs[i % 40 + 1]
  if i % 15 == 0 then getmetatable(o).__len = nil end
  if i % 25 == 0 then getmetatable(o).__add = function(a, b) return 1000 end end
  s = s + #o + (o + i)
end
print(s)
