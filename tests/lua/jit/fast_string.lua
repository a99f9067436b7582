-- Functions of string and utf8, and concatenation, in hot loops.

local N = 300

local function try(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "ok" or (tostring(e):gsub("^[^:]*:%d+: ", ""))
end

do -- byte: positions inside, at the ends, outside
  local s = "hello, world"
  local sum, nils = 0, 0
  for i = -20, N do
    local b = s:byte(i)
    if b then sum = sum + b else nils = nils + 1 end
  end
  print("byte", sum, nils)
  local t = 0
  for i = 1, N do
    local k = i % #s + 1
    t = t + s:byte(k) + string.byte(s, -k) + s:byte()
  end
  print(t)
  local x = 0
  for i = 1, N do
    local a, b, c, d = s:byte(i % 9 + 1, i % 9 + 3)
    x = x + a * 3 + b * 2 + c + (d and 1000 or 0)
  end
  print(x)
  local e = 0
  for i = 1, N do
    if ("").byte("") == nil then e = e + 1 end
    if select("#", s:byte(13)) == 0 then e = e + 1 end
    if select("#", s:byte(5, 4)) == 0 then e = e + 1 end
    if s:byte(math.mininteger) == nil and s:byte(math.maxinteger) == nil then e = e + 1 end
  end
  print(e)
end

do -- sub
  local s = "abcdefghij"
  local n, out = 0, {}
  for i = 1, N do
    local a, b = i % 13 - 6, i % 17 - 8
    local p = s:sub(a, b)
    n = n + #p
    if i > N - 25 then out[#out + 1] = p end
    if s:sub(i % 10 + 1, i % 10 + 1) == "c" then n = n + 1000 end
  end
  print("sub", n, table.concat(out, ","))
  local k = 0
  for i = 1, N do
    k = k + #s:sub(2) + #s:sub(-3) + #s:sub(math.mininteger, math.maxinteger) + #s:sub(20) + #(""):sub(1, 1)
    k = k + #s:sub(0) + #s:sub(1, 0)
  end
  print(k)
  local long = ("x"):rep(3000)
  local m = 0
  for i = 1, N do m = m + #long:sub(i, 2000) + #long:sub(5, i) end
  print(m)
end

do -- char
  local t = {}
  for i = 0, 255 do t[#t + 1] = string.char(i) end
  print("char", #table.concat(t))
  local h = 0
  for i = 1, N do
    local s = string.char(65 + i % 26, 97 + i % 26, 48)
    h = (h * 31 + s:byte(1) + s:byte(2) * 2 + #s) % 1000007
    assert(string.char() == "")
    assert(#string.char(1, 2, 3, 4, 5, 6, 7, 8, 9) == 9)
  end
  print(h)
end

do -- len, upper, lower, reverse, rep
  local words = {"", "a", "Hello", "MiXeD cAsE 123", ("long "):rep(30), "\0\255z"}
  local n, out = 0, {}
  for i = 1, N do
    local w = words[i % #words + 1]
    n = n + string.len(w) + #w:upper() + #w:lower() + #w:reverse()
    local r = w:rep(i % 4)
    local q = w:rep(i % 4, "-")
    n = n + #r + 3 * #q
    if i <= #words then
      out[#out + 1] = w:upper():sub(1, 12) .. "|" .. w:lower():sub(-12) .. "|" .. w:reverse():sub(1, 12) .. "|" .. q:sub(-9)
    end
  end
  print("case", n)
  print((table.concat(out, "\n"):gsub("[\0\255]", "?")))
  for i = 1, N do
    assert(("ab"):rep(0) == "" and ("ab"):rep(-1) == "" and ("ab"):rep(1) == "ab")
    assert(("ab"):rep(3, ",") == "ab,ab,ab" and (""):rep(5) == "" and (""):rep(3, "x") == "xx")
    assert(#("ab"):rep(1000) == 2000)
  end
end

do -- find
  local s = "the quick brown fox jumps over the lazy dog"
  local sum = 0
  for i = 1, N do
    local a, b = s:find("fox")
    sum = sum + a * 100 + b
    a, b = s:find("the", i % 20 + 1, true)
    sum = sum + a + b
    if s:find("cat") == nil then sum = sum + 1 end
    if s:find(".", 1, true) == nil then sum = sum + 1 end
    a, b = s:find("")
    sum = sum + a + b
    a, b = s:find("", i % #s + 1)
    sum = sum + a - b
    a = s:find("dog", -3)
    sum = sum + a
    if s:find("the", 100) == nil then sum = sum + 1 end
    a, b = s:find("o[vw]")
    sum = sum + a + b
    a, b = s:find(i % 2 == 0 and "quick" or "lazy")
    sum = sum + a + b
  end
  print("find", sum)
end

do -- concatenation
  local n, last = 0, nil
  for i = 1, N do
    local a = "k" .. i
    local b = i .. "k"
    local c = i .. ""
    local d = "x" .. i .. "y" .. (i / 2) .. "z"
    local e = a .. "-" .. b
    local f = 1.5 .. "|" .. -0.0
    n = n + #a + #b + #c + #d + #e + #f
    last = a .. b .. c .. d .. e .. f
  end
  print("concat", n, last)
  local s = ""
  for i = 1, 2 * N do s = s .. i .. "," end
  print(#s, s:sub(-12))
  local e = 0
  for i = 1, N do
    local q = "" .. "" .. i
    if q == tostring(i) then e = e + 1 end
    if ("a" .. "") == "a" and ("" .. "a") == "a" then e = e + 1 end
  end
  print(e)
  print(try(function() local r; for i = 1, N do r = "a" .. (i < N and i or {}) end end))
  print(try(function() local r; for i = 1, N do r = "a" .. (i < N and "b" or nil) .. "c" end end))
  local mt = setmetatable({}, {__concat = function(a, b) return "M" end})
  local r
  for i = 1, N do r = "a" .. (i < N and "b" or mt) .. i end
  print(r)
end

do -- format
  local out = {}
  local n = 0
  for i = 1, N do
    local s = string.format("%d %5d %-5d| %05d %x %X %o %c %i", i, i, i, -i, i, i, i, 65 + i % 26, i)
    local t = string.format("%s %10s %-10s|%.2s|%s %s", "str", "right", "left", "cut", i, i / 4)
    local u = string.format("%g %.14g %5.2f %e %.3f %8.3f|%-8.1f|%+d % d %%", i / 3, i / 7, i / 3, i * 1e10, -i / 9, i, i / 2, i, i)
    local v = string.format("%s %s %s plain", nil, true, false)
    local w = string.format("%d %d", i + 0.0, 3.0)
    n = n + #s + #t + #u + #v + #w + #string.format("nothing") + #string.format("%5.1f|%5s", i, i)
    if i > N - 2 then
      for _, x in ipairs {s, t, u, v, w} do out[#out + 1] = x end
    end
  end
  print("format", n)
  print(table.concat(out, "\n"))
  local m = 0
  for i = 1, N do
    m = m + #string.format("%.0f", i * 1e12) + #string.format("%f", 1e300) + #string.format("%q", "a\nb")
    m = m + #string.format(i % 2 == 0 and "%d" or "<%d>", i)
  end
  print(m)
  for i = 1, N do
    assert(string.format("%s", setmetatable({}, {__tostring = function() return "T" .. i end})) == "T" .. i)
  end
  print(try(function() for i = 1, N do string.format("%d", i < N and i or 1.5) end end))
  print(try(function() for i = 1, N do string.format("%d", i < N and i or "x") end end))
  print(try(function() for i = 1, N do string.format("%d %d", i, i < N and i or nil) end end))
  print(try(function() for i = 1, N do string.format("%5s", i < N and "a" or "a\0b") end end))
  print(try(function() local f = "%d"; for i = 1, N do if i == N then f = "%y" end string.format(f, i) end end))
  print(string.format("%5s %d", "a", "10"))
end

do -- tostring and tonumber
  local list = {"0", "10", "-7", "0x1F", "1e2", "  12  ", "3.25", "abc", "", "1 2", "0x", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "inf", "nan", "0x1p4", "1e400"}
  local out = {}
  for _, s in ipairs(list) do
    local r
    for i = 1, N do r = tonumber(s) end
    out[#out + 1] = tostring(r) .. ":" .. tostring(math.type(r))
  end
  print("tonumber", table.concat(out, " "))
  local sum = 0
  for i = 1, N do
    sum = sum + (tonumber(list[i % #list + 1]) or 0) % 1000
    sum = sum + tonumber("zz", 36) + tonumber("7f", 16) + tonumber("-101", 2) + (tonumber("9", 8) or 0)
    sum = sum + tonumber(tostring(i)) + tonumber(i) + tonumber(i + 0.5)
    if tonumber(nil) == nil and tonumber({}) == nil and tonumber(true) == nil then sum = sum + 1 end
  end
  print(string.format("%.10g", sum))
  local n = 0
  for i = 1, N do
    n = n + #tostring(i) + #tostring(-i / 8) + #tostring(nil) + #tostring(true) + #tostring(i % 2 == 0) + #tostring("x")
    n = n + #tostring(1e15) + #tostring(2^63) + #tostring(-0.0) + #tostring(math.mininteger)
  end
  print(n)
  print(try(function() for i = 1, N do tonumber("1", i < N and 10 or 99) end end))
end

do -- utf8
  local s = "aé€😀z"
  local n, sum = 0, 0
  for i = 1, N do
    n = n + utf8.len(s) + #utf8.char(i * 40) + (utf8.len("\xff") or 1)
    sum = sum + utf8.codepoint(s) + utf8.codepoint(s, 2) + utf8.codepoint(s, 4)
  end
  print("utf8", n, sum, utf8.char(233, 8364))
  print(try(function() for i = 1, N do utf8.codepoint(s, i < N and 2 or 3) end end))
  print(try(function() for i = 1, N do utf8.char(i < N and 50 or -1) end end))
end

do -- errors
  print(try(function() for i = 1, N do string.char(i < N and 65 or 256) end end))
  print(try(function() for i = 1, N do string.char(i < N and 65 or -1) end end))
  print(try(function() for i = 1, N do string.char(i < N and 65 or "x") end end))
  print(try(function() for i = 1, N do string.byte(i < N and "a" or {}) end end))
  print(try(function() for i = 1, N do string.sub("a", i < N and 1 or nil) end end))
  print(try(function() for i = 1, N do string.sub("a", i < N and 1 or 1.5) end end))
  print(try(function() for i = 1, N do string.upper(i < N and "a" or nil) end end))
  print(try(function() for i = 1, N do string.rep("a", i < N and 1 or "b") end end))
  print(try(function() for i = 1, N do string.len(i < N and "a" or print) end end))
  local n = 0
  for i = 1, N do n = n + string.len(i) + #string.sub(i, 1, 1) + string.byte(i) + #string.rep(i, 2) end
  print(n)
end
