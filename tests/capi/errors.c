/* Errors: through C, Lua and the API itself; message handlers; what is left on the stack; panics. */
#include <setjmp.h>

#include "t.h"

static int throw_upvalue(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  return lua_error(L);
}
static int values(lua_State *L) {
  for (int i = 0; i < 6; i++) {
    switch (i) {
      case 0: lua_pushliteral(L, "text"); break;
      case 1: lua_pushnil(L); break;
      case 2: lua_pushinteger(L, 12); break;
      case 3: lua_newtable(L); break;
      case 4: lua_pushlightuserdata(L, &i); break;
      default: lua_pushboolean(L, 0);
    }
    lua_pushcclosure(L, throw_upvalue, 1);
    outcome(L, "error", lua_pcall(L, 0, 0, 0));
    CHECK(lua_gettop(L) == 0);
  }
  return 0;
}

static int formatted(lua_State *L) {
  return luaL_error(L, "%s is %d, not %f (%I, %c, %p)", "it", 1, 2.5, (LUAI_UACINT)1 << 40, 'x', NULL);
}
static int in_lua(lua_State *L) {
  return luaL_error(L, "from C, called by Lua");
}
static int positions(lua_State *L) {
  protect(L, "luaL_error", formatted);
  lua_register(L, "fail", in_lua);
  run(L, "position", "local x\n\nfail()");
  run(L, "pcall in Lua", "local ok, e = pcall(fail) return ok, e");
  stack(L, "pcall");
  lua_settop(L, 0);
  run(L, "deep", "local function f(n) if n == 0 then fail() end f(n - 1) end f(50)");
  run(L, "sort", "table.sort({3, 2, 1}, fail)");
  run(L, "gsub", "string.gsub('x', '.', fail)");
  run(L, "metamethod", "local t = setmetatable({}, {__index = fail})\nreturn t.x");
  run(L, "iterator", "for x in fail do end");
  run(L, "coroutine", "return coroutine.resume(coroutine.create(fail))");
  stack(L, "coroutine");
  lua_settop(L, 0);
  run(L, "wrap", "coroutine.wrap(function() fail() end)()");
  luaL_where(L, 0), show(L, "where 0", -1);
  luaL_where(L, 1), show(L, "where 1", -1);
  luaL_where(L, 50), show(L, "where 50", -1);
  return 0;
}

static int inner(lua_State *L) {
  return luaL_error(L, "inner error");
}
static int middle(lua_State *L) {
  lua_pushliteral(L, "kept");
  lua_pushcfunction(L, inner);
  lua_pushliteral(L, "argument");
  int status = lua_pcall(L, 1, 3, 0);
  stack(L, "middle");
  CHECK(status == LUA_ERRRUN);
  return lua_error(L);
}
static int outer(lua_State *L) {
  lua_pushcfunction(L, middle);
  lua_call(L, 0, 0);
  return 0;
}
static int nested(lua_State *L) {
  lua_pushliteral(L, "bottom");
  protect(L, "nested", outer);
  stack(L, "after");
  return 0;
}

static int handler(lua_State *L) {
  printf("handler got ");
  show_value(L, 1);
  lua_Debug ar;
  int depth = 0;
  while (lua_getstack(L, depth, &ar)) depth++;
  printf(" at depth %d, top %d\n", depth, lua_gettop(L));
  lua_pushliteral(L, "handled: ");
  lua_pushvalue(L, 1);
  lua_concat(L, 2);
  return 1;
}
static int bad_handler(lua_State *L) {
  return luaL_error(L, "handler fails too");
}
static int handlers(lua_State *L) {
  lua_pushcfunction(L, handler);
  lua_pushcfunction(L, outer);
  outcome(L, "first", lua_pcall(L, 0, 0, 1));
  load(L, "local t = nil; return t.x");
  outcome(L, "second", lua_pcall(L, 0, 0, -2));
  load(L, "return ...");
  lua_pushinteger(L, 5);
  printf("none %d\n", lua_pcall(L, 1, 1, 1));
  stack(L, "no error");
  lua_settop(L, 0);
  lua_pushcfunction(L, bad_handler);
  lua_pushcfunction(L, inner);
  int status = lua_pcall(L, 0, 0, 1);
  printf("bad handler: %s, %s\n", status_name(status), luaL_typename(L, -1));
  lua_settop(L, 0);
  lua_getglobal(L, "debug"), lua_getfield(L, 1, "traceback"), lua_remove(L, 1);
  lua_pushcfunction(L, outer);
  outcome(L, "traceback", lua_pcall(L, 0, 0, 1));
  return 0;
}

