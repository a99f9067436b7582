-- group: branchy
-- An interpreter for a register machine: a chain of comparisons per instruction.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(34000 * scale)

local LOAD, ADD, SUB, MUL, MOD, JUMP, JLESS, JZERO, STORE, FETCH, HALT = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

-- r1 = i, r2 = n, r3 = accumulator; counts and folds the odd numbers below n
local program = {
  { LOAD, 1, 0 },
  { LOAD, 3, 1 },
  { LOAD, 5, 2 },
  { LOAD, 6, 1 },
  { LOAD, 8, 3 },
  { LOAD, 9, 997 },
  { JLESS, 1, 2, 9 }, -- 7: continue while i < n
  { HALT, 3, 0 },
  { MOD, 4, 1, 5 }, -- 9
  { JZERO, 4, 13 },
  { MUL, 3, 3, 8 },
  { ADD, 3, 3, 1 },
  { MOD, 3, 3, 9 }, -- 13
  { STORE, 1, 3 },
  { FETCH, 7, 1 },
  { SUB, 3, 3, 6 },
  { ADD, 3, 7, 6 },
  { ADD, 1, 1, 6 },
  { JUMP, 7 },
}

local function run(code, n)
  local r, memory = { 0, n, 0, 0, 0, 0, 0, 0, 0 }, {}
  local pc, executed = 1, 0
  while true do
    local ins = code[pc]
    local op = ins[1]
    pc = pc + 1
    executed = executed + 1
    if op == LOAD then
      r[ins[2]] = ins[3]
    elseif op == ADD then
      r[ins[2]] = r[ins[3]] + r[ins[4]]
    elseif op == SUB then
      r[ins[2]] = r[ins[3]] - r[ins[4]]
    elseif op == MUL then
      r[ins[2]] = r[ins[3]] * r[ins[4]]
    elseif op == MOD then
      r[ins[2]] = r[ins[3]] % r[ins[4]]
    elseif op == JUMP then
      pc = ins[2]
    elseif op == JLESS then
      if r[ins[2]] < r[ins[3]] then
        pc = ins[4]
      end
    elseif op == JZERO then
      if r[ins[2]] == 0 then
        pc = ins[3]
      end
    elseif op == STORE then
      memory[r[ins[2]]] = r[ins[3]]
    elseif op == FETCH then
      r[ins[2]] = memory[r[ins[3]]]
    elseif op == HALT then
      return r[ins[2]], executed
    end
  end
end

local check, executed = 0, 0
for i = 1, rounds do
  local result, count = run(program, i % 40)
  check = (check * 3 + result) % 1000003
  executed = executed + count
end
print(string.format("interp %d %d", check, executed))
