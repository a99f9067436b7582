//! Basic library, loading of chunks and files, warnings.

use traceorus_base::fastfn::FastFn;
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::{Cell, GcHeader, LuaClosure, ObjKind, Table};
use traceorus_base::{Tag, Value};
use traceorus_vm::body::{self, Body};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::native;
use traceorus_vm::{arith, call, debuginfo, dump, exec, number, table, throw};

use crate::cfile;

/// Opens the library.
pub fn open(cx: Ctx) -> *mut Table {
    let g = cx.globals();
    cx.set_funcs(
        g,
        &[
            ("assert", native!(assert)),
            ("collectgarbage", native!(collectgarbage)),
            ("dofile", native!(dofile)),
            ("error", native!(error)),
            ("getmetatable", native!(getmetatable)),
            ("loadfile", native!(loadfile)),
            ("load", native!(load)),
            ("next", exec::native_next),
            ("pcall", call::native_pcall),
            ("print", native!(print)),
            ("warn", native!(warn)),
            ("rawequal", native!(rawequal)),
            ("rawlen", native!(rawlen)),
            ("rawget", native!(rawget)),
            ("rawset", native!(rawset)),
            ("select", native!(select)),
            ("setmetatable", native!(setmetatable)),
            ("tonumber", native!(tonumber)),
            ("tostring", native!(tostring)),
            ("xpcall", call::native_xpcall),
        ],
    );
    let iter = cx.new_native("ipairs_iterator", exec::native_ipairs_iter, &[]);
    cx.raw_set_field(
        g,
        "ipairs",
        cx.new_native("ipairs", native!(ipairs), &[iter]),
    );
    let next = cx.raw_get_field(g, "next");
    cx.raw_set_field(g, "pairs", cx.new_native("pairs", native!(pairs), &[next]));
    let names = TYPE_NAMES.map(|n| cx.str(n));
    cx.raw_set_field(g, "type", cx.new_native("type", native!(type_), &names));
    cx.raw_set_field(g, "_G", Value::ptr(g, Tag::TABLE));
    cx.raw_set_field(g, "_VERSION", cx.str("Lua 5.4"));
    cx.g().warn.get_or_insert(warn_off);
    g
}

/// Upvalues of `type`.
const TYPE_NAMES: [&str; 8] = [
    "nil", "boolean", "number", "string", "table", "function", "userdata", "thread",
];

fn type_(cx: Ctx) -> LResult<usize> {
    let n = match cx.check_any(1)?.tag {
        Tag::NIL => 1,
        Tag::TRUE | Tag::FALSE => 2,
        Tag::STRING => 4,
        Tag::TABLE => 5,
        Tag::FUNCTION => 6,
        Tag::THREAD => 8,
        t if t.is_number() => 3,
        _ => 7,
    };
    cx.ret(cx.upvalue(n))
}

fn assert(cx: Ctx) -> LResult<usize> {
    if cx.to_bool(1) {
        return Ok(cx.top());
    }
    cx.check_any(1)?;
    let msg = if cx.is_none(2) {
        cx.str("assertion failed!")
    } else {
        cx.arg(2)
    };
    if msg.tag == Tag::STRING {
        Err(cx.error_bytes(cx.bytes(msg)))
    } else {
        Err(cx.throw(msg))
    }
}

/// `error` where an xpcall has a message handler.
static ERROR: Body = Body {
    id: body::ERROR,
    name: "error",
    source: include_str!("bodies/error.lua"),
    helpers: &[("fail", native!(fail), FastFn::BodyFail)],
    closed: true,
    slow: false,
};

/// Raises the error that the message handler has made.
fn fail(cx: Ctx) -> LResult<usize> {
    // SAFETY: [NATIVE-FRAME]
    Err(unsafe { throw::set_handled(cx.l, cx.arg(1)) })
}

fn error(cx: Ctx) -> LResult<usize> {
    let level = cx.opt_int(2, 1)? as i32;
    let mut v = cx.arg(1);
    if v.tag == Tag::STRING && level > 0 {
        let mut m = debuginfo::where_(cx, level);
        m.extend_from_slice(cx.bytes(v));
        v = cx.str(&m);
    }
    // SAFETY: [NATIVE-FRAME] the frame of xpcall keeps the handler.
    let handler = unsafe { throw::handler_of_xpcall(cx.l) };
    if let Some(h) = handler
        // SAFETY: [GC-LIVE] as above.
        && let Some(way) = unsafe { body::way_of(cx.l, &ERROR, h) }
    {
        cx.push(v);
        return body::enter(cx, &ERROR, way, &[h, v]);
    }
    Err(cx.throw(v))
}

