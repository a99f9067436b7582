-- The body of error(v) where xpcall has the message handler `h`, which makes the message of `v`.
local fail = ...

return function(h, v)
  local message = h(v)
  fail(message)
end
