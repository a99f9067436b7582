-- group: errors
-- Errors raised and caught: strings with positions, tables, runtime errors, rethrown through levels.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(110000 * scale)

local failure = setmetatable({ code = 7 }, { __tostring = function() return "failure" end })

local function check_value(v)
  if v % 3 == 0 then
    error("bad value")
  elseif v % 3 == 1 then
    error(failure)
  end
  return v .. nil
end

local function nested(v, depth)
  if depth == 0 then
    return check_value(v)
  end
  local ok, e = pcall(nested, v, depth - 1)
  if not ok then
    error(e, 0)
  end
end

local strings, tables, lines = 0, 0, 0
for i = 1, rounds do
  local ok, e = pcall(check_value, i)
  if ok then
    error("unreachable")
  elseif type(e) == "table" then
    tables = tables + e.code
  else
    strings = strings + 1
    if e:find(":%d+:") then
      lines = lines + 1
    end
  end
  if i % 4 == 0 then
    local caught, again = pcall(nested, i, 3)
    if not caught and again == failure then
      tables = tables + 1
    end
  end
  local _, handled = xpcall(check_value, function(m)
    return type(m)
  end, i)
  if handled == "string" then
    strings = strings + 1
  end
end
print(string.format("errors %d %d %d", strings, tables, lines))
