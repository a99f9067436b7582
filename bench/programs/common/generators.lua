-- group: coroutines
-- Generators through coroutine.wrap: tree walks, filters stacked on one another, permutations.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(450 * scale)
local wrap, yield = coroutine.wrap, coroutine.yield

local function insert(tree, key)
  if not tree then
    return { key = key }
  end
  if key < tree.key then
    tree.left = insert(tree.left, key)
  else
    tree.right = insert(tree.right, key)
  end
  return tree
end

local function walk(tree)
  if tree then
    walk(tree.left)
    yield(tree.key)
    walk(tree.right)
  end
end

local function keys(tree)
  return wrap(function()
    walk(tree)
  end)
end

local function keep(source, test)
  return wrap(function()
    for v in source do
      if test(v) then
        yield(v)
      end
    end
  end)
end

local function permute(list, n)
  if n <= 1 then
    yield(list)
  else
    for i = 1, n do
      list[i], list[n] = list[n], list[i]
      permute(list, n - 1)
      list[i], list[n] = list[n], list[i]
    end
  end
end

local seed, tree = 3, nil
for _ = 1, 3000 do
  seed = (seed * 16807) % 2147483647
  tree = insert(tree, seed % 100000)
end
local check = 0
for round = 1, rounds do
  local odd = keep(keys(tree), function(v)
    return v % 2 == 1
  end)
  local few = keep(odd, function(v)
    return v % (round + 2) ~= 0
  end)
  for v in few do
    check = (check * 3 + v) % 1000003
  end
  for p in
    wrap(function()
      permute({ 1, 2, 3, 4, 5, 6 }, 6)
    end)
  do
    check = (check + p[1] * p[6]) % 1000003
  end
end
print(string.format("generators %d", check))