/* Errors raised by operations of the API in the middle of C, caught in C further out. */
static int meta_error(lua_State *L) {
  (void)lua_tostring(L, 2);
  return luaL_error(L, "metamethod says no");
}
static int use_index(lua_State *L) { lua_settop(L, 1); lua_getfield(L, 1, "x"); puts("not reached"); return 0; }
static int use_newindex(lua_State *L) { lua_settop(L, 1); lua_pushinteger(L, 1); lua_seti(L, 1, 1); puts("not reached"); return 0; }
static int use_arith(lua_State *L) { lua_settop(L, 1); lua_pushinteger(L, 1); lua_arith(L, LUA_OPADD); puts("not reached"); return 0; }
static int use_compare(lua_State *L) { lua_settop(L, 1); lua_pushvalue(L, 1); lua_compare(L, 1, 2, LUA_OPLT); puts("not reached"); return 0; }
static int use_concat(lua_State *L) { lua_settop(L, 1); lua_pushliteral(L, "x"); lua_concat(L, 2); puts("not reached"); return 0; }
static int use_len(lua_State *L) { lua_settop(L, 1); lua_len(L, 1); puts("not reached"); return 0; }
static int use_call(lua_State *L) { lua_settop(L, 1); lua_call(L, 0, 0); puts("not reached"); return 0; }
static int use_tostring(lua_State *L) { lua_settop(L, 1); luaL_tolstring(L, 1, NULL); puts("not reached"); return 0; }
static int through_api(lua_State *L) {
  static const lua_CFunction uses[] = {use_index, use_newindex, use_arith, use_compare, use_concat, use_len, use_call, use_tostring};
  static const char *const events[] = {"__index", "__newindex", "__add", "__lt", "__concat", "__len", "__call", "__tostring"};
  lua_newtable(L);
  lua_newtable(L);
  for (int i = 0; i < 8; i++) lua_pushcfunction(L, meta_error), lua_setfield(L, 2, events[i]);
  lua_setmetatable(L, 1);
  for (int i = 0; i < 8; i++) {
    lua_pushcfunction(L, uses[i]);
    lua_pushvalue(L, 1);
    outcome(L, events[i], lua_pcall(L, 1, 0, 0));
    CHECK(lua_gettop(L) == 1);
  }
  /* the same with metamethods in Lua */
  run(L, "in Lua", "return setmetatable({}, {__index = function(t, k) error('no ' .. k) end, __add = function() error({}) end})");
  lua_replace(L, 1);
  for (int i = 0; i < 3; i += 2) {
    lua_pushcfunction(L, uses[i]);
    lua_pushvalue(L, 1);
    outcome(L, events[i], lua_pcall(L, 1, 0, 0));
  }
  return 0;
}

/* Many errors leave nothing behind. */
static int one_of_many(lua_State *L) {
  luaL_checkstack(L, 50, NULL);
  lua_settop(L, 40);
  return luaL_error(L, "error %d", (int)lua_tointeger(L, lua_upvalueindex(1)));
}
static int many(lua_State *L) {
  char *here = (char *)&here;
  (void)here;
  for (int i = 0; i < 20000; i++) {
    lua_pushinteger(L, i);
    lua_pushcclosure(L, one_of_many, 1);
    int status = lua_pcall(L, 0, 5, 0);
    CHECK(status == LUA_ERRRUN && lua_gettop(L) == 1);
    if (i == 19999) show(L, "last", -1);
    lua_settop(L, 0);
  }
  return 0;
}

static int stack_overflow(lua_State *L) {
  run(L, "Lua", "local function f() return 1 + f() end local ok, e = pcall(f) return ok, (e:gsub('\\n.*', ''))");
  stack(L, "Lua");
  lua_settop(L, 0);
  run(L, "handler", "local function f() return 1 + f() end return xpcall(f, function(m) return 'H ' .. #m:sub(1, 4) end)");
  stack(L, "handler");
  lua_settop(L, 0);
  run(L, "error in error", "return xpcall(error, function() error() end)");
  printf("%d %s\n", lua_toboolean(L, 1), luaL_typename(L, 2));
  return 0;
}

/* Variables of C that live in registers across a protected call keep their values. */
static int thrower(lua_State *L) { return lua_error(L); }
static int registers(lua_State *L) {
  unsigned a = lua_gettop(L) + 1, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5;
  double x = a + 0.5;
  for (int i = 0; i < 100; i++) {
    lua_pushcfunction(L, thrower);
    lua_pushinteger(L, i);
    CHECK(lua_pcall(L, 1, 0, 0) == LUA_ERRRUN);
    CHECK(lua_tointeger(L, -1) == i);
    lua_pop(L, 1);
    a += b, b += c, c += d, d += e, e += f, f += i, x += a;
  }
  printf("%d %d %d %d %d %d %.17g\n", a & 0xffff, b & 0xffff, c & 0xffff, d, e, f, x > 0 ? 1.0 : 0.0);
  return 0;
}

static jmp_buf out;
static int on_panic(lua_State *L) {
  show(L, "panic", -1);
  longjmp(out, 1);
}
static int fails_by_error(lua_State *L) { lua_pushliteral(L, "unprotected"); return lua_error(L); }
static int fails_in_lua(lua_State *L) { load(L, "local x = nil; x()"); lua_call(L, 0, 0); return 0; }
static int fails_in_api(lua_State *L) { lua_pushnil(L), lua_setfield(L, 1, "x"); return 0; }
static int fails_in_c(lua_State *L) { lua_pushcfunction(L, fails_by_error); lua_call(L, 0, 0); return 0; }
static int panic(lua_State *L) {
  static const lua_CFunction ways[] = {fails_by_error, fails_in_lua, fails_in_api, fails_in_c};
  (void)L;
  for (volatile int i = 0; i < 4; i++) {
    lua_State *volatile S = luaL_newstate();
    lua_CFunction old = lua_atpanic(S, on_panic);
    CHECK(old != NULL && lua_atpanic(S, on_panic) == on_panic);
    if (setjmp(out) == 0) {
      ways[i](S);
      puts("not reached");
    }
    lua_settop(S, 0);
    lua_close(S);
  }
  return 0;
}

static const Test tests[] = {TEST(values), TEST(positions), TEST(nested), TEST(handlers), TEST(through_api), TEST(many), TEST(stack_overflow),
  TEST(registers), TEST(panic)};
MAIN(tests)
