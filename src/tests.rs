use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind, Function, Libraries, Runtime, Table, Value};

#[test]
fn conversions() {
    let lua = Runtime::new();
    let (a, b, c, d): (bool, i64, f64, String) =
        lua.eval("return true, 1, 2.5, 'x'").expect("runs");
    assert_eq!((a, b, c, d.as_str()), (true, 1, 2.5, "x"));
    // missing values are nil, more are ignored, floats with integral values are integers
    let (a, b): (Option<i64>, Option<i64>) = lua.eval("return 3.0").expect("runs");
    assert_eq!((a, b), (Some(3), None));
    assert_eq!(
        lua.eval::<Vec<Value>>("return 1, nil, 3")
            .expect("runs")
            .len(),
        3
    );
    assert_eq!(
        lua.eval::<Vec<u8>>("return '\\0\\xff'").expect("runs"),
        [0, 255]
    );
    for (code, message) in [
        ("return {}", "value #1: integer expected, got table"),
        ("return 1.5", "value #1: integer expected, got number"),
        ("return 300", "value #1: integer expected, got number"),
        ("return", "value #1: integer expected, got no value"),
    ] {
        let e = lua.eval::<u8>(code).expect_err(code);
        assert_eq!((e.kind(), e.message()), (ErrorKind::Conversion, message));
    }
}

#[test]
fn handles() {
    let lua = Runtime::new();
    let t = lua.create_table().expect("memory");
    t.set("a", 1).expect("set");
    t.set(1, "one").expect("set");
    assert_eq!(t.len().expect("len"), 1);
    let mut entries = t
        .entries()
        .expect("entries")
        .iter()
        .map(|e| format!("{e:?}"))
        .collect::<Vec<_>>();
    entries.sort();
    assert_eq!(
        entries,
        ["(Int(1), Str([111, 110, 101]))", "(Str([97]), Int(1))"]
    );
    lua.set("t", &t).expect("set");
    assert_eq!(lua.eval::<i64>("t.b = t return t.b.a").expect("runs"), 1);
    // a dropped handle lets go of its object, a kept one does not
    lua.eval::<()>("weak = setmetatable({}, {__mode = 'v'}) weak[1], weak[2] = {}, {}")
        .expect("runs");
    let kept: Table = lua.eval("return weak[1]").expect("runs");
    drop(lua.eval::<Table>("return weak[2]").expect("runs"));
    drop(lua.eval::<Table>("return {}").expect("runs"));
    lua.collect_garbage().expect("collects");
    assert_eq!(
        lua.eval::<(bool, bool)>("return weak[1] ~= nil, weak[2] ~= nil")
            .expect("runs"),
        (true, false)
    );
    drop(kept);
    // errors in metamethods arrive
    let e = lua.eval::<Table>("return setmetatable({}, {__index = function() error('no', 0) end})");
    assert_eq!(
        e.expect("runs")
            .get::<Value>("x")
            .expect_err("raises")
            .message(),
        "no"
    );
}

#[test]
fn handles_and_runtimes() {
    let (a, b) = (Runtime::new(), Runtime::new());
    let t = a.create_table().expect("memory");
    assert_eq!(
        b.set("t", &t).expect_err("foreign").kind(),
        ErrorKind::Handle
    );
    let f: Function = a.eval("return print").expect("runs");
    drop(a);
    assert_eq!(
        f.call::<()>(()).expect_err("closed").kind(),
        ErrorKind::Handle
    );
    assert_eq!(
        t.get::<Value>(1).expect_err("closed").kind(),
        ErrorKind::Handle
    );
}

