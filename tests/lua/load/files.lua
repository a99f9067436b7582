-- dofile and loadfile with temporary files: #! lines, byte order marks, environments, errors, binary chunks.
local name = os.tmpname()
local function write(text, mode) local f = assert(io.open(name, mode or "w")) f:write(text) f:close() end
local function clean(...) local out = table.pack(...) for i = 1, out.n do if type(out[i]) == "string" then out[i] = out[i]:gsub(name:gsub("%W", "%%%0"), "FILE") end end return table.unpack(out, 1, out.n) end
write("return 1, 'two', ...") print(dofile(name)) print(loadfile(name)("arg"))
write("#!/usr/bin/env lua\nreturn debug.getinfo(1, 'l').currentline") print(dofile(name))
write("# first line is skipped\nreturn 2") print(dofile(name)) write("#") print(dofile(name)) write("") print(dofile(name))
write("\xEF\xBB\xBFreturn 'bom'") print(dofile(name)) write("\xEF\xBB\xBF#!x\nreturn 'bom and shebang'") print(dofile(name))
write("return x") print(loadfile(name, "t", { x = "env" })()) print(pcall(loadfile, name, "b"), clean(select(2, loadfile(name, "b"))))
write(string.dump(function() return "binary" end), "wb") print(loadfile(name)(), clean(loadfile(name, "t")))
write("#!shebang\n" .. string.dump(function() return "binary after a comment" end), "wb") print(loadfile(name)())
write("x = = 1") print(clean(loadfile(name))) print(clean(pcall(dofile, name)))
write("\n\nerror('line 3')") print(clean(pcall(dofile, name))) write("error({ code = 7 })") print(select(2, pcall(dofile, name)).code)
write("return 1\r\n+ 2\r\n") print(dofile(name)) write("return 'a\0b'", "wb") print(#dofile(name))
write("local a, b = ... return a, b, select('#', ...)") print(loadfile(name)(1, nil, 3))
write("global_from_file = 5 return function() return global_from_file end") print(dofile(name)(), global_from_file) global_from_file = nil
os.remove(name) print(clean(loadfile(name))) print(clean(pcall(dofile, name))) print(pcall(loadfile, {}))
print((select(2, loadfile(".")) or ""):match("cannot read"))
local info = debug.getinfo(1, "S") print(info.what, info.short_src:match("[^/]*$"), info.source:sub(1, 1))
