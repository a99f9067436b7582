//! Debug library.

use traceorus_base::objects::{GcHeader, Table, Thread, Userdata};
use traceorus_base::{Tag, Value};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::debuginfo::{self, Frame};
use traceorus_vm::native;
use traceorus_vm::{hooks, table};

use crate::cfile;

/// LUAI_MAXCCALLS, which cannot be changed.
const C_STACK_LIMIT: i64 = 200;

/// Opens the library.
pub fn open(cx: Ctx) -> *mut Table {
    let t = cx.new_table(0, 17);
    cx.set_funcs(
        t,
        &[
            ("debug", native!(debug)),
            ("getuservalue", native!(getuservalue)),
            ("gethook", native!(gethook)),
            ("getinfo", native!(getinfo)),
            ("getlocal", native!(getlocal)),
            ("getregistry", native!(getregistry)),
            ("getmetatable", native!(getmetatable)),
            ("getupvalue", native!(getupvalue)),
            ("upvaluejoin", native!(upvaluejoin)),
            ("upvalueid", native!(upvalueid)),
            ("setuservalue", native!(setuservalue)),
            ("sethook", native!(sethook)),
            ("setlocal", native!(setlocal)),
            ("setmetatable", native!(setmetatable)),
            ("setupvalue", native!(setupvalue)),
            ("traceback", native!(traceback)),
            ("setcstacklimit", native!(setcstacklimit)),
        ],
    );
    t
}

/// The thread that a function works on, and how many arguments it takes before the others.
fn thread_arg(cx: Ctx) -> (*mut Thread, usize) {
    let v = cx.arg(1);
    if v.tag == Tag::THREAD {
        (v.as_ptr(), 1)
    } else {
        (cx.l, 0)
    }
}

fn is_function(v: Value) -> bool {
    v.tag == Tag::FUNCTION
}

// ---- registry, metatables, user values ---------------------------------------------------------------------------

fn getregistry(cx: Ctx) -> LResult<usize> {
    cx.ret(Value::ptr(cx.g().hot.registry, Tag::TABLE))
}

fn getmetatable(cx: Ctx) -> LResult<usize> {
    let mt = cx.metatable_of(cx.check_any(1)?);
    cx.ret(if mt.is_null() {
        Value::NIL
    } else {
        Value::ptr(mt, Tag::TABLE)
    })
}

fn setmetatable(cx: Ctx) -> LResult<usize> {
    let mt = cx.arg(2);
    if cx.is_none(2) || !matches!(mt.tag, Tag::NIL | Tag::TABLE) {
        return Err(cx.type_error(2, "nil or table"));
    }
    cx.set_top(2);
    cx.set_metatable(
        cx.arg(1),
        if mt.is_nil() {
            std::ptr::null_mut()
        } else {
            mt.as_ptr()
        },
    );
    cx.ret(cx.arg(1))
}

/// The slot of user value `n` of a full userdata.
fn user_value(v: Value, n: i64) -> Option<*mut Value> {
    // SAFETY: [GC-LIVE] the caller's value; user values follow the header.
    unsafe {
        let u = v.as_ptr::<Userdata>();
        let i = usize::try_from(n.checked_sub(1)?)
            .ok()
            .filter(|&i| i < (*u).nuv())?;
        Some((u as *mut u8).add(Userdata::UVALS).cast::<Value>().add(i))
    }
}

fn getuservalue(cx: Ctx) -> LResult<usize> {
    let n = i64::from(cx.opt_int(2, 1)? as i32);
    let v = cx.arg(1);
    if v.tag != Tag::USERDATA {
        return cx.ret(Value::NIL);
    }
    match user_value(v, n) {
        // SAFETY: [GC-LIVE] the userdata is an argument.
        Some(slot) => cx.ret_all(&[unsafe { *slot }, Value::TRUE]),
        None => cx.ret(Value::NIL),
    }
}

fn setuservalue(cx: Ctx) -> LResult<usize> {
    let n = i64::from(cx.opt_int(3, 1)? as i32);
    let u = cx.arg(1);
    if u.tag != Tag::USERDATA {
        return Err(cx.type_error(1, "userdata"));
    }
    let v = cx.check_any(2)?;
    let Some(slot) = user_value(u, n) else {
        return cx.ret(Value::NIL);
    };
    // SAFETY: [GC-LIVE] the userdata is an argument; [GC-BARRIER] taken here.
    unsafe {
        *slot = Value::new(v.payload, v.tag);
        let h = u.as_ptr::<GcHeader>();
        if (*h).barrier != 0 && v.tag.is_collectable() {
            cx.g().heap.barrier(h, v);
        }
    }
    cx.ret(u)
}

