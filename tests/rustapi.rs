//! The Rust API: values, conversions, tables, functions, coroutines, chunks, modules, state.

mod common;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use traceorus::{
    Bytes, ChunkMode, Error, ErrorKind, Function, GCMode, IntoLua, LightUserData, Lua, LuaString,
    MultiValue, Result, StdLib, Table, Thread, ThreadStatus, Value, Variadic,
};

/// Message of an error.
fn message<T: std::fmt::Debug>(r: Result<T>) -> String {
    r.expect_err("an error").message().to_owned()
}

#[test]
fn values() -> Result<()> {
    let lua = Lua::new();
    let (a, b, c, d): (bool, i64, f64, String) = lua.load("true, 1, 2.5, 'x'").eval()?;
    assert_eq!((a, b, c, d.as_str()), (true, 1, 2.5, "x"));
    // missing values are nil, more are ignored, floats with integral values are integers, and as in Lua's libraries
    // numbers are strings and the reverse
    let (a, b): (Option<i64>, Option<i64>) = lua.load("return 3.0").eval()?;
    assert_eq!((a, b), (Some(3), None));
    assert_eq!(
        lua.load("'0x10', 17, 2.5")
            .eval::<(i64, String, String)>()?,
        (16, "17".into(), "2.5".into())
    );
    assert_eq!(
        lua.load("nil, false, 0").eval::<(bool, bool, bool)>()?,
        (false, false, true)
    );
    assert_eq!(lua.load("return 1, nil, 3").eval::<MultiValue>()?.len(), 3);
    assert_eq!(lua.load("'\\0\\xff'").eval::<Bytes>()?.0, [0, 255]);
    for (code, wanted) in [
        ("return {}", "value #1: integer expected, got table"),
        (
            "return 1.5",
            "value #1: number has no integer representation",
        ),
        (
            "return '1.5'",
            "value #1: number has no integer representation",
        ),
        (
            "return 300",
            "value #1: number 300 is out of the range of u8",
        ),
        ("return -1", "value #1: number -1 is out of the range of u8"),
        ("return", "value #1: integer expected, got no value"),
        ("return nil", "value #1: integer expected, got nil"),
        ("return 'x'", "value #1: integer expected, got string"),
    ] {
        let e = lua.load(code).eval::<u8>().expect_err(code);
        assert_eq!((e.kind(), e.message()), (ErrorKind::Conversion, wanted));
    }
    assert_eq!(
        message(lua.load("'\\xff'").eval::<String>()),
        "value #1: string is not valid UTF-8"
    );
    assert_eq!(
        message(lua.load("1, {}").eval::<(i64, f64)>()),
        "value #2: number expected, got table"
    );
    // every integer type at its ends
    macro_rules! ends {
        ($($t:ty),*) => { $(
            for n in [<$t>::MIN, <$t>::MAX] {
                assert_eq!(lua.unpack::<$t>(lua.pack(n)?)?, n);
                assert_eq!(lua.load("local x = ... return x").call::<$t>(n)?, n);
            }
        )* };
    }
    ends!(i8, i16, i32, i64, isize, u8, u16, u32);
    assert_eq!(lua.pack(u64::MAX)?, Value::Number(u64::MAX as f64));
    assert_eq!(lua.pack(i128::from(i64::MAX))?, Value::Integer(i64::MAX));
    assert_eq!(lua.load("2^53").eval::<u64>()?, 1 << 53);
    assert_eq!(lua.load("'é'").eval::<char>()?, 'é');
    assert!(lua.load("'ab'").eval::<char>().is_err());
    Ok(())
}

