/*
** The C API of Lua 5.4, as Traceorus implements it. The reference manual of Lua 5.4 describes every function; docs/EMBEDDING.md says how to
** build programs with it. The binary interface is that of Debian's liblua5.4.
*/
#ifndef lua_h
#define lua_h

#include <stdarg.h>
#include <stddef.h>

#include "luaconf.h"

/* ---- version ---- */

#define LUA_VERSION_MAJOR "5"
#define LUA_VERSION_MINOR "4"
#define LUA_VERSION_RELEASE "8"
#define LUA_VERSION_NUM 504
#define LUA_VERSION_RELEASE_NUM (LUA_VERSION_NUM * 100 + 8)
#define LUA_VERSION "Lua " LUA_VERSION_MAJOR "." LUA_VERSION_MINOR
#define LUA_RELEASE LUA_VERSION "." LUA_VERSION_RELEASE
/* What programs print about the language they embed. */
#define LUA_COPYRIGHT LUA_RELEASE "  Copyright (C) 1994-2025 Lua.org, PUC-Rio"
#define LUA_AUTHORS "R. Ierusalimschy, L. H. de Figueiredo, W. Celes"

/* The first bytes of a dumped function. */
#define LUA_SIGNATURE "\x1bLua"

/* ---- types ---- */

/* A thread of Lua. The pointer stays the same as long as the thread lives. */
typedef struct lua_State lua_State;

typedef LUA_NUMBER lua_Number;
typedef LUA_INTEGER lua_Integer;
typedef LUA_UNSIGNED lua_Unsigned;
typedef LUA_KCONTEXT lua_KContext;

typedef int (*lua_CFunction)(lua_State *L);
typedef int (*lua_KFunction)(lua_State *L, int status, lua_KContext ctx);
typedef const char *(*lua_Reader)(lua_State *L, void *ud, size_t *size);
typedef int (*lua_Writer)(lua_State *L, const void *data, size_t size, void *ud);
typedef void *(*lua_Alloc)(void *ud, void *block, size_t old_size, size_t new_size);
typedef void (*lua_WarnFunction)(void *ud, const char *message, int to_be_continued);

typedef struct lua_Debug lua_Debug;
typedef void (*lua_Hook)(lua_State *L, lua_Debug *ar);

/* What lua_getinfo and lua_getstack fill in. The letters say which option of lua_getinfo sets a field. */
struct lua_Debug {
  int event;
  const char *name;           /* n */
  const char *namewhat;       /* n: "global", "local", "method", "field", "upvalue", "metamethod" ... or "" */
  const char *what;           /* S: "Lua", "C" or "main" */
  const char *source;         /* S */
  size_t srclen;              /* S */
  int currentline;            /* l */
  int linedefined;            /* S */
  int lastlinedefined;        /* S */
  unsigned char nups;         /* u */
  unsigned char nparams;      /* u */
  char isvararg;              /* u */
  char istailcall;            /* t */
  unsigned short ftransfer;   /* r */
  unsigned short ntransfer;   /* r */
  char short_src[LUA_IDSIZE]; /* S */
  struct CallInfo *i_ci;      /* belongs to the library */
};

/* What lua_type gives. */
#define LUA_TNONE (-1)
#define LUA_TNIL 0
#define LUA_TBOOLEAN 1
#define LUA_TLIGHTUSERDATA 2
#define LUA_TNUMBER 3
#define LUA_TSTRING 4
#define LUA_TTABLE 5
#define LUA_TFUNCTION 6
#define LUA_TUSERDATA 7
#define LUA_TTHREAD 8
#define LUA_NUMTYPES 9
#define LUA_NUMTAGS LUA_NUMTYPES

/* What protected calls, lua_load and lua_resume give. */
#define LUA_OK 0
#define LUA_YIELD 1
#define LUA_ERRRUN 2
#define LUA_ERRSYNTAX 3
#define LUA_ERRMEM 4
#define LUA_ERRERR 5

/* ---- stack ---- */

/* Slots that a C function may use without asking. */
#define LUA_MINSTACK 20
#define LUA_MULTRET (-1)
#define LUA_REGISTRYINDEX (-LUAI_MAXSTACK - 1000)
#define lua_upvalueindex(i) (LUA_REGISTRYINDEX - (i))
#define LUA_RIDX_MAINTHREAD 1
#define LUA_RIDX_GLOBALS 2
#define LUA_RIDX_LAST LUA_RIDX_GLOBALS

