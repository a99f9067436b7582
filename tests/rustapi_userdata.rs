//! The Rust API: userdata and scopes.

mod common;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use traceorus::{
    AnyUserData, Error, ErrorKind, Function, Lua, MetaMethod, Result, Table, UserData,
    UserDataFields, UserDataMethods, UserDataRef, UserDataRefMut, Value, Variadic,
};

fn message<T: std::fmt::Debug>(r: Result<T>) -> String {
    r.expect_err("an error").message().to_owned()
}

/// Counts how many of it are there.
struct Counted(Rc<Cell<i32>>);
impl Counted {
    fn new(n: &Rc<Cell<i32>>) -> Counted {
        n.set(n.get() + 1);
        Counted(n.clone())
    }
}
impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
impl UserData for Counted {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("count", |_, this, ()| Ok(this.0.get()));
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Account {
    owner: String,
    balance: i64,
}

impl UserData for Account {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field("currency", "EUR");
        fields.add_field_method_get("owner", |_, this| Ok(this.owner.clone()));
        fields.add_field_method_set("owner", |_, this, v: String| {
            this.owner = v;
            Ok(())
        });
        fields.add_field_method_get("balance", |_, this| Ok(this.balance));
        fields.add_field_function_get("note", |_, u| u.named_user_value::<Value>("note"));
        fields.add_field_function_set("note", |_, u, v: Value| u.set_named_user_value("note", v));
        fields.add_meta_field("__name", "account");
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_function("open", |_, owner: String| Ok(Account { owner, balance: 0 }));
        methods.add_method("rich", |_, this, limit: Option<i64>| {
            Ok(this.balance > limit.unwrap_or(1000))
        });
        methods.add_method_mut("deposit", |_, this, n: i64| {
            if n < 0 {
                return Err(Error::runtime("negative deposit"));
            }
            this.balance += n;
            Ok(this.balance)
        });
        methods.add_method_mut("with", |_, this, (f, n): (Function, i64)| {
            this.balance += n;
            f.call::<Value>(())
        });
        methods.add_method("same", |_, this, other: UserDataRef<Account>| {
            Ok(*this == *other)
        });
        methods.add_method(
            "give",
            |_, this, (mut other, n): (UserDataRefMut<Account>, i64)| {
                other.balance += n;
                Ok(this.balance)
            },
        );
        let mut calls = 0;
        methods.add_function_mut("calls", move |_, ()| {
            calls += 1;
            Ok(calls)
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(format!("{}: {}", this.owner, this.balance))
        });
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.owner.len()));
        methods.add_meta_method(MetaMethod::Index, |_, _, key: String| {
            Ok(format!("no {key}"))
        });
        methods.add_meta_method_mut(MetaMethod::Call, |_, this, args: Variadic<i64>| {
            this.balance += args.iter().sum::<i64>();
            Ok(())
        });
        methods.add_meta_function(MetaMethod::Concat, |_, (a, b): (Value, Value)| {
            Ok(format!("{}|{}", a.to_string()?, b.to_string()?))
        });
        methods.add_meta_method(MetaMethod::Eq, |_, this, other: UserDataRef<Account>| {
            Ok(this.owner == other.owner)
        });
        methods.add_meta_method(MetaMethod::Lt, |_, this, other: UserDataRef<Account>| {
            Ok(this.balance < other.balance)
        });
    }
}

fn account(lua: &Lua) -> Result<AnyUserData> {
    let a = lua.create_userdata(Account {
        owner: "Ada".into(),
        balance: 10,
    })?;
    lua.globals().set("a", &a)?;
    Ok(a)
}

