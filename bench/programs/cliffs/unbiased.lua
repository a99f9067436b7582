-- group: branchy
-- Branches that a random number decides, three levels deep, in a loop with paths that join again.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(3500000 * scale)

local seed = 7
local a, b, c = 0, 1, 2
for _ = 1, rounds do
  seed = (seed * 16807) % 2147483647
  local r = seed
  if r % 2 == 0 then
    a = a + 1
    if r % 3 == 0 then
      b = b + a % 7
    elseif r % 5 < 2 then
      b = b - 1
    else
      c = c + b % 3
    end
  else
    c = c + 2
    if r % 7 < 3 then
      a = a - 1
      if r % 11 < 5 then
        b = (b * 3) % 1009
      end
    else
      c = (c + a) % 65521
    end
  end
  if (a + b + c) % 2 == 1 then
    a, b = b % 10007, a
  end
end
print(string.format("unbiased %d %d %d", a, b, c))
