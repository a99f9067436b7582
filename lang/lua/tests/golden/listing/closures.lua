local a, b = 1, 2
local function up() a = a + 1; return a + b end
local function fact(n) return n <= 1 and 1 or n * fact(n - 1) end
local obj = {}
function obj.f(x) return function() return x end end
function obj:m(...) local self2 = self return function(...) self2 = ... end end
a = b; b = a + up()
do local x; local y = x; f(function() return x, y end); x = y end
local mutual
function mutual() return mutual() end
while f() do local z = g(); f(function() z = z + 1 end) end
