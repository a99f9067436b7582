for i = 1, 10 do f(i) end
for i = 10, 1, -1 do i = i + 1 f(i) end
for i = a, b, c do fs[i] = function() return i end end
for k, v in pairs(t) do f(k, v) end
for k, v in next, t do fs[k] = function() v = k end end
for i = 1, 2 do for j = 1, 2 do if x then goto continue end f(i, j) ::continue:: end end
for k in f do if k then break end return k end
for k in f do return g(k) end
