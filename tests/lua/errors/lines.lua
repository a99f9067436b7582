-- Line numbers of errors in expressions and statements that span lines.
local function line(src)
  local f, e = load(src, "=src")
  if not f then return print("syntax", e) end
  local ok, e = pcall(f)
  print(ok, (tostring(e)))
end
line("local a\n\n= nil\na.b = 1")
line("local a = nil\nlocal b = a\n  .x\n  .y")
line("local t = {}\nt.x\n.y\n.z = 1")
line("local function f() error('in f') end\nf(\n1,\n2\n)")
line("local t = {}\nt.method(\n1)")
line("return 1 +\n2 +\nnil")
line("local a = 1\nlocal b = {}\nreturn a\n+\nb")
line("return 'a' ..\n'b' ..\n{} ..\n'c'")
line("local x = {\n1,\n2,\nnil + 1,\n}")
line("error('first line')")
line("\n\n\nerror('fourth line')")
line("error(\n'argument on line 2'\n)")
line("local function f()\nreturn error('inside')\nend\nf()")
line("local f = function(a,\nb)\nreturn a +\nb\nend\nf(1,\nnil)")
line("for i = 1, 3 do\nif i == 2 then\nerror('in loop')\nend\nend")
line("while true do\nlocal x = nil\nx()\nend")
line("repeat\nlocal x = 1\nuntil x.y.z")
line("if nil\n== 1\nthen\nelseif (1)\n.x.y then\nend")
line("local t = setmetatable({}, {__index = function()\nerror('in index')\nend})\nreturn t\n.x")
line("local a <close> =\n42")
line("for i = 1,\n{} do end")
line("for k in\nnil do\nend")
line("goto l1\n::l1::\nerror('after label')")
line("-- comment\n--[[ long\ncomment ]] error('line 3')")
line("local s = [[\nlong\nstring]]\nerror('line 4')")
line("local s = 'a\\\nb\\\nc'\nerror('line 4')")
line("local s = 'a\\z\n\n\nb' error('line 4')")
line("return\n\n#nil")
line("return -\n{}")
line("local a, b =\n1,\nx.y")
line("x.a\n,\nx.b = 1, 2")
line("return function() end,\nnil .. 'x'")
line("assert(\nfalse,\n'assert has no position')")
line("local ok = pcall(error)\nlocal a\na[nil] = 1")
line("local t = {}\nt[\nnil\n] = 1")
line("string.rep(\n)")
line("return ('x'):rep(1e10\n)\n:len(), 1 < 'x'")
print(select(2, load("x =\n\n=", "=s")), select(2, load("for\n1", "=s")), select(2, load("\n\nlocal function", "=s")))
-- currentline of calls on several lines
local lines = {}
local function here() lines[#lines + 1] = debug.getinfo(2, "l").currentline end
local base = debug.getinfo(1, "l").currentline
here(
) here()
local _ = {
  here(),
  here(), x = here(
  ),
}
here(here(),
  here())
for i = 1, #lines do io.write(lines[i] - base, " ") end print()
