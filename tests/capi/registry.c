/* The registry, references, loaded libraries, subtables. */
#include "t.h"

static int references(lua_State *L) {
  lua_newtable(L);
  int refs[50];
  for (int i = 0; i < 50; i++) {
    lua_pushinteger(L, i * i);
    refs[i] = luaL_ref(L, 1);
    CHECK(lua_gettop(L) == 1 && refs[i] > 0);
    for (int j = 0; j < i; j++) CHECK(refs[i] != refs[j]);
  }
  lua_pushnil(L);
  printf("nil %d\n", luaL_ref(L, 1));
  for (int i = 0; i < 50; i++) {
    lua_rawgeti(L, 1, refs[i]);
    CHECK(lua_tointeger(L, -1) == i * i);
    lua_pop(L, 1);
  }
  luaL_unref(L, 1, LUA_NOREF);
  luaL_unref(L, 1, LUA_REFNIL);
  /* freed references come back, the last one first */
  luaL_unref(L, 1, refs[10]);
  luaL_unref(L, 1, refs[20]);
  lua_pushliteral(L, "x");
  CHECK(luaL_ref(L, 1) == refs[20]);
  lua_pushliteral(L, "y");
  CHECK(luaL_ref(L, 1) == refs[10]);
  lua_pushliteral(L, "z");
  int next = luaL_ref(L, 1);
  for (int i = 0; i < 50; i++) CHECK(next != refs[i]);
  lua_rawgeti(L, 1, refs[10]), show(L, "reused", -1);
  return 0;
}

static int in_registry(lua_State *L) {
  lua_newtable(L);
  const void *table = lua_topointer(L, -1);
  int ref = luaL_ref(L, LUA_REGISTRYINDEX);
  CHECK(ref > LUA_RIDX_LAST);
  lua_gc(L, LUA_GCCOLLECT);
  CHECK(lua_rawgeti(L, LUA_REGISTRYINDEX, ref) == LUA_TTABLE && lua_topointer(L, -1) == table);
  luaL_unref(L, LUA_REGISTRYINDEX, ref);
  lua_pushliteral(L, "value");
  CHECK(luaL_ref(L, LUA_REGISTRYINDEX) == ref);
  static char key;
  lua_pushliteral(L, "by address"), lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
  lua_pushliteral(L, "by name"), lua_setfield(L, LUA_REGISTRYINDEX, "my library");
  lua_rawgetp(L, LUA_REGISTRYINDEX, &key);
  lua_getfield(L, LUA_REGISTRYINDEX, "my library");
  stack(L, "registry");
  return 0;
}

static int open_lib(lua_State *L) {
  stack(L, "opening");
  lua_newtable(L);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "name");
  return 1;
}
static int require(lua_State *L) {
  luaL_requiref(L, "mylib", open_lib, 0);
  CHECK(lua_getglobal(L, "mylib") == LUA_TNIL);
  lua_pop(L, 1);
  luaL_requiref(L, "mylib", open_lib, 1);
  CHECK(lua_rawequal(L, 1, 2) && lua_gettop(L) == 2);
  run(L, "use", "return mylib.name, require('mylib') == mylib, package.loaded.mylib == mylib");
  lua_remove(L, 1), lua_remove(L, 1);
  stack(L, "required");
  lua_settop(L, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_lib), lua_setfield(L, 2, "prelib");
  run(L, "preload", "return package.loaded, package.preload, require 'prelib'");
  CHECK(lua_rawequal(L, 1, 3) && lua_rawequal(L, 2, 4));
  show(L, "loader data", 6);
  lua_getfield(L, 5, "name"), show(L, "name", -1);
  return 0;
}

static int subtables(lua_State *L) {
  lua_newtable(L);
  printf("%d", luaL_getsubtable(L, 1, "sub"));
  printf(" %d\n", luaL_getsubtable(L, 1, "sub"));
  CHECK(lua_rawequal(L, 2, 3));
  printf("%d\n", luaL_getsubtable(L, LUA_REGISTRYINDEX, "mine"));
  lua_settop(L, 1);
  lua_pushinteger(L, 1), lua_setfield(L, 1, "number");
  printf("%d", luaL_getsubtable(L, 1, "number"));
  show(L, " replaced", -1);
  lua_settop(L, 1);
  lua_pushvalue(L, 1);
  printf("%d", luaL_getsubtable(L, -1, "deep"));
  printf(" %d\n", lua_getfield(L, 1, "deep"));
  return 0;
}

static int libraries(lua_State *L) {
  static const struct { const char *name; lua_CFunction open; } list[] = {{LUA_GNAME, luaopen_base}, {LUA_LOADLIBNAME, luaopen_package},
    {LUA_COLIBNAME, luaopen_coroutine}, {LUA_TABLIBNAME, luaopen_table}, {LUA_IOLIBNAME, luaopen_io}, {LUA_OSLIBNAME, luaopen_os},
    {LUA_STRLIBNAME, luaopen_string}, {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_DBLIBNAME, luaopen_debug}};
  (void)L;
  lua_State *S = luaL_newstate();
  CHECK(lua_getglobal(S, "print") == LUA_TNIL && lua_getglobal(S, "_G") == LUA_TNIL);
  lua_settop(S, 0);
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    luaL_requiref(S, list[i].name, list[i].open, 1);
    CHECK(lua_istable(S, -1));
    lua_getglobal(S, list[i].name);
    CHECK(lua_rawequal(S, -1, -2) && lua_gettop(S) == 2);
    lua_settop(S, 0);
    if (i == 0) {
      run(S, "base only", "return string == nil, tostring(1.5), select('#', pcall(error, 'x')), ('x') == 'x', _VERSION");
      stack(S, "base");
      lua_settop(S, 0);
      run(S, "no methods", "return ('x'):upper()");
    }
  }
  run(S, "all", "return ('x'):upper(), math.type(1), #table.pack(1, 2), utf8.char(65), type(os.time()), type(io.write), type(debug.getinfo(1)), package.config:sub(1, 1), coroutine.isyieldable()");
  stack(S, "all");
  lua_close(S);
  /* one library alone, called plainly, and math without strings */
  S = luaL_newstate();
  lua_pushcfunction(S, luaopen_math), lua_call(S, 0, 1);
  lua_getfield(S, 1, "floor"), lua_pushnumber(S, 2.5), lua_call(S, 1, 1);
  show(S, "floor", -1);
  CHECK(lua_getglobal(S, "math") == LUA_TNIL);
  lua_settop(S, 0);
  lua_pushcfunction(S, luaopen_string), lua_call(S, 0, 1);
  lua_pushliteral(S, "abc"), lua_getfield(S, -1, "rep"), lua_insert(S, -2), lua_pushinteger(S, 2), lua_call(S, 2, 1);
  show(S, "rep", -1);
  lua_close(S);
  S = luaL_newstate();
  luaL_openlibs(S);
  CHECK(lua_gettop(S) == 0);
  luaL_openlibs(S);
  run(S, "compat", "return math.pow and math.pow(2, 3), math.ldexp and math.ldexp(1, 4)");
  stack(S, "compat");
  lua_close(S);
  return 0;
}

static const Test tests[] = {TEST(references), TEST(in_registry), TEST(require), TEST(subtables), TEST(libraries)};
MAIN(tests)
