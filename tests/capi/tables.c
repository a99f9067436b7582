/* Tables and what metatables make of them: reading, writing, raw and not; next; length; operators; comparison; concatenation. */
#include "t.h"

static int fields(lua_State *L) {
  lua_createtable(L, 4, 2);
  lua_pushinteger(L, 1);
  lua_setfield(L, 1, "a");
  lua_pushliteral(L, "two");
  lua_seti(L, 1, 2);
  lua_pushliteral(L, "key");
  lua_pushboolean(L, 1);
  lua_settable(L, 1);
  lua_pushnumber(L, 2.5);
  lua_pushliteral(L, "float key");
  lua_rawset(L, 1);
  lua_pushliteral(L, "raw three");
  lua_rawseti(L, 1, 3);
  lua_pushliteral(L, "by pointer");
  lua_rawsetp(L, 1, &fields);
  stack(L, "filled");
  printf("types %d", lua_getfield(L, 1, "a"));
  printf(" %d", lua_geti(L, 1, 2));
  lua_pushliteral(L, "key");
  printf(" %d", lua_gettable(L, 1));
  lua_pushnumber(L, 2.5);
  printf(" %d", lua_rawget(L, 1));
  printf(" %d", lua_rawgeti(L, 1, 3));
  printf(" %d", lua_rawgetp(L, 1, &fields));
  printf(" %d", lua_getfield(L, 1, "none"));
  printf(" %d\n", lua_rawgeti(L, 1, 99));
  stack(L, "read");
  lua_settop(L, 1);
  /* keys that are the same number */
  lua_pushnumber(L, 2.0);
  lua_rawget(L, 1);
  show(L, "2.0", -1);
  lua_pushnumber(L, 7.0);
  lua_pushliteral(L, "seven");
  lua_rawset(L, 1);
  lua_rawgeti(L, 1, 7);
  show(L, "7", -1);
  lua_pushnil(L);
  lua_setfield(L, 1, "a");
  CHECK(lua_getfield(L, 1, "a") == LUA_TNIL);
  /* keys with zeros in them, long keys */
  char key[200];
  memset(key, 'k', sizeof key);
  key[199] = 0;
  lua_pushinteger(L, 5);
  lua_setfield(L, 1, key);
  CHECK(lua_getfield(L, 1, key) == LUA_TNUMBER);
  return 0;
}

static int many(lua_State *L) {
  lua_newtable(L);
  for (int i = 1; i <= 3000; i++) {
    lua_pushinteger(L, i * 2);
    lua_rawseti(L, 1, i);
    lua_pushfstring(L, "k%d", i);
    lua_pushinteger(L, i);
    lua_settable(L, 1);
  }
  lua_Integer sum = 0;
  int count = 0;
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    sum += lua_tointeger(L, -1);
    count++;
    lua_pop(L, 1);
    CHECK(lua_gettop(L) == 2);
    /* existing entries may change on the way */
    lua_pushvalue(L, -1);
    if (count % 2) lua_pushnil(L);
    else lua_pushinteger(L, 1);
    lua_rawset(L, 1);
  }
  CHECK(lua_gettop(L) == 1);
  printf("%d entries, sum " LUA_INTEGER_FMT "\n", count, sum);
  count = 0;
  for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) count++;
  printf("%d left\n", count);
  return 0;
}

static int bad_next(lua_State *L) {
  lua_newtable(L);
  lua_pushliteral(L, "no such key");
  lua_next(L, -2);
  return 0;
}
static int nil_key(lua_State *L) {
  lua_newtable(L);
  lua_pushnil(L);
  lua_pushinteger(L, 1);
  lua_rawset(L, -3);
  return 0;
}
static int nan_key(lua_State *L) {
  lua_newtable(L);
  lua_pushnumber(L, 0.0 / 0.0 * 0.0);
  lua_pushinteger(L, 1);
  lua_settable(L, -3);
  return 0;
}
static int index_nil(lua_State *L) {
  lua_pushnil(L);
  lua_getfield(L, -1, "field");
  return 0;
}
static int index_number(lua_State *L) {
  lua_pushinteger(L, 1);
  lua_pushliteral(L, "key");
  lua_gettable(L, -2);
  return 0;
}
static int set_boolean(lua_State *L) {
  lua_pushboolean(L, 1);
  lua_pushinteger(L, 1);
  lua_seti(L, -2, 3);
  return 0;
}
static int set_upvalue(lua_State *L) {
  lua_pushinteger(L, 1);
  lua_setfield(L, lua_upvalueindex(1), "x");
  return 0;
}
static int errors(lua_State *L) {
  protect(L, "next", bad_next);
  protect(L, "nil key", nil_key);
  protect(L, "nan key", nan_key);
  protect(L, "index nil", index_nil);
  protect(L, "index number", index_number);
  protect(L, "set boolean", set_boolean);
  lua_pushnil(L);
  lua_pushcclosure(L, set_upvalue, 1);
  outcome(L, "set upvalue", lua_pcall(L, 0, 0, 0));
  return 0;
}

