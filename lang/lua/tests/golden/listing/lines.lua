local t = a
  .b
  + c
  (
    d,
    e.f
    , g
  )
if t
  .x
then
  t:m(
    1
  )
end
local r = {
  t,
  y = f(
    t),
}
function t.f(x)
  return x
    and x.y
    or x .. t .. "s"
end
