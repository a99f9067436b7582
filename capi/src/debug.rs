//! `lua_Debug`, hooks, local variables, upvalues.

use std::ffi::{CStr, c_char, c_int, c_void};

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::cfunc::{self, Ended};
use traceorus_vm::ctx::{LResult, Throw};
use traceorus_vm::debuginfo::{self, Frame};
use traceorus_vm::hooks::{self, Event, HookFn};
use traceorus_vm::string::str_data;
use traceorus_vm::table;

use crate::types::*;
use crate::{at, check, count, global, push, safepoint, state_of, thread};

/// What `lua_Debug::i_ci` holds for a frame.
unsafe fn mark_of(l: *mut Thread, f: &Frame) -> usize {
    f.base.byte_offset_from((*l).stack) as usize
}

/// The frame that `i_ci` stands for.
unsafe fn frame_of(l: *mut Thread, ar: *const lua_Debug) -> Option<Frame> {
    debuginfo::frames(l).find(|f| mark_of(l, f) == (*ar).i_ci)
}

/// `lua_getstack`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getstack(
    L: *mut lua_State,
    level: c_int,
    ar: *mut lua_Debug,
) -> c_int {
    let l = thread(L);
    match debuginfo::level(l, level) {
        Some(f) => {
            (*ar).i_ci = mark_of(l, &f);
            1
        }
        None => 0,
    }
}

/// `lua_getinfo`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getinfo(
    L: *mut lua_State,
    what: *const c_char,
    ar: *mut lua_Debug,
) -> c_int {
    let l = thread(L);
    let mut what = CStr::from_ptr(what).to_bytes();
    let (function, frame);
    if let Some(rest) = what.strip_prefix(b">") {
        what = rest;
        (*l).top = (*l).top.sub(1);
        function = *(*l).top;
        check!(
            function.tag == Tag::FUNCTION,
            "lua_getinfo",
            "there is no function on top"
        );
        frame = None;
    } else {
        frame = frame_of(l, ar);
        let Some(f) = &frame else {
            check!(false, "lua_getinfo", "ar is not of an active function");
            return 0;
        };
        function = f.function();
    }
    let good = fill(l, function, frame.as_ref(), what, &mut *ar);
    if what.contains(&b'f') {
        push(l, function);
    }
    if what.contains(&b'L') {
        push_lines(l, function);
    }
    good as c_int
}

/// Fills in what the options ask for; false if one is not known.
unsafe fn fill(
    l: *mut Thread,
    function: Value,
    frame: Option<&Frame>,
    what: &[u8],
    ar: &mut lua_Debug,
) -> bool {
    let mut good = true;
    for option in what {
        match option {
            b'S' => source(function, ar),
            b'l' => {
                ar.currentline = frame.map_or(-1, |f| debuginfo::current_line(f)) as c_int;
            }
            b'u' => {
                let info = debuginfo::func_info(function);
                ar.nups = info.nups as u8;
                ar.nparams = info.nparams as u8;
                ar.isvararg = info.is_vararg as c_char;
            }
            b'n' => {
                ar.name = std::ptr::null();
                ar.namewhat = c"".as_ptr();
                if let Some(n) = frame.and_then(|f| debuginfo::frame_name(f)) {
                    let g = global(l);
                    ar.name = cfunc::keep(g, &n.text);
                    ar.namewhat = cfunc::keep(g, n.kind.as_bytes());
                }
            }
            b'r' => {
                let (first, n) = frame.and_then(|f| f.transfer).unwrap_or((0, 0));
                (ar.ftransfer, ar.ntransfer) = (first as u16, n as u16);
            }
            b't' => ar.istailcall = frame.is_some_and(|f| f.tail) as c_char,
            b'f' | b'L' => {}
            _ => good = false,
        }
    }
    good
}

unsafe fn source(function: Value, ar: &mut lua_Debug) {
    let info = debuginfo::func_info(function);
    let (mut text, mut len) = (c"=[C]".as_ptr(), 4);
    if let Some(p) = debuginfo::proto_of(function.as_ptr()) {
        text = str_data((*p).source).cast();
        len = (*(*p).source).len as usize;
    }
    (ar.source, ar.srclen) = (text, len);
    ar.what = match info.what {
        "main" => c"main",
        "Lua" => c"Lua",
        _ => c"C",
    }
    .as_ptr();
    ar.linedefined = info.line_defined as c_int;
    ar.lastlinedefined = info.last_line_defined as c_int;
    let n = info.short_src.len().min(ar.short_src.len() - 1);
    for (to, from) in ar.short_src.iter_mut().zip(&info.short_src[..n]) {
        *to = *from as c_char;
    }
    ar.short_src[n] = 0;
}

unsafe fn push_lines(l: *mut Thread, function: Value) {
    let Some(p) = debuginfo::proto_of(function.as_ptr()) else {
        push(l, Value::NIL);
        return;
    };
    let g = global(l);
    let lines = table::table_new(g, 0, 0);
    push(l, Value::ptr(lines, Tag::TABLE));
    for n in debuginfo::active_lines(p) {
        table::table_set_int(g, lines, n.into(), Value::TRUE);
    }
    safepoint(l);
}

