-- functions of strings and tables that traces contain or call, none of them by the interpreter's helper
local map = { a = "1" }
local n, s = 0, "key=value; a.b"
for i = 1, 300 do
  local a, b = s:find("%a+", i % 3 + 1)
  local k, v = s:match("(%a+)=(%a+)")
  local g, c = s:gsub("%a", "<%0>")
  local t = s:gsub("a", map)
  local ch = s:sub(i % 5 + 1, i % 5 + 1)
  if ch == "y" then n = n + 1 end
  n = n + a + b + #k + #v + c + #t + #g + #string.char(i % 256)
  n = n + #string.format("%d %q %5.2f", i, ch, i / 3) + (map[ch] and 1 or 0)
  map["k" .. i % 20] = ch
end
for w in (s .. " "):rep(100):gmatch("%a+") do n = n + #w end
print(n)