// ---- print, tostring, tonumber -----------------------------------------------------------------------------------

fn print(cx: Ctx) -> LResult<usize> {
    let mut out = Output { failed: 0 };
    for i in 1..=cx.top() {
        let v = cx.arg(i);
        let plain = (v.tag == Tag::STRING || v.tag.is_number())
            && cx.metamethod(v, MetaMethod::ToString).is_nil();
        // an error in a conversion comes before the tab
        let v = if plain { v } else { cx.tostring(v)? };
        if i > 1 {
            out.put(b"\t");
        }
        match v.tag {
            Tag::STRING => out.put(cx.bytes(v)),
            _ => out.put(number::fmt_number(v).as_bytes()),
        }
    }
    out.put(b"\n");
    out.check(cfile::line_printed());
    if out.failed == 0 {
        Ok(0)
    } else {
        check_output(cx, out.failed).map(|()| 0)
    }
}

/// Standard output, and the error number of the first failure.
struct Output {
    failed: i32,
}

impl Output {
    #[inline]
    fn put(&mut self, s: &[u8]) {
        // SAFETY: standard output is never closed.
        self.check(unsafe { cfile::write(cfile::stdout(), s) });
    }
    #[inline]
    fn check(&mut self, ok: bool) {
        if !ok && self.failed == 0 {
            self.failed = cfile::errno();
        }
    }
}

/// After a failed write to standard output, with the error's number: nobody will ever read more of a closed pipe, so this is an error.
/// Other failures are reported when the program ends.
#[cold]
pub(crate) fn check_output(cx: Ctx, e: i32) -> LResult<()> {
    cfile::note_output_error(e);
    if e == libc::EPIPE {
        return Err(cx.error(format_args!(
            "cannot write to standard output: {}",
            String::from_utf8_lossy(&cfile::strerror(e))
        )));
    }
    Ok(())
}

/// `tostring` of an object whose `__tostring` is a Lua function.
static TOSTRING: Body = Body {
    id: body::TOSTRING,
    name: "tostring",
    source: include_str!("bodies/tostring.lua"),
    helpers: &[
        ("leave", native!(body::leave), FastFn::BodyLeave),
        ("text", native!(tostring_result), FastFn::BodyText),
    ],
    closed: true,
    slow: false,
};

/// What `__tostring` has returned, as text.
pub(crate) fn tostring_result(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    match v.tag {
        Tag::STRING => cx.ret(v),
        t if t.is_number() => cx.ret(cx.number_to_str(v)),
        _ => Err(cx.error("'__tostring' must return a string")),
    }
}

fn tostring(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    if matches!(v.tag, Tag::TABLE | Tag::USERDATA) {
        let f = cx.metamethod(v, MetaMethod::ToString);
        // SAFETY: [GC-LIVE] the metatable keeps the function.
        if let Some(way) = unsafe { body::way_of(cx.l, &TOSTRING, f) } {
            return body::enter(cx, &TOSTRING, way, &[v, f]);
        }
    }
    let s = cx.tostring(v)?;
    cx.ret(s)
}

fn tonumber(cx: Ctx) -> LResult<usize> {
    if cx.is_none_or_nil(2) {
        let v = cx.check_any(1)?;
        return cx.ret(cx.to_number(v).unwrap_or(Value::NIL));
    }
    let base = cx.check_int(2)?;
    let v = cx.arg(1);
    if v.tag != Tag::STRING {
        return Err(cx.type_error(1, "string"));
    }
    if !(2..=36).contains(&base) {
        return Err(cx.arg_error(2, "base out of range"));
    }
    cx.ret(number::int_in_base(cx.bytes(v), base as u32).map_or(Value::NIL, Value::int))
}

// ---- metatables, raw access --------------------------------------------------------------------------------------

