-- The body of tostring(o), where o has the metamethod `f`.
local leave, text = ...

return function(o, f)
  local s = text((f(o)))
  return leave(s)
end
