//! Calls and returns: the slow, complete paths. Emitted code does the common cases itself with the same frames.
//!
//! [`precall`] starts a call and gives the pc to go on at (a Lua function) or, having run it to its end, the pc after
//! the return (a native function). [`finish_return`] ends a frame of any kind. A null pc leaves the interpreter.

use traceorus_base::bytecode::{self, CALL_WORDS, MULTI, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::ctx::{Ctx, LResult, Throw};
use crate::state::Global;
use crate::{ccall, cfunc, coroutine, debuginfo, dispatch, exec, helpers, hooks, jithooks, throw};

/// Slots that every stack has beyond `limit`: room for what emitted code and helpers push without a test.
pub const EXTRA: usize = 16;
/// Most slots of a stack (LUAI_MAXSTACK).
pub const MAX_STACK: usize = 1_000_000;
/// Extra slots for handling a stack overflow.
const ERROR_EXTRA: usize = 200;
/// Slots that a native function may use without asking (LUA_MINSTACK).
pub const MIN_NATIVE: usize = 20;
/// Native calls nested in one thread (LUAI_MAXCCALLS).
pub const MAX_CCALLS: u32 = 200;
/// Stress mode moves a stack of so many slots, or fewer, at each call.
const STRESSED_SLOTS: u64 = 512;

/// The frame word of the frame whose function slot is `func`.
///
/// # Safety
/// `func` is the function slot of a frame.
#[inline(always)]
pub unsafe fn word_at(func: *const Value) -> u64 {
    // SAFETY: tag and aux together are the word.
    unsafe { *(&raw const (*func).tag as *const u64) }
}

/// Writes a frame word.
///
/// # Safety
/// As [`word_at`].
#[inline(always)]
pub unsafe fn set_word(func: *mut Value, w: u64) {
    // SAFETY: as above.
    unsafe { *(&raw mut (*func).tag as *mut u64) = w }
}

/// The running Lua closure's frame size.
#[inline(always)]
unsafe fn frame_size_of(base: *const Value) -> Option<usize> {
    // SAFETY: [GC-LIVE] the function slot holds a closure (or null at the bottom of a thread).
    unsafe {
        let f = (*base.sub(1)).payload as *const GcHeader;
        if !f.is_null() && (*f).kind == ObjKind::LuaClosure as u8 {
            Some((*(*(f as *const LuaClosure)).proto).frame_size as usize)
        } else {
            None
        }
    }
}

/// First slot above everything that the running frame uses.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn scratch_top(l: *mut Thread) -> *mut Value {
    // SAFETY: [STACK-STABLE]
    unsafe {
        match frame_size_of((*l).base) {
            // multi-results may lie above the frame
            Some(n) => (*l).base.add(n).max(if (*l).top > (*l).base {
                (*l).top
            } else {
                (*l).base
            }),
            None => (*l).top,
        }
    }
}

unsafe fn realloc_stack(l: *mut Thread, slots: usize) {
    // SAFETY: the new run holds everything the old one did; pointers into the stack are rebased.
    unsafe {
        let g = Global::of((*l).global);
        let old = (*l).stack;
        let old_slots = (*l).stack_slots as usize;
        let new = g.heap.alloc_run(slots * 16) as *mut Value;
        std::ptr::copy_nonoverlapping(old, new, old_slots.min(slots));
        let shift = |p: *mut Value| new.byte_offset(p.byte_offset_from(old));
        (*l).base = shift((*l).base);
        (*l).top = shift((*l).top);
        (*l).stack = new;
        (*l).stack_slots = slots as u64;
        (*l).limit = new.add(slots - EXTRA);
        if g.hot.poll & poll::INTERRUPT != 0 {
            // asked for in the meantime, perhaps: see `state::request_interrupt`
            (*l).limit = std::ptr::null_mut();
        }
        if cfg!(debug_assertions) || g.stack_stress {
            std::ptr::write_bytes(old as *mut u8, 0xDD, old_slots * 16);
        }
        g.heap.free_run(old as *mut u8, old_slots * 16);
    }
}

/// Makes `top` (an address in the stack of `l`) lie within the limit. False when the hard limit forbids it, or for want of
/// memory.
unsafe fn grow_to(l: *mut Thread, top: *mut Value, max: usize) -> bool {
    // SAFETY: [STACK-STABLE] ends here: the stack may move.
    unsafe {
        let need = top.offset_from((*l).stack) as usize + EXTRA;
        let have = (*l).stack_slots as usize;
        if need <= have {
            return true;
        }
        if need > max + EXTRA {
            return false;
        }
        let slots = (have * 2).max(need + 8).min(max + EXTRA);
        if Global::of((*l).global).heap.reserve(slots * 16).is_err() {
            return false;
        }
        realloc_stack(l, slots);
        true
    }
}

/// Room for `n` slots above `at`; raises "stack overflow" or "not enough memory". The stack may move: offsets survive,
/// addresses do not. May collect: `roots` are values that are not in a frame yet (or an empty slice).
///
/// # Safety
/// `at` is in the stack of the live thread `l`, whose frames are in order; [GC-LIVE] the roots are live.
#[inline]
pub unsafe fn need(l: *mut Thread, at: *mut Value, n: usize, roots: &[Value]) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        if at.wrapping_add(n) <= (*l).limit && !Global::of((*l).global).stack_stress {
            return Ok(());
        }
        need_slow(l, at, n, roots)
    }
}

#[cold]
unsafe fn need_slow(l: *mut Thread, at: *mut Value, n: usize, roots: &[Value]) -> LResult<()> {
    // SAFETY: as promised by `need`. The roots are not used any more once the stack has moved.
    unsafe {
        let g = Global::of((*l).global);
        if g.stack_stress && at.wrapping_add(n) <= (*l).limit {
            // in proportion to its size, or deep recursion would take time that is quadratic in its depth
            g.stack_calm += 1;
            if u64::from(g.stack_calm) * STRESSED_SLOTS >= (*l).stack_slots {
                g.stack_calm = 0;
                realloc_stack(l, (*l).stack_slots as usize);
            }
            return Ok(());
        }
        let top = at.wrapping_add(n);
        let off = top.offset_from((*l).stack);
        // an interrupt: calls see it here, loops at their polls
        let asked = (*l).limit.is_null();
        if asked {
            (*l).limit = (*l).stack.add((*l).stack_slots as usize - EXTRA);
        }
        if top > (*l).limit {
            g.rooted(roots, |_| grow(l, top))?;
        }
        if asked {
            return interrupted(l, (*l).stack.offset(off));
        }
        Ok(())
    }
}

