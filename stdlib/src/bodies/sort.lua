-- The body of table.sort(t, less): PUC's quicksort of t[1 .. n], n > 1. What waits to be sorted is in `stack`, three values for each part:
-- its ends, and what stands for a random number.
local leave, invalid = ...

return function(t, less, n)
  local lo, up, random = 1, n, 0
  local stack, top = nil, 0
  while true do
    while lo < up do
      -- order elements lo, mid and up
      local a, b = t[lo], t[up]
      if less(b, a) then
        t[lo] = b
        t[up] = a
      end
      if up - lo == 1 then break end
      local mid
      if up - lo < 100 or random == 0 then
        mid = (lo + up) // 2
      else
        local quarter = (up - lo) // 4
        mid = random % (quarter * 2) + lo + quarter
      end
      a, b = t[mid], t[lo]
      if less(a, b) then
        t[mid] = b
        t[lo] = a
      else
        b = t[up]
        if less(b, a) then
          t[mid] = b
          t[up] = a
        end
      end
      if up - lo == 2 then break end
      local pivot = t[mid]
      t[mid] = t[up - 1]
      t[up - 1] = pivot
      -- part the rest
      local i, j = lo, up - 1
      while true do
        i = i + 1
        local left = t[i]
        while less(left, pivot) do
          if i == up - 1 then invalid() end
          i = i + 1
          left = t[i]
        end
        j = j - 1
        local right = t[j]
        while less(pivot, right) do
          if j < i then invalid() end
          j = j - 1
          right = t[j]
        end
        if j < i then
          t[up - 1] = left
          t[i] = pivot
          break
        end
        t[i] = right
        t[j] = left
      end
      -- the smaller part first
      local from, to, smaller
      if i - lo < up - i then
        from, to, smaller = i + 1, up, i - lo
        up = i - 1
      else
        from, to, smaller = lo, i - 1, up - i
        lo = i + 1
      end
      if from < to then
        local later = random
        if (to - from) // 128 > smaller then later = 4294967295 end
        stack = stack or {}
        stack[top + 1] = from
        stack[top + 2] = to
        stack[top + 3] = later
        top = top + 3
      end
    end
    if top == 0 then return leave() end
    lo, up, random = stack[top - 2], stack[top - 1], stack[top]
    top = top - 3
  end
end
