/* To-be-closed slots of C functions, and closing of threads and states. */
#include "t.h"

static int closer(lua_State *L) {
  printf("close ");
  lua_getiuservalue(L, 1, 1);
  show_value(L, -1);
  lua_pop(L, 1);
  stack(L, " with");
  lua_getiuservalue(L, 1, 2);
  if (lua_toboolean(L, -1)) {
    lua_pushliteral(L, "error in close");
    return lua_error(L);
  }
  return 0;
}
/* Pushes an object with a __close metamethod. */
static void object(lua_State *L, const char *name, int fails) {
  lua_newuserdatauv(L, 0, 2);
  lua_pushstring(L, name), lua_setiuservalue(L, -2, 1);
  lua_pushboolean(L, fails), lua_setiuservalue(L, -2, 2);
  lua_newtable(L);
  lua_pushcfunction(L, closer), lua_setfield(L, -2, "__close");
  lua_setmetatable(L, -2);
}
static void marked(lua_State *L, const char *name, int fails) {
  object(L, name, fails);
  lua_toclose(L, -1);
}

static int returning(lua_State *L) {
  marked(L, "a", 0);
  marked(L, "b", 0);
  lua_pushliteral(L, "result 1");
  lua_pushliteral(L, "result 2");
  puts("returning");
  return 2;
}
static int popping(lua_State *L) {
  lua_pushliteral(L, "first");
  marked(L, "c", 0);
  lua_pushliteral(L, "above");
  lua_settop(L, 1);
  stack(L, "popped");
  marked(L, "d", 0);
  lua_pop(L, 1);
  stack(L, "popped");
  marked(L, "e", 0);
  lua_closeslot(L, 2);
  stack(L, "closed slot");
  lua_settop(L, 1);
  lua_pushnil(L), lua_toclose(L, -1);
  lua_pushboolean(L, 0), lua_toclose(L, -1);
  lua_settop(L, 0);
  return 0;
}
static int failing(lua_State *L) {
  marked(L, "f", 0);
  marked(L, "g", lua_toboolean(L, 1));
  marked(L, "h", 0);
  return luaL_error(L, "body fails");
}
static int failing_return(lua_State *L) {
  marked(L, "i", 0);
  marked(L, "j", 1);
  lua_pushinteger(L, 5);
  return 1;
}
static int failing_pop(lua_State *L) {
  marked(L, "k", 1);
  lua_settop(L, 0);
  puts("not reached");
  return 0;
}
static int not_closable(lua_State *L) {
  lua_newtable(L);
  lua_toclose(L, -1);
  return 0;
}

static int slots(lua_State *L) {
  lua_pushcfunction(L, returning);
  lua_call(L, 0, LUA_MULTRET);
  stack(L, "results");
  lua_settop(L, 0);
  lua_register(L, "returning", returning);
  run(L, "from Lua", "local a, b, c = returning() return c, b, a");
  stack(L, "from Lua");
  lua_settop(L, 0);
  lua_pushcfunction(L, popping);
  lua_call(L, 0, 0);
  for (int i = 0; i < 2; i++) {
    lua_pushcfunction(L, failing);
    lua_pushboolean(L, i);
    outcome(L, "failing", lua_pcall(L, 1, 0, 0));
  }
  protect(L, "failing return", failing_return);
  protect(L, "failing pop", failing_pop);
  protect(L, "not closable", not_closable);
  CHECK(lua_gettop(L) == 0);
  return 0;
}