fn getmetatable(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    let mt = cx.metatable_of(v);
    if mt.is_null() {
        return cx.ret(Value::NIL);
    }
    let protected = cx.raw_get_field(mt, "__metatable");
    cx.ret(if protected.is_nil() {
        Value::ptr(mt, Tag::TABLE)
    } else {
        protected
    })
}

fn setmetatable(cx: Ctx) -> LResult<usize> {
    cx.check_table(1)?;
    let (t, m) = (cx.arg(1), cx.arg(2));
    if m.tag != Tag::TABLE && (cx.is_none(2) || !m.is_nil()) {
        return Err(cx.type_error(2, "nil or table"));
    }
    if !cx.metatable_of(t).is_null() && !cx.metafield(t, "__metatable").is_nil() {
        return Err(cx.error("cannot change a protected metatable"));
    }
    cx.set_metatable(
        t,
        if m.is_nil() {
            std::ptr::null_mut()
        } else {
            m.as_ptr()
        },
    );
    cx.ret(t)
}

fn rawequal(cx: Ctx) -> LResult<usize> {
    let (a, b) = (cx.check_any(1)?, cx.check_any(2)?);
    // SAFETY: [GC-LIVE] arguments.
    cx.ret(Value::bool(unsafe { arith::raw_equal(a, b) }))
}

fn rawlen(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    let n = match v.tag {
        // SAFETY: [GC-LIVE] an argument.
        Tag::TABLE => unsafe { table::table_len(v.as_ptr()) as i64 },
        Tag::STRING => cx.bytes(v).len() as i64,
        _ => return Err(cx.type_error(1, "table or string")),
    };
    cx.ret(Value::int(n))
}

fn rawget(cx: Ctx) -> LResult<usize> {
    let t = cx.check_table(1)?;
    let k = cx.check_any(2)?;
    // SAFETY: [GC-LIVE] arguments.
    cx.ret(unsafe { table::table_get(t, k) })
}

fn rawset(cx: Ctx) -> LResult<usize> {
    let t = cx.check_table(1)?;
    let (k, v) = (cx.check_any(2)?, cx.check_any(3)?);
    if k.is_nil() {
        return Err(cx.throw(cx.str("table index is nil")));
    }
    if k.tag == Tag::FLOAT && k.as_float().is_nan() {
        return Err(cx.throw(cx.str("table index is NaN")));
    }
    cx.raw_set(t, k, v)?;
    cx.ret(cx.arg(1))
}

fn select(cx: Ctx) -> LResult<usize> {
    let n = cx.top() as i64;
    let v = cx.arg(1);
    if v.tag == Tag::STRING && cx.bytes(v).first() == Some(&b'#') {
        return cx.ret(Value::int(n - 1));
    }
    let i = match cx.check_int(1)? {
        i if i < 0 => n.wrapping_add(i),
        i => i.min(n),
    };
    if i < 1 {
        return Err(cx.arg_error(1, "index out of range"));
    }
    Ok((n - i) as usize)
}

// ---- iteration ---------------------------------------------------------------------------------------------------

/// `pairs` of an object whose `__pairs` is a Lua function.
static PAIRS: Body = Body {
    id: body::PAIRS,
    name: "pairs",
    source: include_str!("bodies/pairs.lua"),
    helpers: &[],
    closed: false,
    slow: false,
};

fn pairs(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    let m = cx.metamethod(v, MetaMethod::Pairs);
    if m.is_nil() {
        if v.tag == Tag::TABLE {
            // SAFETY: [GC-LIVE] an argument.
            unsafe { table::table_next_prepare(cx.g(), v.as_ptr()) };
        }
        return cx.ret_all(&[cx.upvalue(1), v, Value::NIL]);
    }
    // SAFETY: [GC-LIVE] the metatable keeps the function.
    if let Some(way) = unsafe { body::way_of(cx.l, &PAIRS, m) } {
        return body::enter(cx, &PAIRS, way, &[v, m]);
    }
    cx.push(m);
    cx.push(v);
    cx.call_pass(1, Some(3))
}

fn ipairs(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(1)?;
    cx.ret_all(&[cx.upvalue(1), v, Value::int(0)])
}

// ---- loading -----------------------------------------------------------------------------------------------------

