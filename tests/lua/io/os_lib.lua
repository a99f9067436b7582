-- os: time and date, environment, execute, tmpname, clock, exit codes through io.popen.
print(os.time({ year = 2000, month = 1, day = 1, hour = 12 }) - os.time({ year = 1999, month = 12, day = 31, hour = 12 }))
for _, t in ipairs({ 0, 86399, 951782400, 1700000000, 4102444800, -1 }) do print(t, os.date("!%Y-%m-%d %H:%M:%S %j %w %a %b %p %y", t)) end
local d = os.date("!*t", 1700000000) print(d.year, d.month, d.day, d.hour, d.min, d.sec, d.wday, d.yday, d.isdst)
print(os.date("!%A %B %d %I %M %%", 0), os.date("!%c", 0), os.date("!%x %X", 0), os.date("!%D %e %F %g %G %h %n%R %t %T %u %V %C", 0)) 
local n = { year = 2024, month = 14, day = -3, hour = 30, min = 70, sec = 80 } local ts = os.time(n) print(n.year, n.month, n.day, n.hour, n.min, n.sec, n.wday, n.yday)
print(os.time({ year = 2024, month = 3, day = 1, hour = 0 }) - os.time({ year = 2024, month = 2, day = 28, hour = 0 }))
print(os.time({ year = "2020", month = "6", day = "15", hour = 12.0 }) == os.time({ year = 2020, month = 6, day = 15 }), os.date("*t", os.time({ year = 2020, month = 6, day = 15 })).hour)
for _, t in ipairs({ {}, { year = 2020 }, { year = 2020, month = 1 }, { year = 2020, month = 1, day = "x" }, { year = 2020, month = 1, day = 1.5 }, { year = 1 << 40, month = 1, day = 1 }, { year = 2020, month = 1 << 40, day = 1 } }) do print(pcall(os.time, t)) end
print(pcall(os.date, "%")) print(pcall(os.date, "%E")) print(pcall(os.date, "%O")) print(pcall(os.date, "*t", "x")) print(pcall(os.date, "%d", 1 << 60)) print(os.date("") == "", os.date("!plain", 0), #os.date("!%c%c%c", 0) == 3 * #os.date("!%c", 0))
print(math.type(os.time()), os.time() > 1600000000, math.type(os.clock()), os.clock() >= 0, os.difftime(10, 4), math.type(os.difftime(1, 0)), pcall(os.difftime))
print(os.getenv("NO_SUCH_VARIABLE_HERE"), type(os.getenv("PATH")), pcall(os.getenv))
print(os.execute() ~= nil, os.execute("exit 3")) print(os.execute("true")) print(os.execute("kill -9 $$"))
local p = io.popen("echo from popen; echo second") print(p:read("l"), p:read("a"), p:close())
p = io.popen("cat > /dev/null", "w") print(p:write("x") == p, p:close()) p = io.popen("exit 5") print(p:close()) print(pcall(io.popen, "true", "bad")) print(pcall(io.popen))
for l in io.popen("printf 'a\\nb\\nc'"):lines() do io.write(l, ";") end print()
local name = os.tmpname() print(type(name), io.open(name) ~= nil, os.remove(name))
print(os.setlocale("C"), os.setlocale(nil), os.setlocale("", "numeric") ~= nil, os.setlocale("no_such_locale"), pcall(os.setlocale, "C", "bad")) os.setlocale("C")
local t0 = os.clock() local x = 0 for i = 1, 10000 do x = x + i end print(os.clock() >= t0)
