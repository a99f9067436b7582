f(); f(1, 2); f(...); f(1, g()); f(1, (g())); f(g(), g())
local a = f(); local b, c = f(); local d, e, g2 = 1, f()
local h, i = f(), 1
o:m(); o:m(1, ...); o.p.q:m"s"; f"s"; f{1}; f{...}
local x, y = (f()), (...)
local z = ...
local p, q, r = ...
a = f(a); a, b = f(a), b
do return f(...) end
do return o:m(1) end
do return (f()) end
do return f(), g() end
do return 1, ... end
do return ... end
do return a, b end
