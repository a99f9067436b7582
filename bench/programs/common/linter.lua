-- group: branchy
-- A linter: rules that are closures in lists by node kind walk random syntax trees with chains of scopes; its warnings are filtered and sorted.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.max(1, math.floor(9 * scale))

local seed = 4711
local function random(n)
  seed = (seed * 16807) % 2147483647
  return seed % n + 1
end

-- trees in the form of lists with a tag: children are elements, what else there is to know are fields
local words = { "self", "x", "y", "count", "name", "result", "i", "_", "item", "print", "value", "unused" }
local line = 0
local function node(tag, ...)
  return { tag = tag, line = line, ... }
end
local function expression(depth)
  local what = random(depth > 3 and 3 or 8)
  if what <= 2 then
    local e = node("Id")
    e.name = words[random(#words)]
    return e
  elseif what == 3 then
    local e = node(random(2) == 1 and "Number" or "String")
    e.text = tostring(random(100))
    return e
  elseif what == 4 then
    return node("Call", expression(depth + 1), expression(depth + 1))
  elseif what == 5 then
    local e = node("Index", expression(depth + 1))
    e.key = words[random(#words)]
    return e
  elseif what == 6 then
    local e = node("Table")
    for i = 1, random(4) do
      local pair = node("Pair", expression(depth + 1))
      pair.key = words[random(#words)]
      e[i] = pair
    end
    return e
  end
  local e = node("Op", expression(depth + 1), expression(depth + 1))
  local ops = { "+", "==", "..", "and", "not" }
  e.op = ops[random(#ops)]
  return e
end
local block
local function statement(depth)
  line = line + random(2) - 1
  local what = random(depth > 3 and 4 or 9)
  if what <= 2 then
    local s = node("Local", expression(1))
    s.name = words[random(#words)]
    return s
  elseif what == 3 then
    local s = node("Set", expression(1))
    s.name = words[random(#words)]
    return s
  elseif what == 4 then
    return node("Call", expression(2), expression(2))
  elseif what <= 6 then
    return node("If", expression(1), block(depth + 1), random(2) == 1 and block(depth + 1) or nil)
  elseif what == 7 then
    return node("While", expression(1), block(depth + 1))
  elseif what == 8 then
    local s = node("For", expression(1), block(depth + 1))
    s.name = words[random(#words)]
    return s
  end
  local s = node("Function", block(depth + 1))
  s.params = { words[random(#words)], words[random(#words)] }
  s.name = words[random(#words)]
  return s
end
function block(depth)
  local b = node("Block")
  for i = 1, random(5) do
    b[i] = statement(depth)
  end
  if random(8) == 1 then
    b[#b + 1] = node("Return", expression(2))
  end
  return b
end

local chunks = {}
for i = 1, 25 do
  line = 1
  local b = node("Block")
  for k = 1, 12 do
    b[k] = statement(0)
  end
  chunks[i] = b
end

-- rules
local enter, leave = {}, {}
local function on(list, tags, rule)
  for tag in tags:gmatch("%a+") do
    list[tag] = list[tag] or {}
    table.insert(list[tag], rule)
  end
end
local function rule(code, options)
  return function(state, at, name, ...)
    if options.ignore and options.ignore[name] then
      state.ignored = state.ignored + 1
      return
    end
    local w = { code = code, line = at.line, name = name, seen = select("#", ...) }
    if not options.quiet then
      w.text = options.text:gsub("%%n", name)
    end
    state.warnings[#state.warnings + 1] = w
  end
end

local unused = rule(211, { text = "unused variable %n", ignore = { _ = true, self = true } })
local shadowed = rule(431, { text = "shadowing of %n", quiet = true })
local global = rule(111, { text = "global %n", ignore = { print = true } })
local comparison = rule(581, { text = "comparison in %n", quiet = true })
local empty = rule(542, { text = "empty %n" })
local duplicate = rule(314, { text = "field %n twice" })
local deep = rule(561, { text = "too complex: %n" })

local function declare(state, name, at)
  local scope = state.scope
  local outer = scope
  while outer do
    if outer.names[name] then
      shadowed(state, at, name, outer.depth)
      break
    end
    outer = outer.parent
  end
  local v = { name = name, at = at, uses = 0, sets = 0 }
  scope.names[name] = v
  scope.list[#scope.list + 1] = v
end
local function resolve(state, name)
  local scope = state.scope
  while scope do
    local v = scope.names[name]
    if v then
      return v
    end
    scope = scope.parent
  end
end
on(enter, "Block", function(state)
  local parent = state.scope
  state.scope = { names = {}, list = {}, parent = parent, depth = parent and parent.depth + 1 or 0 }
end)
on(leave, "Block", function(state, n)
  local scope = state.scope
  for _, v in ipairs(scope.list) do
    if v.uses == 0 then
      unused(state, v.at, v.name)
    elseif v.sets > v.uses then
      state.overwritten = state.overwritten + 1
    end
  end
  state.scope = scope.parent
  if #n == 0 then
    empty(state, n, "block")
  end
end)
on(leave, "Local", function(state, n)
  declare(state, n.name, n)
end)
on(enter, "For Function", function(state, n)
  state.scope = { names = {}, list = {}, parent = state.scope, depth = state.scope.depth + 1 }
  if n.params then
    for _, p in ipairs(n.params) do
      declare(state, p, n)
    end
  else
    declare(state, n.name, n)
  end
end)
on(leave, "For Function", function(state)
  state.scope = state.scope.parent
end)
on(enter, "Id", function(state, n)
  local v = resolve(state, n.name)
  if v then
    v.uses = v.uses + 1
  else
    global(state, n, n.name)
  end
end)
on(leave, "Set", function(state, n)
  local v = resolve(state, n.name)
  if v then
    v.sets = v.sets + 1
  else
    global(state, n, n.name, "set")
  end
end)
on(enter, "Op", function(state, n)
  local a = n[1]
  if n.op == "==" and (a.tag == "Table" or a.tag == "Op" and a.op == "not") then
    comparison(state, n, a.tag)
  elseif n.op == ".." and a.tag == "String" and n[2].tag == "String" then
    state.joined = state.joined + #a.text + #n[2].text
  end
end)
on(enter, "Table", function(state, n)
  local keys = {}
  for _, pair in ipairs(n) do
    local key = pair.key
    if keys[key] then
      duplicate(state, pair, key)
    end
    keys[key] = true
  end
end)
on(enter, "If While For Function", function(state)
  state.complexity = state.complexity + 1
end)
on(leave, "Function", function(state, n)
  if state.complexity > 6 then
    deep(state, n, n.name)
    state.complexity = 0
  end
end)

local function walk(state, n)
  local list = enter[n.tag]
  if list then
    for i = 1, #list do
      list[i](state, n)
    end
  end
  for i = 1, #n do
    walk(state, n[i])
  end
  list = leave[n.tag]
  if list then
    for i = 1, #list do
      list[i](state, n)
    end
  end
end

local function before(a, b)
  if a.line ~= b.line then
    return a.line < b.line
  elseif a.code ~= b.code then
    return a.code < b.code
  end
  return a.name < b.name
end

local total, sum, by = 0, 0, {}
for _ = 1, rounds do
  for _, chunk in ipairs(chunks) do
    local state = { warnings = {}, ignored = 0, overwritten = 0, joined = 0, complexity = 0 }
    walk(state, chunk)
    local kept = {}
    for _, w in ipairs(state.warnings) do
      if w.code ~= 431 or w.line % 3 == 0 then
        kept[#kept + 1] = w
      end
      by[w.code] = (by[w.code] or 0) + 1
    end
    table.sort(kept, before)
    for i, w in ipairs(kept) do
      sum = (sum * 31 + w.line * i + w.code + #(w.text or "")) % 1000003
    end
    total = total + #kept + state.ignored + state.joined + state.overwritten
  end
end
print(string.format("linter %d %d %d %d %d", total, sum, by[211], by[111], by[314] or 0))
