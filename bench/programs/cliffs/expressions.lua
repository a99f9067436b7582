-- group: closures
-- Expressions compiled to closures: each calls others that were made by the same functions.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(600000 * scale)

local function number(n)
  return function()
    return n
  end
end
local function variable(name)
  return function(env)
    return env[name]
  end
end
local operators = {
  ["+"] = function(a, b)
    return function(env)
      return a(env) + b(env)
    end
  end,
  ["-"] = function(a, b)
    return function(env)
      return a(env) - b(env)
    end
  end,
  ["*"] = function(a, b)
    return function(env)
      return a(env) * b(env)
    end
  end,
}
local level = { ["+"] = 1, ["-"] = 1, ["*"] = 2 }

local function compile(text)
  local at, expression = 1, nil
  local function skip()
    at = text:find("%S", at) or #text + 1
  end
  local function atom()
    skip()
    if text:sub(at, at) == "(" then
      at = at + 1
      local e = expression(0)
      skip()
      at = at + 1
      return e
    end
    local from, to = text:find("^%d+", at)
    if from then
      at = to + 1
      return number(tonumber(text:sub(from, to)))
    end
    from, to = text:find("^%a+", at)
    at = to + 1
    return variable(text:sub(from, to))
  end
  function expression(above)
    local left = atom()
    while true do
      skip()
      local o = text:sub(at, at)
      if not level[o] or level[o] <= above then
        return left
      end
      at = at + 1
      left = operators[o](left, expression(level[o]))
    end
  end
  return expression(0)
end

local sum, env = 0, {}
local functions = {}
for i, text in ipairs({ "(x + 3) * (y - 2) - (z + 1) + x * y - 4 * (x + y + z)", "x * x * x - 3 * x * x + 2 * x - 1", "(x - y) * (y - z) * (z - x)" }) do
  functions[i] = compile(text)
end
for i = 1, rounds do
  env.x, env.y, env.z = i % 17, i % 13, i % 7
  for k = 1, #functions do
    sum = (sum + functions[k](env)) % 1000003
  end
end
for i = 1, math.floor(rounds / 100) do
  sum = sum + compile("a + b * " .. i)({ a = 1, b = 2 })
end
print(string.format("expressions %d", sum))
