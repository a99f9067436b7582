-- Weak tables: keys, values, both; what is never removed; ephemerons and chains of them.
local function size(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
local function full() collectgarbage() collectgarbage() end
local keep = {}
local wv = setmetatable({}, { __mode = "v" })
do
  local all = {}
  for i = 1, 10 do all[i] = {} all["k" .. i] = { i } end
  for k, v in pairs(all) do wv[k] = v end
  keep[1], keep[2] = wv[3], wv.k5
end
full() print(size(wv), wv[3] == keep[1], wv.k5 == keep[2], wv[1])
wv.str, wv.num, wv.bool, wv.light = "string " .. 1, 1.5, true, print
full() print(wv.str, wv.num, wv.bool, wv.light == print)
local wk = setmetatable({}, { __mode = "k" })
for i = 1, 10 do wk[{}] = i end
local key = {} wk[key] = "kept" wk["str" .. "key"] = {} wk[1] = {} wk[true] = {}
full() print(size(wk), wk[key], type(wk.strkey), type(wk[1]))
-- a value that refers to its own key does not keep it alive
wk = setmetatable({}, { __mode = "k" })
for i = 1, 10 do local k = {} wk[k] = { k } end
full() print(size(wk))
-- chains: a key kept only by another entry's value
local root = {}
do local k = root for i = 1, 20 do local nextk = { i } wk[k] = nextk k = nextk end end
full() print(size(wk)) local k, n = root, 0 while wk[k] do k = wk[k] n = n + 1 end print(n, k[1])
root, k = nil, nil full() print(size(wk))
-- two ephemeron tables that lead to each other
local e1, e2 = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "k" })
do local a, b, c = {}, {}, { "end" } e1[a] = b e2[b] = c keep.a = a end
full() print(e2[e1[keep.a]][1]) keep.a = nil full() print(size(e1), size(e2))
local both = setmetatable({}, { __mode = "kv" })
local ka, va = {}, {} both[ka] = {} both[{}] = va both[ka] = va both[1] = {} both[2] = va
full() print(size(both), both[ka] == va, both[2] == va)
-- functions, coroutines and closures as weak values
local w = setmetatable({}, { __mode = "v" })
local up = {} w.f = function() return up end w.co = coroutine.create(print) w.t = up w.c = function() end
full() print(w.f, w.co, w.t == up, w.g)
-- the mode may change, and a metatable may be shared
local m = {} local t1 = setmetatable({ {} }, m) full() print(#t1) m.__mode = "v" full() print(t1[1]) m.__mode = nil t1[1] = {} full() print(type(t1[1]))
print((pcall(setmetatable, {}, { __mode = 5 })), (pcall(setmetatable, {}, { __mode = "x" })))
-- removal while traversing and lookups after removal
local big = setmetatable({}, { __mode = "k" })
local hold = {}
for i = 1, 300 do hold[i] = { i } big[hold[i]] = i end
for i = 301, 500 do big[{ i }] = i end
local seen = 0
for kk in pairs(big) do
  seen = seen + 1
  if seen % 50 == 0 then collectgarbage() end
  if seen == 250 then hold = nil end
end
print(seen <= 500, seen >= 250) full() print(size(big), next(big))
-- caches keep strings as values
local cache = setmetatable({}, { __mode = "v" }) local function get(i) local v = cache[i] if not v then v = { i } cache[i] = v end return v end
local held = get(1) get(2) full() print(cache[1] == held, cache[2], get(2)[1])
-- weak values in the array part that are strings and numbers stay
local arr = setmetatable({ "a", 1, {}, 2.5, {}, "b" }, { __mode = "v" }) full() print(arr[1], arr[2], arr[3], arr[4], arr[5], arr[6])
-- keys that are objects being finalised are removed after, values before
local wkf, wvf, order = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "v" }), {}
do local o = setmetatable({}, { __gc = function(obj) order[#order + 1] = tostring(wkf[obj]) .. " " .. tostring(wvf[1]) end }) wkf[o] = "by key" wvf[1] = o end
full() print(order[1], size(wkf))
