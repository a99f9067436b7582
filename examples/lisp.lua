-- A small Lisp: reader, evaluator with closures and tail calls, printer.
-- Usage: traceorus examples/lisp.lua [file.lisp], without a file it runs the program below.

local Symbol = {}
Symbol.__index = Symbol
Symbol.__tostring = function(s)
  return s.name
end
local interned = {}
local function symbol(name)
  local s = interned[name]
  if not s then
    s = setmetatable({ name = name }, Symbol)
    interned[name] = s
  end
  return s
end

-- Lists are Lua tables with a field n; the reader turns text into lists, symbols, numbers and strings.
local function read(text)
  local stack, line = { { n = 0 } }, 1
  local at = 1
  local function add(value)
    local top = stack[#stack]
    top.n = top.n + 1
    top[top.n] = value
  end
  while at <= #text do
    local c = text:sub(at, at)
    if c == "\n" then
      line = line + 1
      at = at + 1
    elseif c:find("%s") then
      at = at + 1
    elseif c == ";" then
      at = text:find("\n", at, true) or #text + 1
    elseif c == "(" then
      stack[#stack + 1] = { n = 0 }
      at = at + 1
    elseif c == ")" then
      if #stack == 1 then
        error(("line %d: unexpected )"):format(line), 0)
      end
      add(table.remove(stack))
      at = at + 1
    elseif c == '"' then
      local stop = text:find('"', at + 1, true) or error(("line %d: unfinished string"):format(line), 0)
      add(text:sub(at + 1, stop - 1))
      at = stop + 1
    else
      local word = text:match('^[^%s()";]+', at)
      add(tonumber(word) or symbol(word))
      at = at + #word
    end
  end
  if #stack > 1 then
    error(("line %d: ) expected"):format(line), 0)
  end
  return stack[1]
end

local function show(value)
  if type(value) == "table" and value.n then
    local parts = {}
    for i = 1, value.n do
      parts[i] = show(value[i])
    end
    return "(" .. table.concat(parts, " ") .. ")"
  elseif type(value) == "boolean" then
    return value and "#t" or "#f"
  elseif type(value) == "function" or (type(value) == "table" and value.body) then
    return "<procedure>"
  end
  return tostring(value)
end

local Scope = {}
Scope.__index = Scope
local function scope(parent)
  return setmetatable({ vars = setmetatable({}, { __index = parent and parent.vars }), parent = parent }, Scope)
end

local special = {}
local eval

function special.quote(form)
  return form[2]
end

special["define"] = function(form, env)
  local target = form[2]
  if getmetatable(target) == Symbol then
    env.vars[target.name] = eval(form[3], env)
    return target
  end
  -- (define (name args...) body...)
  local params = table.move(target, 2, target.n, 1, { n = target.n - 1 })
  env.vars[target[1].name] = { params = params, body = form, first = 3, env = env }
  return target[1]
end

special["lambda"] = function(form, env)
  return { params = form[2], body = form, first = 3, env = env }
end

special["set!"] = function(form, env)
  local name, value = form[2].name, eval(form[3], env)
  while env and rawget(env.vars, name) == nil do
    env = env.parent
  end
  if not env then
    error("set! of the unknown variable " .. name, 0)
  end
  env.vars[name] = value
  return value
end

-- The loop replaces (form, env) instead of calling itself in tail position.
function eval(form, env)
  while true do
    local kind = getmetatable(form)
    if kind == Symbol then
      local value = env.vars[form.name]
      if value == nil then
        error("unknown variable " .. form.name, 0)
      end
      return value
    elseif type(form) ~= "table" then
      return form
    end
    local head = form[1]
    local name = getmetatable(head) == Symbol and head.name
    if name == "if" then
      form = eval(form[2], env) ~= false and form[3] or form[4]
      if form == nil then
        return false
      end
    elseif name == "begin" then
      for i = 2, form.n - 1 do
        eval(form[i], env)
      end
      form = form[form.n]
    elseif name == "let" then
      local inner = scope(env)
      for i = 1, form[2].n do
        local binding = form[2][i]
        inner.vars[binding[1].name] = eval(binding[2], env)
      end
      for i = 3, form.n - 1 do
        eval(form[i], inner)
      end
      form, env = form[form.n], inner
    elseif name and special[name] then
      return special[name](form, env)
    else
      local callee = eval(head, env)
      local args = { n = form.n - 1 }
      for i = 2, form.n do
        args[i - 1] = eval(form[i], env)
      end
      if type(callee) == "function" then
        return callee(table.unpack(args, 1, args.n))
      elseif type(callee) ~= "table" or not callee.body then
        error("cannot call " .. show(callee), 0)
      elseif callee.params.n ~= args.n then
        error(("%d arguments expected, got %d"):format(callee.params.n, args.n), 0)
      end
      local inner = scope(callee.env)
      for i = 1, args.n do
        inner.vars[callee.params[i].name] = args[i]
      end
      local body = callee.body
      for i = callee.first, body.n - 1 do
        eval(body[i], inner)
      end
      form, env = body[body.n], inner
    end
  end
end

local global = scope()
local vars = global.vars
local function fold(f)
  return function(acc, ...)
    for _, v in ipairs({ ... }) do
      acc = f(acc, v)
    end
    return acc
  end
end
vars["+"] = fold(function(a, b) return a + b end)
vars["-"] = fold(function(a, b) return a - b end)
vars["*"] = fold(function(a, b) return a * b end)
vars["quotient"] = function(a, b) return a // b end
vars["remainder"] = function(a, b) return a % b end
vars["="] = function(a, b) return a == b end
vars["<"] = function(a, b) return a < b end
vars["list"] = function(...) return table.pack(...) end
vars["car"] = function(l) return l[1] end
vars["cdr"] = function(l) return table.move(l, 2, l.n, 1, { n = l.n - 1 }) end
vars["cons"] = function(v, l) return table.move(l, 1, l.n, 2, { v, n = l.n + 1 }) end
vars["null?"] = function(l) return l.n == 0 end
vars["display"] = function(v) print(show(v)) return v end

local function run(text)
  local forms = read(text)
  for i = 1, forms.n do
    local ok, message = pcall(eval, forms[i], global)
    if not ok then
      print("error: " .. tostring(message))
    end
  end
end

if arg and arg[1] then
  local file <close> = assert(io.open(arg[1]))
  run(file:read("a"))
  return
end

run([[
(define (fact n) (if (= n 0) 1 (* n (fact (- n 1)))))
(display (fact 20))

; a loop of 20,000 steps needs no stack: calls in tail position reuse their frame
(define (count n acc) (if (= n 0) acc (count (- n 1) (+ acc n))))
(display (count 20000 0))

(define (map f l) (if (null? l) (list) (cons (f (car l)) (map f (cdr l)))))
(define (range a b) (if (= a b) (list) (cons a (range (+ a 1) b))))
(display (map (lambda (x) (* x x)) (range 1 11)))

; a counter made of a closure
(define counter (let ((n 0)) (lambda () (set! n (+ n 1)))))
(counter) (counter)
(display (list "counted" (counter)))

(define (sieve l)
  (if (null? l) l
    (let ((p (car l)))
      (cons p (sieve (filter (lambda (x) (< 0 (remainder x p))) (cdr l)))))))
(define (filter f l)
  (if (null? l) l
    (let ((rest (filter f (cdr l)))) (if (f (car l)) (cons (car l) rest) rest))))
(display (sieve (range 2 50)))
(display (quote (a (b "c") 1.5)))
(nosuch 1)
(fact 1 2)
]])
