/* The auxiliary library: arguments and their messages, luaL_tolstring, metafields, file and process results. */
#include <errno.h>
#include <unistd.h>

#include "t.h"

/* One function for all kinds of arguments: check(kind, value ...). */
static int check(lua_State *L) {
  static const char *const kinds[] = {"integer", "number", "string", "optinteger", "optnumber", "optstring", "any", "table", "function", "option", "optoption",
    "udata", "argcheck", "argexpected", "opt", "stack", NULL};
  static const char *const colours[] = {"red", "green", "blue", NULL};
  size_t size = 99;
  const char *s;
  switch (luaL_checkoption(L, 1, NULL, kinds)) {
    case 0: lua_pushinteger(L, luaL_checkinteger(L, 2)); break;
    case 1: lua_pushnumber(L, luaL_checknumber(L, 2)); break;
    case 2: s = luaL_checklstring(L, 2, &size), lua_pushlstring(L, s, size); break;
    case 3: lua_pushinteger(L, luaL_optinteger(L, 2, -77)); break;
    case 4: lua_pushnumber(L, luaL_optnumber(L, 2, -7.5)); break;
    case 5:
      s = luaL_optlstring(L, 2, "otherwise", &size);
      lua_pushfstring(L, "%s %d", s, (int)size);
      s = luaL_optlstring(L, 2, NULL, &size);
      if (s == NULL) CHECK(size == 0);
      break;
    case 6: luaL_checkany(L, 2), lua_pushliteral(L, "something"); break;
    case 7: luaL_checktype(L, 2, LUA_TTABLE), lua_pushliteral(L, "a table"); break;
    case 8: luaL_checktype(L, 2, LUA_TFUNCTION), lua_pushliteral(L, "a function"); break;
    case 9: lua_pushinteger(L, luaL_checkoption(L, 2, NULL, colours)); break;
    case 10: lua_pushinteger(L, luaL_checkoption(L, 2, "blue", colours)); break;
    case 11: luaL_checkudata(L, 2, LUA_FILEHANDLE), lua_pushliteral(L, "a file"); break;
    case 12: luaL_argcheck(L, lua_toboolean(L, 2), 2, "must be true"), lua_pushliteral(L, "true"); break;
    case 13: luaL_argexpected(L, lua_toboolean(L, 2), 2, "truth"), lua_pushliteral(L, "true"); break;
    case 14: lua_pushinteger(L, luaL_opt(L, luaL_checkinteger, 2, 5)); break;
    default: luaL_checkstack(L, 10, "no"), lua_pushliteral(L, "room");
  }
  return 1;
}

static int arguments(lua_State *L) {
  static const char *const calls[] = {"'integer', 5", "'integer', 5.0", "'integer', '5'", "'integer', '5.5'", "'integer', 5.5", "'integer', 'x'", "'integer'",
    "'integer', nil", "'integer', {}", "'number', 5", "'number', '0x10'", "'number', 'x'", "'number', true", "'string', 'x\\0y'", "'string', 5", "'string', nil",
    "'string', print", "'optinteger'", "'optinteger', nil", "'optinteger', 3", "'optinteger', 'z'", "'optinteger', 2^53", "'optinteger', 1e100", "'optnumber'",
    "'optnumber', 1", "'optnumber', false", "'optstring'", "'optstring', nil", "'optstring', 'abc'", "'optstring', {}", "'any'", "'any', nil", "'table', {}",
    "'table', 'x'", "'table'", "'function', print", "'function', nil", "'option', 'green'", "'option', 'pink'", "'option'", "'option', {}", "'optoption'",
    "'optoption', 'red'", "'optoption', 'x'", "'udata', io.stdout", "'udata', 1", "'udata', {}", "'udata', setmetatable({}, {__name = 'MyType'})", "'udata', light",
    "'argcheck', 1", "'argcheck', false", "'argexpected', 1", "'argexpected', nil", "'opt'", "'opt', 6", "'opt', 'x'", "'stack'", "'nonsense'", ""};
  lua_register(L, "check", check);
  lua_pushlightuserdata(L, L), lua_setglobal(L, "light");
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    lua_pushfstring(L, "return check(%s)", calls[i]);
    luaL_loadbuffer(L, lua_tostring(L, -1), lua_rawlen(L, -1), "=call");
    int status = lua_pcall(L, 0, 1, 0);
    printf("(%s): %s ", calls[i], status_name(status));
    show_value(L, -1);
    puts("");
    lua_settop(L, 0);
  }
  return 0;
}

static int arg_error(lua_State *L) {
  return luaL_argerror(L, (int)luaL_checkinteger(L, 1), "message");
}
static int arg_error2(lua_State *L) {
  return luaL_argerror(L, (int)luaL_checkinteger(L, 1), "other message");
}
static int hidden_arg_error(lua_State *L) {
  return luaL_argerror(L, 1, "message of a function without a name");
}
static int type_error(lua_State *L) {
  return luaL_typeerror(L, 2, "special");
}
static int names(lua_State *L) {
  lua_register(L, "arg_error", arg_error);
  lua_register(L, "type_error", type_error);
  run(L, "global", "arg_error(1)");
  run(L, "field", "local t = {f = {g = arg_error}} t.f.g(2)");
  run(L, "method", "local t = {n = arg_error} string.n = arg_error; local s = '1' s:n()");
  run(L, "method 2", "string.n = arg_error; local s = '2' s:n()");
  run(L, "local", "local f = arg_error f(3)");
  load(L, "local f = ... package.loaded.mine = {fun = f} local x = {f} x[1](1)");
  lua_pushcfunction(L, arg_error2);
  outcome(L, "loaded", lua_pcall(L, 1, 0, 0));
  run(L, "unknown", "local x = {type_error} x[1](1)");
  load(L, "return pcall(...)");
  lua_pushcfunction(L, hidden_arg_error);
  lua_call(L, 1, 2);
  stack(L, "pcall");
  lua_settop(L, 0);
  protect(L, "from C", hidden_arg_error);
  run(L, "type 1", "type_error(1, 2)");
  run(L, "type 2", "type_error(1)");
  run(L, "type 3", "type_error(1, setmetatable({}, {__name = 'Named'}))");
  run(L, "type 4", "type_error(1, setmetatable({}, {__name = 5}))");
  return 0;
}

