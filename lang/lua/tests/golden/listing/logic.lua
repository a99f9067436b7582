local a, b, c = ...
local r = a and b
r = a or b
r = a and b or c
r = (a or b) and c
r = a < b
r = a < b and b < c
r = a < b or c
r = not (a and b)
r = a == nil or b ~= "x" or c == 1.0 or c == 2.5 or c == true
r = nil or a; r = 1 and a; r = false and a; r = 1 or a
r = f() and g() or h()
r = a and f(b)
if a then f() end
if not a then f() else g() end
if a and b or c then f() elseif a == 1 then g() else h() end
if a < 10 and 10 < b or c >= -5 and 5.5 > a then f() end
if not (a == b or b == c) then f() end
while a do if b then break end f() end
while true do f() if b then break end end
repeat local x = f() until x == 3
return a > b, a >= b, a ~= b, not not a
