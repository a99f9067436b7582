-- group: calls
-- One call site that meets 48 functions in random order: closures of one body, different bodies, library functions.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(4000000 * scale)
local floor = math.floor

local list = {}
for i = 1, 16 do
  list[#list + 1] = function(x)
    return x + i
  end
end
local bodies = {
  function(x) return x * 3 % 1009 end,
  function(x) return 1009 - x % 1009 end,
  function(x) if x > 500 then return x - 500 end return x + 1 end,
  function(x) local s = 0 for k = 1, 3 do s = s + x % k end return s end,
  function(x) return floor(x / 3) end,
  function(x) return x % 17 * 13 end,
  function(x, y) return (x + y) % 4099 end,
  function(x, y) return y end,
}
for _ = 1, 3 do
  for k = 1, #bodies do
    list[#list + 1] = bodies[k]
  end
end
local library = { math.abs, math.floor, math.max, math.min, math.ceil, math.min, math.max, math.abs }
for k = 1, #library do
  list[#list + 1] = library[k]
end

local seed, x = 3, 1
local n = #list
for i = 1, rounds do
  seed = (seed * 16807) % 2147483647
  x = list[seed % n + 1](x, i % 10 + 2) % 65521
end
print(string.format("megacall %d %d", n, x))
