local function f(g)
  local a <const>, s <const>, n <const> = g(), "s", 10
  local b <close> = g(a, s, n)
  if b then return g(b) end
  do local c <close> = g() if c then return end g(function() return c end) end
  while g() do local d <close> = g() if d then break end goto continue ::continue:: end
  repeat local e <close> = g() until e
  return g(), g()
end