static int on_index(lua_State *L) {
  stack(L, "__index");
  lua_pushliteral(L, "found");
  lua_pushliteral(L, "ignored? no: the last one counts");
  return 2;
}
static int on_newindex(lua_State *L) {
  stack(L, "__newindex");
  return 0;
}
static int on_len(lua_State *L) {
  stack(L, "__len");
  lua_pushinteger(L, 123);
  return 1;
}

static int metamethods(lua_State *L) {
  lua_newtable(L);
  CHECK(lua_getmetatable(L, 1) == 0 && lua_gettop(L) == 1);
  lua_newtable(L);
  lua_pushcfunction(L, on_index), lua_setfield(L, 2, "__index");
  lua_pushcfunction(L, on_newindex), lua_setfield(L, 2, "__newindex");
  lua_pushcfunction(L, on_len), lua_setfield(L, 2, "__len");
  lua_pushvalue(L, 2);
  printf("setmetatable %d\n", lua_setmetatable(L, 1));
  CHECK(lua_getmetatable(L, 1) == 1 && lua_rawequal(L, -1, 2));
  lua_settop(L, 1);
  printf("%d\n", lua_getfield(L, 1, "x"));
  printf("%d\n", lua_geti(L, 1, 4));
  lua_pushboolean(L, 0);
  printf("%d\n", lua_gettable(L, 1));
  lua_pushinteger(L, 10), lua_setfield(L, 1, "f");
  lua_pushinteger(L, 11), lua_seti(L, 1, 8);
  lua_pushliteral(L, "k"), lua_pushliteral(L, "v"), lua_settable(L, 1);
  lua_len(L, 1);
  show(L, "len", -1);
  printf("%d %d\n", (int)luaL_len(L, 1), (int)lua_rawlen(L, 1));
  stack(L, "after");
  lua_pushliteral(L, "k");
  CHECK(lua_rawget(L, 1) == LUA_TNIL);
  /* chains of tables */
  lua_settop(L, 0);
  run(L, "chain", "local a={x=1,[5]='five'} local b=setmetatable({},{__index=a,__newindex=a}) return setmetatable({},{__index=b,__newindex=b}),a");
  lua_getfield(L, 1, "x"), show(L, "x", -1);
  lua_geti(L, 1, 5), show(L, "5", -1);
  lua_pushinteger(L, 3), lua_setfield(L, 1, "y");
  lua_getfield(L, 2, "y"), show(L, "y", -1);
  lua_pushinteger(L, 4), lua_seti(L, 1, 6);
  lua_rawgeti(L, 2, 6), show(L, "6", -1);
  lua_pushnil(L), lua_setmetatable(L, 1);
  CHECK(lua_getfield(L, 1, "x") == LUA_TNIL);
  return 0;
}

static int type_metatables(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "of numbers"), lua_setfield(L, -2, "what");
  lua_setfield(L, -2, "__index");
  lua_pushinteger(L, 1);
  lua_pushvalue(L, 1);
  lua_setmetatable(L, 2);
  lua_pushnumber(L, 2.5);
  lua_getfield(L, -1, "what");
  show(L, "number", -1);
  lua_pushnil(L);
  lua_setmetatable(L, 2);
  CHECK(lua_getmetatable(L, 2) == 0);
  lua_pushliteral(L, "text");
  lua_getfield(L, -1, "upper");
  CHECK(lua_iscfunction(L, -1));
  lua_pushcfunction(L, type_metatables);
  lua_pushvalue(L, 1);
  lua_setmetatable(L, -2);
  lua_getglobal(L, "print");
  lua_getfield(L, -1, "what");
  show(L, "function", -1);
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_setmetatable(L, -2);
  return 0;
}

