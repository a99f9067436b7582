//! Hosts without memory, very many coroutines, and programs whose memory must stay small.

mod common;

use std::ptr::null_mut;

use common::{Run, lua, traceorus};
use traceorus::raw::base::{Tag, Value};
use traceorus::raw::gc::HostAlloc;
use traceorus::raw::stdlib;
use traceorus::raw::vm::ctx::{Ctx, LResult};
use traceorus::raw::vm::state::{self, Global};
use traceorus::raw::vm::{native, throw};

// ---- an allocator that fails -------------------------------------------------------------------------------------

/// A host that refuses one request, or all from one on. Shrinking never fails.
struct Host {
    /// Requests so far.
    requests: u64,
    /// The first one that is refused; 0: none.
    refuse: u64,
    /// How many are refused from there.
    times: u64,
    /// Refused so far.
    refused: u64,
    /// Bytes that are out.
    live: usize,
}

unsafe extern "C" fn host(ud: *mut u8, p: *mut u8, old: usize, new: usize) -> *mut u8 {
    // SAFETY: `ud` is the `Host` that outlives the state; nobody else refers to it during the call.
    let h = unsafe { &mut *ud.cast::<Host>() };
    if new == 0 {
        h.live -= if p.is_null() { 0 } else { old };
        // SAFETY: `p` is null or came from below.
        unsafe { libc::free(p.cast()) };
        return null_mut();
    }
    let grows = p.is_null() || new > old;
    if grows {
        h.requests += 1;
        if h.refuse != 0 && h.requests >= h.refuse && h.requests - h.refuse < h.times {
            h.refused += 1;
            return null_mut();
        }
    }
    // SAFETY: `p` is null or came from here.
    let q = unsafe { libc::realloc(p.cast(), new) };
    h.live = h.live + new - if p.is_null() { 0 } else { old };
    q.cast()
}

/// Runs in the state: the script in upvalue 1, protected.
fn run_script(cx: Ctx) -> LResult<usize> {
    let source = cx.bytes(cx.upvalue(1));
    let f = stdlib::base::load_chunk(cx, source, b"=script", b"t");
    match f {
        Ok(f) => {
            cx.push(f);
            cx.call(0, 1)
        }
        Err(e) => Err(cx.throw(e)),
    }
}

/// Loads text with the Lua front end.
unsafe fn loader(
    l: *mut traceorus::raw::base::objects::Thread,
    source: &[u8],
    name: &[u8],
    _mode: &[u8],
) -> LResult<Value> {
    // SAFETY: `l` is live.
    unsafe {
        let g = Global::of((*l).global);
        let chunk = match source.first() {
            Some(0x1b) => traceorus::raw::vm::dump::undump(source, name),
            _ => traceorus_lang_lua::compile(source, name)
                .map_err(|e| String::from_utf8_lossy(&e.message).into_owned()),
        };
        match chunk {
            Ok(c) => traceorus::raw::vm::load::load_chunk(l, &c),
            Err(e) => Err(throw::set_error(
                l,
                traceorus::raw::vm::string::str_val(g.str_new(e.as_bytes())),
                3,
            )),
        }
    }
}

/// What a script under a failing host ended with.
enum End {
    Done(Vec<u8>),
    NoMemory,
}

