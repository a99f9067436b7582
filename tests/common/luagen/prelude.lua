local fuel = 20000
local function tick()
  fuel = fuel - 1
  if fuel < 0 then error("fuel", 0) end
end
local type, next, pcall, error, select, tostring = type, next, pcall, error, select, tostring
local function show(v, d)
  local t = type(v)
  if t == "number" then
    if v ~= v then return "nan" end
    return math.type(v) == "integer" and string.format("%d", v) or string.format("%.17gf", v)
  elseif t == "string" then
    if #v > 300 then return "#" .. #v .. string.format("%q", v:sub(-100)) end
    return string.format("%q", v)
  elseif t == "table" then
    d = d or 0
    if d > 3 then return "{..}" end
    local es = {}
    for k, w in next, v do es[#es + 1] = show(k, d + 1) .. "=" .. show(w, d + 1) end
    table.sort(es)
    return "{" .. table.concat(es, ",") .. "}"
  elseif t == "nil" or t == "boolean" then
    return tostring(v)
  end
  return t
end
local function P(...)
  local n = select("#", ...)
  local s = {}
  for i = 1, n do s[i] = show((select(i, ...))) end
  io.write(table.concat(s, " "), "\n")
end
local function I(v) return math.tointeger(v) or 7 end
local function M(v) if type(v) == "number" then return v end return 2.5 end
local function N(v) if v == v and type(v) == "number" then return v end return 4 end
local function S(v)
  if type(v) == "number" then return v == v and tostring(v) or "nan" end
  return type(v) == "string" and v or type(v)
end
local function C(s) if #s > 80 then return s:sub(1, 40) end return s end
local function A(t) if #t > 40 then return {1, 2, 3} end return t end
local function SUM(t) local n = 0 for k, v in next, t do if math.type(v) == "integer" then n = n + v end end return n end
