-- Escapes and long brackets.
print("\65\066\x43\u{44}\z
       E", "a\
b", 'it\'s', "tab\tnl\\n")
print(#"\0", #"\a\b\f\n\r\t\v\\\"\'", "\x41\x7a", "\u{0}" == "\0", "\1234")
print("\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10FFFF}" == "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF4\x8F\xBF\xBF")
print(("\u{7FFFFFFF}"):byte(1, -1))
print([[
first newline is dropped]], [==[
]] ]=] stays]==], #[[

x]])
print(#[[\n]], [[a
b]], [=[]]]=])
for _, s in ipairs({
  [["\q"]], [["\300"]], [["\xZZ"]], [["\x4"]], [["\u{110000000}"]], [["\u{}"]], [["\u41"]], [["\u{41"]], '"open', "'open\n'", "[[open", "[==[ x ]=]",
  [["\]], '"a\nb"', "[=x", "--[[ open", "[==x", '"\\400"', '"\\1x"',
}) do
  local f, e = load("return " .. s, "=n")
  print(f and ("%q"):format(tostring(f())) or e)
end
-- line ends of other systems count and read as one newline
for _, nl in ipairs({ "\n", "\r", "\r\n", "\n\r" }) do
  local f = load("return [[" .. nl .. "a" .. nl .. "b" .. nl .. nl .. "c]], debug.getinfo(1, 'l').currentline, '\\" .. nl .. "'")
  local text, line, escaped = f()
  print(("%q"):format(text), line, ("%q"):format(escaped))
end
print("\z   a\z
  b", "x\z", #"\z   ")
--[[ a long
comment ]] print("after")
--[==[ another ]] one
]==] print("after")
---[[ not long
print("short comment")
--]]
print(#"\x00\x00", "a\0b" == "a\0b", "a\0b" == "a\0c", #"a\0b\0")