#[test]
fn values_in_general() -> Result<()> {
    let lua = Lua::new();
    let p = LightUserData(&raw const lua as *mut _);
    for (v, name, text) in [
        (Value::Nil, "nil", "nil"),
        (Value::Boolean(true), "boolean", "true"),
        (Value::Integer(-3), "number", "-3"),
        (Value::Number(1.0), "number", "1.0"),
        (lua.pack("abc")?, "string", "abc"),
    ] {
        assert_eq!((v.type_name(), v.to_string()?.as_str()), (name, text));
        assert_eq!(
            lua.load("local v = ... return type(v), tostring(v)")
                .call::<(String, String)>(&v)?,
            (name.into(), text.into())
        );
    }
    lua.globals().set("p", p)?;
    assert_eq!(lua.globals().get::<LightUserData>("p")?, p);
    assert_eq!(lua.load("type(p)").eval::<String>()?, "userdata");
    // equality is raw, numbers by value
    assert_eq!(Value::Integer(1), Value::Number(1.0));
    assert_ne!(Value::Integer(1), Value::Number(1.5));
    assert_eq!(lua.pack("long ".repeat(20))?, lua.pack("long ".repeat(20))?);
    let (a, b): (Value, Value) = lua.load("local m = {__eq = function() return true end} return setmetatable({}, m), setmetatable({}, m)").eval()?;
    assert_ne!(a, b);
    assert!(a.equals(&b)?);
    assert_eq!(a, a.clone());
    assert!(a.to_pointer() != b.to_pointer() && !a.to_pointer().is_null());
    let named: Value = lua
        .load("setmetatable({}, {__tostring = function() return 'obj' end})")
        .eval()?;
    assert_eq!(named.to_string()?, "obj");
    let bad: Value = lua
        .load("setmetatable({}, {__tostring = function() return {} end})")
        .eval()?;
    assert!(message(bad.to_string()).contains("'__tostring' must return a string"));
    assert_eq!(
        format!("{:?}", (Value::Integer(1), lua.pack("x")?)),
        "(Integer(1), String(\"x\"))"
    );
    Ok(())
}

#[test]
fn strings() -> Result<()> {
    let lua = Lua::new();
    let s: LuaString = lua.load("('x'):rep(100)").eval()?;
    let text = s.to_str()?;
    lua.gc_collect()?;
    assert_eq!(text.len(), 100);
    assert_eq!(s, "x".repeat(100).as_str());
    // a guard keeps the state open
    drop(lua);
    assert_eq!(text.as_bytes(), "x".repeat(100).as_bytes());
    drop(text);
    assert_eq!(s.as_bytes().len(), 0);
    Ok(())
}

#[test]
fn collections() -> Result<()> {
    let lua = Lua::new();
    let g = lua.globals();
    g.set("v", vec![1, 2, 3])?;
    g.set("a", [1.5, 2.5])?;
    g.set("slice", &["a", "b"][..])?;
    g.set("m", HashMap::from([("x", 1), ("y", 2)]))?;
    g.set("b", BTreeMap::from([(10, "ten")]))?;
    g.set("s", HashSet::from(["in"]))?;
    assert_eq!(
        lua.load("#v, v[3], a[2], slice[2], m.x + m.y, b[10], s['in']")
            .eval::<(i64, i64, f64, String, i64, String, bool)>()?,
        (3, 3, 2.5, "b".into(), 3, "ten".into(), true)
    );
    assert_eq!(g.get::<Vec<i64>>("v")?, [1, 2, 3]);
    assert_eq!(g.get::<[i64; 3]>("v")?, [1, 2, 3]);
    assert_eq!(
        g.get::<HashMap<String, i64>>("m")?,
        HashMap::from([("x".into(), 1), ("y".into(), 2)])
    );
    assert_eq!(
        g.get::<BTreeMap<i64, String>>("b")?,
        BTreeMap::from([(10, "ten".into())])
    );
    assert_eq!(g.get::<HashSet<String>>("s")?, HashSet::from(["in".into()]));
    assert_eq!(lua.load("{'p', 'q'}").eval::<HashSet<String>>()?.len(), 2);
    assert_eq!(
        message(g.get::<[i64; 2]>("v")),
        "sequence of 2 elements expected, got 3"
    );
    assert_eq!(
        message(lua.load("{1, {}, 3}").eval::<Vec<i64>>()),
        "value #1: integer expected, got table at index 2"
    );
    assert_eq!(
        message(lua.load("{x = {}}").eval::<HashMap<String, i64>>()),
        "value #1: integer expected, got table at key 'x'"
    );
    assert_eq!(
        message(lua.load("1").eval::<Vec<i64>>()),
        "value #1: table expected, got number"
    );
    Ok(())
}

