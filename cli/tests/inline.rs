//! Metamethods and protected calls are part of the traces that reach them, and loops whose types never settle are compiled: what the
//! statistics of a program say of that.

use std::path::PathBuf;
use std::process::Command;

/// What a program printed, and the statistics of its traces.
struct Ran {
    out: String,
    stats: serde_json::Value,
}

impl Ran {
    fn exits(&self) -> u64 {
        self.stats["exits"]["total"].as_u64().expect("a number")
    }
    /// Names of the instructions that traces leave to helpers.
    fn helpers(&self) -> Vec<String> {
        let all = self.stats["helpers"].as_object().expect("an object");
        all.keys().cloned().collect()
    }
    fn loops(&self) -> u64 {
        self.stats["traces"]["loops"].as_u64().expect("a number")
    }
    /// Allocations in traces.
    fn made(&self) -> u64 {
        self.stats["allocations"]["left"]
            .as_u64()
            .expect("a number")
    }
    fn sunk(&self) -> u64 {
        self.stats["allocations"]["sunk"]
            .as_u64()
            .expect("a number")
    }
}

/// Runs `text` with the compiler as it is by default, whatever time compiling takes. `None`: no traces can be made here.
fn run(name: &str, text: &str) -> Option<Ran> {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (file, to) = (
        dir.join(format!("inline_{name}.lua")),
        dir.join(format!("inline_{name}.json")),
    );
    std::fs::write(&file, text).expect("writable");
    let mut c = Command::new(env!("CARGO_BIN_EXE_traceorus"));
    for (name, _) in std::env::vars() {
        if name.starts_with("TRACEORUS_") || name.starts_with("LUA_") {
            c.env_remove(name);
        }
    }
    c.env("TRACEORUS_STATS", format!("json:{}", to.display()));
    // unoptimised builds on a busy machine would go over the budget
    c.env("TRACEORUS_JIT", "maxcompile=100");
    let o = c.arg(&file).output().expect("it starts");
    assert!(
        o.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&o.stderr)
    );
    let stats = std::fs::read(&to).expect("statistics");
    let stats: serde_json::Value = serde_json::from_slice(&stats).expect("JSON");
    if stats["on"] != true {
        assert!(
            std::env::var_os("TRACEORUS_NO_SKIP").is_none(),
            "no traces can be made"
        );
        return None;
    }
    Some(Ran {
        out: String::from_utf8_lossy(&o.stdout).into_owned(),
        stats,
    })
}

/// The loop of `body`, run 3000 times after `head`, is one trace that leaves nothing to helpers and hardly ever exits.
fn inlined(name: &str, head: &str, body: &str, out: &str) -> Option<Ran> {
    let text = format!("{head}\nlocal s = 0\nfor i = 1, 3000 do\n  {body}\nend\nprint(s)\n");
    let r = run(name, &text)?;
    assert_eq!(r.out, format!("{out}\n"), "{name}");
    assert_eq!(r.helpers(), [""; 0], "{name}");
    assert!(r.exits() < 60, "{name}: {} exits", r.exits());
    assert!(r.loops() >= 1, "{name}");
    Some(r)
}