// ---- variables ----------------------------------------------------------------------------------------------------

/// `lua_getlocal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getlocal(
    L: *mut lua_State,
    ar: *const lua_Debug,
    n: c_int,
) -> *const c_char {
    let l = thread(L);
    if ar.is_null() {
        return match debuginfo::param_name(*(*l).top.sub(1), n.into()) {
            Some(name) => cfunc::keep(global(l), &name),
            None => std::ptr::null(),
        };
    }
    let Some((name, slot)) = frame_of(l, ar).and_then(|f| debuginfo::local_at(&f, n.into())) else {
        return std::ptr::null();
    };
    push(l, debuginfo::read_local(slot));
    cfunc::keep(global(l), &name)
}

/// `lua_setlocal`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setlocal(
    L: *mut lua_State,
    ar: *const lua_Debug,
    n: c_int,
) -> *const c_char {
    let l = thread(L);
    let v = *(*l).top.sub(1);
    let name = frame_of(l, ar).and_then(|f| {
        let (name, slot) = debuginfo::local_at(&f, n.into())?;
        debuginfo::write_local(l, &f, slot, v).then_some(name)
    });
    let Some(name) = name else {
        return std::ptr::null();
    };
    (*l).top = (*l).top.sub(1);
    cfunc::keep(global(l), &name)
}

/// `lua_getupvalue`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_getupvalue(L: *mut lua_State, idx: c_int, n: c_int) -> *const c_char {
    let l = thread(L);
    match debuginfo::get_upvalue(*at(l, idx), n.into()) {
        Some((name, v)) => {
            push(l, v);
            cfunc::keep(global(l), &name)
        }
        None => std::ptr::null(),
    }
}

/// `lua_setupvalue`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_setupvalue(L: *mut lua_State, idx: c_int, n: c_int) -> *const c_char {
    let l = thread(L);
    check!(count(l) >= 1, "lua_setupvalue", "there is no value");
    let f = *at(l, idx);
    match debuginfo::set_upvalue(l, f, n.into(), *(*l).top.sub(1)) {
        Some(name) => {
            (*l).top = (*l).top.sub(1);
            cfunc::keep(global(l), &name)
        }
        None => std::ptr::null(),
    }
}

/// `lua_upvalueid`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_upvalueid(L: *mut lua_State, idx: c_int, n: c_int) -> *mut c_void {
    let id = debuginfo::upvalue_id(*at(thread(L), idx), n.into());
    id.map_or(std::ptr::null_mut(), |id| id as usize as *mut c_void)
}

/// `lua_upvaluejoin`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_upvaluejoin(
    L: *mut lua_State,
    idx1: c_int,
    n1: c_int,
    idx2: c_int,
    n2: c_int,
) {
    let l = thread(L);
    let (f1, f2) = (*at(l, idx1), *at(l, idx2));
    let joined = debuginfo::upvalue_join(l, f1, n1.into(), f2, n2.into());
    check!(
        joined,
        "lua_upvaluejoin",
        "there are no such upvalues of Lua functions"
    );
}

// ---- hooks --------------------------------------------------------------------------------------------------------

/// The hook that calls the C function in `Thread::hook_value`.
unsafe fn c_hook(l: *mut Thread, event: Event, line: i64) -> LResult<()> {
    let f = (*l).hook_value.payload as usize;
    let mut ar: lua_Debug = std::mem::zeroed();
    ar.event = event as c_int;
    ar.currentline = line as c_int;
    let ended = hooks::in_frame(l, |base| {
        ar.i_ci = base;
        cfunc::call_c(l, f, [state_of(l) as usize, &raw mut ar as usize, 0])
    });
    match ended {
        Ended::Returned(_) => Ok(()),
        _ => Err(Throw),
    }
}

/// What `lua_gethook` gives for a hook that is a Lua function (`debug.sethook`). `lua_sethook` knows it.
unsafe extern "C" fn lua_function_hook(_: *mut lua_State, _: *mut lua_Debug) {}

/// `lua_sethook`. May be called from a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_sethook(L: *mut lua_State, f: lua_Hook, mask: c_int, count: c_int) {
    let f = f.map_or(0, |f| f as usize);
    let hook = match f {
        0 => None,
        f if f == lua_function_hook as *const () as usize => Some(hooks::lua_hook as HookFn),
        _ => Some(c_hook as HookFn),
    };
    let value = Value::new(f as u64, Tag::LIGHTUD);
    hooks::set_hook_async(thread(L), hook, value, mask as u32, count);
}

/// `lua_gethook`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_gethook(L: *mut lua_State) -> lua_Hook {
    let l = thread(L);
    match (*l).hook {
        0 => None,
        h if h == c_hook as *const () as u64 => {
            std::mem::transmute::<u64, lua_Hook>((*l).hook_value.payload)
        }
        _ => Some(lua_function_hook),
    }
}

/// `lua_gethookmask`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_gethookmask(L: *mut lua_State) -> c_int {
    (*thread(L)).hook_mask as c_int
}

/// `lua_gethookcount`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lua_gethookcount(L: *mut lua_State) -> c_int {
    (*thread(L)).hook_count
}
