-- group: strings
-- Pattern matching: gmatch with captures, gsub with strings, tables and functions, find with anchors.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(900 * scale)

local lines = {}
for i = 1, 150 do
  lines[i] = string.format("%04d-%02d-%02d host%d GET /path/%d/index.html?q=%d %d", 1990 + i % 30, i % 12 + 1, i % 28 + 1, i % 9, i, i * 7, 200 + i % 5)
end
local log = table.concat(lines, "\n") .. "\n"

local names = { host1 = "alpha", host2 = "beta", host3 = "gamma" }
local check = 0
for round = 1, rounds do
  local sum = 0
  for year, month, day in log:gmatch("(%d+)%-(%d+)%-(%d+)") do
    sum = sum + year * 372 + month * 31 + day
  end
  local renamed, hits = log:gsub("host%d", names)
  local upper = log:gsub("%u+", "<%0>")
  local grown = log:gsub("q=(%d+)", function(n)
    return "q=" .. n + round
  end)
  local paths = 0
  for line in log:gmatch("[^\n]+") do
    if line:find("^%d+%-0[1-6]") and line:match("GET%s+(%S-)%?") then
      paths = paths + 1
    end
    if line:find("index", 1, true) then
      paths = paths + 1
    end
  end
  check = (check * 31 + sum + hits + #renamed + #upper + #grown + paths) % 1000003
end
print(string.format("patterns %d", check))