#[test]
fn metamethods() {
    let number = "local M = {} M.__index = M\n\
        local function new(n) return setmetatable({n = n}, M) end\n\
        M.__add = function(a, b) return new(a.n + b.n) end\n\
        M.__unm = function(a) return new(-a.n) end\n\
        M.__len = function(a) return a.n end\n\
        M.__concat = function(a, b) return a.n + b.n end\n\
        M.__eq = function(a, b) return a.n == b.n end\n\
        M.__lt = function(a, b) return a.n < b.n end\n\
        M.__le = function(a, b) return a.n <= b.n end\n\
        M.__call = function(self, x) return self.n + x end\n\
        local two = new(2)";
    if let Some(r) = inlined("add", number, "s = s + (new(i) + two).n", "4507500") {
        assert!(r.sunk() >= 2, "the operands are not made");
    }
    if let Some(r) = inlined("unm", number, "s = s - (-new(i)).n", "4501500") {
        assert!(r.sunk() >= 2, "neither operand nor result is made");
    }
    inlined("len", number, "s = s + #new(i)", "4501500");
    inlined("concat", number, "s = s + (new(i) .. two)", "4507500");
    inlined("eq", number, "if new(i) ~= two then s = s + 1 end", "2999");
    inlined("lt", number, "if two < new(i) then s = s + 1 end", "2998");
    inlined("le", number, "if two <= new(i) then s = s + 1 end", "2999");
    inlined("call", number, "s = s + two(i)", "4507500");
    // those of strings are native
    inlined(
        "text",
        "local t = {'10', '20'}",
        "s = s + t[i % 2 + 1] * '2'",
        "90000",
    );
}

#[test]
fn accesses() {
    let head = "local sq = setmetatable({}, {__index = function(t, k) return k * k end})\n\
        local o = setmetatable({}, {__index = sq})\n\
        local seen = 0\n\
        local log = setmetatable({}, {__newindex = function(t, k, v) seen = seen + v end})\n\
        local through = setmetatable({}, {__newindex = log})\n\
        local named = setmetatable({}, {__index = function(t, k) return k end})";
    inlined("index", head, "s = s + sq[i]", "9004500500");
    inlined("index_chain", head, "s = s + o[i]", "9004500500");
    inlined(
        "index_field",
        head,
        "if named.x == 'x' then s = s + 1 end",
        "3000",
    );
    inlined("newindex", head, "log[i] = i s = seen", "4501500");
    inlined("newindex_chain", head, "through.x = i s = seen", "4501500");
    let proxy = "local store = {a = 0, n = 0}\n\
        local p = setmetatable({}, {__index = store, __newindex = store})";
    inlined("proxy", proxy, "p.n = p.n + i s = p.n", "4501500");
    let class = "local A = {} A.__index = A function A:get() return self.n end\n\
        local B = setmetatable({}, A) B.__index = B\n\
        local C = setmetatable({}, {__index = B}) C.__index = C\n\
        local o = setmetatable({n = 1}, C)";
    inlined("deep_chain", class, "s = s + o:get()", "3000");
}

#[test]
fn protected_calls() {
    let head = "local function work(a, b) return a + b, a - b end\n\
        local function handler(e) return e end";
    inlined(
        "pcall",
        head,
        "local ok, x = pcall(work, i, 1) s = s + x",
        "4504500",
    );
    inlined(
        "xpcall",
        head,
        "local ok, x, y = xpcall(work, handler, i, 1) s = s + y",
        "4498500",
    );
    inlined(
        "pcall_all",
        head,
        "s = s + select('#', pcall(work, i, 1))",
        "9000",
    );
    inlined(
        "pcall_native",
        head,
        "local ok, x = pcall(math.max, i, 7) s = s + x",
        "4501521",
    );
    inlined(
        "pcall_nested",
        "local function inner(a) return a end local function outer(a) local ok, x = pcall(inner, a) return x end",
        "local ok, x = pcall(outer, i) s = s + x",
        "4501500",
    );
    // an error whose protected call is on the trace is a jump
    inlined(
        "error",
        "local function fail(i) error({n = i}) end",
        "local ok, e = pcall(fail, i) s = s + e.n",
        "4501500",
    );
    inlined(
        "error_text",
        "local function fail(i) error('text') end",
        "local ok, e = pcall(fail, i) if e:find(':1: text') then s = s + 1 end",
        "3000",
    );
}

