-- A table that is stored into a captured variable and overwritten at once.

local N = 200
local keep
local s = 0
for i = 1, N do
  local c
  keep = function() return c end
  c = {x = i}
  c = keep
  if c() == keep then s = s + 1 end
end
print(s)

local last
for i = 1, N do
  local c = {}
  local function get() return c end
  last = get
  c = {x = i}
  c = {y = i, of = last}
  s = s + get().y
  if i % 50 == 0 then collectgarbage() end
end
print(s, last().y)
