-- Data structures that change while collections run: nothing reachable is lost.
local function check(name, v) print(name, v) end
local seed = 7 local function random(n) seed = seed * 16807 % 2147483647 return seed % n + 1 end
-- old objects that get young fields
local old = {} for i = 1, 200 do old[i] = { v = i } end collectgarbage()
for round = 1, 20 do for i = 1, 200 do old[i].young = { round * i } old[random(200)].link = old[random(200)] end if round % 5 == 0 then collectgarbage("step", 1) end end
local s = 0 for i = 1, 200 do s = s + old[i].young[1] end check("fields", s)
-- closures and upvalues
local cells = {} for i = 1, 100 do local v = { i } cells[i] = { get = function() return v[1] end, set = function(x) v = { x } end } end
for round = 1, 10 do for i = 1, 100 do cells[i].set(round * i) end collectgarbage("step", 0) end
s = 0 for i = 1, 100 do s = s + cells[i].get() end check("upvalues", s)
-- coroutines that hold their own stacks
local cos = {} for i = 1, 40 do cos[i] = coroutine.wrap(function() local list = {} while true do list[#list + 1] = { #list } coroutine.yield(#list, list) end end) end
local total = 0 for round = 1, 10 do for i = 1, 40 do local n, l = cos[i]() total = total + n + l[#l][1] end collectgarbage("step", 0) end check("coroutines", total)
-- strings as keys made and dropped
local t = {} for i = 1, 2000 do t["key" .. i % 300] = "value" .. i if i % 7 == 0 then t["key" .. random(300)] = nil end end
local n, l = 0, 0 for k, v in pairs(t) do n = n + 1 l = l + #k + #v end check("strings", n .. " " .. l)
-- trees rotated while allocating
local function insert(node, k) if not node then return { k = k, n = 1 } end if k == node.k then node.n = node.n + 1 elseif k < node.k then node.l = insert(node.l, k) else node.r = insert(node.r, k) end return node end
local root for i = 1, 1500 do root = insert(root, random(500)) if i % 100 == 0 and root.l then local p = root.l root.l = p.r p.r = root root = p end end
local function walk(node) if not node then return 0, 0 end local a, b = walk(node.l) local c, d = walk(node.r) return a + c + 1, b + d + node.k * node.n end check("tree", table.concat({ walk(root) }, " "))
-- metatables, varargs and protected calls
local mt = { __add = function(a, b) return setmetatable({ v = a.v + b.v }, getmetatable(a)) end }
local acc = setmetatable({ v = 0 }, mt) for i = 1, 500 do acc = acc + setmetatable({ v = i }, mt) end check("metatable", acc.v)
local function pass(...) local p = { ... } return select("#", ...), p[#p] end
local k = 0 for i = 1, 300 do local c, last = pass({ i }, { i + 1 }, { i + 2 }) k = k + c + last[1] end check("varargs", k)
local e = 0 for i = 1, 300 do local ok, err = pcall(function() local junk = { i } error({ junk = junk }) end) e = e + err.junk[1] end check("errors", e)
-- tables that grow, shrink and turn from arrays into hashes
local lists = {} for i = 1, 50 do lists[i] = {} end
for i = 1, 3000 do local q = lists[random(50)] if random(3) == 1 then table.remove(q) else q[#q + 1] = { i } end if i % 500 == 0 then lists[random(50)] = { [i] = { i }, x = { 1 } } end end
local c, sum = 0, 0 for _, q in ipairs(lists) do for _, v in pairs(q) do c = c + 1 sum = sum + v[1] end end check("lists", c .. " " .. sum)
local str = "" for i = 1, 300 do str = str .. i .. "," if #str > 500 then str = str:sub(250) end end check("string", #str .. str:sub(1, 10))
