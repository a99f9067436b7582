/*
** Configuration of the C API: types, limits and search paths. These are properties of the binary interface, fixed when the library was
** built, and equal to those of Debian's liblua5.4. Changing them here does not change the library.
*/
#ifndef luaconf_h
#define luaconf_h

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* The library behind these headers is Traceorus. */
#define LUA_TRACEORUS 1

/* ---- linkage: C names, in C++ too, whether or not the including file says extern "C" itself ---- */

#ifdef __cplusplus
#define LUA_API extern "C"
#else
#define LUA_API extern
#endif
#define LUALIB_API LUA_API
#define LUAMOD_API LUA_API

/* ---- numbers ---- */

#define LUA_INT_INT 1
#define LUA_INT_LONG 2
#define LUA_INT_LONGLONG 3
#define LUA_FLOAT_FLOAT 1
#define LUA_FLOAT_DOUBLE 2
#define LUA_FLOAT_LONGDOUBLE 3

#define LUA_INT_DEFAULT LUA_INT_LONGLONG
#define LUA_FLOAT_DEFAULT LUA_FLOAT_DOUBLE
#define LUA_INT_TYPE LUA_INT_DEFAULT
#define LUA_FLOAT_TYPE LUA_FLOAT_DEFAULT
#define LUA_32BITS 0
#define LUA_C89_NUMBERS 0
#define LUAI_IS32INT ((UINT_MAX >> 30) >= 3)

#define LUA_INTEGER long long
#define LUA_UNSIGNED unsigned LUA_INTEGER
#define LUA_MAXINTEGER LLONG_MAX
#define LUA_MININTEGER LLONG_MIN
#define LUA_MAXUNSIGNED ULLONG_MAX
#define LUA_INTEGER_FRMLEN "ll"
#define LUA_INTEGER_FMT "%" LUA_INTEGER_FRMLEN "d"
#define LUAI_UACINT LUA_INTEGER
#define lua_integer2str(buf, size, value) l_sprintf((buf), (size), LUA_INTEGER_FMT, (LUAI_UACINT)(value))

#define LUA_NUMBER double
#define LUAI_UACNUMBER double
#define LUA_NUMBER_FRMLEN ""
#define LUA_NUMBER_FMT "%.14g"
#define l_mathop(function) function
#define l_floatatt(name) (DBL_##name)
#define l_floor(value) (l_mathop(floor)(value))
#define l_sprintf(buf, size, format, value) snprintf((buf), (size), (format), (value))
#define lua_number2str(buf, size, value) l_sprintf((buf), (size), LUA_NUMBER_FMT, (LUAI_UACNUMBER)(value))
#define lua_str2number(text, end) strtod((text), (end))
#define lua_strx2number(text, end) lua_str2number((text), (end))
#define lua_number2strx(L, buf, size, format, value) ((void)(L), l_sprintf((buf), (size), (format), (LUAI_UACNUMBER)(value)))
#define lua_pointer2str(buf, size, p) l_sprintf((buf), (size), "%p", (p))
#define lua_getlocaledecpoint() (localeconv()->decimal_point[0])

/* Stores the float `value` in `*target` if it is in the range of integers; gives whether it is. -2^63 is exact as a float, 2^63 is the first
   beyond the range. */
#define lua_numbertointeger(value, target) \
  ((value) >= (LUA_NUMBER)(LUA_MININTEGER) && (value) < -(LUA_NUMBER)(LUA_MININTEGER) && (*(target) = (LUA_INTEGER)(value), 1))

/* What a continuation gets besides the state. */
#define LUA_KCONTEXT intptr_t

/* ---- limits ---- */

#define LUAI_MAXSTACK 1000000
/* Bytes before each lua_State that belong to the host. */
#define LUA_EXTRASPACE (sizeof(void *))
#define LUA_IDSIZE 60
#define LUAL_BUFFERSIZE ((int)(16 * sizeof(void *) * sizeof(LUA_NUMBER)))
/* Members of a union as strictly aligned as any value of C. */
#define LUAI_MAXALIGN LUA_NUMBER n; double u; void *s; LUA_INTEGER i; long l

/* ---- names of older versions, for programs that define LUA_COMPAT_5_3; the library always has the functions behind them ---- */

#ifdef LUA_COMPAT_5_3
#define LUA_COMPAT_MATHLIB
#define LUA_COMPAT_APIINTCASTS
#define LUA_COMPAT_LT_LE
#define lua_strlen(L, i) lua_rawlen(L, (i))
#define lua_objlen(L, i) lua_rawlen(L, (i))
#define lua_equal(L, a, b) lua_compare(L, (a), (b), LUA_OPEQ)
#define lua_lessthan(L, a, b) lua_compare(L, (a), (b), LUA_OPLT)
#endif

/* ---- search paths ---- */

#define LUA_PATH_SEP ";"
#define LUA_PATH_MARK "?"
#define LUA_EXEC_DIR "!"
#define LUA_DIRSEP "/"
#define LUA_VDIR LUA_VERSION_MAJOR "." LUA_VERSION_MINOR
#define LUA_ROOT "/usr/local/"
#define LUA_ROOT2 "/usr/"
#define LUA_LDIR LUA_ROOT "share/lua/" LUA_VDIR "/"
#define LUA_LDIR2 LUA_ROOT2 "share/lua/" LUA_VDIR "/"
#define LUA_CDIR LUA_ROOT "lib/lua/" LUA_VDIR "/"
#if defined(__x86_64__)
#define DEB_HOST_MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define DEB_HOST_MULTIARCH "aarch64-linux-gnu"
#else
#define DEB_HOST_MULTIARCH "riscv64-linux-gnu"
#endif
#define LUA_CDIR2 LUA_ROOT2 "lib/" DEB_HOST_MULTIARCH "/lua/" LUA_VDIR "/"
#define LUA_CDIR3 LUA_ROOT2 "lib/lua/" LUA_VDIR "/"
#ifndef LUA_PATH_DEFAULT
#define LUA_PATH_DEFAULT \
  LUA_LDIR "?.lua;" LUA_LDIR "?/init.lua;" LUA_CDIR "?.lua;" LUA_CDIR "?/init.lua;" LUA_LDIR2 "?.lua;" LUA_LDIR2 "?/init.lua;" \
  "./?.lua;" "./?/init.lua"
#endif
#ifndef LUA_CPATH_DEFAULT
#define LUA_CPATH_DEFAULT LUA_CDIR "?.so;" LUA_CDIR2 "?.so;" LUA_CDIR3 "?.so;" LUA_CDIR "loadall.so;" "./?.so"
#endif

/* ---- for code that was written against the reference implementation's own sources ---- */

#if defined(__GNUC__) && defined(__ELF__)
#define LUAI_FUNC __attribute__((visibility("internal"))) extern
#else
#define LUAI_FUNC extern
#endif
#define LUAI_DDEC(declaration) LUAI_FUNC declaration
#define LUAI_DDEF

#ifndef luai_likely
#if defined(__GNUC__) && !defined(LUA_NOBUILTIN)
#define luai_likely(condition) (__builtin_expect(((condition) != 0), 1))
#define luai_unlikely(condition) (__builtin_expect(((condition) != 0), 0))
#else
#define luai_likely(condition) (condition)
#define luai_unlikely(condition) (condition)
#endif
#endif
#if defined(LUA_CORE) || defined(LUA_LIB)
#define l_likely(condition) luai_likely(condition)
#define l_unlikely(condition) luai_unlikely(condition)
#endif

#endif
