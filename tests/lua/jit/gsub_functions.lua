-- string.gsub with functions: results, counts, captures of all numbers, what is kept, errors, nested calls, what it looks like from inside.
local s = 0
local function up(w) return w:upper() end
local function keep(w) if #w > 3 then return nil end return "<" .. w .. ">" end
local function number(w) return #w end
local function half(w) return #w / 2 end
local function pair(k, v) return v .. "=" .. k end
local function none() end
local function no() return false end
local text = "the quick brown fox jumps over the lazy dog"
local function show(...) return select("#", ...) .. ":" .. table.concat({ ... }, ",") end
local out
for i = 1, 60 do
  out = {
    (text:gsub("%w+", up)), (text:gsub("%w+", keep)), (text:gsub("%a+", number)), (text:gsub("%a+", half)),
    (("a=1, b=2, c=3"):gsub("(%w)=(%w)", pair)), (text:gsub("o", none)), (text:gsub("o", no)), (text:gsub("%w+", up, 2)),
    (text:gsub("%w+", up, 0)), (text:gsub("^%w+", up)), (text:gsub("^x", up)), (text:gsub("", function() return "-" end)),
    (("abc"):gsub("()", function(p) return p end)), (("abc"):gsub("b*", function(b) return "[" .. b .. "]" end)),
    (("a1b2"):gsub("(%a)(%d)", show)), (("abc"):gsub("(a)(b)(c)", show)), (("abcd"):gsub("(a)(b)(c)(d)", show)),
    (("abcdef"):gsub("(a)(b)(c)(d)(e)(f)", show)), (("abcde"):gsub("((a)(b)((c)(d)))()", show)),
    (text:gsub("%w+", string.upper)), (text:gsub("%w", string.byte)), (text:gsub("%w+", string.reverse, 3)),
    (text:gsub("%w+", math.type)), (text:gsub("%w+", tostring)), (("1 2 3"):gsub("%d", tonumber)),
    tostring(text:gsub("zz", up) == text),
  }
  for k = 1, #out do s = s + #out[k] end
  s = s + select(2, text:gsub("%w+", up)) + select(2, text:gsub("o", none)) + select("#", text:gsub("x", no))
end
print(s)
for _, v in ipairs(out) do print(v) end

-- numbers as subject and pattern, more arguments, long texts
for i = 1, 40 do
  out = { string.gsub(12321, 2, function(d) return d + 1 end) }
  s = s + #string.gsub(text, "%w", up, nil, 5) + #string.gsub(text, "%w", up, 3.0) + #string.gsub(text, "%w", up, "2")
end
print(s, out[1], out[2], math.type(out[2]))
local long = ("word "):rep(300)
for i = 1, 30 do
  local r, n = long:gsub("%w+", function(w) return w .. w .. i end)
  s = s + #r + n
  local r = long:gsub(" ", function() return long end, 3)
  s = s + #r
end
print(s)

-- nested: the function does the same itself, with the same and with other functions
local function inner(w) return (w:gsub("%w", function(c) return c .. "." end)) end
local function both(w) return inner(w) .. (w:gsub("o", up)) end
local function deep(w) if #w <= 1 then return w end return (w:sub(2):gsub(".+", deep)) .. w:sub(1, 1) end
for i = 1, 40 do out = { (text:gsub("%w+", inner)), (text:gsub("%w+", both)), (text:gsub("%w+", deep)) } end
for _, v in ipairs(out) do print(v) end

-- errors: of the function, of what it returns, of patterns; in calls within calls, caught there or outside; afterwards all is as before
local function fails(...)
  local ok, e = pcall(string.gsub, ...)
  return (tostring(e):gsub("^[^:]*:%d+: ", ""))
end
for i = 1, 40 do
  out = {
    fails(text, "%w+", function() return {} end), fails(text, "%w+", function() return true end), fails(text, "%w+", function() return up end),
    fails(text, "%w+", function(w) if w == "fox" then error("no fox") end return w end), fails(text, "(", up), fails(text, "%", up),
    fails(text, "(()", up), fails(text, "[a", up), fails(text, "%f", up), fails(text, "%1", up), fails({}, "x", up), fails(text, {}, up), fails(text, "x"),
    fails(text, "%w+", up, "x"), fails(text, "o", function(o) return o.x.y end), fails(text, "%w+", string.rep), fails(text, "%w+", error),
  }
  local r = text:gsub("%w+", function(w)
    local ok, e = pcall(string.gsub, w, "%w", function(c) if c == "o" then error({ c }) end return c .. c end)
    return ok and e or e[1]
  end)
  out[#out + 1] = r
  local ok, e = pcall(function()
    return (text:gsub("%w+", function(w) return (w:gsub("%w", function(c) if c == "z" then error("inner", 0) end return c end)) end))
  end)
  out[#out + 1] = e
  out[#out + 1] = (text:gsub("%w+", up))
end
for _, v in ipairs(out) do print(v) end
-- caught on the trace
local function bad(w) if #w == 5 then error(w, 0) end return w .. "!" end
local function try(t) return t:gsub("%w+", bad) end
for i = 1, 200 do
  local ok, e = pcall(try, i % 3 == 0 and text or "ab cd")
  s = s + #e + (ok and 100 or 0)
end
print(s)

-- from inside
local seen
local function look(w)
  if not seen then
    seen = {}
    for l = 1, 3 do
      local i = debug.getinfo(l, "nSlf")
      seen[l] = i.what .. " " .. tostring(i.name) .. " " .. i.currentline .. " " .. tostring(i.func == string.gsub)
    end
    seen[4] = debug.traceback("here", 1):gsub("[^\n]*/", ""):gsub("\n.*\n(%s*%[C%]: in function 'string.gsub')\n.*", "%1")
  end
  return w
end
local function outer() return (text:gsub("%w+", look)) end
for i = 1, 20 do outer() end
print(table.concat(seen, ", "))
print(coroutine.wrap(function()
  local can
  local ok, e = pcall(string.gsub, "x", "x", function() can = coroutine.isyieldable() coroutine.yield() end)
  return ok, e, can, coroutine.isyieldable()
end)())
local n, c = 0, 0
debug.sethook(function() n = n + 1 end, "c")
local r = text:gsub("o", function() c = c + 1 return "0" end)
debug.sethook()
print(r, n > c, c)

-- other coroutines that do the same meanwhile, and are given up
local function gen(t)
  return coroutine.wrap(function()
    for w in t:gmatch("%w+") do
      coroutine.yield((w:gsub("%w", function(c) return c .. c end)))
    end
    error("end")
  end)
end
for i = 1, 40 do
  local g = gen(text)
  out = text:gsub("%w+", function(w)
    local ok, v = pcall(g)
    return ok and w .. v or nil
  end)
end
print(out)

-- garbage, and the function changes
local f = up
for i = 1, 100 do
  if i == 40 then f = function(w) collectgarbage("step") return w:rep(2) end end
  if i == 70 then f = string.lower end
  if i == 80 then f = { the = "THE" } end
  if i == 90 then f = setmetatable({}, { __index = function(_, k) return k .. #k end }) end
  s = s + #text:gsub("%w+", f)
end
print(s)
