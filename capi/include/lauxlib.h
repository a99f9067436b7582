/*
** The auxiliary library: what C code for Lua commonly needs on top of lua.h. The reference manual of Lua 5.4 describes every function.
*/
#ifndef lauxlib_h
#define lauxlib_h

#include <stddef.h>
#include <stdio.h>

#include "luaconf.h"
#include "lua.h"

/* The name of the table of globals among the loaded libraries. */
#define LUA_GNAME "_G"
/* Fields of the registry: loaded libraries, and functions that load some. */
#define LUA_LOADED_TABLE "_LOADED"
#define LUA_PRELOAD_TABLE "_PRELOAD"

/* A file could not be opened or read: one more status, of luaL_loadfilex. */
#define LUA_ERRFILE (LUA_ERRERR + 1)

/* ---- version check ---- */

/* A number that differs if integers or floats have another size in the caller than in the library. */
#define LUAL_NUMSIZES (sizeof(lua_Integer) * 16 + sizeof(lua_Number))

LUALIB_API void (luaL_checkversion_)(lua_State *L, lua_Number version, size_t sizes);
#define luaL_checkversion(L) luaL_checkversion_(L, LUA_VERSION_NUM, LUAL_NUMSIZES)

/* ---- arguments ---- */

LUALIB_API lua_Integer (luaL_checkinteger)(lua_State *L, int arg);
LUALIB_API lua_Integer (luaL_optinteger)(lua_State *L, int arg, lua_Integer otherwise);
LUALIB_API lua_Number (luaL_checknumber)(lua_State *L, int arg);
LUALIB_API lua_Number (luaL_optnumber)(lua_State *L, int arg, lua_Number otherwise);
LUALIB_API const char *(luaL_checklstring)(lua_State *L, int arg, size_t *size);
LUALIB_API const char *(luaL_optlstring)(lua_State *L, int arg, const char *otherwise, size_t *size);
LUALIB_API int (luaL_checkoption)(lua_State *L, int arg, const char *otherwise, const char *const list[]);
LUALIB_API void (luaL_checktype)(lua_State *L, int arg, int type);
LUALIB_API void (luaL_checkany)(lua_State *L, int arg);
LUALIB_API void *(luaL_checkudata)(lua_State *L, int arg, const char *tname);
LUALIB_API void *(luaL_testudata)(lua_State *L, int i, const char *tname);
LUALIB_API void (luaL_checkstack)(lua_State *L, int n, const char *message);
LUALIB_API int (luaL_argerror)(lua_State *L, int arg, const char *message);
LUALIB_API int (luaL_typeerror)(lua_State *L, int arg, const char *tname);

#define luaL_checkstring(L, arg) luaL_checklstring(L, (arg), NULL)
#define luaL_optstring(L, arg, otherwise) luaL_optlstring(L, (arg), (otherwise), NULL)
#define luaL_opt(L, check, arg, otherwise) (lua_isnoneornil(L, (arg)) ? (otherwise) : check(L, (arg)))
#define luaL_argcheck(L, condition, arg, message) ((void)(luai_likely(condition) || luaL_argerror(L, (arg), (message))))
#define luaL_argexpected(L, condition, arg, tname) ((void)(luai_likely(condition) || luaL_typeerror(L, (arg), (tname))))
#define luaL_typename(L, i) lua_typename(L, lua_type(L, (i)))

/* ---- errors ---- */

LUALIB_API int (luaL_error)(lua_State *L, const char *format, ...);
LUALIB_API void (luaL_where)(lua_State *L, int level);
LUALIB_API void (luaL_traceback)(lua_State *L, lua_State *of, const char *message, int level);
LUALIB_API int (luaL_fileresult)(lua_State *L, int ok, const char *file);
LUALIB_API int (luaL_execresult)(lua_State *L, int status);

/* Pushes what functions of the standard libraries give to signal a failure. */
#define luaL_pushfail(L) lua_pushnil(L)

/* ---- loading ---- */

LUALIB_API lua_State *(luaL_newstate)(void);
LUALIB_API int (luaL_loadfilex)(lua_State *L, const char *file, const char *mode);
LUALIB_API int (luaL_loadbufferx)(lua_State *L, const char *text, size_t size, const char *name, const char *mode);
LUALIB_API int (luaL_loadstring)(lua_State *L, const char *text);
LUALIB_API void (luaL_requiref)(lua_State *L, const char *name, lua_CFunction open, int global);

#define luaL_loadfile(L, file) luaL_loadfilex(L, (file), NULL)
#define luaL_loadbuffer(L, text, size, name) luaL_loadbufferx(L, (text), (size), (name), NULL)
#define luaL_dofile(L, file) (luaL_loadfile(L, (file)) || lua_pcall(L, 0, LUA_MULTRET, 0))
#define luaL_dostring(L, text) (luaL_loadstring(L, (text)) || lua_pcall(L, 0, LUA_MULTRET, 0))

/* ---- libraries, metatables, tables ---- */

typedef struct luaL_Reg {
  const char *name;
  lua_CFunction func;
} luaL_Reg;

