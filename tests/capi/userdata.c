/* Userdata: blocks, user values, metatables by name, finalizers, light userdata. */
#include <stdint.h>

#include "t.h"

typedef struct Point { double x, y; } Point;

static int point_new(lua_State *L) {
  lua_Number x = luaL_checknumber(L, 1), y = luaL_optnumber(L, 2, -1);
  Point *p = lua_newuserdatauv(L, sizeof *p, 2);
  p->x = x;
  p->y = y;
  luaL_setmetatable(L, "Point");
  return 1;
}
static int point_get(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, "Point");
  lua_pushnumber(L, p->x);
  lua_pushnumber(L, p->y);
  return 2;
}
static int point_add(lua_State *L) {
  Point *a = luaL_checkudata(L, 1, "Point"), *b = luaL_checkudata(L, 2, "Point");
  lua_pushcfunction(L, point_new);
  lua_pushnumber(L, a->x + b->x);
  lua_pushnumber(L, a->y + b->y);
  lua_call(L, 2, 1);
  return 1;
}
static int point_tostring(lua_State *L) {
  Point *p = luaL_checkudata(L, 1, "Point");
  lua_pushfstring(L, "(%f, %f)", p->x, p->y);
  return 1;
}
static const luaL_Reg point_methods[] = {{"get", point_get}, {"placeholder", NULL}, {"__add", point_add}, {"__tostring", point_tostring}, {NULL, NULL}};

static void open_point(lua_State *L) {
  CHECK(luaL_newmetatable(L, "Point") == 1);
  luaL_setfuncs(L, point_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  lua_getfield(L, -1, "__name"), show(L, "__name", -1), lua_pop(L, 1);
  lua_getfield(L, -1, "placeholder"), show(L, "placeholder", -1), lua_pop(L, 1);
  CHECK(luaL_newmetatable(L, "Point") == 0);
  CHECK(lua_rawequal(L, -1, -2));
  CHECK(luaL_getmetatable(L, "Point") == LUA_TTABLE && lua_rawequal(L, -1, -2));
  CHECK(luaL_getmetatable(L, "no such") == LUA_TNIL);
  lua_settop(L, 0);
  lua_register(L, "Point", point_new);
}

static int classes(lua_State *L) {
  open_point(L);
  run(L, "use", "local p = Point(1, 2) + Point(10) return p, tostring(p), p:get()");
  show(L, "text", 2), show(L, "x", 3), show(L, "y", 4);
  CHECK(luaL_testudata(L, 1, "Point") == lua_touserdata(L, 1));
  CHECK(luaL_testudata(L, 2, "Point") == NULL);
  CHECK(luaL_testudata(L, 1, "other") == NULL);
  CHECK(luaL_testudata(L, 9, "Point") == NULL);
  lua_settop(L, 0);
  run(L, "no number", "return Point('x')");
  run(L, "no argument", "return Point()");
  run(L, "no point", "return Point(1) + 5");
  run(L, "no self", "local f = Point(1).get; f()");
  run(L, "wrong self", "local f = Point(1).get; f(io.stdout)");
  run(L, "method call", "local p = Point(1); p.get('x')");
  run(L, "method name", "local p = setmetatable({}, {__index = {get = Point(1).get}}); p:get()");
  return 0;
}

static int blocks(lua_State *L) {
  lua_newtable(L);
  for (int i = 0; i < 300; i++) {
    size_t size = (size_t)(i * i);
    char *p = lua_newuserdatauv(L, size, i % 4);
    CHECK((uintptr_t)p % 8 == 0);
    memset(p, i & 255, size);
    CHECK(lua_rawlen(L, -1) == size);
    CHECK(lua_getmetatable(L, -1) == 0);
    lua_rawsetp(L, 1, p);
    if (i % 10 == 0) lua_gc(L, LUA_GCSTEP, 100);
  }
  lua_gc(L, LUA_GCCOLLECT);
  int good = 0;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
    char *p = lua_touserdata(L, -1);
    CHECK(p == lua_touserdata(L, -2) && lua_islightuserdata(L, -2));
    size_t size = lua_rawlen(L, -1), i = 0;
    while (i < size && p[i] == p[0]) i++;
    good += i == size;
  }
  printf("%d blocks\n", good);
  return 0;
}

