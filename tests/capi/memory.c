/* nostress: stress moves stacks without asking the allocator first.
   Host allocators: counted, limited, and refusing at the n-th request, for n = 1 until everything succeeds. */
#include "t.h"

typedef struct Heap { long blocks, bytes, limit, until_refusal; int wrong, fills; } Heap;

/* Keeps the size before each block, to see that the sizes given back are right. */
static void *allocate(void *ud, void *block, size_t old_size, size_t size) {
  Heap *h = ud;
  size_t *p = block ? (size_t *)block - 2 : NULL;
  if (p && *p != old_size) h->wrong++;
  if (size == 0) {
    if (p) h->blocks--, h->bytes -= (long)old_size, free(p);
    return NULL;
  }
  size_t before = p ? old_size : 0;
  if (size > before) {
    if (h->until_refusal && --h->until_refusal == 0) {
      h->until_refusal = 1;
      return NULL;
    }
    if (h->limit && h->bytes + (long)(size - before) > h->limit) return NULL;
  }
  p = realloc(p, size + 2 * sizeof *p);
  if (p == NULL) return NULL;
  *p = size;
  h->bytes += (long)size - (long)before;
  h->blocks += block == NULL;
  /* the next large piece takes all that there is */
  if (h->fills && size - before >= 4096) h->fills = 0, h->limit = h->bytes;
  return p + 2;
}

static int work(lua_State *L) {
  luaL_openlibs(L);
  luaL_Buffer b;
  lua_newtable(L);
  luaL_buffinit(L, &b);
  for (int i = 0; i < 300; i++) luaL_addstring(&b, "0123456789");
  luaL_pushresult(&b);
  lua_setfield(L, 1, "text");
  lua_State *T = lua_newthread(L);
  if (luaL_loadstring(T, "local t = {} for i = 1, 50 do t[i] = {i, x = i .. ''} coroutine.yield(t) end return t") != LUA_OK) {
    lua_xmove(T, L, 1);
    return lua_error(L);
  }
  int n;
  for (int i = 0; i < 5; i++) {
    int status = lua_resume(T, L, 0, &n);
    if (status > LUA_YIELD) {
      lua_xmove(T, L, 1);
      return lua_error(L);
    }
    lua_pop(T, n);
  }
  if (luaL_dostring(L, "local s = 0 for w in ('a b c d'):gmatch('%a') do s = s + #w end return s, string.rep('x', 1000), table.concat({1, 2, 3}, ',')") != LUA_OK) return lua_error(L);
  lua_newuserdatauv(L, 5000, 3);
  lua_pushcclosure(L, work, 1);
  lua_pushfstring(L, "%s %d %f", "text", 1, 2.5);
  luaL_ref(L, LUA_REGISTRYINDEX);
  luaL_newmetatable(L, "type");
  luaL_traceback(L, L, "trace", 0);
  luaL_checkstack(L, 3000, "room");
  lua_pushliteral(L, "finished");
  return 1;
}

static int counting(lua_State *L) {
  Heap h = {0, 0, 0, 0, 0, 0};
  (void)L;
  lua_State *S = lua_newstate(allocate, &h);
  CHECK(S != NULL && h.bytes > 0);
  void *ud = NULL;
  CHECK(lua_getallocf(S, &ud) == allocate && ud == &h);
  CHECK(lua_getallocf(S, NULL) == allocate);
  lua_pushcfunction(S, work);
  outcome(S, "work", lua_pcall(S, 0, 1, 0));
  show(S, "result", -1);
  lua_gc(S, LUA_GCCOLLECT);
  long kb = lua_gc(S, LUA_GCCOUNT);
  CHECK(kb > 0 && kb <= h.bytes / 1024 + 1);
  long before = h.bytes;
  lua_newuserdatauv(S, 1000000, 0);
  CHECK(h.bytes > before + 1000000);
  lua_settop(S, 0);
  lua_gc(S, LUA_GCCOLLECT);
  CHECK(h.bytes < before + 1000000);
  Heap other = h;
  lua_setallocf(S, allocate, &other);
  CHECK(lua_getallocf(S, &ud) == allocate && ud == &other);
  lua_newuserdatauv(S, 1000000, 0);
  CHECK(other.bytes > h.bytes);
  lua_close(S);
  printf("left: %ld blocks, %ld bytes, %d wrong sizes\n", other.blocks, other.bytes, other.wrong + h.wrong);
  return 0;
}

