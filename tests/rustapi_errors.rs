//! The Rust API: errors, panics, hooks, warnings.

mod common;

use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use traceorus::{
    DebugEvent, Error, ErrorContext, ErrorKind, ExternalError, ExternalResult, Function,
    HookTriggers, Lua, MultiValue, Result, Table, Value,
};

#[derive(Debug)]
struct Refused {
    code: u32,
}
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.code)
    }
}
impl StdError for Refused {}

#[test]
fn lua_errors() -> Result<()> {
    let lua = Lua::new();
    let e = lua
        .load("local function f() error('deep') end\nf()")
        .set_name("=s")
        .exec()
        .expect_err("raises");
    assert_eq!(
        (e.kind(), e.message(), e.position()),
        (ErrorKind::Runtime, "s:1: deep", Some(("s", 1)))
    );
    let trace = e.traceback().expect("a traceback");
    assert!(
        trace.starts_with("stack traceback:\n\t[C]: in function 'error'")
            && trace.contains("s:2: in main chunk"),
        "{trace}"
    );
    let e = lua
        .load("error(setmetatable({}, {__tostring = function() return 'obj' end}))")
        .exec()
        .expect_err("raises");
    assert_eq!(e.message(), "obj");
    for (code, wanted) in [
        ("error({})", "(error object is a table value)"),
        ("error()", "(error object is a nil value)"),
        ("error(5)", "5"),
        (
            "error(setmetatable({}, {__tostring = function() error('no') end}))",
            "(error object whose __tostring fails)",
        ),
    ] {
        assert_eq!(lua.load(code).exec().expect_err(code).message(), wanted);
    }
    let t: Table = lua.load("shared = {x = 1} return shared").eval()?;
    let e = lua.load("error(shared)").exec().expect_err("raises");
    assert_eq!(e.value(&lua), Some(Value::Table(t)));
    // errors can be sent, and outlive the state
    let r = std::thread::spawn(move || e.message().to_owned())
        .join()
        .expect("no panic");
    assert_eq!(r, "(error object is a table value)");
    let e = lua.load("error('late')").exec().expect_err("raises");
    let copy = e.clone();
    let other = Lua::new();
    // in another state, only the text
    other.register("raise", move |_, ()| -> Result<()> { Err(copy.clone()) })?;
    assert!(
        other
            .load("raise()")
            .exec()
            .expect_err("raises")
            .message()
            .ends_with("late")
    );
    drop(lua);
    assert!(e.message().ends_with("late"));
    assert!(format!("{e:?}").contains("stack traceback"));
    Ok(())
}

#[test]
fn rust_errors() -> Result<()> {
    let lua = Lua::new();
    lua.register("fail", |_, code: u32| -> Result<()> {
        Err(Refused { code }.into_lua_err())
    })?;
    lua.register("id", |_, v: MultiValue| Ok(v))?;
    let check = |e: &Error, code| {
        assert_eq!(e.kind(), ErrorKind::External);
        assert_eq!(e.downcast_ref::<Refused>().expect("the cause").code, code);
        assert!(e.source().expect("a source").is::<Refused>());
        assert_eq!(e.message(), format!("refused with {code}"));
        assert!(
            e.traceback().expect("one").contains("in function 'fail'"),
            "{e:?}"
        );
    };
    let e = lua
        .load("\n\nfail(1)")
        .set_name("=s")
        .exec()
        .expect_err("raises");
    check(&e, 1);
    assert_eq!(e.position(), Some(("s", 3)));
    // through pcall, error, coroutines, Rust functions
    check(
        &lua.load("local ok, e = pcall(fail, 2) error(e)")
            .exec()
            .expect_err("raises"),
        2,
    );
    check(
        &lua.load("coroutine.wrap(function() fail(3) end)()")
            .exec()
            .expect_err("raises"),
        3,
    );
    // as a value
    let (e, text): (Value, String) = lua
        .load("local ok, e = pcall(fail, 4) return e, tostring(e)")
        .set_name("=s")
        .eval()?;
    assert_eq!(
        e.as_error()
            .expect("an error")
            .downcast_ref::<Refused>()
            .expect("the cause")
            .code,
        4
    );
    assert_eq!(text, "s:1: refused with 4");
    assert_eq!(lua.load("local function g() return (fail(5)) end local ok, e = pcall(g) return tostring(e), type(e)").set_name("=s").call::<(String, String)>(())?, ("s:1: refused with 5".into(), "userdata".into()));
    let back: Value = lua
        .load("local ok, e = pcall(fail, 6) return id(e)")
        .eval()?;
    assert!(back.as_error().is_some());
    let e: Error = lua.load("select(2, pcall(fail, 7))").eval()?;
    assert_eq!(e.downcast_ref::<Refused>().expect("the cause").code, 7);
    let e: Error = lua.load("'just text'").eval()?;
    assert_eq!(e.message(), "just text");
    // an error that is a value of its own
    let f: Function = lua.load("function(e) error(e) end").eval()?;
    let e = f
        .call::<()>(Refused { code: 8 }.into_lua_err())
        .expect_err("raises");
    assert_eq!(e.downcast_ref::<Refused>().expect("the cause").code, 8);
    assert!(e.value(&lua).expect("an object").as_error().is_some());
    // wrapping twice is once
    assert_eq!(
        Error::external(Refused { code: 9 }.into_lua_err())
            .downcast_ref::<Refused>()
            .expect("the cause")
            .code,
        9
    );
    assert!(Error::runtime("x").downcast_ref::<Refused>().is_none());
    Ok(())
}

