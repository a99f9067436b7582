-- pcall, xpcall, error and assert in hot loops.

local N = 150

local function two(a, b) return a + b, a - b end

do -- results: all, some, none
  local s = 0
  for i = 1, N do
    local ok, a, b, c = pcall(two, i, 2)
    s = s + (ok and 1 or 0) + a + b + (c and 1000 or 0)
    s = s + select("#", pcall(two, i, 1))
    local t = {pcall(two, i, 3)}
    s = s + #t + t[2]
    pcall(two, i, 4)
    if pcall(two, 1, 1) then s = s + 1 end
    s = s + select("#", pcall(function() end)) + select("#", pcall(function(...) return ... end, 1, nil, nil))
  end
  print("results", s)
end

do -- xpcall with arguments
  local s = 0
  local function handler(e) return "handled " .. tostring(e) end
  for i = 1, N do
    local ok, a, b = xpcall(two, handler, i, 5)
    s = s + a + b
    local n = select("#", xpcall(two, handler, i, 5))
    s = s + n
  end
  print("xpcall", s)
end

do -- of library functions
  local s = 0
  for i = 1, N do
    local ok, v = pcall(math.floor, i + 0.5)
    s = s + v
    ok, v = pcall(string.sub, "abcdef", 2, 4)
    s = s + #v
    ok = pcall(assert, true)
    s = s + (ok and 1 or 0)
    ok, v = pcall(assert, i, "no")
    s = s + v
    ok, v = pcall(select, "#", 1, 2, 3)
    s = s + v
    ok, v = xpcall(math.max, print, i, 3)
    s = s + v
    ok, v = pcall(string.rep, "x", 3)
    s = s + #v
    ok, v = pcall(type)
    s = s + (ok and 0 or 1)
    ok, v = pcall(next, {}, "nokey")
    s = s + (ok and 0 or 1)
  end
  print("library", s, pcall(type))
end

do -- nested
  local s = 0
  local function inner(x) if x % 10 == 0 then error("ten", 0) end return x end
  local function outer(x)
    local ok, v = pcall(inner, x)
    if not ok then return -1 end
    local ok2, w = pcall(inner, x + 1)
    return v + (ok2 and w or -5)
  end
  for i = 1, N do
    local ok, v = pcall(outer, i)
    s = s + v
  end
  print("nested", s)
  local function depth(n) if n == 0 then return 0 end local ok, v = pcall(depth, n - 1) return v + 1 end
  for i = 1, N do s = s + depth(i % 8) end
  print("nested", s)
end

