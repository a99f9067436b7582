-- Inner loops whose preparation is part of the outer loop's trace.

local function run(name, list)
  -- each triple so often that what follows its exits is compiled, too
  for _, l in ipairs(list) do
    local n, sum, last = 0, 0, nil
    for round = 1, 30 do
      for i = l[1], l[2], l[3] do
        n = n + 1
        sum = sum + i
        last = i
      end
    end
    print(name, l[1], l[2], l[3], n, sum, last)
  end
end

local min, max = math.mininteger, math.maxinteger
run("up", {{1, 10, 1}, {1, 10, 2}, {1, 10, 3}, {1, 9, 4}, {1, 1, 5}, {2, 1, 5}, {-7, 7, 7}, {1, 0, 1}})
run("down", {{10, 1, -1}, {10, 1, -2}, {10, 1, -3}, {9, 1, -4}, {1, 1, -5}, {1, 2, -5}, {7, -7, -7}, {0, 1, -1}})
run("edge", {
  {max - 2, max, 1}, {max - 2, max, 2}, {max - 2, max, 3}, {min + 2, min, -1}, {min + 2, min, -2}, {min + 2, min, -3},
  {min, max, max}, {max, min, min}, {max, min, -max}, {min, max, max // 2}, {0, max, max}, {-1, max, max}, {1, min, min}, {0, min, min},
})
run("float limit", {
  {1, 10.5, 1}, {1, 10.5, 2}, {1, 10.0, 3}, {1, 0.5, 1}, {10, 0.5, -1}, {10, 0.5, -2}, {10, 10.5, -1}, {1, -1.5, 2},
  {max - 2, math.huge, 1}, {min + 2, -math.huge, -1}, {1, -math.huge, 1}, {1, 0 / 0, 1}, {max - 3, 9.3e18, 2},
})
run("float", {{1.0, 2, 1}, {1, 2, 0.25}, {2, 1.0, -0.25}})

do -- steps that are constants
  local n, sum = 0, 0
  for round = 1, 100 do
    for i = round, 50, 3 do n, sum = n + 1, sum + i end
    for i = 50, round, -3 do n, sum = n + 1, sum + i end
    for i = round, round * 1.5, 2 do n, sum = n + 1, sum + i end
    for i = round * 1.5 // 1 | 0, round + 0.5, -2 do n, sum = n + 1, sum + i end
  end
  print(n, sum)
end

do -- steps and limits that change their kind on the way
  local n, sum = 0, 0
  for round = 1, 200 do
    local step = round % 5 == 0 and -1 or round % 7 == 0 and -3 or round % 3
    local limit = round % 11 == 0 and 20.5 or round % 13
    if step ~= 0 then
      for i = 10, limit, step do n, sum = n + 1, sum + i * step end
    else
      local ok, e = pcall(function() for i = 10, limit, step do n = n + 1 end end)
      sum = sum + #e:match(": (.*)")
    end
  end
  print(n, sum)
end

do -- the limit is a variable, too
  local sum = 0
  for round = 1, 100 do
    local limit = 20
    for i = 1, limit, 3 do sum = sum + limit + i end
    sum = sum + limit
  end
  print(sum)
end
