/* Continuations: calls and protected calls of C functions that yields pass, and yields of C functions themselves. */
#include <stdint.h>

#include "t.h"

static int finish(lua_State *L, int status, lua_KContext ctx) {
  printf("continuation %d, status %s, ", (int)ctx, status_name(status));
  stack(L, "sees");
  return lua_gettop(L);
}

/* yielder(...) yields its arguments, then returns what it is resumed with. */
static int yielder(lua_State *L) { return lua_yield(L, lua_gettop(L)); }
static int yielder_k(lua_State *L) {
  lua_pushliteral(L, "pushed by yielder_k");
  return lua_yieldk(L, lua_gettop(L) - 1, 7, finish);
}

/* callk(f, ...) and pcallk(f, ...), with and without continuation. After an error either lua_pcallk returns or the continuation goes on: the
   tests do not say which. */
static int call_k(lua_State *L) {
  lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 1, finish);
  return finish(L, LUA_OK, 100);
}
static int call_plain(lua_State *L) {
  lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
  return lua_gettop(L);
}
static int pcall_k(lua_State *L) {
  int status = lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 2, finish);
  return finish(L, status, status == LUA_OK ? 200 : 2);
}
static int pcall_plain(lua_State *L) {
  lua_pushinteger(L, lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0));
  return lua_gettop(L);
}
static int handle(lua_State *L) {
  lua_pushfstring(L, "handled %s", luaL_tolstring(L, 1, NULL));
  return 1;
}
/* xpcall_k(f, ...): the handler waits below. */
static int xpcall_k(lua_State *L) {
  lua_pushcfunction(L, handle);
  lua_insert(L, 1);
  int status = lua_pcallk(L, lua_gettop(L) - 2, 2, 1, (lua_KContext)(intptr_t)-5, finish);
  return finish(L, status, status == LUA_OK ? 300 : -5);
}

static void functions(lua_State *L) {
  lua_register(L, "yielder", yielder);
  lua_register(L, "yielder_k", yielder_k);
  lua_register(L, "call_k", call_k);
  lua_register(L, "call_plain", call_plain);
  lua_register(L, "pcall_k", pcall_k);
  lua_register(L, "pcall_plain", pcall_plain);
  lua_register(L, "xpcall_k", xpcall_k);
}

/* Runs code as a coroutine, resumed with r1, r2 ... until it is dead; prints each step. */
static void drive(lua_State *L, const char *what, const char *code) {
  printf("-- %s\n", what);
  lua_State *T = lua_newthread(L);
  load(T, code);
  for (int i = 1; i <= 20; i++) {
    int n = 0;
    int nargs = 0;
    if (i > 1) lua_pushfstring(T, "r%d", i - 1), nargs = 1;
    int status = lua_resume(T, L, nargs, &n);
    if (status > LUA_YIELD) {
      printf("%d: ", i);
      outcome(T, "ended", status);
      lua_resetthread(T);
      break;
    }
    printf("%d: %s", i, status_name(status));
    for (int k = lua_gettop(T) - n + 1; k <= lua_gettop(T); k++) putchar(' '), show_value(T, k);
    puts("");
    if (status == LUA_OK) break;
    lua_pop(T, n);
  }
  lua_pop(L, 1);
}

static int yields(lua_State *L) {
  functions(L);
  drive(L, "yield", "local a = yielder(1, 2) return a, yielder()");
  drive(L, "yield with continuation", "return 'back', yielder_k('a', 'b')");
  drive(L, "tail call", "return yielder(5)");
  drive(L, "tail call with continuation", "return yielder_k(5)");
  drive(L, "loop", "local s = '' for i = 1, 4 do s = s .. yielder(i) end return s");
  drive(L, "as body", "yielder(3) error('after')");
  return 0;
}

static int calls(lua_State *L) {
  functions(L);
  drive(L, "no yield", "return call_k(function(...) return ... end, 1, 2)");
  drive(L, "callk", "return 'r', call_k(function(...) return 'f', coroutine.yield(...) end, 1, 2)");
  drive(L, "callk of C", "return call_k(yielder, 1)");
  drive(L, "callk of callk", "return call_k(call_k, call_k, function() yielder(1) yielder(2) return 3 end)");
  drive(L, "without", "return call_plain(function() return coroutine.yield(1) end)");
  drive(L, "without, caught", "return pcall(call_plain, function() return coroutine.yield(1) end)");
  drive(L, "without inside with", "return call_k(call_plain, function() return coroutine.yield(1) end)");
  drive(L, "error after a yield", "call_k(function() yielder(1) error('oops', 0) end)");
  drive(L, "error in Lua pcall", "return pcall(call_k, function() yielder(1) error('oops', 0) end)");
  return 0;
}

