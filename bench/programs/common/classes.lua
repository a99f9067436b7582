-- group: oop
-- Three levels of classes with overridden and inherited methods, and calls of the parent's version.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(180000 * scale)

local function class(parent)
  local c = {}
  c.__index = c
  c.super = parent
  c.new = function(...)
    local object = setmetatable({}, c)
    object:init(...)
    return object
  end
  return setmetatable(c, parent and { __index = parent } or nil)
end

local Account = class()
function Account:init(owner, balance)
  self.owner = owner
  self.balance = balance
  self.moves = 0
end
function Account:deposit(amount)
  self.balance = self.balance + amount
  self.moves = self.moves + 1
end
function Account:withdraw(amount)
  if not self:allows(amount) then
    return false
  end
  self.balance = self.balance - amount
  self.moves = self.moves + 1
  return true
end
function Account:allows(amount)
  return self.balance >= amount
end
function Account:month_end() end

local Savings = class(Account)
function Savings:init(owner, balance, rate)
  Account.init(self, owner, balance)
  self.rate = rate
end
function Savings:month_end()
  self:deposit((self.balance - self.balance % 100) / 100 * self.rate)
end

local Credit = class(Account)
function Credit:init(owner, balance, limit)
  Account.init(self, owner, balance)
  self.limit = limit
end
function Credit:allows(amount)
  return self.balance + self.limit >= amount
end

local Premium = class(Credit)
function Premium:deposit(amount)
  Premium.super.deposit(self, amount + 1)
end
function Premium:month_end()
  if self.balance < 0 then
    self.balance = self.balance - 3
  end
end

local accounts = {}
for i = 1, 12 do
  local kind = i % 4
  if kind == 0 then
    accounts[i] = Account.new("plain" .. i, 1000)
  elseif kind == 1 then
    accounts[i] = Savings.new("savings" .. i, 2000, 2)
  elseif kind == 2 then
    accounts[i] = Credit.new("credit" .. i, 500, 800)
  else
    accounts[i] = Premium.new("premium" .. i, 100, 3000)
  end
end

local refused = 0
for round = 1, rounds do
  for i = 1, #accounts do
    local account = accounts[i]
    local amount = (round * 7 + i * 13) % 90
    if not account:withdraw(amount) then
      refused = refused + 1
    end
    account:deposit((round + i) % 85)
    if round % 30 == 0 then
      account:month_end()
      account.balance = account.balance % 100000
    end
  end
end
local balance, moves = 0, 0
for i = 1, #accounts do
  balance, moves = balance + accounts[i].balance, moves + accounts[i].moves
end
print(string.format("classes %d %d %d", balance, moves, refused))
