-- A program may wait for the collector by making garbage that nobody uses.

local function waits()
  local finish = false
  local u = setmetatable({}, {__gc = function() finish = true end})
  u = nil
  repeat u = {} until finish
  print("tables")

  finish = false
  u = setmetatable({}, {__gc = function() finish = true end})
  u = nil
  local i = 1
  repeat
    i = i + 1
    u = {x = i, y = {i}}
  until finish
  print("records")

  finish = false
  u = setmetatable({}, {__gc = function() finish = true end})
  u = nil
  repeat
    local i = 0
    u = function() i = i + 1; return i end
  until finish
  print("closures")

  finish = false
  u = setmetatable({}, {__gc = function() finish = true end})
  u = nil
  repeat local unused = {} until finish
  print("dead")

  finish = false
  u = setmetatable({}, {__gc = function() finish = true end})
  u = nil
  while true do
    local t = {}
    if finish then break end
  end
  print("broken")
end

waits()
waits()
coroutine.wrap(waits)()

-- weak tables are cleared
local weak = setmetatable({}, {__mode = "k"})
weak[{}] = 1
repeat local t = {1, 2} until next(weak) == nil
print("weak")