/// Makes room for `n` slots above `at` if that can be done without an error.
///
/// # Safety
/// As [`need`], with nothing that is not in a frame; nothing collects.
pub unsafe fn make_room(l: *mut Thread, at: *mut Value, n: usize) {
    // SAFETY: as promised. An interrupt that was asked for (no limit) is left alone.
    unsafe {
        let (top, limit) = (at.wrapping_add(n), (*l).limit);
        if !limit.is_null() && top > limit {
            grow_to(l, top, MAX_STACK);
        }
    }
}

unsafe fn grow(l: *mut Thread, top: *mut Value) -> LResult<()> {
    // SAFETY: as promised by `need`.
    unsafe {
        if grow_to(l, top, MAX_STACK) {
            return Ok(());
        }
        let handling = (*l).stack_slots as usize > MAX_STACK + EXTRA;
        if handling && grow_to(l, top, MAX_STACK + ERROR_EXTRA) {
            return Ok(());
        }
        if top.offset_from((*l).stack) as usize <= MAX_STACK {
            return Err(throw::out_of_memory(l));
        }
        if handling {
            return Err(throw::error_in_error(l));
        }
        throw::reserve(l, (MAX_STACK + ERROR_EXTRA + EXTRA) * 16)?;
        realloc_stack(l, MAX_STACK + ERROR_EXTRA + EXTRA);
        Err(throw::run_error(l, "stack overflow"))
    }
}

/// Runs the interrupt function between two instructions' effects: what is below `top` stays as it is.
unsafe fn interrupted(l: *mut Thread, top: *mut Value) -> LResult<()> {
    // SAFETY: the interrupt function neither calls Lua code nor collects; it looks at clocks and flags.
    unsafe {
        let g = Global::of((*l).global);
        let Some(f) = g.interrupt else { return Ok(()) };
        if g.hot.poll & poll::INTERRUPT == 0 {
            return Ok(());
        }
        std::sync::atomic::AtomicU32::from_ptr(&raw mut g.hot.poll)
            .fetch_and(!poll::INTERRUPT, std::sync::atomic::Ordering::Relaxed);
        let saved = (*l).top.offset_from((*l).stack);
        (*l).top = top;
        let r = f(Ctx::new(l));
        (*l).top = (*l).stack.offset(saved);
        r
    }
}

/// Whether C code may count on room that it has asked for in the stack of `l` (`lua_checkstack`): such a stack keeps its size.
unsafe fn counted_on(l: *mut Thread) -> bool {
    // SAFETY: `l` is live.
    unsafe { (*l).hdr.flags & flags::THREAD_OPEN != 0 || !(*(*l).global).boundary.is_null() }
}

/// After an overflow was handled: back to a normal stack, if what is in use fits.
///
/// # Safety
/// `l` is a live thread; nobody holds addresses into its stack.
pub unsafe fn shrink_after_error(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe {
        if (*l).stack_slots as usize > MAX_STACK + EXTRA {
            let used = scratch_top(l).offset_from((*l).stack) as usize;
            if used + EXTRA < MAX_STACK {
                let least = if counted_on(l) { MAX_STACK } else { 256 };
                realloc_stack(l, (used * 2).clamp(least, MAX_STACK) + EXTRA);
            }
        }
    }
}

/// Gives back most of a stack that is nearly empty (a deep recursion is over).
///
/// # Safety
/// As [`shrink_after_error`].
pub unsafe fn shrink_idle(l: *mut Thread) {
    const SMALL: usize = 4096;
    // SAFETY: as promised.
    unsafe {
        let slots = (*l).stack_slots as usize;
        if slots > SMALL && !counted_on(l) {
            let used = scratch_top(l).offset_from((*l).stack) as usize + EXTRA;
            if used < slots / 8 {
                realloc_stack(l, (used * 2).max(SMALL / 4));
            }
        }
    }
}

/// Room for `n` more values above `top` of a native frame, beyond the hard limit if it must be. Aborts the process for want of memory.
///
/// # Safety
/// `l` is a live thread whose running frame is native.
pub unsafe fn ensure_slots(l: *mut Thread, n: usize) {
    // SAFETY: as promised.
    unsafe {
        if let Some(slots) = wanted_slots(l, n) {
            realloc_stack(l, slots);
        }
    }
}

/// [`ensure_slots`], if there is memory. Nothing is collected for it.
///
/// # Safety
/// As [`ensure_slots`].
pub unsafe fn ensure_slots_now(l: *mut Thread, n: usize) -> bool {
    // SAFETY: as promised.
    unsafe {
        if let Some(slots) = wanted_slots(l, n) {
            if !Global::of((*l).global).heap.reserve_now(slots * 16) {
                return false;
            }
            realloc_stack(l, slots);
        }
        true
    }
}

/// The size that the stack needs for `n` more values above `top`, if it has another one.
unsafe fn wanted_slots(l: *mut Thread, n: usize) -> Option<usize> {
    // SAFETY: as `ensure_slots`.
    unsafe {
        let slots = (*l).top.offset_from((*l).stack) as usize + n + EXTRA;
        let have = (*l).stack_slots as usize;
        (slots > have).then(|| slots.max((have * 2).min(MAX_STACK + EXTRA)))
    }
}

/// Room for `n` more values within the hard limit?
///
/// # Safety
/// As [`ensure_slots`].
pub unsafe fn try_ensure_slots(l: *mut Thread, n: usize) -> bool {
    // SAFETY: as promised.
    unsafe {
        let used = (*l).top.offset_from((*l).stack) as usize;
        used + n <= MAX_STACK && grow_to(l, (*l).top.wrapping_add(n), MAX_STACK)
    }
}

