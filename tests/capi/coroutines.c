/* Coroutines driven from C: resume, status, errors, stacks of threads, closing. */
#include "t.h"

static int values(lua_State *L) {
  lua_State *T = lua_newthread(L);
  int n = -1;
  printf("status %d\n", lua_status(T));
  load(T, "local a, b = ... while true do a, b = coroutine.yield(b, a, a) if a == 'stop' then return 'end', b end end");
  lua_pushinteger(T, 1), lua_pushinteger(T, 2);
  int status = lua_resume(T, L, 2, &n);
  printf("%s %d status %s ", status_name(status), n, status_name(lua_status(T)));
  stack(T, "yielded");
  lua_pop(T, n);
  lua_pushliteral(T, "x"), lua_pushliteral(T, "y");
  status = lua_resume(T, L, 2, &n);
  printf("%s %d ", status_name(status), n);
  stack(T, "yielded");
  lua_pop(T, n);
  lua_pushliteral(T, "stop"), lua_pushboolean(T, 1);
  status = lua_resume(T, NULL, 2, &n);
  printf("%s %d status %s ", status_name(status), n, status_name(lua_status(T)));
  stack(T, "returned");
  lua_settop(T, 0);
  /* the thread can be used again */
  load(T, "return select('#', ...)");
  for (int i = 0; i < 5; i++) lua_pushnil(T);
  status = lua_resume(T, L, 5, &n);
  printf("%s %d ", status_name(status), n);
  stack(T, "again");
  return 0;
}

static int by_lua(lua_State *L) {
  lua_State *T = lua_newthread(L);
  int n;
  load(T, "coroutine.yield('a', 'b') return 'c'");
  int status = lua_resume(T, L, 0, &n);
  printf("%s %d ", status_name(status), n);
  stack(T, "first");
  lua_pop(T, n);
  status = lua_resume(T, L, 0, &n);
  printf("%s %d ", status_name(status), n);
  stack(T, "second");
  return 0;
}

static int body(lua_State *L) {
  stack(L, "body");
  lua_pushthread(L);
  printf("main %d yieldable %d\n", lua_pushthread(L), lua_isyieldable(L));
  lua_pop(L, 2);
  lua_pushliteral(L, "extra");
  return lua_yield(L, 1);
}
static int c_body(lua_State *L) {
  lua_State *T = lua_newthread(L);
  int n;
  lua_pushcfunction(T, body);
  lua_pushinteger(T, 1);
  int status = lua_resume(T, L, 1, &n);
  printf("%s %d ", status_name(status), n);
  stack(T, "yielded");
  lua_pop(T, n);
  lua_pushliteral(T, "result 1"), lua_pushliteral(T, "result 2");
  status = lua_resume(T, L, 2, &n);
  printf("%s %d ", status_name(status), n);
  stack(T, "returned");
  return 0;
}

static int errors(lua_State *L) {
  lua_State *T = lua_newthread(L);
  int n;
  load(T, "local x <const> = 1\ncoroutine.yield() local function f() error('failed') end f()");
  lua_resume(T, L, 0, &n);
  int status = lua_resume(T, L, 0, &n);
  printf("%s status %s ", status_name(status), status_name(lua_status(T)));
  show(T, "error", -1);
  luaL_traceback(L, T, "traceback", 0), show(L, "dead stack", -1), lua_pop(L, 1);
  printf("reset %s", status_name(lua_resetthread(T)));
  printf(" top %d status %s ", lua_gettop(T), status_name(lua_status(T)));
  if (lua_gettop(T)) show(T, "error", -1);
  lua_settop(T, 0);
  load(T, "return 'works'");
  status = lua_resume(T, L, 0, &n);
  printf("%s ", status_name(status));
  stack(T, "after reset");
  lua_settop(T, 0);
  /* what has ended does not go on; nothing to run */
  load(T, "error('again', 0)");
  lua_resume(T, L, 0, &n);
  printf("%s ", status_name(lua_resume(T, L, 0, &n)));
  show(T, "resumed again", -1);
  lua_State *E = lua_newthread(L);
  printf("%s ", status_name(lua_resume(E, L, 0, &n)));
  show(E, "empty", -1);
  load(E, "coroutine.yield()");
  return 0;
}

static int resume_self(lua_State *L) {
  int n;
  lua_pushinteger(L, 1);
  int status = lua_resume(L, NULL, 1, &n);
  outcome(L, "itself", status);
  return 0;
}
static int running(lua_State *L) {
  lua_State *T = lua_newthread(L);
  int n;
  lua_pushcfunction(T, resume_self);
  outcome(T, "outer", lua_resume(T, L, 0, &n));
  return 0;
}

