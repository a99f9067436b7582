/* Files of the io library made and used by C: luaL_Stream. */
#include <unistd.h>

#include "t.h"

static int close_file(lua_State *L) {
  luaL_Stream *p = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  puts("closed by C");
  return luaL_fileresult(L, fclose(p->f) == 0, NULL);
}
static int open_temporary(lua_State *L) {
  luaL_Stream *p = lua_newuserdatauv(L, sizeof *p, 0);
  p->closef = NULL;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  p->f = tmpfile();
  p->closef = close_file;
  return 1;
}
static int not_open(lua_State *L) {
  luaL_Stream *p = lua_newuserdatauv(L, sizeof *p, 0);
  p->closef = NULL;
  p->f = NULL;
  luaL_setmetatable(L, LUA_FILEHANDLE);
  return 1;
}
static int write_by_c(lua_State *L) {
  luaL_Stream *p = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  luaL_argcheck(L, p->closef != NULL, 1, "closed file");
  fprintf(p->f, "written by C: %s\n", luaL_checkstring(L, 2));
  return 0;
}
static int streams(lua_State *L) {
  lua_register(L, "open_temporary", open_temporary);
  lua_register(L, "not_open", not_open);
  lua_register(L, "write_by_c", write_by_c);
  run(L, "made by C", "local f = open_temporary() f:write('one\\n', 2, '\\n') write_by_c(f, 'three') f:seek('set') local t = {} for l in f:lines() do t[#t + 1] = l end\n"
    "local kind = io.type(f) return kind, #t, t[3], f:close(), io.type(f), pcall(f.read, f)");
  stack(L, "made by C");
  lua_settop(L, 0);
  run(L, "not open", "local f = not_open() return io.type(f), tostring(f), pcall(f.close, f)");
  stack(L, "not open");
  lua_settop(L, 0);
  run(L, "collected", "open_temporary() collectgarbage() return 'end'");
  lua_settop(L, 0);
  run(L, "made by Lua", "local f = io.tmpfile() write_by_c(f, 'hello') f:seek('set') local s = f:read('a') f:close() return s, pcall(write_by_c, f, 'x')");
  stack(L, "made by Lua");
  lua_settop(L, 0);
  run(L, "standard", "return io.stdout, io.stderr, io.stdin");
  luaL_Stream *p = luaL_checkudata(L, 1, LUA_FILEHANDLE);
  CHECK(p->f == stdout && p->closef != NULL);
  p = luaL_checkudata(L, 2, LUA_FILEHANDLE);
  CHECK(p->f == stderr);
  p = luaL_checkudata(L, 3, LUA_FILEHANDLE);
  CHECK(p->f == stdin);
  lua_settop(L, 0);
  run(L, "to be closed", "do local f <close> = open_temporary() f:write('x') end return 'after'");
  stack(L, "to be closed");
  lua_settop(L, 0);
  run(L, "output", "io.output(open_temporary()) io.write('x') io.close() io.output(io.stdout) io.write('through stdout\\n')");
  run(L, "popen", "local p = io.popen('echo from a process; exit 3') local s = p:read('a') return s, p:close()");
  stack(L, "popen");
  return 0;
}

static const Test tests[] = {TEST(streams)};
MAIN(tests)