#[test]
fn fields_and_methods() -> Result<()> {
    let lua = Lua::new();
    let a = account(&lua)?;
    assert_eq!(
        lua.load("a.owner, a.balance, a.currency, a:rich(), a:rich(5)")
            .eval::<(String, i64, String, bool, bool)>()?,
        ("Ada".into(), 10, "EUR".into(), false, true)
    );
    assert_eq!(
        lua.load("a.owner = 'Bob' a:deposit(5) return a.owner, a:deposit(7)")
            .eval::<(String, i64)>()?,
        ("Bob".into(), 22)
    );
    assert_eq!(
        *a.borrow::<Account>()?,
        Account {
            owner: "Bob".into(),
            balance: 22
        }
    );
    a.borrow_mut::<Account>()?.balance = 3;
    assert_eq!(a.get::<i64>("balance")?, 3);
    a.set("owner", "Eve")?;
    assert_eq!(a.call_method::<i64>("deposit", 1)?, 4);
    assert_eq!(a.call_function::<i64>("calls", ())?, 1);
    assert_eq!(
        lua.load("a.calls(), a.calls()").eval::<(i64, i64)>()?,
        (2, 3)
    );
    assert_eq!(
        lua.load("a.note, (function() a.note = {1} return a.note[1] end)()")
            .eval::<(Value, i64)>()?,
        (Value::Nil, 1)
    );
    assert_eq!(
        lua.load("local b = a.open('Joe') return b.owner, b:same(b), a:same(b)")
            .eval::<(String, bool, bool)>()?,
        ("Joe".into(), true, false)
    );
    // metamethods
    assert_eq!(
        lua.load("tostring(a), #a, a.unknown, a .. 1, 'x' .. a")
            .eval::<(String, i64, String, String, String)>()?,
        (
            "Eve: 4".into(),
            3,
            "no unknown".into(),
            "Eve: 4|1".into(),
            "x|Eve: 4".into()
        )
    );
    assert_eq!(lua.load("a(1, 2, 3) return a.balance").eval::<i64>()?, 10);
    assert_eq!(
        lua.load("local b = a.open('Eve') return a == b, a < b, b < a, rawequal(a, b)")
            .eval::<(bool, bool, bool, bool)>()?,
        (true, false, true, false)
    );
    assert_eq!(
        lua.load("getmetatable(a)").eval::<Value>()?,
        Value::Boolean(false)
    );
    assert_eq!(
        a.metatable().expect("one").raw_get::<String>("__name")?,
        "account"
    );
    assert_eq!(a.call::<()>(5).err().map(|e| e.to_string()), None);
    Ok(())
}

#[test]
fn misuse() -> Result<()> {
    let lua = Lua::new();
    let a = account(&lua)?;
    lua.globals().set("c", Counted::new(&Rc::default()))?;
    for (code, wanted) in [
        (
            "a:deposit('x')",
            "t:1: bad argument #1 to 'deposit' (integer expected, got string)",
        ),
        ("a:deposit(-1)", "t:1: negative deposit"),
        (
            "a.deposit(c, 1)",
            "t:1: bad argument #1 to 'deposit' (Account expected, got Counted)",
        ),
        (
            "a.deposit()",
            "t:1: bad argument #1 to 'deposit' (Account expected, got no value)",
        ),
        (
            "a.deposit(io.stdout, 1)",
            "t:1: bad argument #1 to 'deposit' (Account expected, got FILE*)",
        ),
        (
            "local f = a.deposit f(5)",
            "t:1: bad argument #1 to 'f' (Account expected, got number)",
        ),
        (
            "a:same(c)",
            "t:1: bad argument #1 to 'same' (Account expected, got Counted)",
        ),
        (
            "a:same(5)",
            "t:1: bad argument #1 to 'same' (Account expected, got number)",
        ),
        (
            "a.balance = 1",
            "t:1: attempt to set an unknown field 'balance'",
        ),
        (
            "a.other = 1",
            "t:1: attempt to set an unknown field 'other'",
        ),
        ("a.owner = {}", "t:1: string expected, got table"),
        (
            "return a + 1",
            "t:1: attempt to perform arithmetic on a account value (global 'a')",
        ),
        (
            "c:nope()",
            "t:1: attempt to call a nil value (method 'nope')",
        ),
    ] {
        let e = lua.load(code).set_name("=t").exec().expect_err(code);
        assert_eq!(e.message(), wanted, "{code}");
    }
    assert_eq!(lua.load("c.unknown").eval::<Value>()?, Value::Nil);
    // from Rust
    assert_eq!(
        message(a.borrow::<Counted>().map(drop)),
        "Counted expected, got account"
    );
    assert!(a.is::<Account>() && !a.is::<Counted>());
    let file: AnyUserData = lua.load("io.stdout").eval()?;
    assert_eq!(
        file.borrow::<Account>()
            .map(drop)
            .expect_err("no account")
            .kind(),
        ErrorKind::Conversion
    );
    assert!(!file.is::<Account>() && file.destroy().is_err());
    assert!(file.user_value::<Value>().is_err() && file.set_user_value(1).is_err());
    assert_eq!(
        message(lua.load("5").eval::<UserDataRef<Account>>()),
        "value #1: Account expected, got number"
    );
    // metatables of other types do not make other types
    // SAFETY: it sets metatables of userdata of ours only.
    let lua = unsafe { Lua::builder().unsafe_libraries(traceorus::StdLib::ALL) }.build();
    account(&lua)?;
    lua.globals().set("c", Counted::new(&Rc::default()))?;
    lua.load("debug.setmetatable(c, debug.getmetatable(a))")
        .exec()?;
    assert!(message(lua.load("c:deposit(1)").exec()).contains("Account expected"));
    lua.load("debug.setmetatable(a, debug.getmetatable(io.stdout))")
        .exec()?;
    assert!(message(lua.load("a:close()").exec()).contains("FILE* expected"));
    lua.load("debug.setmetatable(a, nil)").exec()?;
    assert!(
        lua.globals()
            .get::<AnyUserData>("a")?
            .borrow::<Account>()
            .is_ok()
    );
    Ok(())
}