#[test]
fn tables() -> Result<()> {
    let lua = Lua::new();
    let t = lua.create_table()?;
    assert!(t.is_empty());
    t.set("a", 1)?;
    t.set(1, "one")?;
    assert_eq!((t.len()?, t.raw_len(), t.is_empty()), (1, 1, false));
    assert!(t.contains_key("a")? && !t.contains_key("b")?);
    t.push("two")?;
    t.raw_push("three")?;
    assert_eq!(t.pop::<String>()?, "three");
    t.raw_insert(1, "zero")?;
    assert_eq!(
        t.sequence_values::<String>().collect::<Result<Vec<_>>>()?,
        ["zero", "one", "two"]
    );
    assert_eq!(t.raw_remove::<String>(2)?, "one");
    assert_eq!(message(t.raw_remove::<Value>(7)), "position out of bounds");
    assert_eq!(message(t.raw_insert(9, 1)), "position out of bounds");
    let mut pairs = t.pairs::<String, String>().collect::<Result<Vec<_>>>()?;
    pairs.sort();
    assert_eq!(
        pairs,
        [
            ("1".into(), "zero".into()),
            ("2".into(), "two".into()),
            ("a".into(), "1".into())
        ]
    );
    // an entry of another type: an error, and the end
    let mut i = t.pairs::<i64, String>();
    assert_eq!(i.by_ref().filter(|p| p.is_err()).count(), 1);
    assert!(i.next().is_none());
    // removing entries while going through
    t.clear()?;
    assert!(t.is_empty());
    assert_eq!(t.pop::<Option<i64>>()?, None);
    // keys that cannot be
    assert_eq!(message(t.raw_set(Value::Nil, 1)), "table index is nil");
    assert_eq!(message(t.set(f64::NAN, 1)), "table index is NaN");
    assert_eq!(t.get::<Value>(Value::Nil)?, Value::Nil);
    Ok(())
}

#[test]
fn metatables() -> Result<()> {
    let lua = Lua::new();
    let t: Table = lua
        .load("return setmetatable({}, {__index = function(t, k) if k == 'bad' then error('no', 0) end return k .. '!' end,
                __newindex = function(t, k, v) rawset(t, k, v * 2) end, __len = function() return 7 end, __call = function(t, a) return a + 1 end})")
        .eval()?;
    assert_eq!(t.get::<String>("x")?, "x!");
    assert_eq!(t.raw_get::<Option<i64>>("x")?, None);
    t.set("n", 4)?;
    assert_eq!(t.raw_get::<i64>("n")?, 8);
    assert_eq!((t.len()?, t.raw_len()), (7, 0));
    assert_eq!(t.call::<i64>(1)?, 2);
    let e = t.get::<Value>("bad").expect_err("raises");
    assert_eq!((e.kind(), e.message()), (ErrorKind::Runtime, "no"));
    assert!(message(t.set("n2", "x")).contains("attempt to mul a 'string'"));
    assert!(t.metatable().is_some());
    t.set_metatable(None)?;
    assert!(t.metatable().is_none());
    assert_eq!(t.get::<Option<String>>("x")?, None);
    // a handler of an outer xpcall does not see errors that Rust code catches
    lua.globals().set(
        "t",
        lua.load("setmetatable({}, {__index = function() error('inner') end})")
            .eval::<Value>()?,
    )?;
    lua.register("quiet", |_, t: Table| Ok(t.get::<Value>("x").is_err()))?;
    let (ok, caught, seen): (bool, bool, i64) = lua
        .load("local seen = 0 local ok, r = xpcall(quiet, function(m) seen = seen + 1 return m end, t) return ok, r, seen")
        .eval()?;
    assert_eq!((ok, caught, seen), (true, true, 0));
    Ok(())
}

#[test]
fn methods_of_tables() -> Result<()> {
    let lua = Lua::new();
    let t: Table = lua.load("{n = 5, f = function(x) return x * 2 end, m = function(self, x) return self.n + x end}").eval()?;
    assert_eq!(t.call_function::<i64>("f", 4)?, 8);
    assert_eq!(t.call_method::<i64>("m", 4)?, 9);
    assert_eq!(
        message(t.call_method::<()>("nope", ())),
        "attempt to call a nil value (member 'nope')"
    );
    Ok(())
}

