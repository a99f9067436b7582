-- needs: lfs socket socket.http system term term.colors readline
-- The system: files, sockets, clocks, terminals.

do
  local lfs = require "lfs"
  local n = 0
  for _ in lfs.dir("/etc") do n = n + 1 end
  print("lfs", n > 2, lfs.attributes("/etc", "mode"), lfs.attributes("/no such file"))
  local dir = os.tmpname()
  os.remove(dir)
  print("lfs", lfs.mkdir(dir), lfs.mkdir(dir) == nil, lfs.rmdir(dir), pcall(lfs.dir, dir .. "/none") == false)
  local f = assert(io.open("/dev/null", "w"))
  print("lfs", lfs.setmode(f, "binary"), f:close(), pcall(lfs.lock, f, "w"))
  do
    local iterate, object = lfs.dir("/")
    iterate(object)
    object:close()
    print("lfs", pcall(iterate, object))
  end
end

do
  local socket = require "socket"
  local server = assert(socket.bind("127.0.0.1", 0))
  local address, port = server:getsockname()
  local client = assert(socket.connect(address, port))
  local peer = server:accept()
  peer:send("one\ntwo\n")
  print("socket", client:receive(), client:receive())
  client:settimeout(0)
  print("socket", client:receive("*a"))
  print("socket", #socket.select({client}, {client}, 0), #select(2, socket.select(nil, {client}, 0)))
  peer:close()
  print("socket", client:receive())
  -- many lines through a source and a sink
  local ltn12, mime = require "ltn12", require "mime"
  local parts = {}
  ltn12.pump.all(ltn12.source.chain(ltn12.source.string(("x"):rep(1000)), mime.encode "base64"), (ltn12.sink.table(parts)))
  print("ltn12", #table.concat(parts), mime.unb64(mime.b64("some text")), (mime.qp("a=b")), pcall(ltn12.source.chain))
  -- a server in a coroutine and the client's request take turns
  local http = require "socket.http"
  server:settimeout(0)
  local requests = {}
  local function step()
    local c = server:accept()
    if not c then return end
    local line = c:receive()
    requests[#requests + 1] = line
    repeat local header = c:receive() until header == "" or not header
    c:send("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    c:close()
  end
  local function create()
    local t = socket.tcp()
    return setmetatable({}, {__index = function(_, name)
      return function(_, ...)
        if name == "receive" then step() end
        return t[name](t, ...)
      end
    end})
  end
  for i = 1, 20 do
    local body, code = http.request{url = ("http://127.0.0.1:%d/%d"):format(port, i), create = create, sink = ltn12.sink.null()}
    assert(body == 1 and code == 200, code)
  end
  print("http", #requests, requests[20], pcall(http.request, "http://[bad"))
end

do
  local system, term = require "system", require "term"
  print("system", system.gettime() > 1e9, system.monotime() > 0, system.sleep(0.001), (select(2, pcall(system.sleep, "x")):gsub("system.core", "system")))
  print("term", term.isatty(io.stdin), pcall(term.isatty, 1), tostring(term.colors.red):byte(1, -1))
  print("term", (term.colors.bright .. "text" .. term.colors.reset):gsub("\27", "^"))
  local readline = require "readline"
  print("readline", pcall(readline.set_options, {keeplines = 10, histfile = "/dev/null"}), type(readline.readline))
end

print(package.loadlib("/no such library.so", "f"))
print(select(2, pcall(require, "no.such-module")))
