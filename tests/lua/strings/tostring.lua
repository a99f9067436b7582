-- tostring and print with metatables, __name, __tostring errors; print calls no user tostring.
print(tostring(nil), tostring(true), tostring(false), tostring(1), tostring(1.0), tostring("s"))
for _, v in ipairs({ {}, print, coroutine.create(print), io.stdout, function() end }) do
  print((tostring(v):gsub("0x%x+", "ADDR")))
end
print((tostring(setmetatable({}, { __name = "Point" })):gsub("0x%x+", "ADDR")))
print(tostring(setmetatable({}, { __tostring = function() return "custom" end, __name = "ignored" })))
print(pcall(tostring, setmetatable({}, { __tostring = function() return 1 end })))
print(pcall(tostring, setmetatable({}, { __tostring = function() return {} end })))
print(pcall(tostring, setmetatable({}, { __tostring = function() error("boom", 0) end })))
print(pcall(print, setmetatable({}, { __tostring = function() error("in print", 0) end })))
print((tostring(setmetatable({}, { __name = 5 })):gsub("0x%x+", "ADDR")))
print(pcall(tostring))
local t = {}
print(tostring(t) == tostring(t), tostring(t) ~= tostring({}), (tostring(t):match("^table: 0x%x+$")) ~= nil)
local saved = tostring
tostring = function() return "replaced" end
print(1, nil)
tostring = saved
print()
print(nil)
print("", "")
print(1, "a", nil, true, 2.5)
io.write(1, " ", 2.5, " ", "x", "\n")
print(pcall(io.write, nil))
print(select("#", print()))
print(setmetatable({}, { __tostring = function() return "with\0zero" end }))