// ---- functions and frames ----------------------------------------------------------------------------------------

/// What `getinfo` is asked about.
enum Subject {
    Function(Value),
    Frame(Frame),
}

fn getinfo(cx: Ctx) -> LResult<usize> {
    let (l, arg) = thread_arg(cx);
    let options = cx.opt_str(arg + 2)?.unwrap_or(b"flnSrtu");
    let options = cfile::until_nul(options);
    if options.first() == Some(&b'>') {
        return Err(cx.arg_error(arg + 2, "invalid option '>'"));
    }
    let v = cx.arg(arg + 1);
    let subject = if is_function(v) {
        Subject::Function(v)
    } else {
        let level = cx.check_int(arg + 1)? as i32;
        // SAFETY: [STACK-STABLE] nothing runs in that thread while we look.
        match unsafe { debuginfo::level(l, level) } {
            Some(f) => Subject::Frame(f),
            None => return cx.ret(Value::NIL),
        }
    };
    if options.iter().any(|o| !b"SlnrutLf".contains(o)) {
        return Err(cx.arg_error(arg + 2, "invalid option"));
    }
    let has = |o: u8| options.contains(&o);
    let frame = match &subject {
        Subject::Frame(f) => Some(f),
        Subject::Function(_) => None,
    };
    let function = match &subject {
        Subject::Frame(f) => f.function(),
        Subject::Function(v) => *v,
    };
    let t = cx.new_table(0, 16);
    cx.push(Value::ptr(t, Tag::TABLE));
    let set = |k: &str, v: Value| cx.raw_set_field(t, k, v);
    // SAFETY: [GC-LIVE] the function is an argument or active; [STACK-STABLE] nothing here moves a stack that the frame is in,
    // except pushes onto our own, which come after the frame was used.
    unsafe {
        let info = debuginfo::func_info(function);
        if has(b'S') {
            set("source", cx.str(info.source));
            set("short_src", cx.str(&info.short_src));
            set("linedefined", Value::int(info.line_defined));
            set("lastlinedefined", Value::int(info.last_line_defined));
            set("what", cx.str(info.what));
        }
        if has(b'l') {
            set(
                "currentline",
                Value::int(frame.map_or(-1, |f| debuginfo::current_line(f))),
            );
        }
        if has(b'u') {
            set("nups", Value::int(info.nups as i64));
            set("nparams", Value::int(info.nparams as i64));
            set("isvararg", Value::bool(info.is_vararg));
        }
        if has(b'n') {
            let name = frame.and_then(|f| debuginfo::frame_name(f));
            set("namewhat", cx.str(name.as_ref().map_or("", |n| n.kind)));
            if let Some(n) = name {
                set("name", cx.str(&n.text));
            }
        }
        if has(b'r') {
            let (first, count) = frame.and_then(|f| f.transfer).unwrap_or((0, 0));
            set("ftransfer", Value::int(first.into()));
            set("ntransfer", Value::int(count.into()));
        }
        if has(b't') {
            set("istailcall", Value::bool(frame.is_some_and(|f| f.tail)));
        }
        if has(b'L')
            && function.tag == Tag::FUNCTION
            && let Some(p) = debuginfo::proto_of(function.as_ptr())
        {
            let lines = cx.new_table(0, 0);
            set("activelines", Value::ptr(lines, Tag::TABLE));
            for n in debuginfo::active_lines(p) {
                table::table_set_int(cx.g(), lines, n.into(), Value::TRUE);
            }
        }
        if has(b'f') {
            set("func", function);
        }
    }
    Ok(1)
}

/// The frame at a level of `l`, given as argument `i`; "level out of range".
fn frame_arg(cx: Ctx, l: *mut Thread, i: usize) -> LResult<Frame> {
    let level = cx.check_int(i)? as i32;
    // SAFETY: [STACK-STABLE] nothing runs in that thread while we look.
    unsafe { debuginfo::level(l, level) }.ok_or_else(|| cx.arg_error(i, "level out of range"))
}

