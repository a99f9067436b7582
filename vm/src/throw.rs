//! Errors: raising, message handlers, unwinding, and the closing of to-be-closed variables.
//!
//! An error is `GlobalHot::error_value` plus a status. Native functions return [`Throw`] through their callers; emitted
//! code and helpers call [`raise`], which
//! 1. runs the message handler of the innermost xpcall (or protected entry) as a call on top of the intact stack, once;
//! 2. walks the frames of the running thread to the first that catches: a pcall frame, an entry from native code (the
//!    interpreter is left and the native caller gets `Err`), or the bottom of a coroutine (it dies, its resumer gets the
//!    error);
//! 3. at a pcall frame, calls `__close` of the variables above it one by one, each as a frame whose return continues
//!    the closing (kind CLOSING), so that they may yield; an error in one replaces the error;
//! 4. returns `false, error` from pcall.
//!
//! An error with the status [`UNCATCHABLE`] passes pcall, xpcall and the ends of coroutines by: native code that has called into
//! Lua gets it. What is pending is closed then.

use traceorus_base::Value;
use traceorus_base::bytecode;
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;

use crate::call::{self, word_at};
use crate::ctx::{LResult, Throw};
use crate::state::Global;
use crate::{body, ccall, coroutine, debuginfo, exec, string};

/// Status of an error that Lua code does not catch, and no message handler sees.
pub const UNCATCHABLE: u32 = 16;

/// Registers an error value: 2 run, 3 syntax, 4 memory, 5 in error handling.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn set_error(l: *mut Thread, v: Value, status: u32) -> Throw {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        (*g).error_value = v;
        (*g).error_status = status;
        (*g).error_handled = 0;
        Throw
    }
}

/// "not enough memory".
///
/// # Safety
/// `l` is a live thread.
#[cold]
pub unsafe fn out_of_memory(l: *mut Thread) -> Throw {
    // SAFETY: a short string; the allocator keeps room for it.
    unsafe {
        let s = Global::of((*l).global).str_new(b"not enough memory");
        set_error(l, string::str_val(s), 4)
    }
}

/// "error in error handling".
///
/// # Safety
/// `l` is a live thread.
#[cold]
pub unsafe fn error_in_error(l: *mut Thread) -> Throw {
    // SAFETY: as above.
    unsafe {
        let s = Global::of((*l).global).str_new(b"error in error handling");
        set_error(l, string::str_val(s), 5)
    }
}

/// An error message with the position of the running function in front (luaG_runerror).
///
/// # Safety
/// `l` is a live thread; if its running frame is a Lua one, `Thread::pc` is its pc.
#[cold]
pub unsafe fn run_error(l: *mut Thread, msg: &str) -> Throw {
    // SAFETY: as promised.
    unsafe {
        let mut m = debuginfo::position(l);
        m.extend_from_slice(msg.as_bytes());
        let s = Global::of((*l).global).str_new(&m);
        set_error(l, string::str_val(s), 2)
    }
}

/// Raises "not enough memory" unless `bytes` more can be allocated.
///
/// # Safety
/// What the caller still needs is rooted: an emergency collection may run.
pub unsafe fn reserve(l: *mut Thread, bytes: usize) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        Global::of((*l).global)
            .heap
            .reserve(bytes)
            .map_err(|_| out_of_memory(l))
    }
}

/// The frame below the one with this base: its base, or the reason why there is none.
enum Below {
    Frame(*mut Value),
    Entry(*mut Activation),
    Bottom,
    /// pcall's native frame, whether it is xpcall's, and the depth before it.
    Pcall(*mut Value, bool, u32),
    /// The native frame of a pcall, or the frame of a C function that has caught an error, while variables are closed for it.
    Closing(*mut Value),
}

unsafe fn below(mut base: *mut Value) -> Below {
    // SAFETY: [STACK-STABLE] frames are well formed.
    unsafe {
        loop {
            let w = word_at(base.sub(1));
            let delta = frame::delta_of(w) as usize;
            return match frame::kind_of(w) {
                kind::LUA | kind::TAIL => {
                    let ins = *(frame::addr_of(w) as *const Instr);
                    Below::Frame(base.sub(1).byte_sub(bytecode::a(ins) as usize))
                }
                kind::VARARG => {
                    base = base.sub(delta);
                    continue;
                }
                // what else is pending for a C function that returns is left to what catches the error
                kind::CLOSING if w & frame::RETURNING_BIT != 0 => Below::Frame(base.sub(delta)),
                kind::CLOSING => Below::Closing(base.sub(delta)),
                kind::CONT => Below::Frame(base.sub(delta)),
                kind::PCALL => {
                    Below::Pcall(base.sub(delta), delta == 2, (frame::addr_of(w) >> 3) as u32)
                }
                kind::ENTRY => Below::Entry(frame::addr_of(w) as *mut Activation),
                _ => Below::Bottom,
            };
        }
    }
}