LUA_API int (lua_absindex)(lua_State *L, int i);
LUA_API int (lua_gettop)(lua_State *L);
LUA_API void (lua_settop)(lua_State *L, int i);
LUA_API void (lua_pushvalue)(lua_State *L, int i);
LUA_API void (lua_rotate)(lua_State *L, int i, int n);
LUA_API void (lua_copy)(lua_State *L, int from, int to);
LUA_API int (lua_checkstack)(lua_State *L, int n);
LUA_API void (lua_xmove)(lua_State *from, lua_State *to, int n);

#define lua_pop(L, n) lua_settop(L, -(n) - 1)
#define lua_insert(L, i) lua_rotate(L, (i), 1)
#define lua_remove(L, i) (lua_rotate(L, (i), -1), lua_pop(L, 1))
#define lua_replace(L, i) (lua_copy(L, -1, (i)), lua_pop(L, 1))

/* ---- states and threads ---- */

LUA_API lua_State *(lua_newstate)(lua_Alloc f, void *ud);
LUA_API void (lua_close)(lua_State *L);
LUA_API lua_State *(lua_newthread)(lua_State *L);
LUA_API int (lua_closethread)(lua_State *L, lua_State *from);
LUA_API int (lua_resetthread)(lua_State *L);
LUA_API lua_CFunction (lua_atpanic)(lua_State *L, lua_CFunction f);
LUA_API lua_Number (lua_version)(lua_State *L);

/* The LUA_EXTRASPACE bytes of a thread that belong to the host. */
#define lua_getextraspace(L) ((void *)((char *)(L) - LUA_EXTRASPACE))

/* ---- reading values ---- */

LUA_API int (lua_type)(lua_State *L, int i);
LUA_API const char *(lua_typename)(lua_State *L, int type);
LUA_API int (lua_isnumber)(lua_State *L, int i);
LUA_API int (lua_isstring)(lua_State *L, int i);
LUA_API int (lua_iscfunction)(lua_State *L, int i);
LUA_API int (lua_isinteger)(lua_State *L, int i);
LUA_API int (lua_isuserdata)(lua_State *L, int i);

LUA_API lua_Number (lua_tonumberx)(lua_State *L, int i, int *ok);
LUA_API lua_Integer (lua_tointegerx)(lua_State *L, int i, int *ok);
LUA_API int (lua_toboolean)(lua_State *L, int i);
LUA_API const char *(lua_tolstring)(lua_State *L, int i, size_t *size);
LUA_API lua_Unsigned (lua_rawlen)(lua_State *L, int i);
LUA_API lua_CFunction (lua_tocfunction)(lua_State *L, int i);
LUA_API void *(lua_touserdata)(lua_State *L, int i);
LUA_API lua_State *(lua_tothread)(lua_State *L, int i);
LUA_API const void *(lua_topointer)(lua_State *L, int i);

#define lua_tonumber(L, i) lua_tonumberx(L, (i), NULL)
#define lua_tointeger(L, i) lua_tointegerx(L, (i), NULL)
#define lua_tostring(L, i) lua_tolstring(L, (i), NULL)

#define lua_isnone(L, i) (lua_type(L, (i)) == LUA_TNONE)
#define lua_isnil(L, i) (lua_type(L, (i)) == LUA_TNIL)
#define lua_isnoneornil(L, i) (lua_type(L, (i)) <= LUA_TNIL)
#define lua_isboolean(L, i) (lua_type(L, (i)) == LUA_TBOOLEAN)
#define lua_islightuserdata(L, i) (lua_type(L, (i)) == LUA_TLIGHTUSERDATA)
#define lua_istable(L, i) (lua_type(L, (i)) == LUA_TTABLE)
#define lua_isfunction(L, i) (lua_type(L, (i)) == LUA_TFUNCTION)
#define lua_isthread(L, i) (lua_type(L, (i)) == LUA_TTHREAD)

/* ---- pushing values ---- */

