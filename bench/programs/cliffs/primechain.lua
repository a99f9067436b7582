-- group: coroutines
-- A chain of filters, each a coroutine that resumes the one before it: every number passes through many of them.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(250 * scale))
local wrap, yield = coroutine.wrap, coroutine.yield

local function count()
  return wrap(function()
    local n = 2
    while true do
      yield(n)
      n = n + 1
    end
  end)
end

local function filter(source, prime)
  return wrap(function()
    while true do
      local n = source()
      if n % prime ~= 0 then
        yield(n)
      end
    end
  end)
end

local sum, last = 0, 0
for r = 1, rounds do
  -- each resume nests in the one before it, and 5.4 allows about 190 of them
  local source = count()
  for _ = 1, 100 + r % 7 do
    last = source()
    sum = (sum * 3 + last) % 1000003
    source = filter(source, last)
  end
end
print(string.format("primechain %d %d", last, sum))
