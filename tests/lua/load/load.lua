-- load: strings, reader functions, names, modes, environments, returned errors.
print(load("return 1 + 1")(), load("x = ")) print(load("return ...")("a", "b"))
local n = 0
local pieces = { "return ", "1", "2", " + ", "3" }
print(load(function() n = n + 1 return pieces[n] end)())
n = 0
print(load(function() n = n + 1 return n == 1 and "return 'stops at empty'" or n == 2 and "" or " garbage" end)())
print(type(load(function() return nil end)))
print(pcall(load, function() return {} end))
print(pcall(load)) print(pcall(load, {})) print(pcall(load, nil))
print(load("error('e')", "=name") and pcall(load("error('e')", "=name"))) print(pcall(load("error('e')", "@file")))
print(load("return x", "n", "t", { x = "from env" })(), load("x = 5 return x", "n", "t", {})(), x)
local env = {}
load("a = 1 b = function() return a end c = _ENV", "n", "t", env)()
print(env.a, env.b(), env.c == env) env.a = 2 print(env.b())
print(pcall(load("return y.z", "=n", "t", { })))
print(load("return 1", "=n", "b"))
print(select(2, load("\27Lua", "=bin", "t"))) print((load(string.dump(function() end), "=bin", "t")))
print(pcall(load("return nil", "n", "t", nil)), pcall(load("return print", "n", "t", nil)))
print(load("#!shebang\nreturn 1", "=sb"))
print(load("return function(a) return a * 2 end")()(21), load("")(), load("-- only a comment")(), load(";;;")())
local f = load("local a = ... local function g() return a end return g, function(v) a = v end")
local g1, s1 = f(1) local g2, s2 = f(2) s1(10)
print(g1(), g2(), f ~= load("return 1"))
-- chunk names
for _, name in ipairs({ "=short", "@path/to/file.lua", "return 1", "multi\nline", "=" .. ("x"):rep(80), "@" .. ("long/"):rep(20) .. "f.lua", ("s"):rep(80) }) do
  local info = debug.getinfo(load("return 1", name), "S")
  print(info.short_src, #info.source, info.what, info.linedefined, info.lastlinedefined)
end
print(debug.getinfo(load("return 1"), "S").source, debug.getinfo(load(function() end), "S").source)
-- NUL bytes, CRLF, a BOM is not accepted by load
print(load("return 'a\0b'")() == "a\0b", load("return 1\r\n+ 1\r\n")(), load("return\0 1", "=nul"), load("\xEF\xBB\xBFreturn 1", "=bom"))
print(load("return '\xff\xfe'")() == "\xff\xfe", load("local é = 1", "=utf8"))
-- many pieces, one byte at a time
local src, at = "local t = {} for i = 1, 10 do t[i] = i * 'i'..'j' end return #t, t[10]", 0
src = src:gsub("i %* 'i'", "i")
print(load(function() at = at + 1 return src:sub(at, at) ~= "" and src:sub(at, at) or nil end)())
-- errors thrown by a reader come back as the error of load
print(pcall(function() return load(function() error("reader", 0) end) end))
print(type(select(3, pcall(load, function() error({}) end))))
-- the functions of one chunk share the chunk's _ENV
local e1 = { print = print }
local get, set = load("return function() return v end, function(x) v = x end", "n", "t", e1)()
set(7) print(get(), e1.v, v)