/// So is an error that an instruction raises because of its operands' types, and that of `assert`.
#[test]
fn type_errors() {
    let errors = [
        (
            "index_nil",
            "local function fail(x) return x.y end",
            "index a nil value",
        ),
        (
            "arithmetic",
            "local function fail(x) return 1 + x end",
            "arithmetic on a nil value",
        ),
        (
            "compare",
            "local function fail(x) return x < 1 end",
            "compare nil with number",
        ),
        (
            "concat",
            "local function fail(x) return 'a' .. x .. 'b' end",
            "concatenate a nil value",
        ),
        (
            "length",
            "local function fail(x) return #x end",
            "length of a nil value",
        ),
        ("call", "local function fail(x) x() end", "call a nil value"),
        (
            "assert",
            "local function fail(x) assert(x, 'no value') end",
            ":1: no value",
        ),
    ];
    for (name, head, message) in errors {
        inlined(
            &format!("type_error_{name}"),
            head,
            &format!(
                "local ok, e = pcall(fail, nil) if e:find({message:?}, 1, true) then s = s + 1 end"
            ),
            "3000",
        );
    }
    // not where a message handler is called, variables are closed, or nothing on the trace catches it
    let head = "local function fail(x) return x.y end local function handler(e) return 1 end\n\
        local function close(x) local c <close> = setmetatable({}, {__close = function() end}) return x.y end\n\
        local function arithmetic(x) return x + 1 end debug.setmetatable(nil, {__add = select})";
    for (name, body) in [
        ("handler", "local ok, e = xpcall(fail, handler) s = s + e"),
        (
            "closing",
            "local ok, e = pcall(close) s = s + (ok and 2 or 1)",
        ),
        (
            "metamethod",
            "local ok, e = pcall(arithmetic) s = s + (ok and 2 or 1)",
        ),
    ] {
        let text = format!("{head}\nlocal s = 0\nfor i = 1, 3000 do\n  {body}\nend\nprint(s)\n");
        let Some(r) = run(&format!("type_error_{name}"), &text) else {
            return;
        };
        assert_eq!(r.out, "3000\n", "{name}");
        assert!(!r.helpers().is_empty(), "{name}");
    }
}

/// `error` calls the message handler of an xpcall that is on the trace.
#[test]
fn message_handlers() {
    let head = "local function fail(i) error({n = i}) end\n\
        local function text(i) error('t', 0) end\n\
        local function handler(e) e.n = e.n + 1 return e end";
    inlined(
        "handler",
        head,
        "local ok, e = xpcall(fail, handler, i) s = s + e.n",
        "4504500",
    );
    inlined(
        "handler_native",
        head,
        "local ok, e = xpcall(text, string.upper, i) if e == 'T' then s = s + 1 end",
        "3000",
    );
    // the handler's own errors are left to the interpreter
    let r = run(
        "handler_fails",
        "local function bad(e) if e > 0 then error(e - 1) end return 'end' end\n\
        local s = 0\n\
        for i = 1, 3000 do local ok, e = xpcall(error, bad, 2) s = s + #e end\n\
        print(s)",
    );
    if let Some(r) = r {
        assert_eq!(r.out, "9000\n");
        assert!(!r.helpers().is_empty(), "{:?}", r.helpers());
    }
}

