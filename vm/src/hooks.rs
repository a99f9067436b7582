//! Debug hooks: call, return, line and count events.
//!
//! While a thread has a hook its dispatch base is the active region, which calls [`hook_instr`] before each instruction;
//! calls and returns come through `call`, which calls [`hook_call`] and [`hook_return`]. Without a hook nothing of this runs.
//!
//! A hook is called on top of the frame that it looks at, by an entry of kind [`ENTRY_HOOK`]. The slot below the hook's
//! function slot holds what was passed by the call or return as an integer ([`transfer_of`]). All slots of the frame below are made
//! valid first and the entry says so (`frame::FULL_BIT`), so that operands above the live registers survive and the
//! debug library can look at every register.
//!
//! Source: rules for line events of PUC's `luaG_traceexec`. `Thread::hook_pc` is the instruction of the running function that ran
//! last, null at a function's start; one of another function counts as the running one's first.

use traceorus_base::bytecode as bc;
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::ctx::{LResult, Throw};
use crate::debuginfo::{self, code_of, line_at, proto_of, word_index};
use crate::state::Global;
use crate::string::str_val;
use crate::{call, ccall, dispatch, table, throw, verify};

/// Call events.
pub const MASK_CALL: u32 = 1;
/// Return events.
pub const MASK_RET: u32 = 2;
/// Line events.
pub const MASK_LINE: u32 = 4;
/// Count events.
pub const MASK_COUNT: u32 = 8;

/// `Activation::kind` of the call of a hook.
pub const ENTRY_HOOK: u32 = 3;
/// `Activation::kind` of the call of a finalizer.
pub const ENTRY_FINALIZER: u32 = 4;

/// Events (ORDER HookEvent: PUC's LUA_HOOKCALL and so on).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Event {
    /// A function was called.
    Call = 0,
    /// A function is about to return.
    Return = 1,
    /// A new line is about to run.
    Line = 2,
    /// As many instructions as asked for have run.
    Count = 3,
    /// A function was called by a tail call.
    TailCall = 4,
}

impl Event {
    /// As `debug.sethook`'s hooks are told.
    pub fn name(self) -> &'static str {
        match self {
            Event::Call => "call",
            Event::Return => "return",
            Event::Line => "line",
            Event::Count => "count",
            Event::TailCall => "tail call",
        }
    }
}

/// A hook. It runs as part of the frame that it looks at (level 0 is that frame), may push values at `Thread::top` and call
/// through [`enter`]. `line` is -1 unless the event is a line event.
pub type HookFn = unsafe fn(l: *mut Thread, event: Event, line: i64) -> LResult<()>;

/// Sets or (no function, or an empty mask) removes the hook of a thread. `value`: the Lua function for [`lua_hook`], else
/// nil.
///
/// # Safety
/// [GC-LIVE] `l` is a live thread of the running state, `value` a live value.
pub unsafe fn set_hook(l: *mut Thread, f: Option<HookFn>, value: Value, mask: u32, count: i32) {
    // SAFETY: [GC-BARRIER] taken for the thread; [STACK-STABLE] nothing moves the stack here.
    unsafe {
        let (f, mask) = match f {
            Some(f) if mask != 0 => (f as usize as u64, mask),
            _ => (0, 0),
        };
        (*l).hook = f;
        (*l).hook_value = if f == 0 {
            Value::NIL
        } else {
            Value::new(value.payload, value.tag)
        };
        (*l).hook_count = count;
        (*l).hook_left = count;
        (*l).hook_mask = mask;
        // The function that asked goes on with its line.
        (*l).hook_pc = debuginfo::frames(l)
            .take(2)
            .map(|f| f.pc)
            .find(|pc| !pc.is_null())
            .unwrap_or(std::ptr::null());
        dispatch::update_dispatch(l);
        if (*l).hdr.barrier != 0 {
            Global::of((*l).global)
                .heap
                .barrier(l as *mut GcHeader, (*l).hook_value);
        }
    }
}

/// The hook of a thread, if it has one.
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn get_hook(l: *mut Thread) -> Option<HookFn> {
    // SAFETY: `hook` is 0 or was made from a `HookFn` by `set_hook`.
    unsafe { ((*l).hook != 0).then(|| std::mem::transmute::<usize, HookFn>((*l).hook as usize)) }
}

/// True if the thread's hook is a Lua function ([`lua_hook`]).
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn has_lua_hook(l: *mut Thread) -> bool {
    // SAFETY: as promised.
    unsafe { (*l).hook == lua_hook as *const () as u64 }
}

/// Registry key of the table of Lua hook functions by thread (weak keys).
pub const HOOK_TABLE: &str = "_HOOKKEY";

