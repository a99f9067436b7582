-- group: integers
-- 64-bit xorshift and splitmix generators: shifts, exclusive or, wrapping multiplication.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(20000000 * scale)

local function splitmix(state)
  state = state + 0x9E3779B97F4A7C15
  local z = state
  z = (z ~ (z >> 30)) * 0xBF58476D1CE4E5B9
  z = (z ~ (z >> 27)) * 0x94D049BB133111EB
  return state, z ~ (z >> 31)
end

local state, x = 42, 0
state, x = splitmix(state)
local acc = 0
for i = 1, rounds do
  x = x ~ (x << 13)
  x = x ~ (x >> 7)
  x = x ~ (x << 17)
  acc = acc + (x >> 40)
  if i & 15 == 0 then
    local mixed
    state, mixed = splitmix(state)
    x = x ~ mixed
  end
end
print(string.format("xorshift %016x %d", x, acc))