/// The message handler in force, if any.
unsafe fn find_handler(l: *mut Thread) -> Option<Value> {
    // SAFETY: [STACK-STABLE]
    unsafe {
        let mut base = (*l).base;
        loop {
            match below(base) {
                Below::Frame(b) => base = b,
                Below::Pcall(b, true, _) => return Some(*b),
                Below::Pcall(_, false, _) | Below::Bottom => return None,
                Below::Closing(b) if !is_pcall(b) => return ccall::caught_handler(l),
                Below::Closing(b) => return is_xpcall(b).then_some(*b),
                Below::Entry(a) if (*a).kind == 1 => {
                    let h = *((*l).stack.byte_add((*a).func as usize).sub(1));
                    return (!h.is_nil()).then_some(h);
                }
                Below::Entry(a) if (*a).kind == call::ENTRY_BARE => return None,
                Below::Entry(a) => base = (*l).stack.byte_add((*a).prev_base as usize),
            }
        }
    }
}

/// The message handler that an xpcall has for errors of the running function of `l`, if there is no native code between them, and none runs already:
/// a body may call it.
///
/// # Safety
/// [STACK-STABLE] the frames of the live thread `l` are in order.
pub unsafe fn handler_of_xpcall(l: *mut Thread) -> Option<Value> {
    // SAFETY: as promised.
    unsafe {
        let mut base = (*l).base;
        loop {
            if body::in_error(base) {
                return None;
            }
            match below(base) {
                Below::Frame(b) => base = b,
                Below::Pcall(b, true, _) => return Some(*b),
                _ => return None,
            }
        }
    }
}

/// Registers an error value that the message handler has made.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn set_handled(l: *mut Thread, v: Value) -> Throw {
    // SAFETY: as promised.
    unsafe {
        let e = set_error(l, v, 2);
        (*(*l).global).error_handled = 1;
        e
    }
}

/// The base of the native frame of the pcall that catches errors of the running function of `l`; `None`: native code, or whoever has
/// resumed the coroutine, gets them.
///
/// # Safety
/// [STACK-STABLE] the frames of the live thread `l` are in order.
pub unsafe fn catcher(l: *mut Thread) -> Option<*mut Value> {
    // SAFETY: as promised.
    unsafe {
        let mut base = (*l).base;
        loop {
            match below(base) {
                Below::Frame(b) => base = b,
                Below::Pcall(pb, _, _) => return Some(pb),
                Below::Closing(pb) => return is_pcall(pb).then_some(pb),
                Below::Entry(_) | Below::Bottom => return None,
            }
        }
    }
}

/// Whether the registered error is caught by the entry `a`, which can be left for a yield, or reaches through nothing but such entries what
/// does.
unsafe fn caught_below(l: *mut Thread, a: *mut Activation) -> bool {
    // SAFETY: [STACK-STABLE] frames are in order.
    unsafe {
        if (*(*l).global).error_status == UNCATCHABLE {
            return (*a).kind == 1;
        }
        let mut a = a;
        loop {
            if (*a).kind == 1 {
                return true;
            }
            let mut base = (*l).stack.byte_add((*a).prev_base as usize);
            a = loop {
                match below(base) {
                    Below::Frame(b) => base = b,
                    Below::Entry(next) => break next,
                    Below::Pcall(..) | Below::Closing(_) | Below::Bottom => return true,
                }
            };
            if (*a).bits & (activation_bits::CONTINUABLE | activation_bits::DETACHED) == 0 {
                return false;
            }
        }
    }
}

