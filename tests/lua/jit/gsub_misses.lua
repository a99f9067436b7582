-- nostress: long texts
-- What string.gsub keeps is copied once, however many matches there are without a replacement.
local map = { ["-"] = "+" }
local function by_table(text, n) for i = 1, n do text = text:gsub(".", map) end return #text end
local function by_function(text, n) for i = 1, n do text = text:gsub("x", function(x) return i == 3 and x or nil end) end return #text end
print(by_table("x-x", 100), by_function("x-x", 100))
local long = ("x"):rep(1000000)
print(by_table(long, 12), by_function(long, 2))
