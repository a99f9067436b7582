//! Continuations of C functions: what makes yields cross calls made by C code.
//!
//! A C function that calls with a continuation (`lua_callk`, `lua_pcallk`) in a thread that may yield enters the interpreter like any
//! native code, but the thread stays yieldable and the entry's record is a [`Continuable`]. While such an entry is under way,
//! [`CONTINUABLE`] is set in `Thread::ncalls`, for emitted code and traces, which then leave yields to [`suspend`].
//!
//! A yield below goes to whoever resumed the coroutine, which may be several entries further out on the native stack. [`suspend`]
//! *detaches* the entries in between: their records are copied to runs of the thread (`Thread::detached`), the ENTRY frames name the copies,
//! and the native frames are left by a jump to the outermost call of C code among them ([`cfunc::switched`]). Walkers of frames find in a
//! copy what they find in a record. When the callee of a detached entry returns, or an error is caught there (`lua_pcallk`), the C function goes
//! on with its continuation: [`returned`], [`caught`].
//!
//! A C function that yields with a continuation leaves it in the thread (`yield_k`), with status `SUSPENDED_K`.

use traceorus_base::Value;
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;

use crate::call::{self, set_word, word_at};
use crate::cfunc::{self, Boundary, Ended};
use crate::ctx::{LResult, Throw};
use crate::state::Global;
use crate::{coroutine, dispatch, string, throw};

/// Bit of `Thread::ncalls`: entries with continuations are under way, so that a yield has to leave native frames.
pub const CONTINUABLE: u32 = 1 << 31;
/// The part of `Thread::ncalls` that counts what forbids a yield.
const FORBIDDEN: u32 = !CONTINUABLE & !0xffff;
/// `Activation::kind` of `lua_resume`.
pub const ENTRY_RESUME: u32 = 5;
/// `LUA_YIELD`.
pub(crate) const YIELD: usize = 1;

/// Whether native code that cannot be left forbids a yield of `l`.
///
/// # Safety
/// `l` is a live thread.
#[inline]
pub unsafe fn forbidden(l: *mut Thread) -> bool {
    // SAFETY: as promised.
    unsafe { (*l).ncalls & FORBIDDEN != 0 }
}

/// Whether `l` could yield (`lua_isyieldable`).
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn is_yieldable(l: *mut Thread) -> bool {
    // SAFETY: as promised.
    unsafe { l != (*(*l).global).main && !forbidden(l) }
}

/// As `call::call` (or, protected, `call::pcall` without the moving about: the handler is in the slot below `func`) by a C function with a
/// continuation. `func` is the function slot.
///
/// # Safety
/// As `call::call_at`; the thread [`is_yieldable`].
pub unsafe fn enter(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    nresults: i32,
    akind: u32,
    k: u64,
    ctx: i64,
) -> LResult<usize> {
    // SAFETY: as `call::enter`. A yield leaves this frame, which holds nothing to be dropped, after `detach` has copied the record.
    unsafe {
        let g = (*l).global;
        call::check_depth(l)?;
        let off = func.byte_offset_from((*l).stack) as u64;
        let mut c = Continuable {
            act: Activation {
                prev: (*g).activation,
                thread: l,
                prev_base: (*l).base.byte_offset_from((*l).stack) as u64,
                prev_pc: (*l).pc,
                native_sp: (*l).pcall_depth.into(),
                func: off,
                nresults,
                kind: akind,
                bits: activation_bits::CONTINUABLE,
            },
            k,
            ctx,
        };
        let saved = (*l).ncalls;
        (*g).activation = &raw mut c.act;
        (*l).ncalls = (saved + 1) | CONTINUABLE;
        let returned = call::run_entry(l, func, nargs, &raw mut c.act);
        debug_assert!((*g).current == l);
        (*g).activation = c.act.prev;
        (*l).ncalls = saved;
        (*l).pcall_depth = c.act.native_sp as u32;
        if returned {
            let to = (*l).stack.byte_add(off as usize);
            Ok((*l).top.byte_offset_from(to) as usize / 16)
        } else {
            Err(Throw)
        }
    }
}