static int user_values(lua_State *L) {
  lua_newuserdatauv(L, 0, 3);
  for (int n = 0; n <= 5; n++) {
    lua_pushinteger(L, n * 100);
    printf("set %d: %d", n, lua_setiuservalue(L, 1, n));
    CHECK(lua_gettop(L) == 1);
    printf(" get: %d ", lua_getiuservalue(L, 1, n));
    show(L, "", -1);
    lua_pop(L, 1);
  }
  lua_newuserdatauv(L, 8, 0);
  printf("none: %d\n", lua_getiuservalue(L, -1, 1));
  lua_settop(L, 1);
  lua_newuserdata(L, 4);
  lua_newtable(L);
  printf("old names: %d", lua_setuservalue(L, -2));
  printf(" %d\n", lua_getuservalue(L, -1));
  CHECK(lua_istable(L, -1));
  lua_settop(L, 1);
  /* many of them */
  static const int counts[] = {255, 256, 1000, 65534};
  for (int i = 0; i < 4; i++) {
    char *p = lua_newuserdatauv(L, 10, counts[i]);
    memset(p, i, 10);
    for (int n = counts[i] - 3; n <= counts[i] + 1; n++) lua_pushinteger(L, n), lua_setiuservalue(L, -2, n);
    lua_newtable(L), lua_setiuservalue(L, -2, 256);
    lua_gc(L, LUA_GCCOLLECT);
    printf("%d:", counts[i]);
    for (int n = counts[i] - 4; n <= counts[i] + 1; n++) printf(" %d", lua_getiuservalue(L, -1, n)), lua_pop(L, 1);
    printf(" %d\n", lua_getiuservalue(L, -1, 256));
    lua_pop(L, 1);
    CHECK(lua_rawlen(L, -1) == 10 && p[9] == i && lua_touserdata(L, -1) == p);
    lua_settop(L, 1);
  }
  /* they keep things alive, and cycles through them do not */
  run(L, "weak", "return setmetatable({}, {__mode = 'v'})");
  lua_newtable(L);
  lua_pushvalue(L, -1), lua_rawseti(L, 2, 1);
  lua_setiuservalue(L, 1, 2);
  lua_newuserdatauv(L, 8, 1);
  lua_pushvalue(L, -1), lua_rawseti(L, 2, 2);
  lua_pushvalue(L, -1), lua_setiuservalue(L, -2, 1);
  lua_pop(L, 1);
  lua_gc(L, LUA_GCCOLLECT);
  printf("kept %d, freed %d\n", lua_rawgeti(L, 2, 1), lua_rawgeti(L, 2, 2));
  return 0;
}

static int order;
static int finalize(lua_State *L) {
  int *p = lua_touserdata(L, 1);
  printf("finalizer of %d, call %d, top %d\n", *p, ++order, lua_gettop(L));
  if (*p == 2) return luaL_error(L, "error in finalizer");
  return 0;
}
static void finalized(lua_State *L, int n) {
  int *p = lua_newuserdatauv(L, sizeof *p, 0);
  *p = n;
  if (luaL_newmetatable(L, "finalized")) lua_pushcfunction(L, finalize), lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}
static void warn(void *ud, const char *message, int more) {
  (void)ud;
  printf("%s%s", message, more ? "" : "\n");
}
static int finalizers(lua_State *L) {
  order = 0;
  lua_setwarnf(L, warn, NULL);
  for (int i = 1; i <= 4; i++) finalized(L, i);
  lua_remove(L, 3);
  lua_remove(L, 2);
  lua_gc(L, LUA_GCCOLLECT);
  puts("collected");
  finalized(L, 5);
  lua_setglobal(L, "global");
  return 0;
}

static int light(lua_State *L) {
  int a, b;
  lua_newtable(L);
  lua_pushlightuserdata(L, &a), lua_pushliteral(L, "a"), lua_rawset(L, 1);
  lua_pushliteral(L, "b"), lua_rawsetp(L, 1, &b);
  lua_pushliteral(L, "null"), lua_rawsetp(L, 1, NULL);
  lua_pushliteral(L, "high"), lua_rawsetp(L, 1, (void *)(intptr_t)-1);
  lua_rawgetp(L, 1, &a), lua_rawgetp(L, 1, &b), lua_rawgetp(L, 1, NULL), lua_rawgetp(L, 1, (void *)(intptr_t)-1);
  lua_pushlightuserdata(L, &b), lua_rawget(L, 1);
  stack(L, "light");
  lua_pushlightuserdata(L, &a), lua_pushlightuserdata(L, &a), lua_pushlightuserdata(L, &b);
  CHECK(lua_rawequal(L, -2, -3) && !lua_rawequal(L, -1, -2) && lua_compare(L, -2, -3, LUA_OPEQ));
  /* light ones share one metatable; luaL_testudata works on them too */
  luaL_newmetatable(L, "all light");
  lua_setmetatable(L, -2);
  CHECK(luaL_testudata(L, -2, "all light") == &a);
  lua_pushnil(L);
  lua_setmetatable(L, -2);
  CHECK(luaL_testudata(L, -2, "all light") == NULL);
  return 0;
}

static int counter(lua_State *L) {
  lua_Integer n = lua_tointeger(L, lua_upvalueindex(2)) + 1;
  lua_pushinteger(L, n), lua_replace(L, lua_upvalueindex(2));
  lua_pushfstring(L, "%s %d", lua_tostring(L, lua_upvalueindex(1)), (int)n);
  return 1;
}
static int set_functions(lua_State *L) {
  static const luaL_Reg list[] = {{"one", counter}, {"two", counter}, {"none", NULL}, {NULL, NULL}};
  luaL_newlibtable(L, list);
  lua_pushliteral(L, "count");
  lua_pushinteger(L, 10);
  luaL_setfuncs(L, list, 2);
  CHECK(lua_gettop(L) == 1);
  lua_setglobal(L, "lib");
  run(L, "counters", "return lib.one(), lib.one(), lib.two(), lib.none");
  stack(L, "counters");
  lua_settop(L, 0);
  luaL_newlib(L, list);
  lua_getfield(L, 1, "two");
  CHECK(lua_tocfunction(L, -1) == counter);
  return 0;
}

static const Test tests[] = {TEST(classes), TEST(blocks), TEST(user_values), TEST(finalizers), TEST(light), TEST(set_functions)};
MAIN(tests)