/// Makes a state, opens the libraries with plenty of memory, runs the script with the refusal counted from there, checks
/// that the state works afterwards, and closes it.
fn under_failing_host(script: &str, refuse: u64, times: u64) -> (End, u64) {
    let mut h = Box::new(Host {
        requests: 0,
        refuse: 0,
        times,
        refused: 0,
        live: 0,
    });
    let ud = (&raw mut *h).cast::<u8>();
    // SAFETY: the host outlives the state, follows `lua_Alloc`'s contract, and is only read between calls.
    let (end, refused) = unsafe {
        let l = state::new(HostAlloc::Custom { f: host, ud });
        let host = &mut *ud.cast::<Host>();
        let g = Global::of((*l).global);
        g.loader = Some(loader);
        let cx = Ctx::new(l);
        stdlib::open_some(cx, |_| true);
        let run = |source: &str| {
            let s = cx.str(source);
            cx.push(s);
            let f = cx.new_native("run", native!(run_script), &[s]);
            cx.push(f);
            let r = cx.pcall(0, 1, Value::NIL);
            let v = cx.pop();
            let text = if v.tag == Tag::STRING {
                cx.bytes(v).to_vec()
            } else {
                format!("{v:?}").into_bytes()
            };
            cx.pop();
            r.map(|_| text.clone()).map_err(|status| (status, text))
        };
        host.requests = 0;
        host.refuse = refuse;
        let r = run(script);
        host.refuse = 0;
        let refused = host.refused;
        let end = match r {
            Ok(v) => End::Done(v),
            Err((_, m)) => {
                let text = String::from_utf8_lossy(&m);
                assert!(
                    text.contains("not enough memory"),
                    "request {refuse}: {text}"
                );
                End::NoMemory
            }
        };
        let check = "collectgarbage() local t = {} for i = 1, 50 do t[i] = i .. 'x' end return table.concat(t)";
        let ok = run(check).unwrap_or_else(|(_, m)| {
            panic!(
                "request {refuse}: not usable: {}",
                String::from_utf8_lossy(&m)
            )
        });
        assert_eq!(ok.len(), 50 + 9 + 2 * 41);
        state::close(l);
        (end, refused)
    };
    assert_eq!(h.live, 0, "request {refuse}: the closed state keeps memory");
    (end, refused)
}

/// Runs the script with each request failing in turn.
fn failing_requests(script: &str) {
    let mut good = None;
    // one request fails: an emergency collection and a second attempt may help; then three; then all from the n-th on
    for times in [1, 3, u64::MAX] {
        let (mut failures, mut n) = (0, 0);
        loop {
            n += 1;
            let (end, refused) = under_failing_host(script, n, times);
            match end {
                End::Done(v) => {
                    let first = good.get_or_insert_with(|| v.clone());
                    assert_eq!(*first, v, "another result when request {n} fails");
                }
                End::NoMemory => failures += 1,
            }
            if refused == 0 {
                break;
            }
            // many requests: the first ones one by one, then in growing steps
            n += n / 40;
        }
        assert!(n > 1, "no request at all");
        assert!(
            times != u64::MAX || failures > 0,
            "{n} requests, none of which is missed"
        );
    }
}

macro_rules! without_memory {
    ($($name:ident $script:literal)*) => { $(
        #[test]
        fn $name() {
            failing_requests($script);
        }
    )* };
}
without_memory! {
    no_memory_for_tables
    "local t = {} for i = 1, 3000 do t[i] = {i, x = i, ['k' .. i] = {}} end return #t .. 'ok'"
    no_memory_for_strings
    "local s = {} for i = 1, 200 do s[i] = ('text' .. i):rep(i) end return #table.concat(s, ',') .. ''"
    no_memory_for_big
    "local s = ('x'):rep(100000) local t = {} for i = 1, 20 do t[i] = s .. i end return #(table.concat(t):gsub('x', 'yy')) .. ''"
    no_memory_for_closures
    "local f = {} for i = 1, 2000 do local n = i f[i] = function() n = n + 1 return n end end local s = 0 for i = 1, #f do s = s + f[i]() end return s .. ''"
    no_memory_for_coroutines
    "local t = {} for i = 1, 300 do local co = coroutine.create(function(a) local b = {a} coroutine.yield(b) return a end) coroutine.resume(co, i) t[i] = co end
         local s = 0 for i = 1, #t do local _, v = coroutine.resume(t[i]) s = s + v end return s .. ''"
    no_memory_for_errors
    "local n, all = 0, {} for i = 1, 500 do local ok, e = pcall(function() local c <close> = setmetatable({}, {__close = function() n = n + 1 end}) error({i, tostring(i):rep(50)}) end) if type(e) ~= 'table' then error(e, 0) end all[i] = e end return n .. ''"
    no_memory_for_recursion
    "local function f(n) if n == 0 then return 0 end local t = {n} return f(n - 1) + #t end return f(20000) .. ''"
    no_memory_for_libraries
    "local t = {} for w in (('some words '):rep(300)):gmatch('%a+') do t[#t + 1] = w:upper() end table.sort(t)
         local f = assert(load('local a = ... return a, {' .. ('1,'):rep(2000) .. '}')) local a, u = f(7)
         local d = assert(load(string.dump(f, true))) local p = string.pack('s4', ('z'):rep(70000))
         return #t .. a .. #u .. #select(2, d(1)) .. #p .. #string.format('%q%s', p, ('y'):rep(9000)) > '' and 'ok'"
}

