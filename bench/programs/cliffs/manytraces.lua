-- group: traces
-- Four hundred generated functions with a loop each: all of them warm, none of them hot for long.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(110 * scale)
local load = loadstring or load

local bodies = {
  "s = s + i %% %d",
  "if i %% %d == 0 then s = s + 1 else s = s + 2 end",
  "t[i %% %d + 1] = s; s = (s + (t[1] or 0)) %% 65521",
  "s = (s * 3 + %d) %% 65521",
  "s = s + (i > %d and f(i) or 1)",
  "for k = 1, 3 do s = s + k * %d end",
  "local u = { i, %d }; s = s + u[1] + u[2]",
  "s = s + math.max(i, %d)",
}
local functions = {}
for n = 1, 400 do
  local parts = { "local f = ...; return function(n) local s, t = 0, {} for i = 1, n do " }
  for k = 0, n % 3 do
    parts[#parts + 1] = string.format(bodies[(n + k * 3) % #bodies + 1], n % 40 + 2)
    parts[#parts + 1] = "; "
  end
  parts[#parts + 1] = "end return s % 65521 end"
  functions[n] = assert(load(table.concat(parts)))(function(x)
    return x % 7
  end)
end

local check = 0
for r = 1, rounds do
  for n = 1, #functions do
    check = (check * 3 + functions[n](60 + (n + r) % 40)) % 1000003
  end
end
print(string.format("manytraces %d", check))
