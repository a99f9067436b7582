//! What ends programs that want too much, and input that is no program: an error, never a crash or a hang; the state is
//! usable afterwards and nothing is lost that was already written.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Rng, Run, TempDir, lua, traceorus};
use traceorus::{AsChunk, Bytes, Error, ErrorKind, FromLuaMulti, Function, Lua, MultiValue, Value};

/// Short forms.
trait Short {
    fn function(&self, source: impl AsChunk, name: &str) -> Result<Function, Error>;
    fn eval<R: FromLuaMulti>(&self, source: impl AsChunk) -> Result<R, Error>;
}
impl Short for Lua {
    fn function(&self, source: impl AsChunk, name: &str) -> Result<Function, Error> {
        self.load(source).set_name(name).into_function()
    }
    fn eval<R: FromLuaMulti>(&self, source: impl AsChunk) -> Result<R, Error> {
        self.function(source, "=eval")?.call(())
    }
}

/// Runs `f` on a native stack like that of a program's main thread.
fn on_main_stack(f: impl FnOnce() + Send + 'static) {
    let t = std::thread::Builder::new().stack_size(8 << 20);
    let t = t.spawn(f).expect("a thread");
    if let Err(p) = t.join() {
        std::panic::resume_unwind(p);
    }
}

/// The state still works: values, calls, errors, memory.
fn usable(lua: &Lua) {
    let r: i64 = lua
        .eval(
            "local t = {} for i = 1, 100 do t[i] = tostring(i) .. 'x' end
             local ok, e = pcall(function() error({1}) end)
             assert(not ok and e[1] == 1)
             assert(coroutine.wrap(function(a) return coroutine.yield(a) end)(3) == 3)
             return #table.concat(t)",
        )
        .expect("the state is usable");
    assert_eq!(r, 292);
}