static int again(lua_State *L, int status, lua_KContext ctx) {
  (void)ctx;
  printf("continued %s top %d\n", status_name(status), lua_gettop(L));
  lua_pushliteral(L, "end");
  return 1;
}
static int yields_with_slot(lua_State *L) {
  marked(L, "l", 0);
  return lua_yieldk(L, 0, 0, again);
}
/* Without continuation the function ends when it is resumed, by closing the slot. */
static int yields_and_ends(lua_State *L) {
  marked(L, "of an ended function", 0);
  return lua_yield(L, 0);
}
static int in_coroutines(lua_State *L) {
  lua_register(L, "yields_and_ends", yields_and_ends);
  run(L, "without continuation", "local c = coroutine.wrap(function() local a, b = yields_and_ends() return b, a end) c() return c('x', 'y')");
  stack(L, "without continuation");
  lua_settop(L, 0);
  lua_register(L, "yields_with_slot", yields_with_slot);
  run(L, "finished", "local c = coroutine.wrap(function() return yields_with_slot() end) c() return c('x')");
  stack(L, "finished");
  lua_settop(L, 0);
  run(L, "closed", "local c = coroutine.create(function() return yields_with_slot() end) coroutine.resume(c) return coroutine.close(c), coroutine.status(c)");
  stack(L, "closed");
  lua_settop(L, 0);
  run(L, "left alone", "local c = coroutine.create(function() return yields_with_slot() end) coroutine.resume(c)");
  return 0;
}

static int close_thread(lua_State *T, lua_State *from) {
  return lua_closethread ? lua_closethread(T, from) : lua_resetthread(T);
}
static int threads(lua_State *L) {
  for (int fails = 0; fails < 2; fails++) {
    lua_State *T = lua_newthread(L);
    int n;
    object(T, "first", 0), lua_setglobal(T, "first");
    object(T, "second", fails), lua_setglobal(T, "second");
    load(T, "local a <close> = first local b <close> = second coroutine.yield(1, 2)");
    printf("%s\n", status_name(lua_resume(T, L, 0, &n)));
    int status = close_thread(T, L);
    printf("closed: %s, status %s, top %d", status_name(status), status_name(lua_status(T)), lua_gettop(T));
    if (status != LUA_OK) show(T, ", error", -1);
    else puts("");
    lua_settop(T, 0);
    load(T, "return 'again'");
    lua_resume(T, L, 0, &n);
    stack(T, "again");
    lua_settop(T, 0);
  }
  /* an error waiting in a dead thread is reported by closing it */
  lua_State *T = lua_newthread(L);
  int n;
  load(T, "local a <close> = first error('dead', 0)");
  printf("%s\n", status_name(lua_resume(T, L, 0, &n)));
  int status = close_thread(T, L);
  printf("closed: %s ", status_name(status));
  stack(T, "dead");
  /* one that never ran */
  T = lua_newthread(L);
  lua_pushinteger(T, 1);
  printf("never ran: %s top %d\n", status_name(close_thread(T, NULL)), lua_gettop(T));
  return 0;
}

static int finalizer(lua_State *L) {
  lua_getfield(L, 1, "name");
  printf("finalizer %s\n", lua_tostring(L, -1));
  return 0;
}
static int states(lua_State *L) {
  (void)L;
  lua_State *S = luaL_newstate();
  luaL_openlibs(S);
  lua_register(S, "finalizer", finalizer);
  run(S, "objects", "for i = 1, 3 do _G['g' .. i] = setmetatable({name = 'g' .. i}, {__gc = finalizer}) end");
  marked(S, "slot of the main thread", 0);
  marked(S, "another", 1);
  lua_pushliteral(S, "above");
  puts("closing the state");
  lua_close(S);
  puts("closed");
  S = luaL_newstate();
  lua_State *T = lua_newthread(S);
  (void)T;
  lua_close(S);
  return 0;
}
/* lua_close may be given any thread of the state. */
static int close_by_thread(lua_State *L) {
  (void)L;
  lua_State *S = luaL_newstate();
  lua_State *T = lua_newthread(S);
  luaL_openlibs(S);
  run(T, "objects", "setmetatable({}, {__gc = function() io.stdout:flush() end})");
  lua_close(T);
  return 0;
}

static const Test tests[] = {TEST(slots), TEST(in_coroutines), TEST(threads), TEST(states), TEST(close_by_thread)};
MAIN(tests)