/// Runs the message handler in force for the registered error, unless that was done.
///
/// # Safety
/// `l` is the running thread, its frames intact; an error is registered.
pub unsafe fn run_handler(l: *mut Thread) {
    // SAFETY: [STACK-STABLE] the call goes above everything in use.
    unsafe {
        let g = Global::of((*l).global);
        if g.hot.error_handled != 0 || matches!(g.hot.error_status, 4 | 5 | UNCATCHABLE) {
            return;
        }
        if let Some(h) = find_handler(l) {
            let top = call::scratch_top(l);
            let off = top.offset_from((*l).stack);
            if call::need(l, top, 4, &[]).is_ok() {
                let saved_off = (*l).top.byte_offset_from((*l).stack);
                let mut deeper = 0;
                loop {
                    let at = (*l).stack.offset(off);
                    *at = h;
                    *at.add(1) = g.hot.error_value;
                    (*l).top = at.add(2);
                    (*l).ncalls += deeper;
                    let r = call::call_at(l, at, 1, 1);
                    (*l).ncalls -= deeper;
                    if r.is_ok() {
                        g.hot.error_value = *(*l).stack.offset(off);
                        g.hot.error_status = 2;
                        break;
                    }
                    // no handler has seen this error: the call itself was refused (C stack overflow). It is called for
                    // that one, a little deeper.
                    if g.hot.error_handled != 0 || g.hot.error_status != 2 || deeper != 0 {
                        break;
                    }
                    deeper = 2;
                }
                (*l).top = (*l).stack.byte_offset(saved_off);
            }
        }
        g.hot.error_handled = 1;
    }
}

/// Raises the registered error in the running thread: unwinds and gives the pc to go on at, null to leave the
/// interpreter.
///
/// # Safety
/// `l` is the running thread, its frames intact; an error is registered.
pub unsafe extern "C" fn raise(l: *mut Thread) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        debug_assert!(g.hot.current == l);
        if g.recording
            && let Some(jit) = g.jit
        {
            (jit.raising)(jit.data, l);
        }
        let native = {
            let f = (*(*l).base.sub(1)).payload as *const GcHeader;
            f.is_null() || (*f).kind != ObjKind::LuaClosure as u8
        };
        if !native {
            (*l).top = (*l).base;
        }
        run_handler(l);
        let mut base = (*l).base;
        loop {
            // a body of a library function does not come to its end
            body::unwind(l, base);
            match below(base) {
                Below::Frame(b) => base = b,
                Below::Pcall(pb, _, _) | Below::Closing(pb)
                    if g.hot.error_status == UNCATCHABLE =>
                {
                    base = pb;
                }
                Below::Pcall(pb, _, depth) => {
                    (*l).pcall_depth = depth;
                    return begin_close(l, pb);
                }
                Below::Closing(pb) if !is_pcall(pb) => return ccall::caught_again(l, pb),
                Below::Closing(pb) => return begin_close(l, pb),
                Below::Entry(a) if (*a).bits & activation_bits::DETACHED != 0 => {
                    if (*a).kind == 1 && g.hot.error_status != UNCATCHABLE {
                        return ccall::caught(l, a);
                    }
                    base = (*l).stack.byte_add((*a).prev_base as usize);
                }
                Below::Entry(a)
                    if (*a).bits & activation_bits::CONTINUABLE != 0 && caught_below(l, a) =>
                {
                    ccall::catch(l)
                }
                Below::Entry(a) => {
                    (*l).base = (*l).stack.byte_add((*a).prev_base as usize);
                    (*l).pc = (*a).prev_pc;
                    ccall::drop_detached(l, (*a).func);
                    g.hot.exit_status = 1;
                    return std::ptr::null();
                }
                Below::Bottom => return coroutine::die(l),
            }
        }
    }
}

// ---- to-be-closed variables --------------------------------------------------------------------------------------

/// Registers the variable in `slot` to be closed; raises if its value has no `__close`. nil and false are ignored.
///
/// # Safety
/// [STACK-STABLE] `slot` is in the running frame of `l`.
pub unsafe fn mark_tbc(l: *mut Thread, slot: *mut Value) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        let v = *slot;
        if v.is_falsy() {
            return Ok(());
        }
        let g = Global::of((*l).global);
        if exec::metamethod(g, v, MetaMethod::Close).is_nil() {
            let name = debuginfo::local_name_of_slot(l, slot);
            return Err(run_error(
                l,
                &format!("variable '{name}' got a non-closable value"),
            ));
        }
        push_tbc(l, slot.offset_from((*l).stack) as u32);
        Ok(())
    }
}

