-- string.gmatch: captures, empty matches, anchors, initial positions, changes while iterating.
for w in ("one two  three"):gmatch("%a+") do io.write("[", w, "]") end print()
for k, v in ("a=1, b=2, c=3"):gmatch("(%w+)=(%w+)") do io.write(k, ":", v, " ") end print()
for p in ("abc"):gmatch("()") do io.write(p, " ") end print()
for s in ("abc"):gmatch("x*") do io.write("<", s, ">") end print()
for s in ("aXbXXc"):gmatch("X*") do io.write("<", s, ">") end print()
for s in ("hello"):gmatch("^h") do io.write("<", s, ">") end print("anchored")
for s in ("hello"):gmatch("l", 4) do io.write("<", s, ">") end print("from 4")
for s in ("hello"):gmatch("l", -2) do io.write("<", s, ">") end print("from -2")
for s in ("hello"):gmatch("l", 100) do io.write("<", s, ">") end print("from 100")
for a, b in ("k1v1k2v2"):gmatch("(k%d)(v%d)") do io.write(a, b, ";") end print()
local it = ("a b c"):gmatch("%a")
print(it(), it(), it(), it(), it())
local outer = {}
for x in ("ab"):gmatch(".") do
  for y in ("12"):gmatch(".") do outer[#outer + 1] = x .. y end
end
print(table.concat(outer, " "))
for line in ("one\ntwo\n\nfour"):gmatch("([^\n]*)\n?") do io.write("(", line, ")") end print()
print(pcall(string.gmatch, "x"))
print(pcall(string.gmatch("abc", "(")))
print(pcall(string.gmatch("abc", "%")))
local n = 0
for _ in ("x"):rep(100):gmatch("x") do n = n + 1 end
print(n)
local count = 0
for _ in (""):gmatch("") do count = count + 1 end
print(count)
for a, b, c in ("2024-01-02 2025-03-04"):gmatch("(%d+)-(%d+)-(%d+)") do print(a, b, c) end