/// Loads a chunk through the state's loader. `Err` is the message.
pub fn load_chunk(cx: Ctx, source: &[u8], name: &[u8], mode: &[u8]) -> Result<Value, Value> {
    let Some(loader) = cx.g().loader else {
        return Err(cx.str("no loader for chunks in this state"));
    };
    // SAFETY: [NATIVE-FRAME] `cx` is the running frame.
    unsafe { loader(cx.l, source, name, mode) }.map_err(|_| cx.take_error())
}

/// A source file without byte order mark and first-line comment, or the message.
pub fn read_source(name: Option<&[u8]>) -> Result<Vec<u8>, Vec<u8>> {
    let failed = |what: &str, e: i32| {
        let mut m = format!("cannot {what} ").into_bytes();
        m.extend_from_slice(name.unwrap_or(b"stdin"));
        if e != 0 {
            m.extend_from_slice(b": ");
            m.extend_from_slice(&cfile::strerror(e));
        }
        m
    };
    let text = match name {
        Some(name) => {
            use std::io::Read;
            use std::os::unix::ffi::OsStrExt;
            let code = |e: std::io::Error| e.raw_os_error().unwrap_or(0);
            let mut f = std::fs::File::open(std::ffi::OsStr::from_bytes(name))
                .map_err(|e| failed("open", code(e)))?;
            let mut text = Vec::new();
            f.read_to_end(&mut text)
                .map_err(|e| failed("read", code(e)))?;
            text
        }
        // SAFETY: standard input is never closed.
        None => unsafe { read_stream(cfile::stdin()) }.map_err(|e| failed("read", e))?,
    };
    Ok(skip_comment(text))
}

unsafe fn read_stream(f: *mut libc::FILE) -> Result<Vec<u8>, i32> {
    let mut text = Vec::new();
    let mut buf = [0u8; 4096];
    loop {
        cfile::set_errno(0);
        // SAFETY: the caller vouches for the stream; the buffer is as long as said.
        let n = unsafe { libc::fread(buf.as_mut_ptr().cast(), 1, buf.len(), f) };
        text.extend_from_slice(&buf[..n]);
        if n < buf.len() {
            // SAFETY: as above.
            return if unsafe { libc::ferror(f) } != 0 {
                Err(cfile::errno())
            } else {
                Ok(text)
            };
        }
    }
}

/// Cuts a byte order mark and a first line that starts with `#` (its newline stays, for the line numbers, unless a
/// binary chunk follows).
fn skip_comment(mut text: Vec<u8>) -> Vec<u8> {
    let bom = if text.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let mut cut = bom;
    if text.get(bom) == Some(&b'#') {
        cut = text.iter().position(|&b| b == b'\n').unwrap_or(text.len());
        if text.get(cut + 1) == Some(&0x1b) {
            cut += 1;
        }
    }
    if cut > 0 {
        text.drain(..cut);
    }
    text
}

/// Loads a file, or standard input when there is no name. `Err` is the message.
pub fn load_file(cx: Ctx, name: Option<&[u8]>, mode: &[u8]) -> Result<Value, Value> {
    let name = name.map(cfile::until_nul);
    let text = read_source(name).map_err(|m| cx.str(&m))?;
    let chunkname = match name {
        Some(n) => [b"@", n].concat(),
        None => b"=stdin".to_vec(),
    };
    load_chunk(cx, &text, &chunkname, mode)
}

/// Makes `env` the first upvalue of the loaded function, if it has any.
fn set_env(cx: Ctx, f: Value, env: Value) {
    // SAFETY: [GC-LIVE] a function that was just made; [GC-BARRIER] after the store.
    unsafe {
        let h = f.as_ptr::<GcHeader>();
        if (*h).kind == ObjKind::LuaClosure as u8 && (*h).extra > 0 {
            let cell = *h.cast::<u8>().add(LuaClosure::UPVALS).cast::<*mut Cell>();
            (*cell).value = env;
            if (*cell).hdr.barrier != 0 {
                cx.g().heap.barrier(cell.cast(), env);
            }
        }
    }
}

/// Results of the load functions.
fn loaded(cx: Ctx, r: Result<Value, Value>, env_arg: usize) -> LResult<usize> {
    match r {
        Ok(f) => {
            if !cx.is_none(env_arg) {
                set_env(cx, f, cx.arg(env_arg));
            }
            cx.ret(f)
        }
        Err(msg) => cx.ret_all(&[Value::NIL, msg]),
    }
}

