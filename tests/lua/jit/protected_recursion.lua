-- Recursion through pcall and xpcall in compiled code: calls of them that are not inlined, and returns through their frames.

local N = 300

do -- values at each depth; all results, some, none
  local function down(n, ...)
    if n == 0 then return 1, select("#", ...) end
    local ok, a, b = pcall(down, n - 1, ...)
    assert(ok == true)
    return a + n, b
  end
  local s = 0
  for i = 1, N do local a, b = down(i % 12, 1, nil); s = s + a * b end
  print("values", s)

  local function all(n) if n == 0 then return 7, 8 end return pcall(all, n - 1) end
  for i = 1, N do s = s + select("#", all(i % 9)) + select(-1, all(i % 9)) end
  print("all", s, select("#", all(20)), select(21, all(20)))

  local calls = 0
  local function none(n) calls = calls + 1; if n > 0 then pcall(none, n - 1) end end
  for i = 1, N do none(i % 7) end
  print("none", calls)

  local function first(n) if n == 0 then return end local ok, v = pcall(first, n - 1) return v end
  for i = 1, N do assert(select("#", first(i % 6)) <= 1) end
  print("missing", first(5))
end

do -- xpcall, also mixed with pcall
  local function handler(e) return "h(" .. tostring(e) .. ")" end
  local function down(n, x)
    if n == 0 then return x end
    local ok, v
    if n % 2 == 0 then ok, v = xpcall(down, handler, n - 1, x + 1) else ok, v = pcall(down, n - 1, x + 1) end
    return ok and v + 1 or v
  end
  local s = 0
  for i = 1, N do s = s + down(i % 14, i) end
  print("mixed", s)
end

do -- errors at each depth, caught at each depth
  local function level(n, fail, catch)
    if n == fail then error({ n }) end
    if n == 0 then return 0 end
    local ok, v = pcall(level, n - 1, fail, catch)
    if ok then return v + 1 end
    if n <= catch then return v[1] * 100 + n end
    error(v, 0)
  end
  local s, failed = 0, 0
  for i = 1, N * 4 do
    local ok, v = pcall(level, i % 13, i % 7, i % 11)
    if ok then s = s + v else failed = failed + v[1] + 1 end
  end
  print("errors", s, failed)
  -- after all that the number of protected calls is what it was
  local function deep(n) local ok, v = pcall(deep, n + 1) return ok and v or n end
  print("depth", deep(1) > 150, deep(1) == deep(1))
end

do -- runtime errors in the middle, with positions
  local function level(n, t)
    if n == 0 then return t.x.y end
    local ok, v = pcall(level, n - 1, t)
    if not ok then return "<" .. v:gsub("^.-:%d+: ", "") .. ">" end
    return v
  end
  local good, bad, seen = { x = { y = 5 } }, {}, {}
  for i = 1, N do local v = level(i % 5 + 1, i % 10 == 0 and bad or good); seen[v] = (seen[v] or 0) + 1 end
  for k, v in pairs(seen) do if k ~= 5 then print("runtime", k, v) end end
  print("runtime", seen[5])
end

do -- functions that end by a tail call, and pcall that is called by one
  local function g(n) return n * 2 end
  local function f(n) return g(n) end
  local function h(n) return pcall(f, n) end
  local s = 0
  for i = 1, N do local ok, v = h(i); s = s + v; ok, v = pcall(h, i); s = s + (v and 1 or 0) end
  print("tails", s)
  local function loop(n) if n == 0 then return "end" end return pcall(loop, n - 1) end
  for i = 1, N do local r = { loop(i % 5) }; s = s + #r end
  print("tails", s)
end

do -- yields across all of it
  local yield = coroutine.yield
  local function level(n)
    if n == 0 then return yield(0) end
    local ok, v = pcall(level, n - 1)
    return v + 1
  end
  local s = 0
  for i = 1, N do
    local co = coroutine.wrap(level)
    s = s + co(i % 10) + co(i)
  end
  print("yields", s)
  -- errors behind a yield
  local function fail(n) if n == 0 then yield() error("late", 0) end local ok, e = pcall(fail, n - 1) return n .. tostring(e) end
  for i = 1, N do local co = coroutine.wrap(fail); co(i % 4 + 1); local v = co(); if i > N - 4 then print("yields", v) end end
end

do -- a recursive descent parser that tries alternatives under pcall
  local src, pos
  local expr
  local function fail(m) error({ m, pos }) end
  local function number()
    local a, b = src:find("^%d+", pos)
    if not a then fail("number") end
    pos = b + 1
    return tonumber(src:sub(a, b))
  end
  local function paren()
    if src:sub(pos, pos) ~= "(" then fail("paren") end
    pos = pos + 1
    local v = expr()
    if src:sub(pos, pos) ~= ")" then fail("close") end
    pos = pos + 1
    return v
  end
  local function try(f)
    local at = pos
    local ok, v = pcall(f)
    if ok then return v end
    pos = at
    return nil, v
  end
  local function factor()
    local v = try(paren)
    if v then return v end
    return number()
  end
  function expr()
    local v = factor()
    while src:sub(pos, pos) == "+" do pos = pos + 1; v = v + factor() end
    return v
  end
  local texts = { "1+2", "(1+2)+3", "((4))+(5+(6+7))", "(((((1+2)+3)+4)+5)+6)", "(1+", "8" }
  local s, errs = 0, 0
  for i = 1, N do
    src, pos = texts[i % #texts + 1], 1
    local ok, v = pcall(expr)
    if ok then s = s + v else errs = errs + v[2] end
  end
  print("parser", s, errs)
end

do -- hooks that are set and removed inside
  local count = 0
  local function level(n)
    if n == 0 then
      debug.sethook(function() count = count + 1 end, "l")
      local x = 1
      debug.sethook()
      return x
    end
    local ok, v = pcall(level, n - 1)
    return v + 1
  end
  local s = 0
  for i = 1, 150 do s = s + level(i % 6) end
  print("hooks", s, count > 0)
end

do -- locals changed from outside while compiled code waits
  local function level(n, x)
    if n == 0 then
      if x > 140 then
        for l = 2, 20 do
          local name = debug.getlocal(l, 2)
          if name == "x" then debug.setlocal(l, 2, 1000) break end
        end
      end
      return 0
    end
    local ok, v = pcall(level, n - 1, x)
    return v + x
  end
  local s = 0
  for i = 1, 150 do s = s + level(i % 4 + 1, i) end
  print("disturbed", s)
end

do -- too many protected calls, and too deep a stack
  local function level(n) if n == 0 then return 0 end local ok, v = pcall(level, n - 1) if not ok then error(v, 0) end return v + 1 end
  for i = 1, N do assert(level(i % 20) == i % 20) end
  print("limit", level(150), pcall(level, 250))
end