/* With a finite amount of refusals every attempt either fails cleanly or succeeds. */
static int refusing(lua_State *L) {
  long n, no_state = 0, failed = 0;
  (void)L;
  for (n = 1; n < 1000000; n = n < 300 ? n + 1 : n + n / 64) {
    Heap h = {0, 0, 0, n, 0, 0};
    lua_State *S = lua_newstate(allocate, &h);
    int done = 0;
    if (S == NULL) {
      no_state++;
    } else {
      lua_pushcfunction(S, work);
      int status = lua_pcall(S, 0, 1, 0);
      if (status == LUA_OK) {
        done = 1;
      } else {
        failed++;
        CHECK(status == LUA_ERRMEM || status == LUA_ERRRUN || status == LUA_ERRERR);
        /* lua_checkstack only says no */
        CHECK(strstr(lua_tostring(S, -1), "not enough memory") != NULL || strcmp(lua_tostring(S, -1), "stack overflow (room)") == 0);
        /* with memory again the state works */
        h.until_refusal = 0;
        lua_settop(S, 0);
        CHECK(!luaL_dostring(S, "local t = {} for i = 1, 1000 do t[i] = {i} end return #t") && lua_tointeger(S, -1) == 1000);
      }
      lua_close(S);
    }
    if (h.blocks != 0 || h.bytes != 0 || h.wrong != 0) {
      printf("FAILED at request %ld: %ld blocks, %ld bytes left, %d wrong sizes\n", n, h.blocks, h.bytes, h.wrong);
      break;
    }
    if (done) break;
  }
  CHECK(no_state > 0 && failed > 0);
  return 0;
}

static int grow_table(lua_State *L) {
  lua_newtable(L);
  for (int i = 1; i < 100000000; i++) lua_pushinteger(L, i), lua_rawseti(L, 1, i);
  return 0;
}
static int grow_string(lua_State *L) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (int i = 0; i < 100000000; i++) luaL_addstring(&b, "0123456789");
  return 0;
}
static int grow_stack(lua_State *L) {
  for (int i = 0; i < 990000; i++) {
    if (!lua_checkstack(L, 1)) return luaL_error(L, "no room");
    lua_pushinteger(L, i);
  }
  return 0;
}
static int grow_userdata(lua_State *L) {
  lua_newtable(L);
  for (int i = 1; i < 100000; i++) lua_newuserdatauv(L, 1000, 0), lua_rawseti(L, 1, i);
  return 0;
}
static int grow_in_lua(lua_State *L) {
  load(L, "local t = {} for i = 1, 1e9 do t[i] = {i} end");
  lua_call(L, 0, 0);
  return 0;
}
static int one_huge(lua_State *L) {
  lua_newuserdatauv(L, 100000000, 0);
  return 0;
}
static int limited(lua_State *L) {
  static const lua_CFunction growers[] = {grow_table, grow_string, grow_stack, grow_userdata, grow_in_lua, one_huge};
  (void)L;
  for (int i = 0; i < 6; i++) {
    Heap h = {0, 0, 4000000, 0, 0, 0};
    lua_State *S = lua_newstate(allocate, &h);
    lua_pushcfunction(S, growers[i]);
    int status = lua_pcall(S, 0, 0, 0);
    printf("%d: %s %d\n", i, status_name(status), h.bytes <= h.limit);
    if (i != 2) show(S, "message", -1);
    lua_settop(S, 0);
    lua_gc(S, LUA_GCCOLLECT);
    outcome(S, "afterwards", luaL_dostring(S, "local t = {} for i = 1, 1000 do t[i] = i end return #t"));
    lua_close(S);
    CHECK(h.blocks == 0 && h.bytes == 0 && h.wrong == 0);
  }
  return 0;
}