#[test]
fn functions() -> Result<()> {
    let lua = Lua::new();
    let f: Function = lua
        .load("function(...) return select('#', ...), ... end")
        .eval()?;
    assert_eq!(f.call::<i64>(())?, 0);
    assert_eq!(
        f.call::<(i64, i64, Option<String>)>((1, "x"))?,
        (2, 1, Some("x".into()))
    );
    let (n, all): (i64, Variadic<i64>) = f.call((1, Variadic::from(vec![2, 3])))?;
    assert_eq!((n, all.into_vec()), (3, vec![1, 2, 3]));
    let many: Variadic<i64> = (1..=5000).collect();
    assert_eq!(f.call::<i64>(many)?, 5000);
    let bound = f.bind((1, 2))?.bind("x")?;
    assert_eq!(
        bound.call::<(i64, i64, i64, String, i64)>(9)?,
        (4, 1, 2, "x".into(), 9)
    );
    assert_eq!(
        message(f.bind((0..300).collect::<Variadic<i64>>())),
        "too many arguments to bind"
    );
    // results of a bound function that yields
    lua.globals().set(
        "y",
        lua.load("coroutine.yield").eval::<Function>()?.bind(1)?,
    )?;
    assert_eq!(lua.load("local co = coroutine.wrap(function() return y(2) end) local a, b = co() return a, b, co(7)").eval::<(i64, i64, i64)>()?, (1, 2, 7));
    let i = lua
        .load("\nreturn function(a, b, ...)\n return lua end")
        .set_name("@f.lua")
        .call::<Function>(())?
        .info()?;
    assert_eq!(
        (i.source.as_deref(), i.short_src.as_str(), i.what),
        (Some("@f.lua"), "f.lua", "Lua")
    );
    assert_eq!(
        (
            i.line_defined,
            i.last_line_defined,
            i.params,
            i.is_vararg,
            i.upvalues
        ),
        (Some(2), Some(3), 2, true, 1)
    );
    let print: Function = lua.globals().get("print")?;
    assert_eq!(
        (
            print.info()?.what,
            print.info()?.line_defined,
            print.dump(false)
        ),
        ("C", None, None)
    );
    assert_eq!(f, f.clone());
    assert_ne!(f, bound);
    Ok(())
}

#[test]
fn rust_functions() -> Result<()> {
    let lua = Lua::new();
    lua.register("div", |_, (a, b): (i64, i64)| {
        a.checked_div(b).ok_or(Error::runtime("division by zero"))
    })?;
    lua.register("count", |_, args: MultiValue| Ok(args.len()))?;
    lua.register("sum", |_, (first, rest): (i64, Variadic<i64>)| {
        Ok(rest.iter().fold(first, |a, b| a + b))
    })?;
    lua.register("pair", |_, ()| Ok((1, "x")))?;
    lua.register("fails", |_, ()| Ok(Err::<i64, _>("a reason")))?;
    assert_eq!(
        lua.load("div(7, 2), count(1, nil, nil)")
            .eval::<(i64, usize)>()?,
        (3, 3)
    );
    assert_eq!(
        lua.load("sum(1, 2, 3), sum(5)").eval::<(i64, i64)>()?,
        (6, 5)
    );
    assert_eq!(
        lua.load("select('#', pair()), fails()")
            .eval::<(i64, Value, String)>()?,
        (2, Value::Nil, "a reason".into())
    );
    for (code, wanted) in [
        ("div(1, 0)", "t:1: division by zero"),
        (
            "div(1, {})",
            "t:1: bad argument #2 to 'div' (integer expected, got table)",
        ),
        (
            "div(1)",
            "t:1: bad argument #2 to 'div' (integer expected, got no value)",
        ),
        (
            "div(1.5, 1)",
            "t:1: bad argument #1 to 'div' (number has no integer representation)",
        ),
        (
            "local d = div d('x')",
            "t:1: bad argument #1 to 'd' (integer expected, got string)",
        ),
        (
            "local t = {div = div} t.div()",
            "t:1: bad argument #1 to 'div' (integer expected, got no value)",
        ),
        (
            "sum(1, 2, {})",
            "t:1: bad argument #3 to 'sum' (integer expected, got table)",
        ),
    ] {
        let e = lua.load(code).set_name("=t").exec().expect_err(code);
        assert_eq!(e.message(), wanted);
        assert_eq!(e.kind(), ErrorKind::Runtime);
    }
    // Rust calls Lua calls Rust calls Lua
    let twice: Function = lua.load("function(f, x) return f(f(x)) end").eval()?;
    lua.globals().set("lua_twice", &twice)?;
    lua.register("twice", |lua, (f, x): (Function, i64)| {
        lua.globals()
            .get::<Function>("lua_twice")?
            .call::<i64>((f, x))
    })?;
    assert_eq!(
        lua.load("twice(function(x) return x * 3 end, 2)")
            .eval::<i64>()?,
        18
    );
    // an error of the inner function passes as it is
    let e = lua
        .load("twice(function() error('in', 0) end, 1)")
        .exec()
        .expect_err("raises");
    assert_eq!(e.message(), "in");
    let (ok, same): (bool, bool) = lua.load("local t = {} local ok, e = pcall(twice, function() error(t) end, 1) return ok, rawequal(e, t)").eval()?;
    assert_eq!((ok, same), (false, true));
    // hot, with results of changing types
    lua.register("half", |lua, n: i64| {
        if n % 2 == 0 {
            lua.pack(n / 2)
        } else {
            lua.pack(n as f64 / 2.0)
        }
    })?;
    assert_eq!(
        lua.load("local s = 0 for i = 1, 1000 do s = s + half(i) end return s")
            .eval::<f64>()?,
        250_250.0
    );
    Ok(())
}

