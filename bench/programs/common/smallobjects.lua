-- group: gc
-- A sliding window of small mixed objects: tables, closures and strings with different lifetimes.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(800000 * scale)

local window, size = {}, 20000
for i = 1, size do
  window[i] = false
end
local check = 0
for i = 1, rounds do
  local slot = i * 7919 % size + 1
  local kind = i % 4
  local old = window[slot]
  if old then
    check = (check + old.id) % 1000003
  end
  if kind == 0 then
    window[slot] = { id = i, pair = { i, i + 1 } }
  elseif kind == 1 then
    window[slot] = { id = i, get = function() return i end }
  elseif kind == 2 then
    window[slot] = { id = i, name = "object " .. i % 5000 }
  else
    window[slot] = { id = i, a = i, b = -i, c = 0.5, d = true }
  end
end
local last = 0
for i = 1, size do
  local o = window[i]
  if o and o.get then
    last = (last + o.get()) % 1000003
  elseif o and o.name then
    last = (last + #o.name) % 1000003
  elseif o and o.pair then
    last = (last + o.pair[2]) % 1000003
  end
end
print(string.format("smallobjects %d %d", check, last))