/* Values that a resume hands over when there is no memory for a larger stack. */
static Heap *running;
static int give_many(lua_State *L) {
  luaL_checkstack(L, 5000, NULL);
  for (int i = 0; i < 5000; i++) lua_pushinteger(L, i);
  running->limit = running->bytes;
  return lua_yield(L, 5000);
}
static int return_many(lua_State *L) {
  luaL_checkstack(L, 5000, NULL);
  for (int i = 0; i < 5000; i++) lua_pushinteger(L, i);
  running->limit = running->bytes;
  return 5000;
}
static int take_many(lua_State *L) {
  lua_pushinteger(L, lua_gettop(L));
  return 1;
}
static int more(lua_State *L) {
  (void)L;
  running->limit = 0;
  return 0;
}
static int handing_over(lua_State *L) {
  static const char *const codes[] = {
    "local c = coroutine.create(give_many) local ok, msg = coroutine.resume(c) more() return ok, msg, coroutine.status(c), select('#', coroutine.resume(c, 1, 2)), coroutine.status(c)",
    "local f = coroutine.wrap(give_many) local ok, msg = pcall(f) more() return ok, msg, select('#', f(1, 2))",
    "local c = coroutine.create(function() return return_many() end) local ok, msg = coroutine.resume(c) more() return ok, msg, coroutine.status(c)",
    "local f = coroutine.wrap(function() return return_many() end) local ok, msg = pcall(f) more() return ok, msg",
  };
  (void)L;
  for (int i = 0; i < 6; i++) {
    Heap h = {0, 0, 0, 0, 0, 0};
    running = &h;
    lua_State *S = lua_newstate(allocate, &h);
    luaL_openlibs(S);
    lua_register(S, "give_many", give_many);
    lua_register(S, "return_many", return_many);
    lua_register(S, "take_many", take_many);
    lua_register(S, "more", more);
    if (i < 4) {
      outcome(S, "results", luaL_dostring(S, codes[i]));
    } else {
      luaL_checkstack(S, 6000, NULL);
      CHECK(!luaL_dostring(S, i == 4 ? "local c = coroutine.create(take_many) return function(...) return coroutine.resume(c, ...) end" : "return coroutine.wrap(take_many)"));
      lua_pushvalue(S, 1);
      for (int k = 0; k < 5000; k++) lua_pushinteger(S, k);
      /* the function that gets them needs the room twice */
      lua_checkstack(S, 20000);
      h.limit = h.bytes;
      outcome(S, "arguments", lua_pcall(S, 5000, LUA_MULTRET, 0));
      h.limit = 0;
      stack(S, "refused");
      lua_settop(S, 1);
      for (int k = 0; k < 5000; k++) lua_pushinteger(S, k);
      outcome(S, "again", lua_pcall(S, 5000, LUA_MULTRET, 0));
    }
    stack(S, "left");
    lua_close(S);
    CHECK(h.blocks == 0 && h.bytes == 0 && h.wrong == 0);
  }
  return 0;
}

/* A limit slightly above what is in use acts soon, though the heap was larger before, and leaves room for garbage. */
static int tight(lua_State *L) {
  Heap h = {0, 0, 0, 0, 0, 0};
  (void)L;
  lua_State *S = lua_newstate(allocate, &h);
  luaL_openlibs(S);
  run(S, "warm", "keep = {} for i = 1, 50000 do keep[i] = {i, {}} end for i = 1, 50000 do if i % 50 ~= 0 then keep[i] = nil end end collectgarbage() collectgarbage()");
  h.limit = h.bytes + 20000;
  run(S, "garbage", "for i = 1, 200000 do local t = {i} end");
  luaL_loadstring(S, "count = 0 local t = {} for i = 1, 1e7 do t = {t, {}, {}, {}} count = i end");
  outcome(S, "tables", lua_pcall(S, 0, 0, 0));
  lua_settop(S, 0);
  lua_getglobal(S, "count");
  if (getenv("SHOW")) show(S, "count", -1);
  h.limit = 0;
  run(S, "afterwards", "local t = {} for i = 1, 1000 do t[i] = {} end return count < 10000");
  show(S, "few", -1);
  lua_close(S);
  CHECK(h.blocks == 0 && h.bytes == 0 && h.wrong == 0);
  return 0;
}