#[test]
fn mutable_functions() -> Result<()> {
    let lua = Lua::new();
    let mut n = 0;
    let f = lua.create_function_mut(move |_, ()| {
        n += 1;
        Ok(n)
    })?;
    f.call::<()>(())?;
    assert_eq!(f.call::<i64>(())?, 2);
    let again =
        lua.create_function_mut(|lua, ()| lua.globals().get::<Function>("again")?.call::<()>(()))?;
    lua.globals().set("again", &again)?;
    let e = again.call::<()>(()).expect_err("recursion");
    assert_eq!(
        (e.kind(), e.message()),
        (ErrorKind::Borrow, "mutable callback called recursively")
    );
    Ok(())
}

#[test]
fn coroutines() -> Result<()> {
    let lua = Lua::new();
    let f: Function = lua
        .load("function(a) local b = coroutine.yield(a, 'y') error({code = b}) end")
        .eval()?;
    let co = lua.create_thread(f)?;
    assert_eq!(co.status(), ThreadStatus::Resumable);
    assert_eq!(co.resume::<(i64, String)>(1)?, (1, "y".into()));
    assert!(co.is_resumable());
    let e = co.resume::<()>(5).expect_err("raises");
    assert_eq!(
        lua.unpack::<Table>(e.value(&lua).expect("of this state"))?
            .get::<i64>("code")?,
        5
    );
    assert!(
        e.traceback().expect("one").contains("in function <"),
        "{e:?}"
    );
    assert_eq!(co.status(), ThreadStatus::Error);
    let e = co.resume::<()>(()).expect_err("dead");
    assert_eq!(
        (e.kind(), e.message()),
        (ErrorKind::Coroutine, "cannot resume dead coroutine")
    );
    // from inside
    lua.register("self_resume", |lua, ()| {
        lua.current_thread()?.resume::<()>(())
    })?;
    let e = lua
        .load("coroutine.wrap(function() self_resume() end)()")
        .exec()
        .expect_err("running");
    assert!(
        e.message()
            .ends_with("cannot resume non-suspended coroutine"),
        "{e}"
    );
    lua.register("status_of", |_, t: Thread| Ok(format!("{:?}", t.status())))?;
    assert_eq!(lua.load("local main = coroutine.running() return coroutine.wrap(function() return status_of(main), status_of(coroutine.running()) end)()").eval::<(String, String)>()?, ("Normal".into(), "Running".into()));
    // closing
    let co: Thread = lua.load("coroutine.create(function() local c <close> = setmetatable({}, {__close = function() closed = true end}) coroutine.yield() end)").eval()?;
    co.resume::<()>(())?;
    co.close()?;
    assert!(lua.globals().get::<bool>("closed")?);
    assert_eq!(co.status(), ThreadStatus::Finished);
    let co: Thread = lua.load("coroutine.create(function() local c <close> = setmetatable({}, {__close = function() error('closing', 0) end}) coroutine.yield() end)").eval()?;
    co.resume::<()>(())?;
    assert_eq!(message(co.close()), "closing");
    // handles made in a coroutine, used outside
    lua.register("table_with", |lua, x: i64| lua.create_sequence_from([x]))?;
    let t: Table = lua
        .load("coroutine.wrap(function() coroutine.yield(table_with(4)) end)()")
        .eval()?;
    assert_eq!(t.get::<i64>(1)?, 4);
    // a Rust function is a boundary that yields do not cross
    lua.register("call", |_, f: Function| f.call::<()>(()))?;
    let e = lua
        .load("coroutine.wrap(function() call(coroutine.yield) end)()")
        .exec()
        .expect_err("a boundary");
    assert!(
        e.message()
            .contains("attempt to yield across a C-call boundary"),
        "{e}"
    );
    Ok(())
}