fn getlocal(cx: Ctx) -> LResult<usize> {
    let (l, arg) = thread_arg(cx);
    let n = i64::from(cx.check_int(arg + 2)? as i32);
    let v = cx.arg(arg + 1);
    if is_function(v) {
        // SAFETY: [GC-LIVE] an argument.
        let name = unsafe { debuginfo::param_name(v, n) };
        return cx.ret(name.map_or(Value::NIL, |s| cx.str(&s)));
    }
    let f = frame_arg(cx, l, arg + 1)?;
    // SAFETY: [STACK-STABLE] the slot is read before anything is pushed.
    unsafe {
        match debuginfo::local_at(&f, n) {
            Some((name, slot)) => {
                let v = debuginfo::read_local(slot);
                cx.ret_all(&[cx.str(&name), v])
            }
            None => cx.ret(Value::NIL),
        }
    }
}

fn setlocal(cx: Ctx) -> LResult<usize> {
    let (l, arg) = thread_arg(cx);
    cx.check_int(arg + 1)?;
    let n = i64::from(cx.check_int(arg + 2)? as i32);
    frame_arg(cx, l, arg + 1)?;
    let v = cx.check_any(arg + 3)?;
    cx.set_top(arg + 3);
    let f = frame_arg(cx, l, arg + 1)?;
    // SAFETY: [STACK-STABLE] the slot is written before anything is pushed; the level is looked up after the cut, since
    // the slots of this very frame are among those that can be named.
    unsafe {
        match debuginfo::local_at(&f, n) {
            Some((name, slot)) if debuginfo::write_local(l, &f, slot, v) => cx.ret(cx.str(&name)),
            _ => cx.ret(Value::NIL),
        }
    }
}

fn getupvalue(cx: Ctx) -> LResult<usize> {
    let n = i64::from(cx.check_int(2)? as i32);
    let f = cx.check_function(1)?;
    // SAFETY: [GC-LIVE] an argument.
    match unsafe { debuginfo::get_upvalue(f, n) } {
        Some((name, v)) => cx.ret_all(&[cx.str(&name), v]),
        None => Ok(0),
    }
}

fn setupvalue(cx: Ctx) -> LResult<usize> {
    let v = cx.check_any(3)?;
    let n = i64::from(cx.check_int(2)? as i32);
    let f = cx.check_function(1)?;
    // SAFETY: [GC-LIVE] arguments.
    match unsafe { debuginfo::set_upvalue(cx.l, f, n, v) } {
        Some(name) => cx.ret(cx.str(&name)),
        None => Ok(0),
    }
}

/// A function argument and the number of one of its upvalues, with the upvalue's identity.
fn upvalue_arg(cx: Ctx, f: usize, n: usize) -> LResult<(Value, i64, Option<u64>)> {
    let number = i64::from(cx.check_int(n)? as i32);
    let function = cx.check_function(f)?;
    // SAFETY: [GC-LIVE] an argument.
    Ok((function, number, unsafe {
        debuginfo::upvalue_id(function, number)
    }))
}

fn upvalueid(cx: Ctx) -> LResult<usize> {
    let (_, _, id) = upvalue_arg(cx, 1, 2)?;
    cx.ret(id.map_or(Value::NIL, |id| Value::new(id, Tag::LIGHTUD)))
}

fn upvaluejoin(cx: Ctx) -> LResult<usize> {
    let one = |f: usize, n: usize| match upvalue_arg(cx, f, n)? {
        (function, number, Some(_)) => Ok((function, number)),
        _ => Err(cx.arg_error(n, "invalid upvalue index")),
    };
    let (f1, n1) = one(1, 2)?;
    let (f2, n2) = one(3, 4)?;
    for (i, f) in [(1, f1), (3, f2)] {
        // SAFETY: [GC-LIVE] an argument.
        if f.tag != Tag::FUNCTION || unsafe { debuginfo::proto_of(f.as_ptr()) }.is_none() {
            return Err(cx.arg_error(i, "Lua function expected"));
        }
    }
    // SAFETY: [GC-LIVE] arguments.
    unsafe { debuginfo::upvalue_join(cx.l, f1, n1, f2, n2) };
    Ok(0)
}

// ---- hooks -------------------------------------------------------------------------------------------------------

/// The table of hook functions: its keys, the threads, are weak.
fn hook_table(cx: Ctx) -> *mut Table {
    let v = cx.registry_get(hooks::HOOK_TABLE);
    if v.tag == Tag::TABLE {
        return v.as_ptr();
    }
    let t = cx.registry_table(hooks::HOOK_TABLE);
    cx.raw_set_field(t, "__mode", cx.str("k"));
    cx.set_metatable(Value::ptr(t, Tag::TABLE), t);
    t
}

