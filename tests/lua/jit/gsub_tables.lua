-- string.gsub with tables: what is found, what is kept between, numbers, false, captures as keys, errors.
local text = "hello world, how are you"
local some, none, mixed = { o = "0", w = "W" }, {}, { h = false, e = 3, l = 2.5, o = "" }
local words = { hello = "bye", you = "<%1>" }
local out
for i = 1, 60 do
  out = {
    (text:gsub(".", some)), (text:gsub("%w", none)), (text:gsub("%w", mixed)), (text:gsub("%w+", words)),
    (text:gsub("(%w)(%w)", some)), (text:gsub("()o", { [5] = "five", [8] = 8 })), (text:gsub("o", some, 2)),
    (text:gsub("", some)), (text:gsub("^h", { h = "H" })), (text:gsub("$", some)), select(2, text:gsub("%w", none)),
  }
end
print(table.concat(out, "|"))
for i = 1, 60 do
  mixed.e = i % 2 == 0 and i or nil
  mixed[i] = "x"
  out = { text:gsub("[eh]", mixed) }
end
print(table.unpack(out))
print(pcall(function()
  for i = 1, 60 do
    out = text:gsub("y", { y = i == 50 and {} or "Y" })
  end
end))