/// The `n` values from `at` on: what is called and its arguments.
///
/// # Safety
/// They are in a stack; the slice is not used any more once that has moved [STACK-STABLE].
pub(crate) unsafe fn slots<'a>(at: *const Value, n: usize) -> &'a [Value] {
    // SAFETY: as promised.
    unsafe { std::slice::from_raw_parts(at, n) }
}

// ---- starting calls --------------------------------------------------------------------------------------------

/// Calls what is in `func` with the `nargs` values above it. `word` becomes the frame's word; the running frame is the
/// caller's. Gives the next pc (see the module).
///
/// # Safety
/// [STACK-STABLE] `func` and the arguments are in the stack of the running thread `l`, above its live slots.
pub unsafe fn precall(
    l: *mut Thread,
    mut func: *mut Value,
    mut nargs: usize,
    word: u64,
) -> *const Instr {
    // SAFETY: as promised; `func` is recomputed after every growth of the stack.
    unsafe {
        for _ in 0..exec::MAX_LOOP {
            let f = *func;
            if f.tag == Tag::FUNCTION {
                let h = f.as_ptr::<GcHeader>();
                return if (*h).kind == ObjKind::LuaClosure as u8 {
                    enter_lua(l, func, nargs, word, h as *mut LuaClosure)
                } else {
                    enter_native(l, func, nargs, word, h as *mut NativeClosure)
                };
            }
            let g = Global::of((*l).global);
            let mm = exec::metamethod(g, f, MetaMethod::Call);
            if mm.is_nil() {
                debuginfo::call_error(l, f);
                return fail(l, func, word);
            }
            dispatch::cache_meta(g, f, MetaMethod::Call, mm);
            let off = func.offset_from((*l).stack);
            if need(l, func, nargs + 2, slots(func, nargs + 1)).is_err() {
                return fail(l, (*l).stack.offset(off), word);
            }
            func = (*l).stack.offset(off);
            for i in (0..=nargs).rev() {
                *func.add(i + 1) = *func.add(i);
            }
            *func = mm;
            nargs += 1;
        }
        throw::run_error(l, "'__call' chain too long; possible loop");
        fail(l, func, word)
    }
}

/// [`precall`] of the closure in `func`, whatever its tag says, for header handlers. The pc of the running frame is not known yet.
///
/// # Safety
/// As [`precall`]; the running frame is the caller's or, after a tail call, already that of `func`.
pub(crate) unsafe fn enter_closure(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    word: u64,
) -> *const Instr {
    // SAFETY: [STACK-STABLE] as promised.
    unsafe {
        let h = (*func).payload as *mut GcHeader;
        if (*h).kind != ObjKind::LuaClosure as u8 {
            return enter_native(l, func, nargs, word, h as *mut NativeClosure);
        }
        let cl = h as *mut LuaClosure;
        (*l).pc = if (*l).base == func.add(1) {
            (*cl).pc
        } else if frame::kind_of(word) == kind::PCALL {
            // pcall's own frame is below
            frame::addr_of(word_at(func.sub(frame::delta_of(word) as usize))) as *const Instr
        } else {
            frame::addr_of(word) as *const Instr
        };
        enter_lua(l, func, nargs, word, cl)
    }
}

/// Raises the registered error in place of a call. A frame of a kind that may catch it, or that an entry from native
/// code waits for, must be there: an empty one.
#[cold]
unsafe fn fail(l: *mut Thread, func: *mut Value, word: u64) -> *const Instr {
    // SAFETY: [STACK-STABLE] `func` is in the stack; the slots above the limit hold the empty frame.
    unsafe {
        if !matches!(frame::kind_of(word), kind::LUA | kind::TAIL) {
            (*func).payload = 0;
            set_word(func, word);
            (*l).base = func.add(1);
            (*l).top = (*l).base;
        }
        throw::raise(l)
    }
}

/// [`precall`] of a Lua function.
///
/// # Safety
/// As [`precall`]; the value in `func` is, or was, `cl`.
pub(crate) unsafe fn enter_lua(
    l: *mut Thread,
    mut func: *mut Value,
    nargs: usize,
    word: u64,
    cl: *mut LuaClosure,
) -> *const Instr {
    // SAFETY: [STACK-STABLE] re-established after `need`; [GC-LIVE] the closure is in `func`.
    unsafe {
        let p = (*cl).proto;
        let (fs, np) = ((*p).frame_size as usize, (*p).nparams as usize);
        let vararg = (*p).is_vararg != 0;
        let room = if vararg {
            nargs.max(np) + 1 + fs
        } else {
            fs.max(nargs)
        };
        let off = func.offset_from((*l).stack);
        if need(l, func, room + 1, slots(func, nargs + 1)).is_err() {
            return fail(l, (*l).stack.offset(off), word);
        }
        func = (*l).stack.offset(off);
        let mut base = func.add(1);
        (*func).payload = cl as u64;
        set_word(func, word);
        for i in nargs..np {
            *base.add(i) = Value::NIL;
        }
        if vararg {
            let new = base.add(nargs.max(np) + 1);
            let delta = nargs.max(np) + 1;
            (*new.sub(1)).payload = cl as u64;
            set_word(new.sub(1), frame::vararg_word(delta as u64));
            for i in 0..np {
                *new.add(i) = *base.add(i);
            }
            // how many extra arguments there are follows from delta and nparams
            base = new;
        }
        (*l).base = base;
        (*l).pc = (*cl).pc;
        if (*l).hook_mask & hooks::MASK_CALL != 0 && (*l).allow_hook != 0 {
            (*l).top = base;
            if hooks::hook_call(
                l,
                frame::kind_of(word) == kind::TAIL || word & frame::TAIL_BIT != 0,
            )
            .is_err()
            {
                return throw::raise(l);
            }
        }
        let header = (*cl).pc.sub(1);
        if jithooks::ran_out(l, header) {
            jithooks::hot(l, header, (*cl).pc);
        }
        (*cl).pc
    }
}

