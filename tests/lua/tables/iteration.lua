-- Generic loops over tables: array parts with holes, fields, dictionaries, changes during the loop, one to three variables.
local function collect(t)
  local out = {}
  for k, v in pairs(t) do out[#out + 1] = tostring(k) .. "=" .. tostring(v) end
  return #out .. ": " .. table.concat(out, " ")
end

print(collect {})
print(collect { 1, 2, 3 })
print(collect { nil, 2, nil, 4 })
print(collect { x = 1 })
print(collect { 1, 2, x = 3 })
local big = {}
for i = 1, 40 do big[i] = i end
for i = 2, 40, 2 do big[i] = nil end
print(collect(big))
local n = 0
local dict = {}
for i = 1, 100 do dict["k" .. i] = i; dict[i * 1000] = true; dict[i + 0.5] = i end
for _ in pairs(dict) do n = n + 1 end
print(n)

-- assigning and clearing while the loop runs
for k in pairs(dict) do dict[k] = nil end
print(next(dict))
local arr = { 1, 2, 3, 4, 5 }
for k, v in pairs(arr) do arr[k] = v * 2; if k < 5 then arr[k + 1] = nil end end
print(collect(arr))

-- one, two and three variables, and a loop through next itself
for k in pairs { 10, 20 } do io.write(k, " ") end
for k, v, w in pairs { 10, 20 } do io.write(k, ":", v, ":", tostring(w), " ") end
for k, v in next, { 10, nil, 30 } do io.write(k, ":", v, " ") end
for k, v in next, { 10, 20, 30 }, 1 do io.write(k, ":", v, " ") end
print()
print(pcall(function() for k in next, { 1, 2 }, "x" do print(k) end end))
print(pcall(function() for k in next, { 1, 2 }, 7 do print(k) end end))
print(pcall(function() for k in next, 1 do print(k) end end))
print(pcall(function() for k in next do print(k) end end))

-- ipairs: nil ends it, also inside the array part; metamethods count; the table may grow
for i, v in ipairs { 1, 2, nil, 4 } do io.write(i, "=", v, " ") end
for i, v in ipairs {} do io.write(i, "=", v, " ") end
for i in ipairs { "a", "b" } do io.write(i, " ") end
for i, v, w in ipairs { "a", "b" } do io.write(i, v, tostring(w), " ") end
print()
local prox = setmetatable({ "own" }, { __index = function(_, i) if i <= 3 then return "virtual" .. i end end })
for i, v in ipairs(prox) do io.write(i, "=", v, " ") end
local sparse = { [1] = 1, [2] = 2 }
sparse[1000000] = 3
sparse[3] = 3
for i, v in ipairs(sparse) do io.write(i, "=", v, " ") end
local grow = { 1 }
for i, v in ipairs(grow) do if i < 6 then grow[i + 1] = v * 2 end end
print(table.concat(grow, ","))
for i, c in ipairs(setmetatable({}, { __index = function(_, i) if i < 3 then return i * i end end })) do io.write(i, "=", c, " ") end
print()
local iter, s = ipairs { "x", "y" }
print(iter(s, 0))
print(iter(s, 1))
print(iter(s, 2))
print(pcall(iter, s, "1"))
print(pcall(iter, s, "z"))
print(pcall(iter, nil, 0))
for i, v in iter, { 7, 8, 9 }, 1 do io.write(i, "=", v, " ") end
for i, v in iter, { 7, 8, 9 }, 1.0 do io.write(i, "=", v, " ") end
for i, v in iter, { 7 }, math.maxinteger do io.write(i, "=", v, " ") end
print()
print(pcall(function() for i in ipairs() do print(i) end end))

-- the collector runs in the middle, values are fresh
local sum = 0
for k, v in pairs { a = {}, b = {}, c = {}, 1, 2, 3 } do
  collectgarbage()
  sum = sum + (type(v) == "table" and 10 or v) + #tostring(k)
end
print(sum)

-- constructors of all small sizes keep their elements, grow and shrink
local function elements(t)
  local out = {}
  for i = 1, #t do out[i] = type(t[i]) == "table" and "{}" or tostring(t[i]) end
  return #t .. "(" .. table.concat(out, ",") .. ")"
end
local a, b, c = 1, 2.5, "c"
for _ = 1, 3 do
  local list = {
    { a }, { a, b }, { a, b, c }, { a, a, b, c }, { c, c, c, c, c }, { a, b, c, a, b, c }, { b, b, b, b, b, b, b },
    { a, nil, c }, { a, a, a, a, a, a, a, a }, { {}, {} }, { a, x = b }, { x = a, y = b, z = c },
  }
  for i, t in ipairs(list) do
    local before = elements(t)
    t[#t + 1] = i
    t[#t + 1] = "end"
    t.field = i
    collectgarbage("step")
    print(before, elements(t), t.field, t.x, t.y)
  end
end
