-- Metamethods that are closures made in the same iteration as their metatable, and change a variable of it.

local function index()
  local x
  do
    local a = setmetatable({}, { __index = function() x = true return 1 end })
    assert(x == nil)
    assert(a.y == 1)
  end
  assert(x == true)
  return x
end

local function close()
  local x, n = nil, 0
  do
    local a <close> = setmetatable({}, { __close = function() x, n = true, n + 1 end })
    assert(x == nil and a)
  end
  assert(x == true)
  return n
end

local count, sum = 0, 0
for _ = 1, 300 do
  if index() then count = count + 1 end
  sum = sum + close()
end
print(count, sum)
