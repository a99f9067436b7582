-- group: integers
-- FNV-1a and a rotate-multiply hash over the bytes of many keys, into an open-addressing table.
local scale = tonumber(arg and arg[1]) or 1
local rounds = math.floor(240 * scale)
local byte = string.byte

local function fnv(s)
  local h <const> = 0x100000001B3
  local v = 0xCBF29CE484222325
  for i = 1, #s do
    v = (v ~ byte(s, i)) * h
  end
  return v
end

local function rotmul(s)
  local v = #s
  for i = 1, #s do
    v = ((v << 5) | (v >> 59)) ~ byte(s, i)
    v = v * 0x9E3779B97F4A7C15
  end
  return v ~ (v >> 32)
end

local keys = {}
for i = 1, 3000 do
  keys[i] = "key:" .. i * 7919 .. ":" .. i % 13
end
local mask = 8191
local probes, check = 0, 0
for round = 1, rounds do
  local slots = {}
  for i = 0, mask do
    slots[i] = false
  end
  local hash = round % 2 == 0 and fnv or rotmul
  for _, key in ipairs(keys) do
    local h = hash(key)
    local at = (h >> 7) & mask
    while slots[at] do
      probes = probes + 1
      at = (at + 1) & mask
    end
    slots[at] = key
    check = check ~ (h + round)
  end
end
print(string.format("fnv %d %016x", probes, check))
