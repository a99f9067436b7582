/* The stack: indices, moving values around, room, pseudo-indices, several threads. */
#include "t.h"

static int indices(lua_State *L) {
  for (int i = 1; i <= 5; i++) lua_pushinteger(L, i * 10);
  stack(L, "pushed");
  printf("absindex %d %d %d %d\n", lua_absindex(L, -1), lua_absindex(L, -5), lua_absindex(L, 3), lua_absindex(L, 7));
  CHECK(lua_absindex(L, LUA_REGISTRYINDEX) == LUA_REGISTRYINDEX);
  CHECK(lua_absindex(L, lua_upvalueindex(1)) == lua_upvalueindex(1));
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -3);
  stack(L, "pushvalue");
  lua_settop(L, 4);
  stack(L, "settop 4");
  lua_settop(L, 6);
  stack(L, "settop 6");
  lua_settop(L, -4);
  stack(L, "settop -4");
  lua_pop(L, 1);
  stack(L, "pop");
  lua_settop(L, 0);
  stack(L, "settop 0");
  lua_settop(L, -1);
  CHECK(lua_gettop(L) == 0);
  return 0;
}

static int moving(lua_State *L) {
  for (int i = 1; i <= 6; i++) lua_pushinteger(L, i);
  lua_rotate(L, 2, 1);
  stack(L, "rotate 2 1");
  lua_rotate(L, 2, -1);
  stack(L, "rotate 2 -1");
  lua_rotate(L, -3, 2);
  stack(L, "rotate -3 2");
  lua_rotate(L, 1, 0);
  lua_rotate(L, 1, 6);
  lua_rotate(L, 1, -6);
  stack(L, "rotate whole");
  lua_insert(L, 1);
  stack(L, "insert 1");
  lua_remove(L, 2);
  stack(L, "remove 2");
  lua_replace(L, -2);
  stack(L, "replace -2");
  lua_copy(L, 1, 3);
  stack(L, "copy 1 3");
  lua_copy(L, -1, 1);
  stack(L, "copy -1 1");
  lua_copy(L, 2, 2);
  stack(L, "copy to itself");
  lua_settop(L, 1);
  lua_insert(L, -1);
  lua_rotate(L, -1, 1);
  stack(L, "single");
  return 0;
}

static int pseudo_body(lua_State *L) {
  stack(L, "arguments");
  show(L, "upvalue 1", lua_upvalueindex(1));
  show(L, "upvalue 2", lua_upvalueindex(2));
  printf("upvalue 3: %d, upvalue 255: %d\n", lua_type(L, lua_upvalueindex(3)), lua_type(L, lua_upvalueindex(255)));
  lua_pushvalue(L, 1);
  lua_replace(L, lua_upvalueindex(1));
  lua_copy(L, 2, lua_upvalueindex(2));
  lua_pushvalue(L, lua_upvalueindex(2));
  lua_copy(L, lua_upvalueindex(1), 1);
  return lua_gettop(L);
}

static int pseudo(lua_State *L) {
  lua_pushliteral(L, "up");
  lua_pushnil(L);
  lua_pushcclosure(L, pseudo_body, 2);
  for (int i = 0; i < 2; i++) {
    lua_pushvalue(L, 1);
    lua_pushinteger(L, i);
    lua_pushboolean(L, i);
    lua_call(L, 2, LUA_MULTRET);
    stack(L, "results");
    lua_settop(L, 1);
  }
  lua_settop(L, 0);
  lua_pushvalue(L, LUA_REGISTRYINDEX);
  CHECK(lua_istable(L, 1));
  lua_rawgeti(L, 1, LUA_RIDX_GLOBALS);
  lua_pushglobaltable(L);
  CHECK(lua_rawequal(L, -1, -2));
  lua_rawgeti(L, 1, LUA_RIDX_MAINTHREAD);
  CHECK(lua_isthread(L, -1));
  printf("main thread pushes: %d\n", lua_pushthread(L));
  CHECK(lua_rawequal(L, -1, -2));
  CHECK(lua_tothread(L, -1) == L);
  return 0;
}

