local x,y,z=3,2.5,"7"
print(2+x,2+y,2+z,2*x,2*y,2*z,0x10|x,0x13&x,0x11~x,"5"+x, 10|2.0, 1.5+x, 2.5*x)
local m=setmetatable({},{__add=function(a,b) return type(a)..type(b) end,__mul=function(a,b) return type(a)..type(b) end,__band=function(a,b) return "and"..type(a)..type(b) end,__bor=function(a,b) return "or"..type(a)..type(b) end,__bxor=function(a,b) return "xor"..type(a)..type(b) end})
print(2+m,2*m,2&m,2|m,2~m,m+2,m*2,m&2,m|2,m~2)
print(pcall(function() local t={} return 2+t.x end)) print(pcall(function() local t={} return 2*t.x end)) print(pcall(function() local t="a" return 2|t end))
print(pcall(function() local t=1.5 return 2|t end), pcall(function() local t={} return 2~t.y end))
print(math.maxinteger+1==math.mininteger, (function(x) return 9223372036854775807 + x end)(1), (function(x) return 9223372036854775807 * x end)(2))
