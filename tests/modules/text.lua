-- needs: lpeg re cjson rex_pcre2 rex_posix yaml lyaml zlib lxp lxp.lom lxp.totable bit
-- Text: patterns, grammars, JSON, YAML, XML, compression, bits.

do
  local lpeg = require "lpeg"
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
  print("lpeg", pcall(lpeg.match, lpeg.Cmt(P(1), function() error("in a match") end), "x"))
  print("lpeg", pcall(lpeg.match, P"a"^0 / function(s) return coroutine.yield(s) end, "aa"))
  -- captures that call back into patterns, and tables that are filled by folding
  local words = lpeg.Cf(Ct"" * (lpeg.Cg(C(R"az"^1) * lpeg.Cc(1)) * space)^1, function(t, w, n) t[w] = (t[w] or 0) + n return t end)
  local t = words:match(("a bb a ccc bb a "):rep(50))
  print("lpeg", t.a, t.bb, t.ccc, lpeg.type(words), lpeg.type(1), pcall(lpeg.P, {}))
  local re = require "re"
  print("re", re.gsub("hello world", "[aeiou]", "*"), re.find("the number 423", "[0-9]+"), re.match("[[x]]", "'[[' {[^]]+} ']]'"))
  local balanced = re.compile[[ b <- '(' ([^()] / b)* ')' ]]
  for i = 1, 30 do assert(balanced:match(("("):rep(i) .. "x" .. (")"):rep(i)) == 2 * i + 2) end
end

do
  local cjson = require "cjson"
  for i = 1, 500 do
    local u = cjson.decode(cjson.encode{n = i, l = {i, i + 1, i + 2}, s = "v" .. i})
    assert(u.n == i and u.l[3] == i + 2 and u.s == "v" .. i)
  end
  print("cjson", pcall(cjson.decode, "{bad"))
  local t = cjson.decode('{"a": [1, 2.5, null, true], "b": {"c": "\\u20ac"}}')
  print("cjson", t.a[1], t.a[2], t.a[3] == cjson.null, t.b.c, cjson.encode{1, {x = 1}})
  print("cjson", pcall(cjson.encode, {[1] = 1, [1000000] = 2}), pcall(cjson.encode, print))
  local deep = {}
  for _ = 1, 2000 do deep = {deep} end
  print("cjson", pcall(cjson.encode, deep))
  local own = cjson.new()
  own.encode_sparse_array(true)
  print("cjson", own.encode{nil, nil, 3}, own.encode(cjson.empty_array or {}), own.decode("[1e3, -0.0, 12345678901]")[3])
end

for _, name in ipairs{"rex_pcre2", "rex_posix"} do
  local rex = require(name)
  print(name, rex.match("key = value", "([a-z]+) *= *([a-z]+)"), rex.find("abc123", "[0-9]+"))
  print(name, rex.gsub("one two three", "[a-z]+", function(w) return w == "two" and false or w:upper() end))
  print(name, rex.gsub("aXbXc", "X", {X = "-"}), rex.gsub("abc", "(b)", "<%1>", 1), rex.count("banana", "a"))
  local sum = 0
  for i = 1, 200 do
    for a, b in rex.gmatch("x" .. i .. "=" .. 2 * i .. ";", "x([0-9]+)=([0-9]+)") do sum = sum + a + b end
  end
  for part, sep in rex.split("a, b;c", "[,;] *") do io.write(part, "<", tostring(sep), "> ") end
  print(sum, pcall(rex.new, "(unclosed"))
  local ok, message = pcall(rex.gsub, "abc", "b", function() error{"an object"} end)
  print(name, ok, type(message), message[1], pcall(rex.match, "x", nil))
  local compiled = rex.new("(a)(b)?")
  print(name, compiled:exec("cab"), select(3, compiled:tfind("cab"))[1])
end
print("rex_pcre2", require "rex_pcre2".match("2024-06-01", [[(?<y>\d{4})-(?<m>\d\d)]]), select(3, require "rex_pcre2".new([[(?<y>\d)]]):tfind("7")).y)