#[test]
fn borrows() -> Result<()> {
    let lua = Lua::new();
    let a = account(&lua)?;
    let shared = a.borrow::<Account>()?;
    assert!(a.borrow::<Account>().is_ok());
    assert_eq!(
        a.borrow_mut::<Account>()
            .map(drop)
            .expect_err("borrowed")
            .kind(),
        ErrorKind::Borrow
    );
    assert_eq!(
        a.take::<Account>().expect_err("borrowed").kind(),
        ErrorKind::Borrow
    );
    assert_eq!(a.destroy().expect_err("borrowed").kind(), ErrorKind::Borrow);
    let e = lua.load("a:deposit(1)").exec().expect_err("borrowed");
    assert_eq!(
        (e.kind(), e.message()),
        (ErrorKind::Borrow, "the Rust value is already borrowed")
    );
    assert_eq!(lua.load("a.balance").eval::<i64>()?, 10);
    drop(shared);
    let exclusive = a.borrow_mut::<Account>()?;
    assert_eq!(
        lua.load("return a.balance")
            .exec()
            .expect_err("borrowed")
            .kind(),
        ErrorKind::Borrow
    );
    assert_eq!(
        lua.load("select('#', pcall(tostring, a)), type(select(2, pcall(tostring, a)))")
            .eval::<(i64, String)>()?,
        (2, "userdata".into())
    );
    drop(exclusive);
    // a method that calls back into its own value
    let e = lua
        .load("a:with(function() return a.balance end, 1)")
        .exec()
        .expect_err("borrowed");
    assert_eq!(e.kind(), ErrorKind::Borrow);
    let inner = "select(2, pcall(a.with, a, function() return pcall(a.deposit, a, 1) end, 1))";
    assert!(!lua.load(inner).eval::<bool>()?);
    assert_eq!(
        lua.load("local b = a.open('x') a:give(b, 5) return b.balance")
            .eval::<i64>()?,
        5
    );
    assert_eq!(
        lua.load("a:give(a, 5)")
            .exec()
            .expect_err("borrowed")
            .kind(),
        ErrorKind::Borrow
    );
    assert_eq!(lua.load("a:deposit(0)").eval::<i64>()?, 12);
    // taken
    assert_eq!(a.take::<Account>()?.balance, 12);
    let e = lua.load("a:deposit(1)").exec().expect_err("gone");
    assert_eq!(
        (e.kind(), e.message()),
        (ErrorKind::Destructed, "the Rust value is gone")
    );
    assert_eq!(
        a.take::<Account>().expect_err("gone").kind(),
        ErrorKind::Destructed
    );
    assert!(a.destroy().is_err());
    assert!(a.is::<Account>());
    Ok(())
}