/// Library functions whose work is done by Lua code, and what they call, are part of the trace.
#[test]
fn bodies_of_library_functions() {
    let head = "local P = setmetatable({n = 1}, {__tostring = function(p) return 'P' .. p.n end})\n\
        local function two(s, k) if k < 2 then return k + 1, k end end\n\
        local D = setmetatable({}, {__pairs = function(d) return two, d, 0 end})";
    inlined("tostring", head, "s = s + #tostring(P)", "6000");
    inlined(
        "format",
        head,
        "s = s + #string.format('%s %d', P, i % 10) + #('%5s|%s'):format(i, P)",
        "36000",
    );
    inlined(
        "format_objects",
        head,
        "s = s + #string.format('%s%d%s', P, i % 10, P)",
        "15000",
    );
    inlined(
        "gsub",
        "local function f(w) if w ~= 'b' then return w .. '!' end end",
        "local t, n = ('a b c'):gsub('%a', f) s = s + #t + n",
        "30000",
    );
    inlined(
        "gsub_captures",
        "local text = 'a=1, b=2'",
        "s = s + #text:gsub('(%w)=(%w)', function(k, v) return v + i end)",
        "27795",
    );
    inlined(
        "unpack_nothing",
        "local function count(...) return select('#', ...) end local t = {1, 2}",
        "s = s + count(table.unpack(t, 1, i % 2))",
        "1500",
    );
    inlined(
        "gsub_table",
        "local t = setmetatable({a = 1}, {__index = setmetatable({b = 22}, {__index = {c = 333}})})",
        "s = s + #('a b c d'):gsub('%a', t)",
        "30000",
    );
    inlined(
        "gsub_native",
        "local text = 'a b c'",
        "if text:gsub('%a', string.upper) == 'A B C' then s = s + 1 end",
        "3000",
    );
    inlined(
        "pairs",
        head,
        "for a, b in pairs(D) do s = s + a + b end",
        "12000",
    );
    let head = "local t = {} for k = 1, 50 do t[k] = k end";
    let text = format!(
        "{head}\nlocal s = 0\nfor i = 1, 500 do\n\
         table.sort(t, function(a, b) return a * i % 51 < b * i % 51 end)\n\
         s = s + t[1]\nend\nprint(s)\n"
    );
    let Some(r) = run("sort_many", &text) else {
        return;
    };
    assert_eq!(r.helpers(), [""; 0], "sort");
    assert!(r.loops() >= 3, "the loops of the sort are compiled");
}

/// Lists whose elements come from calls that are linked are completed in line.
#[test]
fn lists_of_linked_calls() {
    let text = "local function build(d, n)\n\
        if d == 0 then return n end\n\
        return {build(d - 1, n), build(d - 1, n)}\n\
        end\n\
        local s = 0\n\
        for i = 1, 300 do s = s + #build(7, i) end\n\
        print(s)";
    let Some(r) = run("lists_of_linked_calls", text) else {
        return;
    };
    assert_eq!(r.out, "600\n");
    assert_eq!(r.helpers(), [""; 0]);
}

/// A loop in a vararg function is left by a return, into the loop that calls it.
#[test]
fn returns_out_of_loops() {
    let text = "local function sum(...)\n\
        local s = 0\n\
        for i = 1, select('#', ...) do s = s + select(i, ...) end\n\
        return s\n\
        end\n\
        local s, t = 0, {}\n\
        for i = 1, 12 do t[i] = i end\n\
        for i = 1, 3000 do s = s + sum(table.unpack(t)) end\n\
        print(s)";
    let Some(r) = run("returns_out_of_loops", text) else {
        return;
    };
    assert_eq!(r.out, "234000\n");
    let returns = |h: &String| h.starts_with("RET");
    assert!(!r.helpers().iter().any(returns), "{:?}", r.helpers());
}

/// Extra arguments of the function in which the loop runs are looked at where they are, all of them as a list, too.
#[test]
fn extra_arguments() {
    let function = |body: &str| {
        format!(
            "local function f(a, ...)\nlocal s = 0\nfor i = 1, 3000 do {body} end\nreturn s\nend\n\
             print(f(1, 2, 3, 4))\n"
        )
    };
    let cases = [
        ("one", "s = s + select(2, ...)", "9000\n"),
        (
            "some",
            "local x, y = select(i % 3 + 1, ...) s = s + x + (y or 0)",
            "16000\n",
        ),
        ("beyond", "s = s + (select(4, ...) and 1 or 2)", "6000\n"),
        ("rest", "s = s + #{select(i % 5 + 1, ...)}", "3600\n"),
        ("number", "s = s + select('#', ...)", "9000\n"),
        (
            "first",
            "local x, y, z, u = ... s = s + x + z + (u or 1)",
            "21000\n",
        ),
        ("table", "s = s + #{...} + #{select(2, ...)}", "15000\n"),
        (
            "passed",
            "s = s + math.max(...) + math.max(select(-2, ...))",
            "24000\n",
        ),
    ];
    for (name, body, out) in cases {
        let Some(r) = run(&format!("extra_{name}"), &function(body)) else {
            return;
        };
        assert_eq!((r.out.as_str(), r.helpers()), (out, vec![]), "{name}");
        assert!(r.exits() < 150, "{name}: {} exits", r.exits());
    }
}