/// Memory runs out while the script catches the error, again and again.
#[test]
fn host_without_memory_and_pcall() {
    let script = "local n, keep = 0, {}
        for i = 1, 100 do
          local ok, e = pcall(function() local t = {} for j = 1, 500 do t[j] = {j .. 'x', i} end keep[i] = t end)
          if not ok then
            if e ~= 'not enough memory' then error(e, 0) end
            n = n + 1
          end
        end
        return 'caught ' .. n";
    let mut caught = 0;
    for n in 1..60 {
        if let (End::Done(v), _) = under_failing_host(script, n, 5) {
            assert!(v.starts_with(b"caught "));
            caught += usize::from(v != b"caught 0");
        }
    }
    assert!(caught > 0, "no error was caught");
}

/// Programs run when no shape and no shape id is left: tables are dictionaries then.
#[test]
fn no_shape_ids_left() {
    let script = "local C = {} C.__index = C function C.get(s) return s.a + s.b end
        local sum = 0
        for i = 1, 100 do
          local f = load('local n = ... return {a = n, b = 2 * n, c' .. i .. ' = 3}')
          for j = 1, 3 do
            local t = f(j)
            assert(t['c' .. i] == 3 and t.a == j and t.b == 2 * j)
            t.d = j t.e = t.d sum = sum + t.e
            assert(setmetatable(t, C):get() == 3 * j)
            local n = 0 for k, v in pairs(t) do n = n + 1 end assert(n == 5)
          end
        end
        return 'sum ' .. sum";
    // SAFETY: the state is used by this thread alone; the number of the next shape may only grow.
    unsafe {
        let l = state::new(HostAlloc::System);
        let g = Global::of((*l).global);
        g.loader = Some(loader);
        let cx = Ctx::new(l);
        stdlib::open_some(cx, |_| true);
        for left in [30, 3, 0] {
            g.hot.next_shape_id = u32::MAX - 16 - left;
            let s = cx.str(script);
            cx.push(s);
            let f = cx.new_native("run", native!(run_script), &[s]);
            cx.push(f);
            let r = cx.pcall(0, 1, Value::NIL);
            let v = cx.pop();
            assert_eq!(cx.bytes(v), b"sum 600");
            assert!(r.is_ok());
            cx.pop();
        }
        state::close(l);
    }
}

// ---- memory of programs ------------------------------------------------------------------------------------------

/// Runs a program that must succeed and print "ok"; its largest resident size in MiB, by what it reads of itself: what the system tells
/// of a child that has ended counts what its parent had when it was forked.
fn peak_mib(source: &str) -> f64 {
    let tell = "\nfor l in io.lines('/proc/self/status') do local n = l:match('^VmHWM:%s*(%d+)') if n then print(n) end end";
    let r = lua(format!("{source}{tell}").as_str()).run();
    assert!(r.success(), "{}: {}", r.end(), r.err());
    let out = r.out();
    let kib = out.strip_prefix("ok\n").expect("ok").trim_end();
    kib.parse::<f64>().expect("a number") / 1024.0
}

