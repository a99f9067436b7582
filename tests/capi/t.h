/*
** What the test programs share. Each program runs its tests one after the other, each in a state of its own, and prints what it sees; the
** output is compared with that of the reference implementation. Nothing that differs between runs may be printed: no addresses, no times.
*/
#ifndef t_h
#define t_h

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"

/* Newer than Debian 12's library: null there. */
#pragma weak lua_closethread

typedef struct Test {
  const char *name;
  lua_CFunction run;
} Test;

#define TEST(f) {#f, f}

/* A statement about what must hold. */
#define CHECK(condition) \
  do { \
    if (!(condition)) printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition); \
  } while (0)

/* Prints the bytes of a string so that it stays one line. */
static inline void print_bytes(const char *s, size_t size) {
  putchar('"');
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c == '"' || c == '\\') printf("\\%c", c);
    else if (c == '\n') fputs("\\n", stdout);
    else if (c < 32 || c > 126) printf("\\%d", c);
    else putchar(c);
  }
  putchar('"');
}

/* Prints the value at an index: content where there is one, else the type. */
static inline void show_value(lua_State *L, int i) {
  size_t size;
  const char *s;
  switch (lua_type(L, i)) {
    case LUA_TNIL: fputs("nil", stdout); break;
    case LUA_TBOOLEAN: fputs(lua_toboolean(L, i) ? "true" : "false", stdout); break;
    case LUA_TNUMBER:
      if (lua_isinteger(L, i)) printf(LUA_INTEGER_FMT, lua_tointeger(L, i));
      else printf("%.17g%s", lua_tonumber(L, i), lua_tonumber(L, i) == (lua_Number)(long)lua_tonumber(L, i) ? ".0" : "");
      break;
    case LUA_TSTRING:
      s = lua_tolstring(L, i, &size);
      print_bytes(s, size);
      break;
    case LUA_TLIGHTUSERDATA: fputs("light", stdout); break;
    default: fputs(lua_typename(L, lua_type(L, i)), stdout); break;
  }
}

static inline void show(lua_State *L, const char *what, int i) {
  printf("%s: ", what);
  show_value(L, i);
  putchar('\n');
}

/* Prints the whole stack, from the bottom. */
static inline void stack(lua_State *L, const char *what) {
  printf("%s [%d]", what, lua_gettop(L));
  for (int i = 1; i <= lua_gettop(L); i++) {
    putchar(' ');
    show_value(L, i);
  }
  putchar('\n');
}

static inline const char *status_name(int status) {
  static const char *const names[] = {"OK", "YIELD", "ERRRUN", "ERRSYNTAX", "ERRMEM", "ERRERR", "ERRFILE"};
  return status >= 0 && status <= 6 ? names[status] : "?";
}

/* Prints a status, and pops and prints the error value if it is one. */
static inline void outcome(lua_State *L, const char *what, int status) {
  printf("%s: %s", what, status_name(status));
  if (status > LUA_YIELD) {
    putchar(' ');
    show_value(L, -1);
    lua_pop(L, 1);
  }
  putchar('\n');
}

/* Compiles a chunk; ends the program if it does not compile. */
static inline void load(lua_State *L, const char *code) {
  if (luaL_loadbuffer(L, code, strlen(code), "=code") != LUA_OK) {
    printf("FAILED to load: %s\n", lua_tostring(L, -1));
    exit(1);
  }
}

/* Runs Lua code in a protected call and prints how it ended; results stay on the stack. */
static inline int run(lua_State *L, const char *what, const char *code) {
  load(L, code);
  int status = lua_pcall(L, 0, LUA_MULTRET, 0);
  outcome(L, what, status);
  return status;
}

/* Calls a C function without arguments in a protected call and prints how it ended. */
static inline int protect(lua_State *L, const char *what, lua_CFunction f) {
  lua_pushcfunction(L, f);
  int status = lua_pcall(L, 0, 0, 0);
  outcome(L, what, status);
  return status;
}

/* A print that shares the buffer of stdout with the program. */
static inline int t_print(lua_State *L) {
  int n = lua_gettop(L);
  for (int i = 1; i <= n; i++) {
    size_t size;
    const char *s = luaL_tolstring(L, i, &size);
    if (i > 1) putchar('\t');
    fwrite(s, 1, size, stdout);
    lua_pop(L, 1);
  }
  putchar('\n');
  return 0;
}

static inline int run_tests(const Test *tests, size_t count) {
  for (size_t i = 0; i < count; i++) {
    printf("== %s\n", tests[i].name);
    lua_State *L = luaL_newstate();
    if (L == NULL) {
      puts("FAILED: no state");
      return 1;
    }
    luaL_openlibs(L);
    lua_register(L, "print", t_print);
    lua_pushcfunction(L, tests[i].run);
    int status = lua_pcall(L, 0, 0, 0);
    if (status != LUA_OK) {
      printf("FAILED with status %d: ", status);
      show_value(L, -1);
      putchar('\n');
      lua_pop(L, 1);
    }
    CHECK(lua_gettop(L) == 0);
    lua_close(L);
    fflush(stdout);
  }
  return 0;
}

#define MAIN(tests) \
  int main(void) { \
    setvbuf(stdout, NULL, _IOFBF, 1 << 16); \
    return run_tests(tests, sizeof(tests) / sizeof((tests)[0])); \
  }

#endif
