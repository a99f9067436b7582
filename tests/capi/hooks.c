/* Hooks: every event, errors and yields from hooks, hooks of threads, hooks set by a signal handler. */
#include <signal.h>
#include <sys/time.h>

#include "t.h"

static const char *const events[] = {"call", "return", "line", "count", "tail call"};

static void tracer(lua_State *L, lua_Debug *ar) {
  lua_getinfo(L, "nSlt", ar);
  printf("%s %s %d %s%s\n", events[ar->event], ar->what, ar->currentline, ar->name ? ar->name : "?", ar->istailcall ? " tail" : "");
}
static int c_function(lua_State *L) { lua_settop(L, 0); return 0; }

static int tracing(lua_State *L) {
  lua_register(L, "c_function", c_function);
  CHECK(lua_gethook(L) == NULL && lua_gethookmask(L) == 0 && lua_gethookcount(L) == 0);
  load(L, "local function f(x)\n  return x\nend\nlocal function g(x)\n  return f(x)\nend\nlocal y = g(1)\nc_function(y)\nfor i = 1, 2 do\n  y = y + f(i)\nend\n");
  lua_sethook(L, tracer, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE, 0);
  CHECK(lua_gethook(L) == tracer && lua_gethookmask(L) == (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE));
  lua_call(L, 0, 0);
  lua_sethook(L, NULL, 0, 0);
  CHECK(lua_gethook(L) == NULL && lua_gethookmask(L) == 0);
  lua_sethook(L, tracer, 0, 5);
  CHECK(lua_gethook(L) == NULL);
  run(L, "quiet", "c_function()");
  return 0;
}

static int counted;
static void counter(lua_State *L, lua_Debug *ar) {
  (void)L;
  CHECK(ar->event == LUA_HOOKCOUNT && lua_gethookcount(L) == 1000);
  counted++;
}
static int counting(lua_State *L) {
  counted = 0;
  lua_sethook(L, counter, LUA_MASKCOUNT, 1000);
  run(L, "loop", "local x = 0 for i = 1, 100000 do x = x + i end");
  lua_sethook(L, NULL, 0, 0);
  CHECK(counted >= 190 && counted <= 420);
  int before = counted;
  run(L, "loop", "for i = 1, 10000 do end");
  CHECK(counted == before);
  return 0;
}

static void limit(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "too many instructions");
}
static int limits(lua_State *L) {
  lua_sethook(L, limit, LUA_MASKCOUNT, 100000);
  run(L, "endless", "while true do end");
  run(L, "endless call", "local function f() return f() end f()");
  run(L, "caught", "local ok, e = pcall(function() local i = 0 while true do i = i + 1 end end) return ok, e");
  stack(L, "caught");
  lua_settop(L, 0);
  run(L, "in a coroutine", "return coroutine.resume(coroutine.create(function() for i = 1, 1e5 do end return 'through' end))");
  stack(L, "coroutine");
  lua_sethook(L, NULL, 0, 0);
  return 0;
}

static void line_yield(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_yield(L, 0);
}
static int yielding(lua_State *L) {
  lua_State *T = lua_newthread(L);
  load(T, "local a = 1\nlocal b = a + 1\nlocal c = b * 2\nreturn a, b, c\n");
  lua_sethook(T, line_yield, LUA_MASKLINE, 0);
  int status, n, steps = 0;
  while ((status = lua_resume(T, L, 0, &n)) == LUA_YIELD && steps < 10) {
    lua_Debug ar;
    CHECK(n == 0 && lua_getstack(T, 0, &ar) && lua_getinfo(T, "l", &ar) && ar.currentline >= 1 && ar.currentline <= 4);
    steps++;
  }
  CHECK(status == LUA_OK && steps == 4);
  stack(T, "end");
  /* and from a count hook in a loop */
  lua_settop(T, 0);
  load(T, "local s = 0 for i = 1, 1000 do s = s + i end return s");
  lua_sethook(T, line_yield, LUA_MASKCOUNT, 100);
  steps = 0;
  while ((status = lua_resume(T, L, 0, &n)) == LUA_YIELD) steps++;
  CHECK(steps >= 15 && steps <= 45);
  stack(T, "loop");
  return 0;
}

