-- group: branchy
-- A tape machine with eight commands, jumps resolved in advance; unpredictable branches on bytes.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(450 * scale)

-- three nested counters; the innermost feeds two cells, one of which is carried on to a third
local program = [[
++++++++++ [ > ++++++++++++ [ > +++++++++++++++ [ > + > + << - ] > [ >> + << - ] << - ] < - ]
>>>> . > .
]]

local function compile(text)
  local code, jump, stack = {}, {}, {}
  for c in text:gmatch("[-+<>.,%[%]]") do
    code[#code + 1] = c
    if c == "[" then
      stack[#stack + 1] = #code
    elseif c == "]" then
      local open = table.remove(stack)
      jump[open], jump[#code] = #code, open
    end
  end
  return code, jump
end

local function run(code, jump)
  local tape, at, pc, n, out, steps = {}, 1, 1, #code, {}, 0
  for i = 1, 300 do
    tape[i] = 0
  end
  while pc <= n do
    local c = code[pc]
    steps = steps + 1
    if c == "+" then
      tape[at] = (tape[at] + 1) % 256
    elseif c == "-" then
      tape[at] = (tape[at] - 1) % 256
    elseif c == ">" then
      at = at + 1
    elseif c == "<" then
      at = at - 1
    elseif c == "[" then
      if tape[at] == 0 then
        pc = jump[pc]
      end
    elseif c == "]" then
      if tape[at] ~= 0 then
        pc = jump[pc]
      end
    elseif c == "." then
      out[#out + 1] = string.char(tape[at])
    end
    pc = pc + 1
  end
  return table.concat(out), steps
end

local code, jump = compile(program)
local text, steps
for _ = 1, rounds do
  text, steps = run(code, jump)
end
print(string.format("tape %d %d %d", text:byte(1), text:byte(2), steps))
