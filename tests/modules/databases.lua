-- needs: luasql.sqlite3 DBI
-- SQLite through LuaSQL and LuaDBI.

local luasql = require "luasql.sqlite3"
local env = luasql.sqlite3()
local con = assert(env:connect(":memory:"))
print(con:execute "create table t(id integer primary key, name text, size real)")
for i = 1, 200 do assert(con:execute(("insert into t values(%d, '%s', %f)"):format(i, con:escape("it's " .. i), i / 4)) == 1) end
local cur = con:execute "select id, name, size from t where id > 195 order by id"
print(table.concat(cur:getcolnames(), " "), table.concat(cur:getcoltypes(), " "))
local row = cur:fetch({}, "a")
while row do
  print(row.id, row.name, row.size)
  row = cur:fetch(row, "a")
end
print(cur:close(), con:execute "select nothing", pcall(cur.fetch, cur))
local sum = 0
for i = 1, 50 do
  local c = con:execute("select id, size from t where id <= " .. i)
  local id, size = c:fetch()
  while id do
    sum = sum + id * size
    id, size = c:fetch()
  end
end
print(sum, con:setautocommit(false), con:execute "delete from t", con:rollback(), con:execute "select count(*) from t":fetch())
collectgarbage()
print(con:close(), con:close(), env:close(), tostring(con), pcall(con.execute, con, ""))

local DBI = require "DBI"
local db = assert(DBI.Connect("SQLite3", ":memory:"))
db:autocommit(true)
DBI.Do(db, "create table u(a integer, b text)")
local insert = assert(db:prepare "insert into u values(?, ?)")
for i = 1, 100 do assert(insert:execute(i, i % 3 == 0 and nil or "b" .. i)) end
local select_all = assert(db:prepare "select a, b from u where a > ? order by a")
assert(select_all:execute(95))
for r in select_all:rows(true) do print(r.a, r.b) end
select_all:execute(98)
print(select_all:fetch()[1], table.concat(select_all:columns(), " "), select_all:fetch(true).a, select_all:fetch())
print(pcall(db.prepare, db, "no sql"))
print(pcall(DBI.Connect, "NoDriver", "x"))
insert:close() select_all:close()
print(db:ping(), db:close(), db:ping())
