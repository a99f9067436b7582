-- A break out of a generic loop whose body has variables to be closed; such a function is dumped and loaded again.
local log = {}
local function new(name) return setmetatable({}, { __close = function() log[#log + 1] = name end }) end
local function f(stop)
  for k in function(_, k) if k < 3 then return k + 1 end end, nil, 0 do
    local x <close> = new("x" .. k)
    if k == stop then break end
    local y <close> = new("y" .. k)
    for _ in pairs { 1 } do
      local z <close> = new "z"
      break
    end
  end
  log[#log + 1] = "end"
end
f(2)
print(table.concat(log, " "))
log = {}
local again = assert(load(string.dump(f)))
debug.setupvalue(again, 1, new)
debug.setupvalue(again, 2, log)
for i = 1, 5 do
  local name, v = debug.getupvalue(again, i)
  if name == "new" then debug.setupvalue(again, i, new) end
  if name == "log" then debug.setupvalue(again, i, log) end
  if name == "_ENV" or name == "pairs" then debug.setupvalue(again, i, _ENV) end
end
again(4)
print(table.concat(log, " "))