#[test]
fn chunks() -> Result<()> {
    let lua = Lua::new();
    lua.load("x = 1").exec()?;
    assert_eq!(lua.load("x + 1").eval::<i64>()?, 2);
    assert_eq!(lua.load("x = x + 1 return x").eval::<i64>()?, 2);
    assert_eq!(lua.load("f = 5 --").eval::<Value>()?, Value::Nil);
    assert_eq!(
        lua.load("...")
            .call::<i64>(1)
            .expect_err("no expression")
            .kind(),
        ErrorKind::Syntax
    );
    let e = lua.load("error('here')").exec().expect_err("raises");
    let (file, line) = e.position().expect("a position");
    assert!(file.contains("tests/rustapi.rs:"), "{file}");
    assert_eq!(line, 1);
    // a function with its environment
    let env = lua.create_table_from([("y", 10)])?;
    let f = lua
        .load("y = y + 1 return y, x")
        .set_environment(&env)
        .into_function()?;
    assert_eq!(f.call::<(i64, Option<i64>)>(())?, (11, None));
    assert_eq!(env.get::<i64>("y")?, 11);
    assert!(message(lua.load("1").set_environment(5).eval::<Value>()).contains("table expected"));
    // modes
    let binary = f.dump(true).expect("a Lua function");
    assert_eq!(lua.load(&binary).set_environment(&env).eval::<i64>()?, 12);
    assert!(
        message(lua.load(&binary).set_mode(ChunkMode::Text).exec())
            .contains("attempt to load a binary chunk")
    );
    assert!(
        message(lua.load("x = 1").set_mode(ChunkMode::Binary).exec())
            .contains("attempt to load a text chunk")
    );
    // broken ones
    let e = lua
        .load("x = = 1")
        .set_name("@a:b.lua")
        .exec()
        .expect_err("syntax");
    assert_eq!(
        (e.kind(), e.message(), e.position()),
        (
            ErrorKind::Syntax,
            "a:b.lua:1: unexpected symbol near '='",
            Some(("a:b.lua", 1))
        )
    );
    assert!(!e.incomplete_input());
    assert!(
        lua.load("for i = 1, 2 do")
            .exec()
            .expect_err("syntax")
            .incomplete_input()
    );
    let dir = common::TempDir::new("rustapi");
    let file = dir.0.join("m.lua");
    std::fs::write(&file, "return ...").expect("writes");
    assert_eq!(lua.load(file.as_path()).call::<i64>(3)?, 3);
    let e = lua
        .load(dir.0.join("absent.lua"))
        .exec()
        .expect_err("no file");
    assert!(e.downcast_ref::<std::io::Error>().is_some());
    Ok(())
}

#[test]
fn modules() -> Result<()> {
    let lua = Lua::new();
    lua.register_module("m", lua.create_table_from([("v", 1)])?)?;
    assert_eq!(lua.load("require 'm'.v").eval::<i64>()?, 1);
    lua.preload_module(
        "p",
        lua.create_function(|_, (name, how): (String, String)| Ok(name + &how))?,
    )?;
    assert_eq!(lua.load("(require 'p')").eval::<String>()?, "p:preload:");
    lua.unload_module("m")?;
    lua.add_searcher(|lua, name| {
        Ok(match name.as_str() {
            "s.x" => Some(
                lua.load("local name, how = ... return {name, how}")
                    .into_function()?,
            ),
            "broken" => return Err(Error::runtime("disk full")),
            _ => None,
        })
    })?;
    assert_eq!(
        lua.load("require 's.x'").eval::<Vec<String>>()?,
        ["s.x", ":host:"]
    );
    assert!(message(lua.load("require 'm'").exec()).contains("no module 'm' in the host"));
    assert!(message(lua.load("require 'broken'").exec()).contains("disk full"));
    // without the library there is nobody to ask
    let lua = Lua::builder().libraries(StdLib::BASE).build();
    assert!(lua.add_searcher(|_, _| Ok(None)).is_err());
    Ok(())
}

#[test]
fn libraries() -> Result<()> {
    let lua = Lua::builder().libraries(StdLib::NONE).build();
    assert_eq!(lua.globals().pairs::<Value, Value>().count(), 0);
    lua.load_std_libs(StdLib::BASE | StdLib::MATH)?;
    assert_eq!(
        lua.load("math.max(1, 2), string").eval::<(i64, Value)>()?,
        (2, Value::Nil)
    );
    let names = "debug, io, os, require, string, jit";
    let lua = Lua::new();
    let all: [Value; 6] = lua
        .load(format!("{{{}}}", names.replace("debug", "false")))
        .eval()?;
    assert!(all[1..].iter().all(Value::is_truthy));
    assert_eq!(lua.load("debug").eval::<Value>()?, Value::Nil);
    let lua = Lua::builder().libraries(StdLib::ALL).build();
    assert_eq!(lua.load("debug").eval::<Value>()?, Value::Nil);
    let ways = "package.loadlib ~= nil, #package.searchers";
    assert_eq!(lua.load(ways).eval::<(bool, i64)>()?, (false, 2));
    lua.load_std_libs(StdLib::PACKAGE)?;
    assert_eq!(lua.load(ways).eval::<(bool, i64)>()?, (false, 2));
    // SAFETY: only looks.
    let lua = unsafe { Lua::builder().unsafe_libraries(StdLib::ALL) }.build();
    assert!(lua.load("debug.traceback").eval::<Value>()?.is_truthy());
    assert!(StdLib::ALL.contains(StdLib::IO | StdLib::OS) && !StdLib::PURE.contains(StdLib::IO));
    Ok(())
}

