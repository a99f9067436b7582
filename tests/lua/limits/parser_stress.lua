-- nostress: compiles thousands of chunks
-- Chunks cut off anywhere, and random tokens, give an error or compile; nothing else happens.
local source = [==[
local a <const>, b = 1, { x = "s", [2] = function(...) return ... end, 'q', }
for i = 1, #b do if a == i then goto done elseif not a then break end b[i] = -i ~ 3 // 2 end
::done::
while a < 2 do a = a + 1e1 .. [[long]] end
function b.f.g:h(x, ...) local t <close> = nil; return x.y[1]("z"):m{1}, ... end
repeat local c = 0x1p4 & ~b or a and 'e\n\z
  \x41\u{48}' until c --[[ comment ]]
return b, (a)
]==]
local ok, bad = 0, 0
for i = 0, #source do
  local f, e = load(source:sub(1, i), "=cut")
  if f then ok = ok + 1 else bad = bad + 1 assert(type(e) == "string" and e:find("^cut:%d+:"), e) end
end
print(ok, bad)
for i = 1, #source do
  local f, e = load(source:sub(i), "=tail")
  if f then ok = ok + 1 else bad = bad + 1 assert(type(e) == "string") end
end
print(ok, bad)
local tokens = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
  "+", "-", "*", "/", "%", "^", "#", "&", "~", "|", "<<", ">>", "//", "==", "~=", "<=", ">=", "<", ">", "=", "(", ")", "{", "}", "[", "]", "::", ";", ":", ",", ".", "..", "...", "a", "b", "1", "2.5", "'s'", "[[l]]" }
local seed = 12345
local function random(n) seed = seed * 16807 % 2147483647 return seed % n + 1 end
ok, bad = 0, 0
local digest = 0
for _ = 1, 20000 do
  local s = {}
  for i = 1, random(8) do s[i] = tokens[random(#tokens)] end
  local f, e = load(table.concat(s, " "), "=r")
  if f then ok = ok + 1 else
    bad = bad + 1
    for i = 1, #e do digest = (digest * 31 + e:byte(i)) % 1000003 end
  end
end
print(ok, bad, digest)
for _ = 1, 3000 do
  local s = {}
  for i = 1, random(30) do s[i] = string.char(random(256) - 1) end
  local f, e = load(table.concat(s), "=b", "t")
  if not f then for i = 1, #e do digest = (digest * 31 + e:byte(i)) % 1000003 end end
end
print(digest)
