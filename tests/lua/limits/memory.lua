-- nostress: long strings and stacks
-- Sizes that cannot be allocated end in an error, and the state stays usable.
local function check(f, ...) print(select(2, pcall(f, ...))) end
check(string.rep, "x", math.maxinteger)
check(string.rep, "xx", 1 << 62)
check(string.rep, "x", 1 << 40, ("y"):rep(1 << 10))
check(table.concat, setmetatable({}, { __len = function() return math.maxinteger end }))
check(function() return ("x"):rep(-math.maxinteger) end)
check(table.unpack, {}, 1, 1 << 30)
check(table.unpack, {}, -1 << 40, 1 << 40)
check(string.byte, ("x"):rep(2000000), 1, -1)
check(select, "#", table.unpack({}, 1, 200000))
print(#("x"):rep(10000000))
local t = {}
t[1 << 40] = 1 t[math.maxinteger] = 2 t[math.mininteger] = 3
print(t[1 << 40], t[math.maxinteger], t[math.mininteger], #t)
print(pcall(load, ("x"):rep(100)), #tostring(select(2, load("return '" .. ("y"):rep(1000000)))))
print(pcall(string.format, "%" .. ("0"):rep(50) .. "d", 1))
print(#string.format("%s", ("z"):rep(1000000)), #string.format("%.99f", 1e300))
