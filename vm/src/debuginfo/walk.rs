//! Frames of a thread, innermost first. See `base::frame` for how they are linked.

use traceorus_base::bytecode as bc;
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::call::word_at;
use crate::state::Global;
use crate::{body, hooks};

/// By what a function was called.
#[derive(Clone, Copy, Debug)]
pub enum Called {
    /// By an instruction of a Lua function.
    Lua(*mut Proto, *const Instr),
    /// By a native function, or by nobody.
    Native,
    /// As a hook.
    Hook,
    /// As a finalizer.
    Finalizer,
}

/// An active function. Addresses hold until the stack moves or the frame ends.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// First slot.
    pub base: *mut Value,
    /// The instruction that runs or has called; null in native functions.
    pub pc: *const Instr,
    /// The function.
    pub func: *mut GcHeader,
    /// Entered by a tail call.
    pub tail: bool,
    /// How it was called.
    pub called: Called,
    /// End of the slots that hold values.
    pub end: *mut Value,
    /// While a hook for its call or return runs: number (from 1) of the first value passed, and how many.
    pub transfer: Option<(u32, u32)>,
}

impl Frame {
    /// The function as a value.
    pub fn function(&self) -> Value {
        Value::ptr(self.func, Tag::FUNCTION)
    }
}

/// Prototype of a Lua closure; `None` for native functions and null.
///
/// # Safety
/// [GC-LIVE] `f` is null or a live function.
pub(crate) unsafe fn code_of(f: *const GcHeader) -> Option<*mut Proto> {
    // SAFETY: as promised.
    unsafe {
        (!f.is_null() && (*f).kind == ObjKind::LuaClosure as u8)
            .then(|| (*(f as *const LuaClosure)).proto)
    }
}

/// Prototype of a Lua closure that programs see as one; `None` for native functions, their bodies, and null.
///
/// # Safety
/// [GC-LIVE] `f` is null or a live function.
pub unsafe fn proto_of(f: *const GcHeader) -> Option<*mut Proto> {
    // SAFETY: as promised.
    unsafe { code_of(f).filter(|&p| !body::is_body(p)) }
}

/// Number of the word at `pc` in the function's code (the header is word 0).
///
/// # Safety
/// [GC-LIVE] `p` is live.
pub unsafe fn word_index(p: *const Proto, pc: *const Instr) -> Option<usize> {
    // SAFETY: as promised; the address is only compared before it is used.
    unsafe {
        let from = (*p).code as usize;
        let i = (pc as usize).checked_sub(from)? / size_of::<Instr>();
        (i >= 1 && i < (*p).ncode as usize).then_some(i)
    }
}

/// Line of the word at `pc`; -1 if it is not known.
///
/// # Safety
/// [GC-LIVE] `p` is live.
pub unsafe fn line_at(p: *const Proto, pc: *const Instr) -> i64 {
    // SAFETY: as promised; lines go with words.
    unsafe {
        match word_index(p, pc) {
            Some(i) if !(*p).lines.is_null() => line_of_word(p, i).into(),
            _ => -1,
        }
    }
}

/// Line of a word of code.
///
/// # Safety
/// [GC-LIVE] `p` is live and has lines; `i` is below `ncode`.
pub unsafe fn line_of_word(p: *const Proto, i: usize) -> u32 {
    // SAFETY: as promised; the layout is that of `Proto::lines`.
    unsafe {
        let starts = (*p).lines as *const u32;
        if (*p).hdr.extra != 0 {
            return *starts.add(i);
        }
        let bytes = starts.add(((*p).ncode as usize).div_ceil(LINE_BLOCK)) as *const u8;
        *starts.add(i / LINE_BLOCK) + u32::from(*bytes.add(i))
    }
}

/// How many registers are live while the instruction at `pc` runs.
///
/// # Safety
/// [GC-LIVE] `p` is live.
pub unsafe fn live_at(p: *const Proto, pc: *const Instr) -> usize {
    // SAFETY: as promised; the table goes with the words.
    unsafe { word_index(p, pc).map_or(0, |i| *(*p).live.add(i) as usize) }
}

/// The frames of a thread; see [`frames`].
pub struct Frames {
    l: *mut Thread,
    /// Base of the next frame to give, or null.
    base: *mut Value,
    /// Its pc, if it is a Lua function's.
    pc: *const Instr,
    /// The slot where the frame above begins.
    end: *mut Value,
    /// All slots up to there hold values.
    full: bool,
    transfer: Option<(u32, u32)>,
}

