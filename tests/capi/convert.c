/* Types and conversions: what each lua_is and lua_to function says about each value; numbers and strings; formatted strings. */
#include <math.h>
#include <stdint.h>

#include "t.h"

static int function(lua_State *L) { (void)L; return 0; }

static int every_type(lua_State *L) {
  int object = 0;
  lua_pushnil(L);
  lua_pushboolean(L, 0);
  lua_pushboolean(L, 77);
  lua_pushinteger(L, -3);
  lua_pushnumber(L, 2.5);
  lua_pushnumber(L, 4.0);
  lua_pushliteral(L, "10");
  lua_pushliteral(L, " 0x10p1 ");
  lua_pushliteral(L, "abc");
  lua_newtable(L);
  lua_pushcfunction(L, function);
  load(L, "return 1");
  lua_pushlightuserdata(L, &object);
  lua_pushlightuserdata(L, NULL);
  lua_newuserdatauv(L, 12, 0);
  lua_newthread(L);
  int top = lua_gettop(L);
  for (int i = 1; i <= top; i++) {
    int type = lua_type(L, i), ok1, ok2;
    printf("%2d %s:", i, lua_typename(L, type));
    CHECK(strcmp(luaL_typename(L, i), lua_typename(L, type)) == 0);
    if (lua_isnumber(L, i)) printf(" isnumber");
    if (lua_isinteger(L, i)) printf(" isinteger");
    if (lua_isstring(L, i)) printf(" isstring");
    if (lua_iscfunction(L, i)) printf(" iscfunction");
    if (lua_isuserdata(L, i)) printf(" isuserdata");
    if (lua_isfunction(L, i)) printf(" isfunction");
    if (lua_istable(L, i)) printf(" istable");
    if (lua_islightuserdata(L, i)) printf(" islightuserdata");
    if (lua_isnil(L, i)) printf(" isnil");
    if (lua_isboolean(L, i)) printf(" isboolean");
    if (lua_isthread(L, i)) printf(" isthread");
    if (lua_toboolean(L, i)) printf(" true");
    lua_Integer n = lua_tointegerx(L, i, &ok1);
    lua_Number d = lua_tonumberx(L, i, &ok2);
    printf(" | integer " LUA_INTEGER_FMT " %d number %g %d |", n, ok1, d, ok2);
    if (lua_tocfunction(L, i)) printf(" tocfunction %d", lua_tocfunction(L, i) == function);
    if (lua_touserdata(L, i)) printf(" touserdata");
    if (lua_tothread(L, i)) printf(" tothread");
    if (lua_topointer(L, i)) printf(" topointer");
    printf(" len %d\n", (int)lua_rawlen(L, i));
  }
  CHECK(lua_touserdata(L, 13) == &object && lua_topointer(L, 13) == &object);
  CHECK(lua_touserdata(L, 15) == lua_topointer(L, 15));
  CHECK(lua_topointer(L, 16) == lua_tothread(L, 16));
  CHECK(lua_topointer(L, 9) == lua_topointer(L, 9) && lua_topointer(L, 9) != lua_topointer(L, 10));
  for (int type = LUA_TNONE; type < LUA_NUMTYPES; type++) printf("%s ", lua_typename(L, type));
  puts("");
  return 0;
}

static int integers(lua_State *L) {
  static const lua_Number numbers[] = {0.0, -0.0, 3.0, 3.5, 9007199254740992.0, 9223372036854774784.0, 9223372036854775808.0,
    -9223372036854775808.0, -9223372036854777856.0, 1e300, HUGE_VAL, -HUGE_VAL};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    int ok;
    lua_pushnumber(L, numbers[i]);
    CHECK(!lua_isinteger(L, -1));
    lua_Integer n = lua_tointegerx(L, -1, &ok);
    printf("%.17g -> %d " LUA_INTEGER_FMT "\n", numbers[i], ok, n);
  }
  lua_pushnumber(L, NAN);
  CHECK(lua_tonumber(L, -1) != lua_tonumber(L, -1) && !lua_rawequal(L, -1, -1));
  CHECK(lua_tointeger(L, -1) == 0);
  lua_pushinteger(L, LUA_MAXINTEGER);
  printf("%.17g\n", lua_tonumber(L, -1));
  lua_pushinteger(L, LUA_MININTEGER);
  printf(LUA_INTEGER_FMT "\n", lua_tointeger(L, -1));
  return 0;
}

static int numerals(lua_State *L) {
  static const char *const list[] = {"0", "-0", "007", "  12  ", "1e2", "0x", "0xA", "0x.8p1", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "0xffffffffffffffff", "0x1ffffffffffffffff", "1e", "1.5.2", "", " ", "nan", "inf", "1 2", "1_0", ".5",
    "5.", "\t7\n", "1e400", "0b1"};
  for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
    size_t size = lua_stringtonumber(L, list[i]);
    print_bytes(list[i], strlen(list[i]));
    printf(" %d", (int)size);
    if (size) show(L, "", -1), lua_pop(L, 1);
    else puts("");
    CHECK(lua_gettop(L) == 0);
    lua_pushstring(L, list[i]);
    int ok1, ok2;
    lua_Integer n = lua_tointegerx(L, -1, &ok1);
    lua_Number d = lua_tonumberx(L, -1, &ok2);
    printf("  %d " LUA_INTEGER_FMT " %d %.17g\n", ok1, n, ok2, d);
    CHECK(lua_type(L, -1) == LUA_TSTRING && lua_isnumber(L, -1) == ok2);
    lua_pop(L, 1);
  }
  lua_pushlstring(L, "12\0", 3);
  CHECK(!lua_isnumber(L, -1));
  return 0;
}

