-- needs: openssl.digest openssl.hmac openssl.cipher openssl.pkey openssl.x509 openssl.x509.name openssl.bignum openssl.rand ssl socket
-- OpenSSL through luaossl, and TLS between two sockets of one program through LuaSec.

local digest, hmac, cipher = require "openssl.digest", require "openssl.hmac", require "openssl.cipher"
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
print(hex(digest.new("sha256"):final("abc")), hex(hmac.new("key", "sha1"):final("text")))
local d = digest.new("md5")
for i = 1, 500 do d:update("line " .. i .. "\n") end
print(hex(d:final()), (select(2, pcall(digest.new, "no such digest")):gsub("_openssl", "openssl")))
local key, iv = ("k"):rep(32), ("i"):rep(16)
for i = 1, 100 do
  local text = ("text "):rep(i)
  local secret = cipher.new("aes-256-cbc"):encrypt(key, iv):final(text)
  assert(cipher.new("aes-256-cbc"):decrypt(key, iv):final(secret) == text)
end
print(pcall(function() return cipher.new("aes-256-cbc"):encrypt("short", iv) end))

local bignum = require "openssl.bignum"
local f = bignum.new(1)
for i = 1, 60 do f = f * i end
print(tostring(f), tostring(f % 1000007), f > bignum.new(7), bignum.new(12):gcd(bignum.new(18)) == bignum.new(6), tostring(-f // 3))
print(#require "openssl.rand".bytes(16))

local pkey, x509, name = require "openssl.pkey", require "openssl.x509", require "openssl.x509.name"
local private = pkey.new{type = "EC", curve = "prime256v1"}
local data = digest.new("sha256")
data:update("signed")
local signature = private:sign(data)
local again = digest.new("sha256")
again:update("signed")
print(private:verify(signature, again), pcall(pkey.new, "not a key"))
local subject = name.new()
subject:add("CN", "localhost")
local certificate = x509.new()
certificate:setSerial(42)
certificate:setSubject(subject)
certificate:setIssuer(subject)
certificate:setLifetime(os.time() - 3600, os.time() + 36000)
certificate:setPublicKey(private)
certificate:sign(private)
print(tostring(certificate:getSubject()), tostring(certificate:getSerial()), #certificate:toPEM() > 200, x509.new(certificate:toPEM()):getIssuer() == subject)

local function file(text)
  local path = os.tmpname()
  local f = assert(io.open(path, "w"))
  f:write(text)
  f:close()
  return path
end
local socket, ssl = require "socket", require "ssl"
local keys, certs = file(private:toPEM("private")), file(certificate:toPEM())
local listener = assert(socket.bind("127.0.0.1", 0))
local address, port = listener:getsockname()
local client = assert(socket.connect(address, port))
local server = listener:accept()
server = assert(ssl.wrap(server, {mode = "server", protocol = "any", key = keys, certificate = certs}))
client = assert(ssl.wrap(client, {mode = "client", protocol = "any", cafile = certs, verify = "peer"}))
client:settimeout(0)
server:settimeout(0)
-- each side in a coroutine that waits by yielding
local function patiently(f, s, ...)
  while true do
    local ok, why, partial = f(s, ...)
    if ok then return ok end
    if why ~= "wantread" and why ~= "wantwrite" and why ~= "timeout" then return nil, why, partial end
    coroutine.yield()
  end
end
local lines = {}
local sides = {
  coroutine.create(function()
    assert(patiently(server.dohandshake, server))
    for i = 1, 100 do
      local line = assert(patiently(server.receive, server))
      assert(server:send(line:upper() .. "\n"))
    end
    server:close()
  end),
  coroutine.create(function()
    assert(patiently(client.dohandshake, client))
    for i = 1, 100 do
      client:send("line " .. i .. "\n")
      lines[#lines + 1] = assert(patiently(client.receive, client))
    end
    print(client:getpeercertificate():subject()[1].value, client:getpeerverification())
    print(client:info("protocol"), client:receive())
  end),
}
while coroutine.status(sides[2]) ~= "dead" do
  for _, side in ipairs(sides) do
    if coroutine.status(side) ~= "dead" then assert(coroutine.resume(side)) end
  end
end
print(#lines, lines[1], lines[100], pcall(ssl.wrap, client, {mode = "none"}), (select(2, ssl.newcontext{mode = "client", protocol = "none"})))
os.remove(keys)
os.remove(certs)
