/* C functions and closures, calls in both directions, upvalues. */
#include "t.h"

static int echo(lua_State *L) { return lua_gettop(L); }
static int last(lua_State *L) { return lua_gettop(L) > 0; }
static int other(lua_State *L) { lua_pushliteral(L, "other"); return 1; }

static int identity(lua_State *L) {
  lua_pushcfunction(L, echo);
  lua_pushcfunction(L, echo);
  lua_pushcfunction(L, other);
  CHECK(lua_rawequal(L, 1, 2) && !lua_rawequal(L, 1, 3));
  CHECK(lua_topointer(L, 1) == lua_topointer(L, 2) && lua_topointer(L, 1) != lua_topointer(L, 3));
  CHECK(lua_tocfunction(L, 1) == echo && lua_iscfunction(L, 1));
  lua_newtable(L);
  lua_pushvalue(L, 1), lua_pushinteger(L, 1), lua_rawset(L, 4);
  lua_pushcfunction(L, echo), lua_pushinteger(L, 2), lua_rawset(L, 4);
  lua_gc(L, LUA_GCCOLLECT);
  lua_pushcfunction(L, echo), lua_rawget(L, 4);
  show(L, "as a key", -1);
  lua_pushnil(L), lua_pushcclosure(L, echo, 1);
  lua_pushnil(L), lua_pushcclosure(L, echo, 1);
  CHECK(!lua_rawequal(L, -1, -2) && lua_tocfunction(L, -1) == echo && lua_topointer(L, -1) != lua_topointer(L, -2));
  /* a function of a library is a C function, and can be pushed again */
  lua_settop(L, 0);
  lua_getglobal(L, "tostring");
  lua_CFunction f = lua_tocfunction(L, 1);
  CHECK(f != NULL && lua_iscfunction(L, 1));
  lua_pushcfunction(L, f);
  CHECK(lua_rawequal(L, 1, 2));
  lua_pushinteger(L, 12), lua_call(L, 1, 1);
  show(L, "tostring", -1);
  load(L, "return 1");
  CHECK(lua_tocfunction(L, -1) == NULL && !lua_iscfunction(L, -1) && lua_isfunction(L, -1));
  return 0;
}

static int results(lua_State *L) {
  for (int nresults = -1; nresults <= 4; nresults++) {
    for (int nargs = 0; nargs <= 3; nargs++) {
      lua_pushliteral(L, "below");
      lua_pushcfunction(L, nargs % 2 ? echo : last);
      for (int i = 1; i <= nargs; i++) lua_pushinteger(L, i);
      lua_call(L, nargs, nresults);
      stack(L, nargs % 2 ? "echo" : "last");
      lua_settop(L, 0);
    }
  }
  load(L, "local a, b = ... ; return b, a, select('#', ...), ...");
  lua_pushinteger(L, 1), lua_pushinteger(L, 2), lua_pushinteger(L, 3);
  lua_call(L, 3, LUA_MULTRET);
  stack(L, "Lua");
  return 0;
}

static int below(lua_State *L) {
  /* more on the stack than is returned */
  lua_settop(L, 0);
  for (int i = 1; i <= 10; i++) lua_pushinteger(L, i);
  return 3;
}
static int many_values(lua_State *L) {
  int n = (int)luaL_checkinteger(L, 1);
  luaL_checkstack(L, n, NULL);
  for (int i = 1; i <= n; i++) lua_pushinteger(L, i);
  return n;
}
static int from_lua(lua_State *L) {
  lua_register(L, "below", below);
  lua_register(L, "echo", echo);
  lua_register(L, "values", many_values);
  run(L, "lists", "local t = {below()} local a, b = below() local c = (below()) return #t, t[1], a, b, c, below()");
  stack(L, "lists");
  lua_settop(L, 0);
  run(L, "varargs", "local function f(...) return select('#', ...), ... end return f(echo(1, nil, echo(), nil))");
  stack(L, "varargs");
  lua_settop(L, 0);
  run(L, "many", "local t = {values(5000)} return #t, t[5000], select('#', values(100000)), (select(-1, values(3000)))");
  stack(L, "many");
  lua_settop(L, 0);
  run(L, "tail", "local function f() return echo(1, 2, 3) end return f()");
  stack(L, "tail");
  lua_settop(L, 0);
  run(L, "loop", "local s = 0 for i = 1, 5000 do local a, b, c = echo(i, i + 1) s = s + a + b + (c or 1) end return s");
  stack(L, "loop");
  lua_settop(L, 0);
  run(L, "iterator", "local s = 0 local function f() return echo, 3, 4 end for a, b in f() do s = s + b if s > 40 then break end end return s");
  stack(L, "iterator");
  lua_settop(L, 0);
  run(L, "metamethods", "local m = setmetatable({}, {__index = echo, __call = echo, __add = echo, __eq = echo, __concat = echo, __len = echo, __close = echo})"
    " local a = m.x local b = m + 1 local c = m .. 'x' local d <close> = m return rawequal(a, m), rawequal(b, m), rawequal(c, m), rawequal(#m, m), select('#', m(1, 2))");
  stack(L, "metamethods");
  return 0;
}

