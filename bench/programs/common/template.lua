-- group: branchy
-- A template engine: texts with variables, filters, loops, conditions and blocks are compiled to closures, and rendered with nested contexts.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(1100 * scale))
local find, sub, gsub, match = string.find, string.sub, string.gsub, string.match

local escapes = { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ['"'] = "&quot;" }
local filters = {
  upper = string.upper,
  escape = function(s)
    return (gsub(s, '[<>&"]', escapes))
  end,
  default = function(s, other)
    return s == "" and other or s
  end,
  limit = function(s, n)
    n = tonumber(n)
    return #s > n and sub(s, 1, n) .. ".." or s
  end,
  money = function(s)
    return string.format("%.2f", tonumber(s) / 100)
  end,
}

-- `a.b.c` in a context
local function path(text)
  local keys = {}
  for key in text:gmatch("[%w_]+") do
    keys[#keys + 1] = tonumber(key) or key
  end
  if #keys == 1 then
    local key = keys[1]
    return function(context)
      return context[key]
    end
  end
  return function(context)
    local v = context
    for i = 1, #keys do
      if type(v) ~= "table" then
        return nil
      end
      v = v[keys[i]]
    end
    return v
  end
end

local function tests(text)
  local left, op, right = match(text, "^(%S+) (%S+) (%S+)$")
  if not left then
    local get = path(match(text, "^not (%S+)$") or text)
    local negated = find(text, "^not ") ~= nil
    return function(context)
      local v = get(context)
      return (v ~= nil and v ~= false and v ~= "" and v ~= 0) ~= negated
    end
  end
  local get, number = path(left), tonumber(right)
  local word = match(right, "^'(.*)'$")
  if op == "==" then
    local wanted = number or word
    return function(context)
      return get(context) == wanted
    end
  elseif op == ">" then
    return function(context)
      return (tonumber(get(context)) or 0) > number
    end
  end
  error("no such test: " .. op)
end

local compile
local nodes = {}
function nodes.text(token)
  local text = token.text
  return function(_, out)
    out[#out + 1] = text
  end
end
function nodes.variable(token)
  local name, rest = match(token.text, "^([%w_.]+)(.*)$")
  local get, chain = path(name), {}
  for filter, argument in rest:gmatch("|(%a+):?([^|]*)") do
    chain[#chain + 1] = { call = filters[filter], argument = argument }
  end
  if #chain == 0 then
    return function(context, out)
      local v = get(context)
      if v ~= nil then
        out[#out + 1] = tostring(v)
      end
    end
  end
  return function(context, out)
    local v = get(context)
    v = v == nil and "" or tostring(v)
    for _, f in ipairs(chain) do
      v = f.call(v, f.argument)
    end
    out[#out + 1] = v
  end
end
nodes["if"] = function(token, parser)
  local test = tests(token.text)
  local yes, stop = compile(parser, { ["else"] = true, ["end"] = true })
  local no
  if stop == "else" then
    no = compile(parser, { ["end"] = true })
  end
  return function(context, out)
    if test(context) then
      yes(context, out)
    elseif no then
      no(context, out)
    end
  end
end
nodes["for"] = function(token, parser)
  local name, list = match(token.text, "^(%w+) in ([%w_.]+)$")
  local get = path(list)
  local body = compile(parser, { ["end"] = true })
  return function(context, out)
    local items = get(context)
    if type(items) ~= "table" then
      return
    end
    local inner = setmetatable({}, { __index = context })
    local position = { last = #items }
    inner.loop = position
    for i, item in ipairs(items) do
      inner[name] = item
      position.index, position.odd = i, i % 2 == 1
      body(inner, out)
    end
  end
end
function nodes.set(token)
  local name, value = match(token.text, "^(%w+) = (.*)$")
  local get = not find(value, "^'") and path(value)
  value = match(value, "^'(.*)'$")
  return function(context, out)
    context[name] = get and get(context) or value
    return out
  end
end
function nodes.block(token, parser)
  local body = compile(parser, { ["end"] = true })
  local name = token.text
  return function(context, out)
    local own = context.blocks and context.blocks[name]
    if own then
      own(context, out)
    else
      body(context, out)
    end
  end
end

local function tokens(text)
  local list, at = {}, 1
  while true do
    local from, to, kind, inside = find(text, "{([{%%]) *(.-) *[}%%]}", at)
    if not from then
      break
    end
    if from > at then
      list[#list + 1] = { kind = "text", text = sub(text, at, from - 1) }
    end
    if kind == "{" then
      list[#list + 1] = { kind = "variable", text = inside }
    else
      local word, rest = match(inside, "^(%a+) ?(.*)$")
      list[#list + 1] = { kind = word, text = rest }
    end
    at = to + 1
  end
  list[#list + 1] = { kind = "text", text = sub(text, at) }
  return list
end
function compile(parser, stops)
  local parts = {}
  while true do
    local token = parser.list[parser.at]
    if not token or stops and stops[token.kind] then
      parser.at = parser.at + 1
      local n = #parts
      return function(context, out)
        for i = 1, n do
          parts[i](context, out)
        end
      end, token and token.kind
    end
    parser.at = parser.at + 1
    parts[#parts + 1] = nodes[token.kind](token, parser)
  end
end
local function template(text)
  return (compile({ list = tokens(text), at = 1 }))
end

local page = template([[
<html><head><title>{{ title|escape|upper }}</title></head>
<body>{% set section = 'orders' %}
{% block header %}<h1>{{ title|escape }} for {{ user.name|escape|limit:12 }}</h1>{% end %}
{% if user.admin %}<a href="/admin">Admin ({{ user.level }})</a>{% else %}<p>Hello</p>{% end %}
<table>
{% for order in orders %}<tr class="{% if loop.odd %}odd{% else %}even{% end %}">
<td>{{ loop.index }}/{{ loop.last }}</td><td>{{ order.customer.name|escape }}</td>
{% for item in order.items %}<td>{{ item.name|limit:8 }} x {{ item.count }}{% if item.count > 3 %} (many){% end %}
{% if item.note %}<i>{{ item.note|escape|default:none }}</i>{% end %}{{ item.price|money }} {{ section }}</td>{% end %}
{% if order.state == 'open' %}<b>open</b>{% else %}{% if not order.paid %}due{% end %}{{ order.state|upper }}{% end %}
</tr>
{% end %}</table>
{% block footer %}none{% end %}
</body></html>
]])
local footer = template("<p>{{ orders.1.customer.name|upper }}: {{ orders.1.items.1.count }}</p>")

local seed = 99
local function random(n)
  seed = (seed * 16807) % 2147483647
  return seed % n + 1
end
local names = { "Ann & Co", "Bob", "<Carol>", "Dave \"D\" Smith", "Eve" }
local states = { "open", "closed", "sent", "lost" }
local function orders(n)
  local list = {}
  for i = 1, n do
    local items = {}
    for k = 1, random(4) do
      items[k] = { name = "article " .. random(900), count = random(5), price = random(100000) }
      if random(3) == 1 then
        items[k].note = random(2) == 1 and "" or "<wrap it>"
      end
    end
    list[i] = { customer = { name = names[random(#names)] }, items = items, state = states[random(4)] }
    if random(2) == 1 then
      list[i].paid = true
    end
  end
  return list
end

local length, hash = 0, 0
for round = 1, rounds do
  local context = {
    title = "Orders <" .. round .. ">",
    user = { name = names[round % #names + 1], admin = round % 3 == 0, level = round },
    orders = orders(40),
    blocks = round % 2 == 0 and { footer = footer } or nil,
  }
  local out = {}
  page(context, out)
  local text = table.concat(out)
  length = length + #text
  for i = 1, #text, 97 do
    hash = (hash * 31 + text:byte(i)) % 1000003
  end
end
print(string.format("template %d %d", length, hash))
