-- group: gc
-- Linked lists: build, reverse, merge sort, drop; steady churn of two-field records.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(60 * scale)
local length = 8000

local function make(n, seed)
  local list
  for _ = 1, n do
    seed = (seed * 16807) % 2147483647
    list = { value = seed % 10000, next = list }
  end
  return list
end

local function reversed(list)
  local out
  while list do
    out = { value = list.value, next = out }
    list = list.next
  end
  return out
end

local function merge(a, b)
  local head = {}
  local last = head
  while a and b do
    if a.value <= b.value then
      last.next, a = a, a.next
    else
      last.next, b = b, b.next
    end
    last = last.next
  end
  last.next = a or b
  return head.next
end

local function sort(list, n)
  if n <= 1 then
    if list then
      list.next = nil
    end
    return list
  end
  local half = math.floor(n / 2)
  local middle = list
  for _ = 1, half do
    middle = middle.next
  end
  local right = sort(middle, n - half)
  local left = sort(list, half)
  return merge(left, right)
end

local check = 0
for round = 1, rounds do
  local list = sort(reversed(make(length, round)), length)
  local at, previous = 0, -1
  local node = list
  while node do
    assert(node.value >= previous)
    previous = node.value
    at = at + 1
    if at % 1000 == 0 then
      check = (check * 3 + node.value) % 1000003
    end
    node = node.next
  end
  assert(at == length)
end
print(string.format("listchurn %d", check))
