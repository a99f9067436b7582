-- Errors of string.pack, string.unpack and string.packsize.
local function message(f, ...)
  print(select(2, pcall(f, ...)))
end
local pack, unpack, size = string.pack, string.unpack, string.packsize
message(pack, "i0", 1) message(pack, "i17", 1) message(pack, "q", 1) message(pack, "!17 i4", 1) message(pack, "!3 i4", 1)
message(pack, "b", 128) message(pack, "b", -129) message(pack, "B", 256) message(pack, "<i2", 1 << 15) message(pack, "I3", -1) message(pack, "I1", -1)
message(pack, "c3", "toolong") message(pack, "z", "a\0b") message(pack, "s1", ("x"):rep(256)) message(pack, "c", "x") message(pack, "Xz") message(pack, "X")
message(pack, "i4") message(pack, "i4", "x") message(pack, "i4", 1.5) message(pack, "d", "x") message(pack, "z", {})
message(unpack, "i4", "abc") message(unpack, "z", "abc") message(unpack, "s1", "\5abc") message(unpack, "c5", "abc") message(unpack, "i2", "ab", 4)
message(unpack, "<i16", ("\255"):rep(8) .. ("\1"):rep(8)) message(unpack, "<I16", ("\0"):rep(8) .. ("\1"):rep(8)) message(unpack, "<i9", ("\0"):rep(8) .. "\1")
message(size, "s") message(size, "z") message(size, "i") message(size, "c2147483640c2147483640")
message(unpack) message(pack) message(size) message(unpack, "b", "x", -5)
message(pack, "!4 i3 i4", 1, 2) message(pack, "<!2 Xi3", 1) message(pack, "!5", 1)