#[test]
fn values_are_dropped_once() -> Result<()> {
    let n = Rc::new(Cell::new(0));
    let lua = Lua::new();
    lua.load("keep = {}").exec()?;
    let keep: Table = lua.globals().get("keep")?;
    for i in 0..100 {
        let u = lua.create_userdata(Counted::new(&n))?;
        if i % 2 == 0 {
            keep.push(u)?;
        }
    }
    lua.gc_collect()?;
    lua.gc_collect()?;
    assert_eq!(n.get(), 50);
    // destroyed, taken, then collected
    let (a, b): (AnyUserData, AnyUserData) = lua.load("return keep[1], keep[2]").eval()?;
    a.destroy()?;
    drop(b.take::<Counted>()?);
    assert_eq!(n.get(), 48);
    lua.load("for i = 1, 10 do table.remove(keep) end collectgarbage() collectgarbage()")
        .exec()?;
    drop((a, b));
    assert_eq!(n.get(), 38);
    // as captures of functions
    let c = Counted::new(&n);
    lua.register("f", move |_, ()| Ok(c.0.get()))?;
    assert_eq!(lua.load("f()").eval::<i32>()?, 39);
    lua.load("f = nil collectgarbage() collectgarbage()")
        .exec()?;
    assert_eq!(n.get(), 38);
    let c = Counted::new(&n);
    lua.register("g", move |_, ()| Ok(c.0.get()))?;
    lua.set_app_data(Counted::new(&n));
    // a guard keeps the state open
    let guard = keep.get::<UserDataRef<Counted>>(5)?;
    drop(lua);
    assert_eq!(guard.0.get(), 40);
    drop(guard);
    assert_eq!(n.get(), 0);
    Ok(())
}

#[test]
fn finalizers_and_lua_code() -> Result<()> {
    // what Rust drops may use the state; at its end, too
    struct Talks(Lua2, Rc<RefCell<Vec<String>>>);
    struct Lua2(traceorus::WeakLua);
    impl Drop for Talks {
        fn drop(&mut self) {
            let lua = self.0.0.upgrade().expect("open while values are dropped");
            let text = lua.load("('bye'):upper()").eval::<String>().expect("runs");
            let none = lua.create_any_userdata(1u8).is_err();
            self.1.borrow_mut().push(format!("{text} {none}"));
        }
    }
    let log = Rc::new(RefCell::new(Vec::new()));
    let lua = Lua::new();
    drop(lua.create_any_userdata(Talks(Lua2(lua.weak()), log.clone()))?);
    lua.gc_collect()?;
    assert_eq!(*log.borrow(), ["BYE false"]);
    let kept = lua.create_any_userdata(Talks(Lua2(lua.weak()), log.clone()))?;
    // a Lua finalizer that uses a Rust value which has gone before
    lua.globals().set("u", kept)?;
    lua.globals().set("c", Counted::new(&Rc::default()))?;
    let l = log.clone();
    lua.register("note", move |_, s: String| {
        l.borrow_mut().push(s);
        Ok(())
    })?;
    lua.load("x = setmetatable({}, {__gc = function() note(tostring(pcall(c.count, c))) end})")
        .exec()?;
    drop(lua);
    let log = log.borrow();
    assert_eq!(log.len(), 3, "{log:?}");
    assert!(
        log.contains(&"BYE true".to_owned()) && log.contains(&"true".to_owned()),
        "{log:?}"
    );
    Ok(())
}

