-- run by the mail program when it starts
print("version", _VERSION, mutt.get("sort"))
mutt.set("from", "someone@example.org")
print("from", mutt.get("from"))
print("error", pcall(mutt.get, "no_such_variable"))
local s = 0
for i = 1, 1e6 do s = s + i end
print("sum", s)