/// Calls a native function in a frame of its own and returns from it.
unsafe fn enter_native(
    l: *mut Thread,
    mut func: *mut Value,
    nargs: usize,
    word: u64,
    nc: *mut NativeClosure,
) -> *const Instr {
    // SAFETY: as in `enter_lua`.
    unsafe {
        let off = func.offset_from((*l).stack);
        if need(l, func, nargs + 1 + MIN_NATIVE, slots(func, nargs + 1)).is_err() {
            return fail(l, (*l).stack.offset(off), word);
        }
        func = (*l).stack.offset(off);
        (*func).payload = nc as u64;
        set_word(func, word);
        (*l).base = func.add(1);
        (*l).top = func.add(1 + nargs);
        run_native(l, nc)
    }
}

/// Runs the native function whose frame is set up, and returns from it.
///
/// # Safety
/// The running frame of `l` is one of `nc`.
pub unsafe fn run_native(l: *mut Thread, nc: *mut NativeClosure) -> *const Instr {
    // SAFETY: [NATIVE-FRAME] as promised.
    unsafe {
        let hooked =
            (*l).hook_mask & (hooks::MASK_CALL | hooks::MASK_RET) != 0 && (*l).allow_hook != 0;
        if hooked && (*l).hook_mask & hooks::MASK_CALL != 0 {
            let w = word_at((*l).base.sub(1));
            let tail = frame::kind_of(w) == kind::TAIL
                || frame::kind_of(w) != kind::LUA && w & frame::TAIL_BIT != 0;
            if hooks::hook_call(l, tail).is_err() {
                return throw::raise(l);
            }
        }
        // the thread may end and be collected with the call
        let g = (*l).global;
        match ((*nc).func)(l) {
            -1 => throw::raise((*g).current),
            -2 => (*g).next_pc,
            n => {
                debug_assert!(n >= 0 && (*l).top >= (*l).base);
                native_return(l, n as usize)
            }
        }
    }
}

/// Tests in debug builds that the running native frame has `n` results.
#[inline(always)]
unsafe fn check_results(l: *mut Thread, n: i64) {
    // SAFETY: as the callers.
    unsafe {
        debug_assert!(
            n as isize <= (*l).top.offset_from((*l).base),
            "a native function returns more results than there are values"
        );
    }
}

/// Returns from the running native frame with the topmost `n` values, then does pending work.
///
/// # Safety
/// The running frame of `l` is native and holds at least `n` values.
pub unsafe extern "C" fn native_return(l: *mut Thread, n: usize) -> *const Instr {
    // SAFETY: [NATIVE-FRAME] as promised.
    unsafe {
        let g = (*l).global;
        check_results(l, n as i64);
        let pc = finish_return(l, (*l).top.sub(n), n);
        if (*g).poll != 0 && !pc.is_null() {
            // the end of a coroutine's body has gone on in another thread
            return poll_at((*g).current, pc);
        }
        pc
    }
}

/// Does pending work before the instruction at `pc`, unless that one consumes multiple results.
///
/// # Safety
/// `pc` is the next instruction of the running frame of `l`, a Lua frame, or its frame is native.
pub unsafe fn poll_at(l: *mut Thread, pc: *const Instr) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        if frame_size_of((*l).base).is_some() {
            let op = dispatch::op_at(pc);
            if matches!(op, Op::CallM | Op::TailCallM | Op::RetM | Op::SetListM)
                || op == Op::RetC && bytecode::b(*pc) == MULTI
            {
                return pc;
            }
            (*l).pc = pc;
            (*l).top = (*l).base;
        }
        match exec::safepoint(l) {
            Ok(()) => pc,
            Err(Throw) => throw::raise(l),
        }
    }
}

/// Starts the call of a metamethod (or `__close`) on behalf of the instruction at `pc` of the running Lua frame:
/// `args[0]` is the function. What happens to its results is up to [`helpers::finish_op`].
///
/// # Safety
/// `l` runs the Lua frame at `pc`.
pub unsafe fn call_meta(l: *mut Thread, pc: *const Instr, args: &[Value]) -> *const Instr {
    // SAFETY: [STACK-STABLE] the slots above the frame are free.
    unsafe {
        let n = frame_size_of((*l).base).unwrap_or(0);
        call_meta_at(l, pc, args, n)
    }
}

/// As [`call_meta`] with the function slot at register `slot`.
///
/// # Safety
/// As [`call_meta`]; no live slot is at `slot` or above.
pub unsafe fn call_meta_at(
    l: *mut Thread,
    pc: *const Instr,
    args: &[Value],
    slot: usize,
) -> *const Instr {
    // SAFETY: as promised.
    unsafe { call_meta_full(l, pc, args, slot, 0) }
}

/// As [`call_meta_at`]; `bits` (`frame::FULL_BIT` or 0) go into the frame word.
///
/// # Safety
/// As [`call_meta`].
pub unsafe fn call_meta_full(
    l: *mut Thread,
    pc: *const Instr,
    args: &[Value],
    slot: usize,
    bits: u64,
) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        (*l).pc = pc;
        if need(l, (*l).base.add(slot), args.len() + 1, args).is_err() {
            return throw::raise(l);
        }
        let func = (*l).base.add(slot);
        for (i, &a) in args.iter().enumerate() {
            *func.add(i) = a;
        }
        precall(
            l,
            func,
            args.len() - 1,
            frame::word(kind::CONT, pc as u64, slot as u64 + 1) | bits,
        )
    }
}

// ---- ending calls ----------------------------------------------------------------------------------------------

