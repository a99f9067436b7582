-- The body of pairs(o), where o has the metamethod `f`.
return function(o, f)
  local next, state, control = f(o)
  return next, state, control
end
