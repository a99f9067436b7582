-- Writing, seeking, buffering, modes, io.output and io.input, closing, io.type, errors.
local name = os.tmpname()
local function contents() local h = assert(io.open(name, "rb")) local s = h:read("a") h:close() return s end
local h = assert(io.open(name, "w"))
print(h:write("abc", 1, 2.5, "\n", -0.0, " ", math.maxinteger, " ", 1e100) == h, io.type(h))
print(h:seek(), h:seek("set", 1), h:seek("cur", 1), h:seek("end"), h:seek("set"), h:seek("cur", 0))
h:write("X") print(h:close(), io.type(h), tostring(h)) print(contents())
print(pcall(h.write, h, "x")) print(pcall(h.read, h)) print(pcall(h.close, h)) print(pcall(h.seek, h)) print(pcall(h.lines, h))
h = assert(io.open(name, "a")) h:write("+appended") h:close() print(contents())
h = assert(io.open(name, "r+")) h:write("R") h:seek("end") h:write("!") h:seek("set", 0) print(h:read("a")) h:close()
h = assert(io.open(name, "w+")) h:write("new ", "content") h:seek("set") print(h:read("a")) h:close()
h = assert(io.open(name, "a+")) h:write("?") h:seek("set") print(h:read("a")) h:close()
h = assert(io.open(name, "rb")) print(h:seek("set", 4), h:read(3), h:seek("cur", -2), h:read(1), h:seek("end", -1), h:read("a")) 
print((select(2, h:seek("set", -5)))) print(select("#", h:write("x")) >= 2, (h:write("x"))) h:close()
h = assert(io.open(name, "w"))
print(h:setvbuf("no"), h:setvbuf("full", 1024), h:setvbuf("line")) print(pcall(h.setvbuf, h, "bad"))
for i = 1, 1000 do h:write(i, ",") end print(h:flush() == h) h:close() print(#contents(), contents():sub(-10))
print(pcall(io.open, name, "rw")) print(pcall(io.open, name, "")) print(pcall(io.open, name, "rbx")) print(pcall(io.open)) print((io.open(name .. "/no", "r")))
print((select(2, io.open(name .. ".none")):gsub("^.-:", ":"))) print(select(3, io.open(name .. ".none")))
print(io.type(5), io.type({}), io.type(io.stdout), io.type(nil), pcall(io.type))
-- default files
local stdout, stdin = io.output(), io.input()
print(stdout == io.stdout, stdin == io.stdin)
io.output(name) io.write("to the file ", 1, "\n") print(io.output() ~= stdout) io.close() io.output(stdout)
io.input(name) print(io.read("l"), io.read("l"), io.input() ~= stdin) io.close(io.input()) print(pcall(io.read)) io.input(stdin)
print((tostring(select(2, pcall(io.input, name .. ".none"))):gsub(name:gsub("%W", "%%%0"), "FILE")))
for l in io.lines(name) do print(l) end
-- closed by scope and by collection
do local f <close> = assert(io.open(name, "w")) f:write("scoped") end print(contents())
do local f = assert(io.open(name, "w")) f:write("collected") f = nil collectgarbage() collectgarbage() end print(contents())
local mt = getmetatable(io.stdout) print(mt.__name, type(mt.__index), type(mt.__gc), type(mt.__close), type(mt.__tostring), mt.__index.write == io.stdout.write)
print(pcall(mt.__index.write)) print(pcall(mt.__index.read, {})) print(pcall(io.close, 5)) print(pcall(function() return io.stdout.nofield end)) print(pcall(function() io.stdout.x = 1 end))
print((tostring(io.stdout):gsub("0x%x+", "ADDR")), tostring(io.stdout) == tostring(io.stdout), io.stdout == io.stdout, io.stdout ~= io.stderr)
-- temporary files
local t = io.tmpfile() t:write("temp") t:seek("set") print(t:read("a"), io.type(t), t:close())
-- large and binary
h = assert(io.open(name, "wb")) local all = {} for i = 0, 255 do all[#all + 1] = string.char(i) end all = table.concat(all):rep(300) h:write(all) h:close() print(contents() == all, #all)
print(os.rename(name, name .. ".2"), io.open(name) == nil, os.remove(name .. ".2"), (os.remove(name .. ".2"))) print((select(2, os.remove(name)):gsub("^.-:", ":")), select(3, os.remove(name)), (select(2, os.rename(name, name .. ".3")):gsub("^.-:", ":")))