/// Ends the running frame of `l` with the `n` results at `res` and gives the next pc.
///
/// # Safety
/// `res` is in the stack of the running thread `l`.
pub unsafe fn finish_return(mut l: *mut Thread, mut res: *mut Value, mut n: usize) -> *const Instr {
    // SAFETY: [STACK-STABLE] frames are well formed; nothing here grows a stack but `coroutine::transfer`, which
    // gives new addresses.
    unsafe {
        let mut ended = true;
        let mut base = (*l).base;
        loop {
            // the mask is for the event itself; the line that the caller goes on with matters to others, too
            if ended && (*l).hook_mask != 0 && (*l).allow_hook != 0 {
                let off = res.offset_from((*l).stack);
                if hooks::hook_return(l, res, n).is_err() {
                    return throw::raise(l);
                }
                res = (*l).stack.offset(off);
                base = (*l).base;
            }
            ended = false;
            let func = base.sub(1);
            let w = word_at(func);
            match frame::kind_of(w) {
                kind::LUA | kind::TAIL => {
                    let pc = frame::addr_of(w) as *const Instr;
                    let ins = *pc;
                    let wanted = bytecode::c(ins);
                    if wanted == MULTI {
                        copy_down(func, res, n);
                        (*l).top = func.add(n);
                    } else {
                        let k = (wanted as usize).min(n);
                        copy_down(func, res, k);
                        for i in k..wanted as usize {
                            *func.add(i) = Value::NIL;
                        }
                    }
                    (*l).base = func.byte_sub(bytecode::a(ins) as usize);
                    return pc.add(CALL_WORDS);
                }
                kind::VARARG => base = base.sub(frame::delta_of(w) as usize),
                kind::CONT => {
                    let pc = frame::addr_of(w) as *const Instr;
                    let delta = frame::delta_of(w) as usize;
                    (*l).base = base.sub(delta);
                    (*l).pc = pc;
                    return helpers::finish_op(l, pc, res, n, delta);
                }
                kind::PCALL => {
                    (*l).pcall_depth = (frame::addr_of(w) >> 3) as u32;
                    let pb = base.sub(frame::delta_of(w) as usize);
                    copy_down(pb.add(1), res, n);
                    *pb = Value::TRUE;
                    (*l).base = pb;
                    (*l).top = pb.add(n + 1);
                    base = pb;
                    res = pb;
                    n += 1;
                    ended = true;
                }
                kind::CLOSING => {
                    (*l).base = base.sub(frame::delta_of(w) as usize);
                    if w & frame::RETURNING_BIT != 0 {
                        return cfunc::continue_return(l, func.sub(1));
                    }
                    return throw::continue_close(l);
                }
                kind::ENTRY => {
                    let act = frame::addr_of(w) as *mut Activation;
                    let g = (*l).global;
                    let to = (*l).stack.byte_add((*act).func as usize);
                    let want = match (*act).nresults {
                        want @ ..-1 => ccall::detached_results(want),
                        want => want,
                    };
                    let count = if want < 0 { n } else { want as usize };
                    let k = count.min(n);
                    copy_down(to, res, k);
                    for i in k..count {
                        *to.add(i) = Value::NIL;
                    }
                    (*l).top = to.add(count);
                    (*l).base = (*l).stack.byte_add((*act).prev_base as usize);
                    (*l).pc = (*act).prev_pc;
                    if (*act).bits & activation_bits::DETACHED != 0 {
                        return ccall::returned(l);
                    }
                    (*g).exit_status = 0;
                    return std::ptr::null();
                }
                kind::BASE => {
                    if (*l).resume_kind == 2 {
                        return coroutine::finish_to_native(l, func, res, n);
                    }
                    match coroutine::finish(l, res, n) {
                        Ok(next) => (l, res, n) = next,
                        Err(pc) => return pc,
                    }
                    base = (*l).base;
                    ended = true;
                }
                k => unreachable!("frame kind {k}"),
            }
        }
    }
}

#[inline]
unsafe fn copy_down(to: *mut Value, from: *mut Value, n: usize) {
    // SAFETY: both ranges are in one stack; ascending order is right because `to <= from`, or they do not overlap.
    unsafe {
        if to != from {
            std::ptr::copy(from, to, n);
        }
    }
}

// ---- calls from native code ---------------------------------------------------------------------------------------

/// Calls the function at `func` (with `nargs` values above it) from native code and runs until it returns. Results
/// replace it; `Thread::top` is above them. Not yieldable.
///
/// # Safety
/// [STACK-STABLE] `func` is above the live slots of the running frame of `l`.
pub unsafe fn call_at(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    nresults: i32,
) -> LResult<usize> {
    // SAFETY: as promised.
    unsafe { enter(l, func, nargs, nresults, 0) }
}

/// [`call_at`] by an entry of the kind `akind`.
///
/// # Safety
/// As [`call_at`].
pub(crate) unsafe fn enter(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    nresults: i32,
    akind: u32,
) -> LResult<usize> {
    // SAFETY: as promised.
    unsafe {
        let returned = |l, act| Ok(results(l, act));
        enter_here(l, func, nargs, nresults, akind, returned, |_, _| Err(Throw))
    }
}

/// How many results the entry `act` has left on the stack of `l`.
#[inline(always)]
unsafe fn results(l: *mut Thread, act: *const Activation) -> usize {
    // SAFETY: [STACK-STABLE] the entry has returned.
    unsafe {
        let to = (*l).stack.byte_add((*act).func as usize);
        (*l).top.byte_offset_from(to) as usize / 16
    }
}

/// [`enter`], expanded where it is used: each frame of native code less is a return less that the processor mispredicts after an error.
/// Ends in `returned`, or, with an error registered, in `failed`, which gets the offset of the function slot in slots.
#[inline(always)]
unsafe fn enter_here<R>(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    nresults: i32,
    akind: u32,
    returned: impl FnOnce(*mut Thread, *const Activation) -> R,
    failed: impl FnOnce(*mut Thread, usize) -> R,
) -> R {
    // SAFETY: as in `call_at`.
    unsafe {
        if (*l).ncalls & 0xffff < MAX_CCALLS {
            enter_checked(l, func, nargs, nresults, akind, returned, failed)
        } else {
            enter_deep(l, func, nargs, nresults, akind, returned, failed)
        }
    }
}

/// [`enter_here`] where calls are nested deep.
#[cold]
unsafe fn enter_deep<R>(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    nresults: i32,
    akind: u32,
    returned: impl FnOnce(*mut Thread, *const Activation) -> R,
    failed: impl FnOnce(*mut Thread, usize) -> R,
) -> R {
    // SAFETY: as in `call_at`.
    unsafe {
        let off = func.offset_from((*l).stack) as usize;
        match check_depth(l) {
            Ok(()) => enter_checked(l, func, nargs, nresults, akind, returned, failed),
            Err(Throw) => failed(l, off),
        }
    }
}