#[test]
fn registry_and_app_data() -> Result<()> {
    let lua = Lua::new();
    let mut key = lua.create_registry_value(lua.create_sequence_from([7])?)?;
    lua.gc_collect()?;
    assert_eq!(lua.registry_value::<Table>(&key)?.get::<i64>(1)?, 7);
    lua.replace_registry_value(&mut key, "other")?;
    assert_eq!(lua.registry_value::<String>(&key)?, "other");
    let nil = lua.create_registry_value(Value::Nil)?;
    assert_eq!(lua.registry_value::<Value>(&nil)?, Value::Nil);
    let other = Lua::new();
    assert_eq!(
        other
            .registry_value::<Value>(&key)
            .expect_err("foreign")
            .kind(),
        ErrorKind::Handle
    );
    assert_eq!(
        other
            .replace_registry_value(&mut key, 1)
            .expect_err("foreign")
            .kind(),
        ErrorKind::Handle
    );
    lua.set_named_registry_value("n", 5)?;
    assert_eq!(lua.named_registry_value::<i64>("n")?, 5);
    assert_eq!(lua.load("n").eval::<Value>()?, Value::Nil);
    lua.unset_named_registry_value("n")?;
    assert_eq!(lua.named_registry_value::<Option<i64>>("n")?, None);

    assert!(lua.set_app_data(String::from("a")).is_none());
    assert_eq!(lua.set_app_data(String::from("b")).as_deref(), Some("a"));
    lua.app_data_mut::<String>().expect("set").push('!');
    let borrowed = lua.app_data_ref::<String>().expect("set");
    assert_eq!(*borrowed, "b!");
    assert!(lua.app_data_ref::<i32>().is_none());
    lua.set_app_data(1i32); // another type, while one is borrowed
    assert!(lua.remove_app_data::<String>().is_none()); // borrowed
    assert_eq!(*borrowed, "b!");
    drop(borrowed);
    assert_eq!(lua.remove_app_data::<i32>(), Some(1));
    Ok(())
}

#[test]
fn handles_keep_objects() -> Result<()> {
    let lua = Lua::new();
    lua.load("weak, strong = setmetatable({}, {__mode = 'v'}), {} for i = 1, 4 do strong[i] = {i} weak[i] = strong[i] end")
        .exec()?;
    let kept: Table = lua.load("weak[1]").eval()?;
    let clone = kept.clone();
    drop(lua.load("weak[2]").eval::<Table>()?);
    let in_value: Value = lua.load("weak[3]").eval()?;
    lua.globals().set("strong", Value::Nil)?;
    drop(kept);
    lua.gc_collect()?;
    assert_eq!(
        lua.load("weak[1] ~= nil, weak[2] ~= nil, weak[3] ~= nil, weak[4] ~= nil")
            .eval::<(bool, bool, bool, bool)>()?,
        (true, false, true, false)
    );
    drop((clone, in_value));
    lua.gc_collect()?;
    assert_eq!(lua.load("next(weak)").eval::<Value>()?, Value::Nil);
    Ok(())
}

#[test]
fn handles_and_states() -> Result<()> {
    let (a, b) = (Lua::new(), Lua::new());
    let t = a.create_table()?;
    assert_eq!(
        b.globals().set("t", &t).expect_err("foreign").kind(),
        ErrorKind::Handle
    );
    let f: Function = b.load("function(x) return x end").eval()?;
    assert_eq!(
        f.call::<Value>(&t).expect_err("foreign").kind(),
        ErrorKind::Handle
    );
    let f: Function = a.load("print").eval()?;
    let s = a.create_string("s")?;
    let th = a.create_thread(f.clone())?;
    let weak = a.weak();
    assert!(weak.upgrade().is_some());
    let second = a.clone();
    drop(a);
    assert!(t.get::<Value>(1).is_ok());
    drop(second);
    assert!(weak.upgrade().is_none());
    // everything fails, nothing crashes
    for e in [
        f.call::<()>(()).expect_err("closed"),
        t.get::<Value>(1).expect_err("closed"),
        t.set(1, 1).expect_err("closed"),
        t.pairs::<Value, Value>()
            .next()
            .expect("an error")
            .expect_err("closed"),
        th.resume::<()>(()).expect_err("closed"),
        b.globals().set("x", &s).expect_err("foreign"),
        Value::Table(t.clone()).to_string().expect_err("closed"),
    ] {
        assert_eq!(e.kind(), ErrorKind::Handle);
    }
    assert_eq!((t.raw_len(), t.is_empty(), t.metatable()), (0, true, None));
    assert_eq!(th.status(), ThreadStatus::Finished);
    assert_eq!(t, t.clone());
    assert!(f.dump(false).is_none());
    Ok(())
}

