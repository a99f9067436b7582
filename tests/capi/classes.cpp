/* The headers in C++: objects in userdata, functions of a class, exceptions that stay between Lua calls. */
#include <new>
#include <stdexcept>
#include <string>

#include "lua.hpp"
#include "t.h"

namespace {

int alive;

class Account {
 public:
  explicit Account(lua_Number balance) : balance_(balance) { alive++; }
  ~Account() { alive--; }
  void withdraw(lua_Number amount) {
    if (amount > balance_) throw std::runtime_error("insufficient funds");
    balance_ -= amount;
  }
  lua_Number balance() const { return balance_; }

 private:
  lua_Number balance_;
  std::string note_ = "an object that needs its destructor: longer than small strings are";
};

Account &self(lua_State *L) { return *static_cast<Account *>(luaL_checkudata(L, 1, "Account")); }

int create(lua_State *L) {
  lua_Number balance = luaL_checknumber(L, 1);
  new (lua_newuserdatauv(L, sizeof(Account), 0)) Account(balance);
  luaL_setmetatable(L, "Account");
  return 1;
}
int collect(lua_State *L) {
  self(L).~Account();
  return 0;
}
int balance(lua_State *L) {
  lua_pushnumber(L, self(L).balance());
  return 1;
}
int withdraw(lua_State *L) {
  Account &account = self(L);
  lua_Number amount = luaL_checknumber(L, 2);
  try {
    account.withdraw(amount);
    return 0;
  } catch (const std::exception &e) {
    lua_pushstring(L, e.what());
  }
  return lua_error(L);
}

int objects(lua_State *L) {
  static const luaL_Reg methods[] = {{"balance", balance}, {"withdraw", withdraw}, {"__gc", collect}, {nullptr, nullptr}};
  luaL_newmetatable(L, "Account");
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1), lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_register(L, "Account", create);
  run(L, "use", "local a = Account(100) a:withdraw(30) local ok, e = pcall(a.withdraw, a, 100) return a:balance(), ok, e");
  stack(L, "use");
  lua_settop(L, 0);
  run(L, "many", "for i = 1, 1000 do Account(i) end collectgarbage()");
  lua_gc(L, LUA_GCCOLLECT);
  printf("alive %d\n", alive);
  return 0;
}

/* An error is thrown and caught in C++ between two calls of Lua, not through them. */
int callback(lua_State *L) {
  try {
    throw std::runtime_error("inner " + std::string(luaL_checkstring(L, 1)));
  } catch (const std::exception &e) {
    lua_pushstring(L, e.what());
  }
  return 1;
}
int exceptions(lua_State *L) {
  lua_register(L, "callback", callback);
  std::string sum;
  for (int i = 0; i < 100; i++) {
    load(L, "local n = ... return callback(n) .. callback(n + 1)");
    lua_pushinteger(L, i);
    try {
      if (lua_pcall(L, 1, 1, 0) != LUA_OK) throw std::runtime_error(lua_tostring(L, -1));
      sum += lua_tostring(L, -1);
    } catch (const std::exception &e) {
      sum += e.what();
    }
    lua_pop(L, 1);
  }
  printf("%d\n", static_cast<int>(sum.size()));
  return 0;
}

const Test tests[] = {TEST(objects), TEST(exceptions)};

}  // namespace

MAIN(tests)