/// [`enter_here`], the depth being tested. What is needed after the call is taken from the record: no registers have to be kept for it.
#[inline(always)]
unsafe fn enter_checked<R>(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    nresults: i32,
    akind: u32,
    returned: impl FnOnce(*mut Thread, *const Activation) -> R,
    failed: impl FnOnce(*mut Thread, usize) -> R,
) -> R {
    // SAFETY: as in `call_at`; the activation outlives the frame that names it, because the interpreter is left
    // only through that frame's return or through `throw::raise`, which pops it.
    unsafe {
        let g = (*l).global;
        let saved = (*l).ncalls;
        let mut act = Activation {
            prev: (*g).activation,
            thread: l,
            prev_base: (*l).base.byte_offset_from((*l).stack) as u64,
            prev_pc: (*l).pc,
            native_sp: u64::from((*l).pcall_depth) << 32 | u64::from(saved),
            func: func.byte_offset_from((*l).stack) as u64,
            nresults,
            kind: akind,
            bits: 0,
        };
        let act = &raw mut act;
        (*g).activation = act;
        (*l).ncalls = saved + 0x1_0001;
        let ended = run_entry(l, func, nargs, act);

        let l = (*act).thread;
        let g = (*l).global;
        debug_assert!((*g).current == l);
        (*g).activation = (*act).prev;
        (*l).ncalls = (*act).native_sp as u32;
        let depth = ((*act).native_sp >> 32) as u32;
        if ended {
            debug_assert_eq!((*l).pcall_depth, depth);
            returned(l, act)
        } else {
            (*l).pcall_depth = depth;
            failed(l, (*act).func as usize / 16)
        }
    }
}

/// Raises if native calls are nested too deep.
///
/// # Safety
/// `l` is the running thread.
#[inline(always)]
pub(crate) unsafe fn check_depth(l: *mut Thread) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        let depth = (*l).ncalls & 0xffff;
        if depth >= MAX_CCALLS {
            c_overflow(l, depth)?;
        }
        Ok(())
    }
}

/// Calls the function at `func` with the `nargs` values above it and runs until the entry `act` is left. True: it has returned;
/// false: an error is registered.
///
/// # Safety
/// As [`call_at`]; `act` is the activation in force.
#[inline(always)]
pub(crate) unsafe fn run_entry(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    act: *mut Activation,
) -> bool {
    // SAFETY: as promised; [GC-LIVE] a function is a closure.
    unsafe {
        let word = frame::word(kind::ENTRY, act as u64, 0);
        if (*func).tag == Tag::FUNCTION {
            let h = (*func).as_ptr::<GcHeader>();
            if (*h).kind == ObjKind::LuaClosure as u8 {
                if let Some(pc) = enter_fixed(l, func, nargs, word, h.cast()) {
                    let anchor = pc.sub(1).cast_mut();
                    if bytecode::c(*anchor) == bytecode::HEADER_JFUNCF {
                        dispatch::run_from(l, pc, jithooks::function_counter(anchor));
                    } else if jithooks::count(anchor) {
                        enter_hot(l, pc);
                    } else {
                        dispatch::run(l, pc);
                    }
                    return (*(*(*act).thread).global).exit_status == 0;
                }
            } else if func.wrapping_add(nargs + 1 + MIN_NATIVE) <= (*l).limit
                && (*l).hook_mask == 0
                && !Global::of((*l).global).stack_stress
            {
                // `enter_native`, as long as nothing is to be done but the call
                set_word(func, word);
                (*l).base = func.add(1);
                (*l).top = func.add(1 + nargs);
                let n = ((*h.cast::<NativeClosure>()).func)(l);
                let l = (*act).thread;
                if n >= 0 && (*l).hook_mask == 0 {
                    check_results(l, n);
                    leave_entry(l, act, (*l).top.sub(n as usize), n as usize);
                    return true;
                }
                return end_native_entry(l, n);
            }
        }
        run_any_entry(l, func, nargs, word)
    }
}

/// Runs the function that begins at `pc`, whose counter has run out.
#[cold]
unsafe fn enter_hot(l: *mut Thread, pc: *const Instr) {
    // SAFETY: as `run_entry`.
    unsafe {
        jithooks::hot(l, pc.sub(1).cast_mut(), pc);
        dispatch::run(l, pc);
    }
}

/// [`run_entry`], whatever is called.
#[cold]
unsafe fn run_any_entry(l: *mut Thread, func: *mut Value, nargs: usize, word: u64) -> bool {
    // SAFETY: as `run_entry`.
    unsafe { go_on(l, precall(l, func, nargs, word)) }
}

/// Goes on after a native function, called by native code, that has ended with `n` other than by a plain return.
#[cold]
unsafe fn end_native_entry(l: *mut Thread, n: i64) -> bool {
    // SAFETY: as `run_native`.
    unsafe {
        let g = (*l).global;
        let pc = match n {
            -1 => throw::raise((*g).current),
            -2 => (*g).next_pc,
            n => native_return(l, n as usize),
        };
        go_on(l, pc)
    }
}

/// Runs from `pc` (null: nothing) until the innermost entry is left, and says how, as [`run_entry`].
#[inline(always)]
unsafe fn go_on(l: *mut Thread, pc: *const Instr) -> bool {
    // SAFETY: [CODE] as `dispatch::run`.
    unsafe {
        let g = (*l).global;
        if !pc.is_null() {
            dispatch::run((*g).current, pc);
        }
        (*g).exit_status == 0
    }
}

/// Ends the frame of the entry `act` with the `n` results at `res`.
#[inline(always)]
unsafe fn leave_entry(l: *mut Thread, act: *const Activation, res: *const Value, n: usize) {
    // SAFETY: [STACK-STABLE] the results are in the frame, above where they go.
    unsafe {
        let mut to = (*l).stack.byte_add((*act).func as usize);
        match (*act).nresults {
            0 => {}
            1 if n != 0 => {
                (*res).store(to);
                to = to.add(1);
            }
            want => to = give(to, res, n, want),
        }
        (*l).top = to;
        (*l).base = (*l).stack.byte_add((*act).prev_base as usize);
        (*l).pc = (*act).prev_pc;
    }
}

