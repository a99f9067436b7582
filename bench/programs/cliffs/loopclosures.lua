-- group: closures
-- A closure per iteration that captures the loop variable and a local, kept and called rounds later; some change what they captured.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(1200000 * scale)

local kept, size = {}, 64
for i = 1, size do
  kept[i] = function(x)
    return x
  end
end
local check = 0
for i = 1, rounds do
  local base = i % 100
  local slot = i % size + 1
  check = (check + kept[slot](i)) % 1000003
  if i % 3 == 0 then
    kept[slot] = function(x)
      return x + i - base
    end
  elseif i % 3 == 1 then
    kept[slot] = function(x)
      base = base + 1
      return x % 1000 * base
    end
  else
    local get, other = function()
      return base
    end, kept[i % 7 + 1]
    kept[slot] = function(x)
      return get() + x
    end
    base = other and base + 3 or base
  end
end
print(string.format("loopclosures %d", check))
