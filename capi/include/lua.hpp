/*
** All headers of the C API, for C++. They give their functions C names themselves, so that plain lua.h works in C++ as well.
*/
#include "lua.h"
#include "lualib.h"
#include "lauxlib.h"