unsafe fn push_tbc(l: *mut Thread, off: u32) {
    // SAFETY: the run belongs to the thread and is replaced before it overflows.
    unsafe {
        if (*l).tbc_len == (*l).tbc_cap {
            let g = Global::of((*l).global);
            let cap = ((*l).tbc_cap * 2).max(4);
            let new = g.heap.alloc_run(cap as usize * 4) as *mut u32;
            if (*l).tbc_cap != 0 {
                std::ptr::copy_nonoverlapping((*l).tbc, new, (*l).tbc_len as usize);
                g.heap
                    .free_run((*l).tbc as *mut u8, (*l).tbc_cap as usize * 4);
            }
            (*l).tbc = new;
            (*l).tbc_cap = cap;
        }
        *(*l).tbc.add((*l).tbc_len as usize) = off;
        (*l).tbc_len += 1;
    }
}

/// Whether variables are pending from `from` (in the stack of `l`) up.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn has_tbc(l: *mut Thread, from: *const Value) -> bool {
    // SAFETY: the run holds `tbc_len` entries.
    unsafe {
        let level = from.offset_from((*l).stack) as usize;
        (*l).tbc_len != 0 && *(*l).tbc.add((*l).tbc_len as usize - 1) as usize >= level
    }
}

/// Takes the innermost pending variable at slot offset `level` or above.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn pop_tbc(l: *mut Thread, level: usize) -> Option<usize> {
    // SAFETY: the run holds `tbc_len` entries.
    unsafe {
        if (*l).tbc_len == 0 {
            return None;
        }
        let off = *(*l).tbc.add((*l).tbc_len as usize - 1) as usize;
        if off < level {
            return None;
        }
        (*l).tbc_len -= 1;
        Some(off)
    }
}

/// Moves the values of all pending variables from slot offset `level` up to consecutive slots from `to` on
/// (`to <= level`), and their entries with them. Gives the slot after the last.
pub(crate) unsafe fn compact_tbc(l: *mut Thread, level: usize, to: usize) -> usize {
    // SAFETY: entries ascend, so each value moves down over slots that are not needed any more.
    unsafe {
        let mut first = (*l).tbc_len as usize;
        while first > 0 && *(*l).tbc.add(first - 1) as usize >= level {
            first -= 1;
        }
        let mut at = to;
        for i in first..(*l).tbc_len as usize {
            let e = (*l).tbc.add(i);
            *(*l).stack.add(at) = *(*l).stack.add(*e as usize);
            *e = at as u32;
            at += 1;
        }
        at
    }
}

/// Whether the native frame with this base is xpcall's, which keeps its handler in slot 0.
unsafe fn is_xpcall(pb: *mut Value) -> bool {
    // SAFETY: as `native_at`.
    unsafe { native_at(pb) == call::native_xpcall as *const () as usize }
}

/// Whether the native frame with this base is pcall's or xpcall's.
unsafe fn is_pcall(pb: *mut Value) -> bool {
    // SAFETY: as `native_at`.
    unsafe { is_xpcall(pb) || native_at(pb) == call::native_pcall as *const () as usize }
}

/// The address of the native function whose frame has this base.
unsafe fn native_at(base: *mut Value) -> usize {
    // SAFETY: [NATIVE-FRAME] the function slot holds a native closure.
    unsafe { (*(*base.sub(1)).as_ptr::<NativeClosure>()).func as usize }
}

/// Starts the closing of what is pending above the native frame `pb` of a pcall, with the registered error.
unsafe fn begin_close(l: *mut Thread, pb: *mut Value) -> *const Instr {
    // SAFETY: [STACK-STABLE] frames above `pb` are dead.
    unsafe {
        let g = (*l).global;
        let err = std::mem::replace(&mut (*g).error_value, Value::NIL);
        (*g).error_handled = 0;
        let off = pb.offset_from((*l).stack) as usize;
        ccall::drop_detached(l, off as u64 * 16);
        (*l).base = pb;
        let at = is_xpcall(pb) as usize;
        let end = compact_tbc(l, off + 1 + at, off + 1 + at);
        *pb.add(at) = err;
        (*l).top = (*l).stack.add(end);
        if (*l).stack_slots as usize > call::MAX_STACK {
            call::shrink_after_error(l);
        }
        continue_close(l)
    }
}

