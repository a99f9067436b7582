-- A JSON encoder and decoder, and what they make of some documents.
-- Usage: traceorus examples/json.lua [file.json]

local json = { null = setmetatable({}, { __tostring = function() return "null" end }) }

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local unescapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function quote(s)
  return '"' .. s:gsub('[%c"\\]', function(c)
    return escapes[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

-- A table is an array if its keys are 1 to n, otherwise an object with its keys in order.
local function encode(value, out, indent, seen)
  local kind = math.type(value) or type(value)
  if value == json.null or kind == "nil" then
    out[#out + 1] = "null"
  elseif kind == "boolean" or kind == "integer" then
    out[#out + 1] = tostring(value)
  elseif kind == "float" then
    if value ~= value or value == math.huge or value == -math.huge then
      error("JSON cannot hold " .. value)
    end
    out[#out + 1] = ("%.14g"):format(value)
  elseif kind == "string" then
    out[#out + 1] = quote(value)
  elseif kind == "table" then
    if seen[value] then
      error("a table contains itself")
    end
    seen[value] = true
    local inner = indent .. "  "
    if next(value) == nil then
      out[#out + 1] = "[]"
    elseif #value > 0 then
      for i, item in ipairs(value) do
        out[#out + 1] = (i == 1 and "[\n" or ",\n") .. inner
        encode(item, out, inner, seen)
      end
      out[#out + 1] = "\n" .. indent .. "]"
    else
      local keys = {}
      for key in pairs(value) do
        keys[#keys + 1] = key
      end
      table.sort(keys)
      for i, key in ipairs(keys) do
        out[#out + 1] = (i == 1 and "{\n" or ",\n") .. inner .. quote(key) .. ": "
        encode(value[key], out, inner, seen)
      end
      out[#out + 1] = "\n" .. indent .. "}"
    end
    seen[value] = nil
  else
    error("JSON cannot hold a " .. kind)
  end
end

function json.encode(value)
  local out = {}
  encode(value, out, "", {})
  return table.concat(out)
end

local decode

local function fail(text, at, what)
  local _, line = text:sub(1, at - 1):gsub("\n", "")
  error(("line %d: %s"):format(line + 1, what), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function decode_string(text, at)
  local out, start = {}, at + 1
  while true do
    local stop = text:find('["\\%c]', start)
    local c = stop and text:sub(stop, stop)
    if not c or c:find("%c") then
      fail(text, at, "unfinished string")
    end
    out[#out + 1] = text:sub(start, stop - 1)
    if c == '"' then
      return table.concat(out), stop + 1
    end
    local e = text:sub(stop + 1, stop + 1)
    if e == "u" then
      local hex = text:match("^%x%x%x%x", stop + 2) or fail(text, stop, "bad \\u escape")
      local point = tonumber(hex, 16)
      start = stop + 6
      local low = point & 0xFC00 == 0xD800 and text:match("^\\u(%x%x%x%x)", start)
      if low then
        point = 0x10000 + ((point & 0x3FF) << 10 | tonumber(low, 16) & 0x3FF)
        start = start + 6
      end
      out[#out + 1] = utf8.char(point)
    else
      out[#out + 1] = unescapes[e] or fail(text, stop, "bad escape \\" .. e)
      start = stop + 2
    end
  end
end

local function decode_list(text, at)
  local list = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "]" then
    return list, at + 1
  end
  while true do
    list[#list + 1], at = decode(text, at)
    at = skip(text, at)
    local c = text:sub(at, at)
    at = at + 1
    if c == "]" then
      return list, at
    elseif c ~= "," then
      fail(text, at - 1, "',' or ']' expected")
    end
  end
end

local function decode_object(text, at)
  local object = {}
  at = skip(text, at + 1)
  if text:sub(at, at) == "}" then
    return object, at + 1
  end
  while true do
    at = skip(text, at)
    if text:sub(at, at) ~= '"' then
      fail(text, at, "a key in quotes expected")
    end
    local key
    key, at = decode_string(text, at)
    at = skip(text, at)
    if text:sub(at, at) ~= ":" then
      fail(text, at, "':' expected")
    end
    object[key], at = decode(text, at + 1)
    at = skip(text, at)
    local c = text:sub(at, at)
    at = at + 1
    if c == "}" then
      return object, at
    elseif c ~= "," then
      fail(text, at - 1, "',' or '}' expected")
    end
  end
end

local words = { ["true"] = true, ["false"] = false, null = json.null }

function decode(text, at)
  at = skip(text, at)
  local c = text:sub(at, at)
  if c == "{" then
    return decode_object(text, at)
  elseif c == "[" then
    return decode_list(text, at)
  elseif c == '"' then
    return decode_string(text, at)
  end
  local number = text:match("^-?%d+%.?%d*[eE]?[-+]?%d*", at)
  if number and tonumber(number) then
    return tonumber(number), at + #number
  end
  local word = text:match("^%a+", at)
  if word and words[word] ~= nil then
    return words[word], at + #word
  end
  fail(text, at, c == "" and "unexpected end" or "unexpected '" .. c .. "'")
end

function json.decode(text)
  local value, at = decode(text, 1)
  at = skip(text, at)
  if at <= #text then
    fail(text, at, "something follows the value")
  end
  return value
end

if arg and arg[1] then
  local file <close> = assert(io.open(arg[1]))
  print(json.encode(json.decode(file:read("a"))))
  return
end

local document = [[
{ "name": "Traceorus", "tags": ["lua", "jit", "\u00e9\ud83d\ude80"], "stars": 1e3,
  "nested": { "empty": [], "nothing": null, "ok": true, "list": [1, -2.5, 3] } }
]]
local value = json.decode(document)
local text = json.encode(value)
print(text)
print("round trip", json.encode(json.decode(text)) == text)
print("integer kept", math.type(value.nested.list[1]), "float kept", math.type(value.stars))

for _, bad in ipairs({ '{"a" 1}', "[1,\n2", '"open', "[1] 2", "nul", '["\\x"]' }) do
  print(select(2, pcall(json.decode, bad)))
end
local loop = {}
loop[1] = loop
print((select(2, pcall(json.encode, loop)):gsub("^.-:%d+: ", "")))