static int to_string(lua_State *L) {
  size_t size;
  lua_pushinteger(L, 42);
  lua_pushnumber(L, 42.0);
  lua_pushnumber(L, -1e15);
  lua_pushnumber(L, 1e100);
  lua_pushnumber(L, 0.1);
  lua_pushnumber(L, HUGE_VAL);
  lua_pushnumber(L, -0.0);
  int top = lua_gettop(L);
  for (int i = 1; i <= top; i++) {
    const char *s = lua_tolstring(L, i, &size);
    printf("%s %d %s\n", s, (int)size, luaL_typename(L, i));
    CHECK(lua_tostring(L, i) == s && strlen(s) == size);
  }
  lua_settop(L, 0);
  lua_newtable(L);
  size = 1;
  CHECK(lua_tolstring(L, 1, &size) == NULL && size == 0);
  lua_pushlstring(L, "a\0b", 3);
  const char *s = lua_tolstring(L, -1, &size);
  CHECK(size == 3 && memcmp(s, "a\0b", 4) == 0);
  lua_pushlstring(L, NULL, 0);
  show(L, "no bytes", -1);
  CHECK(lua_pushstring(L, NULL) == NULL);
  show(L, "no string", -1);
  s = lua_pushliteral(L, "text");
  CHECK(s == lua_tostring(L, -1) && strcmp(s, "text") == 0);
  /* strings do not move, and end in a zero, whatever their length */
  char big[5000];
  memset(big, 'x', sizeof big);
  for (int n = 0; n < 5000; n += 37) {
    s = lua_pushlstring(L, big, (size_t)n);
    CHECK(s == lua_tolstring(L, -1, &size) && size == (size_t)n && s[n] == 0);
    lua_rawseti(L, 1, n);
    lua_rawgeti(L, 1, n);
    lua_gc(L, LUA_GCSTEP, 10);
    CHECK(s == lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return 0;
}

static const char *formatted(lua_State *L, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const char *s = lua_pushvfstring(L, format, args);
  va_end(args);
  return s;
}

static int formats(lua_State *L) {
  const char *s = lua_pushfstring(L, "%s|%d|%I|%f|%c|%%|%U|%U|%U", "str", -5, (LUAI_UACINT)LUA_MININTEGER, 1.5, 'x', 0x41L, 0x20acL, 0x7fffffffL);
  CHECK(s == lua_tostring(L, -1));
  show(L, "all", -1);
  lua_pushfstring(L, "");
  show(L, "empty", -1);
  lua_pushfstring(L, "plain");
  show(L, "plain", -1);
  lua_pushfstring(L, "%s%s", NULL, "");
  show(L, "null string", -1);
  lua_pushfstring(L, "%f %f %f %f", 1.0, 0.1, 1e100, -HUGE_VAL);
  show(L, "floats", -1);
  int object;
  char expected[100];
  snprintf(expected, sizeof expected, "%p", (void *)&object);
  CHECK(strcmp(lua_pushfstring(L, "%p", (void *)&object), expected) == 0);
  lua_pop(L, 1);
  /* more arguments than registers, of both classes */
  formatted(L, "%d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f", 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 10.5);
  show(L, "many", -1);
  lua_pushfstring(L, "%d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f", 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5, 8, 8.5, 9, 9.5, 10, 10.5);
  CHECK(lua_rawequal(L, -1, -2));
  char *big = malloc(100001);
  memset(big, 'y', 100000);
  big[100000] = 0;
  s = lua_pushfstring(L, "<%s|%s>", big, big);
  CHECK(strlen(s) == 200003 && s[0] == '<' && s[100001] == '|' && s[200002] == '>');
  free(big);
  return 0;
}

static int bad_format(lua_State *L) {
  lua_pushfstring(L, lua_tostring(L, lua_upvalueindex(1)), 1);
  return 0;
}

static int bad_formats(lua_State *L) {
  static const char *const list[] = {"%y", "ab %5d", "%"};
  for (size_t i = 0; i < 3; i++) {
    lua_pushstring(L, list[i]);
    lua_pushcclosure(L, bad_format, 1);
    outcome(L, list[i], lua_pcall(L, 0, 0, 0));
  }
  return 0;
}

static int versions(lua_State *L) {
  printf("%g %g\n", lua_version(L), lua_version(NULL));
  luaL_checkversion(L);
  CHECK(strstr(lua_ident, "Lua 5.4") != NULL || strstr(lua_ident, "Traceorus") != NULL);
  return 0;
}

static int wrong_version(lua_State *L) {
  luaL_checkversion_(L, 503, LUAL_NUMSIZES);
  return 0;
}
static int wrong_sizes(lua_State *L) {
  luaL_checkversion_(L, LUA_VERSION_NUM, LUAL_NUMSIZES - 1);
  return 0;
}
static int other_versions(lua_State *L) {
  protect(L, "version", wrong_version);
  protect(L, "sizes", wrong_sizes);
  return 0;
}

static const Test tests[] = {TEST(every_type), TEST(integers), TEST(numerals), TEST(to_string), TEST(formats), TEST(bad_formats), TEST(versions),
  TEST(other_versions)};
MAIN(tests)