static int globals(lua_State *L) {
  lua_pushinteger(L, 5);
  lua_setglobal(L, "five");
  printf("%d", lua_getglobal(L, "five"));
  printf(" %d\n", lua_getglobal(L, "six"));
  run(L, "code", "five = five + 1; return five");
  stack(L, "globals");
  lua_settop(L, 0);
  run(L, "meta", "setmetatable(_G, {__index=function(_, k) return k..'!' end, __newindex=function(t,k,v) rawset(t,k,v..'?') end})");
  lua_getglobal(L, "seven");
  show(L, "seven", -1);
  lua_pushliteral(L, "8");
  lua_setglobal(L, "eight");
  lua_getglobal(L, "eight");
  show(L, "eight", -1);
  return 0;
}

static int arithmetic(lua_State *L) {
  static const struct { lua_Number a, b; int integers; } operands[] = {{7, 3, 1}, {-7, 3, 1}, {7, -3, 1}, {7.5, 2, 0}, {-7.5, 2, 0}, {1, 64, 1}};
  for (size_t i = 0; i < sizeof operands / sizeof operands[0]; i++) {
    for (int op = LUA_OPADD; op <= LUA_OPBNOT; op++) {
      if (op >= LUA_OPBAND && op != LUA_OPUNM && !operands[i].integers) continue;
      for (int n = 0; n < (op == LUA_OPUNM || op == LUA_OPBNOT ? 1 : 2); n++) {
        lua_Number v = n ? operands[i].b : operands[i].a;
        if (operands[i].integers) lua_pushinteger(L, (lua_Integer)v);
        else lua_pushnumber(L, v);
      }
      lua_arith(L, op);
      CHECK(lua_gettop(L) == 1);
      putchar(' ');
      show_value(L, -1);
      lua_pop(L, 1);
    }
    puts("");
  }
  lua_pushinteger(L, LUA_MAXINTEGER), lua_pushinteger(L, 1), lua_arith(L, LUA_OPADD);
  lua_pushinteger(L, LUA_MININTEGER), lua_pushinteger(L, -1), lua_arith(L, LUA_OPIDIV);
  lua_pushinteger(L, 1), lua_pushnumber(L, 0), lua_arith(L, LUA_OPDIV);
  lua_pushliteral(L, "10"), lua_pushinteger(L, 5), lua_arith(L, LUA_OPADD);
  lua_pushliteral(L, "0x10"), lua_pushliteral(L, "1.5"), lua_arith(L, LUA_OPMUL);
  lua_pushliteral(L, "3"), lua_arith(L, LUA_OPUNM);
  lua_pushnumber(L, 3.0), lua_pushinteger(L, 5), lua_arith(L, LUA_OPBOR);
  stack(L, "special");
  return 0;
}

static int arith_on(lua_State *L) {
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_arith(L, (int)lua_tointeger(L, lua_upvalueindex(1)));
  return 1;
}
static void try_arith(lua_State *L, int op, const char *what) {
  int n = lua_gettop(L);
  lua_pushinteger(L, op);
  lua_pushcclosure(L, arith_on, 1);
  lua_insert(L, 1);
  int status = lua_pcall(L, n, 1, 0);
  outcome(L, what, status);
  if (status == LUA_OK) show(L, "  gives", -1);
  lua_settop(L, 0);
}
static int arithmetic_errors(lua_State *L) {
  lua_pushinteger(L, 1), lua_pushinteger(L, 0), try_arith(L, LUA_OPIDIV, "1 // 0");
  lua_pushinteger(L, 1), lua_pushinteger(L, 0), try_arith(L, LUA_OPMOD, "1 % 0");
  lua_pushnil(L), lua_pushinteger(L, 0), try_arith(L, LUA_OPADD, "nil + 0");
  lua_pushinteger(L, 1), lua_pushliteral(L, "x"), try_arith(L, LUA_OPADD, "1 + 'x'");
  lua_pushnumber(L, 1.5), lua_pushinteger(L, 1), try_arith(L, LUA_OPBAND, "1.5 & 1");
  lua_pushnumber(L, 1e100), lua_pushinteger(L, 1), try_arith(L, LUA_OPSHL, "1e100 << 1");
  lua_newtable(L), lua_pushinteger(L, 1), try_arith(L, LUA_OPPOW, "{} ^ 1");
  run(L, "meta", "return setmetatable({},{__add=function(a,b) return type(a)..'+'..type(b) end,__unm=function(a,b) return a==b end})");
  lua_pushinteger(L, 1), try_arith(L, LUA_OPADD, "t + 1");
  return 0;
}

