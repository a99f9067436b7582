-- The utf8 library on valid text, and its tests of invalid text.
local text = "aé€😀z"
print(#text, utf8.len(text), utf8.charpattern == "[\0-\x7F\xC2-\xFD][\x80-\xBF]*")
for p, c in utf8.codes(text) do io.write(p, ":", c, " ") end print()
print(utf8.codepoint(text, 1, -1))
print(utf8.char(97, 233, 8364, 128512, 122) == text, utf8.char(), utf8.char(0) == "\0", #utf8.char(0x7FFFFFFF), #utf8.char(0x10FFFF))
for i = 1, 6 do io.write(utf8.offset(text, i), " ") end print()
for i = -1, -5, -1 do io.write(utf8.offset(text, i), " ") end print(utf8.offset(text, -6), utf8.offset(text, 7), utf8.offset(text, 0, 3), utf8.offset(text, 0, 2))
print(utf8.offset(text, 2, 2), utf8.offset(text, -1, 4), utf8.offset("", 1), utf8.offset("", 0), utf8.offset("abc", 4), utf8.offset("abc", 5))
for c in text:gmatch(utf8.charpattern) do io.write("<", c, ">") end print()
print(utf8.len(text, 2), utf8.len(text, 4), utf8.len(text, -1), utf8.len(text, 1, 1), utf8.len(text, 100 - 88, 3), utf8.len("", 1), utf8.len("abc", 4))
for _, bad in ipairs({ "\x80", "a\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "ab\xFEc", "\xF8\x88\x80\x80\x80", "\xC3\xA9\x80", "\xE2\x82" }) do
  print(utf8.len(bad))
  print(utf8.len(bad, 1, -1, true))
end
local function message(f, ...)
  print(select(2, pcall(f, ...)))
end
message(utf8.codepoint, "\xFF") message(utf8.codepoint, "abc", 4) message(utf8.codepoint, "abc", 1, 4) message(utf8.codepoint, "é", 2)
message(utf8.char, -1) message(utf8.char, 0x80000000) message(utf8.char, "x") message(utf8.len, "abc", 5) message(utf8.len, "abc", 1, 4) message(utf8.len)
message(utf8.offset, "é", 1, 2) message(utf8.offset, "abc", 1, 5) message(utf8.offset, "abc") message(utf8.codes)
message(function() for _ in utf8.codes("ab\xFF") do end end)
message(function() for _ in utf8.codes("a\xED\xA0\x80") do end end)
for p, c in utf8.codes("\xED\xA0\x80", true) do print(p, c) end
print(utf8.codepoint("\xF4\x90\x80\x80", 1, 1, true), utf8.codepoint("é€", 1, 3))
print("\u{48}\u{49}", utf8.char(72, 73), utf8.len("\u{7FFFFFFF}", 1, -1, true), utf8.len("\u{D7FF}\u{E000}"))

-- offset through long texts, in both directions
do
  local text = ("aä€😀"):rep(20) .. ("x"):rep(40) .. ("ä"):rep(40)
  local sum, nils = 0, 0
  for n = -170, 170 do
    for _, from in ipairs({ 1, 2, 4, 7, 200, #text + 1 }) do
      local ok, at = pcall(utf8.offset, text, n, from)
      if not ok then sum = sum + #at elseif at then sum = sum + at * (n % 7) else nils = nils + 1 end
    end
  end
  print(sum, nils, utf8.offset(text, 161), utf8.offset(text, 162), utf8.offset("", 1), utf8.offset("", 2), utf8.offset("a", 2), utf8.offset("a", 3))
end
