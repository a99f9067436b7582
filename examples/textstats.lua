-- Statistics of a text: lines, words, the longest line, the commonest words, a histogram of word lengths.
-- Usage: traceorus examples/textstats.lua [file], without a file it reads its own source.

local path = arg and (arg[1] or arg[0]) or error("run this as a script")

local function read_lines(name)
  local lines = {}
  for line in io.lines(name) do
    lines[#lines + 1] = line
  end
  return lines
end

local function ranked(counts)
  local names = {}
  for name in pairs(counts) do
    names[#names + 1] = name
  end
  table.sort(names, function(a, b)
    if counts[a] ~= counts[b] then
      return counts[a] > counts[b]
    end
    return a < b
  end)
  return names
end

local lines = read_lines(path)
local bytes, blank, comments, words, longest = 0, 0, 0, 0, 1
local counts, lengths = {}, {}
for number, line in ipairs(lines) do
  bytes = bytes + #line + 1
  if line:match("^%s*$") then
    blank = blank + 1
  elseif line:match("^%s*%-%-") then
    comments = comments + 1
  end
  if #line > #lines[longest] then
    longest = number
  end
  for word in line:gmatch("%a[%w_]*") do
    words = words + 1
    local lower = word:lower()
    counts[lower] = (counts[lower] or 0) + 1
    lengths[#word] = (lengths[#word] or 0) + 1
  end
end

print(("%s: %d lines (%d blank, %d comments), %d words, %d bytes"):format(path:match("[^/\\]*$"), #lines, blank, comments, words, bytes))
print(("longest line is %d with %d bytes"):format(longest, #(lines[longest] or "")))

print("commonest words:")
local names = ranked(counts)
for i = 1, math.min(8, #names) do
  print(("  %-10s %3d"):format(names[i], counts[names[i]]))
end

print("lengths of words:")
local most = 0
for _, n in pairs(lengths) do
  most = math.max(most, n)
end
for length = 1, 16 do
  local n = lengths[length] or 0
  print(("  %2d %4d %s"):format(length, n, ("*"):rep(n * 40 // math.max(most, 1))))
end