#[test]
fn alignment_and_size() -> Result<()> {
    #[repr(align(64))]
    struct Wide([u8; 64]);
    struct Nothing;
    impl UserData for Wide {
        fn add_methods<M: UserDataMethods<Self>>(m: &mut M) {
            m.add_method("ok", |_, this, ()| {
                Ok((std::ptr::from_ref(this) as usize).is_multiple_of(64) && this.0[63] == 7)
            });
        }
    }
    impl UserData for Nothing {
        fn add_methods<M: UserDataMethods<Self>>(m: &mut M) {
            m.add_method("ok", |_, _, ()| Ok(true));
        }
    }
    let lua = Lua::new();
    for _ in 0..20 {
        lua.globals().set("w", Wide([7; 64]))?;
        lua.globals().set("n", Nothing)?;
        assert_eq!(
            lua.load("w:ok(), n:ok()").eval::<(bool, bool)>()?,
            (true, true)
        );
    }
    Ok(())
}

#[test]
fn user_values() -> Result<()> {
    let lua = Lua::new();
    let u = lua.create_any_userdata(1u8)?;
    assert_eq!(u.user_value::<Value>()?, Value::Nil);
    u.set_user_value(lua.create_sequence_from([5])?)?;
    u.set_nth_user_value(2, "two")?;
    u.set_named_user_value("n", 3)?;
    lua.gc_collect()?;
    assert_eq!(
        (
            u.user_value::<Vec<i64>>()?,
            u.nth_user_value::<String>(2)?,
            u.named_user_value::<i64>("n")?
        ),
        (vec![5], "two".into(), 3)
    );
    assert!(
        lua.load("local u = ... return u.x")
            .call::<Value>(&u)?
            .is_nil()
    );
    Ok(())
}

#[test]
fn registered_types() -> Result<()> {
    let lua = Lua::new();
    lua.register_userdata_type::<Vec<i64>>(|r| {
        r.add_method_mut("add", |_, this, n: i64| {
            this.push(n);
            Ok(())
        });
        r.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.len()));
    })?;
    let u = lua.create_any_userdata(vec![1i64])?;
    lua.globals().set("v", &u)?;
    assert_eq!(lua.load("v:add(5) return #v").eval::<i64>()?, 2);
    assert_eq!(*u.borrow::<Vec<i64>>()?, [1, 5]);
    assert!(message(lua.register_userdata_type::<Vec<i64>>(|_| ())).contains("already known"));
    struct Bad;
    impl UserData for Bad {
        fn add_methods<M: UserDataMethods<Self>>(m: &mut M) {
            m.add_meta_method("__gc", |_, _, ()| Ok(()));
        }
    }
    assert!(message(lua.create_userdata(Bad)).contains("'__gc' is reserved"));
    Ok(())
}

// ---- scopes ---------------------------------------------------------------------------------------------------------

#[test]
fn scopes() -> Result<()> {
    let lua = Lua::new();
    let mut log = Vec::new();
    let factor = 3;
    let escaped = lua.scope(|scope| {
        let f = scope.create_function_mut(|_, s: String| {
            log.push(s);
            Ok(log.len())
        })?;
        let g = scope.create_function(|_, n: i64| Ok(n * factor))?;
        lua.globals().set("f", &f)?;
        lua.globals().set("g", &g)?;
        assert_eq!(
            lua.load("f('a') return f('b'), g(14)")
                .eval::<(i64, i64)>()?,
            (2, 42)
        );
        // hot, and from a coroutine
        lua.load("local s = 0 for i = 1, 300 do s = s + g(i) end assert(s == 3 * 300 * 301 / 2)")
            .exec()?;
        lua.load("coroutine.wrap(function() f('c') end)()").exec()?;
        Ok(g)
    })?;
    assert_eq!(log, ["a", "b", "c"]);
    for e in [
        lua.load("f('late')").exec().expect_err("ended"),
        lua.load("for i = 1, 100 do g(1) end")
            .exec()
            .expect_err("ended"),
        escaped.call::<i64>(1).expect_err("ended"),
    ] {
        assert_eq!(
            (e.kind(), e.message()),
            (ErrorKind::Destructed, "the Rust function is gone")
        );
    }
    lua.gc_collect()?;
    Ok(())
}

