-- group: closures
-- Arithmetic expressions evaluated by a parser built from closures.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(2600 * scale)
local byte, sub = string.byte, string.sub

-- a parser maps (text, position) to (value, next position), or nil
local function literal(c)
  local code = byte(c)
  return function(text, at)
    if byte(text, at) == code then
      return c, at + 1
    end
  end
end

local function digits(text, at)
  local start, value = at, 0
  local c = byte(text, at)
  while c and c >= 48 and c <= 57 do
    value = (value * 10 + c - 48) % 1000003
    at = at + 1
    c = byte(text, at)
  end
  if at > start then
    return value, at
  end
end

local function either(p, q)
  return function(text, at)
    local value, after = p(text, at)
    if after then
      return value, after
    end
    return q(text, at)
  end
end

local function between(open, p, close)
  return function(text, at)
    local _, a = open(text, at)
    if a then
      local value, b = p(text, a)
      if b then
        local _, c = close(text, b)
        if c then
          return value, c
        end
      end
    end
  end
end

local function chain(operand, operator, apply)
  return function(text, at)
    local value, after = operand(text, at)
    while after do
      local op, a = operator(text, after)
      if not a then
        break
      end
      local right, b = operand(text, a)
      if not b then
        return nil
      end
      value, after = apply(op, value, right), b
    end
    return value, after
  end
end

local function lazy(get)
  return function(text, at)
    return get()(text, at)
  end
end

local expression
local atom = either(
  digits,
  between(
    literal("("),
    lazy(function()
      return expression
    end),
    literal(")")
  )
)
local product = chain(atom, either(literal("*"), literal("%")), function(op, a, b)
  if op == "*" then
    return a * b % 1000003
  end
  return a % (b + 1)
end)
expression = chain(product, either(literal("+"), literal("-")), function(op, a, b)
  if op == "+" then
    return (a + b) % 1000003
  end
  return (a - b) % 1000003
end)

local parts = {}
for i = 1, 60 do
  parts[i] = string.format("(%d+%d*(%d-%d))%%%d", i * 7, i, i * 13, i * 3, 90 + i)
end
local source = table.concat(parts, "+")
local check = 0
for i = 1, rounds do
  local text = i .. "*" .. source
  local value, after = expression(text, 1)
  assert(after == #text + 1, sub(text, after or 1))
  check = (check * 7 + value) % 1000003
end
print(string.format("combinators %d", check))
