//! The library `jit`, with the meanings that LuaJIT gives to its functions, and the modules `jit.opt` and `jit.util`.
//!
//! What differs: events of `jit.attach` are told at the next safepoint instead of at once; names of passes and parameters that only
//! LuaJIT has are accepted and do nothing. A state without trace compiler (no executable memory) has the library, too.

use traceorus_base::objects::{GcHeader, Proto, Table};
use traceorus_base::{Tag, Value};
use traceorus_trace::events::What;
use traceorus_trace::loc::Link;
use traceorus_trace::opt::Passes;
use traceorus_trace::places::{chunk_name, line};
use traceorus_trace::{Jit, Params};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::{debuginfo, native, table};

/// Passes of LuaJIT that have no counterpart, or no switch, here.
const FOREIGN_PASSES: [&str; 4] = ["narrow", "abc", "fuse", "fma"];
/// The same for its parameters.
const FOREIGN_PARAMS: [&str; 5] = [
    "maxirconst",
    "tryside",
    "sizemcode",
    "minstitch",
    "callunroll",
];
/// Where the list of the functions of `jit.attach` is kept.
const ATTACHED: &str = "traceorus.jit.attached";

/// Opens the library: the global `jit`, and the modules.
pub(crate) fn open(cx: Ctx) {
    let t = cx.new_table(0, 12);
    let jit = Value::ptr(t, Tag::TABLE);
    // kept by the global, so that what is made next may be lost sight of no more than a safepoint later
    cx.raw_set_field(cx.globals(), "jit", jit);
    cx.set_funcs(
        t,
        &[
            ("on", native!(on)),
            ("off", native!(off)),
            ("flush", native!(flush)),
            ("status", native!(status)),
            ("attach", native!(attach)),
        ],
    );
    let os = match std::env::consts::OS {
        "linux" => "Linux",
        "macos" => "OSX",
        "windows" => "Windows",
        "freebsd" | "netbsd" | "openbsd" | "dragonfly" => "BSD",
        _ => "Other",
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    let version = concat!("Traceorus ", env!("CARGO_PKG_VERSION"));
    for (name, text) in [("os", os), ("arch", arch), ("version", version)] {
        cx.raw_set_field(t, name, cx.str(text));
    }
    cx.raw_set_field(t, "version_num", Value::int(version_num()));

    let opt = cx.new_table(0, 1);
    cx.set_funcs(opt, &[("start", native!(opt_start))]);
    let util = cx.new_table(0, 4);
    cx.set_funcs(
        util,
        &[
            ("funcinfo", native!(funcinfo)),
            ("funcuvname", native!(funcuvname)),
            ("traceinfo", native!(traceinfo)),
            ("tracemc", native!(tracemc)),
        ],
    );
    let loaded = cx.registry_table("_LOADED");
    cx.raw_set_field(loaded, "jit", jit);
    for (name, module) in [("opt", opt), ("util", util)] {
        let module = Value::ptr(module, Tag::TABLE);
        cx.raw_set_field(t, name, module);
        cx.raw_set_field(loaded, &format!("jit.{name}"), module);
    }
}

/// `xxyyzz` for version xx.yy.zz.
fn version_num() -> i64 {
    let part = |s: &str| s.parse().unwrap_or(0);
    part(env!("CARGO_PKG_VERSION_MAJOR")) * 10000
        + part(env!("CARGO_PKG_VERSION_MINOR")) * 100
        + part(env!("CARGO_PKG_VERSION_PATCH"))
}

/// The trace compiler of the state. The reference ends before anything is called.
fn compiler<'a>(cx: Ctx<'a>) -> Option<&'a mut Jit> {
    // SAFETY: the hooks of our states are those of `Jit`.
    unsafe { Jit::of(cx.g()) }
}

fn proto(f: Value) -> Option<*mut Proto> {
    if f.tag != Tag::FUNCTION {
        return None;
    }
    // SAFETY: [GC-LIVE] an argument, or the function of a frame.
    unsafe { debuginfo::proto_of(f.as_ptr::<GcHeader>()) }
}

