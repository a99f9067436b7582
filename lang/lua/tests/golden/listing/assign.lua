local a, b, i = ...
a, b = b, a
a, b, i = 1, 2
a, b = f()
a[i], a = 1, 2
a.x, a = 1, 2
i, a[i] = 3, 4
a[i], a[b], i, b = 1, 2, 3, 4
x, y = y, x
a.x, a.y, z = f()
local c
local function cap() return c end
c, a = 1, 2
c[i], c = 1, 2
c.x = cap()
a = c + cap()
local _ENV = {}
x = 1; y.z = x