/// The Lua hook function of a thread, or nil. New coroutines inherit mask and [`lua_hook`] from their maker, as in PUC, but
/// no function.
///
/// # Safety
/// [GC-LIVE] `l` is a live thread.
pub unsafe fn lua_hook_function(l: *mut Thread) -> Value {
    // SAFETY: [GC-LIVE] the registry keeps the table, which keeps the functions of live threads.
    unsafe {
        let g = Global::of((*l).global);
        let key = g.str_new(HOOK_TABLE.as_bytes());
        let t = table::table_get_str(g.hot.registry, key);
        if t.tag == Tag::TABLE {
            table::table_get(t.as_ptr(), Value::ptr(l, Tag::THREAD))
        } else {
            Value::NIL
        }
    }
}

/// The hook that calls the thread's Lua hook function with the event's name and the line or nil.
///
/// # Safety
/// A [`HookFn`].
pub unsafe fn lua_hook(l: *mut Thread, event: Event, line: i64) -> LResult<()> {
    // SAFETY: [STACK-STABLE] `run` has made room above the top.
    unsafe {
        let f = lua_hook_function(l);
        if f.is_nil() {
            return Ok(());
        }
        let func = (*l).top;
        *func = f;
        *func.add(1) = str_val(Global::of((*l).global).str_new(event.name().as_bytes()));
        *func.add(2) = if line >= 0 {
            Value::int(line)
        } else {
            Value::NIL
        };
        (*l).top = func.add(3);
        enter(l, func, 2)
    }
}

/// As [`set_hook`], from anywhere: a signal handler, or another thread while this one runs. It only stores words; running code sees it
/// at its next back edge, call or return.
///
/// # Safety
/// `l` is a live thread. `value` is no object.
pub unsafe fn set_hook_async(
    l: *mut Thread,
    f: Option<HookFn>,
    value: Value,
    mask: u32,
    count: i32,
) {
    // SAFETY: as promised. The mask comes last: with it the others count.
    unsafe {
        let (f, mask) = match f {
            Some(f) if mask != 0 => (f as usize as u64, mask),
            _ => (0, 0),
        };
        let mask_at = std::sync::atomic::AtomicU32::from_ptr(&raw mut (*l).hook_mask);
        if mask == 0 {
            mask_at.store(0, std::sync::atomic::Ordering::SeqCst);
        }
        (*l).hook = f;
        (*l).hook_value = if f == 0 { Value::NIL } else { value };
        (*l).hook_count = count;
        (*l).hook_left = count;
        mask_at.store(mask, std::sync::atomic::Ordering::SeqCst);
        dispatch::update_dispatch(l);
    }
}

/// Does what `f` says in a native frame of its own, for hooks that use the stack. The frame has no function, so that levels are counted from
/// the one that the hook looks at. `f` gets the byte offset of that one's base.
///
/// # Safety
/// [STACK-STABLE] called by a hook: every slot of the frame below the top is valid.
pub unsafe fn in_frame<R>(l: *mut Thread, f: impl FnOnce(usize) -> R) -> R {
    // SAFETY: as promised; the frame ends with its record.
    unsafe {
        let g = (*l).global;
        let func = (*l).top;
        let prev_base = (*l).base.byte_offset_from((*l).stack) as u64;
        let mut act = Activation {
            prev: (*g).activation,
            thread: l,
            prev_base,
            prev_pc: (*l).pc,
            native_sp: 0,
            func: func.byte_offset_from((*l).stack) as u64,
            nresults: 0,
            kind: ENTRY_HOOK,
            bits: frame::FULL_BIT,
        };
        (*g).activation = &mut act;
        (*func).payload = 0;
        call::set_word(func, frame::word(kind::ENTRY, &raw mut act as u64, 0));
        (*l).base = func.add(1);
        (*l).top = (*l).base;
        let r = f(prev_base as usize);
        (*g).activation = act.prev;
        (*l).base = (*l).stack.byte_add(prev_base as usize);
        (*l).pc = act.prev_pc;
        r
    }
}

/// Whether native code that runs in `l` is a hook ([`in_frame`]).
///
/// # Safety
/// `l` is a live thread.
pub unsafe fn in_hook(l: *mut Thread) -> bool {
    // SAFETY: as promised.
    unsafe {
        let a = (*(*l).global).activation;
        !a.is_null()
            && (*a).thread == l
            && (*a).kind == ENTRY_HOOK
            && (*(*l).base.sub(1)).payload == 0
            && call::word_at((*l).base.sub(1)) == frame::word(kind::ENTRY, a as u64, 0)
    }
}