#[test]
fn contexts() -> Result<()> {
    let lua = Lua::new();
    lua.register("read", |_, s: String| {
        s.parse::<i32>()
            .into_lua_err()
            .context("reading a number")
            .with_context(|_| format!("in '{s}'"))
    })?;
    let e = lua
        .load("read('x')")
        .exec()
        .context("running")
        .expect_err("raises");
    assert_eq!(
        e.message(),
        "running: in 'x': reading a number: invalid digit found in string"
    );
    assert_eq!(
        e.contexts().collect::<Vec<_>>(),
        ["reading a number", "in 'x'", "running"]
    );
    assert!(e.downcast_ref::<std::num::ParseIntError>().is_some());
    // context put on a Lua error on its way
    lua.register("call", |_, f: Function| f.call::<()>(()).context("called"))?;
    let e = lua
        .load("call(function() error('inner', 0) end)")
        .exec()
        .expect_err("raises");
    assert_eq!(
        (e.message(), e.kind()),
        ("called: inner", ErrorKind::Runtime)
    );
    Ok(())
}

#[test]
fn panics() -> Result<()> {
    let lua = Lua::new();
    let closed = Rc::new(Cell::new(0));
    let c = closed.clone();
    lua.register("boom", |_, ()| -> Result<()> { panic!("bang") })?;
    lua.register("closing", move |_, ()| {
        c.set(c.get() + 1);
        Ok(())
    })?;
    lua.register("through", |_, f: Function| f.call::<Value>(()))?;
    lua.load("caught = 0 function note(...) caught = caught + 1 return ... end function guard() return setmetatable({}, {__close = closing}) end").exec()?;
    for code in [
        "boom()",
        "note(pcall(boom))",
        "xpcall(boom, note) note()",
        "note(pcall(pcall, pcall, boom))",
        "coroutine.wrap(boom)()",
        "note(coroutine.resume(coroutine.create(boom)))",
        "note(coroutine.resume(coroutine.create(function() local c <close> = guard() note(pcall(boom)) end)))",
        "local c <close> = guard() pcall(function() local d <close> = guard() boom() end)",
        "note(pcall(through, boom))",
        "through(function() note(pcall(through, boom)) end)",
        "table.sort({1, 2, 3}, boom)",
        "note(pcall(string.gsub, 'x', 'x', boom))",
        "return setmetatable({}, {__index = boom}).x",
        "return tostring(setmetatable({}, {__tostring = boom}))",
        "for i = 1, 100 do if i == 90 then pcall(boom) end end",
        "note(pcall(load, boom))",
        "note(pcall(require, 'panics'))",
    ] {
        lua.preload_module("panics", lua.globals().get("boom")?)?;
        let p = catch_unwind(AssertUnwindSafe(|| lua.load(code).exec())).expect_err(code);
        assert_eq!(p.downcast_ref::<&str>(), Some(&"bang"), "{code}");
        assert_eq!(lua.globals().get::<i64>("caught")?, 0, "{code}");
        // usable, and nothing is left over
        assert_eq!(
            lua.load("pcall(error, 1)").eval::<(bool, i64)>()?,
            (false, 1),
            "{code}"
        );
        assert_eq!(
            lua.load("local s = 0 for i = 1, 10 do s = s + i end return s")
                .eval::<i64>()?,
            55
        );
    }
    assert_eq!(closed.get(), 3);
    // where Rust code calls Lua inside a callback, it may catch the panic itself
    lua.register("catching", |_, f: Function| {
        Ok(catch_unwind(AssertUnwindSafe(|| f.call::<()>(()))).is_err())
    })?;
    assert!(lua.load("catching(boom)").eval::<bool>()?);
    // in conversions
    struct Bad;
    impl traceorus::IntoLua for Bad {
        fn into_lua(self, _: &Lua) -> Result<Value> {
            panic!("converting")
        }
    }
    lua.register("bad", |_, ()| Ok(Bad))?;
    for r in [
        catch_unwind(AssertUnwindSafe(|| lua.load("pcall(bad)").exec())),
        catch_unwind(AssertUnwindSafe(|| lua.globals().set("x", Bad))),
    ] {
        assert_eq!(
            r.expect_err("panics").downcast_ref::<&str>(),
            Some(&"converting")
        );
    }
    Ok(())
}

