/* Warnings: lua_setwarnf and lua_warning, control messages, warnings of finalizers. */
#include "t.h"

typedef struct Log { int calls; int on; } Log;

static void collect(void *ud, const char *message, int to_be_continued) {
  Log *log = ud;
  printf("[%d ", ++log->calls);
  print_bytes(message, strlen(message));
  printf(" %d]%s", to_be_continued != 0, to_be_continued ? "" : "\n");
}
static int from_c(lua_State *L) {
  Log log = {0, 0};
  lua_setwarnf(L, collect, &log);
  lua_warning(L, "whole", 0);
  lua_warning(L, "part one, ", 1);
  lua_warning(L, "part two, ", 1);
  lua_warning(L, "end", 0);
  lua_warning(L, "@on", 0);
  lua_warning(L, "", 0);
  lua_setwarnf(L, NULL, NULL);
  lua_warning(L, "nobody hears it", 0);
  lua_setwarnf(L, collect, &log);
  lua_warning(L, "heard", 0);
  printf("%d calls\n", log.calls);
  lua_setwarnf(L, NULL, NULL);
  return 0;
}
static int from_lua(lua_State *L) {
  Log log = {0, 0};
  lua_setwarnf(L, collect, &log);
  run(L, "warn", "warn('one') warn('a', 'b', 'c') warn('@off') warn('@', 'x')");
  run(L, "not strings", "warn({})");
  run(L, "nothing", "warn()");
  run(L, "number", "warn(1, 2.5)");
  run(L, "error in finalizer", "setmetatable({}, {__gc = function() error('oops') end}) collectgarbage()");
  run(L, "error object in finalizer", "setmetatable({}, {__gc = function() error({}) end}) collectgarbage()");
  run(L, "in a coroutine", "coroutine.wrap(function() warn('there') end)()");
  lua_setwarnf(L, NULL, NULL);
  return 0;
}
/* The warning functions of luaL_newstate write to stderr; here only that they survive being switched. */
static int standard(lua_State *L) {
  lua_warning(L, "@off", 0);
  lua_warning(L, "must not be seen", 0);
  lua_warning(L, "nor ", 1);
  lua_warning(L, "this", 0);
  lua_warning(L, "@unknown", 0);
  return 0;
}

static const Test tests[] = {TEST(from_c), TEST(from_lua), TEST(standard)};
MAIN(tests)