/// A type with a lifetime.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}
impl UserData for Cursor<'_> {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("at", |_, this| Ok(this.at));
        fields.add_field_method_set("at", |_, this, n| {
            this.at = n;
            Ok(())
        });
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("next", |_, this, ()| {
            let c = this.text[this.at..].chars().next();
            this.at += c.map_or(0, char::len_utf8);
            Ok(c)
        });
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.text.len()));
    }
}

#[test]
fn scoped_userdata() -> Result<()> {
    let lua = Lua::new();
    let text = String::from("héy");
    let mut account = Account {
        owner: "Ada".into(),
        balance: 1,
    };
    let fixed = Account {
        owner: "Bob".into(),
        balance: 2,
    };
    lua.scope(|scope| {
        let g = lua.globals();
        g.set("c", scope.create_userdata(Cursor { text: &text, at: 0 })?)?;
        g.set("d", scope.create_userdata(Cursor { text: "zz", at: 0 })?)?;
        g.set("a", scope.create_userdata_ref_mut(&mut account)?)?;
        g.set("b", scope.create_userdata_ref(&fixed)?)?;
        assert_eq!(
            lua.load("c:next(), c:next(), c:next(), c:next(), #c")
                .eval::<(String, String, String, Option<String>, i64)>()?,
            ("h".into(), "é".into(), "y".into(), None, 4)
        );
        assert_eq!(
            lua.load("c.at = 0 return c:next(), c.at")
                .eval::<(String, i64)>()?,
            ("h".into(), 1)
        );
        assert_eq!(
            lua.load("a:deposit(5), b.balance, tostring(b)")
                .eval::<(i64, i64, String)>()?,
            (6, 2, "Bob: 2".into())
        );
        // the methods of one are not for another, even of the same type
        assert!(
            message(lua.load("c.next(d)").exec()).contains(
                "bad argument #1 to 'next' (userdata of this scope expected, got Cursor)"
            )
        );
        assert!(message(lua.load("c.next(a)").exec()).contains("userdata of this scope expected"));
        let e = lua.load("b:deposit(1)").exec().expect_err("not mutable");
        assert_eq!(
            (e.kind(), e.message()),
            (ErrorKind::Borrow, "the Rust value is borrowed by its scope")
        );
        // nor are they got at by type
        assert!(g.get::<AnyUserData>("a")?.borrow::<Account>().is_err());
        assert!(g.get::<UserDataRef<Account>>("b").is_err());
        Ok(())
    })?;
    assert_eq!(account.balance, 6);
    for code in ["c:next()", "return #c", "a:deposit(1)", "return b.owner"] {
        assert_eq!(
            lua.load(code).exec().expect_err(code).kind(),
            ErrorKind::Destructed,
            "{code}"
        );
    }
    Ok(())
}

#[test]
fn scopes_that_fail() -> Result<()> {
    let n = Rc::new(Cell::new(0));
    let lua = Lua::new();
    let r: Result<()> = lua.scope(|scope| {
        let c = Counted::new(&n);
        lua.globals()
            .set("f", scope.create_function(move |_, ()| Ok(c.0.get()))?)?;
        lua.load("error('out')").exec()
    });
    assert!(r.is_err());
    assert_eq!(n.get(), 0);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        lua.scope::<()>(|scope| {
            let c = Counted::new(&n);
            scope.create_function(move |_, ()| Ok(c.0.get()))?;
            panic!("in the scope");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(n.get(), 0);
    // inside each other, and from callbacks
    lua.register("scoped", |lua, f: Function| {
        let mut hits = 0;
        lua.scope(|scope| {
            let hit = scope.create_function_mut(|_, ()| {
                hits += 1;
                Ok(())
            })?;
            f.call::<()>(hit)
        })?;
        Ok(hits)
    })?;
    assert_eq!(lua.load("scoped(function(h) h() kept = h return scoped(function(i) i() h() end) end), pcall(kept)").eval::<(i64, bool)>()?, (2, false));
    Ok(())
}

#[test]
fn stressed() {
    common::stressed(&[]);
}
