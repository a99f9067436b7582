//! The vm's side of the trace compiler: counters, recording, instructions that enter traces. The compiler here is a fake one
//! whose traces do nothing but go back to the interpreter.

use std::mem::offset_of;

use traceorus::raw::base::Value;
use traceorus::raw::base::bytecode::{self, Op};
use traceorus::raw::base::objects::*;
use traceorus::raw::gc::{HostAlloc, Marker};
use traceorus::raw::trace::{Config, Outputs};
use traceorus::raw::vm::ctx::{Ctx, LResult, Throw};
use traceorus::raw::vm::jithooks::{self, JitHooks};
use traceorus::raw::vm::state::{self, Global};
use traceorus::raw::vm::{dispatch, exec};
use traceorus::raw::{new_state, open_libs};

// Traces that count in `jit_scratch[0]` how often they are entered: one goes on at PC; one performs the instruction there by the
// helper whose address is in `jit_scratch[1]`, with the spill slots of the frame filled; one must not be entered.
#[cfg(target_arch = "x86_64")]
std::arch::global_asm!(
    "traceorus_test_trace_go:",
    "mov [r12+{base}], r13",
    "inc qword ptr [r15+{scratch}]",
    "mov rax, rbx",
    "jmp [r15+{resume}]",
    "traceorus_test_trace_perform:",
    "mov [r12+{base}], r13",
    "mov [r12+{pc}], rbx",
    "inc qword ptr [r15+{scratch}]",
    "mov rdi, r12",
    "mov rsi, rbx",
    "call [r15+{scratch}+8]",
    "jmp [r15+{resume}]",
    "traceorus_test_trace_never:",
    "ud2",
    base = const offset_of!(Thread, base),
    pc = const offset_of!(Thread, pc),
    scratch = const offset_of!(GlobalHot, jit_scratch),
    resume = const offset_of!(GlobalHot, resume),
);

#[cfg(target_arch = "x86_64")]
unsafe extern "C" {
    static traceorus_test_trace_go: u8;
    static traceorus_test_trace_perform: u8;
    static traceorus_test_trace_never: u8;
}

/// Numbers of these traces.
const GO: u16 = 1;
const PERFORM: u16 = 2;
const NEVER: u16 = 3;

#[cfg(target_arch = "x86_64")]
fn traces() -> [u64; 4] {
    // only addresses are taken
    [
        0,
        &raw const traceorus_test_trace_go as u64,
        &raw const traceorus_test_trace_perform as u64,
        &raw const traceorus_test_trace_never as u64,
    ]
}
#[cfg(not(target_arch = "x86_64"))]
fn traces() -> [u64; 4] {
    [0; 4]
}

/// What the fake compiler does when a counter has run out.
#[derive(Clone, Copy, PartialEq, Default)]
enum Plan {
    /// Counts anew.
    #[default]
    Count,
    /// Makes the instruction enter a trace.
    Enter,
    /// Records so many instructions, the first time; then counts anew.
    Record(usize),
    /// Records until a loop instruction of this kind comes, and goes on behind it.
    Transfer(Op),
    /// Gives the prototype something to be told about.
    Watch,
}

#[derive(Default)]
struct Fake {
    plan: Plan,
    /// Counters start anew with this.
    counter: u16,
    /// Anchors' ops, and how far the starts are from them.
    hot: Vec<(Op, isize)>,
    left: usize,
    recorded: Vec<Op>,
    /// Instructions recorded in another thread than the main one.
    elsewhere: usize,
    raised: usize,
    marks: usize,
    keep: Option<Value>,
    freed: Vec<usize>,
    watched: Vec<usize>,
    closed: bool,
}

unsafe fn fake<'a>(data: *mut u8) -> &'a mut Fake {
    // SAFETY: the hooks get the address of the test's own value.
    unsafe { &mut *data.cast() }
}

unsafe fn running_proto(l: *mut Thread) -> *mut Proto {
    // SAFETY: a Lua function runs.
    unsafe { (*((*(*l).base.sub(1)).payload as *mut LuaClosure)).proto }
}

