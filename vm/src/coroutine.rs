//! Coroutines: switching between threads of one state without switching native stacks.
//!
//! `resume` and `yield` are native functions whose frames stay on their threads' stacks while another thread runs. A
//! switch stores results into the other thread as if its native function had returned, and execution goes on there.
//! A thread's non-yieldable count says whether native code is in between (upper half of `Thread::ncalls`).

use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::call::{self, set_word};
use crate::ctx::{Ctx, LResult, Throw};
use crate::state::{self, Global};
use crate::{ccall, debuginfo, dispatch, exec, throw};

/// Name of a thread's status as seen from `l`.
unsafe fn status_name(l: *mut Thread, co: *mut Thread) -> &'static str {
    // SAFETY: [GC-LIVE] both are live.
    unsafe {
        if l == co {
            return "running";
        }
        match (*co).status {
            s if is_suspended(s) => "suspended",
            _ if can_start(co, 0) => "suspended",
            thread_status::RUNNING | thread_status::NORMAL => "normal",
            _ => "dead",
        }
    }
}

fn check_thread(cx: Ctx<'_>, i: usize) -> LResult<*mut Thread> {
    let v = cx.arg(i);
    if v.tag == Tag::THREAD {
        Ok(v.as_ptr())
    } else {
        Err(cx.type_error(i, "thread"))
    }
}

/// A new coroutine of the function `f`, as `coroutine.create` makes them, or (nil) without one, for C code.
///
/// # Safety
/// [GC-LIVE] `l` and `f` are live; the caller makes the result reachable before the next safepoint.
pub unsafe fn new(l: *mut Thread, f: Value) -> *mut Thread {
    // SAFETY: as promised.
    unsafe {
        let co = state::new_thread(Global::of((*l).global));
        if f.is_nil() {
            set_word((*co).stack, ON_STACK);
        } else {
            *(*co).stack = f;
            if f.tag == Tag::FUNCTION {
                set_word((*co).stack, frame::word(kind::BASE, 0, 0));
            }
        }
        (*co).hook = (*l).hook;
        (*co).hook_mask = (*l).hook_mask;
        (*co).hook_count = (*l).hook_count;
        (*co).hook_left = (*l).hook_count;
        (*co).hook_value = (*l).hook_value;
        (*co).dispatch = dispatch::wanted_dispatch(co);
        co
    }
}

/// The word at the bottom of a thread that C code uses: its function, if any, is a value on its stack. Nobody else has this one, so
/// emitted code leaves such threads alone.
const ON_STACK: u64 = frame::word(kind::BASE, 0, 1);

/// Makes the function of a coroutine that has not started the first value on its stack, as C code knows it.
///
/// # Safety
/// [GC-LIVE] `co` is live.
pub unsafe fn to_stack(co: *mut Thread) {
    // SAFETY: a fresh stack has room.
    unsafe {
        let slot = (*co).stack;
        if (*co).status == thread_status::FRESH && (*slot).payload != 0 {
            *(*co).base = Value::new((*slot).payload, Tag::FUNCTION);
            (*co).top = (*co).base.add(1);
            (*slot).payload = 0;
            set_word(slot, ON_STACK);
        }
    }
}

/// Whether a thread with this status waits in a yield.
pub fn is_suspended(status: u32) -> bool {
    matches!(
        status,
        thread_status::SUSPENDED | thread_status::SUSPENDED_K | thread_status::SUSPENDED_HOOK
    )
}

/// Whether a thread has a function, below `nargs` values on its stack, that a resume can start. C code can give a finished thread a
/// new one.
unsafe fn can_start(co: *mut Thread, nargs: usize) -> bool {
    // SAFETY: [GC-LIVE]
    unsafe {
        let on_stack = (*co).top.offset_from((*co).base) as usize > nargs;
        match (*co).status {
            thread_status::FRESH => (*(*co).stack).payload != 0 || on_stack,
            thread_status::DEAD => on_stack,
            _ => false,
        }
    }
}