/// Makes the thread yield when the hook that runs in it has returned.
///
/// # Safety
/// [`in_hook`] of `l`, which may yield.
pub unsafe fn ask_yield(l: *mut Thread) {
    // SAFETY: as promised.
    unsafe { (*l).hdr.flags |= flags::THREAD_HOOK_YIELD }
}

/// A hook has asked for a yield: yields before the instruction at `pc` and gives the pc of whoever goes on. `None` if the instruction has
/// operands above the registers: not yet.
///
/// # Safety
/// [CODE] `pc` is the next instruction of the running frame of `l`, for which the hook has run.
pub unsafe fn yield_before(l: *mut Thread, pc: *const Instr) -> Option<*const Instr> {
    // SAFETY: as promised.
    unsafe {
        let w = *pc;
        if !ccall::is_yieldable(l) || verify::is_consumer(dispatch::op_of(bc::op_field(w)), w) {
            return None;
        }
        (*l).hdr.flags &= !flags::THREAD_HOOK_YIELD;
        (*l).pc = pc;
        // what C code pushes while the thread waits goes above the registers
        let p = code_of((*(*l).base.sub(1)).payload as *const GcHeader)?;
        (*l).top = (*l).base.add((*p).frame_size as usize);
        Some(ccall::suspend(
            l,
            (*l).top,
            0,
            thread_status::SUSPENDED_HOOK,
        ))
    }
}

/// What the slot below a hook's function slot says: number of the first value passed (from 1), and how many.
pub fn transfer_of(v: Value) -> Option<(u32, u32)> {
    let (first, count) = (v.payload as u32, (v.payload >> 32) as u32);
    (v.tag == Tag::INT && count != 0).then_some((first, count))
}

/// Calls what is in `func` with the `nargs` values above it as a hook, without results.
///
/// # Safety
/// [STACK-STABLE] called by a hook: every slot of the frame below `func` is valid.
pub unsafe fn enter(l: *mut Thread, func: *mut Value, nargs: usize) -> LResult<()> {
    // SAFETY: the activation outlives the frame that names it, because the interpreter is left only through that
    // frame's return or through `throw::raise`, which pops it.
    unsafe {
        let g = (*l).global;
        if (*l).ncalls & 0xffff >= call::MAX_CCALLS {
            return Err(throw::run_error(l, "C stack overflow"));
        }
        let off = func.byte_offset_from((*l).stack);
        let mut act = Activation {
            prev: (*g).activation,
            thread: l,
            prev_base: (*l).base.byte_offset_from((*l).stack) as u64,
            prev_pc: (*l).pc,
            native_sp: 0,
            func: off as u64,
            nresults: 0,
            kind: ENTRY_HOOK,
            bits: frame::FULL_BIT,
        };
        let saved = (*l).ncalls;
        (*g).activation = &mut act;
        (*l).ncalls += 0x1_0001;
        let pc = call::precall(
            l,
            func,
            nargs,
            frame::word(kind::ENTRY, &raw mut act as u64, 0),
        );
        if !pc.is_null() {
            dispatch::run((*g).current, pc);
        }
        debug_assert!((*g).current == l);
        (*g).activation = act.prev;
        (*l).ncalls = saved;
        if (*g).exit_status == 0 {
            return Ok(());
        }
        throw::close_from(l, off as usize / 16);
        Err(Throw)
    }
}

/// Calls the hook of `l` for an event in the running frame, whose slots up to `end` (a slot number) are valid.
unsafe fn run(
    l: *mut Thread,
    event: Event,
    line: i64,
    end: usize,
    transfer: (u32, u32),
) -> LResult<()> {
    // SAFETY: [STACK-STABLE] addresses are taken anew after what may move the stack.
    unsafe {
        let Some(hook) = get_hook(l) else {
            return Ok(());
        };
        if (*l).allow_hook == 0 {
            return Ok(());
        }
        let top = (*l).top.offset_from((*l).stack);
        call::need(l, (*l).base.add(end), 1 + call::MIN_NATIVE, &[])?;
        let info = (*l).base.add(end);
        *info = Value::int((u64::from(transfer.0) | u64::from(transfer.1) << 32) as i64);
        (*l).top = info.add(1);
        (*l).allow_hook = 0;
        let r = hook(l, event, line);
        (*l).allow_hook = 1;
        (*l).top = (*l).stack.offset(top);
        r
    }
}

/// Makes the registers of the running Lua frame valid for a hook, those from `from` up to the frame's end, except `keep`
/// (slot numbers). Gives the number of slots that are valid then.
unsafe fn clear_dead(
    l: *mut Thread,
    p: *const Proto,
    from: usize,
    keep: std::ops::Range<usize>,
) -> usize {
    // SAFETY: [STACK-STABLE] registers from `from` up are dead (base::chunk) but for `keep`; the frame has its room.
    unsafe {
        let size = (*p).frame_size as usize;
        let end = size.max(keep.end);
        let base = (*l).base;
        for i in (from..size).filter(|i| !keep.contains(i)) {
            *base.add(i) = Value::NIL;
        }
        end
    }
}

