-- The body of string.format(form, ...), whose n items, at most 6, show these values. Number k, and maybe others behind it, are objects with __tostring:
-- `method` finds it when their turn comes, since a call of one may change that of another.
local leave, method, text, finish = ...

return function(n, k, form, a, b, c, d, e, g)
  local f
  if k == 1 then
    f = method(a)
    if f then a = text((f(a))) end
  end
  if n > 1 and k <= 2 then
    f = method(b)
    if f then b = text((f(b))) end
  end
  if n > 2 and k <= 3 then
    f = method(c)
    if f then c = text((f(c))) end
  end
  if n > 3 and k <= 4 then
    f = method(d)
    if f then d = text((f(d))) end
  end
  if n > 4 and k <= 5 then
    f = method(e)
    if f then e = text((f(e))) end
  end
  if n > 5 then
    f = method(g)
    if f then g = text((f(g))) end
  end
  local s = finish(n, form, a, b, c, d, e, g)
  return leave(s)
end