/// Goes on closing for the frame that runs. A pcall's has the error in slot 0 (xpcall: 1); in the end it returns.
///
/// # Safety
/// The running frame is a pcall's, prepared by `begin_close`, or that of a C function, prepared by `ccall::caught`.
pub unsafe fn continue_close(l: *mut Thread) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        if !is_pcall((*l).base) {
            return ccall::continue_caught(l);
        }
        let base_off = (*l).base.offset_from((*l).stack) as usize;
        let slot = is_xpcall((*l).base) as usize;
        if let Some(off) = pop_tbc(l, base_off + 1 + slot) {
            return close_one(l, off, base_off + slot);
        }
        let pb = (*l).base;
        *pb.add(1) = *pb.add(slot);
        *pb = Value::FALSE;
        (*l).top = pb.add(2);
        // errors may have made garbage since the last safepoint
        call::native_return(l, 2)
    }
}

/// Calls `__close` of the value in slot `off` of the running native frame, with the error in slot `error`, as a frame that goes on closing.
/// Gives the next pc.
///
/// # Safety
/// [NATIVE-FRAME] what is still wanted of the frame is below slot `off`, all that is pending, too.
pub(crate) unsafe fn close_one(l: *mut Thread, off: usize, error: usize) -> *const Instr {
    // SAFETY: [STACK-STABLE] as promised.
    unsafe {
        let g = Global::of((*l).global);
        let base_off = (*l).base.offset_from((*l).stack) as usize;
        (*l).top = (*l).stack.add(off + 1);
        if call::need(l, (*l).top, 6, &[]).is_err() {
            return raise(l);
        }
        let at = (*l).stack.add(off);
        let v = *at;
        let err = *(*l).stack.add(error);
        // the value stays where it is, rooted, below the call
        let func = at.add(1);
        *func = exec::metamethod(g, v, MetaMethod::Close);
        *func.add(1) = v;
        *func.add(2) = err;
        (*l).top = func;
        let delta = (off + 2 - base_off) as u64;
        call::precall(l, func, 2, frame::closing_word(delta))
    }
}

/// An error passes the running frame, which is native and ends at slot offset `level`: what is pending above becomes part of it, to be closed
/// by what catches the error.
///
/// # Safety
/// `l` runs a native frame whose live slots are below `level`; the frames above are given up.
pub unsafe fn leave_pending(l: *mut Thread, level: usize) {
    // SAFETY: as promised.
    unsafe { (*l).top = (*l).stack.add(compact_tbc(l, level, level)) }
}

/// Closes what is pending from slot offset `level` up after an error reached native code, by nested calls. The
/// error (perhaps replaced by one of `__close`) stays registered.
///
/// # Safety
/// `l` runs a native frame whose live slots are below `level`.
pub unsafe fn close_from(l: *mut Thread, level: usize) {
    // SAFETY: as promised.
    unsafe {
        if (*l).tbc_len == 0 || (*(*l).tbc.add((*l).tbc_len as usize - 1) as usize) < level {
            return;
        }
        let g = Global::of((*l).global);
        let mut end = compact_tbc(l, level, level);
        // slot `end`: the error
        while let Some(off) = pop_tbc(l, level) {
            debug_assert!(off < end);
            let status = g.hot.error_status;
            let err = g.hot.error_value;
            (*l).top = (*l).stack.add(off + 1);
            // there is always room for what is pushed without a test
            let at = (*l).stack.add(off);
            let v = *at;
            *at.add(1) = err;
            *at.add(2) = exec::metamethod(g, v, MetaMethod::Close);
            *at.add(3) = v;
            *at.add(4) = err;
            (*l).top = at.add(5);
            if call::call_at(l, at.add(2), 2, 0).is_ok() {
                g.hot.error_value = *(*l).stack.add(off + 1);
                g.hot.error_status = status;
                g.hot.error_handled = 1;
            }
            end = off;
        }
        (*l).top = (*l).stack.add(level);
    }
}

/// Closes what is pending from slot offset `level` up, without an error, by nested calls; the values stay in their slots. After an
/// error the rest is still pending.
///
/// # Safety
/// `l` is the running thread, its running frame native.
pub unsafe fn close_to(l: *mut Thread, level: usize) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        while let Some(off) = pop_tbc(l, level) {
            let v = *(*l).stack.add(off);
            let f = exec::metamethod(Global::of((*l).global), v, MetaMethod::Close);
            exec::nested(l, &[f, v, Value::NIL])?;
        }
        Ok(())
    }
}

/// Closes everything pending in a thread that runs nothing, without an error (state close).
///
/// # Safety
/// `l` is the main thread of a state that is being closed.
pub unsafe fn close_all(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe {
        if (*l).tbc_len > 0 {
            (*l).base = (*l).stack.add(1);
            let _ = coroutine::close_pending(l, Value::NIL);
        }
    }
}
