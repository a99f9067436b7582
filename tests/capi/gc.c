/* lua_gc with every option, and what collections do to values that only C knows. */
#include "t.h"

static int options(lua_State *L) {
  int kb = lua_gc(L, LUA_GCCOUNT), b = lua_gc(L, LUA_GCCOUNTB);
  CHECK(kb > 0 && kb < 10000 && b >= 0 && b < 1024);
  printf("running %d", lua_gc(L, LUA_GCISRUNNING));
  printf(" stop %d", lua_gc(L, LUA_GCSTOP));
  printf(" running %d", lua_gc(L, LUA_GCISRUNNING));
  kb = lua_gc(L, LUA_GCCOUNT);
  for (int i = 0; i < 2000; i++) lua_newuserdatauv(L, 1000, 0), lua_pop(L, 1);
  CHECK(lua_gc(L, LUA_GCCOUNT) > kb + 1900);
  printf(" restart %d", lua_gc(L, LUA_GCRESTART));
  printf(" running %d", lua_gc(L, LUA_GCISRUNNING));
  printf(" collect %d\n", lua_gc(L, LUA_GCCOLLECT));
  CHECK(lua_gc(L, LUA_GCCOUNT) < kb + 500);
  int pause = lua_gc(L, LUA_GCSETPAUSE, 300), mul = lua_gc(L, LUA_GCSETSTEPMUL, 400);
  printf("pause %d mul %d", lua_gc(L, LUA_GCSETPAUSE, pause), lua_gc(L, LUA_GCSETSTEPMUL, mul));
  CHECK(lua_gc(L, LUA_GCSETPAUSE, 200) == pause && lua_gc(L, LUA_GCSETSTEPMUL, 100) == mul);
  printf(" inc %d", lua_gc(L, LUA_GCINC, 0, 0, 0));
  printf(" gen %d", lua_gc(L, LUA_GCGEN, 0, 0));
  printf(" gen %d", lua_gc(L, LUA_GCGEN, 20, 100));
  for (int i = 0; i < 3000; i++) lua_newtable(L), lua_pop(L, 1);
  printf(" inc %d", lua_gc(L, LUA_GCINC, 200, 200, 13));
  printf(" inc %d\n", lua_gc(L, LUA_GCINC, 0, 0, 0));
  int steps = 0;
  while (!lua_gc(L, LUA_GCSTEP, 1) && steps < 100000) steps++;
  CHECK(steps < 100000);
  CHECK(lua_gc(L, LUA_GCSTEP, 1000000) == 1);
  CHECK(lua_gc(L, LUA_GCSTEP, 0) == 0 || 1);
  printf("unknown %d\n", lua_gc(L, 77));
  return 0;
}

static int in_finalizer(lua_State *L) {
  printf("collect %d count %d step %d\n", lua_gc(L, LUA_GCCOLLECT), lua_gc(L, LUA_GCCOUNT) > 0, lua_gc(L, LUA_GCSTEP, 5));
  lua_newtable(L);
  return 0;
}
static int finalizers(lua_State *L) {
  lua_newuserdatauv(L, 1, 0);
  lua_newtable(L);
  lua_pushcfunction(L, in_finalizer), lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
  puts("after");
  return 0;
}

/* Values on stacks, in upvalues, in the registry, in threads stay; others go. */
static int count(lua_State *L, int weak) {
  int n = 0;
  weak = lua_absindex(L, weak);
  for (lua_pushnil(L); lua_next(L, weak); lua_pop(L, 1)) n++;
  return n;
}
static void watch(lua_State *L, int weak) {
  lua_pushvalue(L, -1);
  lua_rawseti(L, weak, (lua_Integer)lua_rawlen(L, weak) + 1);
}
static int nothing(lua_State *L) { (void)L; return 0; }
static int reachable(lua_State *L) {
  run(L, "weak", "return setmetatable({}, {__mode = 'v'})");
  lua_newtable(L), watch(L, 1);
  lua_newtable(L), watch(L, 1), lua_pushcclosure(L, nothing, 1), lua_setglobal(L, "f");
  lua_newtable(L), watch(L, 1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_State *T = lua_newthread(L);
  lua_newtable(L), watch(L, 1), lua_xmove(L, T, 1);
  lua_newtable(L), watch(L, 1), lua_pop(L, 1);
  lua_newuserdatauv(L, 0, 1), lua_newtable(L), watch(L, 1), lua_setiuservalue(L, -2, 1);
  lua_gc(L, LUA_GCCOLLECT);
  printf("%d\n", count(L, 1));
  luaL_unref(L, LUA_REGISTRYINDEX, ref);
  lua_gc(L, LUA_GCCOLLECT);
  printf("%d\n", count(L, 1));
  lua_settop(T, 0), lua_gc(L, LUA_GCCOLLECT);
  printf("%d\n", count(L, 1));
  lua_settop(L, 2), lua_gc(L, LUA_GCCOLLECT);
  printf("%d\n", count(L, 1));
  lua_pushnil(L), lua_setglobal(L, "f");
  lua_settop(L, 1), lua_gc(L, LUA_GCCOLLECT);
  printf("%d\n", count(L, 1));
  return 0;
}

/* Garbage made by C alone is collected on the way. */
static int automatic(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  int before = lua_gc(L, LUA_GCCOUNT), most = 0;
  for (int i = 0; i < 200000; i++) {
    switch (i % 6) {
      case 0: lua_newtable(L); break;
      case 1: lua_pushfstring(L, "string number %d", i); break;
      case 2: lua_newuserdatauv(L, 64, 1); break;
      case 3: lua_pushinteger(L, i), lua_pushcclosure(L, nothing, 1); break;
      case 4: lua_createtable(L, 10, 2); break;
      default: lua_pushinteger(L, i), lua_pushliteral(L, "x"), lua_concat(L, 2); break;
    }
    lua_pop(L, 1);
    if (lua_gc(L, LUA_GCCOUNT) > most) most = lua_gc(L, LUA_GCCOUNT);
  }
  CHECK(most < before + 3000);
  return 0;
}

static const Test tests[] = {TEST(options), TEST(finalizers), TEST(reachable), TEST(automatic)};
MAIN(tests)
