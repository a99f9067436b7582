/* Loading and dumping: readers and writers of all kinds, modes, files, errors in each. */
#include <unistd.h>

#include "t.h"

typedef struct Source { const char *text; size_t size, at, step; int fail_at; int calls; } Source;

static const char *reader(lua_State *L, void *ud, size_t *size) {
  Source *s = ud;
  s->calls++;
  if (s->fail_at && s->calls >= s->fail_at) luaL_error(L, "reader fails at call %d", s->calls);
  if (s->at >= s->size) {
    *size = 0;
    return s->calls % 2 ? NULL : "";
  }
  *size = s->size - s->at < s->step ? s->size - s->at : s->step;
  s->at += *size;
  return s->text + s->at - *size;
}
static int load_text(lua_State *L, const char *text, size_t size, size_t step, int fail_at, const char *mode) {
  Source s = {text, size, 0, step, fail_at, 0};
  return lua_load(L, reader, &s, "=reader", mode);
}

static const char program[] = "local a, b = ...\nlocal function add(x, y) return x + y end\nreturn add(a, b), 'a string constant', 0x7fffffff, 1e10, function() return a end\n";

static int readers(lua_State *L) {
  static const size_t steps[] = {1, 2, 3, 7, 1000};
  for (int i = 0; i < 5; i++) {
    int status = load_text(L, program, sizeof program - 1, steps[i], 0, NULL);
    lua_pushinteger(L, 20), lua_pushinteger(L, 22);
    lua_call(L, 2, LUA_MULTRET);
    printf("%s ", status_name(status));
    stack(L, "results");
    lua_settop(L, 0);
  }
  outcome(L, "syntax", load_text(L, "x = = 1", 7, 1, 0, "t"));
  outcome(L, "unfinished string", load_text(L, "x = 'abc", 8, 2, 0, "bt"));
  outcome(L, "wrong mode", load_text(L, program, sizeof program - 1, 100, 0, "b"));
  outcome(L, "empty", load_text(L, "", 0, 1, 0, NULL));
  lua_settop(L, 0);
  for (int i = 1; i < 40; i += 6) outcome(L, "failing reader", load_text(L, program, sizeof program - 1, 5, i, NULL));
  CHECK(lua_gettop(L) == 0 || lua_isfunction(L, -1));
  lua_settop(L, 0);
  /* the chunk's first upvalue is the table of globals; name and text of null */
  Source s = {program, sizeof program - 1, 0, 10, 0, 0};
  CHECK(lua_load(L, reader, &s, NULL, NULL) == LUA_OK);
  lua_getupvalue(L, 1, 1);
  lua_pushglobaltable(L);
  CHECK(lua_rawequal(L, -1, -2));
  lua_settop(L, 1);
  lua_Debug ar;
  lua_getinfo(L, ">S", &ar);
  printf("source %s\n", ar.source);
  return 0;
}

/* A reader may use the stack as long as it leaves it as it was. */
static const char *busy_reader(lua_State *L, void *ud, size_t *size) {
  int *n = ud;
  static char piece[32];
  for (int i = 0; i < 10; i++) lua_newtable(L);
  lua_gc(L, LUA_GCCOLLECT);
  lua_pop(L, 10);
  if (++*n > 50) return NULL;
  *size = (size_t)snprintf(piece, sizeof piece, "x%d = %d\n", *n, *n);
  return piece;
}
static int busy(lua_State *L) {
  int n = 0;
  CHECK(lua_load(L, busy_reader, &n, "=busy", "t") == LUA_OK);
  lua_call(L, 0, 0);
  lua_getglobal(L, "x37");
  show(L, "x37", -1);
  return 0;
}

typedef struct Sink { char *data; size_t size, room; int fail_at, calls; } Sink;
static int writer(lua_State *L, const void *p, size_t size, void *ud) {
  Sink *s = ud;
  (void)L;
  s->calls++;
  if (s->fail_at && s->calls >= s->fail_at) return 42;
  if (s->size + size > s->room) {
    s->room = (s->size + size) * 2;
    s->data = realloc(s->data, s->room);
  }
  memcpy(s->data + s->size, p, size);
  s->size += size;
  return 0;
}
static int dumping(lua_State *L) {
  for (int strip = 0; strip < 2; strip++) {
    Sink sink = {NULL, 0, 0, 0, 0};
    load_text(L, program, sizeof program - 1, 1000, 0, "t");
    printf("dump %d", lua_dump(L, writer, &sink, strip));
    CHECK(lua_gettop(L) == 1 && sink.size > 20 && memcmp(sink.data, LUA_SIGNATURE, 4) == 0);
    lua_settop(L, 0);
    static const size_t steps[] = {1, 3, 100000};
    for (int i = 0; i < 3; i++) {
      int status = load_text(L, sink.data, sink.size, steps[i], 0, "b");
      lua_pushinteger(L, 1), lua_pushinteger(L, 2);
      lua_call(L, 2, LUA_MULTRET);
      printf(" %s ", status_name(status));
      stack(L, "results");
      lua_settop(L, 0);
    }
    outcome(L, "as text", load_text(L, sink.data, sink.size, 10, 0, "t"));
    int cuts = 0, good = 0;
    for (size_t cut = 0; cut < sink.size; cut += sink.size / 40 + 1) {
      int status = load_text(L, sink.data, cut, 1000, 0, "b");
      cuts++;
      if (status == LUA_ERRSYNTAX) good++;
      lua_settop(L, 0);
    }
    CHECK(cuts == good);
    free(sink.data);
  }
  Sink failing = {NULL, 0, 0, 1, 0};
  load_text(L, program, sizeof program - 1, 1000, 0, "t");
  int status = lua_dump(L, writer, &failing, 0);
  printf("failing writer %d, %d calls\n", status, failing.calls);
  free(failing.data);
  lua_pushcfunction(L, dumping);
  Sink none = {NULL, 0, 0, 0, 0};
  status = lua_dump(L, writer, &none, 0);
  printf("C function %d, %d calls\n", status, none.calls);
  return 0;
}