/// What the first two arguments of `jit.on`, `off` and `flush` name: the function's prototypes; nothing if they name everything.
fn functions(cx: Ctx) -> LResult<Option<Vec<*mut Proto>>> {
    if cx.is_none_or_nil(1) {
        return Ok(None);
    }
    let v = cx.arg(1);
    let p = match v.tag {
        Tag::TRUE => {
            // the function that calls us
            // SAFETY: [NATIVE-FRAME] the frames of the running thread are intact.
            unsafe { debuginfo::level(cx.l, 1) }.and_then(|f| proto(f.function()))
        }
        _ => proto(v),
    };
    let Some(p) = p else {
        return Err(cx.arg_error(1, "Lua function, true or nil expected"));
    };
    let mut all = Vec::new();
    let below = !cx.is_none_or_nil(2);
    if !(below && cx.arg(2).is_falsy()) {
        all.push(p);
    }
    if below {
        nested(p, &mut all);
    }
    Ok(Some(all))
}

fn nested(p: *mut Proto, all: &mut Vec<*mut Proto>) {
    // SAFETY: [GC-LIVE] a live prototype keeps those in it alive.
    unsafe {
        for i in 0..(*p).nprotos as usize {
            let q = *(*p).protos.add(i);
            all.push(q);
            nested(q, all);
        }
    }
}

fn switch(cx: Ctx, on: bool) -> LResult<usize> {
    let which = functions(cx)?;
    let Some(jit) = compiler(cx) else {
        if on {
            return Err(cx.error("there is no trace compiler in this state"));
        }
        return Ok(0);
    };
    match which {
        None => jit.set_on(on),
        Some(protos) => {
            for p in protos {
                // SAFETY: [GC-LIVE] from `functions`.
                unsafe { jit.set_function(p, on) };
            }
        }
    }
    Ok(0)
}

fn on(cx: Ctx) -> LResult<usize> {
    switch(cx, true)
}

fn off(cx: Ctx) -> LResult<usize> {
    switch(cx, false)
}

fn flush(cx: Ctx) -> LResult<usize> {
    if cx.arg(1).tag.is_number() {
        let n = cx.check_int(1)?;
        if let Some(jit) = compiler(cx) {
            // SAFETY: code of removed traces stays until nothing can be inside.
            unsafe { jit.flush_trace(n) };
        }
        return Ok(0);
    }
    let which = functions(cx)?;
    if let Some(jit) = compiler(cx) {
        // SAFETY: [GC-LIVE] from `functions`; as above.
        unsafe {
            match which {
                None => jit.flush(),
                Some(protos) => protos.into_iter().for_each(|p| jit.flush_function(p)),
            }
        }
    }
    Ok(0)
}

fn status(cx: Ctx) -> LResult<usize> {
    let (on, passes) = match compiler(cx) {
        Some(jit) => (jit.is_on(), jit.params.passes),
        None => (false, Passes::NONE),
    };
    cx.set_top(0);
    cx.push(Value::bool(on));
    for (name, pass) in Passes::NAMES {
        if passes.has(*pass) {
            cx.push(cx.str(*name));
        }
    }
    Ok(cx.top())
}

/// One argument of `jit.opt.start`.
fn apply(p: &mut Params, text: &str) -> Result<(), String> {
    let foreign = match text.split_once('=') {
        Some((name, value)) => FOREIGN_PARAMS.contains(&name) && value.parse::<u32>().is_ok(),
        None => {
            let name = text.trim_start_matches(['+', '-']);
            let name = name.strip_prefix("no").unwrap_or(name);
            FOREIGN_PASSES.contains(&name)
        }
    };
    if foreign {
        return Ok(());
    }
    // LuaJIT also takes bare names and names with "no" in front
    let bare = Passes::NAMES.iter().any(|n| n.0 == text);
    match text.strip_prefix("no") {
        Some(name) if Passes::NAMES.iter().any(|n| n.0 == name) => p.apply_opt(&format!("-{name}")),
        _ if bare => p.apply_opt(&format!("+{text}")),
        _ => p.apply_opt(text),
    }
}