/// Events before an instruction of the running Lua function. Stores the pc.
///
/// # Safety
/// [CODE] `pc` is the next instruction of the running frame of `l`.
pub unsafe fn hook_instr(l: *mut Thread, pc: *const Instr) -> LResult<()> {
    // SAFETY: [STACK-STABLE] as promised; the function slot holds the running closure.
    unsafe {
        (*l).pc = pc;
        let mask = (*l).hook_mask;
        if mask & (MASK_LINE | MASK_COUNT) == 0 || (*l).allow_hook == 0 {
            return Ok(());
        }
        let Some(p) = proto_of((*(*l).base.sub(1)).payload as *const GcHeader) else {
            return Ok(());
        };
        let Some(index) = word_index(p, pc) else {
            return Ok(());
        };
        if debuginfo::is_prologue(p, index) {
            return Ok(());
        }
        let mut count = false;
        if mask & MASK_COUNT != 0 {
            (*l).hook_left -= 1;
            if (*l).hook_left <= 0 {
                (*l).hook_left = (*l).hook_count;
                count = true;
            }
        }
        let mut line = None;
        if mask & MASK_LINE != 0 {
            let last = (*l).hook_pc;
            (*l).hook_pc = pc;
            // Position of the instruction before; `None` at the function's start.
            let before = if last.is_null() {
                None
            } else {
                Some(word_index(p, last).unwrap_or(1))
            };
            let here = line_at(p, pc);
            let changed = |b: usize| index <= b || here != line_at(p, (*p).code.add(b));
            if before.is_none_or(changed) {
                line = Some(here);
            }
        }
        if !count && line.is_none() {
            return Ok(());
        }
        // Open results are operands too.
        let live = *(*p).live.add(index) as usize;
        let w = *pc;
        let open = if verify::is_consumer(dispatch::op_of(bc::op_field(w)), w) {
            let top = (*l).top.offset_from((*l).base).max(0) as usize;
            live..top.max(live)
        } else {
            live..live
        };
        let end = clear_dead(l, p, live, open);
        if count {
            run(l, Event::Count, -1, end, (0, 0))?;
        }
        // The count hook may have changed the hook.
        if let Some(line) = line
            && (*l).hook_mask & MASK_LINE != 0
        {
            run(l, Event::Line, line, end, (0, 0))?;
        }
        // The hook has its own pcs.
        (*l).hook_pc = pc;
        Ok(())
    }
}

/// The running frame of `l` was just entered, by a tail call or not: its arguments are in place.
///
/// # Safety
/// [STACK-STABLE] the frame is complete; in a Lua function `Thread::pc` is its first instruction.
pub unsafe fn hook_call(l: *mut Thread, tail: bool) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        let event = if tail { Event::TailCall } else { Event::Call };
        let proto = code_of((*(*l).base.sub(1)).payload as *const GcHeader);
        let (end, count) = match proto {
            Some(p) => {
                let n = (*p).nparams as usize;
                (clear_dead(l, p, n, n..n), n)
            }
            None => {
                let n = (*l).top.offset_from((*l).base) as usize;
                (n, n)
            }
        };
        if (*l).hook_mask & MASK_CALL != 0 {
            run(l, event, -1, end, (1, count as u32))?;
        }
        if proto.is_some() {
            (*l).hook_pc = std::ptr::null();
        }
        Ok(())
    }
}

/// The running frame of `l` is about to return the `n` values at `res`. To be called whenever the thread has a hook of any
/// kind: the function returned to goes on with its line.
///
/// # Safety
/// [STACK-STABLE] the values are in the running frame; in a Lua function `Thread::pc` is the returning instruction.
pub unsafe fn hook_return(l: *mut Thread, res: *const Value, n: usize) -> LResult<()> {
    // SAFETY: as promised.
    unsafe {
        if (*l).hook_mask & MASK_RET != 0 && (*l).allow_hook != 0 {
            let first = res.offset_from((*l).base).max(0) as usize;
            let end = match code_of((*(*l).base.sub(1)).payload as *const GcHeader) {
                Some(p) => {
                    let live = debuginfo::live_at(p, (*l).pc);
                    clear_dead(l, p, live, first..first + n)
                }
                None => first + n,
            };
            run(l, Event::Return, -1, end, (first as u32 + 1, n as u32))?;
        }
        if let Some(f) = debuginfo::level(l, 1)
            && !f.pc.is_null()
        {
            (*l).hook_pc = f.pc;
        }
        Ok(())
    }
}
