-- Works with the C modules that are installed; prints the same with every Lua 5.4.
local function with(name, f)
  local ok, m = pcall(require, name)
  if ok then print(name, pcall(f, m)) end
end

with("lpeg", function(lpeg)
  local P, S, R, C, Ct, V = lpeg.P, lpeg.S, lpeg.R, lpeg.C, lpeg.Ct, lpeg.V
  local space = S" \n\t"^0
  local number = C(P"-"^-1 * R"09"^1) * space
  local term, factor = C(S"+-") * space, C(S"*/") * space
  local function eval(x)
    if type(x) == "string" then return tonumber(x) end
    local v = eval(x[1])
    for i = 2, #x, 2 do
      local op, w = x[i], eval(x[i + 1])
      if op == "+" then v = v + w elseif op == "-" then v = v - w elseif op == "*" then v = v * w else v = v / w end
    end
    return v
  end
  local grammar = space * P{"Exp", Exp = Ct(V"Factor" * (term * V"Factor")^0), Factor = Ct(V"Term" * (factor * V"Term")^0),
    Term = number + "(" * space * V"Exp" * ")" * space} * -1
  for i = 1, 500 do assert(eval(grammar:match("3 + 5*9 / (1+1) - " .. i)) == 25.5 - i) end
  print(pcall(lpeg.match, lpeg.Cmt(P(1), function() error("in a match") end), "x"))
  return require"re".gsub("hello world", "[aeiou]", "*")
end)

with("cjson", function(cjson)
  for i = 1, 500 do
    local u = cjson.decode(cjson.encode{n = i, l = {i, i + 1, i + 2}, s = "v" .. i})
    assert(u.n == i and u.l[3] == i + 2 and u.s == "v" .. i)
  end
  print(pcall(cjson.decode, "{bad"))
  local t = cjson.decode('{"a": [1, 2.5, null, true], "b": {"c": "\\u20ac"}}')
  return t.a[1], t.a[2], t.a[3] == cjson.null, t.b.c, cjson.encode{1, {x = 1}}
end)

with("lfs", function(lfs)
  local n = 0
  for _ in lfs.dir("/etc") do n = n + 1 end
  return n > 2, lfs.attributes("/etc", "mode"), lfs.attributes("/no such file")
end)

with("socket", function(socket)
  local server = assert(socket.bind("127.0.0.1", 0))
  local address, port = server:getsockname()
  local client = assert(socket.connect(address, port))
  local peer = server:accept()
  peer:send("one\ntwo\n")
  print(client:receive(), client:receive())
  peer:close()
  return client:receive()
end)

with("posix", function(posix)
  local f = require"posix.stdio".fdopen(require"posix.fcntl".open("/etc/passwd", 0), "r")
  local text = f:read("a")
  print(io.type(f), #text > 0, f:close(), io.type(f))
  return posix.getpid() > 0, posix.stat("/etc").type, require"posix.stdio".fileno(io.stdout)
end)

print(package.loadlib("/no such library.so", "f"))
print(select(2, pcall(require, "no.such-module")))
