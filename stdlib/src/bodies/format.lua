-- The body of string.format(form, ...) with n arguments behind the format, at most 6, of which number k has `f` as __tostring.
local leave, text, finish = ...

return function(f, k, n, form, a, b, c, d, e, g)
  if k == 1 then a = text((f(a)))
  elseif k == 2 then b = text((f(b)))
  elseif k == 3 then c = text((f(c)))
  elseif k == 4 then d = text((f(d)))
  elseif k == 5 then e = text((f(e)))
  else g = text((f(g)))
  end
  local s = finish(n, form, a, b, c, d, e, g)
  return leave(s)
end
