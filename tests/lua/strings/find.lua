-- string.find and string.match: plain search, initial positions, anchors, captures.
print(("hello world"):find("o"), ("hello world"):find("o", 6), ("hello world"):find("xyz"), ("hello"):find(""), ("hello"):find("", 3))
print((""):find(""), (""):find("", 2), ("abc"):find("", 4), ("abc"):find("", 5), ("abc"):find("", -1), ("abc"):find("", -10))
print(("a.b"):find(".", 1, true), ("a.b"):find("%."), ("a+b"):find("+b", 1, true), ("a\0b"):find("\0", 1, true), ("aXb"):find("x", 1, true))
print(("hello"):find("l+"), ("hello"):find("(l)(l)"), ("hello"):find("()ll()"), ("hello"):find("^h"), ("hello"):find("^e"), ("hello"):find("^e", 2))
print(("hello"):find("o$"), ("hello"):find("l$"), ("he$llo"):find("$l"), ("a^b"):find("a^b"), ("hello"):match("^(.-)l"))
print(("key = value"):match("^(%w+)%s*=%s*(%w+)$"), ("x"):match("(y)"), ("abc"):match("b"), ("abc"):match("()b()"))
print(("  trim  "):match("^%s*(.-)%s*$") .. "|", ("2024-01-02"):match("(%d+)-(%d+)-(%d+)"))
print(("abc"):match("", 10), ("abc"):match(".", -1), ("abc"):match("^b", 2), ("abc"):find("b", -2), ("abc"):find("a", -2))
print(("aaa"):find("a-", 2), ("aaa"):match("a-$"), ("aaab"):match("a-b"), ("aaab"):match("a*"), ("aaab"):match("a+"), ("baaab"):match("a?"))
print(string.find("abc", "b", 1.0), pcall(string.find, "abc", "b", 1.5))
print(pcall(string.find, "abc"))
print(pcall(string.find, nil, "a"))
print(("\0a\0b"):find("%z"), ("\0a\0b"):match("[\0]b"), ("a\0b"):find("\0"), ("x\0y"):match("%Z+"))
local text = "THE (quick) fox"
print(text:find("%((%a+)%)"), text:find("(", 1, true), text:match("%u+"), text:match("%l+"), text:match("%b()"))
print(("needle in a haystack"):find("haystack", 1, true), ("aaaaab"):find("aab", 1, true), ("abababac"):find("ababac", 1, true))
print(("x"):rep(1000):find(("x"):rep(500) .. "y"), (("x"):rep(1000) .. "y"):find("x-y"))
for _, init in ipairs({ math.mininteger, -4, -3, 0, 3, 4, 5, math.maxinteger }) do
  print(init, ("abc"):find(".", init), ("abc"):find("c", init, true))
end