/// The running coroutine `co` yields the `n` values at `res`, which are its topmost, and gets `status`. Gives the pc where execution
/// goes on: null leaves the interpreter. If native frames have to be left for that, it does not return.
///
/// # Safety
/// `co` [`is_yieldable`]; its running frame is native. Called by functions that keep nothing to be dropped.
pub unsafe fn suspend(co: *mut Thread, res: *mut Value, n: usize, status: u32) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = (*co).global;
        let left = detach(co);
        (*co).status = status;
        let pc = if (*co).resume_kind == 2 {
            coroutine::give_to_native(co, n, YIELD as u32)
        } else {
            let given = coroutine::transfer(co, res, n);
            (*co).top = res;
            match given {
                Ok((r, to, n)) => call::finish_return(r, to, n),
                Err(pc) => pc,
            }
        };
        if left {
            (*g).next_pc = pc;
            cfunc::switched(boundary(g))
        }
        pc
    }
}

/// The call of C code that the activation in force encloses directly: all others under way, and the entries that they made, are given up.
unsafe fn boundary(g: *mut GlobalHot) -> *mut Boundary {
    // SAFETY: there is one: it has made the entries, or it yields.
    unsafe {
        let mut b = (*g).boundary.cast::<Boundary>();
        while (*b).activation != (*g).activation {
            b = (*b).prev;
        }
        // calls of C code by C code without an entry in between do not allow yields
        b
    }
}

/// [`suspend`] of a C function.
///
/// # Safety
/// As [`suspend`], called by C code.
pub unsafe fn suspend_c(co: *mut Thread, res: *mut Value, n: usize, status: u32) -> ! {
    // SAFETY: as promised.
    unsafe {
        let g = (*co).global;
        let pc = suspend(co, res, n, status);
        (*g).next_pc = pc;
        cfunc::switched(boundary(g))
    }
}

/// [`Activation::nresults`] of a detached entry for what is wanted, and back.
pub(crate) fn detached_results(n: i32) -> i32 {
    if n == -1 { -1 } else { -2 - n }
}

/// Copies the records of the entries that `co` is in since it was resumed. False if there are none.
unsafe fn detach(co: *mut Thread) -> bool {
    // SAFETY: all of them are continuable, as the thread may yield. The runs belong to the thread.
    unsafe {
        let g = Global::of((*co).global);
        let mut a = g.hot.activation;
        let older = (*co).detached;
        let mut last: *mut Continuable = std::ptr::null_mut();
        while !a.is_null() && (*a).thread == co && (*a).kind != ENTRY_RESUME {
            debug_assert!((*a).bits & activation_bits::CONTINUABLE != 0);
            let copy = g.heap.alloc_run(size_of::<Continuable>()) as *mut Continuable;
            std::ptr::copy_nonoverlapping(a.cast(), copy, 1);
            (*copy).act.bits |= activation_bits::DETACHED;
            (*copy).act.nresults = detached_results((*a).nresults);
            (*copy).act.prev = older.cast();
            let func = (*co).stack.byte_add((*a).func as usize);
            let tail = word_at(func) & frame::TAIL_BIT;
            set_word(func, frame::word(kind::ENTRY, copy as u64, 0) | tail);
            if last.is_null() {
                (*co).detached = copy;
            } else {
                (*last).act.prev = copy.cast();
            }
            last = copy;
            a = (*a).prev;
        }
        g.hot.activation = a;
        !last.is_null()
    }
}

