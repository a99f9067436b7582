-- metamethods that are Lua functions, called from loops, with changes in between

local log = {}
local mt = {}
local function obj(v) return setmetatable({ v = v }, mt) end
local function val(x) if type(x) == "table" then return "o" .. x.v end return tostring(x) end
for _, name in ipairs({ "add", "sub", "mul", "div", "mod", "pow", "idiv", "band", "bor", "bxor", "shl", "shr" }) do
  mt["__" .. name] = function(a, b, ...) return name .. ":" .. val(a) .. "," .. val(b) .. select("#", ...) end
end
mt.__unm = function(a, b) return "unm" .. val(a) .. val(b) end
mt.__bnot = function(a, b) return "bnot" .. val(a) .. val(b) end
mt.__len = function(a, b) return "len" .. val(a) .. tostring(rawequal(a, b)) end
mt.__concat = function(a, b) return val(a) .. "~" .. val(b) end
local a, b = obj(1), obj(2)
for i = 1, 4 do
  local t = {
    a + b, a - b, a * b, a / b, a % b, a ^ b, a // b, a & b, a | b, a ~ b, a << b, a >> b,
    a + 1, a - 1, a * 2, a / 2, a % 2, a ^ 2, a // 2, a & 2, a | 2, a ~ 2, a << 2, a >> 2,
    1 + a, 1 - a, 2 * a, 2 / a, 2 % a, 2 ^ a, 2 // a, 2 & a, 2 | a, 2 ~ a, 2 << a, 2 >> a,
    a + 1.5, 1.5 * a, "x" + a, a .. "y", "y" .. a, a .. b, a .. "m" .. b, -a, ~a, #a, nil + a, a + nil == nil,
  }
  if i == 1 or i == 4 then
    print(table.concat(t, " ", 1, 46))
  end
end

-- results: none, several, false, and what a comparison makes of them
local results = { 0, nil, false, "x" }
mt.__lt = function(p, q) local r = results[p.v] if p.v == 5 then return end return r, "more" end
mt.__le = function(p, q) return p.v <= q.v end
mt.__eq = function(p, q) if p.v == 5 then return end return results[p.v] end
for round = 1, 3 do
  local out = {}
  for i = 1, 5 do
    local p, q = obj(i), obj(9)
    out[#out + 1] = (p < q and "l" or "n") .. (not (p < q) and "N" or "L") .. (q > p and "g" or "n") .. (p == q and "e" or "n")
      .. (p ~= q and "E" or "N") .. (p <= q and "l" or "n") .. (p >= q and "g" or "n") .. tostring(p < q) .. tostring(p == q)
  end
  print(table.concat(out, " "))
end
mt.__add = function() end
print(a + b, (function() return a + b end)())
mt.__add = function() return 1, 2 end
print(a + b, (function() return a + b end)())
mt.__add = nil
print(pcall(function() return a + b end))
print(pcall(function() local q = { k = 1 } return a < q.k end))

-- one operand has it, another has something else
local other = setmetatable({ v = "other" }, { __add = function(p, q) return "other" .. val(p) .. val(q) end, __index = print })
for i = 1, 3 do
  print(a + other, other + a, other + 1, 1 + other, other + 2.5)
end

-- calls
local calls = setmetatable({}, { __call = function(self, ...) return select("#", ...), ... end })
local fixed = setmetatable({}, { __call = function(self, p, q) return self ~= nil, p, q end })
local nested = setmetatable({}, { __call = fixed })
for i = 1, 3 do
  print(calls(), (calls(1)), calls(1, nil))
  print(fixed(), fixed(1), fixed(1, 2, 3))
  print(select("#", pcall(nested, 1)))
  print(calls(calls(1, 2)))
  print(select("#", calls(table.unpack({}, 1, 50))))
end
print(pcall(setmetatable({}, { __call = 1 })))
print(pcall(setmetatable({}, {})))

-- assignments
local store = {}
local proxy = setmetatable({}, { __newindex = function(t, k, v) store[k] = v log[#log + 1] = tostring(k) end, __index = store })
for i = 1, 4 do
  proxy.name = i
  proxy[i] = i * 2
  proxy["k" .. i % 2] = i
  proxy[i + 0.5] = i
  proxy.nothing = nil
end
print(table.concat(log, " "), proxy.name, proxy[3], proxy.k1, proxy[2.5], rawget(proxy, "name"))
rawset(proxy, "name", "raw")
proxy.name = "direct"
print(store.name, rawget(proxy, "name"))
getmetatable(proxy).__newindex = function(t, k, v) rawset(t, k, v) end
for i = 1, 3 do proxy.fresh = i proxy[100 + i] = i end
print(rawget(proxy, "fresh"), rawget(proxy, 102), store.fresh)
getmetatable(proxy).__newindex = nil
for i = 1, 3 do proxy.plain = i proxy[200 + i] = i end
print(rawget(proxy, "plain"), rawget(proxy, 203))

-- errors and yields from inside
local bad = setmetatable({}, { __add = function() error("in add") end, __index = function(_, k) error("no " .. k) end,
  __newindex = function(_, k) error({ k }) end, __lt = function() return coroutine.yield("lt") end,
  __eq = function() return coroutine.yield("eq") end, __len = function() return coroutine.yield("len") end,
  __call = function(self, x) return coroutine.yield("call" .. x) end, __unm = function() return coroutine.yield("unm") end })
local bad2 = setmetatable({}, getmetatable(bad))
for i = 1, 3 do
  print(pcall(function() return bad + 1 end))
  print(pcall(function() return bad.field end))
  print(pcall(function() return bad[i] end))
  print(pcall(function() bad.x = 1 end) == false)
  local co = coroutine.wrap(function()
    local r = {}
    r[1] = bad < bad2
    r[2] = bad == bad2
    r[3] = #bad
    r[4] = bad(7)
    r[5] = -bad
    if bad < bad2 then r[6] = "yes" end
    return r[1], r[2], r[3], r[4], r[5], r[6]
  end)
  print(co(), co(1), co(nil), co("l"), co("c"), co("u"), select("#", co(false)))
end
print(debug.traceback("x"):gsub("%[C%].*", ""))
local where = setmetatable({}, { __index = function() return debug.traceback("t", 1) end, __unm = function() return debug.getinfo(1, "n").name end })
for i = 1, 2 do
  print((where.x:gsub("\n%s*%[C%].*", "")))
  print(-where)
end

-- deep recursion through metamethods ends in an error
local deep = setmetatable({}, {})
getmetatable(deep).__add = function(p, q) return p + q end
print((pcall(function() return deep + 1 end)))
getmetatable(deep).__index = function(t, k) return t[k + 1] end
print((pcall(function() return deep[1] end)))
