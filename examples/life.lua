-- Conway's game of life on a torus: a glider crosses the board while a blinker blinks.
-- Usage: traceorus examples/life.lua [generations]

local generations <const> = math.tointeger(tonumber(arg and arg[1]) or 8)
local width <const>, height <const> = 24, 10

local Board = {}
Board.__index = Board

function Board.new()
  return setmetatable({ cells = {} }, Board)
end

-- cells are kept by one number per place, so a board only stores what lives
local function place(x, y)
  return (y % height) * width + x % width
end

function Board:put(x, y, rows)
  for dy, row in ipairs(rows) do
    for dx = 1, #row do
      if row:sub(dx, dx) == "#" then
        self.cells[place(x + dx - 1, y + dy - 1)] = true
      end
    end
  end
  return self
end

function Board:step()
  local neighbours = {}
  for at in pairs(self.cells) do
    local x, y = at % width, at // width
    for dy = -1, 1 do
      for dx = -1, 1 do
        if dx ~= 0 or dy ~= 0 then
          local to = place(x + dx, y + dy)
          neighbours[to] = (neighbours[to] or 0) + 1
        end
      end
    end
  end
  local following = Board.new()
  for at, count in pairs(neighbours) do
    if count == 3 or (count == 2 and self.cells[at]) then
      following.cells[at] = true
    end
  end
  return following
end

function Board:count()
  local n = 0
  for _ in pairs(self.cells) do
    n = n + 1
  end
  return n
end

function Board:__tostring()
  local lines = {}
  for y = 0, height - 1 do
    local line = {}
    for x = 0, width - 1 do
      line[#line + 1] = self.cells[place(x, y)] and "#" or "."
    end
    lines[#lines + 1] = table.concat(line)
  end
  return table.concat(lines, "\n")
end

local board = Board.new()
board:put(1, 1, { ".#.", "..#", "###" })
board:put(15, 4, { "###" })
for generation = 0, generations do
  if generation == 0 or generation == generations then
    print(("generation %d, %d alive"):format(generation, board:count()))
    print(board)
  end
  board = board:step()
end