/// What closes variables is part of the trace; that they are registered is not.
#[test]
fn variables_to_be_closed() {
    let head = "local n = 0\nlocal C = setmetatable({}, {__close = function() n = n + 1 end})\nlocal s = 0\n";
    let text = |body: &str| format!("{head}for i = 1, 3000 do {body} end\nprint(s + n)\n");
    let cases = [
        ("block", "local x <close> = C s = s + 1", "6000\n"),
        (
            "break",
            "while true do local x <close> = C if i > 5 then break end break end",
            "3000\n",
        ),
        (
            "two",
            "local x <close> = C local y <close> = C s = s + 1",
            "9000\n",
        ),
        (
            "return",
            "s = s + (function() local x <close> = C return 1 end)()",
            "6000\n",
        ),
        (
            "returns",
            "s = s + select('#', (function(...) local x <close> = C local y <close> = C return ... end)(i, i))",
            "12000\n",
        ),
    ];
    for (name, body, out) in cases {
        let Some(r) = run(&format!("close_{name}"), &text(body)) else {
            return;
        };
        assert_eq!(r.out, out, "{name}");
        assert_eq!(r.helpers(), ["TBC (quiet)"], "{name}");
        assert!(r.exits() < 60, "{name}: {} exits", r.exits());
    }
    inlined(
        "close_nothing",
        "",
        "local x <close> = nil s = s + 1",
        "3000",
    );
}

/// Metamethods that are native functions, texts of objects, and weak tables.
#[test]
fn native_metamethods_and_weak_tables() {
    let raw = "local t = setmetatable({5}, {__index = rawget, __newindex = rawset, __len = rawlen, \
        __call = select, __concat = rawequal})\n\
        local c = setmetatable({}, {__call = table.pack})";
    inlined(
        "native_index",
        raw,
        "if t.x == nil then s = s + t[1] end",
        "15000",
    );
    inlined("native_newindex", raw, "t[i] = i s = s + t[i]", "4501500");
    inlined("native_len", raw, "s = s + #t", "3000");
    inlined("native_call", raw, "s = s + c(i, 7)[3] + c().n", "24000");
    inlined(
        "native_concat",
        raw,
        "if (t .. t) == true then s = s + 1 end",
        "3000",
    );
    inlined(
        "raw_access",
        raw,
        "rawset(t, 'k', i) s = s + rawget(t, 'k')",
        "4501500",
    );
    let objects = "local t, n = {}, setmetatable({}, {__name = 'N'})";
    inlined(
        "text_table",
        objects,
        "if #tostring(t) > 9 then s = s + 1 end",
        "3000",
    );
    inlined(
        "text_name",
        objects,
        "if tostring(n):find('N: 0x', 1, true) then s = s + 1 end",
        "3000",
    );
    inlined(
        "text_function",
        objects,
        "if #('%s'):format(print) > 9 then s = s + 1 end",
        "3000",
    );
    let weak = "local t = setmetatable({1, 2, 3, [1.5] = 4}, {__mode = 'k'})";
    inlined(
        "weak_pairs",
        weak,
        "for k, v in pairs(t) do s = s + v end",
        "30000",
    );
    inlined(
        "weak_ipairs",
        weak,
        "for k, v in ipairs(t) do s = s + v end",
        "18000",
    );
    inlined(
        "weak_floats",
        weak,
        "t[1.5] = t[1.5] + 1 s = s + t[1.5]",
        "4513500",
    );
}