fn loadfile(cx: Ctx) -> LResult<usize> {
    let name = cx.opt_str(1)?;
    let mode = cx.opt_str(2)?.map_or(&b"bt"[..], cfile::until_nul);
    let r = load_file(cx, name, mode);
    loaded(cx, r, 3)
}

fn dofile(cx: Ctx) -> LResult<usize> {
    let name = cx.opt_str(1)?;
    cx.set_top(1);
    let f = load_file(cx, name, b"bt").map_err(|m| cx.throw(m))?;
    cx.push(f);
    cx.call_pass(0, None)
}

fn load(cx: Ctx) -> LResult<usize> {
    let from_string = cx.arg(1).tag == Tag::STRING || cx.arg(1).tag.is_number();
    let mode = cx.opt_str(3)?.map_or(&b"bt"[..], cfile::until_nul);
    let r = if from_string {
        let source = cx.check_str(1)?;
        let name = cfile::until_nul(cx.opt_str(2)?.unwrap_or(source));
        load_chunk(cx, source, name, mode)
    } else {
        let name = cx.opt_str(2)?.map_or(&b"=(load)"[..], cfile::until_nul);
        cx.check_function(1)?;
        // the reader is called with the arguments safe below
        read_pieces(cx)?.and_then(|source| load_chunk(cx, &source, name, mode))
    };
    loaded(cx, r, 4)
}

/// All that the reader function (argument 1) returns, or else the error value of a failure that `load` reports.
fn read_pieces(cx: Ctx) -> LResult<Result<Vec<u8>, Value>> {
    let mut source = Vec::new();
    loop {
        cx.push(cx.arg(1));
        // not protected: as in PUC, the message handler that is in force sees the error
        if let Err(e) = cx.call(0, 1) {
            if cx.g().hot.error_status == throw::UNCATCHABLE {
                return Err(e);
            }
            return Ok(Err(cx.take_error()));
        }
        let v = cx.pop();
        let piece = match v.tag {
            Tag::NIL => return Ok(Ok(source)),
            Tag::STRING => cx.bytes(v),
            t if t.is_number() => cx.bytes(cx.number_to_str(v)),
            _ => {
                cx.error("reader function must return a string");
                return Ok(Err(cx.take_error()));
            }
        };
        if piece.is_empty() {
            return Ok(Ok(source));
        }
        if source.try_reserve(piece.len()).is_err() {
            return Ok(Err(cx.str("not enough memory")));
        }
        source.extend_from_slice(piece);
    }
}

/// `string.dump`.
pub fn string_dump(cx: Ctx) -> LResult<usize> {
    let f = cx.check_function(1)?;
    let strip = cx.to_bool(2);
    // SAFETY: [GC-LIVE] an argument; its kind is checked.
    unsafe {
        if f.tag != Tag::FUNCTION || (*f.as_ptr::<GcHeader>()).kind != ObjKind::LuaClosure as u8 {
            return Err(cx.error("unable to dump given function"));
        }
        let bytes = dump::dump((*f.as_ptr::<LuaClosure>()).proto, strip);
        let s = cx.try_str(&bytes)?;
        cx.ret(s)
    }
}

// ---- collector ---------------------------------------------------------------------------------------------------

/// A tuning parameter as PUC stores it: in a byte, divided by 4.
fn gc_param(v: i64) -> u32 {
    u32::from((v as i32 / 4) as u8) * 4
}

