-- group: integers
-- Integer division and remainder: calendar dates, base conversion, modular powers, greatest common divisors.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(340000 * scale)

local function civil(days)
  days = days + 719468
  local era = days // 146097
  local doe = days - era * 146097
  local yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
  local doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
  local mp = (5 * doy + 2) // 153
  local day = doy - (153 * mp + 2) // 5 + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400
  return month <= 2 and year + 1 or year, month, day
end

local function digit_sum(n, base)
  local sum = 0
  while n > 0 do
    sum = sum + n % base
    n = n // base
  end
  return sum
end

local function power(b, e, m)
  local r = 1
  while e > 0 do
    if e % 2 == 1 then
      r = r * b % m
    end
    b = b * b % m
    e = e // 2
  end
  return r
end

local function gcd(a, b)
  while b ~= 0 do
    a, b = b, a % b
  end
  return a
end

local check = 0
for i = 1, rounds do
  local y, m, d = civil(i * 3 - 500000)
  local v = y * 372 + m * 31 + d
  v = v + digit_sum(i * 12345, 7) + power(3, i, 1000003) + gcd(i * 840, 5040 + i)
  check = (check * 31 + v) % 1000000007
end
print(string.format("intdiv %d", check))
