/*
** The cost of crossing between C and Lua: a program that embeds the library, measures one thing after the other, and prints nanoseconds per
** operation. bench/embedding/run.sh runs it with two libraries in turn. Arguments: how often, and the name of a single operation.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"

static long repeat = 300000;
static const char *only; /* the one operation that is wanted, or null */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The fastest of several runs of `f`, each doing `n` operations. */
static void measure(lua_State *L, const char *name, void (*f)(lua_State *, long), long n) {
  double best = 1e300;
  if (only && strcmp(name, only)) return;
  for (int i = 0; i < 7; i++) {
    double start = now();
    f(L, n);
    double time = now() - start;
    if (time < best) best = time;
  }
  printf("%-28s %10.2f\n", name, best / (double)n);
  fflush(stdout);
}

static void fail(lua_State *L) {
  fprintf(stderr, "%s\n", lua_tostring(L, -1));
  exit(1);
}

/* Calls the global Lua function `name` with n. */
static void lua_loop(lua_State *L, const char *name, long n) {
  lua_getglobal(L, name);
  lua_pushinteger(L, n);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) fail(L);
}

/* ---- functions of C for Lua ---- */

static int c_nothing(lua_State *L) { (void)L; return 0; }
static int c_add(lua_State *L) {
  lua_pushinteger(L, luaL_checkinteger(L, 1) + luaL_checkinteger(L, 2));
  return 1;
}
static int c_length(lua_State *L) {
  size_t size;
  luaL_checklstring(L, 1, &size);
  lua_pushinteger(L, (lua_Integer)size);
  return 1;
}
static int c_closure(lua_State *L) {
  lua_Integer n = lua_tointeger(L, lua_upvalueindex(1)) + 1;
  lua_pushinteger(L, n);
  lua_copy(L, -1, lua_upvalueindex(1));
  return 1;
}
static int c_callback(lua_State *L) {
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_call(L, 1, 1);
  return 1;
}
static int c_error(lua_State *L) {
  lua_pushvalue(L, 1);
  return lua_error(L);
}

typedef struct Point { double x, y; } Point;
static int point_new(lua_State *L) {
  Point *p = lua_newuserdatauv(L, sizeof *p, 0);
  p->x = luaL_checknumber(L, 1);
  p->y = luaL_checknumber(L, 2);
  luaL_setmetatable(L, "Point");
  return 1;
}
static int point_x(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, "Point");
  lua_pushnumber(L, p->x);
  return 1;
}
static int point_move(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, "Point");
  p->x += luaL_checknumber(L, 2);
  p->y += luaL_checknumber(L, 3);
  return 0;
}

static void l_nothing(lua_State *L, long n) { lua_loop(L, "l_nothing", n); }
static void l_add(lua_State *L, long n) { lua_loop(L, "l_add", n); }
static void l_length(lua_State *L, long n) { lua_loop(L, "l_length", n); }
static void l_closure(lua_State *L, long n) { lua_loop(L, "l_closure", n); }
static void l_callback(lua_State *L, long n) { lua_loop(L, "l_callback", n); }
static void l_error(lua_State *L, long n) { lua_loop(L, "l_error", n); }
static void l_point_new(lua_State *L, long n) { lua_loop(L, "l_point_new", n); }
static void l_point_x(lua_State *L, long n) { lua_loop(L, "l_point_x", n); }
static void l_point_move(lua_State *L, long n) { lua_loop(L, "l_point_move", n); }

/* ---- C alone ---- */

