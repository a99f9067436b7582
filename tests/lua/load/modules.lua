-- require and package: preload, searchers, loaded, path, searchpath, errors.
local dir = os.tmpname() os.remove(dir)
local function write(name, text) local f = assert(io.open(name, "w")) f:write(text) f:close() end
local base = dir .. "_mod"
write(base .. "_a.lua", "local name, path = ... return { name = name, ok = path:sub(-6) == '_a.lua' }")
write(base .. "_b.lua", "count = (count or 0) + 1")
write(base .. "_c.lua", "return false")
write(base .. "_d.lua", "syntax error here")
write(base .. "_e.lua", "error('at run time', 0)")
write(base .. "_f.lua", "package.loaded[...] = 'set by itself'")
write(base .. "_g.lua", "return nil")
local saved = package.path
package.path = base .. "_?.lua"
local a, where = require("a") print(a.name, a.ok, where == base .. "_a.lua", require("a") == a, select("#", require("a")), package.loaded.a == a)
print(require("b"), count, require("b"), count) package.loaded.b = nil print((require("b")), count)
print(require("c"), package.loaded.c) print((require("f"))) print((require("g")), package.loaded.g)
local function clean(s) return (tostring(s):gsub(base:gsub("%W", "%%%0"), "BASE"):gsub("\n%s*no file '[^\n]-%.so'", "")) end
print(clean(select(2, pcall(require, "d")))) print(clean(select(2, pcall(require, "e")))) print(package.loaded.e, package.loaded.d)
print((clean(select(2, pcall(require, "missing"))))) print((clean(select(2, pcall(require, "mis.sing")))))
package.preload.pre = function(...) print("preload", ...) return "preloaded" end print(require("pre")) print(require("pre"))
print(clean(package.searchpath("a", package.path)), clean(select(2, package.searchpath("x.y", "./?.lua;/?/z"))), clean(package.searchpath("x-y", "?;" .. base .. "_a.lua", "-", "+")))
print(package.config:gsub("\n", " "), #package.searchers, type(package.cpath), package.loaded._G == _G, package.loaded.string == string)
table.insert(package.searchers, 1, function(n) if n == "virtual" then return function(name, extra) return name .. ":" .. extra end, "extra" end return "\n\tmy searcher does not know '" .. n .. "'" end)
print(require("virtual")) print((clean(select(2, pcall(require, "none"))):gsub("\n.*", "\n...")))
table.remove(package.searchers, 1)
package.path = nil print(clean(select(2, pcall(require, "zzz2"))))
package.path = saved
for c in ("abcdefg"):gmatch(".") do os.remove(base .. "_" .. c .. ".lua") end
count = nil