static int nothing_there(lua_State *L) {
  lua_pushnil(L);
  for (int i = 1; i <= 4; i++) {
    printf("%d: type %d none %d nil %d noneornil %d", i, lua_type(L, i), lua_isnone(L, i), lua_isnil(L, i), lua_isnoneornil(L, i));
    printf(" boolean %d", lua_toboolean(L, i));
    printf(" integer " LUA_INTEGER_FMT, lua_tointeger(L, i));
    printf(" number %g string %d", lua_tonumber(L, i), lua_tostring(L, i) != NULL);
    printf(" userdata %d thread %d", lua_touserdata(L, i) != NULL, lua_tothread(L, i) != NULL);
    printf(" function %d pointer %d", lua_tocfunction(L, i) != NULL, lua_topointer(L, i) != NULL);
    printf(" len %d equal %d\n", (int)lua_rawlen(L, i), lua_rawequal(L, i, 1));
  }
  return 0;
}

static int room(lua_State *L) {
  CHECK(lua_checkstack(L, 0));
  CHECK(lua_checkstack(L, 5000));
  for (int i = 1; i <= 5000; i++) lua_pushinteger(L, i);
  CHECK(lua_tointeger(L, 1) == 1 && lua_tointeger(L, -1) == 5000 && lua_gettop(L) == 5000);
  CHECK(!lua_checkstack(L, LUAI_MAXSTACK));
  CHECK(!lua_checkstack(L, LUAI_MAXSTACK - 4000));
  CHECK(lua_gettop(L) == 5000 && lua_tointeger(L, 77) == 77);
  lua_settop(L, 1);
  CHECK(lua_checkstack(L, 900000));
  luaL_checkstack(L, 100, NULL);
  lua_settop(L, 900000);
  CHECK(lua_isnil(L, -1) && lua_isnil(L, 2) && lua_tointeger(L, 1) == 1);
  return 0;
}

static int too_much(lua_State *L) {
  luaL_checkstack(L, lua_toboolean(L, lua_upvalueindex(1)) ? 2000000000 : LUAI_MAXSTACK, lua_tostring(L, lua_upvalueindex(2)));
  return 0;
}

static int refusals(lua_State *L) {
  for (int i = 0; i < 4; i++) {
    lua_pushboolean(L, i & 1);
    if (i & 2) lua_pushliteral(L, "too many things");
    else lua_pushnil(L);
    lua_pushcclosure(L, too_much, 2);
    outcome(L, "checkstack", lua_pcall(L, 0, 0, 0));
  }
  return 0;
}

/* Recursion through C that fills the stack ends in an error. */
static int filler(lua_State *L) {
  luaL_checkstack(L, 10001, "filling");
  lua_settop(L, 10000);
  lua_pushcfunction(L, filler);
  lua_call(L, 0, 0);
  return 0;
}

static int deep(lua_State *L) {
  protect(L, "filler", filler);
  CHECK(lua_checkstack(L, 100));
  return 0;
}

static int threads(lua_State *L) {
  lua_State *A = lua_newthread(L), *B = lua_newthread(L);
  for (int i = 1; i <= 4; i++) lua_pushinteger(A, i);
  lua_xmove(A, B, 3);
  stack(A, "A");
  stack(B, "B");
  lua_xmove(B, B, 2);
  lua_xmove(B, A, 0);
  stack(B, "B");
  lua_xmove(B, A, 1);
  lua_xmove(L, A, 1);
  stack(A, "A");
  CHECK(lua_tothread(A, -1) == B);
  printf("pushthread %d", lua_pushthread(A));
  CHECK(lua_tothread(A, -1) == A);
  lua_xmove(A, L, 1);
  CHECK(lua_tothread(L, -1) == A);
  printf(" %d\n", lua_pushthread(L));
  lua_settop(L, 0);
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

/* A stack grows while pointers into it, which are indices here, stay good. */
static int growth(lua_State *L) {
  lua_State *T = lua_newthread(L);
  for (int i = 1; i <= 20000; i++) {
    CHECK(lua_checkstack(T, 1));
    if (i % 3) lua_pushinteger(T, i);
    else lua_pushfstring(T, "s%d", i);
  }
  lua_gc(L, LUA_GCCOLLECT);
  lua_Integer sum = 0;
  for (int i = 1; i <= 20000; i++) {
    if (i % 3) sum += lua_tointeger(T, i);
    else sum += (lua_Integer)strtol(lua_tostring(T, i) + 1, NULL, 10);
  }
  printf("sum " LUA_INTEGER_FMT "\n", sum);
  return 0;
}

static const Test tests[] = {TEST(indices), TEST(moving), TEST(pseudo), TEST(nothing_there), TEST(room), TEST(refusals), TEST(deep),
  TEST(threads), TEST(growth)};
MAIN(tests)