/// The same as the function that `coroutine.wrap` makes of it.
///
/// # Safety
/// As [`new`].
pub unsafe fn wrapped(l: *mut Thread, f: Value) -> Value {
    // SAFETY: as promised.
    unsafe {
        let co = new(l, f);
        let g = Global::of((*l).global);
        call::native_closure(g, "wrap", native_wrapped, &[Value::ptr(co, Tag::THREAD)])
    }
}

fn create_fn(cx: Ctx<'_>) -> LResult<usize> {
    let f = cx.check_function(1)?;
    // SAFETY: [GC-LIVE] an argument; the thread is returned before the next safepoint.
    cx.ret(Value::ptr(unsafe { new(cx.l, f) }, Tag::THREAD))
}

fn wrap_fn(cx: Ctx<'_>) -> LResult<usize> {
    let f = cx.check_function(1)?;
    // SAFETY: as above.
    cx.ret(unsafe { wrapped(cx.l, f) })
}

fn status_fn(cx: Ctx<'_>) -> LResult<usize> {
    let co = check_thread(cx, 1)?;
    // SAFETY: [GC-LIVE] an argument.
    cx.ret(cx.str(unsafe { status_name(cx.l, co) }))
}

fn running_fn(cx: Ctx<'_>) -> LResult<usize> {
    cx.push(Value::ptr(cx.l, Tag::THREAD));
    cx.push(Value::bool(cx.l == cx.g().hot.main));
    Ok(2)
}

fn isyieldable_fn(cx: Ctx<'_>) -> LResult<usize> {
    let co = if cx.is_none(1) {
        cx.l
    } else {
        check_thread(cx, 1)?
    };
    // SAFETY: [GC-LIVE] an argument or the running thread.
    let y = unsafe { ccall::is_yieldable(co) };
    cx.ret(Value::bool(y))
}

fn close_fn(cx: Ctx<'_>) -> LResult<usize> {
    let co = check_thread(cx, 1)?;
    // SAFETY: [GC-LIVE] an argument, kept by its slot.
    unsafe {
        let name = status_name(cx.l, co);
        if name != "suspended" && name != "dead" {
            return Err(cx.error(format_args!("cannot close a {name} coroutine")));
        }
        match close_thread(cx.l, co) {
            Ok(()) => cx.ret(Value::TRUE),
            Err(Throw) => {
                let e = cx.take_error();
                cx.push(Value::FALSE);
                cx.push(e);
                Ok(2)
            }
        }
    }
}

/// Closes pending variables of a suspended or dead thread and makes it dead. `Err`: its error, or the last one of the
/// closing functions, is registered.
///
/// # Safety
/// [GC-LIVE] `co` is rooted and not running.
pub unsafe fn close_thread(l: *mut Thread, co: *mut Thread) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        let err = if (*co).status == thread_status::ERROR {
            Some((*co).hook_value)
        } else {
            None
        };
        let depth = (*l).ncalls & 0xffff;
        (*co).status = thread_status::RUNNING;
        (*co).ncalls = depth + 1;
        (*co).resumer = l;
        let saved = (*l).status;
        (*l).status = thread_status::NORMAL;
        make_current(g, co);
        let first = err.map(|v| throw::set_error(co, v, (*co).yield_ctx as u32));
        ccall::drop_detached(co, 0);
        (*co).base = (*co).stack.add(1);
        let r = if (*co).tbc_len > 0 {
            close_pending(co, err.unwrap_or(Value::NIL))
        } else {
            first.map_or(Ok(()), Err)
        };
        make_current(g, l);
        (*l).status = saved;
        (*co).resumer = std::ptr::null_mut();
        bury(co, thread_status::DEAD);
        r
    }
}