#[test]
fn state_dropped_by_a_callback() -> Result<()> {
    let lua = Lua::new();
    let holder = std::rc::Rc::new(std::cell::RefCell::new(Some(lua.clone())));
    let h = holder.clone();
    let f = lua.create_function(move |lua, ()| {
        drop(h.borrow_mut().take()); // the last owner: the state closes when this entry ends
        lua.load("1 + 1").eval::<i64>()
    })?;
    drop(lua);
    assert_eq!(f.call::<i64>(())?, 2);
    assert_eq!(
        f.call::<i64>(()).expect_err("closed").kind(),
        ErrorKind::Handle
    );
    assert!(holder.borrow().is_none());
    Ok(())
}

#[test]
fn memory() -> Result<()> {
    let lua = Lua::new();
    let before = lua.used_memory();
    // a loop in Rust collects, too
    for i in 0..200_000 {
        lua.create_sequence_from([i])?;
    }
    assert!(
        lua.used_memory() < before + (8 << 20),
        "{}",
        lua.used_memory()
    );
    lua.set_memory_limit(Some(lua.used_memory() + (1 << 20)));
    assert_eq!(
        lua.load("local s = 'x' while true do s = s .. s end")
            .exec()
            .expect_err("limit")
            .kind(),
        ErrorKind::Memory
    );
    assert_eq!(
        lua.create_string(vec![b'x'; 2 << 20])
            .expect_err("limit")
            .kind(),
        ErrorKind::Memory
    );
    assert_eq!(
        lua.create_table_with_capacity(1 << 20, 0)
            .expect_err("limit")
            .kind(),
        ErrorKind::Memory
    );
    lua.set_memory_limit(None);
    assert_eq!(lua.memory_limit(), None);
    lua.gc_stop();
    assert!(!lua.gc_is_running());
    lua.gc_restart();
    lua.gc_step(100)?;
    assert_eq!(lua.gc_set_mode(GCMode::Generational), GCMode::Incremental);
    lua.load("for i = 1, 10000 do local t = {i} end").exec()?;
    assert_eq!(lua.gc_set_mode(GCMode::Incremental), GCMode::Generational);
    lua.gc_set_params(150, 200);
    Ok(())
}

#[test]
fn limits_in_callbacks() -> Result<()> {
    let lua = Lua::builder().time_limit(Duration::from_millis(50)).build();
    lua.register("call", |_, f: Function| f.call::<()>(()))?;
    let e = lua
        .load("call(function() while true do end end)")
        .exec()
        .expect_err("limit");
    assert!(e.message().ends_with("time limit exceeded"), "{e}");
    let e = lua
        .load("while true do pcall(call, function() while true do end end) end")
        .exec()
        .expect_err("limit");
    assert!(e.message().ends_with("time limit exceeded"), "{e}");
    lua.set_time_limit(None);
    assert_eq!(lua.load("1").eval::<i64>()?, 1);
    Ok(())
}

#[test]
fn conversions_that_run_code() -> Result<()> {
    // values that make others while they are being passed
    struct Nested(u32);
    impl IntoLua for Nested {
        fn into_lua(self, lua: &Lua) -> Result<Value> {
            let t = lua.create_table()?;
            if self.0 > 0 {
                t.set("inner", Nested(self.0 - 1))?;
            }
            lua.gc_collect()?;
            t.into_lua(lua)
        }
    }
    let lua = Lua::new();
    let f: Function = lua
        .load("function(a, s, b) return a.inner.inner.inner, s, b.inner.inner end")
        .eval()?;
    let (a, s, b): (Table, String, Table) = f.call((Nested(5), "text".repeat(20), Nested(3)))?;
    assert!(a.contains_key("inner")? && b.contains_key("inner")?);
    assert_eq!(s, "text".repeat(20));
    Ok(())
}

#[test]
fn stressed() {
    common::stressed(&["memory"]);
}