static int pcalls(lua_State *L) {
  functions(L);
  drive(L, "no yield", "return pcall_k(function(...) return ... end, 1, 2)");
  drive(L, "error", "return pcall_k(error, 'e')");
  drive(L, "yield", "return pcall_k(function(...) return 'f', coroutine.yield(...) end, 1, 2)");
  drive(L, "yield, then error", "return pcall_k(function() yielder(1) error('late', 0) end)");
  drive(L, "yield, then runtime error", "return pcall_k(function() yielder(1) local x = nil; return x.y end)");
  drive(L, "nested", "return pcall_k(pcall_k, function() yielder(1) error('inner', 0) end)");
  drive(L, "error through", "return pcall_k(call_k, function() yielder(1) error({}) end)");
  drive(L, "handler", "return xpcall_k(function() yielder(1) error('late', 0) end)");
  drive(L, "handler, no error", "return xpcall_k(function() return yielder(1), 2, 3 end)");
  drive(L, "without", "return pcall_plain(function() return coroutine.yield(1) end)");
  drive(L, "of Lua's", "return pcall(pcall_k, pcall, function() yielder('x') error('e', 0) end)");
  drive(L, "several", "for i = 1, 3 do pcall_k(function() yielder(i) if i == 2 then error('two', 0) end end) end return 'end'");
  return 0;
}

static int metamethods(lua_State *L) {
  functions(L);
  run(L, "objects", "m = setmetatable({}, {__index = function(t, k) return yielder(k) end, __add = yielder, __lt = yielder, __concat = yielder, __len = yielder,"
    " __eq = yielder, __call = yielder, __newindex = yielder, __close = yielder, __unm = yielder}) n = setmetatable({}, getmetatable(m))");
  drive(L, "index", "return m.field");
  drive(L, "add", "return #yielder(1), (select('#', m + 1))");
  drive(L, "less", "return m < n, m == n");
  drive(L, "concat", "return m .. 'x' .. 'y'");
  drive(L, "call", "return m(1)");
  drive(L, "newindex", "m.x = 5 return 'set'");
  drive(L, "close", "do local x <close> = m end return 'closed'");
  drive(L, "close with an error", "local ok, e = pcall(function() local x <close> = m error('E', 0) end) return ok, e");
  drive(L, "iterator", "local s = '' for v in yielder do s = s .. v if #s > 4 then return s end end");
  drive(L, "through the API", "return call_plain(function() return m.field end)");
  drive(L, "in sort", "table.sort({3, 2, 1}, yielder)");
  drive(L, "in gsub", "return ('x'):gsub('x', yielder)");
  return 0;
}

static int index_k_done(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  lua_pushinteger(L, (lua_Integer)ctx);
  return 1;
}
/* A metamethod written in C that yields with a continuation. */
static int index_k(lua_State *L) {
  return lua_yieldk(L, 1, 1234, index_k_done);
}
/* A continuation that yields again, until ctx is 0. */
static int again(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  if (ctx == 0) {
    lua_pushliteral(L, "done");
    return 1;
  }
  lua_pushinteger(L, (lua_Integer)ctx);
  return lua_yieldk(L, 1, ctx - 1, again);
}
static int countdown(lua_State *L) { return again(L, LUA_OK, (lua_KContext)luaL_checkinteger(L, 1)); }
/* A continuation that calls with a continuation; one that fails. */
static int call_again(lua_State *L, int status, lua_KContext ctx) {
  printf("%d %s\n", (int)ctx, status == LUA_YIELD ? "OK" : status_name(status));
  while (ctx-- > 0) {
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, (lua_Integer)ctx);
    status = lua_pcallk(L, 1, 1, 0, ctx, call_again);
    printf("%d %s\n", (int)ctx, status_name(status));
  }
  return 1;
}
static int repeat_call(lua_State *L) { return call_again(L, LUA_OK, 3); }
static int fail(lua_State *L, int status, lua_KContext ctx) {
  (void)status, (void)ctx;
  return luaL_error(L, "continuation fails");
}
static int fail_later(lua_State *L) { return lua_yieldk(L, 0, 0, fail); }
static int chains(lua_State *L) {
  functions(L);
  lua_register(L, "countdown", countdown);
  lua_register(L, "repeat_call", repeat_call);
  lua_register(L, "fail_later", fail_later);
  lua_register(L, "index_k", index_k);
  drive(L, "countdown", "return 'r', countdown(4)");
  drive(L, "repeat", "return repeat_call(function(i) return 'v' .. i .. yielder(i) end)");
  drive(L, "repeat without yield", "return repeat_call(function(i) if i == 1 then error('e', 0) end return i end)");
  drive(L, "repeat with errors", "return repeat_call(function(i) yielder(i) if i == 1 then error('e', 0) end return i end)");
  drive(L, "failing", "return pcall(fail_later)");
  drive(L, "failing in pcallk", "return pcall_k(fail_later)");
  drive(L, "failing, not caught", "fail_later()");
  drive(L, "metamethod with continuation", "return setmetatable({}, {__index = index_k}).x + 1");
  drive(L, "callk inside metamethod", "return setmetatable({}, {__index = function(t, k) return call_k(yielder, k) end}).x");
  return 0;
}