/// What must not be part of a trace is not, and comes out right.
#[test]
fn left_to_helpers() {
    let cases = [
        (
            "native_less",
            "local mt = {__lt = rawequal} local t, u = setmetatable({}, mt), setmetatable({}, mt)",
            "if t < u then s = s + 1 end",
        ),
        (
            "native_add",
            "local t = setmetatable({}, {__add = select})",
            "s = s + (pcall(function() return t + 1 end) and 0 or 1)",
        ),
        (
            "close",
            "local C = setmetatable({}, {__close = function() end})",
            "do local c <close> = C s = s + 1 end",
        ),
        (
            "gsub_index_function",
            "local t = setmetatable({}, {__index = function(_, k) return k end})",
            "s = s + #('a'):gsub('%a', t)",
        ),
        (
            "sort_native",
            "local t = {2, 1}",
            "table.sort(t, rawequal) s = s + t[1] - 1",
        ),
    ];
    let want = ["0\n", "3000\n", "3000\n", "3000\n", "3000\n"];
    for ((name, head, body), want) in cases.into_iter().zip(want) {
        let text = format!("{head}\nlocal s = 0\nfor i = 1, 3000 do\n  {body}\nend\nprint(s)\n");
        let Some(r) = run(name, &text) else { return };
        assert_eq!(r.out, want, "{name}");
        assert!(!r.helpers().is_empty(), "{name}");
    }
}

/// Short branches that go both ways are selections, and others are not.
#[test]
fn branches() {
    let head = "local seed, t, u = 42, {1}, {2, 3}
local function r(n) seed = seed * 16807 % 2147483647 return seed % n end
local s = 0";
    let selected = |name: &str, body: &str| {
        let text = format!("{head}\nfor i = 1, 3000 do\n  {body}\nend\nprint(s)\n");
        let r = run(name, &text)?;
        Some((r.stats["branches"]["selected"].as_u64()?, r.exits()))
    };
    for (name, body) in [
        ("count", "if r(2) == 0 then s = s + 1 end"),
        (
            "floats",
            "if r(2) == 0 then s = s + 0.5 else s = s - 0.25 end",
        ),
        ("bound", "local v = r(3) if v < 1 then v = 1 end s = s + v"),
        ("both", "if r(2) == 0 and r(3) > 0 then s = s + 1 end"),
        (
            "value",
            "local v = r(2) == 0 and r(7) > 3 if v then s = s + 1 end",
        ),
        ("element", "t[1] = r(2) == 0 if t[1] then s = s + 1 end"),
    ] {
        let Some((n, exits)) = selected(name, body) else {
            return;
        };
        assert!(n > 0 && exits < 60, "{name}: {n} branches, {exits} exits");
    }
    for (name, body) in [
        ("biased", "if i % 100 == 0 then s = s + 1 end"),
        ("call", "if r(2) == 0 then s = r(3) end"),
        ("store", "if r(2) == 0 then t[1] = s end"),
        (
            "object",
            "local o = t if r(2) == 0 then o = u end s = s + #o",
        ),
        (
            "mixed",
            "local v = 1 if r(2) == 0 then v = 0.5 end s = s + v",
        ),
        (
            "long",
            "if r(2) == 0 then s = s * 3 + 1 - i * 2 + 5 - i + 7 * i - 1 + 4 * i - 8 + i end",
        ),
    ] {
        let n = selected(name, body).map(|n| n.0);
        assert_eq!(n, Some(0), "{name}");
    }
}

#[test]
fn types_that_never_settle() {
    let text = "local seed, last, n = 7, 0, 0
local kinds = {1, 2.5, '3', true}
for i = 1, 20000 do
  if type(last) == 'number' then n = n + 1 end
  seed = seed * 16807 % 2147483647
  last = kinds[seed % 4 + 1]
end
print(n)";
    let Some(r) = run("types", text) else { return };
    assert_eq!(r.out.trim().parse::<u32>().map(|n| n > 9000), Ok(true));
    assert!(r.loops() >= 1);
    // each way is left ten times at most, until it is compiled, too
    assert!(r.exits() < 500, "{} exits", r.exits());
}

