-- group: oop
-- Fields found through chains of one to twelve metatables, by tables and by functions; writes caught by __newindex, and classes changed while in use.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(110000 * scale)

local chain = { { value = 1, bonus = function(self) return self.value + self.own end } }
for d = 2, 12 do
  local up = chain[d - 1]
  local index = up
  if d % 5 == 0 then
    index = function(_, k)
      return up[k]
    end
  end
  chain[d] = setmetatable({}, { __index = index })
end
local objects, caught = {}, 0
for d = 1, 12 do
  objects[d] = setmetatable({ own = d }, {
    __index = chain[d],
    __newindex = function(t, k, v)
      caught = caught + 1
      if k == "kept" then
        rawset(t, k, v)
      end
    end,
  })
end

local sum = 0
for r = 1, rounds do
  for d = 1, 12 do
    local o = objects[d]
    sum = sum + o.value + o:bonus()
  end
  objects[r % 12 + 1].other = r
  if r % 64 == 0 then
    objects[r % 7 + 1].kept = r
    chain[1].value = r % 9
  elseif r % 1000 == 1 then
    chain[r % 12 + 1].value = r % 5
  end
  sum = sum % 1000003
end
print(string.format("inherit %d %d", sum, caught))