#[test]
fn panics_in_destructors() -> Result<()> {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let lua = Lua::new();
    drop(lua.create_any_userdata(Bomb)?);
    // it comes up where Rust code has called Lua
    let p = catch_unwind(AssertUnwindSafe(|| {
        lua.load("collectgarbage() collectgarbage()").exec()
    }))
    .expect_err("panics");
    assert_eq!(p.downcast_ref::<&str>(), Some(&"dropped"));
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    let kept = lua.create_any_userdata(Bomb)?;
    let n = Rc::new(Cell::new(0));
    let c = n.clone();
    struct Set(Rc<Cell<i32>>);
    impl Drop for Set {
        fn drop(&mut self) {
            self.0.set(1);
        }
    }
    let other = lua.create_any_userdata(Set(c))?;
    // closing the state: all destructors run, then the panic goes on
    let p = catch_unwind(AssertUnwindSafe(|| drop(lua))).expect_err("panics");
    assert_eq!((p.downcast_ref::<&str>(), n.get()), (Some(&"dropped"), 1));
    drop((kept, other));
    Ok(())
}

#[test]
fn handles_dropped_while_panicking() {
    let lua = Lua::new();
    let r = catch_unwind(AssertUnwindSafe(|| {
        let _t = lua.create_table();
        let _f = lua.load("return 1").into_function();
        let _own = Lua::new();
        let _theirs = _own.create_table();
        panic!("away");
    }));
    assert!(r.is_err());
    assert_eq!(lua.load("1").eval::<i64>().ok(), Some(1));
}

#[test]
fn hooks() -> Result<()> {
    let lua = Lua::new();
    let log = Rc::new(RefCell::new(Vec::new()));
    let l = log.clone();
    lua.set_hook(HookTriggers::new().every_line(), move |_, d| {
        l.borrow_mut()
            .push((d.event, d.current_line, d.short_src.clone()));
        Ok(())
    })?;
    lua.load("local a = 1\nlocal b = 2\n\nreturn a")
        .set_name("=h")
        .exec()?;
    lua.remove_hook()?;
    let lines: Vec<_> = log.borrow().iter().map(|e| e.1).collect();
    assert_eq!(lines, [Some(1), Some(2), Some(4)]);
    assert!(
        log.borrow()
            .iter()
            .all(|e| e.0 == Some(DebugEvent::Line) && e.2 == "h")
    );
    // names, calls and returns; the hook calls Lua
    let l = Rc::new(RefCell::new(Vec::new()));
    let log = l.clone();
    lua.load("seen = 0").exec()?;
    lua.set_hook(
        HookTriggers::new().on_calls().on_returns(),
        move |lua, d| {
            lua.load("seen = seen + 1").exec()?;
            l.borrow_mut()
                .push((d.event.expect("one"), d.name.clone(), d.what));
            Ok(())
        },
    )?;
    lua.load("local function f() return 1 end local function g() return f() end g()")
        .exec()?;
    lua.remove_hook()?;
    let log = log.borrow();
    let of_f: Vec<_> = log
        .iter()
        .filter(|e| e.1.as_deref() == Some("g") || e.0 == DebugEvent::TailCall)
        .map(|e| e.0)
        .collect();
    assert_eq!(of_f, [DebugEvent::Call, DebugEvent::TailCall], "{log:?}");
    assert_eq!(lua.load("seen").eval::<usize>()?, log.len());
    // counts, errors from hooks, in coroutines that are made under it
    let n = Rc::new(Cell::new(0));
    let count = n.clone();
    lua.set_hook(
        HookTriggers::new().every_nth_instruction(100),
        move |_, _| {
            count.set(count.get() + 1);
            if count.get() >= 20 {
                return Err(Refused { code: count.get() }.into_lua_err());
            }
            Ok(())
        },
    )?;
    let e = lua
        .load("coroutine.wrap(function() while true do end end)()")
        .exec()
        .expect_err("the hook");
    assert!(e.downcast_ref::<Refused>().is_some(), "{e:?}");
    lua.remove_hook()?;
    let before = n.get();
    lua.load("for i = 1, 10000 do end").exec()?;
    assert_eq!(n.get(), before);
    // a panic
    lua.set_hook(HookTriggers::new().every_line(), |_, _| panic!("hooked"))?;
    let p = catch_unwind(AssertUnwindSafe(|| {
        lua.load("pcall(function()\nend)").exec()
    }))
    .expect_err("panics");
    assert_eq!(p.downcast_ref::<&str>(), Some(&"hooked"));
    lua.remove_hook()?;
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    Ok(())
}