fn sethook(cx: Ctx) -> LResult<usize> {
    let (l, arg) = thread_arg(cx);
    let f = cx.arg(arg + 1);
    let mut mask = 0;
    let mut count = 0;
    if !f.is_nil() {
        let events = cfile::until_nul(cx.check_str(arg + 2)?);
        cx.check_function(arg + 1)?;
        count = cx.opt_int(arg + 3, 0)? as i32;
        for (letter, bit) in [
            (b'c', hooks::MASK_CALL),
            (b'r', hooks::MASK_RET),
            (b'l', hooks::MASK_LINE),
        ] {
            if events.contains(&letter) {
                mask |= bit;
            }
        }
        if count > 0 {
            mask |= hooks::MASK_COUNT;
        }
    }
    let t = hook_table(cx);
    cx.raw_set(t, Value::ptr(l, Tag::THREAD), f)?;
    let hook = (!f.is_nil()).then_some(hooks::lua_hook as hooks::HookFn);
    // SAFETY: [GC-LIVE] the thread is the running one or an argument.
    unsafe { hooks::set_hook(l, hook, f, mask, count) };
    Ok(0)
}

fn gethook(cx: Ctx) -> LResult<usize> {
    let (l, _) = thread_arg(cx);
    // SAFETY: [GC-LIVE] the thread is the running one or an argument.
    unsafe {
        if (*l).hook == 0 {
            return cx.ret(Value::NIL);
        }
        let f = if hooks::has_lua_hook(l) {
            hooks::lua_hook_function(l)
        } else {
            cx.str("external hook")
        };
        let mut events = String::new();
        for (letter, bit) in [
            ('c', hooks::MASK_CALL),
            ('r', hooks::MASK_RET),
            ('l', hooks::MASK_LINE),
        ] {
            if (*l).hook_mask & bit != 0 {
                events.push(letter);
            }
        }
        cx.ret_all(&[f, cx.str(&events), Value::int((*l).hook_count.into())])
    }
}

// ---- the rest ----------------------------------------------------------------------------------------------------

fn traceback(cx: Ctx) -> LResult<usize> {
    let (l, arg) = thread_arg(cx);
    let msg = cx.arg(arg + 1);
    let text = match msg.tag {
        Tag::NIL => None,
        Tag::STRING => Some(msg),
        t if t.is_number() => Some(cx.number_to_str(msg)),
        _ => return cx.ret(msg),
    };
    if let Some(text) = text {
        cx.set(arg + 1, text);
    }
    let level = cx.opt_int(arg + 2, (l == cx.l) as i64)? as i32;
    let text = text.map(|v| cfile::until_nul(cx.bytes(v)));
    // SAFETY: [STACK-STABLE] nothing runs in that thread while we look.
    let s = unsafe { debuginfo::traceback(l, text, level) };
    let s = cx.try_str(&s)?;
    cx.ret(s)
}

fn setcstacklimit(cx: Ctx) -> LResult<usize> {
    cx.check_int(1)?;
    cx.ret(Value::int(C_STACK_LIMIT))
}

/// Runs lines from standard input until `cont` or the end.
fn debug(cx: Ctx) -> LResult<usize> {
    let mut line = [0u8; 250];
    loop {
        cfile::write_stderr(b"lua_debug> ");
        // SAFETY: the buffer has the size that it is said to have; standard input is never closed.
        let got =
            unsafe { libc::fgets(line.as_mut_ptr().cast(), line.len() as i32, cfile::stdin()) };
        let source = cfile::until_nul(&line);
        if got.is_null() || source == b"cont\n" {
            return Ok(0);
        }
        let source = source.to_vec();
        let loaded = match cx.g().loader {
            // SAFETY: [NATIVE-FRAME]
            Some(load) => unsafe { load(cx.l, &source, b"=(debug command)", b"bt") },
            None => Err(cx.error("no loader")),
        };
        let error = match loaded {
            Ok(f) => {
                cx.push(f);
                cx.pcall(0, 0, Value::NIL).err().map(|_| cx.pop())
            }
            Err(_) => Some(cx.take_error()),
        };
        if let Some(e) = error {
            cx.push(e);
            let text = cx.tostring(e)?;
            let mut m = cx.bytes(text).to_vec();
            m.push(b'\n');
            cfile::write_stderr(&m);
        }
        cx.set_top(0);
    }
}