/// Gives up the records of detached entries whose function slots are at byte offset `level` or above.
///
/// # Safety
/// `l` is a live thread, the frames from there on are given up.
#[inline]
pub unsafe fn drop_detached(l: *mut Thread, level: u64) {
    // SAFETY: the runs belong to the thread; innermost first.
    unsafe {
        while !(*l).detached.is_null() && (*(*l).detached).act.func >= level {
            pop(l);
        }
    }
}

unsafe fn pop(l: *mut Thread) -> (u64, i64) {
    // SAFETY: as above.
    unsafe {
        let c = (*l).detached;
        let r = ((*c).k, (*c).ctx);
        (*l).detached = (*c).act.prev.cast();
        let heap = &mut Global::of((*l).global).heap;
        heap.free_run(c.cast(), size_of::<Continuable>());
        r
    }
}

/// The callee of the innermost detached entry of the running thread `l` has returned: its results are in place, the running frame is that
/// of the C function. Gives the next pc.
///
/// # Safety
/// As said.
pub unsafe fn returned(l: *mut Thread) -> *const Instr {
    // SAFETY: [NATIVE-FRAME] as promised.
    unsafe {
        let a = &(*(*l).detached).act;
        (*l).pcall_depth = a.native_sp as u32;
        if a.kind == 1 {
            // the handler's slot goes
            let from = (*l).stack.byte_add(a.func as usize);
            let n = (*l).top.offset_from(from) as usize;
            std::ptr::copy(from, from.sub(1), n);
            (*l).top = (*l).top.sub(1);
        }
        let (k, ctx) = pop(l);
        continue_c(l, k, YIELD, ctx)
    }
}

/// The registered error of the running thread `l` passes or is caught by entries with continuations: their native frames are left, so that
/// what is pending can be closed by functions that yield. After `lua_pcallk` the C function goes on by the continuation, as it does in Lua's
/// own implementation, whether there was a yield or not.
///
/// # Safety
/// Nothing above the innermost entry catches. Called by functions that keep nothing to be dropped.
pub unsafe fn catch(l: *mut Thread) -> ! {
    // SAFETY: as promised. The frames stay until `caught` gives them up.
    unsafe {
        let g = (*l).global;
        detach(l);
        (*g).next_pc = dispatch::cont_catch();
        cfunc::switched(boundary(g))
    }
}

/// The registered error of the running thread `l` is caught by the detached entry `a` of a protected call: what is pending there is
/// closed by functions that may yield, then the C function goes on. Gives the next pc.
///
/// # Safety
/// The frames above it are given up.
pub(crate) unsafe fn caught(l: *mut Thread, a: *mut Activation) -> *const Instr {
    // SAFETY: [NATIVE-FRAME] the frame of the C function is in order.
    unsafe {
        (*l).pcall_depth = (*a).native_sp as u32;
        let base = (*l).stack.byte_add((*a).prev_base as usize);
        caught_again(l, base)
    }
}

/// [`caught`] by the C function whose frame has this base, the innermost detached entry of which has caught an error before; this one is of
/// a `__close` function.
///
/// # Safety
/// As [`caught`].
pub(crate) unsafe fn caught_again(l: *mut Thread, base: *mut Value) -> *const Instr {
    // SAFETY: [STACK-STABLE] the function slot of the entry is free for the error, what is pending is above it.
    unsafe {
        let g = (*l).global;
        (*l).base = base;
        // entries above that one are given up
        while (*(*l).detached).act.prev_base != base.byte_offset_from((*l).stack) as u64 {
            pop(l);
        }
        let act = &mut (*(*l).detached).act;
        act.native_sp = (*g).error_status.into();
        let level = act.func as usize / 16;
        *(*l).stack.add(level) = std::mem::replace(&mut (*g).error_value, Value::NIL);
        (*g).error_handled = 0;
        let end = throw::compact_tbc(l, level + 1, level + 1);
        (*l).top = (*l).stack.add(end);
        call::shrink_after_error(l);
        continue_caught(l)
    }
}

