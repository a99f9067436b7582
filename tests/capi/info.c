/* What the debug functions tell about functions and running frames. */
#include "t.h"

static void print_info(lua_Debug *ar, const char *what) {
  printf("%s:", what);
  for (const char *p = what; *p; p++) {
    switch (*p) {
      case 'n': printf(" name %s namewhat '%s'", ar->name ? ar->name : "(none)", ar->namewhat); break;
      case 'S':
        printf(" what %s lines %d-%d short_src %s source ", ar->what, ar->linedefined, ar->lastlinedefined, ar->short_src);
        print_bytes(ar->source, ar->srclen);
        break;
      case 'l': printf(" line %d", ar->currentline); break;
      case 'u': printf(" nups %d nparams %d vararg %d", ar->nups, ar->nparams, ar->isvararg); break;
      case 't': printf(" tail %d", ar->istailcall != 0); break;
      case 'r': printf(" transfer %d %d", ar->ftransfer, ar->ntransfer); break;
      default: break;
    }
  }
  puts("");
}

static int c_function(lua_State *L) { (void)L; return 0; }

static int of_functions(lua_State *L) {
  lua_Debug ar;
  static const char *const sources[][2] = {{"return 1", "=stdin"}, {"return 1", "@dir/file.lua"}, {"return 1\nend of text that follows", "x"},
    {"local function f(a, b, ...)\n return a\n end\n return f", "local function f(a, b, ...)\n return a\n end\n return f"},
    {"return 1", "@/a/very/long/path/that/does/not/fit/into/sixty/bytes/because/it/is/so/long.lua"},
    {"return 1", "a chunk whose text is its name and that is much longer than sixty bytes as well"}, {"return 1", "=(another name that is very long so that it is cut off at some point)"}};
  for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
    if (luaL_loadbuffer(L, sources[i][0], strlen(sources[i][0]), sources[i][1]) != LUA_OK) {
      show(L, "syntax", -1);
      lua_pop(L, 1);
      continue;
    }
    CHECK(lua_getinfo(L, ">Slnutr", &ar) == 1);
    print_info(&ar, "Slnutr");
    CHECK(lua_gettop(L) == 0);
  }
  load(L, "local up = 1 return function(a, b)\n  local c = up\n\n  return c\nend");
  lua_call(L, 0, 1);
  lua_pushvalue(L, 1);
  lua_getinfo(L, ">Su", &ar);
  print_info(&ar, "Su");
  lua_pushvalue(L, 1);
  lua_getinfo(L, ">fL", &ar);
  CHECK(lua_rawequal(L, 1, 2));
  for (lua_Integer i = 0; i <= 6; i++) {
    lua_rawgeti(L, 3, i);
    if (lua_toboolean(L, -1)) printf("line " LUA_INTEGER_FMT " ", i);
    lua_pop(L, 1);
  }
  puts("");
  lua_settop(L, 0);
  lua_pushnil(L), lua_pushcclosure(L, c_function, 1);
  lua_getinfo(L, ">SlnutL", &ar);
  print_info(&ar, "Slnut");
  stack(L, "active lines of C");
  lua_pop(L, 1);
  lua_pushcfunction(L, c_function);
  printf("bad option %d\n", lua_getinfo(L, ">SX", &ar));
  CHECK(lua_gettop(L) == 0);
  for (int n = 1; n <= 4; n++) {
    load(L, "local function f(first, second, ...) local third end return f");
    lua_call(L, 0, 1);
    const char *name = lua_getlocal(L, NULL, n);
    printf("parameter %d %s\n", n, name ? name : "none");
    CHECK(lua_gettop(L) == 1);
    lua_pop(L, 1);
  }
  lua_pushcfunction(L, c_function);
  CHECK(lua_getlocal(L, NULL, 1) == NULL && lua_gettop(L) == 1);
  return 0;
}

static int inspect(lua_State *L) {
  lua_Debug ar;
  for (int level = 0; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "S", &ar);
    if (level == 0 || strcmp(ar.what, "C") != 0) {
      printf("%d ", level);
      lua_getinfo(L, "nSltu", &ar);
      ar.source = "", ar.srclen = 0;
      print_info(&ar, "nSltu");
    } else {
      printf("%d C function %s\n", level, lua_getinfo(L, "n", &ar) && ar.name ? ar.name : "?");
    }
  }
  return 0;
}
static int of_frames(lua_State *L) {
  lua_register(L, "inspect", inspect);
  run(L, "plain", "inspect()");
  run(L, "nested", "local function a() inspect() end\nlocal t = {b = function() a()\n return 1 end}\nfunction t:c() return (self.b()) end\nt:c()");
  run(L, "tail", "local function a() return inspect() end\nreturn a()");
  run(L, "metamethods", "local m = setmetatable({}, {__index = inspect, __add = inspect, __lt = inspect, __concat = inspect, __close = inspect, __eq = inspect, __unm = inspect, __len = inspect})\n"
    "local _ = m.x\n_ = m + 1\n_ = m < m\n_ = m .. m\n_ = m == setmetatable({}, getmetatable(m))\n_ = -m\n_ = #m do local c <close> = m end");
  run(L, "iterator", "for _ in inspect do end");
  run(L, "callbacks", "string.gsub('x', 'x', inspect) pcall(inspect) table.sort({1, 2}, function(a, b) inspect() return a < b end)");
  run(L, "coroutine", "coroutine.wrap(function() inspect() end)()");
  run(L, "finalizer", "collectgarbage('stop') setmetatable({}, {__gc = function() inspect() end}) collectgarbage() collectgarbage('restart')");
  return 0;
}