/// The same in a program.
const USABLE: &str = "
    local t = {} for i = 1, 100 do t[i] = tostring(i) .. 'x' end
    assert(#table.concat(t) == 292)
    assert(coroutine.wrap(function(a) return coroutine.yield(a) end)(3) == 3)
    collectgarbage() print('usable')";

// ---- memory ------------------------------------------------------------------------------------------------------

/// Snippets that allocate for ever or very much. Each is the body of a function.
const HUNGRY: [(&str, &str); 17] = [
    ("tables", "local t = {} while true do t = {t} end"),
    (
        "array",
        "local t = {} local i = 0 while true do i = i + 1 t[i] = i end",
    ),
    (
        "fields",
        "local t = {} local i = 0 while true do i = i + 1 t['k' .. i] = i end",
    ),
    (
        "shapes",
        "local keep = {} for i = 1, 1e9 do local o = {} for j = 1, 20 do o['f' .. i .. j] = j end keep[i] = o end",
    ),
    (
        "strings",
        "local t = {} local i = 0 while true do i = i + 1 t[i] = ('x'):rep(100) .. i end",
    ),
    ("concat", "local s = 'x' while true do s = s .. s end"),
    (
        "concat of many",
        "local s = ('x'):rep(1000) while true do s = s .. s .. 'a' .. s .. 1 .. s end",
    ),
    (
        "closures",
        "local f = function() end while true do local g = f f = function() return g end end",
    ),
    (
        "coroutines",
        "local t = {} while true do local c = coroutine.create(function() coroutine.yield(1) end) coroutine.resume(c) t[#t + 1] = c end",
    ),
    (
        "string.rep",
        "local n = 1 while true do n = n * 2 local s = ('ab'):rep(n) end",
    ),
    (
        "table.concat",
        "local t = {} while true do for i = 1, 1000 do t[#t + 1] = 'some text' end local s = table.concat(t) t[#t + 1] = s end",
    ),
    (
        "gsub",
        "local s = 'xx' while true do s = s:gsub('.', '%0%0') end",
    ),
    (
        "sort",
        "local t = {} while true do for i = 1, 30000 + #t do t[#t + 1] = #t * 7919 % 1000 end table.sort(t, function(a, b) local x = {a} return a < b end) end",
    ),
    (
        "deep recursion",
        "local function f(a) local b, c, d = {}, a, a return f(b) + 1 end return f({})",
    ),
    (
        "load",
        "local s = 'local a = 1 ' while true do s = s .. s load(s) end",
    ),
    (
        "unpack",
        "local t = {} for i = 1, 1e6 do t[i] = i end while true do local u = {table.unpack(t, 1, 200000)} t[#t + 1] = u end",
    ),
    (
        "userdata and finalizers",
        "local t = {} while true do t[#t + 1] = setmetatable({}, {__gc = function() end}) end",
    ),
];

fn memory_error(e: &Error) -> bool {
    e.kind() == ErrorKind::Memory && e.message().contains("not enough memory")
}

/// Errors that a snippet may end with instead: other limits come first when memory is plenty.
fn other_limit(e: &Error) -> bool {
    e.message().contains("stack overflow")
        || e.message().contains("too large")
        || e.message().contains("resulting string too large")
        || e.message().contains("too many")
}

#[test]
fn memory_limit_in_steps() {
    on_main_stack(|| {
        let base = Lua::new().used_memory();
        // from far too little over just the libraries to plenty
        let mut limits: Vec<usize> = vec![0, 1, base / 2, base];
        limits.extend((1..=12).map(|i| base + i * 700));
        limits.extend([16, 32, 64, 128, 256, 512, 1024, 4096, 16384].map(|k| base + (k << 10)));
        for (name, body) in HUNGRY {
            let lua = Lua::new();
            let f = lua.function(body, "=hungry").expect("it compiles");
            for &limit in &limits {
                lua.set_memory_limit(Some(limit));
                let r = f.call::<MultiValue>(());
                let used = lua.used_memory();
                lua.set_memory_limit(None);
                match r {
                    Err(e) if memory_error(&e) || other_limit(&e) => {}
                    other => panic!("{name} with {limit} bytes: {other:?}"),
                }
                assert!(
                    used <= limit.max(base) + (256 << 10),
                    "{name} with {limit} bytes took {used}"
                );
                usable(&lua);
                // objects with finalizers take two
                lua.gc_collect().expect("a collection");
                lua.gc_collect().expect("a collection");
            }
            let left = lua.used_memory();
            assert!(
                left < base + (512 << 10),
                "{name} leaves {left} bytes behind, the libraries take {base}"
            );
        }
    });
}

#[test]
fn memory_errors_are_lua_errors() {
    on_main_stack(|| {
        for (name, body) in HUNGRY {
            let lua = Lua::builder().memory_limit(3 << 20).build();
            let source = format!(
                "local closed = false
                 local ok, e = pcall(function() local c <close> = setmetatable({{}}, {{__close = function() closed = true end}}) {body} end)
                 collectgarbage()
                 assert(not ok and closed)
                 return tostring(e), xpcall(function() {body} end, function(m) return 'handled' end)"
            );
            let (e, ok, _m): (String, bool, Value) =
                lua.eval(source).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(!ok);
            let other = ["stack overflow", "too large", "too many"]
                .iter()
                .any(|m| e.contains(m));
            assert!(e == "not enough memory" || other, "{name}: {e}");
            usable(&lua);
        }
    });
}

#[test]
fn memory_limit_in_coroutines_and_callbacks() {
    let lua = Lua::builder().memory_limit(4 << 20).build();
    let r: String = lua
        .eval(
            "local function eat() local s = 'x' while true do s = s .. s end end
             local out = {}
             for i = 1, 20 do
               local co = coroutine.create(eat)
               local ok, e = coroutine.resume(co)
               out[#out + 1] = tostring(e) .. coroutine.status(co)
               ok, e = pcall(string.gsub, 'abc', '.', eat)
               assert(not ok and e == 'not enough memory')
               ok, e = pcall(table.sort, {3, 2, 1}, eat)
               assert(not ok and e == 'not enough memory')
               ok, e = pcall(function() return setmetatable({}, {__index = eat}).x end)
               assert(not ok and e == 'not enough memory')
               ok, e = pcall(load, function() eat() end)
             end
             return out[20]",
        )
        .expect("errors are caught");
    assert_eq!(r, "not enough memorydead");
    usable(&lua);
}

// ---- time --------------------------------------------------------------------------------------------------------

#[test]
fn time_limit() {
    let snippets = [
        "while true do end",
        "for i = 1, math.huge do end",
        "for i = 1, math.maxinteger do local x = i * 2 end",
        "repeat until false",
        "::a:: goto a",
        "while true do pcall(error) end",
        "while true do pcall(function() while true do end end) end",
        "local t = {} while true do t[1] = {} end",
        "for k in function() return 1 end do end",
        "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do local s = ('x'):rep(100):gsub('x', 'y') end",
        "setmetatable({}, {__index = function(t, k) while true do end end}).x = nil local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
        "table.sort({3, 2, 1}, function() while true do end end)",
        "local c <close> = setmetatable({}, {__close = function() while true do end end})",
        "return ('a'):rep(40):gsub('.', function() while true do end end)",
        // nothing but calls
        "local function f() return f() end f()",
        "local function f(...) return f(...) end f(1, 2)",
        "local function f(a, b) return f(a) end f()",
        "local f, g function f(...) return g() end function g(a) return f(a, 1, 2) end f()",
        "local t = {} function t:f() return self:f() end t:f()",
        "local t = setmetatable({}, {}) getmetatable(t).__call = function(t, ...) return t(...) end t(1)",
        "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end fib(80)",
        "local function f(n) if n == 0 then return end f(n - 1) return f(n - 1) end f(190)",
        "local function f() coroutine.wrap(function() return f end)() return f() end f()",
        "coroutine.wrap(function() local function f() return f() end f() end)()",
        "local function f() return f() end pcall(f) f()",
        "local function f() return select('#', pcall(f)) end f() while true do f() end",
        "local mt = {} mt.__index = function(t, k) if k == 0 then return 0 end return t[k - 1] + t[k - 1] end return setmetatable({}, mt)[100]",
        "local mt = {} mt.__add = function(a, b) if b == 0 then return 0 end return (a + (b - 1)) + (a + (b - 1)) end return setmetatable({}, mt) + 100",
        "local mt = {} mt.__lt = function(a, b) return a < b end local t = setmetatable({}, mt) while true do pcall(function() return t < t end) end",
        "local mt = {} mt.__close = function() end local function f() local c <close> = setmetatable({}, mt) end while true do f() end",
        "::a:: do local function f() end f() end goto a",
        "local s = ('x'):rep(1000) while true do local a = s:find('y', 1, true) end",
        "table.sort({1, 2, 3}, function() local function f() return f() end return f() end)",
    ];
    for s in snippets {
        let lua = Lua::builder().time_limit(Duration::from_millis(30)).build();
        let start = Instant::now();
        let e = lua.eval::<Value>(s).expect_err(s);
        assert!(e.message().ends_with("time limit exceeded"), "{s}: {e}");
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{s}: took {:?}",
            start.elapsed()
        );
        lua.set_time_limit(None);
        usable(&lua);
    }
}

#[test]
fn interrupts() {
    let lua = Lua::new();
    let handle = lua.interrupt_handle();
    let t = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        handle.interrupt();
    });
    let e = lua
        .eval::<Value>("while true do end")
        .expect_err("interrupted");
    assert!(e.message().ends_with("interrupted!"), "{e}");
    t.join().expect("the other thread");
    usable(&lua);
}