static int error_writer(lua_State *L, const void *p, size_t size, void *ud) {
  (void)p, (void)size, (void)ud;
  return luaL_error(L, "writer throws");
}
static int dump_with_error(lua_State *L) {
  load(L, "return 1");
  lua_dump(L, error_writer, NULL, 0);
  return 0;
}
static int throwing(lua_State *L) {
  protect(L, "dump", dump_with_error);
  return 0;
}

static int buffers(lua_State *L) {
  outcome(L, "loadstring", luaL_loadstring(L, "return 'x'"));
  outcome(L, "loadbuffer", luaL_loadbuffer(L, "return 'y' garbage", 10, "=name"));
  outcome(L, "loadbufferx", luaL_loadbufferx(L, "return 'z'", 10, "=name", "b"));
  outcome(L, "syntax", luaL_loadstring(L, "return return"));
  outcome(L, "name", luaL_loadbuffer(L, "?", 1, "@file.lua"));
  lua_settop(L, 0);
  printf("dostring %d", luaL_dostring(L, "return 1, 2, 3"));
  stack(L, "");
  lua_settop(L, 0);
  printf("dostring %d", luaL_dostring(L, "error('e', 0)"));
  stack(L, "");
  lua_settop(L, 0);
  printf("dostring %d", luaL_dostring(L, "syntax error"));
  stack(L, "");
  return 0;
}

static void write_file(const char *name, const char *text, size_t size) {
  FILE *f = fopen(name, "wb");
  fwrite(text, 1, size, f);
  fclose(f);
}
static int files(lua_State *L) {
  char name[] = "/tmp/capi-loading-XXXXXX";
  close(mkstemp(name));
  static const char *const contents[] = {"return 1, ...", "#!/usr/bin/lua\nreturn 2, debug.getinfo(1, 'l').currentline", "\xef\xbb\xbfreturn 3", "\xef\xbb\xbf# comment\nreturn 4", "#only a comment", "",
    "return", "syntax ?", "# x"};
  for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
    write_file(name, contents[i], strlen(contents[i]));
    int status = luaL_loadfile(L, name);
    if (status == LUA_OK) {
      lua_pushliteral(L, "arg");
      lua_call(L, 1, LUA_MULTRET);
      stack(L, "file");
    } else {
      luaL_gsub(L, lua_tostring(L, -1), name, "FILE");
      printf("%s ", status_name(status));
      show(L, "", -1);
    }
    lua_settop(L, 0);
  }
  Sink sink = {NULL, 0, 0, 0, 0};
  load(L, "return 'dumped'");
  lua_dump(L, writer, &sink, 0);
  write_file(name, sink.data, sink.size);
  lua_settop(L, 0);
  outcome(L, "binary", luaL_loadfilex(L, name, "b"));
  lua_call(L, 0, 1), show(L, "result", -1), lua_settop(L, 0);
  int status = luaL_loadfilex(L, name, "t");
  luaL_gsub(L, lua_tostring(L, -1), name, "FILE");
  printf("%s ", status_name(status)), show(L, "as text", -1), lua_settop(L, 0);
  char *with_comment = malloc(sink.size + 10);
  memcpy(with_comment, "# line\n", 7), memcpy(with_comment + 7, sink.data, sink.size);
  write_file(name, with_comment, sink.size + 7);
  outcome(L, "binary after a comment", luaL_loadfile(L, name));
  lua_call(L, 0, 1), show(L, "result", -1), lua_settop(L, 0);
  free(with_comment), free(sink.data);
  write_file(name, "return 5", 8);
  printf("dofile %d ", luaL_dofile(L, name));
  stack(L, "results");
  remove(name);
  lua_settop(L, 0);
  outcome(L, "missing", luaL_loadfile(L, "/no/such/file.lua"));
  outcome(L, "directory", luaL_loadfile(L, "/"));
  CHECK(lua_gettop(L) == 0);
  return 0;
}

static int from_stdin(lua_State *L) {
  /* the test's own standard input is replaced by a pipe */
  int fds[2];
  if (pipe(fds) != 0) return luaL_error(L, "no pipe");
  CHECK(write(fds[1], "return 'from a pipe'", 20) == 20);
  close(fds[1]);
  dup2(fds[0], 0);
  close(fds[0]);
  outcome(L, "stdin", luaL_loadfile(L, NULL));
  lua_call(L, 0, 1);
  show(L, "result", -1);
  return 0;
}

/* Chunks get what the registry has for the globals, whoever loads them. */
static int other_globals(lua_State *L) {
  lua_newtable(L);
  lua_pushliteral(L, "of the other table"), lua_setfield(L, 1, "where");
  lua_getglobal(L, "load"), lua_setfield(L, 1, "load");
  lua_pushvalue(L, 1);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_getglobal(L, "where"), show(L, "getglobal", -1);
  run(L, "loadbuffer", "return where, load('return where')()");
  load_text(L, "return where", 12, 5, 0, "t"), lua_call(L, 0, 1);
  stack(L, "loaded");
  return 0;
}

static const Test tests[] = {TEST(readers), TEST(busy), TEST(dumping), TEST(throwing), TEST(buffers), TEST(files), TEST(from_stdin), TEST(other_globals)};
MAIN(tests)