/* What is pending when lua_pcallk catches an error is closed by functions that may yield. */
static int closing(lua_State *L) {
  functions(L);
  run(L, "closer", "function closer(name, f) return setmetatable({}, {__close = function(_, e) return yielder(name, e), f and f(e) end}) end");
  drive(L, "a yield", "return 'r', pcall_k(function() local x <close> = closer('x') error('e', 0) end)");
  drive(L, "after a yield", "return 'r', pcall_k(function() local x <close> = closer('x') yielder(1) error({}, 0) end)");
  drive(L, "several", "return pcall_k(function(...) local x <close> = closer('x') local y <close> = closer('y') local z <close> = nil local w <close> = closer('w') error('e', 0) end, 1, 2)");
  drive(L, "errors there", "return pcall_k(function() local x <close> = closer('x') local y <close> = closer('y', function(e) error(e .. ' y', 0) end) local z <close> = closer('z', error) error('e', 0) end)");
  drive(L, "error in the last", "return pcall_k(function() local x <close> = closer('x', function(e) error(e .. ' x', 0) end) error('e', 0) end)");
  drive(L, "calls there", "return pcall_k(function() local x <close> = closer('x', function(e) return pcall_k(call_k, yielder, 'in x') end) error('e', 0) end)");
  drive(L, "caught there", "return pcall_k(function() local x <close> = closer('x', function(e) return pcall(error, 'z'), pcall_k(error, 'w') end) error('e', 0) end)");
  drive(L, "nested", "return pcall_k(function() local x <close> = closer('x') call_k(pcall_k, function() local y <close> = closer('y') error('inner', 0) end) error('outer', 0) end)");
  drive(L, "through callk", "return pcall_k(function() local x <close> = closer('x') call_k(function() local y <close> = closer('y') call_k(error, 'deep') end) end)");
  drive(L, "in Lua pcall", "return pcall(call_k, function() local x <close> = closer('x') call_k(function() local y <close> = closer('y') error('e', 0) end) end)");
  drive(L, "not caught", "call_k(function() local x <close> = closer('x') error('e', 0) end)");
  run(L, "pending", "local log = '' local function c(name) return setmetatable({}, {__close = function(_, e) log = log .. name .. tostring(e) end}) end\n"
    "local co = coroutine.create(function() local x <close> = c('x') call_k(function() local y <close> = c('y') pcall_k(yielder, 1) error('e', 0) end) end)\n"
    "coroutine.resume(co) local ok, e = coroutine.resume(co) local before = log return ok, e, before, coroutine.close(co), log");
  stack(L, "pending");
  lua_settop(L, 0);
  drive(L, "with a handler", "return xpcall_k(function() local x <close> = closer('x') error('e', 0) end)");
  drive(L, "in a generator", "local f = coroutine.wrap(function() return pcall_k(function() local x <close> = closer('x') error('e', 0) end) end) return f(), f()");
  run(L, "closed meanwhile", "local log = '' local function c(name) return setmetatable({}, {__close = function() log = log .. name yielder(name) log = log .. '.' end}) end\n"
    "local co = coroutine.create(function() local a <close> = closer('a') pcall_k(function() local x <close> = c('x') local y <close> = c('y') error('e') end) end)\n"
    "coroutine.resume(co) collectgarbage() return coroutine.status(co), log");
  stack(L, "closed meanwhile");
  return 0;
}

