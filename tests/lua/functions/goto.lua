-- goto and labels: continue, nested breaks, loops made of gotos, visibility, closures, errors.
for i = 1, 3 do
  for j = 1, 3 do
    if j == 2 then goto next_i end
    io.write(i, ",", j, " ")
  end
  ::next_i::
end
print()
do
  local n = 0
  ::again::
  n = n + 1
  if n < 5 then goto again end
  print(n)
end
for i = 1, 10 do
  for j = 1, 10 do
    if i * j == 42 then print(i, j) goto done end
  end
end
::done::
do goto skip; print("skipped") ::skip:: end
do
  goto f
  ::b:: print("b") goto e
  ::f:: print("f") goto b
  ::e:: print("e")
end
-- the same label in other functions and in blocks that do not overlap
local function g(x)
  if x then goto done end
  print("not x")
  ::done::
  return x
end
g(true) g(false)
do ::l1:: end do ::l1:: end
while true do do break end end
repeat
  local x = 1
  if x == 1 then goto continue end
  print("never")
  ::continue::
until true
-- each jump backwards makes new locals
local fs = {}
do
  local i = 1
  ::top::
  local x = i
  fs[i] = function() x = x + 100 return x end
  i = i + 1
  if i <= 3 then goto top end
end
print(fs[1](), fs[1](), fs[2](), fs[3]())
local function state(input)
  local i, out = 0, {}
  ::start::
  i = i + 1
  local c = input:sub(i, i)
  if c == "" then goto finish elseif c == "(" then goto open end
  out[#out + 1] = c
  goto start
  ::open::
  i = i + 1
  c = input:sub(i, i)
  if c == ")" or c == "" then goto start end
  goto open
  ::finish::
  return table.concat(out)
end
print(state("ab(cd)ef(g)h"))
for _, s in ipairs({
  "goto nowhere", "do ::a:: end goto a", "::a:: ::a::", "goto f local x ::f:: print(x)", "break", "if true then break end", "function f() goto out end ::out::",
  "do goto l1 end local a ::l1:: ; ;", "repeat if x then goto cont end local xuxu = 10 ::cont:: until xuxu < x", "::1::", "goto = 1", "goto", "for i = 1, 2 do ::x:: end goto x",
  "do local a goto b ::b:: end", "::a:: do ::a:: end",
}) do
  print(select(2, load(s, "=g")) or "ok")
end
