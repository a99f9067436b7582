-- nostress: compiles very large functions
-- Functions with more constants, jumps, locals and upvalues than short operands can hold.
local N = 70000
local parts = { "local t = {" }
for i = 1, N do parts[#parts + 1] = (i + 0.5) .. "," end
parts[#parts + 1] = "} return t"
local t = assert(load(table.concat(parts, "\n")))()
print(#t, t[1], t[N], t[35000])
parts = { "local t = {}" }
for i = 1, N do parts[#parts + 1] = "t[" .. i .. "] = 'string number " .. i .. "'" end
parts[#parts + 1] = "return t"
t = assert(load(table.concat(parts, "\n")))()
print(#t, t[1], t[N])
-- names of fields, methods and globals beyond the first thousands of constants
parts = { "local t, m = {}, {} " }
for i = 1, N do parts[#parts + 1] = "t.field" .. i .. " = " .. i .. ".25" end
parts[#parts + 1] = "t.method = function(self, x) return self.field1 + x end"
parts[#parts + 1] = "lastglobal = t.field" .. N .. " m[t:method(2)] = -t.field2 "
parts[#parts + 1] = "if t.field70000 == 70000.25 and t.field69999 < 70000.5 and 'zzz' .. t.field3 == 'zzz3.25' then lastglobal = lastglobal + 99999.5 end"
parts[#parts + 1] = "return t, m, lastglobal // 65537.5, 123456.75 - t.field1, t.field1 + 7654321, t.field1 & 1 == nil"
local src = table.concat(parts, "\n"):gsub(", t%.field1 & 1 == nil", "")
local f, m, x, y, z = assert(load(src))()
print(f.field1, f.field70000, m[3.25], lastglobal, x, y, z)
local count = 0
for _ in pairs(f) do count = count + 1 end
print(count)
lastglobal = nil
-- jumps over a long body
parts = { "local n, skip = 0, ... for i = 1, 3 do if skip then goto continue end " }
for i = 1, 40000 do parts[#parts + 1] = "n = n + " .. i % 7 end
parts[#parts + 1] = "::continue:: n = n + 1 end return n"
local long = assert(load(table.concat(parts, "\n")))
print(long(true), long(false))
parts = { "local n, c = 0, ... while n < 100 do if c then " }
for i = 1, 40000 do parts[#parts + 1] = "n = n + 1" end
parts[#parts + 1] = "else n = n + 10 end end repeat n = n - 1 until n < 50 return n"
long = assert(load(table.concat(parts, "\n")))
print(long(true), long(false))
-- limits
local function limit(s) print((tostring(select(3, pcall(load, s, "=limit"))):gsub("%s+", " "))) end
local vars = {}
for i = 1, 200 do vars[i] = "v" .. i end
print(load("local " .. table.concat(vars, ",") .. " = 1 return v1, v200")())
vars[201] = "v201"
limit("local " .. table.concat(vars, ","))
limit("local function f(" .. table.concat(vars, ",") .. ") end")
local ups = {}
for i = 1, 3 do
  local names = {}
  for j = 1, 90 do names[j] = ("u%d_%d"):format(i, j) end
  ups[i] = names
end
local function nest(level, body) if level > 3 then return body end return "local " .. table.concat(ups[level], ",") .. " = 1 return (function() " .. nest(level + 1, body) .. " end)()" end
local all = {}
for i = 1, 3 do for j = 1, 85 do all[#all + 1] = ups[i][j] end end
local sum = assert(load(nest(1, "return (function() " .. (function() local s = {} for i = 1, 250 do s[i] = all[i] .. " = " .. i end return table.concat(s, " ") end)() .. " return " .. all[1] .. " + " .. all[250] .. " end)()")))
print(sum())
local more = {}
for i = 1, 3 do for j = 1, 90 do more[#more + 1] = ups[i][j] .. " = 1" end end
limit(nest(1, "return (function() " .. table.concat(more, " ") .. " end)()"))
limit("return " .. ("("):rep(300) .. "1" .. (")"):rep(300))
limit(("do "):rep(300) .. ("end "):rep(300))
limit("x = " .. ("{"):rep(300) .. ("}"):rep(300))
limit("x = " .. ("-"):rep(1, "") .. (" - "):rep(300) .. "1")
limit("x = " .. ("a .. "):rep(300) .. "a")
limit("x = " .. ("2 ^ "):rep(300) .. "2")
limit(("function f() "):rep(300) .. ("end "):rep(300))
limit("local a " .. ("if a then "):rep(300) .. ("end "):rep(300))
limit("x = " .. ("f("):rep(300) .. (")"):rep(300))
print(#load("return " .. ("'x' .. "):rep(150) .. "'y'")(), load("return " .. ("1 + "):rep(5000) .. "1")(), load("return " .. ("("):rep(150) .. "1" .. (")"):rep(150))())
-- calls with many arguments and results
local args = {}
for i = 1, 240 do args[i] = tostring(i) end
print(select("#", load("return " .. table.concat(args, ","))()), load("return (select('#', " .. table.concat(args, ",") .. "))")())
print(#load("return {" .. ("1,"):rep(100000) .. "}")(), select("#", table.unpack({}, 1, 10000)))
print(pcall(table.unpack, {}, 1, 2000000))
