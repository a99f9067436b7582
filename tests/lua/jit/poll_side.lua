-- A loop whose ways alternate: each iteration leaves the compiled one before its end, so that only side traces go around.
-- The collector has to run all the same.
local window, check, most = {}, 0, 0
for i = 1, 64 do window[i] = false end
for i = 1, 300000 do
  local slot, kind = i * 7919 % 64 + 1, i % 4
  local old = window[slot]
  if old then check = (check + old.id) % 1000003 end
  if kind == 0 then
    window[slot] = { id = i, pair = { i, i + 1 } }
  elseif kind == 1 then
    window[slot] = { id = i, get = function() return i end }
  elseif kind == 2 then
    window[slot] = { id = i, name = "object " .. i % 500 }
  else
    window[slot] = { id = i, a = i, b = -i, c = 0.5, d = true }
  end
  if i % 1000 == 0 then most = math.max(most, collectgarbage("count")) end
end
print(check, most < 4000 or most)