/* slots(n, ...) has n slots to be closed, and returns, or raises, what comes then. */
static int slots(lua_State *L) {
  int n = (int)luaL_checkinteger(L, 1);
  for (int i = 2; i <= n + 1; i++) lua_toclose(L, i);
  return lua_gettop(L) - n - 1;
}
static int slots_fail(lua_State *L) {
  slots(L);
  return lua_error(L);
}
static int slots_end(lua_State *L, int status, lua_KContext ctx) {
  (void)status;
  return lua_gettop(L) - (int)ctx;
}
/* Yields first, and returns what is there then. */
static int slots_k(lua_State *L) {
  int n = slots(L);
  return lua_yieldk(L, 0, lua_gettop(L) - n, slots_end);
}
static int slots_yield(lua_State *L) { return lua_yield(L, slots(L)); }

/* What is pending when a C function returns, or is left by an error, is closed by functions that may yield. */
static int returning(lua_State *L) {
  functions(L);
  lua_register(L, "slots", slots);
  lua_register(L, "slots_fail", slots_fail);
  lua_register(L, "slots_k", slots_k);
  lua_register(L, "slots_yield", slots_yield);
  run(L, "closer", "function closer(name, f) return setmetatable({}, {__close = function(_, e) return yielder(name, e), f and f(e) end}) end\n"
    "function quiet(name) return setmetatable({}, {__close = function(_, e) print(name, e) end}) end\n"
    "function fails(name) return closer(name, function(e) error(tostring(e) .. ' ' .. name, 0) end) end");
  drive(L, "results", "return 'r', slots(2, closer('x'), closer('y'), 'a', 'b')");
  drive(L, "some results", "local a, b, c = slots(1, closer('x'), 'a', 'b') return c, b, a");
  drive(L, "one result", "local a = slots(1, closer('x'), 'a', 'b') return a");
  drive(L, "no results", "slots(2, closer('x'), closer('y')) return 'end'");
  drive(L, "many results", "return select('#', slots(1, closer('x'), table.unpack({}, 1, 300)))");
  drive(L, "some yield", "return slots(5, quiet('a'), closer('b'), quiet('c'), closer('d'), quiet('e'), 'r')");
  drive(L, "none yields", "return slots(3, quiet('a'), quiet('b'), quiet('c'), 'r')");
  drive(L, "tail call", "local function f(...) return slots(...) end return f(1, closer('x'), 'a'), 'end'");
  drive(L, "loop", "local s = '' for i = 1, 3 do s = s .. slots(1, closer(i), 'v') end return s");
  drive(L, "iterator", "for a in slots, 1, closer('x') do return a end return 'none'");
  drive(L, "metamethod", "local m = {__index = function(_, k) return slots(1, closer('x'), k) end, __call = slots} return setmetatable({}, m).field");
  drive(L, "index", "debug.setmetatable(1, {__index = slots}) local x = closer('x') local v = (1)[x] debug.setmetatable(1, nil) return type(v)");
  drive(L, "continued", "return slots_k(2, closer('x'), closer('y'), 'a', 'b')");
  drive(L, "ended by resume", "return slots_yield(2, closer('x'), closer('y'), 'a', 'b')");
  drive(L, "errors there", "return pcall(slots, 3, closer('x'), fails('y'), closer('z'), 'a')");
  drive(L, "errors there, twice", "return pcall(slots, 3, fails('x'), closer('y'), fails('z'), 'a')");
  drive(L, "errors there, pcallk", "return pcall_k(slots, 3, closer('x'), fails('y'), closer('z'), 'a')");
  drive(L, "errors there, handler", "return xpcall_k(slots, 3, closer('x'), fails('y'), closer('z'), 'a')");
  drive(L, "errors there, not caught", "slots(2, closer('x'), fails('y'), 'a')");
  drive(L, "calls there", "return slots(1, closer('x', function() return pcall_k(slots, 1, closer('y'), 'a') end), 'b')");
  drive(L, "nested", "return call_k(slots, 1, closer('x'), call_k(slots, 1, closer('y'), 'a'))");
  drive(L, "in Lua pcall", "return pcall(slots, 2, closer('x'), closer('y'), 'a')");
  drive(L, "in pcallk", "return pcall_k(slots, 2, closer('x'), closer('y'), 'a')");
  drive(L, "without continuation", "return pcall(call_plain, slots, 1, closer('x'), 'a')");
  drive(L, "in a wrapped one", "local f = coroutine.wrap(slots) return f(2, closer('x'), closer('y'), 'a'), f(), f()");
  drive(L, "collected meanwhile", "local c = coroutine.wrap(function() return slots(2, closer('x'), closer('y'), {'a'}, 'b' .. 'c') end)\n"
    "c() collectgarbage() c() collectgarbage() local t, s = c() return t[1], s");
  drive(L, "closed meanwhile", "local c = coroutine.create(function() return slots(3, quiet('x'), closer('y'), quiet('z'), 'a') end)\n"
    "coroutine.resume(c) return coroutine.close(c), coroutine.status(c)");
  drive(L, "error", "return pcall(slots_fail, 2, closer('x'), closer('y'), 'e')");
  drive(L, "error, errors there", "return pcall(slots_fail, 3, closer('x'), fails('y'), closer('z'), 'e')");
  drive(L, "error in pcallk", "return pcall_k(slots_fail, 2, closer('x'), closer('y'), 'e')");
  drive(L, "error with a handler", "return xpcall_k(slots_fail, 2, closer('x'), closer('y'), 'e')");
  drive(L, "error through callk", "return pcall_k(call_k, slots_fail, 2, closer('x'), closer('y'), 'e')");
  drive(L, "error through a call", "return pcall(call_plain, slots_fail, 2, closer('x'), closer('y'), 'e')");
  drive(L, "error through a call in pcallk", "return pcall_k(call_plain, slots_fail, 2, closer('x'), closer('y'), 'e')");
  drive(L, "error of Lua through a call", "return pcall(call_plain, function() local x <close> = closer('x') error('e', 0) end)");
  drive(L, "error through a metamethod", "local t = setmetatable({}, {__index = function() local x <close> = closer('x') error('e', 0) end}) return pcall(call_plain, function() return t.x end)");
  drive(L, "error in a plain pcall", "return pcall_plain(slots_fail, 1, quiet('x'), 'e')");
  drive(L, "error, yield in a plain pcall", "return pcall_plain(slots_fail, 1, closer('x'), 'e')");
  drive(L, "error, not caught", "call_plain(slots_fail, 2, quiet('x'), closer('y'), 'e')");
  drive(L, "order", "local c = coroutine.create(function() call_plain(slots_fail, 1, quiet('x'), 'e') end)\n"
    "print(coroutine.resume(c)) print('dead') print(coroutine.close(c))");
  return 0;
}