LUA_API void (lua_pushnil)(lua_State *L);
LUA_API void (lua_pushboolean)(lua_State *L, int b);
LUA_API void (lua_pushinteger)(lua_State *L, lua_Integer n);
LUA_API void (lua_pushnumber)(lua_State *L, lua_Number n);
LUA_API const char *(lua_pushstring)(lua_State *L, const char *s);
LUA_API const char *(lua_pushlstring)(lua_State *L, const char *s, size_t size);
LUA_API const char *(lua_pushfstring)(lua_State *L, const char *format, ...);
LUA_API const char *(lua_pushvfstring)(lua_State *L, const char *format, va_list args);
LUA_API void (lua_pushcclosure)(lua_State *L, lua_CFunction f, int n);
LUA_API void (lua_pushlightuserdata)(lua_State *L, void *p);
LUA_API int (lua_pushthread)(lua_State *L);

#define lua_pushliteral(L, s) lua_pushstring(L, "" s)
#define lua_pushcfunction(L, f) lua_pushcclosure(L, (f), 0)
#define lua_pushglobaltable(L) ((void)lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS))
#define lua_register(L, name, f) (lua_pushcfunction(L, (f)), lua_setglobal(L, (name)))

/* ---- tables, metatables, userdata ---- */

LUA_API int (lua_getglobal)(lua_State *L, const char *name);
LUA_API int (lua_gettable)(lua_State *L, int i);
LUA_API int (lua_getfield)(lua_State *L, int i, const char *key);
LUA_API int (lua_geti)(lua_State *L, int i, lua_Integer n);
LUA_API int (lua_rawget)(lua_State *L, int i);
LUA_API int (lua_rawgeti)(lua_State *L, int i, lua_Integer n);
LUA_API int (lua_rawgetp)(lua_State *L, int i, const void *p);
LUA_API int (lua_getmetatable)(lua_State *L, int i);
LUA_API int (lua_getiuservalue)(lua_State *L, int i, int n);

LUA_API void (lua_setglobal)(lua_State *L, const char *name);
LUA_API void (lua_settable)(lua_State *L, int i);
LUA_API void (lua_setfield)(lua_State *L, int i, const char *key);
LUA_API void (lua_seti)(lua_State *L, int i, lua_Integer n);
LUA_API void (lua_rawset)(lua_State *L, int i);
LUA_API void (lua_rawseti)(lua_State *L, int i, lua_Integer n);
LUA_API void (lua_rawsetp)(lua_State *L, int i, const void *p);
LUA_API int (lua_setmetatable)(lua_State *L, int i);
LUA_API int (lua_setiuservalue)(lua_State *L, int i, int n);

LUA_API void (lua_createtable)(lua_State *L, int narray, int nfields);
LUA_API void *(lua_newuserdatauv)(lua_State *L, size_t size, int nuvalue);
LUA_API int (lua_next)(lua_State *L, int i);

#define lua_newtable(L) lua_createtable(L, 0, 0)
#define lua_newuserdata(L, size) lua_newuserdatauv(L, (size), 1)
#define lua_getuservalue(L, i) lua_getiuservalue(L, (i), 1)
#define lua_setuservalue(L, i) lua_setiuservalue(L, (i), 1)

/* ---- operators ---- */

#define LUA_OPADD 0
#define LUA_OPSUB 1
#define LUA_OPMUL 2
#define LUA_OPMOD 3
#define LUA_OPPOW 4
#define LUA_OPDIV 5
#define LUA_OPIDIV 6
#define LUA_OPBAND 7
#define LUA_OPBOR 8
#define LUA_OPBXOR 9
#define LUA_OPSHL 10
#define LUA_OPSHR 11
#define LUA_OPUNM 12
#define LUA_OPBNOT 13

#define LUA_OPEQ 0
#define LUA_OPLT 1
#define LUA_OPLE 2

LUA_API void (lua_arith)(lua_State *L, int op);
LUA_API int (lua_rawequal)(lua_State *L, int a, int b);
LUA_API int (lua_compare)(lua_State *L, int a, int b, int op);
LUA_API void (lua_concat)(lua_State *L, int n);
LUA_API void (lua_len)(lua_State *L, int i);
LUA_API size_t (lua_stringtonumber)(lua_State *L, const char *s);

/* ---- calls, errors, loading ---- */

LUA_API void (lua_callk)(lua_State *L, int nargs, int nresults, lua_KContext ctx, lua_KFunction k);
LUA_API int (lua_pcallk)(lua_State *L, int nargs, int nresults, int handler, lua_KContext ctx, lua_KFunction k);
LUA_API int (lua_error)(lua_State *L);
LUA_API int (lua_load)(lua_State *L, lua_Reader reader, void *ud, const char *chunkname, const char *mode);
LUA_API int (lua_dump)(lua_State *L, lua_Writer writer, void *ud, int strip);
LUA_API void (lua_toclose)(lua_State *L, int i);
LUA_API void (lua_closeslot)(lua_State *L, int i);

