/* String buffers: every way to fill one, small and large, with values of the stack in between; and luaL_gsub. */
#include "t.h"

static int plain(lua_State *L) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  CHECK(luaL_bufflen(&b) == 0);
  luaL_addstring(&b, "one ");
  luaL_addlstring(&b, "t\0o ", 4);
  luaL_addchar(&b, '3');
  luaL_addlstring(&b, NULL, 0);
  CHECK(luaL_bufflen(&b) == 9 && memcmp(luaL_buffaddr(&b), "one t\0o 3", 9) == 0);
  luaL_buffsub(&b, 2);
  luaL_pushresult(&b);
  CHECK(lua_gettop(L) == 1);
  show(L, "plain", -1);
  luaL_buffinit(L, &b);
  luaL_pushresult(&b);
  show(L, "empty", -1);
  CHECK(lua_gettop(L) == 2);
  return 0;
}

static int growing(lua_State *L) {
  static const size_t sizes[] = {1, 10, 1023, 1024, 1025, 5000, 100000};
  for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (size_t i = 0; i < sizes[k]; i++) luaL_addchar(&b, (char)('a' + i % 26));
    luaL_pushresult(&b);
    size_t size, i = 0;
    const char *s = lua_tolstring(L, -1, &size);
    while (i < size && s[i] == (char)('a' + i % 26)) i++;
    printf("%d bytes, %d right, top %d\n", (int)size, (int)i, lua_gettop(L));
    lua_pop(L, 1);
  }
  return 0;
}

static int by_hand(lua_State *L) {
  luaL_Buffer b;
  char *p = luaL_buffinitsize(L, &b, 10);
  memcpy(p, "0123456789", 10);
  luaL_pushresultsize(&b, 10);
  show(L, "small", -1);
  p = luaL_buffinitsize(L, &b, 50000);
  memset(p, 'z', 50000);
  luaL_addsize(&b, 40000);
  p = luaL_prepbuffsize(&b, 60000);
  memset(p, 'y', 60000);
  luaL_addsize(&b, 60000);
  p = luaL_prepbuffer(&b);
  memset(p, 'x', LUAL_BUFFERSIZE);
  luaL_pushresultsize(&b, 7);
  size_t size;
  const char *s = lua_tolstring(L, -1, &size);
  printf("%d %c%c%c%c\n", (int)size, s[39999], s[40000], s[99999], s[100000]);
  CHECK(lua_gettop(L) == 2);
  return 0;
}

static int values(lua_State *L) {
  luaL_Buffer b;
  lua_pushliteral(L, "below");
  luaL_buffinit(L, &b);
  lua_pushinteger(L, 42), luaL_addvalue(&b);
  lua_pushnumber(L, 1.5), luaL_addvalue(&b);
  lua_pushliteral(L, " text "), luaL_addvalue(&b);
  for (int i = 0; i < 3000; i++) {
    lua_pushfstring(L, "%d,", i);
    luaL_addvalue(&b);
  }
  char big[3000];
  memset(big, 'b', sizeof big);
  lua_pushlstring(L, big, sizeof big);
  luaL_addvalue(&b);
  /* other things may be on the stack meanwhile, as long as they are gone before the next addition */
  lua_newtable(L), lua_pushnil(L), lua_pop(L, 2);
  lua_gc(L, LUA_GCCOLLECT);
  luaL_addstring(&b, "end");
  luaL_pushresult(&b);
  CHECK(lua_gettop(L) == 2);
  size_t size;
  const char *s = lua_tolstring(L, -1, &size);
  printf("%d %.12s %s\n", (int)size, s, s + size - 3);
  lua_pop(L, 1), show(L, "below", -1);
  return 0;
}

/* The box of a large buffer is a to-be-closed value: an error while it is in use frees it. */
static int abandoned(lua_State *L) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 0; i < 10000; i++) luaL_addstring(&b, "0123456789");
  if (lua_toboolean(L, lua_upvalueindex(1))) return luaL_error(L, "given up at %d bytes", (int)luaL_bufflen(&b));
  return 0;
}
static int errors(lua_State *L) {
  for (int i = 0; i < 200; i++) {
    lua_pushboolean(L, i % 2);
    lua_pushcclosure(L, abandoned, 1);
    int status = lua_pcall(L, 0, 0, 0);
    if (i < 2) outcome(L, "abandoned", status);
    else lua_settop(L, 0);
  }
  lua_gc(L, LUA_GCCOLLECT);
  CHECK(lua_gc(L, LUA_GCCOUNT) < 2000);
  return 0;
}

static int two_at_once(lua_State *L) {
  luaL_Buffer a, b;
  luaL_buffinit(L, &a);
  luaL_addstring(&a, "outer ");
  luaL_buffinit(L, &b);
  for (int i = 0; i < 2000; i++) luaL_addchar(&b, 'i');
  luaL_pushresult(&b);
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_pop(L, 1);
  for (int i = 0; i < 2000; i++) luaL_addchar(&a, 'o');
  luaL_pushresult(&a);
  printf(LUA_INTEGER_FMT " %d %d\n", n, (int)lua_rawlen(L, -1), lua_gettop(L));
  return 0;
}

static int substitution(lua_State *L) {
  static const char *const cases[][3] = {{"hello world", "o", "0"}, {"aaa", "a", "bb"}, {"aaa", "aa", "-"}, {"abc", "x", "y"}, {"abc", "abc", ""},
    {"", "a", "b"}, {"a.b.c", ".", "%1"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const char *s = luaL_gsub(L, cases[i][0], cases[i][1], cases[i][2]);
    CHECK(s == lua_tostring(L, -1) && lua_gettop(L) == 1);
    show(L, cases[i][0], -1);
    lua_pop(L, 1);
  }
  char big[4001];
  for (int i = 0; i < 4000; i++) big[i] = i % 4 ? 'x' : '/';
  big[4000] = 0;
  luaL_gsub(L, big, "/", "<slash>");
  printf("%d\n", (int)lua_rawlen(L, -1));
  lua_settop(L, 0);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "[");
  luaL_addgsub(&b, "1,2,3", ",", ", ");
  luaL_addgsub(&b, big, "xxx", "");
  luaL_addstring(&b, "]");
  luaL_pushresult(&b);
  printf("%d %.9s\n", (int)lua_rawlen(L, -1), lua_tostring(L, -1));
  CHECK(lua_gettop(L) == 1);
  return 0;
}

static int too_large(lua_State *L) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "x");
  luaL_prepbuffsize(&b, ~(size_t)0);
  return 0;
}
static int limits(lua_State *L) {
  protect(L, "too large", too_large);
  return 0;
}

/* The structure is filled by compiled macros, in other threads of Lua as well. */
static int in_thread(lua_State *L) {
  lua_State *T = lua_newthread(L);
  luaL_Buffer b;
  luaL_buffinit(T, &b);
  for (int i = 0; i < 5000; i++) luaL_addlstring(&b, "ab", 2);
  luaL_pushresult(&b);
  printf("%d %d %d\n", (int)lua_rawlen(T, -1), lua_gettop(T), lua_gettop(L));
  return 0;
}

static const Test tests[] = {TEST(plain), TEST(growing), TEST(by_hand), TEST(values), TEST(errors), TEST(two_at_once), TEST(substitution), TEST(limits),
  TEST(in_thread)};
MAIN(tests)
