-- One compilation after the other uses the memory of the one before: nothing of that must be seen, whatever became of it.
local names = {}
for i = 1, 300 do names[i] = "name" .. i end
local function sum(n)
  local s = {}
  for i = 1, n do s[i] = "local " .. names[i % 180 + 1] .. " = " .. i end
  return table.concat(s, " ") .. " return " .. names[n % 180 + 1]
end
local sources = {
  "return 1 + 1",
  "local a, b = ... return a, b, x, self, _ENV ~= nil",
  sum(5), sum(20), sum(100), sum(150),
  "local t = {} function t:m(y) self.y = y return self end for i = 1, 3 do t[i] = i end return t:m(4).y, #t, select('#', ...)",
  "goto done do local x end ::done:: return 'label', function() return done end",
  "local function f(...) local x <const>, y = 5, ... return function() y = y + x return y end end return f(1)()",
  "return 'text', 1.5, 1.5, 1, 1, 'text', \"te\\120t\", [[long]], 1e300, 0x10",
  "return {a = 1, b = 2, 3, [4] = 5}",
  "for k, v in pairs({a = 1}) do local x <close> = setmetatable({}, {__close = function() r = k end}) end return r",
}
local wrong = {
  "return return", "local x <const> = 1 x = 2", "goto nowhere", "break", "x = = 1", "'open", "local " .. ("a,"):rep(250) .. "a",
  "function f(" .. table.concat(names, ",", 1, 10) .. ") local " .. table.concat(names, ",", 1, 199), "::a:: ::a::", ("("):rep(300),
  "return x, " .. ("a, "):rep(260) .. "a", "for i = 1 do end", "local function g() return ... end", "x = 1e", "--[[ open",
}
local function show(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = type(t[i]) == "table" and "table" or type(t[i]) == "function" and "function" or tostring(t[i]) end
  return table.concat(t, " ")
end
local dumps, errors = {}, {}
for round = 1, 6 do
  for i, s in ipairs(sources) do
    local f = assert(load(s, "=chunk", "t"))
    local d = string.dump(f)
    assert(not dumps[i] or dumps[i] == d, i)
    dumps[i] = d
    local r = show(f(round, i))
    if round == 6 then print(i, r) end
    local w = wrong[(i + round) % #wrong + 1]
    local none, e = load(w, "=wrong")
    assert(none == nil and (not errors[w] or errors[w] == e))
    errors[w] = e
    if i % 5 == 0 then
      -- a long one in between
      assert(load(sum(150) .. (" "):rep(3000))() == 150)
    end
  end
end
for i, w in ipairs(wrong) do print(i, (errors[w]:match("[^\n]*"))) end

-- a source in pieces whose pieces come from other sources
local function pieces(s)
  local i = 0
  return function()
    i = i + 1
    return i <= #s and load("return '" .. s:sub(i, i) .. "'")() or nil
  end
end
print(load(pieces("return 40 + 2"))(), type(load(pieces("return load"))))
