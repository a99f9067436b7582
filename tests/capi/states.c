/* Several states, threads of the system, the host's extra space. */
#include <pthread.h>

#include "t.h"

static int independent(lua_State *L) {
  lua_State *states[20];
  (void)L;
  for (int i = 0; i < 20; i++) {
    states[i] = luaL_newstate();
    luaL_openlibs(states[i]);
    lua_pushinteger(states[i], i), lua_setglobal(states[i], "number");
  }
  lua_Integer sum = 0;
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < 20; i++) {
      lua_State *S = states[i];
      CHECK(!luaL_dostring(S, "t = t or {} for i = 1, 100 do t[#t + 1] = number * i end return #t + t[#t]"));
      sum += lua_tointeger(S, -1);
      lua_settop(S, 0);
    }
  for (int i = 0; i < 20; i++) lua_close(states[(i * 7) % 20]);
  printf(LUA_INTEGER_FMT "\n", sum);
  return 0;
}

/* A function of one state that works on another. */
static int inner_state(lua_State *L) {
  lua_Integer depth = luaL_checkinteger(L, 1);
  lua_State *S = luaL_newstate();
  luaL_openlibs(S);
  lua_register(S, "inner_state", inner_state);
  lua_pushfstring(S, depth > 0 ? "return 'd%d' .. inner_state(%d)" : "error('bottom')", (int)depth, (int)depth - 1);
  int status = luaL_dostring(S, lua_tostring(S, -1));
  lua_pushfstring(L, "%d%s", status, lua_tostring(S, -1));
  lua_close(S);
  return 1;
}
static int nested(lua_State *L) {
  lua_register(L, "inner_state", inner_state);
  run(L, "nested", "return (inner_state(3):gsub('%[string.-%]', 'S'))");
  show(L, "result", -1);
  return 0;
}

static void *thread_main(void *argument) {
  lua_State *S = luaL_newstate();
  luaL_openlibs(S);
  long *result = argument;
  for (int i = 0; i < 20; i++) {
    luaL_loadstring(S, "local n = ... local t = {} for i = 1, 2000 do t[i] = tostring(i) .. n end local s = 0 for k, v in pairs(t) do s = s + #v end "
      "local ok, e = pcall(error, {}) local c = coroutine.wrap(function() for i = 1, 10 do coroutine.yield(i) end end) for i = 1, 10 do s = s + c() end return s");
    lua_pushinteger(S, i);
    if (lua_pcall(S, 1, 1, 0) == LUA_OK) *result += (long)lua_tointeger(S, -1);
    lua_settop(S, 0);
  }
  lua_close(S);
  return NULL;
}
static int system_threads(lua_State *L) {
  pthread_t threads[4];
  long results[4] = {0};
  (void)L;
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, thread_main, &results[i]);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  printf("%ld %d\n", results[0], results[0] == results[1] && results[1] == results[2] && results[2] == results[3]);
  return 0;
}

/* One state used by one thread after the other. */
static void *next_owner(void *argument) {
  lua_State *S = argument;
  CHECK(!luaL_dostring(S, "count = (count or 0) + 1 local x = 0 for i = 1, 10000 do x = x + i end collectgarbage() return pcall(error, 'e')"));
  lua_settop(S, 0);
  return NULL;
}
static int moved(lua_State *L) {
  (void)L;
  lua_State *S = luaL_newstate();
  luaL_openlibs(S);
  for (int i = 0; i < 8; i++) {
    pthread_t t;
    pthread_create(&t, NULL, next_owner, S);
    pthread_join(t, NULL);
    next_owner(S);
  }
  lua_getglobal(S, "count");
  show(S, "count", -1);
  lua_close(S);
  return 0;
}

static int extra_space(lua_State *L) {
  lua_State *S = luaL_newstate();
  void **space = lua_getextraspace(S);
  *space = &space;
  lua_State *T = lua_newthread(S);
  CHECK(*(void **)lua_getextraspace(T) == &space);
  *(void **)lua_getextraspace(T) = L;
  CHECK(*space == &space);
  lua_State *U = lua_newthread(T);
  CHECK(*(void **)lua_getextraspace(U) == &space);
  lua_gc(S, LUA_GCCOLLECT);
  luaL_openlibs(S);
  run(S, "coroutines", "for i = 1, 100 do coroutine.wrap(function() coroutine.yield() end)() end collectgarbage()");
  CHECK(*space == &space && *(void **)lua_getextraspace(T) == L);
  lua_close(S);
  return 0;
}

static int limit_of_c_stack(lua_State *L) {
  printf("%d\n", lua_setcstacklimit(L, 1000));
  return 0;
}

static const Test tests[] = {TEST(independent), TEST(nested), TEST(system_threads), TEST(moved), TEST(extra_space), TEST(limit_of_c_stack)};
MAIN(tests)
