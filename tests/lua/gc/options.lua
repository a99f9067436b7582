-- collectgarbage: every option, its results and errors.
print(collectgarbage(), collectgarbage("collect"), math.type(collectgarbage("count")), collectgarbage("count") > 1)
print(collectgarbage("isrunning"), collectgarbage("stop"), collectgarbage("isrunning"), collectgarbage("restart"), collectgarbage("isrunning"))
print(type(collectgarbage("step")), type(collectgarbage("step", 100)), type(collectgarbage("step", 1 << 20)))
collectgarbage("incremental")
local pause, mul = collectgarbage("setpause", 200), collectgarbage("setstepmul", 400)
print(math.type(pause), math.type(mul), collectgarbage("setpause", pause), collectgarbage("setstepmul", mul))
print(collectgarbage("generational"), collectgarbage("generational"), collectgarbage("incremental"), collectgarbage("incremental"), collectgarbage("generational", 20, 100), collectgarbage("incremental", 200, 100, 13))
print(pcall(collectgarbage, "bad")) print(pcall(collectgarbage, 5)) print(pcall(collectgarbage, {})) print(pcall(collectgarbage, "step", "x"))
-- memory grows with what is kept and falls when it is dropped
collectgarbage() local base = collectgarbage("count")
local t = {} for i = 1, 2000 do t[i] = { i, tostring(i) } end
local grown = collectgarbage("count") t = nil collectgarbage()
local after = collectgarbage("count") print(grown - base > 100, after - base < (grown - base) / 4)
-- nothing is collected while stopped
collectgarbage() collectgarbage("stop") local w = setmetatable({}, { __mode = "v" }) w[1] = {}
for i = 1, 5000 do local x = { i } end print(w[1] ~= nil) collectgarbage("restart") collectgarbage() print(w[1])
-- steps finish a cycle
w[1] = {} local steps = 0 repeat steps = steps + 1 until collectgarbage("step", 10) or steps > 100000 print(steps <= 100000) collectgarbage() print(w[1])
for _, mode in ipairs({ "generational", "incremental" }) do
  collectgarbage(mode) local live = {}
  for i = 1, 3000 do live[i % 100 + 1] = { i, { i } } if i % 500 == 0 then collectgarbage("step", 0) end end
  local s = 0 for i = 1, 100 do s = s + live[i][1] + live[i][2][1] end print(mode, s)
  w[1] = {} collectgarbage() print(w[1])
end
collectgarbage("incremental")
