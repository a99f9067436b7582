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

/* A metamethod with upvalues: how many results, and the text in front of what it says. It fails at the operand "fail", yields at "yield", and asks for room
   at "room". */
static const char *shown(lua_State *L, int i) {
  return lua_type(L, i) == LUA_TUSERDATA ? "u" : luaL_tolstring(L, i, NULL);
}
static int said(lua_State *L, int status, lua_KContext n) {
  (void)status, (void)n;
  lua_settop(L, 3);
  lua_pushfstring(L, "%s(%s, %s, %s)", lua_tostring(L, lua_upvalueindex(2)), shown(L, 1), shown(L, 2), shown(L, 3));
  lua_pushvalue(L, -1), lua_setglobal(L, "last");
  if (lua_tointeger(L, lua_upvalueindex(1)) > 1) lua_pushliteral(L, "second");
  return (int)lua_tointeger(L, lua_upvalueindex(1));
}
static int event(lua_State *L) {
  for (int i = 2; i <= lua_gettop(L); i++) {
    const char *s = lua_type(L, i) == LUA_TSTRING ? lua_tostring(L, i) : "";
    if (!strcmp(s, "fail")) return luaL_error(L, "%s fails", lua_tostring(L, lua_upvalueindex(2)));
    if (!strcmp(s, "room")) luaL_checkstack(L, 5000, NULL);
    if (!strcmp(s, "collect")) lua_gc(L, LUA_GCCOLLECT);
    if (!strcmp(s, "yield")) return lua_yieldk(L, 0, 0, said);
  }
  return said(L, LUA_OK, 0);
}
static int make_event(lua_State *L) {
  lua_settop(L, 2);
  lua_pushcclosure(L, event, 2);
  return 1;
}
static int make_object(lua_State *L) {
  lua_newuserdatauv(L, 8, 0);
  lua_pushvalue(L, 1), lua_setmetatable(L, -2);
  return 1;
}
/* Events of userdata in loops, handled by C functions, Lua functions and tables that change meanwhile. */
static int events(lua_State *L) {
  lua_register(L, "make_event", make_event);
  lua_register(L, "make_object", make_object);
  run(L, "names", "names = {'__index', '__newindex', '__len', '__eq', '__lt', '__le', '__call', '__concat', '__unm', '__bnot', '__add', '__shl'}\n"
    "uses = {__index = function(u, x) return u.field, u[x], u[1], u[2.5], u[true], (u:field()) end, __newindex = function(u, x) last = nil u.field = x local a = last u[x] = 1 local b = last u[1] = x return a, b, last end,\n"
    "__len = function(u) return #u end, __eq = function(u, x, v) return u == v, u ~= v, u == u end, __lt = function(u, x, v) return u < v, x < u, u > x end,\n"
    "__le = function(u, x, v) return u <= v, u >= x end, __call = function(u, x) return u(x), (u(x, 1)), u() end, __concat = function(u, x, v) return u .. x, x .. u, u .. v, u .. 'a' .. x end,\n"
    "__unm = function(u) return -u end, __bnot = function(u) return ~u end, __add = function(u, x, v) return u + x, x + u, u + 1, 1.5 + u, u + v end, __shl = function(u, x) return u << x, 1 << u end}\n"
    "local function show(...) local t = table.pack(...) for i = 1, t.n do local v = t[i] t[i] = (type(v) == 'userdata' or type(v) == 'function') and type(v) or tostring(v) end return table.concat(t, ' ') end\n"
    "function try(name, u, x, v, n) local r for i = 1, n do r = show(pcall(uses[name], u, x, v)) end return r end");
  run(L, "C", "for _, name in ipairs(names) do for n = 0, 2 do local m = {[name] = make_event(n, name)} \n"
    "local u, v = make_object(m), make_object(m) print(name, n, try(name, u, 'x', v, 60), '|', try(name, u, 'fail', v, 3), '|', try(name, u, 'room', v, 3), '|', try(name, u, 'collect', v, 3)) end end");
  run(L, "yields", "for _, name in ipairs(names) do local m = {[name] = make_event(1, name)} local u, v = make_object(m), make_object(m)\n"
    "local co = coroutine.wrap(function() local r = try(name, u, 'yield', v, 3) return 'end', r end) local n = 0 local s, r repeat s, r = co() n = n + 1 until s == 'end' print(name, n, r) end");
  run(L, "changes", "for _, name in ipairs(names) do local m = {} local u, v = make_object(m), make_object(m)\n"
    "for _, f in ipairs{make_event(1, 'one'), make_event(1, 'two'), function(a, b) last = 'L' return 'Lua ' .. type(a) .. tostring(type(b) == 'userdata' or b) end, make_event(2, 'three'), {field = function() return 'f' end}, make_event(1, 'again'), false, function() last = 'last' end} do\n"
    "m[name] = f or nil local r = try(name, u, 'x', v, 40) print(name, type(f), r) end end");
  run(L, "targets", "local t = {field = 1, other = 2} local d = setmetatable({field = 0}, {__newindex = function(_, k, v) rawset(_, k, v) end}) local m = {__newindex = t} local u = make_object(m)\n"
    "for i = 1, 100 do u.field = i if i == 30 then t.field = nil end if i == 60 then m.__newindex = d end if i == 80 then u.new = i u[i] = i end end print(t.field, d.field, d.new, d[80])\n"
    "for i = 1, 100 do u.other = i if i == 50 then m.__newindex = t end end print(t.other, d.other) local p = setmetatable({}, {__index = t}) m.__newindex = t\n"
    "for i = 1, 50 do u.field = i assert(p.field == i) end for i = 1, 50 do u.field = {i} collectgarbage('step') end print(p.field[1])\n"
    "m.__newindex = nil print(pcall(function() u.field = 1 end))");
  run(L, "other metatable", "local a, b = {__index = make_event(1, 'a'), __len = make_event(1, 'a')}, {__index = make_event(1, 'b'), __len = make_event(1, 'b')}\n"
    "local u, v = make_object(a), make_object(b) local s = 0 for i = 1, 100 do local w = i % 3 == 0 and v or u if w.x:sub(1, 1) ~= (w == v and 'b' or 'a') or (#w):sub(1, 1) ~= (w == v and 'b' or 'a') then s = s + 1 end\n"
    "if i == 70 then debug.setmetatable(u, b) debug.setmetatable(v, a) u, v = v, u end end print(s)");
  lua_settop(L, 0);
  return 0;
}

static const Test tests[] = {TEST(classes), TEST(blocks), TEST(user_values), TEST(finalizers), TEST(light), TEST(set_functions), TEST(events)};
MAIN(tests)
