-- Pattern items: classes, sets, quantifiers, balance, frontier, back references, position captures.
local function matches(class)
  local found = {}
  for c = 0, 127 do
    if string.char(c):find("^" .. class .. "$") then found[#found + 1] = c end
  end
  local runs, i = {}, 1
  while i <= #found do
    local j = i
    while found[j + 1] == found[j] + 1 do j = j + 1 end
    runs[#runs + 1] = found[i] .. (j > i and "-" .. found[j] or "")
    i = j + 1
  end
  print(class, table.concat(runs, " "))
end
for _, class in ipairs({ "%a", "%c", "%d", "%g", "%l", "%p", "%s", "%u", "%w", "%x", "%A", "%D", "%S", ".", "[a-c]", "[^a-z]", "[%d_]", "[]]", "[^]]", "[a-]", "[-a]", "[%]]", "[a%-z]", "[^%s]", "[%w%p]", "%.", "%%", "[.]", "[%a-z]" }) do
  matches(class)
end
print(("foo(bar(baz))qux"):match("%b()"), ("[[x]y]"):match("%b[]"), ("if x end"):match("%bie"), ("((("):match("%b()"), ("aXXb"):match("%bab"))
print(("THE (quick) fox"):find("%f[%a]%a+"), ("THE (quick) fox"):gsub("%f[%a]%a+", "<%0>"), ("x"):find("%f[%z]"), ("hello"):find("%f[^%z]"))
print(("hello world"):match("(h)(e)(l)(l)(o)"), ("abab"):match("(a)(b)%1%2"), ("say 'hi' or \"no\""):match("(['\"])(.-)%1"))
print(("abc"):match("()a()b()c()"), ("aaa"):match("(a*(.)a)"), ("nested"):match("((n)(e(s)))"))
print(("a,b,,c"):gsub(",", ";"), ("aaa"):gsub("a?", "x"), ("abc"):gsub("", "-"), ("abc"):gsub("x*", "-"), ("hello"):gsub("l*", "*"))
print(("path/to/file.txt"):match("([^/]+)%.(%w+)$"), ("path/to/file.txt"):match("(.+)/"), ("a.b.c"):match("^(.-)%."), ("a.b.c"):match("^(.*)%."))
print(("0x1F"):match("^0[xX](%x+)$"), ("-12.5e3"):match("^[+-]?%d+%.?%d*[eE]?[+-]?%d*$"), ("é"):match("[\xC3][\xA9]") == "é")
print(("x=1, y=2"):gsub("(%w+)=(%w+)", "%2=%1"), ("abc"):gsub("%w", "%0%0"), ("abc"):gsub("%w", "%%"), ("a b"):gsub("%s", "%%s"))
print(("aXbXc"):gsub("X", "", 1), ("aXbXc"):gsub("X", "", 0), ("aXbXc"):gsub("X", "", -1), ("aXbXc"):gsub("X", "", 100))
print(("  x  "):gsub("^%s+", ""), ("xx"):gsub("^x", "y"), ("a\nb"):match("a.b"), ("ab"):match("a%sb"), ("\n"):match("^%s$") == "\n")
print(("[test]"):match("%[(.-)%]"), ("a-b"):match("a%-b"), ("$100"):match("%$(%d+)"), ("50%"):match("(%d+)%%"), ("a^b"):match("[%^]"), ("^"):match("[\\^]"))
print(("z"):match("[^%a]"), ("9"):match("[a-z0-9]"), ("-"):match("[a%-]"), ("\\"):match("[\\]"), ("]"):match("[]x]"), ("x]"):match("[^]]"))