do
  local lyaml = require "lyaml"
  local function show(v, depth)
    if type(v) ~= "table" then return tostring(v) end
    if v == lyaml.null then return "null" end
    local keys = {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for i, k in ipairs(keys) do keys[i] = tostring(k) .. "=" .. show(v[k], depth) end
    return "{" .. table.concat(keys, ",") .. "}"
  end
  print("lyaml", show(lyaml.load("a: 1\nb: [x, 2.5, true, ~]\nc: &id {d: e}\nf: *id\ng: |\n  two\n  lines\n")))
  print("lyaml", show(lyaml.load("--- 1\n--- two\n", {all = true})), (lyaml.dump{{1, 2, {x = "y z"}}}))
  local ok, message = pcall(lyaml.load, "a: [1")
  print("lyaml", ok, (tostring(message):gsub("^.-:%d+: ", "")))
  local doc = {}
  for i = 1, 100 do doc[i] = {name = "n" .. i, list = {i, i * 2}} end
  local back = lyaml.load(lyaml.dump{doc})
  for i = 1, 100 do assert(back[i].name == "n" .. i and back[i].list[2] == 2 * i) end
  local yaml = require "yaml"
  local kinds = {}
  for event in yaml.parser("k: [v, {w: x}]") do kinds[#kinds + 1] = event.type end
  print("yaml", table.concat(kinds, " "))
end

do
  local lxp = require "lxp"
  local out = {}
  local parser = lxp.new{
    StartElement = function(p, name, attributes)
      out[#out + 1] = "<" .. name
      for _, a in ipairs(attributes) do out[#out + 1] = a .. "=" .. attributes[a] end
    end,
    EndElement = function(_, name) out[#out + 1] = name .. ">" end,
    CharacterData = function(_, s) out[#out + 1] = s end,
    Comment = function(p, s) out[#out + 1] = s .. select(2, p:pos()) end,
  }
  for piece in ('<a x="1" y="2"><b>te&amp;xt</b><!-- c --></a>'):gmatch".." do assert(parser:parse(piece)) end
  local last = parser:parse("") == parser
  print("lxp", table.concat(out, " "), last, parser:parse())
  parser:close()
  print("lxp", lxp.new{}:parse("<a><b></a>"))
  print("lxp", pcall(function() return lxp.new{StartElement = function() error("in a callback") end}:parse("<a/>") end))
  local stopped = lxp.new{StartElement = function(p) p:stop() end}
  print("lxp", stopped:parse("<a><b/></a>"))
  local lom = require "lxp.lom".parse("<r><i n='1'>one</i><i n='2'>two</i></r>")
  print("lom", lom.tag, #lom, lom[2].attr.n, lom[2][1], require "lxp.totable".parse("<q a='b'>c</q>")[1])
  for i = 1, 100 do
    local t = require "lxp.lom".parse("<r>" .. ("<i>" .. i .. "</i>"):rep(20) .. "</r>")
    assert(#t == 20 and t[20][1] == tostring(i))
  end
end

do
  local zlib = require "zlib"
  local text = ("some text that repeats "):rep(500)
  local packed, eof, n, m = zlib.deflate()(text, "finish")
  print("zlib", #packed, eof, n, m, zlib.inflate()(packed) == text, zlib.crc32()(text), zlib.adler32()(text))
  local stream, parts = zlib.deflate(9), {}
  for i = 1, #text, 97 do parts[#parts + 1] = stream(text:sub(i, i + 96)) end
  parts[#parts + 1] = stream("", "finish")
  local inflate, back = zlib.inflate(), {}
  for c in table.concat(parts):gmatch"." do back[#back + 1] = inflate(c) end
  print("zlib", #table.concat(back), pcall(zlib.inflate(), "no such stream"), zlib.version() ~= nil)
end

do
  local bit = require "bit"
  local h = 0
  for i = 1, 3000 do h = bit.bxor(bit.lshift(h, 5), bit.rshift(h, 27), bit.band(i * 2654435761, 0xffffffff)) end
  print("bit", h, bit.bnot(0), bit.arshift(-256, 4), bit.bor(1, 2, 4), pcall(bit.band, "x"))
  print("bit", bit.tohex(-1), bit.bswap(1), bit.rol(1, 33), bit.ror(1, 1))
end