static void hook_locals(lua_State *L, lua_Debug *ar) {
  lua_getinfo(L, "nSr", ar);
  if (ar->what[0] == 'C' || ar->name == NULL) return;
  printf("%s %s transfers %d from %d:", events[ar->event], ar->name, ar->ntransfer, ar->ftransfer);
  for (int i = 0; i < ar->ntransfer; i++) {
    const char *name = lua_getlocal(L, ar, ar->ftransfer + i);
    printf(" %s=", name);
    show_value(L, -1);
    lua_pop(L, 1);
  }
  puts("");
}
static int transfers(lua_State *L) {
  load(L, "local function f(a, b) local c = a + b return c, a end local function v(...) return ... end f(1, 2) v(5, 6)");
  lua_sethook(L, hook_locals, LUA_MASKCALL | LUA_MASKRET, 0);
  lua_call(L, 0, 0);
  lua_sethook(L, NULL, 0, 0);
  return 0;
}

static void count_calls(lua_State *L, lua_Debug *ar) {
  (void)L, (void)ar;
  counted++;
}
static int inheritance(lua_State *L) {
  lua_sethook(L, count_calls, LUA_MASKCALL, 0);
  lua_State *T = lua_newthread(L);
  printf("new threads inherit: %d %d\n", lua_gethook(T) == count_calls, lua_gethookmask(T));
  lua_sethook(L, NULL, 0, 0);
  CHECK(lua_gethook(T) == count_calls);
  counted = 0;
  load(T, "local function f() end for i = 1, 10 do f() end");
  int n;
  lua_resume(T, L, 0, &n);
  printf("%d calls\n", counted);
  counted = 0;
  run(L, "main", "local function f() end for i = 1, 10 do f() end");
  printf("%d calls\n", counted);
  lua_settop(L, 0);
  return 0;
}

/* A hook may run Lua, and is not called for that. */
static void calls_lua(lua_State *L, lua_Debug *ar) {
  counted++;
  lua_getglobal(L, "record");
  lua_pushstring(L, events[ar->event]);
  lua_call(L, 1, 0);
}
static int lua_in_hook(lua_State *L) {
  counted = 0;
  run(L, "prepare", "log = {} function record(e) for i = 1, 3 do log[#log + 1] = e end end");
  load(L, "local x = 1\nx = x + 1\nx = x + 1\n");
  lua_sethook(L, calls_lua, LUA_MASKLINE, 0);
  lua_call(L, 0, 0);
  lua_sethook(L, NULL, 0, 0);
  run(L, "log", "return #log, log[1]");
  printf("%d ", counted);
  stack(L, "log");
  return 0;
}

static lua_State *interrupted;
static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "interrupted!");
}
static void on_signal(int number) {
  (void)number;
  lua_sethook(interrupted, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}
static int signals(lua_State *L) {
  static const char *const loops[] = {"while true do end", "local x = 0 for i = 1, 1e15 do x = x + i * 0.5 end", "local function f() end while true do f() end",
    "local t = {} while true do t.x = (t.x or 0) + 1 end", "local ok, e = pcall(function() while true do end end) return e"};
  struct itimerval timer = {{0, 0}, {0, 30000}};
  interrupted = L;
  signal(SIGALRM, on_signal);
  for (int i = 0; i < 5; i++) {
    setitimer(ITIMER_REAL, &timer, NULL);
    load(L, loops[i]);
    int status = lua_pcall(L, 0, 1, 0);
    printf("%s %d\n", status_name(status), strstr(lua_tostring(L, -1), "interrupted!") != NULL);
    lua_settop(L, 0);
  }
  signal(SIGALRM, SIG_DFL);
  CHECK(lua_gethook(L) == NULL);
  return 0;
}

static const Test tests[] = {TEST(tracing), TEST(counting), TEST(limits), TEST(yielding), TEST(transfers), TEST(inheritance), TEST(lua_in_hook), TEST(signals)};
MAIN(tests)
