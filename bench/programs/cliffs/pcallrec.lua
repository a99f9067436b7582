-- group: errors
-- Recursion through pcall: every level protects the next; some runs fail at the bottom and the error is handled or passed on half way up.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(80000 * scale)

local function level(depth, fail)
  if depth == 0 then
    if fail then
      error({ code = fail })
    end
    return 1
  end
  local ok, v = pcall(level, depth - 1, fail)
  if ok then
    return v + depth % 3
  end
  if depth % 8 == 0 and v.code % 2 == 0 then
    v.code = v.code + 1
    return v.code
  end
  error(v, 0)
end

local check, failed = 0, 0
for i = 1, rounds do
  local ok, v = pcall(level, 10 + i % 20, i % 5 == 0 and i or nil)
  if ok then
    check = (check + v) % 1000003
  else
    failed = failed + v.code % 7
  end
end
print(string.format("pcallrec %d %d", check, failed))
