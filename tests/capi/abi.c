/* Sizes, offsets and constants that are compiled into every program. Compiled with our headers and with Debian's. */
#include <stddef.h>
#include <stdio.h>

#include "lua.h"
#include "lauxlib.h"
#include "lualib.h"

#define INT(c) printf(#c " %lld\n", (long long)(c))
#define STR(c) printf(#c " %s\n", c)
#define SIZE(t) printf("sizeof(" #t ") %zu\n", sizeof(t))
#define FIELD(t, f) printf("%s.%s at %zu, %zu bytes\n", #t, #f, offsetof(t, f), sizeof(((t *)0)->f))
#define TEXT2(...) #__VA_ARGS__
#define TEXT(...) TEXT2(__VA_ARGS__)

int main(void) {
  SIZE(lua_Integer);
  SIZE(lua_Unsigned);
  SIZE(lua_Number);
  SIZE(lua_KContext);
  SIZE(lua_CFunction);
  SIZE(lua_Debug);
  FIELD(lua_Debug, event);
  FIELD(lua_Debug, name);
  FIELD(lua_Debug, namewhat);
  FIELD(lua_Debug, what);
  FIELD(lua_Debug, source);
  FIELD(lua_Debug, srclen);
  FIELD(lua_Debug, currentline);
  FIELD(lua_Debug, linedefined);
  FIELD(lua_Debug, lastlinedefined);
  FIELD(lua_Debug, nups);
  FIELD(lua_Debug, nparams);
  FIELD(lua_Debug, isvararg);
  FIELD(lua_Debug, istailcall);
  FIELD(lua_Debug, ftransfer);
  FIELD(lua_Debug, ntransfer);
  FIELD(lua_Debug, short_src);
  FIELD(lua_Debug, i_ci);
  SIZE(luaL_Buffer);
  FIELD(luaL_Buffer, b);
  FIELD(luaL_Buffer, size);
  FIELD(luaL_Buffer, n);
  FIELD(luaL_Buffer, L);
  FIELD(luaL_Buffer, init);
  SIZE(luaL_Reg);
  FIELD(luaL_Reg, name);
  FIELD(luaL_Reg, func);
  SIZE(luaL_Stream);
  FIELD(luaL_Stream, f);
  FIELD(luaL_Stream, closef);
  INT(LUA_VERSION_NUM);
  STR(LUA_VERSION_MAJOR);
  STR(LUA_VERSION_MINOR);
  STR(LUA_VERSION);
  STR(LUA_AUTHORS);
  STR(LUA_SIGNATURE + 1);
  INT(LUA_SIGNATURE[0]);
  INT(LUA_MULTRET);
  INT(LUA_REGISTRYINDEX);
  INT(lua_upvalueindex(1));
  INT(lua_upvalueindex(255));
  INT(LUA_RIDX_MAINTHREAD);
  INT(LUA_RIDX_GLOBALS);
  INT(LUA_RIDX_LAST);
  INT(LUA_MINSTACK);
  INT(LUAI_MAXSTACK);
  INT(LUA_EXTRASPACE);
  INT(LUA_IDSIZE);
  INT(LUAL_BUFFERSIZE);
  INT(LUAL_NUMSIZES);
  INT(LUA_OK), INT(LUA_YIELD), INT(LUA_ERRRUN), INT(LUA_ERRSYNTAX), INT(LUA_ERRMEM), INT(LUA_ERRERR), INT(LUA_ERRFILE);
  INT(LUA_TNONE), INT(LUA_TNIL), INT(LUA_TBOOLEAN), INT(LUA_TLIGHTUSERDATA), INT(LUA_TNUMBER), INT(LUA_TSTRING), INT(LUA_TTABLE);
  INT(LUA_TFUNCTION), INT(LUA_TUSERDATA), INT(LUA_TTHREAD), INT(LUA_NUMTYPES), INT(LUA_NUMTAGS);
  INT(LUA_OPADD), INT(LUA_OPSUB), INT(LUA_OPMUL), INT(LUA_OPMOD), INT(LUA_OPPOW), INT(LUA_OPDIV), INT(LUA_OPIDIV), INT(LUA_OPBAND);
  INT(LUA_OPBOR), INT(LUA_OPBXOR), INT(LUA_OPSHL), INT(LUA_OPSHR), INT(LUA_OPUNM), INT(LUA_OPBNOT);
  INT(LUA_OPEQ), INT(LUA_OPLT), INT(LUA_OPLE);
  INT(LUA_GCSTOP), INT(LUA_GCRESTART), INT(LUA_GCCOLLECT), INT(LUA_GCCOUNT), INT(LUA_GCCOUNTB), INT(LUA_GCSTEP), INT(LUA_GCSETPAUSE);
  INT(LUA_GCSETSTEPMUL), INT(LUA_GCISRUNNING), INT(LUA_GCGEN), INT(LUA_GCINC);
  INT(LUA_HOOKCALL), INT(LUA_HOOKRET), INT(LUA_HOOKLINE), INT(LUA_HOOKCOUNT), INT(LUA_HOOKTAILCALL);
  INT(LUA_MASKCALL), INT(LUA_MASKRET), INT(LUA_MASKLINE), INT(LUA_MASKCOUNT);
  INT(LUA_NOREF), INT(LUA_REFNIL);
  INT(LUA_MAXINTEGER), INT(LUA_MININTEGER);
  printf("LUA_MAXUNSIGNED %llu\n", (unsigned long long)LUA_MAXUNSIGNED);
  STR(LUA_INTEGER_FMT);
  STR(LUA_NUMBER_FMT);
  STR(LUA_GNAME), STR(LUA_LOADED_TABLE), STR(LUA_PRELOAD_TABLE), STR(LUA_FILEHANDLE), STR(LUA_VERSUFFIX);
  STR(LUA_COLIBNAME), STR(LUA_TABLIBNAME), STR(LUA_IOLIBNAME), STR(LUA_OSLIBNAME), STR(LUA_STRLIBNAME), STR(LUA_UTF8LIBNAME);
  STR(LUA_MATHLIBNAME), STR(LUA_DBLIBNAME), STR(LUA_LOADLIBNAME);
  STR(LUA_PATH_DEFAULT);
  STR(LUA_CPATH_DEFAULT);
  STR(LUA_DIRSEP), STR(LUA_PATH_SEP), STR(LUA_PATH_MARK), STR(LUA_EXEC_DIR);
  /* what the macros that read and write a structure do */
  luaL_Buffer b;
  b.b = b.init.b;
  b.size = LUAL_BUFFERSIZE;
  b.n = 0;
  luaL_addchar(&b, 'x');
  luaL_addchar(&b, 'y');
  luaL_addsize(&b, 5);
  luaL_buffsub(&b, 2);
  printf("%zu %d %.2s\n", luaL_bufflen(&b), luaL_buffaddr(&b) == b.b, b.b);
  lua_Integer n = 7;
  INT(lua_numbertointeger(9007199254740993.0, &n)), INT(n);
  INT(lua_numbertointeger(9223372036854775808.0, &n)), INT(n);
  INT(lua_numbertointeger(-9223372036854775808.0, &n)), INT(n);
  INT(luaL_intop(+, LUA_MAXINTEGER, 1));
  char text[100];
  lua_integer2str(text, sizeof text, LUA_MININTEGER), STR(text);
  lua_number2str(text, sizeof text, 0.1), STR(text);
  return 0;
}