/// The frames of a thread, innermost first. The bottom of a thread is none.
///
/// # Safety
/// [STACK-STABLE] `l` is live, its frames stay as they are while the iterator and the frames that it gives are used. If its
/// running frame is a Lua function's, `Thread::pc` is that function's pc.
pub unsafe fn frames(l: *mut Thread) -> Frames {
    // SAFETY: as promised.
    unsafe {
        // A fresh coroutine's function is in the bottom slot but does not run yet.
        let base = if (*l).status == thread_status::FRESH {
            std::ptr::null_mut()
        } else {
            (*l).base
        };
        Frames {
            l,
            base,
            pc: (*l).pc,
            end: (*l).top,
            full: false,
            transfer: None,
        }
    }
}

/// The frame at a level: 0 is the running function.
///
/// # Safety
/// As [`frames`].
pub unsafe fn level(l: *mut Thread, level: i32) -> Option<Frame> {
    // SAFETY: as promised.
    unsafe { frames(l).nth(usize::try_from(level).ok()?) }
}

impl Iterator for Frames {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        while !self.base.is_null() {
            // SAFETY: [STACK-STABLE] promised by whoever made the iterator; [GC-LIVE] the frame keeps its function.
            unsafe {
                let f = self.step();
                if !f.func.is_null() && !hidden(f.func) {
                    return Some(f);
                }
            }
        }
        None
    }
}

/// Called by bodies of library functions only.
unsafe fn hidden(f: *const GcHeader) -> bool {
    // SAFETY: [GC-LIVE] the caller's.
    unsafe { (*f).kind == ObjKind::NativeClosure as u8 && (*f).flags & flags::NATIVE_HIDDEN != 0 }
}

impl Frames {
    /// The next frame; one without function stands for a call that failed, or is a thread's bottom.
    unsafe fn step(&mut self) -> Frame {
        // SAFETY: [STACK-STABLE] as promised by the caller; frames are well formed.
        unsafe {
            let base = self.base;
            let func = (*base.sub(1)).payload as *mut GcHeader;
            let proto = code_of(func);
            let shown = proto_of(func);
            let end = match proto {
                // The running frame of a Lua function has no frame above it that would say more.
                Some(p) if !self.full => {
                    let live = base.add(live_at(p, self.pc));
                    if self.end > base && self.base != (*self.l).base {
                        live.min(self.end)
                    } else {
                        live
                    }
                }
                _ => self.end,
            };
            let mut f = Frame {
                base,
                pc: if shown.is_some() {
                    self.pc
                } else {
                    std::ptr::null()
                },
                func: body::seen_as(Global::of((*self.l).global), func),
                tail: false,
                called: Called::Native,
                end,
                transfer: self.transfer.take(),
            };
            let mut real = base;
            let mut w = word_at(real.sub(1));
            if frame::kind_of(w) == kind::VARARG {
                real = real.sub(frame::delta_of(w) as usize);
                w = word_at(real.sub(1));
            }
            let slot = real.sub(1);
            let k = frame::kind_of(w);
            f.tail = k == kind::TAIL || k != kind::LUA && w & frame::TAIL_BIT != 0;
            let mut entry = 0;
            self.end = slot;
            self.full = false;
            self.pc = std::ptr::null();
            match k {
                kind::LUA | kind::TAIL => {
                    self.pc = frame::addr_of(w) as *const Instr;
                    self.base = slot.byte_sub(bc::a(*self.pc) as usize);
                }
                kind::CONT => {
                    self.base = real.sub(frame::delta_of(w) as usize);
                    self.full = w & frame::FULL_BIT != 0;
                    self.pc = frame::addr_of(w) as *const Instr;
                }
                kind::CLOSING => self.base = real.sub(frame::delta_of(w) as usize),
                kind::PCALL => self.base = real.sub(frame::delta_of(w) as usize),
                kind::ENTRY => {
                    let act = frame::addr_of(w) as *const Activation;
                    self.base = (*self.l).stack.byte_add((*act).prev_base as usize);
                    self.pc = (*act).prev_pc;
                    self.full = (*act).bits & frame::FULL_BIT != 0;
                    entry = (*act).kind;
                }
                _ => {
                    self.base = std::ptr::null_mut();
                    return f;
                }
            }
            let caller = proto_of((*self.base.sub(1)).payload as *const GcHeader);
            f.called = match (entry, caller) {
                (hooks::ENTRY_HOOK, _) => {
                    // The slot below a hook says what was passed.
                    self.end = slot.sub(1);
                    self.transfer = hooks::transfer_of(*self.end);
                    Called::Hook
                }
                (hooks::ENTRY_FINALIZER, _) => Called::Finalizer,
                (_, Some(p)) => Called::Lua(p, self.pc),
                (_, None) => Called::Native,
            };
            f
        }
    }
}
