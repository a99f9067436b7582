//! Calls of one function again and again from one place of a native function: the order function of `table.sort`.
//!
//! What [`call::test`] finds out for each call is found out once here: an activation is filled in that all calls use, and whether the
//! function is a compiled one with as many parameters as it gets. If it is not (yet), or anything watches, `call::test` does it.

use std::ptr;

use traceorus_base::bytecode;
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use crate::call::{self, set_word};
use crate::ctx::{LResult, Throw};
use crate::state::Global;
use crate::{dispatch, jithooks, throw};

/// Arguments of a call.
const ARGS: usize = 2;

/// A function that a native function calls with two arguments for a truth value.
pub struct Repeat {
    l: *mut Thread,
    f: Value,
    /// First instruction of the function if it is a Lua function of two parameters, else null.
    pc: *const Instr,
    /// Slots that the frame needs above its base.
    room: usize,
    pcall_depth: u32,
    act: Activation,
}

impl Repeat {
    /// Calls of `f` by the running native function of `l`.
    ///
    /// # Safety
    /// [NATIVE-FRAME] The frame keeps `f` alive, and its top is the same at all calls as it is now.
    pub unsafe fn new(l: *mut Thread, f: Value) -> Repeat {
        // SAFETY: as promised.
        unsafe {
            let mut r = Repeat {
                l,
                f,
                pc: ptr::null(),
                room: 0,
                pcall_depth: (*l).pcall_depth,
                act: Activation {
                    prev: (*(*l).global).activation,
                    thread: l,
                    prev_base: (*l).base.byte_offset_from((*l).stack) as u64,
                    prev_pc: (*l).pc,
                    native_sp: 0,
                    func: (*l).top.byte_offset_from((*l).stack) as u64,
                    nresults: 1,
                    kind: 0,
                    bits: 0,
                },
            };
            let cl = f.payload as *mut LuaClosure;
            if f.tag == Tag::FUNCTION
                && (*cl).hdr.kind == ObjKind::LuaClosure as u8
                && usize::from((*(*cl).proto).nparams) == ARGS
                && !Global::of((*l).global).stack_stress
            {
                r.pc = (*cl).pc;
                r.room = 2 + usize::from(bytecode::b(*r.pc.sub(1)));
            }
            r
        }
    }

    /// Whether the first result of the call with `a` and `b` is true. Not yieldable.
    ///
    /// # Safety
    /// As [`Repeat::new`].
    #[inline(always)]
    pub unsafe fn test(&mut self, a: Value, b: Value) -> LResult<bool> {
        // SAFETY: [NATIVE-FRAME] there is room for the call; the activation is where the frame says as long as that runs: the interpreter
        // is left through the frame's return or through `throw::raise` only.
        unsafe {
            let (l, g) = (self.l, (*self.l).global);
            if self.pc.is_null() {
                return call::test(l, self.f, a, b);
            }
            let header = *self.pc.sub(1);
            let func = (*l).stack.byte_add(self.act.func as usize);
            let depth = (*l).ncalls;
            if bytecode::c(header) != bytecode::HEADER_JFUNCF
                || (*l).dispatch == (*g).code_active
                || depth & 0xffff >= call::MAX_CCALLS
                || func.add(self.room) > (*l).limit
                || (*l).hook_mask != 0
            {
                return call::test(l, self.f, a, b);
            }
            (*func).payload = self.f.payload;
            let act = &raw mut self.act;
            set_word(func, frame::word(kind::ENTRY, act as u64, 0));
            a.store(func.add(1));
            b.store(func.add(2));
            (*l).base = func.add(1);
            (*g).activation = act;
            (*l).ncalls = depth + 0x1_0001;
            let region = (*l).dispatch;
            (*l).dispatch = (*g).code_base;
            dispatch::enter_trace(g, self.pc, jithooks::function_counter(self.pc.sub(1)));
            if (*l).dispatch == (*g).code_base {
                // a trace that waits below for its instruction goes on waiting
                (*l).dispatch = region;
            }
            (*g).activation = self.act.prev;
            (*l).ncalls = depth;
            if (*g).exit_status == 0 {
                let result = (*l).stack.byte_add(self.act.func as usize);
                (*l).top = result;
                return Ok(!(*result).tag.is_falsy());
            }
            self.failed()
        }
    }

    #[cold]
    unsafe fn failed(&mut self) -> LResult<bool> {
        // SAFETY: as `test`.
        unsafe {
            let (l, off) = (self.l, self.act.func as usize);
            (*l).pcall_depth = self.pcall_depth;
            throw::close_from(l, off / 16);
            (*l).top = (*l).stack.byte_add(off);
            Err(Throw)
        }
    }
}
