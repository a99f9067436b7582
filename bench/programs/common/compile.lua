-- group: compile
-- Compiling a large generated source text again and again; it is run once per round.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(16 * scale))
local load = loadstring or load

local parts = { "local t = {}\n" }
for i = 1, 1500 do
  parts[#parts + 1] = string.format(
    [[
t[%d] = function(a, b, ...)
  local x, y = a + %d, b * %d.5
  -- a comment with some words in it
  if x > y and not (a == b) then
    return { name = "entry %d", value = x, list = { 1, 2, 3, a, b }, [y] = "key" }
  elseif y >= %d then
    for k = 1, #t do
      x = x + (k %% 3 == 0 and k or -k) * 0x%x
    end
    while x < 0 do x = x + 100 end
    repeat local z = x / 2; x = z - 1 until z < 10
  else
    local s = 'text' .. a .. [=[long]=] .. tostring(y)
    t.count = (t.count or 0) + #s + select("#", ...)
  end
  return x, y
end
]],
    i, i, i % 9, i, i % 50, i
  )
end
parts[#parts + 1] = "return t\n"
local source = table.concat(parts)

local functions, lines = 0, 0
for _ in source:gmatch("\n") do
  lines = lines + 1
end
for round = 1, rounds do
  local t = assert(load(source .. "-- " .. round))()
  functions = functions + #t
end
print(string.format("compile %d %d", lines, functions))