fn collectgarbage(cx: Ctx) -> LResult<usize> {
    const OPTIONS: &[&str] = &[
        "stop",
        "restart",
        "collect",
        "count",
        "step",
        "setpause",
        "setstepmul",
        "isrunning",
        "generational",
        "incremental",
    ];
    let option = OPTIONS[cx.check_option(1, Some("collect"), OPTIONS)?];
    let args = [
        cx.opt_int_for(option, 2)?,
        cx.opt_int_for(option, 3)?,
        cx.opt_int_for(option, 4)?,
    ];
    if cx.g().in_finalizers {
        return cx.ret(Value::NIL);
    }
    let heap = &mut cx.g().heap;
    let mode_name = |m| {
        cx.str(if m == traceorus_gc::Mode::Generational {
            "generational"
        } else {
            "incremental"
        })
    };
    let r = match option {
        "stop" => {
            heap.stop();
            Value::int(0)
        }
        "restart" => {
            heap.restart();
            Value::int(0)
        }
        "collect" => {
            // SAFETY: [NATIVE-FRAME]
            unsafe { exec::full_gc(cx.l) };
            Value::int(0)
        }
        "count" => Value::float(heap.used_bytes() as f64 / 1024.0),
        // SAFETY: [NATIVE-FRAME]
        "step" => Value::bool(unsafe { exec::gc_step(cx.l, args[0].max(0) as usize) }),
        "setpause" => Value::int(i64::from(heap.set_pause(gc_param(args[0])))),
        "setstepmul" => Value::int(i64::from(heap.set_stepmul(gc_param(args[0])))),
        "isrunning" => Value::bool(heap.is_running()),
        "generational" => mode_name(heap.set_mode(traceorus_gc::Mode::Generational)),
        _ => {
            if args[0] != 0 {
                heap.set_pause(gc_param(args[0]));
            }
            if args[1] != 0 {
                heap.set_stepmul(gc_param(args[1]));
            }
            if args[2] != 0 {
                heap.set_stepsize(u32::from(args[2] as u8));
            }
            mode_name(heap.set_mode(traceorus_gc::Mode::Incremental))
        }
    };
    cx.ret(r)
}

trait GcArgs {
    fn opt_int_for(&self, option: &str, i: usize) -> LResult<i64>;
}
impl GcArgs for Ctx<'_> {
    /// Argument `i` of the option, where the option has one; 0 by default.
    fn opt_int_for(&self, option: &str, i: usize) -> LResult<i64> {
        let last = match option {
            "step" | "setpause" | "setstepmul" => 2,
            "generational" => 3,
            "incremental" => 4,
            _ => 1,
        };
        if i <= last { self.opt_int(i, 0) } else { Ok(0) }
    }
}

// ---- warnings ----------------------------------------------------------------------------------------------------

fn warn(cx: Ctx) -> LResult<usize> {
    cx.check_str(1)?;
    let n = cx.top();
    for i in 2..=n {
        cx.check_str(i)?;
    }
    for i in 1..=n {
        warning(cx, cx.bytes(cx.arg(i)), i < n);
    }
    Ok(0)
}

/// Emits a piece of a warning; `more` pieces follow or not.
pub fn warning(cx: Ctx, msg: &[u8], more: bool) {
    if let Some(f) = cx.g().warn {
        // SAFETY: [NATIVE-FRAME] `cx` is the running frame.
        unsafe { f(cx, msg, more) }
    }
}

/// Warning function: warnings are off.
///
/// # Safety
/// None of the three has any requirement; the type is the state's.
pub unsafe fn warn_off(cx: Ctx, msg: &[u8], more: bool) {
    control(cx, msg, more);
}

/// Warning function: on, a new message starts.
///
/// # Safety
/// None.
pub unsafe fn warn_on(cx: Ctx, msg: &[u8], more: bool) {
    // a caller may keep the function that it found at the start of a message
    if cx
        .g()
        .warn
        .is_some_and(|f| std::ptr::fn_addr_eq(f, warn_more as WarnFn))
    {
        // SAFETY: no requirement.
        unsafe { warn_more(cx, msg, more) }
    } else if !control(cx, msg, more) {
        cfile::write_stderr(b"Lua warning: ");
        // SAFETY: no requirement.
        unsafe { warn_more(cx, msg, more) }
    }
}

/// Type of the state's warning function.
type WarnFn = unsafe fn(Ctx<'_>, &[u8], bool);

/// Warning function: on, within a message.
unsafe fn warn_more(cx: Ctx, msg: &[u8], more: bool) {
    cfile::write_stderr(msg);
    if !more {
        cfile::write_stderr(b"\n");
    }
    cx.g().warn = Some(if more { warn_more } else { warn_on });
}

/// Obeys a control message; false if it is none.
fn control(cx: Ctx, msg: &[u8], more: bool) -> bool {
    if more || msg.first() != Some(&b'@') {
        return false;
    }
    match msg {
        b"@on" => cx.g().warn = Some(warn_on),
        b"@off" => cx.g().warn = Some(warn_off),
        _ => {}
    }
    true
}