static int comparisons(lua_State *L) {
  lua_pushinteger(L, 1);
  lua_pushnumber(L, 1.0);
  lua_pushnumber(L, 1.5);
  lua_pushliteral(L, "a");
  lua_pushliteral(L, "b");
  lua_newtable(L);
  lua_pushnil(L);
  for (int a = 1; a <= 7; a++) {
    for (int b = 1; b <= 7; b++) printf("%d%d ", lua_compare(L, a, b, LUA_OPEQ), lua_rawequal(L, a, b));
    puts("");
  }
  for (int a = 1; a <= 3; a++)
    for (int b = 1; b <= 3; b++) printf("%d%d ", lua_compare(L, a, b, LUA_OPLT), lua_compare(L, a, b, LUA_OPLE));
  printf("%d%d\n", lua_compare(L, 4, 5, LUA_OPLT), lua_compare(L, 5, 4, LUA_OPLE));
  printf("nothing %d %d %d\n", lua_compare(L, 1, 15, LUA_OPEQ), lua_compare(L, 15, 1, LUA_OPLT), lua_rawequal(L, 15, 15));
  lua_settop(L, 0);
  run(L, "meta", "local m={__eq=function(a,b) return 'yes' end,__lt=function(a,b) return nil end,__le=function() return 1 end} return setmetatable({},m),setmetatable({},m)");
  printf("%d %d %d %d\n", lua_compare(L, 1, 2, LUA_OPEQ), lua_rawequal(L, 1, 2), lua_compare(L, 1, 2, LUA_OPLT), lua_compare(L, 1, 2, LUA_OPLE));
  return 0;
}

static int compare_wrong(lua_State *L) {
  lua_newtable(L);
  lua_pushinteger(L, 1);
  lua_compare(L, -1, -2, LUA_OPLT);
  return 0;
}
static int compare_tables(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  lua_compare(L, -1, -2, LUA_OPLE);
  return 0;
}
static int concat_wrong(lua_State *L) {
  lua_pushliteral(L, "a");
  lua_newtable(L);
  lua_pushliteral(L, "b");
  lua_concat(L, 3);
  return 0;
}
static int len_wrong(lua_State *L) {
  lua_pushinteger(L, 1);
  lua_len(L, -1);
  return 0;
}
static int len_not_integer(lua_State *L) {
  run(L, "meta", "return setmetatable({},{__len=function() return 1.5 end})");
  luaL_len(L, -1);
  return 0;
}
static int other_errors(lua_State *L) {
  protect(L, "compare", compare_wrong);
  protect(L, "compare tables", compare_tables);
  protect(L, "concat", concat_wrong);
  protect(L, "len", len_wrong);
  protect(L, "not an integer", len_not_integer);
  return 0;
}

static int concatenation(lua_State *L) {
  lua_concat(L, 0);
  show(L, "none", -1);
  lua_pushinteger(L, 5);
  lua_concat(L, 1);
  CHECK(lua_isinteger(L, -1));
  lua_pushliteral(L, "a"), lua_pushinteger(L, 1), lua_pushnumber(L, 2.0), lua_pushlstring(L, "\0", 1), lua_pushliteral(L, "");
  lua_concat(L, 5);
  stack(L, "five");
  lua_settop(L, 0);
  run(L, "meta", "return setmetatable({},{__concat=function(a,b) return (type(a)=='table' and 'T' or a)..'_'..(type(b)=='table' and 'T' or b) end})");
  lua_pushliteral(L, "x"), lua_pushvalue(L, 1), lua_pushliteral(L, "y"), lua_pushliteral(L, "z");
  lua_concat(L, 4);
  show(L, "meta", -1);
  lua_settop(L, 0);
  luaL_checkstack(L, 400, NULL);
  for (int i = 0; i < 300; i++) lua_pushfstring(L, "%d,", i);
  lua_concat(L, 300);
  printf("%d bytes\n", (int)lua_rawlen(L, -1));
  return 0;
}

static const Test tests[] = {TEST(fields), TEST(many), TEST(errors), TEST(metamethods), TEST(type_metatables), TEST(globals), TEST(arithmetic),
  TEST(arithmetic_errors), TEST(comparisons), TEST(other_errors), TEST(concatenation)};
MAIN(tests)
