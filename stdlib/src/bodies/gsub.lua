-- The body of string.gsub(s, pattern, f, max), `f` being a function. The text that is made lies in a buffer of the state, from `start` on up to
-- `len`; it has what stands for the bytes of `s` up to `copied`.
local leave, find, captures, put, finish = ...

return function(s, pattern, f, max, start)
  local count, pos, copied, len = 0, -1, 0, start
  while count < max do
    local from, to, n, a, b, c, d = find(s, pattern, pos)
    if not from then break end
    local new
    if n == 1 then new = f(a)
    elseif n == 2 then new = f(a, b)
    elseif n == 3 then new = f(a, b, c)
    elseif n == 4 then new = f(a, b, c, d)
    else new = f(captures(s, pattern, pos))
    end
    count = count + 1
    pos = to
    if new then
      len = put(len, s, copied, from, new)
      copied = to
    end
  end
  local text = finish(start, len, s, copied)
  return leave(text, count)
end