static void push_integer(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_pop(L, 1);
  }
}
static void to_integer(lua_State *L, long n) {
  lua_Integer sum = 0;
  lua_pushinteger(L, 3);
  for (long i = 0; i < n; i++) sum += lua_tointeger(L, -1);
  if (sum != 3 * n) abort();
  lua_pop(L, 1);
}
static void push_string(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_pushstring(L, i & 1 ? "content-length" : "accept");
    lua_pop(L, 1);
  }
}
static void push_format(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_pushfstring(L, "%s:%d", "name", (int)(i & 1023));
    lua_pop(L, 1);
  }
}
static void get_field(lua_State *L, long n) {
  lua_getglobal(L, "object");
  for (long i = 0; i < n; i++) {
    lua_getfield(L, -1, "width");
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
static void set_field(lua_State *L, long n) {
  lua_getglobal(L, "object");
  for (long i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_setfield(L, -2, "height");
  }
  lua_pop(L, 1);
}
static void raw_geti(lua_State *L, long n) {
  lua_getglobal(L, "array");
  for (long i = 0; i < n; i++) {
    lua_rawgeti(L, -1, (i & 63) + 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
static void raw_seti(lua_State *L, long n) {
  lua_getglobal(L, "array");
  for (long i = 0; i < n; i++) {
    lua_pushinteger(L, i);
    lua_rawseti(L, -2, (i & 63) + 1);
  }
  lua_pop(L, 1);
}
static void get_global(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_getglobal(L, "object");
    lua_pop(L, 1);
  }
}
static void new_table(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, i);
    lua_setfield(L, -2, "x");
    lua_pushinteger(L, i);
    lua_setfield(L, -2, "y");
    lua_pop(L, 1);
  }
}
static void iterate(lua_State *L, long n) {
  lua_getglobal(L, "array");
  for (long i = 0; i < n; i += 64) {
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) { }
  }
  lua_pop(L, 1);
}
static void references(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_pushboolean(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));
  }
}
static void buffer(lua_State *L, long n) {
  luaL_Buffer b;
  for (long i = 0; i < n; i += 100) {
    luaL_buffinit(L, &b);
    for (int k = 0; k < 100; k++) luaL_addlstring(&b, "some text", 9);
    luaL_pushresult(&b);
    lua_pop(L, 1);
  }
}
static void call_lua(lua_State *L, long n) {
  lua_getglobal(L, "identity");
  for (long i = 0; i < n; i++) {
    lua_pushvalue(L, -1);
    lua_pushinteger(L, i);
    lua_call(L, 1, 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
static void pcall_lua(lua_State *L, long n) {
  lua_getglobal(L, "identity");
  for (long i = 0; i < n; i++) {
    lua_pushvalue(L, -1);
    lua_pushinteger(L, i);
    lua_pcall(L, 1, 1, 0);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}
static void call_c(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_pushcfunction(L, c_add);
    lua_pushinteger(L, i);
    lua_pushinteger(L, 1);
    lua_call(L, 2, 1);
    lua_pop(L, 1);
  }
}
static void pcall_error(lua_State *L, long n) {
  for (long i = 0; i < n; i++) {
    lua_pushcfunction(L, c_error);
    lua_pushinteger(L, i);
    lua_pcall(L, 1, 0, 0);
    lua_pop(L, 1);
  }
}
static void resume(lua_State *L, long n) {
  lua_State *T = lua_newthread(L);
  int results;
  lua_getglobal(L, "generator");
  lua_xmove(L, T, 1);
  for (long i = 0; i < n; i++) {
    lua_resume(T, L, 0, &results);
    lua_pop(T, results);
  }
  lua_pop(L, 1);
}

static const char setup[] =
  "object = {width = 1, height = 2, name = 'object'}\n"
  "array = {} for i = 1, 64 do array[i] = i end\n"
  "function identity(x) return x end\n"
  "function generator() local n = 0 while true do n = n + 1 coroutine.yield(n) end end\n"
  "function l_nothing(n) local f = c_nothing for i = 1, n do f() end end\n"
  "function l_add(n) local s = 0 for i = 1, n do s = c_add(s, i) end end\n"
  "function l_length(n) local s = 0 for i = 1, n do s = s + c_length('a string') end end\n"
  "function l_closure(n) for i = 1, n do c_closure() end end\n"
  "function l_callback(n) local s = 0 local function f(x) return x + 1 end for i = 1, n do s = s + c_callback(f, i) end end\n"
  "function l_error(n) for i = 1, n do pcall(c_error, i) end end\n"
  "function l_point_new(n) for i = 1, n do local p = Point(i, 1) end end\n"
  "function l_point_x(n) local p, s = Point(1, 2), 0 for i = 1, n do s = s + p:x() end end\n"
  "function l_point_move(n) local p = Point(1, 2) for i = 1, n do p:move(1, 2) end end\n";

int main(int argc, char **argv) {
  static const luaL_Reg methods[] = {{"x", point_x}, {"move", point_move}, {NULL, NULL}};
  if (argc > 1) repeat = strtol(argv[1], NULL, 10);
  if (argc > 2) only = argv[2];
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_newmetatable(L, "Point");
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1), lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_register(L, "Point", point_new);
  lua_register(L, "c_nothing", c_nothing);
  lua_register(L, "c_add", c_add);
  lua_register(L, "c_length", c_length);
  lua_register(L, "c_callback", c_callback);
  lua_register(L, "c_error", c_error);
  lua_pushinteger(L, 0), lua_pushcclosure(L, c_closure, 1), lua_setglobal(L, "c_closure");
  if (luaL_dostring(L, setup)) fail(L);

  measure(L, "Lua calls C, nothing", l_nothing, repeat);
  measure(L, "Lua calls C, add", l_add, repeat);
  measure(L, "Lua calls C, string", l_length, repeat);
  measure(L, "Lua calls C, upvalue", l_closure, repeat);
  measure(L, "Lua calls C calls Lua", l_callback, repeat);
  measure(L, "Lua catches error of C", l_error, repeat / 4);
  measure(L, "userdata, new", l_point_new, repeat / 4);
  measure(L, "userdata, get by method", l_point_x, repeat);
  measure(L, "userdata, change by method", l_point_move, repeat);
  measure(L, "C calls Lua", call_lua, repeat);
  measure(L, "C calls Lua, protected", pcall_lua, repeat);
  measure(L, "C calls C", call_c, repeat);
  measure(L, "C catches error of C", pcall_error, repeat / 4);
  measure(L, "C resumes Lua", resume, repeat);
  measure(L, "pushinteger, pop", push_integer, repeat * 4);
  measure(L, "tointeger", to_integer, repeat * 4);
  measure(L, "pushstring", push_string, repeat);
  measure(L, "pushfstring", push_format, repeat / 4);
  measure(L, "getfield", get_field, repeat);
  measure(L, "setfield", set_field, repeat);
  measure(L, "getglobal", get_global, repeat);
  measure(L, "rawgeti", raw_geti, repeat);
  measure(L, "rawseti", raw_seti, repeat);
  measure(L, "next", iterate, repeat);
  measure(L, "ref, unref", references, repeat);
  measure(L, "buffer", buffer, repeat);
  measure(L, "table with two fields", new_table, repeat / 4);
  lua_close(L);
  return 0;
}
