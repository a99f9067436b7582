-- group: strings
-- Short strings taken apart by patterns in a loop: trimming, splitting, key=value pairs, captures of positions, replacement by function.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(50000 * scale)
local find, match, gmatch, gsub = string.find, string.match, string.gmatch, string.gsub

local records = {}
for i = 1, 40 do
  records[i] = string.format("  id=%d; name = item%d ;size=%dx%d;tags=a,b%d,c  ", i * 31, i, i % 7, i % 11, i % 3)
end

local function trim(s)
  return match(s, "^%s*(.-)%s*$")
end

local check = 0
for r = 1, rounds do
  local line = trim(records[r % 40 + 1])
  local from, n = 1, 0
  while true do
    local a, b = find(line, "%s*;%s*", from)
    local part = line:sub(from, a and a - 1 or -1)
    local key, value = match(part, "^(%a+)%s*=%s*(.+)$")
    n = n + #key * #value
    if key == "size" then
      local w, h = match(value, "(%d+)x(%d+)")
      n = n + w * h
    elseif key == "tags" then
      for tag, at in gmatch(value, "(%w+)(),?") do
        n = n + #tag * at
      end
    end
    if not b then
      break
    end
    from = b + 1
  end
  local _, digits = gsub(line, "%d", function(d)
    n = n + d
  end)
  check = (check * 7 + n + digits) % 1000003
end
print(string.format("fields %d", check))