fn opt_start(cx: Ctx) -> LResult<usize> {
    let mut texts = Vec::new();
    for i in 1..=cx.top() {
        let text = cx.check_str(i)?;
        texts.push(String::from_utf8_lossy(text).into_owned());
    }
    let change = |p: &mut Params| {
        if texts.is_empty() {
            p.passes = Params::default().passes;
        }
        for (i, t) in texts.iter().enumerate() {
            apply(p, t).map_err(|e| (i + 1, e))?;
        }
        Ok(())
    };
    let r: Result<(), (usize, String)> = match compiler(cx) {
        Some(jit) => jit.change(change),
        None => change(&mut Params::default()),
    };
    match r {
        Ok(()) => Ok(0),
        Err((i, e)) => Err(cx.arg_error(i, e)),
    }
}

// ---- events --------------------------------------------------------------------------------------------------------

fn attach(cx: Ctx) -> LResult<usize> {
    let f = cx.check_function(1)?;
    let attached = cx.registry_table(ATTACHED);
    let mut all = listeners(attached);
    let before = all.len();
    all.retain(|l| l.payload != f.payload);
    if !cx.is_none_or_nil(2) {
        match cx.check_str(2)? {
            b"trace" => all.push(f),
            e => {
                let e = String::from_utf8_lossy(e).into_owned();
                return Err(cx.arg_error(2, format!("there are no events '{e}'; use 'trace'")));
            }
        }
    }
    for i in 0..before.max(all.len()) {
        let v = all.get(i).copied().unwrap_or(Value::NIL);
        cx.raw_set(attached, Value::int(i as i64 + 1), v)?;
    }
    cx.g().events = (!all.is_empty()).then_some(tell);
    if let Some(jit) = compiler(cx) {
        jit.watch(!all.is_empty());
    }
    Ok(0)
}

fn listeners(attached: *mut Table) -> Vec<Value> {
    // SAFETY: [GC-LIVE] the registry keeps the table.
    let get = |i| unsafe { table::table_get_int(attached, i) };
    (1..).map(get).take_while(|f| !f.is_nil()).collect()
}

/// Tells what has happened.
///
/// # Safety
/// [NATIVE-FRAME] at a safepoint.
unsafe fn tell(cx: Ctx<'_>) {
    let Some(jit) = compiler(cx) else { return };
    let events = jit.take_events();
    let top = cx.top();
    let fs = listeners(cx.registry_table(ATTACHED));
    cx.ensure(events.len() + fs.len() + 16);
    // what is not told yet is kept in the frame
    for e in &events {
        cx.push(e.func);
    }
    for &f in &fs {
        cx.push(f);
    }
    for e in &events {
        for &f in &fs {
            cx.push(f);
            let what = match e.what {
                What::Start => "start",
                What::Stop(_) => "stop",
                What::Abort(_) => "abort",
                What::Flush => "flush",
            };
            cx.push(cx.str(what));
            let mut n = 1;
            if e.what != What::Flush {
                cx.push(Value::int(e.number.into()));
                cx.push(e.func);
                cx.push(Value::int(e.word));
                n = 4;
                match (e.what, e.parent) {
                    (What::Abort(why), _) => {
                        cx.push(Value::int(why as i64));
                        cx.push(cx.str(why.text()));
                        n = 6;
                    }
                    (What::Start, Some((parent, exit))) => {
                        cx.push(Value::int(parent.into()));
                        cx.push(Value::int(exit.into()));
                        n = 6;
                    }
                    _ => {}
                }
            }
            if cx.pcall(n, 0, Value::NIL).is_err() {
                // an error in such a function is nobody's business
                cx.pop();
            }
        }
    }
    cx.set_top(top);
}

// ---- jit.util ------------------------------------------------------------------------------------------------------