do -- errors of all kinds, and where they come from
  local seen = {}
  local function count(e) e = tostring(e); seen[e] = (seen[e] or 0) + 1 end
  local object = setmetatable({}, {__tostring = function() return "object" end})
  local function fail(i)
    local k = i % 8
    if k == 0 then error("text") end
    if k == 1 then error("text", 0) end
    if k == 2 then error("text", 2) end
    if k == 3 then error(object) end
    if k == 4 then error() end
    if k == 5 then local t; return t.x end
    if k == 6 then return 1 + {} end
    assert(false, "assertion")
  end
  for i = 1, N do
    local ok, e = pcall(fail, i)
    count(e)
  end
  for i = 1, N do
    local ok, e = xpcall(fail, function(m) return "<" .. tostring(m) .. ">" end, i)
    count(e)
  end
  for i = 1, N do
    local ok, e = pcall(error, "direct " .. i % 2)
    count(e)
    ok, e = pcall(error)
    count(e)
    ok, e = pcall(error, object)
    count(e)
  end
  local list = {}
  for k, v in pairs(seen) do list[#list + 1] = k .. "=" .. v end
  table.sort(list)
  print(table.concat(list, "\n"))
end

do -- numbers and levels as messages
  local s, last = 0
  local function level(i) error("lvl", i % 3) end
  local function via(i) level(i) end
  local texts = {}
  for i = 1, N do
    local ok, e = pcall(via, i)
    texts[e] = true
    ok, e = pcall(function() error(12) end)
    s = s + (e == 12 and 1 or 0)
    ok, e = pcall(function() error(1.5, 0) end)
    s = s + (e == 1.5 and 1 or 0)
    ok, e = pcall(function() error(nil) end)
    s = s + (e == nil and 1 or 0)
  end
  local list = {}
  for k in pairs(texts) do list[#list + 1] = k end
  table.sort(list)
  print(s, table.concat(list, "\n"))
end

do -- state after errors: locals, upvalues, variables to be closed
  local closed, s = 0, 0
  local C = {__close = function(o, e) closed = closed + 1; if o.bad then error("close", 0) end end}
  for i = 1, N do
    local before = i * 2
    local ok, e = pcall(function()
      local a <close> = setmetatable({}, C)
      local b <close> = setmetatable({bad = i % 7 == 0}, C)
      s = s + 1
      if i % 5 == 0 then error("body", 0) end
      return before
    end)
    s = s + before + (ok and e or #e)
  end
  print("close", closed, s)
end

do -- errors through metamethods, iterators, coroutines
  local M = {__add = function(a, b) if b % 9 == 0 then error("nine", 0) end return b end}
  local t, s = setmetatable({}, M), 0
  for i = 1, N do
    local ok, v = pcall(function() return t + i end)
    s = s + (ok and v or 1000)
    ok, v = pcall(function() local n = 0; for k in function(_, c) if i % 11 == 0 then error("it", 0) end if (c or 0) < 3 then return (c or 0) + 1 end end do n = n + k end return n end)
    s = s + (ok and v or 100)
    local co = coroutine.wrap(function() if i % 6 == 0 then error("co", 0) end coroutine.yield(2) end)
    ok, v = pcall(co)
    s = s + (ok and v or 10)
  end
  print("through", s)
end

do -- the handler sees the whole stack
  local lines = {}
  local function deep(i) if i == N then error("deep") end return i end
  local function mid(i) return (deep(i)) end
  for i = 1, N do
    xpcall(mid, function(m) lines[#lines + 1] = debug.traceback(m, 1):gsub("\n%s*%[C%].*", "") end, i)
  end
  print(#lines, lines[1])
end

do -- protected calls at changing depths enter the same code
  local function work(n) local s = 0 for i = 1, n do local ok, v = pcall(two, i, 1) s = s + v end return s end
  local function at(depth, n) if depth == 0 then return work(n) end local ok, v = pcall(at, depth - 1, n) return v end
  local s = 0
  for d = 0, 10 do s = s + at(d, 60) end
  for d = 180, 196, 4 do s = s + (at(d, 20) or -1) end
  print("depths", s)
end

do -- too deep: an error like any other
  local function over(n) return pcall(over, n + 1) end
  local function result(...) return select(select("#", ...), ...) end
  print((tostring(result(over(1))):gsub("^.-:%d+: ", "")))
  local s = 0
  for i = 1, N do local ok, v = pcall(two, i, i) s = s + v end
  print(s)
end

do -- functions that change, and what is no function
  local fs = {two, function(a) return a end, setmetatable({}, {__call = function(self, a) return a * 2 end}), 5}
  local s = 0
  for i = 1, N do
    local ok, v = pcall(fs[i % 4 + 1], i, 1)
    s = s + (ok and v or -1)
    ok, v = pcall(pcall, two, i, 1)
    s = s + (v and 1 or 0)
    ok, v = pcall(pcall)
    s = s + (ok and 1 or 2)
    ok, v = pcall(xpcall, two)
    s = s + (ok and 1 or 2)
  end
  print("callees", s)
  local p, q = pcall, 0
  for i = 1, N do
    if i == 80 then p = function(f, ...) return "mine", 7 end end
    local ok, v = p(two, i, 0)
    q = q + v
  end
  print("callees", q)
end

do -- tail calls of pcall
  local function tail(i) return pcall(two, i, 1) end
  local s = 0
  for i = 1, N do
    local ok, a, b = tail(i)
    s = s + a * b
  end
  print("tail", s)
end