unsafe fn hot(data: *mut u8, l: *mut Thread, anchor: *mut Instr, start: *const Instr) {
    // SAFETY: as the hook's description says.
    unsafe {
        let f = fake(data);
        let g = Global::of((*l).global);
        let op = dispatch::exact_op_of(bytecode::op_field(*anchor));
        assert_eq!(op.original(), op);
        assert_eq!(jithooks::counter(anchor), bytecode::COUNTER_OUT);
        assert_eq!((*l).pc, start);
        assert_eq!((*l).global, &raw mut g.hot);
        assert_eq!(g.hot.current, l);
        // the anchor belongs to the running function, whose live registers hold values
        let p = running_proto(l);
        assert!(anchor >= (*p).code && anchor < (*p).code.add((*p).ncode as usize));
        for i in 0..live_at(p, start) {
            assert!(!(*(*l).base.add(i)).tag.is_collectable() || (*(*l).base.add(i)).payload != 0);
        }
        f.hot.push((op, start.offset_from(anchor)));
        jithooks::set_counter(anchor, f.counter);
        match f.plan {
            Plan::Count => {}
            Plan::Enter => {
                let n = if op == Op::TForCall { PERFORM } else { GO };
                jithooks::set_entry(anchor, p, Some(n), 0);
            }
            Plan::Record(n) if f.recorded.is_empty() => {
                f.left = n;
                g.recording = true;
                dispatch::update_dispatch(l);
            }
            Plan::Transfer(_) if f.recorded.is_empty() => {
                f.left = usize::MAX;
                g.recording = true;
                dispatch::update_dispatch(l);
            }
            Plan::Record(_) | Plan::Transfer(_) => {}
            Plan::Watch => {
                jithooks::set_proto_jit(g, p, 7);
                f.watched.push(p as usize);
            }
        }
    }
}

unsafe fn live_at(p: *const Proto, pc: *const Instr) -> usize {
    // SAFETY: `pc` is in the prototype's code.
    unsafe { *(*p).live.add(pc.offset_from((*p).code) as usize) as usize }
}

unsafe fn record(data: *mut u8, l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as the hook's description says.
    unsafe {
        let f = fake(data);
        let g = Global::of((*l).global);
        assert_eq!((*l).pc, pc);
        assert_eq!((*l).dispatch, g.hot.code_active);
        let op = dispatch::op_at(pc);
        f.recorded.push(op);
        f.elsewhere += (l != g.hot.main) as usize;
        f.left -= 1;
        let out = f.plan == Plan::Transfer(op);
        if f.left == 0 || out {
            g.recording = false;
            dispatch::update_dispatch(l);
        }
        if out { pc.add(op.words()) } else { pc }
    }
}

unsafe fn raising(data: *mut u8, l: *mut Thread) {
    // SAFETY: as the hook's description says.
    unsafe {
        assert!(!(*l).base.is_null());
        fake(data).raised += 1;
    }
}

unsafe fn mark(data: *mut u8, m: &mut Marker<'_>) {
    // SAFETY: as the hook's description says; what is kept is live because it is marked.
    unsafe {
        let f = fake(data);
        f.marks += 1;
        if let Some(v) = f.keep {
            m.value(v);
        }
    }
}

unsafe fn proto_freed(data: *mut u8, p: *mut Proto) {
    // SAFETY: as the hook's description says.
    unsafe {
        assert_eq!((*p).jit, 7);
        fake(data).freed.push(p as usize);
    }
}

unsafe fn disturbed(_: *mut u8, _: bool) {}

unsafe fn close(data: *mut u8) {
    // SAFETY: as the hook's description says.
    unsafe { fake(data).closed = true }
}

fn display(cx: Ctx<'_>, v: Value) -> String {
    match cx.tostring(v) {
        Ok(s) => String::from_utf8_lossy(cx.bytes(s)).into_owned(),
        Err(Throw) => "error without a text".into(),
    }
}

/// A state with the fake compiler and all libraries.
struct State {
    l: *mut Thread,
    fake: Box<Fake>,
    traces: [u64; 4],
}