#define lua_call(L, nargs, nresults) lua_callk(L, (nargs), (nresults), 0, NULL)
#define lua_pcall(L, nargs, nresults, handler) lua_pcallk(L, (nargs), (nresults), (handler), 0, NULL)

/* ---- coroutines ---- */

LUA_API int (lua_resume)(lua_State *L, lua_State *from, int nargs, int *nresults);
LUA_API int (lua_yieldk)(lua_State *L, int nresults, lua_KContext ctx, lua_KFunction k);
LUA_API int (lua_status)(lua_State *L);
LUA_API int (lua_isyieldable)(lua_State *L);

#define lua_yield(L, nresults) lua_yieldk(L, (nresults), 0, NULL)

/* ---- warnings, memory ---- */

LUA_API void (lua_setwarnf)(lua_State *L, lua_WarnFunction f, void *ud);
LUA_API void (lua_warning)(lua_State *L, const char *message, int to_be_continued);

#define LUA_GCSTOP 0
#define LUA_GCRESTART 1
#define LUA_GCCOLLECT 2
#define LUA_GCCOUNT 3
#define LUA_GCCOUNTB 4
#define LUA_GCSTEP 5
#define LUA_GCSETPAUSE 6
#define LUA_GCSETSTEPMUL 7
#define LUA_GCISRUNNING 9
#define LUA_GCGEN 10
#define LUA_GCINC 11

LUA_API int (lua_gc)(lua_State *L, int what, ...);
LUA_API lua_Alloc (lua_getallocf)(lua_State *L, void **ud);
LUA_API void (lua_setallocf)(lua_State *L, lua_Alloc f, void *ud);

/* ---- debugging ---- */

#define LUA_HOOKCALL 0
#define LUA_HOOKRET 1
#define LUA_HOOKLINE 2
#define LUA_HOOKCOUNT 3
#define LUA_HOOKTAILCALL 4

#define LUA_MASKCALL (1 << LUA_HOOKCALL)
#define LUA_MASKRET (1 << LUA_HOOKRET)
#define LUA_MASKLINE (1 << LUA_HOOKLINE)
#define LUA_MASKCOUNT (1 << LUA_HOOKCOUNT)

LUA_API int (lua_getstack)(lua_State *L, int level, lua_Debug *ar);
LUA_API int (lua_getinfo)(lua_State *L, const char *what, lua_Debug *ar);
LUA_API const char *(lua_getlocal)(lua_State *L, const lua_Debug *ar, int n);
LUA_API const char *(lua_setlocal)(lua_State *L, const lua_Debug *ar, int n);
LUA_API const char *(lua_getupvalue)(lua_State *L, int function, int n);
LUA_API const char *(lua_setupvalue)(lua_State *L, int function, int n);
LUA_API void *(lua_upvalueid)(lua_State *L, int function, int n);
LUA_API void (lua_upvaluejoin)(lua_State *L, int function1, int n1, int function2, int n2);
LUA_API void (lua_sethook)(lua_State *L, lua_Hook f, int mask, int count);
LUA_API lua_Hook (lua_gethook)(lua_State *L);
LUA_API int (lua_gethookmask)(lua_State *L);
LUA_API int (lua_gethookcount)(lua_State *L);
/* Does nothing: kept for programs that call it. */
LUA_API int (lua_setcstacklimit)(lua_State *L, unsigned int limit);

#ifdef __cplusplus
extern "C" {
#endif
/* Names the implementation; `strings` finds it in binaries. */
extern const char lua_ident[];
#ifdef __cplusplus
}
#endif

/* ---- conversions between kinds of integers, by names of older versions ---- */

#ifdef LUA_COMPAT_APIINTCASTS
#define lua_pushunsigned(L, n) lua_pushinteger(L, (lua_Integer)(n))
#define lua_tounsignedx(L, i, ok) ((lua_Unsigned)lua_tointegerx(L, (i), (ok)))
#define lua_tounsigned(L, i) lua_tounsignedx(L, (i), NULL)
#endif

#endif
