//! Micro-benchmarks of single operations: what one table access, call, concatenation or allocation costs, and how fast
//! code is made.
//!
//! A benchmark in Lua is a chunk `local n = ...; SETUP; for i = 1, n do BODY end` that criterion calls with the number of
//! iterations it wants, so times are per iteration of the loop, the loop itself included (`loop/empty` says what that is).
//! Every benchmark has a runtime of its own: heap, caches and shapes are fresh. Collections happen as they fall due and
//! are part of the time.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use traceorus::{Bytes, Function, Lua, UserData, UserDataFields, UserDataMethods};
use traceorus_asm::arch::{a64::A64Masm, rv64::Rv64Masm, x64::X64Masm};
use traceorus_asm::operand::{at, at_index};
use traceorus_asm::{AluOp, Cond, LoadKind, Masm, Scale, Size, d};

/// A benchmark in Lua: name, operations per iteration, set-up, loop body.
type Case<'a> = (&'static str, u64, &'a str, &'static str);

/// Runs the cases as a group.
fn lua_group(c: &mut Criterion, name: &str, cases: &[Case]) {
    let mut group = c.benchmark_group(name);
    for &(case, operations, setup, body) in cases {
        let lua = runtime();
        let source = format!("local n = ...\n{setup}\nfor i = 1, n do\n{body}\nend");
        let run = lua
            .load(&source)
            .set_name(format!("={name}/{case}"))
            .into_function()
            .unwrap_or_else(|e| panic!("{e}"));
        group.throughput(Throughput::Elements(operations));
        group.bench_function(case, |b| {
            b.iter_custom(|iterations| {
                let start = Instant::now();
                if let Err(e) = run.call::<()>(iterations as i64) {
                    panic!("{e}");
                }
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// A type of the host.
struct Counter {
    total: i64,
}

impl UserData for Counter {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("total", |_, this| Ok(this.total));
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("add", |_, this, n: i64| {
            this.total = this.total.wrapping_add(n);
            Ok(())
        });
    }
}

/// A state with Rust functions: `echo` returns its argument, `captured` adds what it has captured, `apply(f, x)` returns `f(x)`; and a
/// userdata `counter`.
fn runtime() -> Lua {
    let lua = Lua::new();
    let echo = lua.register("echo", |_, x: i64| Ok(x));
    let apply = lua.register("apply", |_, (f, x): (Function, i64)| f.call::<i64>(x));
    let k = std::rc::Rc::new(1);
    let captured = lua.register("captured", move |_, x: i64| Ok(x + *k));
    let counter = lua.globals().set("counter", Counter { total: 0 });
    let all = echo.and(apply).and(captured).and(counter);
    all.expect("memory suffices");
    lua
}

fn loops(c: &mut Criterion) {
    let cases = [
        ("empty", 1, "", ""),
        ("add integers", 1, "local s = 0", "s = s + i"),
        ("add floats", 1, "local s = 0.5", "s = s + 0.25"),
    ];
    lua_group(c, "loop", &cases);
}

fn tables(c: &mut Criterion) {
    const ARRAY: &str = "local s, t = 0, {} for i = 1, 64 do t[i] = i end";
    // four objects, of one shape or of four
    const ONE_SHAPE: &str = "local s, objects = 0, {}
        for i = 1, 4 do objects[i] = { x = i, y = i } end";
    const SHAPES: &str = "local s = 0
        local objects = { { x = 1, y = 1 }, { y = 1, x = 1 }, { x = 1, z = 1, y = 1 }, { z = 1, x = 1, y = 1 } }";
    const DICTIONARY: &str = "local s, t, hits, misses = 0, {}, {}, {}
        for i = 1, 256 do
          hits[i], misses[i] = 'key' .. i, 'none' .. i
          t[hits[i]] = i
        end";
    let cases = [
        ("array get", 1, ARRAY, "s = s + t[(i & 63) + 1]"),
        ("array set", 1, ARRAY, "t[(i & 63) + 1] = i"),
        (
            "array append",
            16,
            "",
            "local t = {} for j = 1, 16 do t[j] = j end",
        ),
        (
            "field get, one object",
            1,
            "local s, o = 0, { x = 1, y = 2 }",
            "s = s + o.y",
        ),
        (
            "field set, one object",
            1,
            "local o = { x = 1, y = 2 }",
            "o.y = i",
        ),
        (
            "field get, monomorphic",
            1,
            ONE_SHAPE,
            "s = s + objects[(i & 3) + 1].x",
        ),
        (
            "field get, polymorphic",
            1,
            SHAPES,
            "s = s + objects[(i & 3) + 1].x",
        ),
        (
            "field set, monomorphic",
            1,
            ONE_SHAPE,
            "objects[(i & 3) + 1].x = i",
        ),
        (
            "field set, polymorphic",
            1,
            SHAPES,
            "objects[(i & 3) + 1].x = i",
        ),
        (
            "dictionary hit",
            1,
            DICTIONARY,
            "s = s + t[hits[(i & 255) + 1]]",
        ),
        (
            "dictionary miss",
            1,
            DICTIONARY,
            "if t[misses[(i & 255) + 1]] then s = s + 1 end",
        ),
        (
            "dictionary set",
            1,
            DICTIONARY,
            "t[hits[(i & 255) + 1]] = i",
        ),
        (
            "new field",
            4,
            "",
            "local t = {} t.a = i t.b = i t.c = i t.d = i",
        ),
        (
            "new dictionary key",
            256,
            DICTIONARY,
            "local new = {} for j = 1, 256 do new[hits[j]] = j end",
        ),
    ];
    lua_group(c, "table", &cases);
}

fn calls(c: &mut Criterion) {
    let cases = [
        ("Lua to Lua", 1, "local function f(a) return a end", "f(i)"),
        (
            "method",
            1,
            "local C = {} C.__index = C
             function C:get() return self.v end
             local o = setmetatable({ v = 1 }, C)",
            "o:get()",
        ),
        (
            "vararg",
            1,
            "local function f(...) return ... end",
            "f(i, i)",
        ),
        (
            "tail call",
            2,
            "local function g(a) return a end
             local function f(a) return g(a) end",
            "f(i)",
        ),
        (
            "closure creation and call",
            1,
            "",
            "local f = function() return i end f()",
        ),
        ("fast library function", 1, "local abs = math.abs", "abs(i)"),
        ("library function", 1, "local ult = math.ult", "ult(i, n)"),
        (
            "library function with callback",
            8,
            "local gsub = string.gsub
             local function f() end",
            "gsub('abcdefgh', '.', f)",
        ),
        ("Rust function", 1, "local echo = echo", "echo(i)"),
        (
            "Rust closure",
            1,
            "local captured = captured",
            "captured(i)",
        ),
        ("userdata method", 1, "local u = counter", "u:add(i)"),
        (
            "userdata field",
            1,
            "local u = counter",
            "local _ = u.total",
        ),
        (
            "Rust function with callback",
            1,
            "local apply = apply
             local function f(a) return a end",
            "apply(f, i)",
        ),
        (
            "pcall",
            1,
            "local pcall = pcall
             local function f(a) return a end",
            "pcall(f, i)",
        ),
        (
            "pcall with error",
            1,
            "local pcall, error = pcall, error",
            "pcall(error, i)",
        ),
        (
            "metamethod",
            1,
            "local v = setmetatable({}, { __add = function(a, b) return b end })",
            "local _ = v + i",
        ),
        (
            "resume and yield",
            1,
            "local resume, yield = coroutine.resume, coroutine.yield
             local co = coroutine.create(function() while true do yield() end end)",
            "resume(co)",
        ),
    ];
    lua_group(c, "call", &cases);
}

fn concatenation(c: &mut Criterion) {
    const WORDS: &str = "local words = {} for i = 1, 64 do words[i] = 'word' .. i end";
    let cases = [
        (
            "two short",
            1,
            WORDS,
            "local _ = words[(i & 63) + 1] .. '.lua'",
        ),
        ("short and number", 1, "", "local _ = 'n' .. (i & 1023)"),
        ("short and float", 1, "", "local _ = 'n' .. (i & 1023) / 4"),
        (
            "eight pieces",
            1,
            WORDS,
            "local w = words[(i & 63) + 1]
             local _ = w .. ',' .. w .. ',' .. w .. ',' .. w .. ';'",
        ),
        (
            "long and short",
            1,
            "local long = ('x'):rep(1000)",
            "local _ = long .. 'y'",
        ),
        (
            "table.concat of 64",
            1,
            WORDS,
            "local _ = table.concat(words, ',')",
        ),
    ];
    lua_group(c, "concat", &cases);
}

fn allocation(c: &mut Criterion) {
    let cases = [
        ("empty table", 1, "", "local _ = {}"),
        (
            "record of 4",
            1,
            "",
            "local _ = { a = i, b = i, c = i, d = i }",
        ),
        ("array of 8", 1, "", "local _ = { i, i, i, i, i, i, i, i }"),
        (
            "closure",
            1,
            "local x = n x = x + 1",
            "local _ = function() return x end",
        ),
        (
            "closure with cell",
            1,
            "",
            "local x = i local _ = function() x = x + 1 end",
        ),
        (
            "short string",
            1,
            "local char = string.char",
            "local _ = char(i & 255, i >> 8 & 255, i >> 16 & 255)",
        ),
        (
            "coroutine",
            1,
            "local create = coroutine.create
             local function f() end",
            "local _ = create(f)",
        ),
        // a tenth of the tables stays for a while, so that marking has something to do
        (
            "record of 4, some survive",
            1,
            "local kept = {}",
            "local t = { a = i, b = i, c = i, d = i }
             if i % 10 == 0 then kept[i // 10 & 16383] = t end",
        ),
    ];
    lua_group(c, "allocate", &cases);
    let mut group = c.benchmark_group("collect");
    let lua = runtime();
    let objects = 10_000;
    lua.load(format!(
        "kept = {{}} for i = 1, {objects} do kept[i] = {{ i }} end"
    ))
    .exec()
    .unwrap_or_else(|e| panic!("{e}"));
    group.throughput(Throughput::Elements(objects));
    group.bench_function("full, 10000 live tables", |b| {
        b.iter(|| lua.gc_collect().expect("collections do not fail"));
    });
    group.finish();
}

/// Making traces: each iteration removes the function's traces, and its loop is recorded, optimised and assembled at once.
fn traces(c: &mut Criterion) {
    // the loop around must not become a trace itself
    const AT_ONCE: &str =
        "jit.opt.start('hotloop=1', 'hotcall=65534', 'maxcompile=100') jit.off(true)
        local t, o = { 1, 2, 3, 4, 5, 6, 7, 8 }, { x = 1, y = 2.5 }\n";
    let numbers = format!(
        "{AT_ONCE}local function f() local s = 0 for k = 1, 6 do s = s + t[k] * 2 - t[k + 1] % 7 end return s end"
    );
    let fields = format!(
        "{AT_ONCE}local function f() for k = 1, 6 do o.x = o.x + k; if o.x > 100 then o.x = 0 end; o.y = o.y + t[k] * o.x end end"
    );
    let cases = [
        (
            "loop over an array",
            1,
            numbers.as_str(),
            "jit.flush(f) f()",
        ),
        ("loop over fields", 1, fields.as_str(), "jit.flush(f) f()"),
        ("the same, without making it", 1, fields.as_str(), "f()"),
    ];
    lua_group(c, "trace", &cases);
}

/// A Lua program of many functions; its lines are counted by the caller.
fn generated_source() -> String {
    let mut s = String::new();
    for i in 0..100 {
        let _ = write!(
            s,
            "local M{i} = {{ name = \"module {i}\", {i}, 2.5, [\"key {i}\"] = true }}
function M{i}:update(dt, ...)
  local total, list = 0, {{ ... }}
  for i, v in ipairs(list) do -- sums up
    if v > {i} and v % 2 == 0 then
      total = total + v * dt // 1
    elseif not self.name then
      return nil, \"no name: \" .. tostring(v)
    else
      self[i] = function(x) return x + total << 3 end
    end
  end
  while total > 100 do total = total - #list end
  self.count = (self.count or 0) + 1
  return total, self.count
end
do M{i}.last = M{i} end
"
        );
    }
    s
}

/// Emits a loop with a body of `count` times eight operations; gives the code.
fn emit<M: Masm>(count: usize) -> Vec<u8> {
    let mut m = M::new();
    let (again, out) = (m.here(), m.new_label());
    for i in 0..count {
        let field = 8 * (i as i32 & 63);
        m.load(LoadKind::U16, d(M::T1), at(M::PC, 2));
        m.load(
            LoadKind::U64,
            d(M::T2),
            at_index(M::BASE, M::T1, Scale::S1, field),
        );
        m.branch(Cond::Eq, Size::B64, M::T2, 0, out);
        m.alu(AluOp::Add, Size::B64, d(M::T2), M::T2, M::T3);
        m.alu(AluOp::And, Size::B32, d(M::T4), M::T2, 0xff);
        m.mul(Size::B64, d(M::T5), M::T4, M::T3);
        m.mov_imm(d(M::T3), 0x1234_5678_9abc);
        m.store(Size::B64, at(M::BASE, field), M::T5);
    }
    m.jump(again);
    m.bind(out);
    m.ret();
    m.finalize().expect("the code is in order").bytes
}

fn emission<M: Masm>(group: &mut BenchmarkGroup<'_, WallTime>, target: &str) {
    const COUNT: usize = 250;
    group.throughput(Throughput::Elements(8 * COUNT as u64));
    group.bench_function(format!("Masm operations, {target}"), |b| {
        b.iter(|| emit::<M>(black_box(COUNT)));
    });
}

fn code(c: &mut Criterion) {
    let mut group = c.benchmark_group("code");
    let source = generated_source();
    let lines = Throughput::Elements(source.lines().count() as u64);

    group.throughput(lines.clone());
    group.bench_function("compile lines to bytecode", |b| {
        b.iter(|| {
            traceorus_lang_lua::compile(black_box(source.as_bytes()), b"=generated")
                .expect("the source is in order")
        });
    });
    let lua = runtime();
    group.throughput(lines);
    group.bench_function("load lines into a runtime", |b| {
        b.iter(|| {
            lua.load(black_box(&source))
                .into_function()
                .expect("no errors")
        });
    });
    let dump = lua
        .load("return string.dump(load((...)))")
        .into_function()
        .expect("no errors");
    let Bytes(binary) = dump.call(source.as_str()).expect("no errors");
    group.throughput(Throughput::Bytes(binary.len() as u64));
    group.bench_function("load bytes of a binary chunk", |b| {
        b.iter(|| {
            lua.load(black_box(&binary))
                .into_function()
                .expect("no errors")
        });
    });

    let interpreter = || {
        traceorus_interp::generate::<X64Masm>(traceorus_interp::raw_jump_x64).expect("no errors")
    };
    group.throughput(Throughput::Bytes(interpreter().bytes.len() as u64));
    group.bench_function("generate bytes of the interpreter", |b| b.iter(interpreter));

    emission::<X64Masm>(&mut group, "x86-64");
    emission::<A64Masm>(&mut group, "AArch64");
    emission::<Rv64Masm>(&mut group, "RISC-V 64");
    group.finish();
}

/// Short measurements: the whole must not take minutes, and differences of a few percent mean nothing anyway.
fn short() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .nresamples(5_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1200))
}

criterion_group! {
    name = benches;
    config = short();
    targets = loops, tables, calls, concatenation, allocation, traces, code
}
criterion_main!(benches);