/// Closes the next value that is pending for the running C function, whose innermost detached entry has caught an error; or goes on with it.
///
/// # Safety
/// Prepared by [`caught`].
pub(crate) unsafe fn continue_caught(l: *mut Thread) -> *const Instr {
    // SAFETY: [NATIVE-FRAME] as said.
    unsafe {
        let level = (*(*l).detached).act.func as usize / 16;
        if let Some(off) = throw::pop_tbc(l, level + 1) {
            return throw::close_one(l, off, level);
        }
        let status = (*(*l).detached).act.native_sp as usize;
        let (k, ctx) = pop(l);
        let error = (*l).stack.add(level);
        *error.sub(1) = *error;
        (*l).top = error;
        continue_c(l, k, status, ctx)
    }
}

/// The message handler that was given for the innermost detached entry of `l`, which has caught an error.
///
/// # Safety
/// As [`continue_caught`].
pub(crate) unsafe fn caught_handler(l: *mut Thread) -> Option<Value> {
    // SAFETY: [STACK-STABLE] it is in the slot below the function.
    unsafe {
        let h = *(*l)
            .stack
            .byte_add((*(*l).detached).act.func as usize)
            .sub(1);
        (!h.is_nil()).then_some(h)
    }
}

/// Goes on with the C function that runs in `l`, by its continuation.
///
/// # Safety
/// [NATIVE-FRAME]
pub unsafe fn continue_c(l: *mut Thread, k: u64, status: usize, ctx: i64) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        let args = [cfunc::state_of(l) as usize, status, ctx as usize];
        match cfunc::call_c(l, k as usize, args) {
            Ended::Returned(n) => end_c(l, n as i32 as i64),
            Ended::Raised => throw::raise((*g).current),
            Ended::Switched => (*g).next_pc,
        }
    }
}

/// The C function that runs in `l` has returned `n` values, or (when it yielded without a continuation) was resumed with them.
///
/// # Safety
/// [NATIVE-FRAME] the values are on top.
pub(crate) unsafe fn end_c(l: *mut Thread, n: i64) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let g = (*l).global;
        match cfunc::close_frame(l, n) {
            -1 => throw::raise(l),
            -2 => (*g).next_pc,
            n => call::native_return(l, n as usize),
        }
    }
}

/// `lua_resume`: starts or goes on with `co`, which has `nargs` arguments on its stack. Gives the status and how many of the values on
/// the stack of `co` are results; after an error its value is on top.
///
/// # Safety
/// [GC-LIVE] `co` is live. Called by native code that the running thread waits for.
pub unsafe fn resume(co: *mut Thread, nargs: usize) -> (u32, usize) {
    // SAFETY: as promised. The record outlives the run: whatever ends or suspends the coroutine leaves the interpreter.
    unsafe {
        let g = (*co).global;
        let l = (*g).current;
        if let Some(msg) = coroutine::refusal(l, co, nargs) {
            let text = string::str_val(Global::of(g).str_new(msg.as_bytes()));
            (*co).top = (*co).top.sub(nargs);
            text.store((*co).top);
            (*co).top = (*co).top.add(1);
            if (*co).status == thread_status::ERROR {
                coroutine::set_death(co, text);
            }
            return (2, 1);
        }
        let mut act = Activation {
            prev: (*g).activation,
            thread: co,
            prev_base: 0,
            prev_pc: std::ptr::null(),
            native_sp: 0,
            func: 0,
            nresults: 0,
            kind: ENTRY_RESUME,
            bits: 0,
        };
        let before = (*l).dispatch;
        (*g).activation = &mut act;
        let pc = coroutine::go_on(l, co, nargs, 2);
        if !pc.is_null() {
            dispatch::run((*g).current, pc);
        }
        debug_assert!((*g).current == l && (*g).activation == &raw mut act);
        (*g).activation = act.prev;
        dispatch::keep_back(l, before);
        (act.native_sp as u32, act.nresults as usize)
    }
}