/// Calls `__close` of everything pending in `co` (which counts as running), with `err` (nil: no error). `Err`: an error
/// is registered.
///
/// # Safety
/// `co` is the current thread; its frames are given up, its base is that of its bottom frame.
pub unsafe fn close_pending(co: *mut Thread, err: Value) -> LResult<()> {
    // SAFETY: as promised: nothing but the pending values is needed any more.
    unsafe {
        let g = Global::of((*co).global);
        let mut failed = !err.is_nil();
        let mut cur = err;
        // the frames are given up: only the pending values stay, from slot 1 on
        *(*co).stack = Value::NIL;
        set_word((*co).stack, frame::word(kind::BASE, 0, 0));
        (*co).pc = std::ptr::null();
        throw::compact_tbc(co, 0, 1);
        while let Some(off) = throw::pop_tbc(co, 0) {
            (*co).top = (*co).stack.add(off + 1);
            // there is always room for what is pushed without a test
            let at = (*co).stack.add(off);
            let v = *at;
            *at.add(1) = cur;
            *at.add(2) = exec::metamethod(g, v, MetaMethod::Close);
            *at.add(3) = v;
            *at.add(4) = cur;
            (*co).top = at.add(5);
            match call::call_at(co, at.add(2), 2, 0) {
                Ok(_) => cur = *(*co).stack.add(off + 1),
                Err(Throw) => {
                    failed = true;
                    cur = g.hot.error_value;
                }
            }
        }
        (*co).top = (*co).base;
        if failed {
            Err(throw::set_error(co, cur, 2))
        } else {
            Ok(())
        }
    }
}

/// Ends a thread: nothing on its stack.
unsafe fn bury(co: *mut Thread, status: u32) {
    // SAFETY: the thread runs nothing.
    unsafe {
        (*co).status = status;
        *(*co).stack = Value::NIL;
        set_word((*co).stack, frame::word(kind::BASE, 0, 0));
        (*co).base = (*co).stack.add(1);
        (*co).top = (*co).base;
        (*co).pc = std::ptr::null();
        (*co).tbc_len = 0;
        (*co).pcall_depth = 0;
        ccall::drop_detached(co, 0);
    }
}

/// Starts or continues `co` with the arguments from index `first` on of the running frame of `l`.
unsafe fn resume(l: *mut Thread, co: *mut Thread, first: usize, rkind: u32) -> i64 {
    // SAFETY: [NATIVE-FRAME] [GC-LIVE] the thread is an argument or an upvalue.
    unsafe {
        let cx = Ctx::new(l);
        let g = Global::of((*l).global);
        let n = (cx.top() + 1).saturating_sub(first);
        // what runs there makes sure of its own room
        let refused = refusal(l, co, 0).or_else(|| {
            let room = call::ensure_slots_now(co, n);
            (!room).then_some("too many arguments to resume")
        });
        if let Some(msg) = refused {
            if rkind == 1 {
                cx.error(msg);
                return -1;
            }
            cx.push(Value::FALSE);
            cx.push(cx.str(msg));
            return 2;
        }
        let args = (*co).top;
        let from = (*l).base.add(first - 1);
        for i in 0..n {
            *args.add(i) = *from.add(i);
        }
        (*co).top = args.add(n);
        g.hot.next_pc = go_on(l, co, n, rkind);
        -2
    }
}

/// Why `l` cannot resume `co`, which has `nargs` arguments on its stack already.
///
/// # Safety
/// [GC-LIVE] both are live.
pub(crate) unsafe fn refusal(
    l: *mut Thread,
    co: *mut Thread,
    nargs: usize,
) -> Option<&'static str> {
    // SAFETY: [GC-LIVE] both are live.
    unsafe {
        match (*co).status {
            s if is_suspended(s) => {}
            _ if can_start(co, nargs) => {}
            thread_status::FRESH | thread_status::DEAD | thread_status::ERROR => {
                return Some("cannot resume dead coroutine");
            }
            _ => return Some("cannot resume non-suspended coroutine"),
        }
        ((*l).ncalls & 0xffff >= call::MAX_CCALLS - 1).then_some("C stack overflow")
    }
}