/// Moves `n` results from `res` to `to`, below, as many as are wanted (-1: all), and gives the end.
unsafe fn give(to: *mut Value, res: *const Value, n: usize, want: i32) -> *mut Value {
    // SAFETY: as `leave_entry`.
    unsafe {
        let want = if want < 0 { n } else { want as usize };
        std::ptr::copy(res, to, want.min(n));
        for i in n..want {
            *to.add(i) = Value::NIL;
        }
        to.add(want)
    }
}

/// The common case of [`precall`]: a Lua function `cl` with as many parameters as there are arguments, and nothing else to do but to count
/// the call. Gives the first pc.
#[inline(always)]
unsafe fn enter_fixed(
    l: *mut Thread,
    func: *mut Value,
    nargs: usize,
    word: u64,
    cl: *const LuaClosure,
) -> Option<*const Instr> {
    // SAFETY: as `precall`.
    unsafe {
        let pc = (*cl).pc;
        let header = *pc.sub(1);
        let base = func.add(1);
        let takes = match bytecode::c(header) {
            bytecode::HEADER_JFUNCF => (*(*cl).proto).nparams.into(),
            // more is said where no number of arguments is right
            takes if takes < bytecode::HEADER_JFUNCF => usize::from(takes),
            _ => return None,
        };
        if takes != nargs
            || base.add(bytecode::b(header) as usize + 1) > (*l).limit
            || (*l).dispatch == (*(*l).global).code_active
            || Global::of((*l).global).stack_stress
        {
            return None;
        }
        set_word(func, word);
        (*l).base = base;
        (*l).pc = pc;
        Some(pc)
    }
}

#[cold]
unsafe fn c_overflow(l: *mut Thread, depth: u32) -> LResult<()> {
    // SAFETY: `l` is live.
    unsafe {
        // nesting through coroutines counts by two
        if depth <= MAX_CCALLS + 1 {
            (*l).ncalls += 1; // let the handler run a little deeper
            let t = throw::run_error(l, "C stack overflow");
            (*l).ncalls -= 1;
            return Err(t);
        }
        if depth >= MAX_CCALLS / 10 * 11 {
            return Err(throw::error_in_error(l));
        }
        Ok(())
    }
}

/// Calls the function below the topmost `nargs` values of the running native frame.
///
/// # Safety
/// As [`Ctx::call`].
pub unsafe fn call(l: *mut Thread, nargs: usize, nresults: i32) -> LResult<usize> {
    // SAFETY: [NATIVE-FRAME] the values are on top.
    unsafe {
        let func = (*l).top.sub(nargs + 1);
        let returned = |l, act| Ok(results(l, act));
        let failed = |l, func| Err(give_up(l, func));
        enter_here(l, func, nargs, nresults, 0, returned, failed)
    }
}

/// [`call`] by C code, expanded where it is used: an error goes to the innermost call of C code.
///
/// # Safety
/// As [`Ctx::call`], and as [`cfunc::raise`].
#[inline(always)]
pub unsafe fn call_from_c(l: *mut Thread, nargs: usize, nresults: i32) {
    // SAFETY: [NATIVE-FRAME] the values are on top.
    unsafe {
        let func = (*l).top.sub(nargs + 1);
        enter_here(
            l,
            func,
            nargs,
            nresults,
            0,
            |_, _| (),
            |l, func| raise_in_c(l, func),
        )
    }
}

#[cold]
unsafe fn raise_in_c(l: *mut Thread, func: usize) -> ! {
    // SAFETY: as `call_from_c`.
    unsafe {
        throw::leave_pending(l, func);
        cfunc::raise(l)
    }
}

/// A call has failed: closes what is pending from the function slot on and cuts the frame there.
#[cold]
unsafe fn give_up(l: *mut Thread, func: usize) -> Throw {
    // SAFETY: [NATIVE-FRAME] as the callers.
    unsafe {
        throw::close_from(l, func);
        (*l).top = (*l).stack.add(func);
    }
    Throw
}

/// Calls `f` with two arguments from the running native frame: whether its first result is true.
///
/// # Safety
/// As [`Ctx::call`].
pub(crate) unsafe fn test(l: *mut Thread, f: Value, a: Value, b: Value) -> LResult<bool> {
    /// Slots that are taken, and some.
    const ROOM: usize = 8;
    // SAFETY: [NATIVE-FRAME] `ensure_slots` makes room; the result is where the function was.
    unsafe {
        if (*l).top >= (*l).stack.add((*l).stack_slots as usize - ROOM) {
            ensure_slots(l, ROOM);
        }
        let func = (*l).top;
        f.store(func);
        a.store(func.add(1));
        b.store(func.add(2));
        (*l).top = func.add(3);
        let off = func.byte_offset_from((*l).stack);
        match enter(l, func, 2, 1, 0) {
            Ok(_) => {
                let result = (*l).top.sub(1);
                (*l).top = result;
                Ok(!(*result).tag.is_falsy())
            }
            Err(e) => {
                throw::close_from(l, off as usize / 16);
                (*l).top = (*l).stack.byte_offset(off);
                Err(e)
            }
        }
    }
}

/// Protected call; see [`Ctx::pcall`]. The status is PUC's (2 run, 4 memory, 5 error in error handling).
///
/// # Safety
/// As [`Ctx::pcall`].
pub unsafe fn pcall(
    l: *mut Thread,
    nargs: usize,
    nresults: i32,
    handler: Value,
) -> Result<usize, u32> {
    // SAFETY: as promised.
    unsafe {
        pcall_with(l, nargs, handler, |l, func| {
            enter(l, func, nargs, nresults, 1)
        })
    }
}

/// [`pcall`] with the handler (or nil) in the slot below the function. It goes, too.
///
/// # Safety
/// As [`Ctx::pcall`].
#[inline]
pub unsafe fn pcall_handled(l: *mut Thread, nargs: usize, nresults: i32) -> Result<usize, u32> {
    // SAFETY: [NATIVE-FRAME] the values are on top; the handler is rooted in its slot.
    unsafe {
        let slot = (*l).top.sub(nargs + 2);
        let off = slot.offset_from((*l).stack) as usize;
        let r = enter(l, slot.add(1), nargs, nresults, 1);
        end_pcall(l, off, r)
    }
}

/// `Activation::kind` of a protected call without a message handler, and without the slot for one.
pub(crate) const ENTRY_BARE: u32 = 6;