static int nested_body(lua_State *L) {
  lua_Integer depth = luaL_checkinteger(L, 1);
  if (depth == 0) {
    lua_pushliteral(L, "bottom");
    return 1;
  }
  lua_State *T = lua_newthread(L);
  lua_pushcfunction(T, nested_body);
  lua_pushinteger(T, depth - 1);
  int n, status = lua_resume(T, L, 1, &n);
  if (status > LUA_YIELD) {
    lua_xmove(T, L, 1);
    return lua_error(L);
  }
  lua_xmove(T, L, n);
  return n;
}
static int nested(lua_State *L) {
  static const int depths[] = {3, 100, 250};
  for (int i = 0; i < 3; i++) {
    lua_pushcfunction(L, nested_body);
    lua_pushinteger(L, depths[i]);
    int status = lua_pcall(L, 1, 1, 0);
    printf("%d: %s ", depths[i], status_name(status));
    show(L, "", -1);
    lua_settop(L, 0);
  }
  return 0;
}

/* Threads that never run as coroutines: calls on them, from inside other calls. */
static int on_other(lua_State *L) {
  lua_State *T = lua_tothread(L, lua_upvalueindex(1));
  load(T, "local a = ... return a * 2, coroutine.running()");
  lua_pushinteger(T, 21);
  lua_call(T, 1, 2);
  CHECK(lua_tothread(T, -1) == T);
  lua_pop(T, 1);
  show(T, "on the other", -1);
  lua_xmove(T, L, 1);
  lua_getglobal(T, "error"), lua_pushliteral(T, "fails there");
  outcome(T, "protected", lua_pcall(T, 1, 0, 0));
  if (lua_toboolean(L, 1)) {
    lua_pushliteral(T, "thrown there");
    lua_error(T);
  }
  return 1;
}
static int plain_threads(lua_State *L) {
  lua_State *T = lua_newthread(L);
  CHECK(T != L);
  lua_pushcclosure(L, on_other, 1);
  lua_setglobal(L, "on_other");
  run(L, "from Lua", "local x = on_other() return x, on_other()");
  stack(L, "results");
  lua_settop(L, 0);
  (void)T;
  return 0;
}

static int yield_across(lua_State *L) {
  lua_State *T = lua_newthread(L);
  load(T, "coroutine.yield(1)");
  outcome(T, "plain call", lua_pcall(T, 0, 0, 0));
  printf("yieldable %d %d\n", lua_isyieldable(T), lua_isyieldable(L));
  return 0;
}

static int many(lua_State *L) {
  lua_newtable(L);
  for (int i = 1; i <= 300; i++) {
    lua_State *T = lua_newthread(L);
    load(T, "local n = ... for i = 1, 3 do n = n + coroutine.yield(n) end return n");
    lua_rawseti(L, 1, i);
  }
  lua_Integer sum = 0;
  for (int round = 0; round < 4; round++) {
    for (int i = 1; i <= 300; i++) {
      lua_rawgeti(L, 1, i);
      lua_State *T = lua_tothread(L, -1);
      lua_pop(L, 1);
      lua_pushinteger(T, i + round);
      int n, status = lua_resume(T, L, 1, &n);
      CHECK(status == (round < 3 ? LUA_YIELD : LUA_OK) && n == 1);
      sum += lua_tointeger(T, -1);
      lua_pop(T, 1);
    }
    lua_gc(L, LUA_GCCOLLECT);
  }
  printf("sum " LUA_INTEGER_FMT "\n", sum);
  return 0;
}

static int status_of(lua_State *L) {
  lua_State *T = lua_newthread(L);
  int n;
  load(T, "local co = ... return coroutine.status(co), coroutine.isyieldable(), coroutine.running()");
  lua_pushthread(L), lua_xmove(L, T, 1);
  lua_resume(T, L, 1, &n);
  stack(T, "status");
  lua_getglobal(L, "coroutine"), lua_getfield(L, -1, "status"), lua_pushvalue(L, 1), lua_call(L, 1, 1);
  show(L, "with values", -1);
  lua_settop(T, 0);
  lua_getglobal(L, "coroutine"), lua_getfield(L, -1, "status"), lua_pushvalue(L, 1), lua_call(L, 1, 1);
  show(L, "empty", -1);
  load(T, "coroutine.yield()");
  lua_resume(T, L, 0, &n);
  lua_getglobal(L, "coroutine"), lua_getfield(L, -1, "status"), lua_pushvalue(L, 1), lua_call(L, 1, 1);
  show(L, "yielded", -1);
  /* what C started, Lua may finish */
  lua_getglobal(L, "coroutine"), lua_getfield(L, -1, "resume"), lua_pushvalue(L, 1), lua_call(L, 1, LUA_MULTRET);
  show(L, "resumed from Lua", -1);
  lua_settop(L, 0);
  run(L, "started by Lua", "c = coroutine.create(function(...) local x = coroutine.yield(...) return x, 2 end) coroutine.resume(c, 'a') return c");
  T = lua_tothread(L, 1);
  printf("%s top %d ", status_name(lua_status(T)), lua_gettop(T));
  lua_pushliteral(T, "from C");
  printf("%s ", status_name(lua_resume(T, L, 1, &n)));
  stack(T, "finished");
  return 0;
}

static const Test tests[] = {TEST(values), TEST(by_lua), TEST(c_body), TEST(errors), TEST(running), TEST(nested), TEST(plain_threads), TEST(yield_across),
  TEST(many), TEST(status_of)};
MAIN(tests)