static int locals_of_caller(lua_State *L) {
  lua_Debug ar;
  lua_getstack(L, 1, &ar);
  for (int n = -3; n <= 3; n++) {
    const char *name = lua_getlocal(L, &ar, n);
    printf(" %d %s", n, name ? name : "none");
    if (name) {
      putchar('=');
      show_value(L, -1);
      lua_pop(L, 1);
    }
  }
  puts("");
  lua_pushliteral(L, "changed");
  printf(" set %s", lua_setlocal(L, &ar, 2));
  lua_pushliteral(L, "vararg changed");
  const char *vararg = lua_setlocal(L, &ar, -1);
  printf(" set %s", vararg ? vararg : "none");
  lua_settop(L, 0);
  lua_pushnil(L);
  const char *none = lua_setlocal(L, &ar, 100);
  printf(" set %s\n", none ? none : "none");
  CHECK(lua_gettop(L) == 1);
  lua_settop(L, 0);
  lua_getstack(L, 0, &ar);
  lua_pushinteger(L, 77);
  const char *name = lua_getlocal(L, &ar, 1);
  printf(" own %s ", name);
  show_value(L, -1);
  puts("");
  lua_settop(L, 0);
  return 0;
}
static int of_locals(lua_State *L) {
  lua_register(L, "locals", locals_of_caller);
  run(L, "locals", "local function f(a, b, ...) local c = 'see' do local hidden = 1 end for i = 5, 5 do locals() end return a, b, c, ... end return f(1, 2, 'v1', 'v2')");
  stack(L, "after");
  lua_settop(L, 0);
  run(L, "in a loop", "local s = '' for i = 1, 100 do local n = i local function g(x, y) if n == 50 then locals() end return y end s = s .. tostring(g(1, i % 2)):sub(1, 1) end return s");
  stack(L, "after");
  return 0;
}

static int traceback_here(lua_State *L) {
  luaL_traceback(L, L, lua_tostring(L, 1), (int)luaL_optinteger(L, 2, 0));
  return 1;
}
static int tracebacks(lua_State *L) {
  lua_register(L, "tb", traceback_here);
  run(L, "plain", "return (tb('message'))");
  show(L, "traceback", -1);
  run(L, "nested", "local function f() return (tb('m', 1)) end\nlocal t = {}\nfunction t.g() local r = f() return r end\nglobal_function = function() local r = t.g() return r end\nreturn (global_function())");
  show(L, "traceback", -1);
  run(L, "null", "return (tb(nil, 1))");
  show(L, "traceback", -1);
  run(L, "too high", "return (tb('m', 50))");
  show(L, "traceback", -1);
  run(L, "deep", "local function f(n) if n == 0 then return (tb('deep')) end local r = f(n - 1) return r end return (f(60))");
  show(L, "traceback", -1);
  run(L, "tail calls", "local function f() return (tb('tail')) end local function g() return f() end return (g())");
  show(L, "traceback", -1);
  lua_State *T = lua_newthread(L);
  int n;
  load(T, "local function inner() coroutine.yield() end\ninner()");
  lua_resume(T, L, 0, &n);
  luaL_traceback(L, T, "thread", 0);
  show(L, "thread", -1);
  luaL_traceback(L, T, NULL, 1);
  show(L, "thread from 1", -1);
  lua_Debug ar;
  int levels = 0;
  while (lua_getstack(T, levels, &ar)) levels++;
  printf("%d levels, negative %d\n", levels, lua_getstack(T, -1, &ar));
  lua_getstack(T, 1, &ar), lua_getinfo(T, "nSl", &ar);
  print_info(&ar, "nl");
  lua_settop(L, 0);
  lua_State *E = lua_newthread(L);
  printf("empty thread %d\n", lua_getstack(E, 0, &ar));
  luaL_traceback(L, E, "empty", 0), show(L, "empty", -1);
  return 0;
}

static const Test tests[] = {TEST(of_functions), TEST(of_frames), TEST(of_locals), TEST(tracebacks)};
MAIN(tests)