LUALIB_API void (luaL_setfuncs)(lua_State *L, const luaL_Reg *list, int nup);
LUALIB_API int (luaL_newmetatable)(lua_State *L, const char *tname);
LUALIB_API void (luaL_setmetatable)(lua_State *L, const char *tname);
LUALIB_API int (luaL_getmetafield)(lua_State *L, int i, const char *event);
LUALIB_API int (luaL_callmeta)(lua_State *L, int i, const char *event);
LUALIB_API int (luaL_getsubtable)(lua_State *L, int i, const char *key);
LUALIB_API lua_Integer (luaL_len)(lua_State *L, int i);
LUALIB_API const char *(luaL_tolstring)(lua_State *L, int i, size_t *size);

#define luaL_newlibtable(L, list) lua_createtable(L, 0, (int)(sizeof(list) / sizeof((list)[0])) - 1)
#define luaL_newlib(L, list) (luaL_checkversion(L), luaL_newlibtable(L, list), luaL_setfuncs(L, (list), 0))
#define luaL_getmetatable(L, tname) lua_getfield(L, LUA_REGISTRYINDEX, (tname))

/* ---- references ---- */

#define LUA_NOREF (-2)
#define LUA_REFNIL (-1)

LUALIB_API int (luaL_ref)(lua_State *L, int table);
LUALIB_API void (luaL_unref)(lua_State *L, int table, int ref);

/* ---- string buffers ---- */

/*
** A string that is being built. It starts in `init`; `b` points elsewhere once it has outgrown that. While it is in use, one slot of the
** stack belongs to it: the slot that is on top after luaL_buffinit.
*/
typedef struct luaL_Buffer {
  char *b;
  size_t size; /* room at b */
  size_t n;    /* bytes in use */
  lua_State *L;
  union {
    LUAI_MAXALIGN;
    char b[LUAL_BUFFERSIZE];
  } init;
} luaL_Buffer;

LUALIB_API void (luaL_buffinit)(lua_State *L, luaL_Buffer *B);
LUALIB_API char *(luaL_buffinitsize)(lua_State *L, luaL_Buffer *B, size_t size);
LUALIB_API char *(luaL_prepbuffsize)(luaL_Buffer *B, size_t size);
LUALIB_API void (luaL_addlstring)(luaL_Buffer *B, const char *s, size_t size);
LUALIB_API void (luaL_addstring)(luaL_Buffer *B, const char *s);
LUALIB_API void (luaL_addvalue)(luaL_Buffer *B);
LUALIB_API void (luaL_addgsub)(luaL_Buffer *B, const char *s, const char *part, const char *by);
LUALIB_API void (luaL_pushresult)(luaL_Buffer *B);
LUALIB_API void (luaL_pushresultsize)(luaL_Buffer *B, size_t size);
LUALIB_API const char *(luaL_gsub)(lua_State *L, const char *s, const char *part, const char *by);

#define luaL_bufflen(B) ((B)->n)
#define luaL_buffaddr(B) ((B)->b)
#define luaL_addsize(B, size) ((B)->n += (size))
#define luaL_buffsub(B, size) ((B)->n -= (size))
#define luaL_addchar(B, c) ((void)((B)->n < (B)->size || luaL_prepbuffsize((B), 1)), ((B)->b[(B)->n++] = (c)))
#define luaL_prepbuffer(B) luaL_prepbuffsize((B), LUAL_BUFFERSIZE)

/* ---- files ---- */

/* The metatable of files of the io library. */
#define LUA_FILEHANDLE "FILE*"

/* The userdata of such a file. A null `closef` marks a closed one; to make one, set it last. */
typedef struct luaL_Stream {
  FILE *f;
  lua_CFunction closef;
} luaL_Stream;

/* ---- what the stand-alone interpreter of the reference implementation prints with ---- */

#ifndef lua_writestring
#define lua_writestring(s, size) fwrite((s), sizeof(char), (size), stdout)
#endif
#ifndef lua_writeline
#define lua_writeline() (lua_writestring("\n", 1), fflush(stdout))
#endif
#ifndef lua_writestringerror
#define lua_writestringerror(format, argument) (fprintf(stderr, (format), (argument)), fflush(stderr))
#endif

/* ---- for code that was written against the reference implementation's own sources ---- */

/* Wraps around where signed arithmetic may not. */
#define luaL_intop(op, a, b) ((lua_Integer)((lua_Unsigned)(a) op (lua_Unsigned)(b)))

#ifndef lua_assert
#ifdef LUAI_ASSERT
#include <assert.h>
#define lua_assert(condition) assert(condition)
#else
#define lua_assert(condition) ((void)0)
#endif
#endif

#ifdef LUA_COMPAT_APIINTCASTS
#define luaL_checkunsigned(L, arg) ((lua_Unsigned)luaL_checkinteger(L, (arg)))
#define luaL_optunsigned(L, arg, otherwise) ((lua_Unsigned)luaL_optinteger(L, (arg), (lua_Integer)(otherwise)))
#define luaL_checkint(L, arg) ((int)luaL_checkinteger(L, (arg)))
#define luaL_optint(L, arg, otherwise) ((int)luaL_optinteger(L, (arg), (otherwise)))
#define luaL_checklong(L, arg) ((long)luaL_checkinteger(L, (arg)))
#define luaL_optlong(L, arg, otherwise) ((long)luaL_optinteger(L, (arg), (otherwise)))
#endif

#endif