/// As [`inlined`], but the loop calls library functions, as they are, by helpers which the trace knows to be quiet.
fn quiet(name: &str, head: &str, body: &str, out: &str) {
    let text = format!("{head}\nlocal s = 0\nfor i = 1, 3000 do\n  {body}\nend\nprint(s)\n");
    let Some(r) = run(name, &text) else { return };
    assert!(r.out.ends_with(out), "{name}: {}", r.out);
    assert_eq!(r.helpers(), ["CALL (quiet)"], "{name}");
    assert!(r.exits() < 60, "{name}: {} exits", r.exits());
}

#[test]
fn library_functions_called_quietly() {
    quiet("write", "", "io.write(i, '') s = s + 1", "3000\n");
    quiet("print", "", "print(i, 'x', nil) s = s + 1", "3000\n");
    quiet(
        "clock",
        "",
        "if os.clock() >= 0 then s = s + 1 end",
        "3000\n",
    );
    quiet("time", "", "if os.time() > 0 then s = s + 1 end", "3000\n");
    quiet(
        "load",
        "",
        "if load('return 1') then s = s + 1 end",
        "3000\n",
    );
    let cell = "local c = 0 local function get() return c end";
    let get = "c = i local _, v = debug.getupvalue(get, 1) c = i + 1 s = s + c - v";
    quiet("getupvalue", cell, get, "3000\n");
    quiet(
        "traceback",
        "",
        "s = s + #debug.traceback('a', 99)",
        "54000\n",
    );
    let file = "local f = io.stdout";
    quiet("file", file, "f:write('') s = s + 1", "3000\n");
    let chars = "for _, c in utf8.codes('a\\u{e4}b') do s = s + c end";
    quiet("codes", "", chars, "1269000\n");
    // not: Lua code runs, or a table changes
    for (name, head, body, out) in [
        (
            "print_meta",
            "local t = setmetatable({}, {__tostring = function() return 'T' end})",
            "print(t) s = s + 1",
            "3000\n",
        ),
        (
            "time_table",
            "local t = {year = 2020, month = 1, day = 1}",
            "t.year, t.month, t.day = 2020, 1, 400 s = s + #tostring(os.time(t)) + t.month - 2",
            "30000\n",
        ),
        (
            "load_reader",
            "local t = {n = 0} local function read() t.n = t.n + 1 end",
            "load(read) s = s + t.n t.n = 0",
            "3000\n",
        ),
    ] {
        let text = format!("{head}\nlocal s = 0\nfor i = 1, 3000 do\n  {body}\nend\nprint(s)\n");
        let Some(r) = run(name, &text) else { return };
        assert!(r.out.ends_with(out), "{name}: {}", r.out);
        assert!(r.helpers().contains(&"CALL".into()), "{name}");
    }
}

#[test]
fn recursion_through_pcall() {
    // calls are linked, returns go to the continuation of the call of pcall: nothing is left to helpers, and hardly any exits
    let text = "local function level(n)\n\
        if n == 0 then return 1 end\n\
        local ok, v = pcall(level, n - 1)\n\
        return v + 1\n\
        end\n\
        local s = 0\n\
        for i = 1, 2000 do s = s + level(i % 20) end\n\
        print(s)";
    let Some(r) = run("pcallrec", text) else {
        return;
    };
    assert_eq!(r.out, "21000\n");
    assert_eq!(r.helpers(), [""; 0]);
    assert!(r.exits() < 200, "{} exits", r.exits());
}

#[test]
fn packed_strings_weak_tables_userdata() {
    let body = "local t = string.pack('<i4 s1 d', i, 'x', i / 2) \
        local a, b, c = string.unpack('<i4 s1 d', t) s = s + a + #b + c - i / 2 - 1";
    inlined("pack_string", "", body, "4501500.0");
    let weak = "local w, k = setmetatable({}, {__mode = 'k'}), {}";
    inlined(
        "weak",
        weak,
        "w[k] = i w.x = 1 s = s + w[k] + w.x - 1",
        "4501500",
    );
    let userdata = "local f = io.stdout getmetatable(f).__len = function() return 1 end";
    inlined("userdata", userdata, "s = s + #f", "3000");
}

