-- debug.getinfo: each option letter, functions and levels, errors.
local function f(a, b, ...) local i = debug.getinfo(1, "nSlutfrL") return i end
local i = f(1, 2, 3)
print(i.name, i.namewhat, i.what, i.short_src, i.linedefined, i.lastlinedefined, i.currentline, i.nups, i.nparams, i.isvararg, i.istailcall, i.func == f, i.ftransfer, i.ntransfer)
local lines = {} for l in pairs(i.activelines) do lines[#lines + 1] = l end table.sort(lines) print(table.concat(lines, " "))
i = debug.getinfo(print) print(i.what, i.short_src, i.source, i.currentline, i.linedefined, i.lastlinedefined, i.nups, i.nparams, i.isvararg, i.name, i.func == print, i.activelines)
i = debug.getinfo(1) print(i.what, i.name, i.namewhat, i.short_src, i.nparams, i.isvararg, i.linedefined)
print(debug.getinfo(100), debug.getinfo(0, "n").name, debug.getinfo(0, "S").what, debug.getinfo(f, "n").name)
local function multi(
  a,
  b
)
  local x = a

  if x then
    return b -- comment
  end

  return function()
    return x
  end
end
i = debug.getinfo(multi, "SL") lines = {} for l in pairs(i.activelines) do lines[#lines + 1] = l - i.linedefined end table.sort(lines) print(i.lastlinedefined - i.linedefined, table.concat(lines, " "))
local t = {} function t.field() return debug.getinfo(1, "n") end function t:method() return debug.getinfo(1, "n") end
local function show(n) print(n.name, n.namewhat) end
local r = t.field() show(r) r = t:method() show(r) function globalfn() local n = debug.getinfo(1, "n") return n end r = globalfn() show(r)
r = (function() return debug.getinfo(1, "n") end)() show(r) local up = f local function viaup() local q = up() return q end r = viaup() show(r)
r = { pcall(function() return debug.getinfo(1, "n") end) } show(r[2])
local mt = setmetatable({}, { __index = function() return debug.getinfo(1, "n") end, __add = function() return debug.getinfo(1, "n") end, __call = function() return debug.getinfo(1, "n") end, __lt = function() show(debug.getinfo(1, "n")) return true end, __concat = function() return debug.getinfo(1, "n") end, __len = function() return debug.getinfo(1, "n") end, __unm = function() return debug.getinfo(1, "n") end, __eq = function() show(debug.getinfo(1, "n")) return true end, __close = function() show(debug.getinfo(1, "n")) end, __newindex = function() show(debug.getinfo(1, "n")) end })
r = mt.x show(r) r = mt + 1 show(r) r = mt() show(r) r = mt < 1 r = mt .. "" show(r) r = #mt show(r) r = -mt show(r) r = mt == setmetatable({}, getmetatable(mt)) mt.y = 1 do local c <close> = mt end
for v in function() if not r then return end local n = debug.getinfo(1, "n") r = nil return n end do show(v) end
local function tail() return debug.getinfo(1, "nt") end local function calls() return tail() end r = calls() print(r.name, r.istailcall) r = tail() print(r.name, r.istailcall)
local co = coroutine.create(function(a) local x = a coroutine.yield() end) coroutine.resume(co, 5)
i = debug.getinfo(co, 1, "Sl") print(i.what, i.currentline, debug.getinfo(co, 0, "n").name, debug.getinfo(co, 2), debug.getinfo(co, 1, "f").func ~= nil)
for _, o in ipairs({ "S", "l", "u", "n", "t", "r", "f", "L", "SlL", "" }) do local keys = {} for k in pairs(debug.getinfo(1, o)) do keys[#keys + 1] = k end table.sort(keys) print(o, table.concat(keys, " ")) end
print(pcall(debug.getinfo, 1, "X")) print(pcall(debug.getinfo, 1, ">S")) print(pcall(debug.getinfo)) print(pcall(debug.getinfo, "x")) print(debug.getinfo(-1), pcall(debug.getinfo, {}, "S")) print(pcall(debug.getinfo, co, "x"))
local nested = load("local function inner() return 1 end return inner", "@chunk.lua")() i = debug.getinfo(nested, "S") print(i.source, i.short_src, i.linedefined, i.what)
print(debug.getinfo(load("x = 1\n\ny = 2\n"), "L").activelines[1], debug.getinfo(load("x = 1\n\ny = 2\n"), "L").activelines[2], debug.getinfo(load("x = 1\n\ny = 2\n"), "L").activelines[3])