/// Makes `co` the running thread, resumed by `l` with the `n` values on top of its stack. Gives the pc where it goes on.
///
/// # Safety
/// `l` is the running thread, [`refusal`] found nothing.
pub(crate) unsafe fn go_on(l: *mut Thread, co: *mut Thread, n: usize, rkind: u32) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*l).global);
        let status = (*co).status;
        (*l).status = thread_status::NORMAL;
        (*co).status = thread_status::RUNNING;
        (*co).resumer = l;
        (*co).resume_kind = rkind;
        (*co).ncalls = ((*l).ncalls & 0xffff) + 1;
        make_current(g, co);
        dirty(g, co);
        match status {
            thread_status::SUSPENDED => call::finish_return(co, (*co).top.sub(n), n),
            thread_status::SUSPENDED_HOOK => {
                (*co).top = (*co).base;
                (*co).hdr.flags |= flags::THREAD_HOOK_DONE;
                (*co).pc
            }
            thread_status::SUSPENDED_K if (*co).yield_k == 0 => ccall::end_c(co, n as i64),
            thread_status::SUSPENDED_K => {
                ccall::continue_c(co, (*co).yield_k, ccall::YIELD, (*co).yield_ctx)
            }
            _ => start(co, n),
        }
    }
}

/// Calls the function of a thread with the `n` topmost values.
unsafe fn start(co: *mut Thread, n: usize) -> *const Instr {
    // SAFETY: [STACK-STABLE] the function is below the values, at the bottom of the stack or above it.
    unsafe {
        let bottom = (*co).stack;
        let f = (*bottom).payload;
        let mut func = bottom;
        if f != 0 {
            *bottom = Value::new(f, Tag::FUNCTION);
        } else if (*co).resume_kind == 2 && (*co).top.sub(n + 1) > (*co).base {
            // what C code has put below the function stays there
            func = (*co).top.sub(n + 1);
        } else {
            std::ptr::copy((*co).top.sub(n + 1), bottom, n + 1);
            (*co).top = bottom.add(n + 1);
        }
        call::precall(co, func, n, frame::word(kind::BASE, 0, 0))
    }
}

/// Does what `f` says with `l`, another thread than the running one, in its place. `l` cannot yield.
///
/// # Safety
/// [GC-LIVE] `l` is live and either runs nothing or waits in a native function.
#[cold]
pub unsafe fn as_current<R>(l: *mut Thread, f: impl FnOnce() -> R) -> R {
    // SAFETY: as promised. The other thread is marked as the resumer of this one.
    unsafe {
        let g = Global::of((*l).global);
        let other = g.hot.current;
        let (status, ncalls, resumer) = ((*l).status, (*l).ncalls, (*l).resumer);
        let (others, others_dispatch) = ((*other).status, (*other).dispatch);
        (*other).status = thread_status::NORMAL;
        (*l).status = thread_status::RUNNING;
        (*l).ncalls = ((*other).ncalls & 0xffff).max(ncalls & 0xffff) + 0x1_0000;
        (*l).resumer = other;
        make_current(g, l);
        dirty(g, l);
        let r = f();
        make_current(g, other);
        dirty(g, other);
        dispatch::keep_back(other, others_dispatch);
        (*other).status = others;
        (*l).status = status;
        (*l).ncalls = ncalls;
        (*l).resumer = resumer;
        r
    }
}

/// Closes a thread for C code: pending variables are closed, and it can be used again. Gives the status; after an error its value is the
/// only one on the stack.
///
/// # Safety
/// [GC-LIVE] `co` is rooted and does not run.
pub unsafe fn reset(l: *mut Thread, co: *mut Thread) -> u32 {
    // SAFETY: as promised.
    unsafe {
        let g = (*co).global;
        let r = close_thread(l, co);
        (*co).status = thread_status::FRESH;
        set_word((*co).stack, ON_STACK);
        if r.is_ok() {
            return 0;
        }
        let e = std::mem::replace(&mut (*g).error_value, Value::NIL);
        (*g).error_handled = 0;
        e.store((*co).top);
        (*co).top = (*co).top.add(1);
        (*g).error_status
    }
}