#[test]
fn rust_functions() {
    let lua = Runtime::new();
    lua.register("div", |(a, b): (i64, i64)| {
        a.checked_div(b).ok_or("division by zero")
    })
    .expect("registers");
    lua.register("count", |args: Vec<Value>| args.len())
        .expect("registers");
    lua.register("boom", |()| -> () { panic!("bang") })
        .expect("registers");
    assert_eq!(
        lua.eval::<(i64, usize)>("return div(7, 2), count(1, nil, nil)")
            .expect("runs"),
        (3, 3)
    );
    for (code, message) in [
        ("div(1, 0)", "eval:1: division by zero"),
        (
            "div(1, {})",
            "eval:1: bad argument #2 to 'div' (integer expected, got table)",
        ),
        (
            "div(1)",
            "eval:1: bad argument #2 to 'div' (integer expected, got no value)",
        ),
        ("boom()", "eval:1: panic in a Rust function: bang"),
    ] {
        assert_eq!(lua.eval::<()>(code).expect_err(code).message(), message);
    }
    assert_eq!(lua.eval::<bool>("return (pcall(boom))").ok(), Some(false));
    // Rust calls Lua calls Rust calls Lua
    let twice: Function = lua
        .eval("return function(f, x) return f(f(x)) end")
        .expect("runs");
    let t = twice.clone();
    lua.register("twice", move |(f, x): (Function, i64)| {
        t.call::<i64>((f, x))
    })
    .expect("registers");
    assert_eq!(
        lua.eval::<i64>("return twice(function(x) return x * 3 end, 2)")
            .expect("runs"),
        18
    );
    assert_eq!(
        lua.eval::<()>("twice(function() error('in', 0) end, 1)")
            .expect_err("raises")
            .message(),
        "eval:1: in"
    );
}

#[test]
fn rust_functions_are_dropped() {
    struct Guard(Rc<Cell<u32>>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let lua = Runtime::new();
    for name in ["a", "b"] {
        let g = Guard(drops.clone());
        lua.register(name, move |()| g.0.get()).expect("registers");
    }
    lua.eval::<()>("a() a = nil collectgarbage() collectgarbage()")
        .expect("runs");
    lua.create_table().expect("memory"); // lets go of the handle
    lua.collect_garbage().expect("collects");
    assert_eq!(drops.get(), 1);
    drop(lua);
    assert_eq!(drops.get(), 2);
}

#[test]
fn errors() {
    let lua = Runtime::new();
    let e = lua.load("x = = 1", "@file.lua").expect_err("syntax");
    assert_eq!(
        (e.kind(), e.message()),
        (ErrorKind::Syntax, "file.lua:1: unexpected symbol near '='")
    );
    let e = lua
        .eval::<()>("local function f() error('deep') end\nf()")
        .expect_err("raises");
    assert_eq!(
        (e.kind(), e.message()),
        (ErrorKind::Runtime, "eval:1: deep")
    );
    let trace = e.traceback().expect("a traceback");
    assert!(trace.contains("eval:2: in main chunk"), "{trace}");
    let e = lua
        .eval::<()>("error(setmetatable({}, {__tostring = function() return 'obj' end}))")
        .expect_err("raises");
    assert_eq!(e.message(), "obj");
    assert_eq!(
        lua.eval::<()>("error({})").expect_err("raises").message(),
        "(error object is a table value)"
    );
    let _: &dyn std::error::Error = &e;
    let _: Result<(), Error> = lua.eval("return 1");
}

#[test]
fn limits() {
    let lua = Runtime::builder()
        .libraries(Libraries::PURE)
        .time_limit(Duration::from_millis(30))
        .build();
    assert_eq!(
        lua.eval::<bool>("return io == nil and os == nil and require == nil")
            .ok(),
        Some(true)
    );
    let start = Instant::now();
    for code in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
    ] {
        let e = lua.eval::<()>(code).expect_err("endless");
        assert_eq!(e.message(), "eval:1: time limit exceeded");
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    lua.set_time_limit(None);
    let before = lua.memory_used();
    lua.set_memory_limit(Some(before + (4 << 20)));
    for code in [
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1000000 do t[i] = {} end",
    ] {
        assert_eq!(
            lua.eval::<()>(code).expect_err("endless").kind(),
            ErrorKind::Memory,
            "{code}"
        );
    }
    assert_eq!(lua.eval::<i64>("return 1").ok(), Some(1));
}

#[test]
fn interrupts() {
    let lua = Runtime::new();
    let handle = lua.interrupt_handle();
    let t = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        handle.interrupt();
        handle
    });
    assert_eq!(
        lua.eval::<()>("while true do end")
            .expect_err("interrupted")
            .message(),
        "eval:1: interrupted!"
    );
    let handle = t.join().expect("no panic");
    drop(lua);
    handle.interrupt(); // too late, harmless
}
