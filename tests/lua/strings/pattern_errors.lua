-- Malformed patterns and limits of the matcher.
local function message(s, p, ...)
  print(("%q"):format(p), select(2, pcall(string.find, s, p, ...)))
end
for _, p in ipairs({ "(", ")", "(()", "())", "%", "[", "[a", "[^", "[]", "[%", "%b", "%bx", "%f", "%fa", "(.)%2", "%1", "(%1)", "x%", "[a-%", "[%a" }) do
  message("abc", p)
end
message(("x"):rep(300), ("(x)"):rep(33))
print(("x"):rep(32):match(("(x)"):rep(32)) == "x", select("#", ("x"):rep(32):match(("(x)"):rep(32))))
print(pcall(string.rep("x", 10).match, "x", 5), pcall(string.match, {}, "x"))
-- the depth of the matcher is limited, but single characters with quantifiers need none
print(("a"):rep(20000):find("^.-b"))
print(pcall(string.match, ("x"):rep(1000), ("x?"):rep(1000)))
print(#("a"):rep(100000):match("a*"), #("a"):rep(100000):match(".-$"), ("a"):rep(100000):find("b", 1, true))
print(pcall(string.find, "a", "a", 1, true), pcall(string.find, "a(", "(", 1, true))
print(("abc"):find("[b-]"), ("a-c"):find("[b-]"), ("a-c"):find("[+--]"), ("x"):find("[%a-%z]"))
print(("a]c"):find("[]]"), ("abc"):find("[^%]]"), ("[x"):find("[[]"), ("a^"):find("[a^]", 2))