static int outside(lua_State *L) {
  printf("yieldable %d\n", lua_isyieldable(L));
  return lua_yield(L, 0);
}
static int not_a_coroutine(lua_State *L) {
  protect(L, "main thread", outside);
  lua_register(L, "outside", outside);
  run(L, "from Lua", "outside()");
  run(L, "inside", "return coroutine.wrap(function() return outside() end)()");
  stack(L, "inside");
  lua_settop(L, 0);
  run(L, "in a comparison", "return coroutine.wrap(function() table.sort({1, 2}, outside) end)()");
  return 0;
}

/* The same through the coroutine library, with collections in between. */
static int library(lua_State *L) {
  functions(L);
  lua_register(L, "countdown", countdown);
  run(L, "generators",
    "local function gen(n) return coroutine.wrap(function() for i = 1, n do call_k(yielder, i) if i % 5 == 0 then collectgarbage() end end end) end\n"
    "local s = 0 for v in gen(12) do s = s + v end\n"
    "local c = coroutine.create(pcall_k) local ok, v = coroutine.resume(c, countdown, 5) while coroutine.status(c) ~= 'dead' do s = s + v ok, v = coroutine.resume(c) end\n"
    "return s, ok, v");
  stack(L, "generators");
  lua_settop(L, 0);
  run(L, "closing", "local log = {} local c = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() log[#log + 1] = 'closed' end}) call_k(yielder, 1) end)\n"
    "coroutine.resume(c) local ok = coroutine.close(c) return ok, coroutine.status(c), #log");
  stack(L, "closing");
  lua_settop(L, 0);
  run(L, "dropped", "for i = 1, 200 do local c = coroutine.wrap(function() pcall_k(call_k, yielder, i) end) c() end collectgarbage()");
  return 0;
}

static const Test tests[] = {TEST(yields), TEST(calls), TEST(pcalls), TEST(metamethods), TEST(chains), TEST(closing), TEST(returning), TEST(not_a_coroutine), TEST(library)};
MAIN(tests)
