/* What debug builds of the library say about misuse: the program makes the mistake that its argument names, and is aborted. */
#include "t.h"

static int nothing(lua_State *L) { (void)L; return 0; }
static int too_many_results(lua_State *L) { (void)L; return 3; }

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  lua_State *L = luaL_newstate();
  if (!strcmp(name, "call")) lua_pushcfunction(L, nothing), lua_call(L, 3, 0);
  else if (!strcmp(name, "settop")) lua_settop(L, -5);
  else if (!strcmp(name, "pop")) lua_pop(L, 1);
  else if (!strcmp(name, "rotate")) lua_pushnil(L), lua_rotate(L, 1, 2);
  else if (!strcmp(name, "pushvalue")) lua_pushvalue(L, -1);
  else if (!strcmp(name, "setfield")) lua_newtable(L), lua_pop(L, 1), lua_setfield(L, -1, "x");
  else if (!strcmp(name, "rawset")) lua_pushnil(L), lua_pushnil(L), lua_pushnil(L), lua_rawset(L, 1);
  else if (!strcmp(name, "next")) lua_pushnil(L), lua_pushnil(L), lua_next(L, 1);
  else if (!strcmp(name, "concat")) lua_concat(L, 2);
  else if (!strcmp(name, "closure")) lua_pushcclosure(L, nothing, 2);
  else if (!strcmp(name, "error")) lua_error(L);
  else if (!strcmp(name, "results")) lua_pushcfunction(L, too_many_results), lua_call(L, 0, 0);
  else if (!strcmp(name, "overflow")) for (int i = 0; i < 1000000; i++) lua_pushnil(L);
  else if (!strcmp(name, "metatable")) lua_newtable(L), lua_pushinteger(L, 1), lua_setmetatable(L, 1);
  else if (!strcmp(name, "xmove")) lua_xmove(L, lua_newthread(L), 2);
  else return puts("no such mistake"), 2;
  puts("not noticed");
  return 0;
}