#[test]
fn inspection() -> Result<()> {
    let lua = Lua::new();
    lua.register("where", |lua, ()| {
        let (here, caller) = (
            lua.inspect_stack(0).expect("this"),
            lua.inspect_stack(1).expect("the caller"),
        );
        assert!(lua.inspect_stack(50).is_none());
        Ok((
            here.what,
            here.name,
            caller.current_line,
            caller.name,
            caller.what,
        ))
    })?;
    assert_eq!(
        lua.load("local function f()\nreturn (function(...) return ... end)(where()) end local a, b, c, d, e = f() return a, b, c, d, e").eval::<(String, String, usize, String, String)>()?,
        ("C".into(), "where".into(), 2, "f".into(), "Lua".into())
    );
    lua.register("trace", |lua, ()| lua.traceback(Some("msg"), 0))?;
    let t: String = lua
        .load("local t = trace() return t")
        .set_name("=s")
        .call(())?;
    assert_eq!(
        t,
        "msg\nstack traceback:\n\t[C]: in function 'trace'\n\ts:1: in main chunk\n\t[C]: in ?"
            .replace("\n\t[C]: in ?", "")
    );
    Ok(())
}

#[test]
fn warnings() -> Result<()> {
    let lua = Lua::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let s = seen.clone();
    lua.set_warning_function(move |lua, text, more| {
        let n: i64 = lua.load("1 + 1").eval()?;
        s.borrow_mut().push((text.to_owned(), more, n));
        Err(Error::runtime("ignored"))
    })?;
    lua.load("warn('@on') warn('a', 'b')").exec()?;
    lua.warning("c", false)?;
    // of a finalizer, at a safepoint in the middle of something
    lua.load("setmetatable({}, {__gc = function() error('gc', 0) end}) local t = {} for i = 1, 100000 do t[i % 10 + 1] = {i} end collectgarbage() for i = 1, 10 do assert(#t[i] == 1) end").exec()?;
    let texts: String = seen.borrow().iter().map(|e| e.0.as_str()).collect();
    assert_eq!(texts, "@onabcerror in __gc (gc)");
    assert!(seen.borrow().iter().all(|e| e.2 == 2));
    lua.remove_warning_function()?;
    lua.load("warn('silent')").exec()?;
    assert_eq!(seen.borrow().len(), 9);
    // a panic comes up where Rust code has called Lua
    lua.set_warning_function(|_, _, _| panic!("warned"))?;
    let p =
        catch_unwind(AssertUnwindSafe(|| lua.load("pcall(warn, 'x')").exec())).expect_err("panics");
    assert_eq!(p.downcast_ref::<&str>(), Some(&"warned"));
    Ok(())
}

#[test]
fn deep_recursion() -> Result<()> {
    let lua = Lua::new();
    lua.register("call", |_, f: Function| f.call::<Value>(()))?;
    let e = lua
        .load("local function f() return call(f) end f()")
        .exec()
        .expect_err("too deep");
    assert!(e.message().contains("C stack overflow"), "{e}");
    let e = lua
        .load("local function f() return f() + 1 end f()")
        .exec()
        .expect_err("too deep");
    assert!(e.message().contains("stack overflow"), "{e}");
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    Ok(())
}

#[test]
fn stressed() {
    common::stressed(&[]);
}