impl State {
    /// Counters of loops and functions start with these. `None` where no interpreter was generated: nothing counts there.
    fn new(plan: Plan, hotloop: u16, hotcall: u16) -> Option<Box<State>> {
        // SAFETY: a fresh state; what the hooks get outlives it.
        unsafe {
            let l = new_state(
                HostAlloc::System,
                None,
                &Config::default(),
                Outputs::default(),
            );
            let g = Global::of((*l).global);
            // the fake takes the trace compiler's place
            if let Some(own) = g.jit.take() {
                (own.close)(own.data);
            }
            if g.hot.resume.is_null() {
                state::close(l);
                eprintln!("no generated interpreter: skipped");
                return None;
            }
            open_libs(Ctx::new(l), |_| true);
            let mut s = Box::new(State {
                l,
                fake: Box::default(),
                traces: traces(),
            });
            s.fake.plan = plan;
            s.fake.counter = if hotloop == COLD { hotcall } else { hotloop };
            g.hotloop = hotloop;
            g.hotcall = hotcall;
            g.hot.traces = s.traces.as_ptr();
            g.hot.jit_scratch[1] = dispatch::helper_address(Op::JTForCall) as u64;
            g.jit = Some(JitHooks {
                data: (&raw mut *s.fake).cast(),
                is_on: |_| true,
                hot,
                record,
                raising,
                mark,
                proto_freed,
                disturbed,
                close,
            });
            Some(s)
        }
    }
    #[allow(clippy::mut_from_ref, reason = "as the vm itself does")]
    fn g(&self) -> &mut Global {
        // SAFETY: the state is open.
        unsafe { Global::of((*self.l).global) }
    }
    fn entered(&self) -> u64 {
        self.g().hot.jit_scratch[0]
    }
    /// Runs a chunk; its first result as a text.
    fn run(&self, source: &str) -> String {
        // SAFETY: nothing runs in the state.
        unsafe {
            let l = self.l;
            let cx = Ctx::new(l);
            let result = || -> LResult<Value> {
                let loader = self.g().loader.expect("new_state sets it");
                let f = loader(l, source.as_bytes(), b"=test", b"t")?;
                cx.push(f);
                cx.call(0, 1)?;
                Ok(*(*l).top.sub(1))
            }();
            let text = match result {
                Ok(v) => display(cx, v),
                Err(Throw) => panic!("{source}: {}", display(cx, self.g().hot.error_value)),
            };
            (*l).top = (*l).base;
            assert_eq!((*l).dispatch, self.g().hot.code_base);
            text
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: nothing runs in the state.
        unsafe { state::close(self.l) }
        assert!(self.fake.closed || std::thread::panicking());
    }
}

/// Never hot.
const COLD: u16 = 0xFFFE;

/// Programs whose loops go round 99 or so times: how often the counter (from 9 on) runs out, the anchor, how far behind it `start`
/// is (`None`: a jump), how often the trace is entered once there is one.
const LOOPS: [(&str, usize, Op, Option<isize>, u64); 9] = [
    (
        "local s = 0 for i = 1, 100 do s = s + i end return s",
        9,
        Op::ForLoop,
        None,
        89,
    ),
    (
        "local s = 0 for i = 100, 1, -1 do s = s + i end return s",
        9,
        Op::ForLoop,
        None,
        89,
    ),
    (
        "local s = 0 for x = 1, 50.5, 0.5 do s = s + x end return s",
        9,
        Op::ForLoop,
        None,
        89,
    ),
    (
        "local s = 0 for x = 50.5, 1, -0.5 do s = s + x end return s",
        9,
        Op::ForLoop,
        None,
        89,
    ),
    (
        "local t = {} for i = 1, 100 do t[i] = function() i = i + 1 return i end end return t[7]() + t[100]() + t[7]()",
        9,
        Op::ForLoopV,
        None,
        89,
    ),
    (
        "local t = {} for x = 1.0, 100 do t[#t + 1] = function() x = x + 1 return x end end return t[7]() + t[7]()",
        9,
        Op::ForLoopV,
        None,
        89,
    ),
    (
        "local s, i = 0, 0 while true do i = i + 1 if i > 100 then break end s = s + i end return s",
        10,
        Op::Loop,
        None,
        90,
    ),
    (
        "local t, s = {}, 0 for i = 1, 100 do t[i] = i end
         local iter, n = function(t, i) if i < 99 then return i + 1, t[i + 1] end end, 0
         for i, v in iter, t, 0 do s = s + i * v end return s",
        // the numeric loop 9 times, the generic one 10
        19,
        Op::TForCall,
        Some(0),
        89 + 90,
    ),
    (
        "local t, s = {x = 1}, 0 for i = 1, 100 do t[i] = i end for k, v in pairs(t) do s = s + v end return s",
        9 + 10,
        Op::TForCall,
        Some(0),
        89 + 92,
    ),
];

#[test]
fn loops_count_and_enter_traces() {
    for (source, times, op, start, entered) in LOOPS {
        let Some(plain) = State::new(Plan::Count, COLD, COLD) else {
            return;
        };
        let expected = plain.run(source);
        assert_eq!(plain.fake.hot, []);

        let s = State::new(Plan::Count, 9, COLD).expect("as before");
        assert_eq!(s.run(source), expected);
        assert_eq!(s.fake.hot.len(), times, "{source}");
        let &(anchor, distance) = s.fake.hot.last().expect("some");
        assert_eq!(anchor, op, "{source}");
        match start {
            Some(n) => assert_eq!(distance, n, "{source}"),
            None => assert!(distance < 0, "{source}"),
        }
        assert_eq!(s.entered(), 0);

        let s = State::new(Plan::Enter, 9, COLD).expect("as before");
        assert_eq!(s.run(source), expected, "{source}");
        assert_eq!(s.entered(), entered, "{source}");
    }
}

/// Programs that call a function 100 times; how often it enters the trace once there is one (`None`: more than 50 times).
const CALLS: [(&str, Op, Option<u64>); 12] = [
    (
        "local function f(x) return x + 1 end local s = 0 for i = 1, 100 do s = s + f(i) end return s",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(x, y, z) return (z or x) + (y or 1) end local s = 0 for i = 1, 100 do s = s + f(i) end return s",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(x) return x + 1 end local s = 0 for i = 1, 100 do s = s + f(i, i, i, i, i) end return s",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(...) return select('#', ...) + (...) end local s = 0 for i = 1, 100 do s = s + f(i, i) end return s",
        Op::FuncV,
        Some(90),
    ),
    (
        "local function f(a, b, ...) return a + (b or 1) + select('#', ...) end
         local s = 0 for i = 1, 50 do s = s + f(i) + f(i, i, i) end return s",
        Op::FuncV,
        Some(90),
    ),
    (
        "local function two(i) return i, i + 1 end
         local function f(x, y) return x + y end local s = 0 for i = 1, 100 do s = s + f(table.unpack({i, 2})) end return s",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(n, s) if n == 0 then return s end return f(n - 1, s + n) end return f(99, 0)",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(n, s, x) if n == 0 then return s end return f(n - 1, s + n) end return f(99, 0, 1)",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(n, s, ...) if n == 0 then return s end return f(n - 1, s + n, ...) end return f(99, 0, 1, 2)",
        Op::FuncV,
        Some(90),
    ),
    (
        "local function f(x) return x + 1 end local s = 0 for i = 1, 100 do s = s + select(2, pcall(f, i)) end return s",
        Op::FuncF,
        Some(90),
    ),
    (
        "local function f(x, y) if x == 50 then error('x', 0) end return x end
         local s = '' for i = 1, 100 do s = s .. tostring(select(2, xpcall(f, print and tostring, i))) end return s",
        Op::FuncF,
        Some(90),
    ),
    (
        "local t = setmetatable({}, {__index = function(t, k) return k end, __add = function(a, b) return b end})
         local s = 0 for i = 1, 100 do s = s + t[i] + (t + i) end return s",
        Op::FuncF,
        None,
    ),
];

#[test]
fn calls_count_and_enter_traces() {
    for (source, op, entered) in CALLS {
        let Some(plain) = State::new(Plan::Count, COLD, COLD) else {
            return;
        };
        let expected = plain.run(source);

        let s = State::new(Plan::Count, COLD, 9).expect("as before");
        assert_eq!(s.run(source), expected);
        // (op, distance): all of them start at the first instruction
        assert!(
            s.fake.hot.len() >= 9 && s.fake.hot.iter().all(|&h| h == (op, 1)),
            "{source}: {:?}",
            s.fake.hot
        );

        let s = State::new(Plan::Enter, COLD, 9).expect("as before");
        assert_eq!(s.run(source), expected, "{source}");
        match entered {
            Some(n) => assert_eq!(s.entered(), n, "{source}"),
            None => assert!(s.entered() > 50, "{source}: {}", s.entered()),
        }
    }
}

/// All of it at once, with stacks that move, collections, errors, coroutines.
#[test]
fn everything_enters_traces() {
    let source = "
        local out = {}
        local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
        out[#out + 1] = fib(16)
        local function gen(n) return coroutine.wrap(function(a, b) for i = 1, n do coroutine.yield(i, a, b) end end) end
        for k = 1, 30 do for i, a in gen(k) do out[#out + 1] = i * k + (a or 0) end end
        local function deep(n, ...) if n == 0 then return select('#', ...) end return (deep(n - 1, n, ...)) end
        for i = 1, 30 do out[#out + 1] = deep(i * 3) end
        local words = {} for w in ('the quick brown fox'):rep(20, ' '):gmatch('%a+') do words[#words + 1] = w end
        table.sort(words, function(a, b) return a < b end)
        out[#out + 1] = table.concat(words)
        local function fail(n) if n % 3 == 0 then error({n}) end local t <close> = setmetatable({}, {__close = function() out[#out + 1] = n end}) return n end
        for i = 1, 50 do local ok, e = pcall(fail, i) out[#out + 1] = ok and e or e[1] end
        local co = {} for i = 1, 40 do co[i] = coroutine.create(function(x) while true do x = x + coroutine.yield(x) end end) end
        for j = 1, 20 do for i = 1, 40 do local _, v = coroutine.resume(co[i], i) out[#out + 1] = v end end
        local o = setmetatable({}, {__index = function(t, k) return k .. '!' end, __call = function(self, x, ...) return x end, __lt = function() return true end})
        for i = 1, 50 do out[#out + 1] = o['k' .. i] out[#out + 1] = o(i, 1, 2) if o < o then out[#out + 1] = i end end
        local i = 0 repeat i = i + 1 local j = i while j > 0 do j = j - 7 end out[#out + 1] = j until i == 60
        return table.concat(out, ',')";
    let Some(plain) = State::new(Plan::Count, COLD, COLD) else {
        return;
    };
    let expected = plain.run(source);
    for (hotloop, hotcall) in [(0, 0), (1, 2), (9, 3), (0, COLD), (COLD, 0)] {
        for stress in [false, true] {
            let s = State::new(Plan::Enter, hotloop, hotcall).expect("as before");
            s.g().stack_stress = stress;
            s.g().heap.set_stress(if stress { 50 } else { 0 });
            assert_eq!(s.run(source), expected, "{hotloop} {hotcall}");
            assert!(s.entered() > 1000);
            // all of it again, with a hook: in the active region no trace is entered
            let before = s.entered();
            let hooked = format!(
                "debug.sethook(function() end, '', 1000) local r = (function() {source} end)() debug.sethook() return r"
            );
            let s2 = State::new(Plan::Enter, hotloop, hotcall).expect("as before");
            assert_eq!(s2.run(&hooked), expected);
            assert_eq!(s2.entered(), 0, "coroutines inherit the hook");
            assert!(before > 0);
        }
    }
}

/// In the active region instructions that enter traces are their originals.
#[test]
fn originals_in_the_active_region() {
    let Some(s) = State::new(Plan::Enter, 3, 3) else {
        return;
    };
    let define = "
        function f(n, ...) local s = select('#', ...) for i = 1, n do s = s + i end
          local i = 0 while i < n do i = i + 1 for k, v in pairs({1, 2, x = 3}) do s = s + v end end
          for x = 1.0, 5.0 do s = s + (function() x = x + 1 return x end)() end return s end
        function g(a, b) return f(a or 1, b) end
        for i = 1, 10 do g(i) end ";
    let expected = State::new(Plan::Count, COLD, COLD)
        .expect("as before")
        .run(&format!("{define} return g(20) + g(7, 7)"));
    s.run(define);
    assert!(s.entered() > 0);
    let entered = s.entered();
    let r = s.run(
        "debug.sethook(function() end, '', 1) local r = g(20) + g(7, 7) debug.sethook() return r",
    );
    assert_eq!(r, expected);
    assert_eq!(s.entered(), entered);
    // and in the normal one they are entered again
    assert_eq!(s.run("return g(20) + g(7, 7)"), expected);
    assert!(s.entered() > entered);
}

#[test]
fn dumps_and_messages_do_not_tell() {
    let source = "
        local function f(t, n) local s = 0
          for i = 1, n do s = s + i end
          for x = 1.0, n do local y = function() x = x + 1 end end
          for k, v in pairs(t) do s = s + v end
          while s > 0 do s = s - 100 end
          return s + t.x
        end
        local function lines() local out = {} for l in pairs(debug.getinfo(f, 'L').activelines) do out[#out + 1] = l end table.sort(out) return table.concat(out, ' ') end
        local a, b = string.dump(f), lines()
        local t = {1, 2, 3, 4, x = 5}
        for i = 1, 20 do f(t, 20) end
        assert(string.dump(f) == a and lines() == b)
        assert(load(string.dump(f))(t, 20) == f(t, 20))
        return select(2, pcall(f, {1, 2, {}}, 20)) .. select(2, pcall(f, {1}, 20)) ..
          select(2, pcall(function() for i in nil do end end)) ";
    let Some(plain) = State::new(Plan::Count, COLD, COLD) else {
        return;
    };
    let expected = plain.run(source);
    let s = State::new(Plan::Enter, 3, 3).expect("as before");
    assert_eq!(s.run(source), expected);
    assert!(s.entered() > 0);
}

#[test]
fn what_was_entered_can_be_put_back() {
    let Some(s) = State::new(Plan::Enter, 3, 3) else {
        return;
    };
    s.run("function f(a, b) for i = 1, 20 do end return a end for i = 1, 20 do f(1) end");
    let g = s.g();
    // SAFETY: nothing runs; the function is a global.
    unsafe {
        let f = Ctx::new(s.l).raw_get_field(g.hot.globals, "f");
        let p = (*f.as_ptr::<LuaClosure>()).proto;
        let code = (*p).code;
        let anchors: Vec<_> = (0..(*p).ncode as usize)
            .map(|i| code.add(i))
            .filter(|&w| {
                let op = dispatch::exact_op_of(bytecode::op_field(*w));
                matches!(op, Op::JFuncF | Op::JForLoop)
            })
            .collect();
        assert_eq!(anchors.len(), 2);
        assert_eq!(bytecode::c(*code), bytecode::HEADER_JFUNCF);
        for &a in &anchors {
            jithooks::set_entry(a, p, None, 1000);
            assert_eq!(jithooks::counter(a), 1000);
        }
        assert_eq!(bytecode::c(*code), 2);
        assert_eq!(dispatch::exact_op_of(bytecode::op_field(*code)), Op::FuncF);
    }
    let entered = s.entered();
    s.run("return f(1, 2)");
    assert_eq!(s.entered(), entered);
}

/// A trace that must not be entered, in a program whose thread is watched.
#[test]
fn hooks_keep_traces_out() {
    let Some(s) = State::new(Plan::Enter, 0, COLD) else {
        return;
    };
    s.run("function f() local n = 0 for i = 1, 10 do n = n + 1 end return n end f() f()");
    let entered = s.entered();
    assert!(entered > 0);
    // the loop's own trace becomes the trap
    let never = s.traces[NEVER as usize];
    let table = [0, never, never, never];
    s.g().hot.traces = table.as_ptr();
    let r = s.run("debug.sethook(function() end, 'l') local r = f() debug.sethook() return r");
    assert_eq!(r, "10");
    s.g().hot.traces = s.traces.as_ptr();
    assert_eq!(s.run("return f()"), "10");
    assert!(s.entered() > entered);
}

#[test]
fn the_recorder_sees_each_instruction() {
    let Some(s) = State::new(Plan::Record(6), 9, COLD) else {
        return;
    };
    assert_eq!(
        s.run("local s = 0 for i = 1, 100 do s = s + i end return s"),
        "5050"
    );
    let (a, l) = (Op::Add, Op::ForLoop);
    assert_eq!(s.fake.recorded, [a, l, a, l, a, l]);
    // the three back edges that were recorded did not count: 96 are left
    assert_eq!(s.fake.hot.len(), 9);

    // a generic loop: the call itself is the first
    let s = State::new(Plan::Record(3), 1, COLD).expect("as before");
    let r = s.run("local s = 0 for k, v in pairs({1, 2, 3, 4, 5, 6}) do s = s + v end return s");
    assert_eq!(r, "21");
    assert_eq!(s.fake.recorded, [Op::TForCall, Op::TForLoop, Op::Add]);

    // a function: its first instruction
    let s = State::new(Plan::Record(2), COLD, 4).expect("as before");
    let r = s.run(
        "local function f(x) return x + 1 end local n = 0 while n < 20 do n = f(n) end return n",
    );
    assert_eq!(r, "20");
    assert_eq!(s.fake.recorded, [Op::AddI, Op::Ret1]);
}

#[test]
fn the_recorder_may_transfer_execution() {
    let Some(s) = State::new(Plan::Transfer(Op::ForLoop), 9, COLD) else {
        return;
    };
    // out of the loop by the transfer, in iteration 11
    let r = s.run("local s = 0 for i = 1, 100 do s = s + i end return s");
    assert_eq!(r, "66");
    assert_eq!(s.fake.recorded, [Op::Add, Op::ForLoop]);
}

#[test]
fn errors_are_told_to_the_recorder() {
    for (times, raised) in [(1000, 1), (3, 0)] {
        let Some(s) = State::new(Plan::Record(times), 2, COLD) else {
            return;
        };
        let r = s.run(
            "local n = 0 for i = 1, 6 do n = n + 1 if i == 6 then local ok = pcall(error, {}) assert(not ok) end end
             for i = 1, 1000 do n = n + 1 end return n",
        );
        assert_eq!(r, "1006");
        assert_eq!(s.fake.raised, raised);
        assert_eq!(s.fake.recorded.len(), times);
    }
}

/// Recording that begins in one thread and ends in another leaves neither watched.
#[test]
fn threads_follow() {
    let from_main = "
        local co = coroutine.wrap(function() local n = 0 while true do n = n + 1 coroutine.yield(n) end end)
        local other = coroutine.wrap(function() while true do coroutine.yield(1) end end)
        local s = 0 for i = 1, 60 do s = s + co() + other() end
        return s";
    let from_inside = "
        local co = coroutine.wrap(function() for i = 1, 1000 do for j = 1, 5 do end coroutine.yield(i) end end)
        local s, n = 0, 0 repeat s, n = s + co(), n + 1 until n == 60
        return s";
    for source in [from_main, from_inside] {
        let Some(plain) = State::new(Plan::Count, COLD, COLD) else {
            return;
        };
        let expected = plain.run(source);
        for times in 1..60 {
            let s = State::new(Plan::Record(times), 5, COLD).expect("as before");
            assert_eq!(s.run(source), expected);
            assert_eq!(s.fake.recorded.len(), times, "{source}");
            assert!(s.fake.elsewhere > 0 || times < 20);
            // all threads are as without a recorder: their next switches are those of emitted code
            assert!(!s.g().recording);
        }
    }
}

/// Callbacks of library functions, and hooks, run while the recorder watches.
#[test]
fn nested_entries_are_recorded() {
    let source = "
        local n = 0
        local t = setmetatable({}, {__tostring = function() n = n + 1 return 'x' end})
        for i = 1, 40 do
          n = n + #tostring(t)
          table.sort({3, 2, 1}, function(a, b) n = n + 1 return a < b end)
        end
        return n";
    let Some(plain) = State::new(Plan::Count, COLD, COLD) else {
        return;
    };
    let expected = plain.run(source);
    for times in [1, 7, 20, 100, 333] {
        let s = State::new(Plan::Record(times), 5, COLD).expect("as before");
        assert_eq!(s.run(source), expected);
        assert_eq!(s.fake.recorded.len(), times);
    }
}

#[test]
fn dead_prototypes_are_told() {
    let Some(s) = State::new(Plan::Watch, COLD, 3) else {
        return;
    };
    s.run(
        "local function hot() local f = load('local x = ... return x') for i = 1, 10 do f(i) end end hot()
         function live(x) return x end for i = 1, 10 do live(i) end",
    );
    assert_eq!(s.fake.watched.len(), 4, "each is hot twice");
    s.run("collectgarbage() collectgarbage()");
    assert_eq!(s.fake.freed, s.fake.watched[..1]);
    // one that is not watched any more is not told
    let g = s.g();
    // SAFETY: the function is a global.
    unsafe {
        let f = Ctx::new(s.l).raw_get_field(g.hot.globals, "live");
        jithooks::set_proto_jit(g, (*f.as_ptr::<LuaClosure>()).proto, 0);
    }
    s.run("live = nil collectgarbage() collectgarbage()");
    assert_eq!(s.fake.freed.len(), 1);
}

#[test]
fn the_collector_asks_for_roots() {
    let Some(mut s) = State::new(Plan::Count, COLD, COLD) else {
        return;
    };
    let make =
        "W = setmetatable({}, {__mode = 'v'}) W[1], W[2], W[3] = {}, {}, {} collectgarbage('stop')";
    let l = s.l;
    s.run(make);
    // SAFETY: nothing runs; the values are in the global table until the collection.
    unsafe {
        let cx = Ctx::new(l);
        let w = cx.raw_get_field(s.g().hot.globals, "W").as_ptr::<Table>();
        let at = |i| traceorus::raw::vm::table::table_get_int(w, i);
        s.fake.keep = Some(at(1));
        let roots = [at(2)];
        s.g().extra_roots = (roots.as_ptr(), 1);
        let before = s.fake.marks;
        s.g().heap.full(false);
        assert!(
            s.fake.marks >= before + 2,
            "at the start and in the atomic phase"
        );
        let left: Vec<bool> = (1..=3).map(|i| !at(i).is_nil()).collect();
        assert_eq!(left, [true, true, false]);
        s.g().extra_roots = (std::ptr::null(), 0);
        s.fake.keep = None;
        s.g().heap.full(false);
        assert!((1..=3).all(|i| at(i).is_nil()));
    }
}

#[test]
fn collection_at_a_poll() {
    let Some(s) = State::new(Plan::Count, COLD, COLD) else {
        return;
    };
    let g = s.g();
    // SAFETY: nothing runs in the state.
    unsafe {
        s.run("n = 0 setmetatable({}, {__gc = function() n = n + 1 end})");
        g.heap.set_stress(1);
        let _ = Ctx::new(s.l).new_table(0, 0);
        assert_ne!(g.hot.poll & poll::GC, 0);
        // in this mode a step is a full collection: the finalizer waits, and is not called
        assert!(exec::collect_at_poll(s.l));
        assert_eq!(g.hot.poll & poll::GC, 0);
        assert_eq!(g.hot.poll, poll::FINALIZERS);
        g.heap.set_stress(0);
        assert_eq!(
            s.run("local before = n for i = 1, 3 do end return before .. n"),
            "01"
        );
        assert!(!exec::collect_at_poll(s.l));
        // over the limit: that is an error, and so left to the safepoint
        g.heap.set_memory_limit(Some(1));
        g.hot.poll |= poll::GC;
        assert!(exec::collect_at_poll(s.l));
        assert_ne!(g.hot.poll & poll::GC, 0);
        g.heap.set_memory_limit(None);
    }
}

/// Entries from native code nest as deep as before, each with its spill slots.
#[test]
fn nested_entries_have_room() {
    let Some(s) = State::new(Plan::Count, COLD, COLD) else {
        return;
    };
    let r = s.run(
        "local n = 0
         local t = setmetatable({}, {__tostring = function(t) n = n + 1 return tostring(t) end})
         local ok, e = pcall(tostring, t) return n .. ' ' .. tostring(not ok and e:find('C stack overflow') ~= nil)",
    );
    let (n, overflow) = r.split_once(' ').expect("two words");
    assert!(n.parse::<u32>().expect("a number") > 150);
    assert_eq!(overflow, "true");
}