#[test]
fn lists_of_all_values() {
    let head = "local function list(...) return {...} end\n\
        local function pair(x) return x, x + 1 end\n\
        local function sum(...) local n = 0 for _, v in ipairs({...}) do n = n + v end return n end";
    if let Some(r) = inlined(
        "list",
        head,
        "local t = list(i, 1, 2) s = s + t[1] + #t - 3",
        "4501500",
    ) {
        // once in the first iteration, once in the body
        assert_eq!(r.made(), 2, "the list is made once");
    }
    inlined(
        "list_call",
        head,
        "local t = {1, pair(i)} s = s + t[3]",
        "4504500",
    );
    inlined(
        "list_counted",
        head,
        "local t = {n = 3, pair(i)} s = s + t.n + t[2]",
        "4513500",
    );
    inlined("list_loop", head, "s = s + sum(i, 1, 2)", "4510500");
    inlined(
        "pack",
        head,
        "local t = table.pack(i, 2) s = s + t.n + t[1]",
        "4507500",
    );
    let head = "local t, u = {5, 3, 4, 1, 2, 6}, {}";
    inlined(
        "unpack",
        head,
        "local a, b = table.unpack(t, i % 4 + 1) s = s + a * 0 + b * 0 + 1",
        "3000",
    );
    inlined(
        "move",
        head,
        "table.move(t, 1, 5, i % 2 + 1, u) s = s + 1",
        "3000",
    );
    inlined(
        "sort",
        head,
        "t[i % 6 + 1] = i table.sort(t) s = s + t[6]",
        "4501514",
    );
}

#[test]
fn fields_of_many_shapes() {
    // a few side traces, then one loop that looks the fields up
    let text = "local recs = {}\n\
        for i = 1, 40 do\n\
          local t = {}\n\
          for j = 0, 5 do if i >> j & 1 == 1 then t['f' .. j] = i end end\n\
          t.key, t.value = i, 2 * i\n\
          recs[i] = t\n\
        end\n\
        local s = 0\n\
        for r = 1, 300 do\n\
          for i = 1, 40 do local t = recs[i]; s = s + t.key + t.value; t.value = (t.value + r) % 512 end\n\
        end\n\
        print(s)";
    let Some(r) = run("shapes", text) else {
        return;
    };
    assert_eq!(r.out, "3266560\n");
    let sides = r.stats["traces"]["sides"].as_u64().expect("a number");
    assert!(sides < 40, "{sides} side traces");
    assert!(r.exits() < 1000, "{} exits", r.exits());
}

#[test]
fn computed_keys() {
    inlined(
        "computed",
        "local n = {a = 0, b = 0, c = 0}\nlocal keys = {'a', 'b', 'c'}",
        "local k = keys[i % 3 + 1] n[k] = n[k] + 1 s = n.a",
        "1000",
    );
}

#[test]
fn recursion_through_metamethods() {
    // one metatable: calls are linked, returns find their continuation; a new one each time: the access is left to its helper
    let new = [
        "local M = {__index = function(t, n) local v = t[n - 1] + 1 t[n] = v return v end}\n\
         local function new() return setmetatable({[0] = 0}, M) end",
        "local function new() return setmetatable({[0] = 0}, \
         {__index = function(t, n) local v = t[n - 1] + 1 t[n] = v return v end}) end",
    ];
    for (n, head) in new.iter().enumerate() {
        let text =
            format!("{head}\nlocal s = 0\nfor i = 1, 2000 do s = s + new()[50] end\nprint(s)");
        let Some(r) = run(&format!("metarec{n}"), &text) else {
            return;
        };
        assert_eq!(r.out, "100000\n");
        assert!(r.exits() < 2500, "{n}: {} exits", r.exits());
    }
}
