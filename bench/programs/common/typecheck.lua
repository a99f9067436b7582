-- group: branchy
-- A compiler for a small typed language: lexer, parser, type checker and folder as visitors by node kind, code for a stack machine as text.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(40 * scale))
local byte, sub, find = string.byte, string.sub, string.find
local concat, insert = table.concat, table.insert

-- the program to be compiled: functions of a few forms, which call one another
local seed = 77
local function random(n)
  seed = (seed * 16807) % 2147483647
  return seed % n + 1
end

local function expression(depth, names)
  local what = random(depth > 3 and 3 or 9)
  if what == 1 then
    return tostring(random(1000))
  elseif what <= 3 then
    return names[random(#names)]
  elseif what == 4 then
    return "(" .. expression(depth + 1, names) .. ")"
  elseif what == 5 then
    return "-" .. names[random(#names)]
  elseif what == 6 then
    return "pick(" .. expression(depth + 1, names) .. " < " .. expression(depth + 1, names) .. ", " .. names[1] .. ", 1)"
  end
  local ops = { " + ", " * ", " - ", " % " }
  return expression(depth + 1, names) .. ops[random(4)] .. expression(depth + 1, names)
end

local function statements(out, depth, names, indent)
  for _ = 1, 2 + random(3) do
    local what = random(depth > 2 and 4 or 8)
    if what <= 2 then
      local name = "v" .. #names
      out[#out + 1] = indent .. "let " .. name .. ": int = " .. expression(0, names) .. ";"
      names[#names + 1] = name
    elseif what <= 4 then
      out[#out + 1] = indent .. names[random(#names)] .. " = " .. expression(1, names) .. "; // again"
    elseif what == 5 then
      out[#out + 1] = indent .. "print(\"at " .. #out .. "\", " .. names[random(#names)] .. ");"
    else
      local head = what == 6 and "while " or "if "
      out[#out + 1] = indent .. head .. expression(1, names) .. " < " .. random(50) .. " {"
      local n = #names
      statements(out, depth + 1, names, indent .. "  ")
      for i = #names, n + 1, -1 do
        names[i] = nil
      end
      if what == 7 then
        out[#out + 1] = indent .. "} else {"
        out[#out + 1] = indent .. "  " .. names[1] .. " = " .. expression(2, names) .. ";"
      end
      out[#out + 1] = indent .. "}"
    end
  end
end

local lines = { "fn pick(c: bool, a: int, b: int): int { if c { return a; } return b; }" }
for i = 1, 40 do
  lines[#lines + 1] = "fn f" .. i .. "(a: int, b: int): int {"
  statements(lines, 0, { "a", "b" }, "  ")
  if i > 1 then
    lines[#lines + 1] = "  a = f" .. random(i - 1) .. "(a, b % 7);"
  end
  lines[#lines + 1] = "  return a + b;"
  lines[#lines + 1] = "}"
end
local source = concat(lines, "\n")

-- lexer
local keywords = { fn = true, let = true, ["if"] = true, ["else"] = true, ["while"] = true, ["return"] = true }
local function lex(text)
  local tokens, at, line = {}, 1, 1
  local len = #text
  while at <= len do
    local c = byte(text, at)
    if c == 10 then
      line = line + 1
      at = at + 1
    elseif c == 32 then
      at = at + 1
    elseif c == 47 and byte(text, at + 1) == 47 then
      at = find(text, "\n", at, true) or len + 1
    elseif c >= 97 and c <= 122 then
      local _, to = find(text, "^[%w_]+", at)
      local word = sub(text, at, to)
      tokens[#tokens + 1] = { type = keywords[word] and word or "name", text = word, line = line }
      at = to + 1
    elseif c >= 48 and c <= 57 then
      local _, to = find(text, "^%d+", at)
      tokens[#tokens + 1] = { type = "number", value = tonumber(sub(text, at, to)), line = line }
      at = to + 1
    elseif c == 34 then
      local to = find(text, '"', at + 1, true)
      tokens[#tokens + 1] = { type = "string", text = sub(text, at + 1, to - 1), line = line }
      at = to + 1
    else
      local s = sub(text, at, at)
      tokens[#tokens + 1] = { type = s, line = line }
      at = at + 1
    end
  end
  tokens[#tokens + 1] = { type = "end", line = line }
  return tokens
end

-- parser
local Parser = {}
Parser.__index = Parser
function Parser:peek()
  return self.tokens[self.at].type
end
function Parser:next()
  local t = self.tokens[self.at]
  self.at = self.at + 1
  return t
end
function Parser:accept(kind)
  if self.tokens[self.at].type == kind then
    return self:next()
  end
end
function Parser:expect(kind)
  return self:accept(kind) or error("line " .. self.tokens[self.at].line .. ": " .. kind .. " expected")
end

local priority = { ["<"] = 1, ["+"] = 2, ["-"] = 2, ["*"] = 3, ["%"] = 3 }
function Parser:primary()
  local t = self:next()
  if t.type == "number" then
    return { kind = "number", value = t.value }
  elseif t.type == "string" then
    return { kind = "string", text = t.text }
  elseif t.type == "-" then
    return { kind = "unary", op = "-", operand = self:primary(), line = t.line }
  elseif t.type == "(" then
    local e = self:expression(0)
    self:expect(")")
    return e
  elseif t.type == "name" then
    if not self:accept("(") then
      return { kind = "variable", name = t.text, line = t.line }
    end
    local args = {}
    if not self:accept(")") then
      repeat
        args[#args + 1] = self:expression(0)
      until not self:accept(",")
      self:expect(")")
    end
    return { kind = "call", name = t.text, args = args, line = t.line }
  end
  error("line " .. t.line .. ": unexpected " .. t.type)
end
function Parser:expression(least)
  local left = self:primary()
  while true do
    local op = self:peek()
    local p = priority[op]
    if not p or p <= least then
      return left
    end
    local t = self:next()
    left = { kind = "binary", op = op, left = left, right = self:expression(p), line = t.line }
  end
end
function Parser:block()
  self:expect("{")
  local body = {}
  while not self:accept("}") do
    body[#body + 1] = self:statement()
  end
  return { kind = "block", body = body }
end
function Parser:statement()
  local kind = self:peek()
  if kind == "let" then
    local t = self:next()
    local name = self:expect("name").text
    self:expect(":")
    local of = self:expect("name").text
    self:expect("=")
    local value = self:expression(0)
    self:expect(";")
    return { kind = "let", name = name, of = of, value = value, line = t.line }
  elseif kind == "if" then
    self:next()
    local s = { kind = "if", test = self:expression(0), yes = self:block() }
    if self:accept("else") then
      s.no = self:block()
    end
    return s
  elseif kind == "while" then
    self:next()
    return { kind = "while", test = self:expression(0), body = self:block() }
  elseif kind == "return" then
    self:next()
    local value = self:expression(0)
    self:expect(";")
    return { kind = "return", value = value }
  end
  local e = self:expression(0)
  if e.kind == "variable" and self:accept("=") then
    e = { kind = "assign", target = e, value = self:expression(0) }
  end
  self:expect(";")
  return e
end
function Parser:program()
  local all = {}
  while not self:accept("end") do
    self:expect("fn")
    local f = { kind = "function", name = self:expect("name").text, params = {} }
    self:expect("(")
    while not self:accept(")") do
      local name = self:expect("name").text
      self:expect(":")
      insert(f.params, { name = name, of = self:expect("name").text })
      self:accept(",")
    end
    self:expect(":")
    f.result = self:expect("name").text
    f.body = self:block()
    all[#all + 1] = f
  end
  return all
end

-- types: a visitor by kind, which also folds constants
local check = {}
local function visit(node, scope)
  return check[node.kind](node, scope)
end
local function lookup(scope, name)
  while scope do
    local found = scope.names[name]
    if found then
      return found
    end
    scope = scope.parent
  end
end
local problems = 0
local function want(of, type, node)
  if of ~= type then
    problems = problems + 1
    node.wrong = true
  end
end
function check.number()
  return "int"
end
function check.string()
  return "text"
end
function check.variable(node, scope)
  local v = lookup(scope, node.name)
  if not v then
    problems = problems + 1
    return "int"
  end
  v.uses = v.uses + 1
  node.slot = v.slot
  return v.of
end
function check.unary(node, scope)
  want(visit(node.operand, scope), "int", node)
  return "int"
end
function check.binary(node, scope)
  local left, right = visit(node.left, scope), visit(node.right, scope)
  want(left, "int", node)
  want(right, "int", node)
  local a, b = node.left, node.right
  if a.kind == "number" and b.kind == "number" and node.op == "+" then
    node.kind, node.value = "number", a.value + b.value
  end
  return node.op == "<" and "bool" or "int"
end
function check.call(node, scope)
  local f = scope.functions[node.name]
  for i, arg in ipairs(node.args) do
    local of = visit(arg, scope)
    if f and f.params then
      want(of, f.params[i].of, arg)
    end
  end
  return f and f.result or "int"
end
function check.block(node, scope)
  local inner = { names = {}, parent = scope, functions = scope.functions, owner = scope.owner }
  for _, s in ipairs(node.body) do
    visit(s, inner)
  end
end
function check.let(node, scope)
  want(visit(node.value, scope), node.of, node)
  local owner = scope.owner
  owner.slots = owner.slots + 1
  node.slot = owner.slots
  scope.names[node.name] = { of = node.of, slot = owner.slots, uses = 0 }
end
function check.assign(node, scope)
  want(visit(node.value, scope), visit(node.target, scope), node)
end
check["if"] = function(node, scope)
  want(visit(node.test, scope), "bool", node)
  visit(node.yes, scope)
  if node.no then
    visit(node.no, scope)
  end
end
check["while"] = function(node, scope)
  want(visit(node.test, scope), "bool", node)
  visit(node.body, scope)
end
check["return"] = function(node, scope)
  want(visit(node.value, scope), scope.owner.result, node)
end
check["function"] = function(node, functions)
  node.slots = 0
  local scope = { names = {}, functions = functions, owner = node }
  for _, p in ipairs(node.params) do
    node.slots = node.slots + 1
    scope.names[p.name] = { of = p.of, slot = node.slots, uses = 0 }
  end
  visit(node.body, scope)
end

-- code
local emit = {}
local function generate(node, out)
  return emit[node.kind](node, out)
end
function emit.number(node, out)
  out[#out + 1] = "push " .. node.value
end
function emit.string(node, out)
  out[#out + 1] = "text " .. node.text
end
function emit.variable(node, out)
  out[#out + 1] = "load " .. node.slot
end
function emit.unary(node, out)
  generate(node.operand, out)
  out[#out + 1] = "neg"
end
local names = { ["+"] = "add", ["-"] = "sub", ["*"] = "mul", ["%"] = "mod", ["<"] = "less" }
function emit.binary(node, out)
  generate(node.left, out)
  generate(node.right, out)
  out[#out + 1] = names[node.op]
end
function emit.call(node, out)
  for _, arg in ipairs(node.args) do
    generate(arg, out)
  end
  out[#out + 1] = "call " .. node.name .. " " .. #node.args
end
function emit.block(node, out)
  for _, s in ipairs(node.body) do
    generate(s, out)
  end
end
function emit.let(node, out)
  generate(node.value, out)
  out[#out + 1] = "store " .. node.slot
end
function emit.assign(node, out)
  generate(node.value, out)
  out[#out + 1] = "store " .. node.target.slot
end
emit["if"] = function(node, out)
  generate(node.test, out)
  local at = #out + 1
  out[at] = "jump"
  generate(node.yes, out)
  if node.no then
    out[#out + 1] = "jump"
    local over = #out
    out[at] = "unless " .. #out
    generate(node.no, out)
    out[over] = "jump " .. #out
  else
    out[at] = "unless " .. #out
  end
end
emit["while"] = function(node, out)
  local top = #out
  generate(node.test, out)
  local at = #out + 1
  out[at] = "jump"
  generate(node.body, out)
  out[#out + 1] = "jump " .. top
  out[at] = "unless " .. #out
end
emit["return"] = function(node, out)
  generate(node.value, out)
  out[#out + 1] = "return"
end
emit["function"] = function(node, out)
  out[#out + 1] = "function " .. node.name .. " " .. node.slots
  generate(node.body, out)
end

local ops, chars, tokens = 0, 0, 0
for _ = 1, rounds do
  local list = lex(source)
  tokens = tokens + #list
  local program = setmetatable({ tokens = list, at = 1 }, Parser):program()
  local functions = { print = { result = "int" } }
  for _, f in ipairs(program) do
    functions[f.name] = f
  end
  for _, f in ipairs(program) do
    check["function"](f, functions)
  end
  local out = {}
  for _, f in ipairs(program) do
    generate(f, out)
  end
  ops = ops + #out
  chars = chars + #concat(out, "\n")
end
print(string.format("typecheck %d %d %d %d", tokens, ops, chars, problems))