static int sum_upvalues(lua_State *L) {
  lua_Integer sum = 0;
  for (int i = 1; i <= 255; i++) sum += lua_tointeger(L, lua_upvalueindex(i));
  lua_pushinteger(L, sum);
  return 1;
}
static int upvalues(lua_State *L) {
  luaL_checkstack(L, 300, NULL);
  for (int i = 1; i <= 255; i++) lua_pushinteger(L, i);
  lua_pushcclosure(L, sum_upvalues, 255);
  lua_call(L, 0, 1);
  show(L, "255 upvalues", -1);
  lua_settop(L, 0);

  lua_pushinteger(L, 1), lua_pushliteral(L, "two"), lua_pushcclosure(L, echo, 2);
  for (int n = 0; n <= 3; n++) {
    const char *name = lua_getupvalue(L, 1, n);
    printf("C %d: %s", n, name ? name[0] ? name : "(no name)" : "none");
    if (name) show(L, "", -1), lua_pop(L, 1);
    else puts("");
    CHECK(lua_gettop(L) == 1);
  }
  lua_pushboolean(L, 1);
  const char *name = lua_setupvalue(L, 1, 2);
  CHECK(name != NULL && name[0] == 0 && lua_gettop(L) == 1);
  lua_getupvalue(L, 1, 2), show(L, "set", -1);
  lua_pushnil(L);
  CHECK(lua_setupvalue(L, 1, 3) == NULL && lua_gettop(L) == 3);
  lua_pushcfunction(L, echo);
  CHECK(lua_getupvalue(L, -1, 1) == NULL);
  lua_settop(L, 0);

  run(L, "closures", "local a, b = 1, 2 local function f() return a, b end local function g() return b end return f, g, function() return print end");
  for (int f = 1; f <= 3; f++)
    for (int n = 1; n <= 3; n++) {
      name = lua_getupvalue(L, f, n);
      printf("Lua %d.%d: %s", f, n, name ? name : "none");
      if (name) show(L, "", -1), lua_pop(L, 1);
      else puts("");
    }
  CHECK(lua_upvalueid(L, 1, 2) == lua_upvalueid(L, 2, 1));
  CHECK(lua_upvalueid(L, 1, 1) != lua_upvalueid(L, 1, 2));
  CHECK(lua_upvalueid(L, 1, 3) == NULL && lua_upvalueid(L, 1, 0) == NULL);
  lua_pushinteger(L, 20);
  CHECK(strcmp(lua_setupvalue(L, 2, 1), "b") == 0);
  lua_pushvalue(L, 1), lua_call(L, 0, 2);
  stack(L, "shared");
  lua_settop(L, 3);
  lua_upvaluejoin(L, 2, 1, 1, 1);
  CHECK(lua_upvalueid(L, 1, 1) == lua_upvalueid(L, 2, 1));
  lua_pushvalue(L, 2), lua_call(L, 0, 1);
  show(L, "joined", -1);
  lua_settop(L, 0);
  lua_pushinteger(L, 7), lua_pushinteger(L, 8), lua_pushcclosure(L, echo, 2);
  CHECK(lua_upvalueid(L, 1, 1) != NULL && lua_upvalueid(L, 1, 1) != lua_upvalueid(L, 1, 2) && lua_upvalueid(L, 1, 3) == NULL);
  lua_pushcfunction(L, echo);
  CHECK(lua_upvalueid(L, 2, 1) == NULL);
  return 0;
}

/* A stripped function has upvalues without names. */
typedef struct Bytes { char data[1000]; size_t size; } Bytes;
static int write_bytes(lua_State *L, const void *p, size_t size, void *ud) {
  Bytes *to = ud;
  (void)L;
  if (to->size + size > sizeof to->data) return 1;
  memcpy(to->data + to->size, p, size);
  to->size += size;
  return 0;
}
static int stripped(lua_State *L) {
  Bytes bytes = {{0}, 0};
  run(L, "closure", "local a = 1 return function() return a, print end");
  CHECK(lua_dump(L, write_bytes, &bytes, 1) == 0);
  CHECK(luaL_loadbuffer(L, bytes.data, bytes.size, "=stripped") == LUA_OK);
  const char *name = lua_getupvalue(L, -1, 1);
  printf("%s", name);
  show(L, "", -1);
  return 0;
}

static int call_nil(lua_State *L) {
  lua_pushnil(L);
  lua_call(L, 0, 0);
  return 0;
}
static int call_table(lua_State *L) {
  lua_newtable(L);
  lua_pushinteger(L, 1);
  lua_call(L, 1, 0);
  return 0;
}
static int callable(lua_State *L) {
  protect(L, "call nil", call_nil);
  protect(L, "call table", call_table);
  run(L, "object", "return setmetatable({}, {__call = setmetatable({}, {__call = function(...) return select('#', ...), (select(3, ...)) end})})");
  lua_pushinteger(L, 5);
  lua_call(L, 1, LUA_MULTRET);
  stack(L, "call chain");
  return 0;
}

static int recurse(lua_State *L) {
  lua_Integer n = luaL_checkinteger(L, 1);
  if (n == 0) return 1;
  lua_pushcfunction(L, recurse);
  lua_pushinteger(L, n - 1);
  lua_call(L, 1, 1);
  lua_pushinteger(L, 1);
  lua_arith(L, LUA_OPADD);
  return 1;
}
static int forever(lua_State *L) {
  lua_pushcfunction(L, forever);
  lua_call(L, 0, 0);
  return 0;
}
static int depth(lua_State *L) {
  lua_pushcfunction(L, recurse);
  lua_pushinteger(L, 150);
  lua_call(L, 1, 1);
  show(L, "150 deep", -1);
  lua_settop(L, 0);
  protect(L, "forever", forever);
  lua_register(L, "forever", forever);
  run(L, "forever from Lua", "forever()");
  lua_register(L, "protected", t_print);
  run(L, "alternating", "local function f(s) return (string.gsub('x', 'x', f)) end return f()");
  lua_settop(L, 0);
  return 0;
}

static const Test tests[] = {TEST(identity), TEST(results), TEST(from_lua), TEST(upvalues), TEST(stripped), TEST(callable), TEST(depth)};
MAIN(tests)