/* A limit that the host has set slightly above, or below, what is in use acts on the next object. */
static int new_userdata(lua_State *L) {
  lua_newuserdatauv(L, 100, 0);
  return 0;
}
static int new_table(lua_State *L) {
  lua_newtable(L);
  return 0;
}
static int new_array(lua_State *L) {
  lua_createtable(L, 5, 0);
  return 0;
}
static int new_string(lua_State *L) {
  lua_pushliteral(L, "a text that is nowhere else");
  return 0;
}
static int formatted(lua_State *L) {
  lua_pushfstring(L, "%d things that are nowhere else", 12345);
  return 0;
}
static int new_closure(lua_State *L) {
  lua_pushinteger(L, 1);
  lua_pushcclosure(L, new_table, 1);
  return 0;
}
static int new_thread(lua_State *L) {
  lua_newthread(L);
  return 0;
}
static int compiling(lua_State *L) {
  return luaL_loadstring(L, "return 'a text that is nowhere else'") == LUA_OK ? 0 : lua_error(L);
}
static int rep(lua_State *L) { return luaL_dostring(L, "return ('b'):rep(10)") == LUA_OK ? 0 : lua_error(L); }
static int nothing_new(lua_State *L) {
  lua_pushliteral(L, "string");
  lua_pushinteger(L, 5);
  lua_getglobal(L, "known");
  lua_call(L, 0, 1);
  CHECK(lua_tointeger(L, -1) == 5050);
  return 0;
}
static int lowered(lua_State *L) {
  static const lua_CFunction makers[] = {new_userdata, new_table, new_array, new_string, formatted, new_closure, new_thread, compiling, rep};
  (void)L;
  for (int below = 0; below < 2; below++) {
    Heap h = {0, 0, 0, 0, 0, 0};
    lua_State *S = lua_newstate(allocate, &h);
    luaL_openlibs(S);
    run(S, "function", "function known() local s = 0 for i = 1, 100 do s = s + i end return s end known()");
    run(S, "large", "large = ('a'):rep(50000)");
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
      lua_newtable(S), lua_settop(S, 0);
      lua_gc(S, LUA_GCCOLLECT);
      lua_pushcfunction(S, makers[i]);
      h.limit = below ? 1 : h.bytes + 16;
      int status = lua_pcall(S, 0, 0, 0);
      printf("%d: %s\n", (int)i, status_name(status));
      h.limit = 0;
      lua_settop(S, 0);
    }
    lua_pushcfunction(S, nothing_new);
    h.limit = 1;
    int status = lua_pcall(S, 0, 0, 0);
    h.limit = 0;
    /* Lua's own implementation makes room for calls, which it gives up in collections */
    if (strstr(lua_ident, "Traceorus")) CHECK(status == LUA_OK);
    lua_settop(S, 0);
    lua_gc(S, LUA_GCCOLLECT);
    h.limit = h.bytes + 16;
    lua_pushnil(S), lua_setglobal(S, "large");
    outcome(S, "when there is garbage", luaL_dostring(S, "return ('b'):rep(10)"));
    h.limit = 0;
    lua_close(S);
    CHECK(h.blocks == 0 && h.bytes == 0 && h.wrong == 0);
  }
  return 0;
}

/* When the last large piece has taken all that there was, what is free in it can be used. */
static int filled(lua_State *L) {
  (void)L;
  Heap h = {0, 0, 0, 0, 0, 0};
  lua_State *S = lua_newstate(allocate, &h);
  luaL_openlibs(S);
  run(S, "function", "function make(n) local t = {} for i = 1, n do t[i] = {i, i .. ''} end return t end");
  for (int i = 0; i < 5; i++) {
    h.fills = 1;
    int status = LUA_OK;
    while (h.fills && status == LUA_OK) status = luaL_dostring(S, "all = {make(100), all}");
    if (status == LUA_OK) status = luaL_dostring(S, "make(50)");
    /* Lua's own implementation asks for each object */
    if (strstr(lua_ident, "Traceorus")) CHECK(status == LUA_OK);
    lua_settop(S, 0);
    h.limit = 0;
  }
  lua_close(S);
  CHECK(h.blocks == 0 && h.bytes == 0 && h.wrong == 0);
  return 0;
}

/* A limit at what is in use leaves what garbage takes. */
static int recycling(lua_State *L) {
  (void)L;
  Heap h = {0, 0, 0, 0, 0, 0};
  lua_State *S = lua_newstate(allocate, &h);
  luaL_openlibs(S);
  run(S, "function", "function make(n) for i = 1, n do local t = {{i}, i .. ''} end end");
  load(S, "make(100000)");
  load(S, "keep = {} for i = 1, 1e6 do keep[i] = {} end");
  load(S, "for i = 1, 100000 do local t = {{i}, i .. ''} end");
  run(S, "garbage", "make(1000)");
  h.limit = h.bytes;
  outcome(S, "garbage", lua_pcall(S, 0, 0, 0));
  outcome(S, "more", lua_pcall(S, 0, 0, 0));
  lua_pushnil(S), lua_setglobal(S, "keep");
  outcome(S, "less", lua_pcall(S, 0, 0, 0));
  h.limit = 0;
  lua_close(S);
  CHECK(h.blocks == 0 && h.bytes == 0 && h.wrong == 0);
  return 0;
}

static const Test tests[] = {TEST(counting), TEST(refusing), TEST(limited), TEST(handing_over), TEST(tight), TEST(lowered), TEST(filled), TEST(recycling)};
MAIN(tests)