/// Makes `l` the running thread. Recording may have begun or ended since it ran last.
unsafe fn make_current(g: &mut Global, l: *mut Thread) {
    // SAFETY: a live thread of this state.
    unsafe {
        debug_assert!((*l).global == &raw mut g.hot);
        g.hot.current = l;
        (*l).dispatch = dispatch::wanted_dispatch(l);
    }
}

/// The collector must look at a thread's stack again once it has run.
unsafe fn dirty(g: &mut Global, co: *mut Thread) {
    // SAFETY: [GC-BARRIER] the thread is live.
    unsafe {
        if (*co).hdr.barrier != 0 {
            g.heap.barrier(co as *mut GcHeader, Value::NIL);
        }
    }
}

/// Gives `n` values at `res` of `co` (which stops running) to the thread that resumed it, as results of its resume
/// function, in front of them `true` unless it was `wrap`'s. Gives that thread and the results there; or, if they were too many and `wrap`'s
/// function has raised an error, the pc where execution goes on.
pub(crate) unsafe fn transfer(
    co: *mut Thread,
    res: *mut Value,
    n: usize,
) -> Result<(*mut Thread, *mut Value, usize), *const Instr> {
    // SAFETY: [NATIVE-FRAME] the resumer's running frame is its native resume function.
    unsafe {
        let g = Global::of((*co).global);
        let r = (*co).resumer;
        (*co).resumer = std::ptr::null_mut();
        make_current(g, r);
        (*r).status = thread_status::RUNNING;
        dirty(g, r);
        let k = ((*co).resume_kind == 0) as usize;
        if !call::ensure_slots_now(r, n + 2) {
            let cx = Ctx::new(r);
            let msg = "too many results to resume";
            if k == 0 {
                cx.error(msg);
                return Err(throw::raise(r));
            }
            // these two fit
            cx.push(Value::FALSE);
            cx.push(cx.str(msg));
            return Ok((r, (*r).top.sub(2), 2));
        }
        let to = (*r).top;
        if k == 1 {
            *to = Value::TRUE;
        }
        let rest = to.add(k);
        for i in 0..n {
            *rest.add(i) = *res.add(i);
        }
        (*r).top = to.add(n + k);
        Ok((r, to, n + k))
    }
}

/// A coroutine's body has returned `n` values at `res`: [`transfer`].
///
/// # Safety
/// `co` is the running thread, not the main one.
pub unsafe fn finish(
    co: *mut Thread,
    res: *mut Value,
    n: usize,
) -> Result<(*mut Thread, *mut Value, usize), *const Instr> {
    // SAFETY: as promised.
    unsafe {
        (*co).status = thread_status::DEAD;
        let t = transfer(co, res, n);
        bury(co, thread_status::DEAD);
        t
    }
}

/// The running coroutine `co`, which `lua_resume` has resumed, has `n` values for it on top of its stack.
///
/// # Safety
/// As said; the activation in force is that of the resume.
pub(crate) unsafe fn give_to_native(co: *mut Thread, n: usize, status: u32) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = Global::of((*co).global);
        let act = g.hot.activation;
        debug_assert!((*act).thread == co && (*act).kind == ccall::ENTRY_RESUME);
        (*act).nresults = n as i32;
        (*act).native_sp = status.into();
        let r = (*co).resumer;
        (*co).resumer = std::ptr::null_mut();
        make_current(g, r);
        (*r).status = thread_status::RUNNING;
        dirty(g, r);
        g.hot.exit_status = 0;
        std::ptr::null()
    }
}

/// As [`finish`], when `lua_resume` has resumed `co`: the results stay on its stack, where its function (in slot `func`) was.
///
/// # Safety
/// As [`finish`].
pub(crate) unsafe fn finish_to_native(
    co: *mut Thread,
    func: *mut Value,
    res: *mut Value,
    n: usize,
) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        bury(co, thread_status::DEAD);
        let to = func.max((*co).base);
        std::ptr::copy(res, to, n);
        (*co).top = to.add(n);
        // all that is there counts
        give_to_native(co, (*co).top.offset_from((*co).base) as usize, 0)
    }
}