fn funcinfo(cx: Ctx) -> LResult<usize> {
    let f = cx.check_function(1)?;
    let word = cx.opt_int(2, -1)?;
    let t = cx.new_table(0, 16);
    let table = Value::ptr(t, Tag::TABLE);
    cx.push(table);
    let int = |name: &str, n: i64| cx.raw_set_field(t, name, Value::int(n));
    // SAFETY: [GC-LIVE] an argument.
    let info = unsafe { debuginfo::func_info(f) };
    let Some(p) = proto(f) else {
        int("upvalues", info.nups as i64);
        int("addr", f.payload as i64);
        return cx.ret(table);
    };
    // SAFETY: [GC-LIVE] the function keeps its prototype; the word is within its code.
    unsafe {
        int("linedefined", (*p).line_defined.into());
        int("lastlinedefined", (*p).last_line_defined.into());
        int("stackslots", (*p).frame_size.into());
        int("params", (*p).nparams.into());
        int("bytecodes", (*p).ncode.into());
        int("gcconsts", (*p).nconsts.into());
        int("nconsts", 0);
        int("upvalues", (*p).nupvals.into());
        if let Ok(w) = usize::try_from(word)
            && (1..(*p).ncode as usize).contains(&w)
        {
            int("currentline", line(p, (*p).code.add(w)).into());
        }
        let flag = |name: &str, b: bool| cx.raw_set_field(t, name, Value::bool(b));
        flag("isvararg", (*p).is_vararg != 0);
        flag("children", (*p).nprotos != 0);
        cx.raw_set_field(t, "source", cx.str(info.source));
        let at = if word >= 1 && (word as usize) < (*p).ncode as usize {
            line(p, (*p).code.add(word as usize))
        } else {
            (*p).line_defined
        };
        let loc = format!("{}:{at}", chunk_name(p));
        cx.raw_set_field(t, "loc", cx.str(loc));
    }
    cx.ret(table)
}

fn funcuvname(cx: Ctx) -> LResult<usize> {
    let f = cx.check_function(1)?;
    let n = cx.check_int(2)?;
    if proto(f).is_none() {
        return Err(cx.arg_error(1, "Lua function expected"));
    }
    // numbers are from 0, as LuaJIT's
    let Some(n) = n.checked_add(1) else {
        return cx.ret(Value::NIL);
    };
    // SAFETY: [GC-LIVE] an argument.
    match unsafe { debuginfo::get_upvalue(f, n) } {
        Some((name, _)) => cx.ret(cx.str(&name)),
        None => cx.ret(Value::NIL),
    }
}

fn traceinfo(cx: Ctx) -> LResult<usize> {
    let n = cx.check_int(1)?;
    let Some(jit) = compiler(cx) else {
        return Ok(0);
    };
    let Some(trace) = jit.get(n) else {
        return Ok(0);
    };
    let link = match trace.link {
        Link::Loop | Link::SelfEntry { .. } => trace.number,
        Link::Entry { address, .. } => jit
            .live()
            .find(|t| t.entry == address)
            .map_or(0, |t| t.number),
        _ => 0,
    };
    let numbers = [
        ("nins", trace.nins.into()),
        ("nk", trace.nkonsts.into()),
        ("nexit", trace.exits.len() as i64),
        ("link", link.into()),
        ("root", trace.root.into()),
    ];
    let (kind, link_type) = (trace.kind_name(), trace.link_type());
    let t = cx.new_table(0, 8);
    let table = Value::ptr(t, Tag::TABLE);
    cx.push(table);
    for (name, n) in numbers {
        cx.raw_set_field(t, name, Value::int(n));
    }
    cx.raw_set_field(t, "kind", cx.str(kind));
    cx.raw_set_field(t, "linktype", cx.str(link_type));
    cx.ret(table)
}

fn tracemc(cx: Ctx) -> LResult<usize> {
    let n = cx.check_int(1)?;
    let Some((address, bytes)) = compiler(cx)
        .and_then(|jit| jit.get(n))
        .map(|t| (t.address, t.bytes))
    else {
        return Ok(0);
    };
    // SAFETY: code of a live trace is readable where it is executed.
    let code = unsafe { std::slice::from_raw_parts(address as *const u8, bytes as usize) };
    let code = cx.str(code);
    cx.ret_all(&[code, Value::int(address as i64)])
}