/// Interrupts at any moment leave frames in order: each is an error that the program can catch.
#[test]
fn interrupts_at_any_moment() {
    let bodies = [
        "local function f() return f() end f()",
        "local function f(...) return f(...) end f(1, 2)",
        "local f, g function f(...) return g() end function g(a) return f(a, 1, 2) end f()",
        "local function f(a, b, ...) return g2(f, a) end function g2(f, ...) return f(...) end f(1)",
        "local function f() return select(1, f)() end f()",
        "local t = setmetatable({}, {}) getmetatable(t).__call = function(t) return t() end t()",
        "local function f(n) if n == 0 then return 1 end return f(n - 1) + f(n - 1) end f(100)",
        "local function f(...) return (pcall(select, '#', ...)) end while true do f(1, 2) f() end",
        "local function f(a) return a end while true do pcall(f, 1) pcall(f) pcall(f, 1, 2) xpcall(f, print, 3) end",
        "local co = coroutine.wrap(function(...) while true do coroutine.yield(...) end end) while true do co(1, 2) end",
        "while true do coroutine.wrap(function(...) return ... end)(1) end",
        "local co = coroutine.wrap(function() local function f() return f() end f() end) co()",
        "local s = setmetatable({}, {__index = function(t, k) return k end, __lt = function() return true end}) while true do local a = s.x, s < s end",
        "while true do for k, v in pairs({1, 2, a = 3}) do local x = {k, v} end end",
        "while true do local c <close> = setmetatable({}, {__close = function() end}) end",
    ];
    let lua = Lua::new();
    for body in bodies {
        let handle = lua.interrupt_handle();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let seen = stop.clone();
        let t = std::thread::spawn(move || {
            let mut rng = Rng(3);
            while !seen.load(std::sync::atomic::Ordering::Relaxed) {
                handle.interrupt();
                std::thread::sleep(Duration::from_micros(rng.below(60) as u64));
            }
        });
        let source = format!(
            "local function body() {body} end
             for i = 1, 200 do
               local ok, e = pcall(body)
               assert(not ok)
               if not tostring(e):find('interrupted!', 1, true) then error(e, 0) end
             end"
        );
        for _ in 0..3 {
            match lua.eval::<Value>(&source) {
                Ok(_) => {}
                Err(e) => assert!(e.message().ends_with("interrupted!"), "{body}: {e}"),
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        t.join().expect("the other thread");
        // one may be left
        let _ = lua.eval::<Value>("for i = 1, 2 do end");
        usable(&lua);
    }
}

// ---- recursion ---------------------------------------------------------------------------------------------------

#[test]
fn infinite_recursion() {
    let cases = [
        ("Lua function", "local function f() return 1 + f() end f()"),
        (
            "many arguments",
            "local function f(...) return 1 + f(1, ...) end f()",
        ),
        (
            "two functions",
            "local f, g function f() g() return 1 end function g() f() return 1 end f()",
        ),
        (
            "__index",
            "local t = {} setmetatable(t, {__index = function(t, k) return t[k] end}) return t.x",
        ),
        (
            "__index chain",
            "local t = {} setmetatable(t, {__index = t}) return t.x",
        ),
        (
            "__newindex",
            "local t = {} setmetatable(t, {__newindex = function(t, k, v) t[k] = v end}) t.x = 1",
        ),
        (
            "__newindex chain",
            "local t = {} setmetatable(t, {__newindex = t}) t.x = 1",
        ),
        (
            "__call",
            "local t = setmetatable({}, {}) getmetatable(t).__call = function(self) return 1 + self() end t()",
        ),
        (
            "__add",
            "local t = setmetatable({}, {}) getmetatable(t).__add = function(a, b) return a + b + 1 end return t + 1",
        ),
        (
            "__concat",
            "local t = setmetatable({}, {}) getmetatable(t).__concat = function(a, b) return (a .. b) or 1 end return t .. 'y'",
        ),
        (
            "__eq",
            "local mt = {} mt.__eq = function(a, b) return not (a == b) end return setmetatable({}, mt) == setmetatable({}, mt)",
        ),
        (
            "__lt",
            "local t = setmetatable({}, {}) getmetatable(t).__lt = function(a, b) return not (a < b) end return t < t",
        ),
        (
            "__len",
            "local t = setmetatable({}, {}) getmetatable(t).__len = function(a) return #a + 1 end return #t",
        ),
        (
            "__tostring",
            "local t = setmetatable({}, {}) getmetatable(t).__tostring = function(a) return tostring(a) .. 'x' end return tostring(t)",
        ),
        (
            "pcall",
            "local function f() local ok, e = pcall(f) if not ok then error(e, 0) end return 1 end f() error('stack overflow')",
        ),
        (
            "pcall of pcall",
            "local function f(...) return pcall(f, ...) end f() error('stack overflow')",
        ),
        (
            "xpcall handler",
            "local function h(e) error(e) end local ok, e = xpcall(error, h, 'x') error('stack overflow')",
        ),
        (
            "string.gsub",
            "local function f(s) return (s:gsub('.', f)) end f('x')",
        ),
        (
            "table.sort",
            "local function f(a, b) table.sort({1, 2, 3}, f) return a < b end f(1, 2)",
        ),
        (
            "coroutine.wrap",
            "local function f() return coroutine.wrap(f)() end f()",
        ),
        (
            "coroutine.resume",
            "local function f() local ok, e = coroutine.resume(coroutine.create(f)) if not ok then error(e, 0) end end f() error('stack overflow')",
        ),
        (
            "load",
            "local function f() return load(f) end f() load(function() return f() end) error('stack overflow')",
        ),
        (
            "require",
            "package.preload.a = function() package.loaded.a = nil return require('a') end require('a')",
        ),
        (
            "tostring in error",
            "local t = setmetatable({}, {__tostring = function(t) error(t) end}) local ok = pcall(tostring, t) error('stack overflow')",
        ),
        (
            "pattern",
            "return ('a'):rep(300000):match('.-b')  or error('stack overflow')",
        ),
        (
            "pattern nesting",
            "return ('x'):rep(300000):match(('x?'):rep(300000)) and error('stack overflow') or error('stack overflow')",
        ),
        (
            "dofile",
            "local function f() return assert(load('return ...'))(f()) end f()",
        ),
    ];
    for (name, source) in cases {
        let program = format!(
            "for i = 1, 2 do
               local ok, e = pcall(assert(load([==[{source}]==])))
               assert(not ok)
               print(e)
             end
             {USABLE}"
        );
        let r = lua(program).run();
        assert!(r.success(), "{name}: {}: {}", r.end(), r.err());
        let lines: Vec<String> = r.out().lines().map(String::from).collect();
        assert_eq!(lines.last().map(String::as_str), Some("usable"), "{name}");
        for m in &lines[..lines.len() - 1] {
            let expected = [
                "stack overflow",
                "error in error handling",
                "loop",
                "too complex",
            ];
            assert!(expected.iter().any(|x| m.contains(x)), "{name}: {m}");
        }
    }
}

#[test]
fn recursion_in_the_program() {
    // with the stack of a process, the traceback of a deep stack, and finalizers at the end
    let r = lua(
        "setmetatable({}, {__gc = function() print('finalized') end})
                 print('before') local function f() return 1 + f() end f()",
    )
    .run();
    assert_eq!(r.status.and_then(|s| s.code()), Some(1), "{}", r.err());
    assert_eq!(r.out(), "before\nfinalized\n");
    assert!(r.err().contains("stack overflow"), "{}", r.err());
    assert!(
        r.stderr.len() < 20_000,
        "a traceback of {} bytes",
        r.stderr.len()
    );
}

// ---- sources -----------------------------------------------------------------------------------------------------

/// Loads the source: the error message, if there is one. The state must be usable afterwards.
fn load(name: &str, source: &str) -> Result<(), String> {
    let program = format!(
        "local f, e = load(io.read('a'), '=source') print(f and 'loaded' or e) f = nil {USABLE}"
    );
    let r = Run::new(traceorus())
        .arg("-e")
        .arg(program)
        .stdin(source)
        .run();
    let out = r.out();
    let Some(m) = out.strip_suffix("\nusable\n") else {
        panic!("{name}: {}: {out} {}", r.end(), r.err());
    };
    if m == "loaded" { Ok(()) } else { Err(m.into()) }
}

#[test]
fn deep_nesting_of_source() {
    let n = 100_000;
    let nest = |open: &str, middle: &str, close: &str| {
        [&open.repeat(n), middle, &close.repeat(n)].concat()
    };
    let cases = [
        ("parentheses", format!("return {}", nest("(", "1", ")"))),
        ("tables", format!("return {}", nest("{", "", "}"))),
        ("keys", format!("return {}", nest("{[", "1", "]=1}"))),
        ("functions", nest("return function() ", "", " end")),
        ("calls", format!("return {}", nest("f(", "", ")"))),
        ("indices", format!("return {}", nest("a[", "1", "]"))),
        ("blocks", nest("do ", "", " end")),
        ("ifs", nest("if x then ", "", " end")),
        (
            "elseifs",
            format!("if x then {} end", "elseif y then ".repeat(n)),
        ),
        ("loops", nest("while x do ", "", " end")),
        ("fors", nest("for i = 1, 2 do ", "", " end")),
        ("repeats", nest("repeat ", "", " until x")),
        ("nots", format!("return {} x", "not ".repeat(n))),
        ("minuses", format!("return {} x", "- ".repeat(n))),
        ("powers", format!("return {} 2", "2 ^ ".repeat(n))),
        ("concats", format!("return {} 'x'", "x .. ".repeat(n))),
        ("sums", format!("return {} 1", "x + ".repeat(n))),
        ("ands", format!("return {} 1", "x and ".repeat(n))),
        ("ors", format!("return {} 1", "x or ".repeat(n))),
        ("comparisons", format!("return {} 1", "x < ".repeat(n))),
        ("selectors", format!("return a{}", ".b".repeat(n))),
        ("method calls", format!("return a{}", ":b()".repeat(n))),
        ("string calls", format!("f{}", " 'x'".repeat(n))),
        ("assignments", format!("{} x = 1", "x, ".repeat(n))),
        ("locals", "local x ".repeat(n)),
        ("names", format!("local {} x", "x, ".repeat(n))),
        (
            "parameters",
            format!("return function({} x) end", "x, ".repeat(n)),
        ),
        (
            "upvalues",
            format!(
                "{} return function() return x1 end",
                (1..300).map(|i| format!("local x{i} ")).collect::<String>()
            ),
        ),
        ("labels", (0..n).map(|i| format!("::l{i}:: ")).collect()),
        ("gotos", format!("{} ::l::", "goto l ".repeat(n))),
        ("unfinished gotos", "goto l ".repeat(n)),
        ("comments", format!("{}\nreturn 1", "--[[x]]".repeat(n))),
        (
            "long brackets",
            format!("return [{0}[x]{0}]", "=".repeat(n)),
        ),
        ("open brackets", format!("return [{}[x", "=".repeat(n))),
        ("open string", format!("return '{}", "x".repeat(n))),
        ("digits", format!("return {}", "1".repeat(n))),
        ("fraction", format!("return 0.{}", "1".repeat(n))),
        ("hexadecimal", format!("return 0x{}p-{}", "f".repeat(n), n)),
        ("exponent", format!("return 1e{}", "9".repeat(n))),
        ("identifier", format!("{0} = 1 return {0}", "a".repeat(n))),
        ("semicolons", ";".repeat(n)),
        ("escapes", format!("return '{}'", "\\u{7FFFFFFF}".repeat(n))),
    ];
    // these only are long, those are deep; of the rest either is fine
    const FLAT: &str = "sums ands ors comparisons selectors comments digits fraction identifier semicolons escapes gotos elseifs";
    const DEEP: &str =
        "parentheses tables keys functions calls indices blocks ifs loops fors repeats nots powers";
    let among = |list: &str, name: &str| list.split(' ').any(|w| w == name);
    let mut wrong = Vec::new();
    for (name, source) in &cases {
        match load(name, source) {
            Ok(()) if among(DEEP, name) => wrong.push(format!("{name}: loaded")),
            Err(e) if among(FLAT, name) => wrong.push(format!("{name}: {e}")),
            Err(e) if among(DEEP, name) && !e.contains("overflow") && !e.contains("too many") => {
                wrong.push(format!("{name}: {e}"));
            }
            // the message handler of the command adds a traceback to this one, as lua does
            Err(e) if !e.starts_with("source:") && !e.starts_with("C stack overflow") => {
                wrong.push(format!("{name}: {e}"))
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn large_sources() {
    let lua = Lua::new();
    // a constructor of a million elements, of both kinds
    let list: String = (1..=1_000_000).map(|i| format!("{i},")).collect();
    let (n, last): (i64, i64) = lua
        .eval(format!("local t = {{{list}}} return #t, t[1000000]"))
        .expect("a list");
    assert_eq!((n, last), (1_000_000, 1_000_000));
    let record: String = (1..=100_000).map(|i| format!("k{i}={i},")).collect();
    let (a, b): (i64, i64) = lua
        .eval(format!("local t = {{{record}}} return t.k1, t.k100000"))
        .expect("a record");
    assert_eq!((a, b), (1, 100_000));
    // 70,000 constants in one function
    let sum: String = (0..70_000)
        .map(|i| format!("s = s + {i}.5 t = 'c{i}' "))
        .collect();
    let (s, t): (f64, String) = lua
        .eval(format!("local s, t = 0 {sum} return s, t"))
        .expect("many constants");
    assert_eq!(
        (s, t.as_str()),
        (70_000.0 * 69_999.0 / 2.0 + 35_000.0, "c69999")
    );
    // as keys, operands of comparisons and global names
    let keys: String = (0..40_000).map(|i| format!("t.f{i} = {i} if t.f{i} ~= {i} or {i}.25 == t.f{i} then error('f{i}') end g{i} = t.f{i} ")).collect();
    let last: i64 = lua
        .eval(format!("local t = {{}} {keys} return g39999 + t.f0"))
        .expect("many keys");
    assert_eq!(last, 39_999);
    // long jumps
    let body = "x = x + 1 ".repeat(100_000);
    let x: i64 = lua.eval(format!("local x, n = 0, 0 while n < 2 do n = n + 1 if n == 3 then goto out end {body} end ::out:: return x")).expect("a long loop");
    assert_eq!(x, 200_000);
    let x: i64 = lua
        .eval(format!(
            "local x = 0 for i = 1, 2 do if i > 0 then {body} else {body} end end return x"
        ))
        .expect("a long for");
    assert_eq!(x, 200_000);
    // string literals
    let big = "x".repeat(20_000_000);
    let n: i64 = lua
        .eval(format!("return #'{big}' + #[[{big}]]"))
        .expect("huge strings");
    assert_eq!(n, 40_000_000);
    // a line of a megabyte, many functions
    let line = "f(1) ".repeat(200_000);
    let n: i64 = lua
        .eval(format!(
            "local n = 0 local function f(x) n = n + x end {line} return n"
        ))
        .expect("a long line");
    assert_eq!(n, 200_000);
    let fs: String = (0..30_000)
        .map(|i| format!("f[{i}] = function() return {i} end "))
        .collect();
    let n: i64 = lua
        .eval(format!("local f = {{}} {fs} return f[29999]()"))
        .expect("many functions");
    assert_eq!(n, 29_999);
    let e = lua
        .eval::<Value>(format!("{}x.y.z = 1", "\n".repeat(1_000_000)))
        .expect_err("an error");
    assert_eq!(
        e.message(),
        "eval:1000001: attempt to index a nil value (global 'x')"
    );
    usable(&lua);
}

#[test]
fn odd_bytes() {
    let lua = Lua::new();
    let e = |s: &[u8]| {
        lua.function(s, "=s")
            .expect_err("an error")
            .message()
            .to_string()
    };
    assert_eq!(e(b"x = \0"), "s:1: unexpected symbol");
    assert_eq!(e(b"x = 1\0 y = 2"), "s:1: unexpected symbol");
    assert_eq!(e(b"\xff\xfe"), "s:1: unexpected symbol near '<\\255>'");
    assert_eq!(e(b"x = \xe4"), "s:1: unexpected symbol near '<\\228>'");
    assert_eq!(e(b"x\xc3\xa4 = 1"), "s:1: syntax error near '<\\195>'");
    assert_eq!(
        e(b"x = '\xff\n'"),
        "s:1: unfinished string near ''\u{fffd}'"
    );
    assert_eq!(e(b"\x01"), "s:1: unexpected symbol near '<\\1>'");
    let ok = |s: &[u8]| -> Vec<u8> {
        let f = lua.function(s, "=s").expect("it loads");
        f.call::<Bytes>(()).expect("it runs").0
    };
    assert_eq!(ok(b"return 'a\0b'"), b"a\0b");
    assert_eq!(ok(b"return '\xff\xc3('"), b"\xff\xc3(");
    assert_eq!(ok(b"--\xff\0\nreturn 'x'"), b"x");
    assert_eq!(ok(b"return [[\xff\0]]"), b"\xff\0");
    // line ends: each of \n, \r, \r\n, \n\r is one
    assert_eq!(ok(b"return [[a\r\nb\rc\n\rd]]"), b"a\nb\nc\nd");
    assert_eq!(ok(b"return 'a\\\r\nb'"), b"a\nb");
    assert_eq!(
        e(b"x = 1\r\ny = 2\r\n\r\nz = = 3\r\n"),
        "s:4: unexpected symbol near '='"
    );
    assert_eq!(e(b"\n\r\n\rx = ="), "s:3: unexpected symbol near '='");
    usable(&lua);
}

/// Random text of tokens and of bytes: errors or functions, never more.
#[test]
fn random_sources() {
    const TOKENS: [&str; 60] = [
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if",
        "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
        "+", "-", "*", "/", "//", "%", "^", "#", "&", "~", "|", "<<", ">>", "==", "~=", "<=", ">=",
        "<", ">", "=", "(", ")", "{", "}", "[", "]", "::", ";", ":", ",", ".", "..", "...", "x",
        "y", "1", "'s'", "<close>",
    ];
    let lua = Lua::new();
    let mut rng = Rng(2024);
    let (mut good, mut bad) = (0, 0);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(700) {
        let source: Vec<u8> = if rng.chance(80) {
            let n = rng.range(1, 12);
            (0..n)
                .flat_map(|_| [rng.pick(&TOKENS).as_bytes(), b" "].concat())
                .collect()
        } else {
            (0..rng.range(1, 40)).map(|_| rng.next() as u8).collect()
        };
        match lua.function(&source, "=random") {
            Ok(_) => good += 1,
            Err(e) => {
                bad += 1;
                assert!(
                    e.message().starts_with("random:")
                        || e.message().contains("binary")
                        || e.message().contains("truncated"),
                    "{e}"
                );
            }
        }
    }
    assert!(good > 10 && bad > 100, "{good} {bad}");
    usable(&lua);
}

// ---- the command -------------------------------------------------------------------------------------------------

#[test]
fn script_that_is_no_file() {
    let dir = TempDir::new("scripts");
    let r = Run::new(traceorus()).arg(&dir.0).run();
    assert_eq!(r.status.and_then(|s| s.code()), Some(1));
    assert!(
        r.err().contains("cannot read") && r.err().contains("directory"),
        "{}",
        r.err()
    );
    let r = Run::new(traceorus()).arg(dir.0.join("absent.lua")).run();
    assert_eq!(r.status.and_then(|s| s.code()), Some(1));
    assert!(
        r.err().contains("cannot open") && r.err().contains("absent.lua"),
        "{}",
        r.err()
    );
    // SAFETY: no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        let f = dir.file("secret.lua", "print(1)");
        let mut p = std::fs::metadata(&f)
            .expect("its permissions")
            .permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut p, 0);
        std::fs::set_permissions(&f, p).expect("no permissions");
        let r = Run::new(traceorus()).arg(&f).run();
        assert_eq!(r.status.and_then(|s| s.code()), Some(1));
        assert!(r.err().contains("cannot open"), "{}", r.err());
    }
    for name in ["dofile", "loadfile", "require"] {
        let r = lua(format!("print(pcall({name}, {:?}))", dir.0)).run();
        assert!(
            r.success() && (r.out().starts_with("false") || name == "loadfile"),
            "{name}: {} {}",
            r.out(),
            r.err()
        );
    }
    let crlf = dir.file(
        "crlf.lua",
        "#!/usr/bin/lua\r\nprint('one')\r\nprint('two')\r\nerror('three')\r\n",
    );
    let r = Run::new(traceorus()).arg(&crlf).run();
    assert_eq!(r.out(), "one\ntwo\n");
    assert!(r.err().contains("crlf.lua:4: three"), "{}", r.err());
    let bom = dir.file("bom.lua", "\u{feff}print('bom')");
    assert_eq!(Run::new(traceorus()).arg(&bom).run().out(), "bom\n");
    let empty = dir.file("empty.lua", "");
    let r = Run::new(traceorus()).arg(&empty).run();
    assert!(r.success() && r.stdout.is_empty() && r.stderr.is_empty());
    let name = dir.file("bin\u{fffd}.lua", "\x1bLuaX");
    let r = Run::new(traceorus()).arg(&name).run();
    assert_eq!(r.status.and_then(|s| s.code()), Some(1), "{}", r.err());
}

#[test]
fn closed_pipe() {
    let mut child = Command::new(traceorus())
        .args(["-e", "for i = 1, 1e9 do print(i) end"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    for i in 1..=3 {
        line.clear();
        out.read_line(&mut line).expect("a line");
        assert_eq!(line, format!("{i}\n"));
    }
    drop(out);
    let start = Instant::now();
    let status = loop {
        if let Some(s) = child.try_wait().expect("its status") {
            break s;
        }
        if start.elapsed() > Duration::from_secs(30) {
            let _ = child.kill();
            panic!("it does not notice that nobody reads");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(!status.success(), "{status}");
    let mut err = String::new();
    child
        .stderr
        .take()
        .expect("its messages")
        .read_to_string(&mut err)
        .expect("text");
    assert!(err.len() < 2000 && !err.contains("panicked"), "{err}");
}

#[test]
fn full_disk() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("no /dev/full here");
        return;
    };
    for source in [
        "print('x')",
        "io.write('x')",
        "for i = 1, 1e5 do io.write('some text\\n') end",
        "io.stdout:setvbuf('no') print(1)",
    ] {
        let out = Command::new(traceorus())
            .args(["-e", source])
            .stdout(full.try_clone().expect("the same file"))
            .stderr(Stdio::piped())
            .output()
            .expect("it runs");
        let err = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(1), "{source}: {err}");
        assert!(err.contains("No space left"), "{source}: {err}");
    }
    // what a program checks itself
    let r = lua("local f = assert(io.open('/dev/full', 'w')) f:write('x') print(f:flush()) f:write('x') print(f:close())").run();
    let lines = r.out();
    assert!(
        r.success() && lines.lines().count() == 2,
        "{lines} {}",
        r.err()
    );
    assert!(
        lines.lines().all(|l| l.starts_with("nil\tNo space left")),
        "{lines}"
    );
}

// ---- binary chunks -----------------------------------------------------------------------------------------------

/// Functions whose dumps have all parts: constants of each kind, upvalues, nested functions, varargs, loops.
const DUMPED: [&str; 4] = [
    "return function(a, b) return a + b end",
    "local u, v = 1, 'up' return function(...) local t = {1, 2.5, 'three', x = nil, y = true, ...} for i, w in ipairs(t) do u = u + i end return u, v, select('#', ...) end",
    "return function(n) local function f(m) if m < 2 then return m end return f(m - 1) + f(m - 2) end local s <const>, c <close> = 'k', nil while n > 0 do n = n - 1 if n == 3 then goto out end end ::out:: return f(n), s .. n, #s, -n, ~n, not n, n // 2, n << 1 end",
    "return function(o) o.field = o.field or {} o[1], o['x y'] = o:method(1, 2), o.field.sub local r = {} for i = 10, 1, -2 do r[#r + 1] = function() return i, o end end for k, v in pairs(r) do pcall(v) end return r, globalname end",
];

fn dumps() -> Vec<Vec<u8>> {
    let lua = Lua::new();
    let f = lua.function("local s, strip = ... return string.dump(load(s)(), strip), string.dump(load(s), strip)", "=d").expect("it compiles");
    let mut all = Vec::new();
    for s in DUMPED {
        for strip in [false, true] {
            let (a, b): (Bytes, Bytes) = f.call((s, strip)).expect("dumps");
            all.extend([a.0, b.0]);
        }
    }
    all
}

/// Loads the chunk and, if it is accepted, runs it under limits.
const HOSTILE: &str = "local chunk, run = ...
    local f, e = load(chunk, '=chunk', 'b')
    if not f then assert(type(e) == 'string') return 'refused', e end
    if not run then return 'accepted' end
    local ok, a = pcall(f, 3, 4)
    if ok and type(a) == 'function' then pcall(a, {}, 2) end
    return 'accepted'";

fn limited() -> (Lua, Function) {
    let lua = Lua::builder()
        .memory_limit(64 << 20)
        .time_limit(Duration::from_millis(200))
        .build();
    let f = lua.function(HOSTILE, "=hostile").expect("it compiles");
    (lua, f)
}

/// `Ok(true)`: accepted. Errors of running (limits) are fine.
fn hostile(f: &Function, chunk: &[u8], run: bool) -> bool {
    match f.call::<(String, Option<String>)>((Bytes(chunk.to_vec()), run)) {
        Ok((s, _)) => s == "accepted",
        Err(e) => {
            assert!(
                ["time limit", "not enough memory", "overflow"]
                    .iter()
                    .any(|m| e.message().contains(m)),
                "{e}"
            );
            true
        }
    }
}

#[test]
fn truncated_chunks() {
    let (lua, f) = limited();
    for d in dumps() {
        assert!(hostile(&f, &d, true), "a good chunk is refused");
        for n in 0..d.len() {
            assert!(
                !hostile(&f, &d[..n], true),
                "accepted after {n} of {} bytes",
                d.len()
            );
        }
        let (_, m): (String, String) = f
            .call((Bytes(d[..d.len() - 1].to_vec()), false))
            .expect("a message");
        assert!(m.contains("truncated"), "{m}");
    }
    lua.set_time_limit(None);
    usable(&lua);
}

/// Corrupt chunks in a process of their own, which must not be killed by a signal.
#[test]
fn corrupt_chunks() {
    let script = "
        local seed, n = tonumber(arg[1]), tonumber(arg[2])
        math.randomseed(seed)
        local sources = {SOURCES}
        local dumps = {}
        for _, s in ipairs(sources) do
          for _, strip in ipairs{false, true} do
            dumps[#dumps + 1] = string.dump(load(s)(), strip)
            dumps[#dumps + 1] = string.dump(load(s), strip)
          end
        end
        local deadline = os.clock() + n
        local accepted, refused, count = 0, 0, 0
        while os.clock() < deadline do
          count = count + 1
          local d = dumps[math.random(#dumps)]
          local how = math.random(4)
          if how == 1 then -- random bytes after the header
            local t = {}
            for i = 1, math.random(200) do t[i] = string.char(math.random(0, 255)) end
            d = d:sub(1, math.random(30, 40)) .. table.concat(t)
          else -- some bytes or bits changed, some left out or doubled
            for i = 1, math.random(3) do
              local p = math.random(1, #d)
              local c = d:byte(p)
              local new = how == 2 and string.char(math.random(0, 255)) or how == 3 and string.char(c ~ (1 << math.random(0, 7)))
                or (math.random(2) == 1 and '' or string.char(c, c))
              d = d:sub(1, p - 1) .. new .. d:sub(p + 1)
            end
          end
          LAST = d
          local f, e = load(d, '=c', 'b', setmetatable({}, {__index = {ipairs = ipairs, pairs = pairs, select = select, pcall = pcall}}))
          if f then
            accepted = accepted + 1
            local co = coroutine.create(f)
            local steps = 0
            debug.sethook(co, function() steps = steps + 1 if steps > 50 then error('enough', 0) end end, '', 100)
            local ok, a = coroutine.resume(co, {}, 2)
            if ok and type(a) == 'function' then
              co = coroutine.create(a)
              steps = 0
              debug.sethook(co, function() steps = steps + 1 if steps > 50 then error('enough', 0) end end, '', 100)
              coroutine.resume(co, {}, 2)
            end
            pcall(string.dump, f)
            pcall(debug.getinfo, f, 'SLnu')
            pcall(debug.getlocal, f, 1)
          else
            assert(type(e) == 'string')
            refused = refused + 1
          end
        end
        collectgarbage()
        print(accepted > 0, refused > 0, count > 20)";
    let sources: Vec<String> = DUMPED.iter().map(|s| format!("[==[{s}]==]")).collect();
    let script = script.replace("SOURCES", &sources.join(","));
    let dir = TempDir::new("chunks");
    let file = dir.file("corrupt.lua", script);
    let long = std::env::var("TRACEORUS_FUZZ_SECONDS").ok();
    let seconds = long.as_deref().unwrap_or("1");
    let seed = std::env::var("TRACEORUS_FUZZ_SEED").unwrap_or("1".into());
    for stress in ["0", "1"] {
        let r = Run::new(traceorus())
            .arg(&file)
            .arg(&seed)
            .arg(seconds)
            .env("TRACEORUS_STACK_STRESS", stress)
            .timeout(Duration::from_secs(
                120 + seconds.parse::<u64>().unwrap_or(0) * 4,
            ))
            .run();
        assert!(r.exited(), "{}: {}", r.end(), r.err());
        assert_eq!(r.out(), "true\ttrue\ttrue\n", "{}", r.err());
    }
}

#[test]
fn chunks_of_bytes() {
    let (lua, f) = limited();
    let mut rng = Rng(7);
    let good = dumps().swap_remove(0);
    for n in 0..2000 {
        let head = rng.below(good.len().min(60));
        let mut c = good[..head].to_vec();
        c.extend((0..rng.below(100)).map(|_| rng.next() as u8));
        hostile(&f, &c, n % 2 == 0);
    }
    // what claims to be gigantic
    for at in 25..good.len().min(200) {
        let mut c = good.clone();
        c.splice(
            at..at,
            [0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0xff],
        );
        hostile(&f, &c, true);
        let mut c = good.clone();
        for b in &mut c[at..good.len().min(at + 8)] {
            *b = 0xff;
        }
        hostile(&f, &c, true);
    }
    lua.set_time_limit(None);
    usable(&lua);
}