/// Makes a value the error of a dead thread. It has no hooks any more: the slot of the hook function roots it.
///
/// # Safety
/// [GC-LIVE] both are live; `co` is dead or about to be.
pub(crate) unsafe fn set_death(co: *mut Thread, err: Value) {
    // SAFETY: [GC-BARRIER] as promised.
    unsafe {
        (*co).hook_value = Value::new(err.payload, err.tag);
        dirty(Global::of((*co).global), co);
    }
}

/// The running coroutine dies by the registered error: its resumer gets it.
///
/// # Safety
/// `co` is the running thread, not the main one.
pub unsafe fn die(co: *mut Thread) -> *const Instr {
    // SAFETY: as promised. The dead thread's frames stay for tracebacks.
    unsafe {
        let g = Global::of((*co).global);
        let err = g.hot.error_value;
        set_death(co, err);
        (*co).hook_mask = 0;
        (*co).status = thread_status::ERROR;
        (*co).yield_ctx = g.hot.error_status.into();
        if (*co).resume_kind == 2 {
            g.hot.error_value = Value::NIL;
            g.hot.error_handled = 0;
            let top = call::scratch_top(co);
            err.store(top);
            (*co).top = top.add(1);
            let status = g.hot.error_status;
            return give_to_native(co, 1, status);
        }
        let r = (*co).resumer;
        (*co).resumer = std::ptr::null_mut();
        make_current(g, r);
        (*r).status = thread_status::RUNNING;
        dirty(g, r);
        if g.hot.error_status == throw::UNCATCHABLE {
            let _ = close_thread(r, co);
            throw::set_error(r, err, throw::UNCATCHABLE);
            return throw::raise(r);
        }
        if (*co).resume_kind == 1 {
            // wrap: close it, prefix a string with the position, propagate
            let _ = close_thread(r, co);
            let mut e = g.hot.error_value;
            if e.tag == Tag::STRING && g.hot.error_status != 4 {
                let cx = Ctx::new(r);
                let mut m = debuginfo::where_(cx, 1);
                m.extend_from_slice(cx.bytes(e));
                e = cx.str(&m);
            }
            let status = g.hot.error_status;
            throw::set_error(r, e, status);
            return throw::raise(r);
        }
        g.hot.error_value = Value::NIL;
        g.hot.error_handled = 0;
        // a native function has room for two more values
        let to = (*r).top;
        *to = Value::FALSE;
        *to.add(1) = err;
        (*r).top = to.add(2);
        call::finish_return(r, to, 2)
    }
}

/// `coroutine.resume`.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_resume(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    unsafe {
        match check_thread(Ctx::new(l), 1) {
            Ok(co) => resume(l, co, 2, 0),
            Err(Throw) => -1,
        }
    }
}

/// The function that `coroutine.wrap` makes.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_wrapped(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME] the thread is the closure's upvalue.
    unsafe { resume(l, Ctx::new(l).upvalue(1).as_ptr(), 1, 1) }
}

/// `coroutine.yield`.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_yield(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    unsafe {
        let cx = Ctx::new(l);
        let g = Global::of((*l).global);
        if l == g.hot.main {
            cx.throw(cx.str("attempt to yield from outside a coroutine"));
            return -1;
        }
        if ccall::forbidden(l) {
            cx.throw(cx.str("attempt to yield across a C-call boundary"));
            return -1;
        }
        g.hot.next_pc = ccall::suspend(l, (*l).base, cx.top(), thread_status::SUSPENDED);
        -2
    }
}

/// Entry points for the library.
pub fn functions() -> [(&'static str, NativeFn); 8] {
    use crate::native;
    [
        ("create", native!(create_fn)),
        ("wrap", native!(wrap_fn)),
        ("status", native!(status_fn)),
        ("running", native!(running_fn)),
        ("isyieldable", native!(isyieldable_fn)),
        ("close", native!(close_fn)),
        ("resume", native_resume),
        ("yield", native_yield),
    ]
}