#[test]
fn hundred_thousand_coroutines() {
    let mib = peak_mib(
        "local t = {}
         for i = 1, 100000 do
           local co = coroutine.create(function(a) local b = a + 1 while true do b = b + coroutine.yield(b) end end)
           t[i] = co
           assert(coroutine.resume(co, i))
         end
         local sum = 0
         for r = 1, 2 do for i = 1, #t do local ok, v = coroutine.resume(t[i], 1) sum = sum + v end end
         assert(sum == 2 * (100000 * 100001 // 2 + 100000) + 3 * 100000)
         print('ok')",
    );
    assert!(mib < 200.0, "{mib} MiB");
}

#[test]
fn fifo_queue_stays_small() {
    for window in [1, 10, 1000] {
        let mib = peak_mib(&format!(
            "local q, h, t = {{}}, 1, 1
             for i = 1, {window} do q[t] = i t = t + 1 end
             for i = 1, 1000000 do q[t] = i t = t + 1 local v = q[h] q[h] = nil h = h + 1 assert(v) end
             local n = 0 for _ in pairs(q) do n = n + 1 end
             assert(n == {window})
             print('ok')"
        ));
        assert!(mib < 12.0, "window {window}: {mib} MiB");
    }
}

/// 2^22 slots take 36 MiB; growing them does not take a second array.
#[test]
fn large_array_grows_in_place() {
    let fill = |with: &str| {
        peak_mib(&format!(
            "local t = {{}} for i = 1, 4000000 do t[i] = {with} end assert(#t == 4000000) print('ok')"
        ))
    };
    let mib = fill("i");
    assert!(mib < 50.0, "{mib} MiB");
    // the payloads of truth values are not touched, except by the poison of debug builds
    if !cfg!(debug_assertions) {
        let mib = fill("true");
        assert!(mib < 30.0, "{mib} MiB");
    }
}

#[test]
fn caches_that_come_and_go() {
    // keys that are all new, in a table that stays small; tables that were large
    let mib = peak_mib(
        "local t = {}
         for i = 1, 300000 do t['key' .. i] = i if i > 50 then t['key' .. i - 50] = nil end end
         local n = 0 for _ in pairs(t) do n = n + 1 end assert(n == 50)
         for i = 1, 300000 do t[{}] = i for k in pairs(t) do t[k] = nil break end end
         print('ok')",
    );
    assert!(mib < 24.0, "{mib} MiB");
}

/// A metatable for each object, which refers to the object; classes made in a loop; and the idiom that
/// stores `__index` in the class for each object.
#[test]
fn metatables_of_single_objects() {
    let before = "local function round(n) for i = 1, n do ";
    let after = " end end
        round(20000) collectgarbage() collectgarbage()
        local first = collectgarbage('count')
        round(200000) collectgarbage() collectgarbage()
        local last = collectgarbage('count')
        assert(last < first + 200, 'grows from ' .. first .. ' to ' .. last)
        print('ok')";
    let bodies = [
        "local o o = setmetatable({}, {__index = function() return o end}) assert(o.x == o)",
        "local o = setmetatable({a = 1, b = 2}, {__index = {}}) o.c = o.d o.e = i",
        "local C = {} C.__index = C function C.get(s) return s.v end local o = setmetatable({}, C) o.v = i assert(o:get() == i)",
        "local o = {} for j = 1, 3 do o['f' .. i * 3 + j] = j end",
        "local o = setmetatable({}, {['__k' .. i] = 1}) o['x' .. i % 100] = 1",
        "local f = load('local t = {a' .. i % 5000 .. ' = 1} return t') f()",
        "local co = coroutine.wrap(function() local t = setmetatable({}, {__gc = function() end}) coroutine.yield(t) end) co()",
    ];
    for b in bodies {
        // compiling is slower
        let source = format!("{before}{b}{after}");
        let source = if b.contains("load(") {
            source.replace("200000", "20000")
        } else {
            source
        };
        let mib = peak_mib(&source);
        assert!(mib < 60.0, "{b}: {mib} MiB");
    }
    let mib = peak_mib(
        "local A = {}
         function A:new(o) setmetatable(o, self) self.__index = self return o end
         function A:get() return self.v end
         local s = 0
         for i = 1, 1000000 do s = s + A:new{v = i}:get() end
         assert(s == 1000000 * 1000001 // 2)
         print('ok')",
    );
    assert!(mib < 24.0, "{mib} MiB");
}

#[test]
fn errors_and_yields_leave_nothing_behind() {
    let mib = peak_mib(
        "local mt = {__index = function(t, k) error(k) end, __add = function(a, b) return coroutine.yield(b) end}
         local o = setmetatable({}, mt)
         for i = 1, 1000000 do local ok, e = pcall(function() return o.x end) assert(not ok) end
         local co = coroutine.wrap(function() while true do local v = o + 1 end end)
         for i = 1, 1000000 do assert(co(i) == 1) end
         for i = 1, 200000 do local co = coroutine.wrap(error) assert(not pcall(co, i)) end
         for i = 1, 200000 do assert(not pcall(table.sort, {3, 2, 1}, error)) assert(not pcall(string.gsub, 'x', '.', error)) end
         print('ok')",
    );
    assert!(mib < 24.0, "{mib} MiB");
}

#[test]
fn an_empty_script_is_small() {
    let r = Run::new(traceorus()).arg("-e").arg("").run();
    assert!(r.success());
    assert!(r.peak_kib < 8 << 10, "{} KiB", r.peak_kib);
}