static int to_text(lua_State *L) { lua_pushliteral(L, "from C"); return 1; }
static int use_tolstring(lua_State *L) { luaL_tolstring(L, 1, NULL); return 1; }
static int tolstring(lua_State *L) {
  lua_pushnil(L), lua_pushboolean(L, 1), lua_pushboolean(L, 0), lua_pushinteger(L, -5), lua_pushnumber(L, 5.0), lua_pushnumber(L, 1e300), lua_pushlstring(L, "a\0b", 3);
  int top = lua_gettop(L);
  for (int i = 1; i <= top; i++) {
    size_t size;
    const char *s = luaL_tolstring(L, i, &size);
    CHECK(s == lua_tostring(L, -1) && size == lua_rawlen(L, -1));
    show(L, luaL_typename(L, i), -1);
    lua_pop(L, 1);
  }
  lua_settop(L, 0);
  char expected[100];
  lua_newtable(L);
  snprintf(expected, sizeof expected, "table: %p", lua_topointer(L, 1));
  CHECK(strcmp(luaL_tolstring(L, 1, NULL), expected) == 0);
  lua_pop(L, 1);
  lua_newtable(L), lua_pushliteral(L, "MyType"), lua_setfield(L, -2, "__name"), lua_setmetatable(L, 1);
  snprintf(expected, sizeof expected, "MyType: %p", lua_topointer(L, 1));
  CHECK(strcmp(luaL_tolstring(L, 1, NULL), expected) == 0);
  lua_pop(L, 1);
  lua_getmetatable(L, 1), lua_pushcfunction(L, to_text), lua_setfield(L, -2, "__tostring"), lua_pop(L, 1);
  luaL_tolstring(L, -1, NULL), show(L, "__tostring", -1);
  lua_settop(L, 0);
  lua_register(L, "text", use_tolstring);
  run(L, "number", "return text(setmetatable({}, {__tostring = function() return 5 end}))");
  stack(L, "number");
  lua_settop(L, 0);
  run(L, "not a string", "return text(setmetatable({}, {__tostring = function() return {} end}))");
  run(L, "error", "return text(setmetatable({}, {__tostring = function(x) return x.y.z end}))");
  return 0;
}

static int metafields(lua_State *L) {
  lua_newtable(L);
  printf("%d", luaL_getmetafield(L, 1, "x"));
  lua_newtable(L);
  lua_pushinteger(L, 5), lua_setfield(L, -2, "x");
  lua_pushcfunction(L, to_text), lua_setfield(L, -2, "f");
  lua_setmetatable(L, 1);
  CHECK(lua_gettop(L) == 1);
  printf(" %d", luaL_getmetafield(L, 1, "x"));
  CHECK(lua_gettop(L) == 2);
  printf(" %d\n", luaL_getmetafield(L, 1, "y"));
  CHECK(lua_gettop(L) == 2);
  lua_pop(L, 1);
  printf("%d", luaL_callmeta(L, 1, "f"));
  show(L, " called", -1);
  lua_pop(L, 1);
  printf("%d\n", luaL_callmeta(L, -1, "y"));
  CHECK(lua_gettop(L) == 1);
  lua_pushinteger(L, 1);
  printf("%d %d\n", luaL_getmetafield(L, 2, "x"), luaL_callmeta(L, 2, "x"));
  lua_pushliteral(L, "s");
  printf("%d\n", luaL_getmetafield(L, -1, "__index"));
  luaL_pushfail(L);
  show(L, "fail", -1);
  lua_settop(L, 0);
  run(L, "len", "return setmetatable({}, {__len = function() return '12' end}), {1, 2, 3}, 'four'");
  printf("%d %d %d\n", (int)luaL_len(L, 1), (int)luaL_len(L, 2), (int)luaL_len(L, 3));
  return 0;
}

static int results(lua_State *L) {
  errno = ENOENT;
  printf("%d ", luaL_fileresult(L, 0, "name"));
  stack(L, "fileresult");
  lua_settop(L, 0);
  errno = EACCES;
  printf("%d ", luaL_fileresult(L, 0, NULL));
  stack(L, "fileresult");
  lua_settop(L, 0);
  printf("%d ", luaL_fileresult(L, 1, "name"));
  stack(L, "fileresult");
  lua_settop(L, 0);
  static const int status[] = {0, 3 << 8, 9, 255 << 8};
  for (int i = 0; i < 4; i++) {
    errno = 0;
    printf("%d ", luaL_execresult(L, status[i]));
    stack(L, "execresult");
    lua_settop(L, 0);
  }
  errno = ENOMEM;
  printf("%d ", luaL_execresult(L, -1));
  stack(L, "execresult");
  return 0;
}

static const Test tests[] = {TEST(arguments), TEST(names), TEST(tolstring), TEST(metafields), TEST(results)};
MAIN(tests)