/// [`pcall`] without a message handler, expanded where it is used.
///
/// # Safety
/// As [`Ctx::pcall`].
#[inline(always)]
pub unsafe fn pcall_bare(l: *mut Thread, nargs: usize, nresults: i32) -> Result<usize, u32> {
    // SAFETY: [NATIVE-FRAME] the values are on top.
    unsafe {
        let func = (*l).top.sub(nargs + 1);
        let returned = |l, act| Ok(results(l, act));
        let failed = |l, func| Err(take_caught(l, func, func));
        enter_here(l, func, nargs, nresults, ENTRY_BARE, returned, failed)
    }
}

/// Closes what is pending from slot offset `level` up, puts the registered error into slot `to`, the last one of the frame, and gives the
/// status.
unsafe fn take_caught(l: *mut Thread, level: usize, to: usize) -> u32 {
    // SAFETY: [NATIVE-FRAME] as the callers.
    unsafe {
        let g = (*l).global;
        throw::close_from(l, level);
        let status = (*g).error_status;
        let slot = (*l).stack.add(to);
        *slot = std::mem::replace(&mut (*g).error_value, Value::NIL);
        (*g).error_handled = 0;
        (*l).top = slot.add(1);
        shrink_after_error(l);
        status
    }
}

/// [`pcall`] by an entry that `enter` makes of the function slot.
///
/// # Safety
/// As [`Ctx::pcall`].
#[inline]
pub unsafe fn pcall_with(
    l: *mut Thread,
    nargs: usize,
    handler: Value,
    enter: impl FnOnce(*mut Thread, *mut Value) -> LResult<usize>,
) -> Result<usize, u32> {
    // SAFETY: [NATIVE-FRAME] the values are on top; the handler is rooted in the slot below the function.
    unsafe {
        let off = (*l).top.sub(nargs + 1).offset_from((*l).stack) as usize;
        let r = match need(l, (*l).top, 1, &[handler]) {
            Ok(()) => {
                let slot = (*l).stack.add(off);
                std::ptr::copy(slot, slot.add(1), nargs + 1);
                *slot = handler;
                (*l).top = (*l).top.add(1);
                enter(l, slot.add(1))
            }
            Err(e) => Err(e),
        };
        end_pcall(l, off, r)
    }
}

/// The end of a protected call whose handler was in slot `off`: moves results or the error value there.
#[inline]
unsafe fn end_pcall(l: *mut Thread, off: usize, r: LResult<usize>) -> Result<usize, u32> {
    // SAFETY: [STACK-STABLE] the slot is taken anew after what may move the stack.
    unsafe {
        match r {
            Ok(n) => {
                let slot = (*l).stack.add(off);
                std::ptr::copy(slot.add(1), slot, n);
                (*l).top = slot.add(n);
                Ok(n)
            }
            Err(Throw) => Err(take_caught(l, off + 1, off)),
        }
    }
}

/// Calls `func` from the native frame of pcall or xpcall. Nesting is limited as PUC's C stack limits it: an error that
/// climbs out of a deep nest may grow at each level.
unsafe fn protected(l: *mut Thread, func: *mut Value, nargs: usize, delta: u64) -> i64 {
    // SAFETY: [NATIVE-FRAME] as the callers.
    unsafe {
        let depth = (*l).pcall_depth;
        if depth >= MAX_CCALLS {
            throw::run_error(l, "C stack overflow");
            return -1;
        }
        (*l).pcall_depth = depth + 1;
        // the thread may end and be collected with the call
        let g = (*l).global;
        (*g).next_pc = precall(
            l,
            func,
            nargs,
            frame::word(kind::PCALL, u64::from(depth) << 3, delta),
        );
        -2
    }
}

/// `pcall(f, ...)`: the callee's frame goes on top of this native frame, so that yields cross it.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_pcall(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    unsafe {
        let cx = Ctx::new(l);
        if cx.check_any(1).is_err() {
            return -1;
        }
        protected(l, (*l).base, cx.top() - 1, 1)
    }
}

/// `xpcall(f, handler, ...)`.
///
/// # Safety
/// A `NativeFn`.
pub unsafe extern "C" fn native_xpcall(l: *mut Thread) -> i64 {
    // SAFETY: [NATIVE-FRAME]
    unsafe {
        let cx = Ctx::new(l);
        if cx.check_function(2).is_err() {
            return -1;
        }
        let b = (*l).base;
        std::ptr::swap(b, b.add(1));
        protected(l, b.add(1), cx.top() - 2, 2)
    }
}

/// A native closure.
///
/// # Safety
/// [GC-LIVE] the upvalues are live; the caller makes the closure reachable before the next safepoint.
pub unsafe fn native_closure(
    g: &mut Global,
    name: &'static str,
    f: NativeFn,
    upvalues: &[Value],
) -> Value {
    // SAFETY: a fresh object of the right size.
    unsafe {
        let c = g.heap.alloc(
            ObjKind::NativeClosure,
            NativeClosure::size_for(upvalues.len()),
        ) as *mut NativeClosure;
        (*c).hdr.extra = upvalues.len() as u8;
        (*c).func = f;
        (*c).cfunc = 0;
        (*c).name = name.as_ptr();
        (*c).name_len = name.len() as u64;
        // these have emitted paths of their own
        let op = match f as usize {
            f if f == native_pcall as *const () as usize => Op::FfPcall,
            f if f == native_xpcall as *const () as usize => Op::FfXpcall,
            f if f == coroutine::native_resume as *const () as usize => Op::FfResume,
            f if f == coroutine::native_wrapped as *const () as usize => Op::FfWrapped,
            f if f == coroutine::native_yield as *const () as usize => Op::FfYield,
            _ => Op::FuncN,
        };
        (*c).header = bytecode::pack(dispatch::handler_of(op), 0, MIN_NATIVE as u16, 0xFFFF);
        (*c).pc = (&raw const (*c).header).add(1);
        let up = (c as *mut u8).add(NativeClosure::UPVALS) as *mut Value;
        for (i, &v) in upvalues.iter().enumerate() {
            *up.add(i) = v;
        }
        Value::ptr(c, Tag::FUNCTION)
    }
}
