-- Keys: floats with integer values, nil and NaN, every type as key, negative and huge integers.
local t = {}
t[1] = "int" t[1.0] = "float one" t[2^53] = "big" t[-0.0] = "zero"
print(t[1], t[1.0], t[2^53 | 0], t[0], t[-0.0], #t)
for k in pairs({ [3.0] = 1 }) do print(k, math.type(k)) end
for k in pairs({ [2^62] = 1 }) do print(math.type(k)) end
for k in pairs({ [2^63] = 1 }) do print(math.type(k)) end
print(pcall(function() t[nil] = 1 end))
print(pcall(function() t[0 / 0] = 1 end))
print(t[nil], t[0 / 0], rawget(t, nil))
print(pcall(rawset, {}, nil, 1))
print(pcall(rawset, {}, 0 / 0, 1))
local f, co, tab = function() end, coroutine.create(print), {}
t[f] = "function" t[co] = "thread" t[tab] = "table" t[true] = "true" t[false] = "false" t[1.5] = "1.5" t[print] = "print" t[io.stdout] = "file"
print(t[f], t[co], t[tab], t[true], t[false], t[1.5], t[print], t[io.stdout], t[{}], t[function() end])
for _, k in ipairs({ math.maxinteger, math.mininteger, -1, 1 << 32, (1 << 32) + 1, 1e300, -1e300, 1 / 0, -1 / 0, 0.1 }) do
  t[k] = tostring(k)
end
print(t[math.maxinteger], t[math.mininteger], t[-1], t[1 << 32], t[(1 << 32) + 1], t[1e300], t[-1e300], t[1 / 0], t[-1 / 0], t[0.1])
print(t[math.maxinteger + 0.0], t[2.0^32], t["1"], t["1.5"])
t["1"] = "string one"
print(t[1], t["1"])
-- integer keys at the limits of arrays
local a = {}
for i = math.maxinteger - 3, math.maxinteger - 1 do a[i] = i end
a[math.maxinteger] = "last"
print(a[math.maxinteger], a[math.maxinteger - 1] == math.maxinteger - 1, a[math.mininteger])
local m = {}
for i = -5, 5 do m[i] = i * i end
print(m[-5], m[0], m[5], #m)
m[0] = nil m[-5] = nil
print(m[-5], m[0], m[-4])
-- keys after deletion and insertion of others
local d = {}
for i = 1, 1000 do d["k" .. i] = i end
for i = 1, 1000 do if i % 3 ~= 0 then d["k" .. i] = nil end end
for i = 1, 300 do d["n" .. i] = -i end
local ok = true
for i = 1, 1000 do ok = ok and d["k" .. i] == (i % 3 == 0 and i or nil) end
for i = 1, 300 do ok = ok and d["n" .. i] == -i end
print(ok)
-- computed and constant access agree
local s = { field = 1, ["not a name"] = 2, [10] = 3 }
local name, index = "field", 10
print(s.field, s[name], s["not a name"], s["not " .. "a name"], s[10], s[index], s[10.0], s[2 * 5])
