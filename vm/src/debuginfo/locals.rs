//! Local variables of frames and upvalues of functions, for the debug library.

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::names;
use super::walk::{Frame, code_of, proto_of, word_index};
use crate::body;
use crate::call::word_at;
use crate::jithooks;
use crate::state::Global;
use crate::string::str_bytes;
use crate::verify;

/// Name of parameter `n` (from 1) of a function that does not run.
///
/// # Safety
/// [GC-LIVE] `f` is a live function.
pub unsafe fn param_name(f: Value, n: i64) -> Option<Vec<u8>> {
    if f.tag != Tag::FUNCTION {
        return None;
    }
    // SAFETY: as promised.
    unsafe {
        let p = proto_of(f.as_ptr())?;
        if n < 1 || n > (*p).nparams.into() {
            return None;
        }
        // Parameters are declared first.
        (0..(*p).nlocvars as usize)
            .map(|i| &*(*p).locvars.add(i))
            .find(|v| i64::from(v.reg()) == n - 1)
            .map(|v| {
                if v.name().is_null() {
                    b"?".to_vec()
                } else {
                    str_bytes(v.name()).to_vec()
                }
            })
    }
}

/// The name of local `n` of a frame as [`local_at`] gives it, for `n >= 1`, be its slot in use or not.
pub(super) unsafe fn name_at(f: &Frame, n: i64) -> Option<Vec<u8>> {
    // SAFETY: [GC-LIVE] the frame keeps its function.
    unsafe {
        let p = proto_of(f.func)?;
        let pc = word_index(p, f.pc)?;
        names::local_name(p, usize::try_from(n - 1).ok()?, pc).map(<[u8]>::to_vec)
    }
}

/// Local `n` of a frame: its name and its slot. From 1: variables by register, temporaries; from -1 down: extra
/// arguments.
///
/// # Safety
/// [STACK-STABLE] the frame was taken from a thread that has not run since.
pub unsafe fn local_at(f: &Frame, n: i64) -> Option<(Vec<u8>, *mut Value)> {
    // SAFETY: as promised; every slot given is below the frame's end or one of its extra arguments.
    unsafe {
        if n < 0 {
            let p = proto_of(f.func)?;
            let w = word_at(f.base.sub(1));
            if frame::kind_of(w) != kind::VARARG {
                return None;
            }
            let delta = frame::delta_of(w) as i64;
            let np = i64::from((*p).nparams);
            // The copied function slot lies between the extra arguments and the base.
            let slot = f.base.offset((np - n - 1 - delta) as isize);
            return (-n <= delta - 1 - np).then(|| (b"(vararg)".to_vec(), slot));
        }
        let in_use = f.end.offset_from(f.base) as i64;
        let passed = f
            .transfer
            .map_or(0, |(first, count)| i64::from(first + count) - 1);
        if n == 0 || n > in_use.max(passed) {
            return None;
        }
        let slot = f.base.add(n as usize - 1);
        let generic = if proto_of(f.func).is_some() {
            "(temporary)"
        } else {
            "(C temporary)"
        };
        Some((name_at(f, n).unwrap_or_else(|| generic.into()), slot))
    }
}

/// The value in a local's slot, cells opened.
///
/// # Safety
/// [STACK-STABLE] `slot` is from [`local_at`].
pub unsafe fn read_local(slot: *const Value) -> Value {
    // SAFETY: as promised; [GC-LIVE] the slot keeps its cell.
    unsafe {
        let v = *slot;
        if v.tag == Tag::CELL {
            (*v.as_ptr::<Cell>()).value
        } else {
            Value::new(v.payload, v.tag)
        }
    }
}

/// Stores into a local's slot. False if the register controls a loop, which only works on with what it put there.
///
/// # Safety
/// As [`read_local`]; `f` is the slot's frame in thread `l`.
pub unsafe fn write_local(l: *mut Thread, f: &Frame, slot: *mut Value, v: Value) -> bool {
    // SAFETY: as promised; [GC-BARRIER] taken for cell or thread.
    unsafe {
        let v = Value::new(v.payload, v.tag);
        // what a library function works on
        if code_of((*f.base.sub(1)).payload as *const GcHeader).is_some_and(|p| body::is_body(p)) {
            return false;
        }
        if (*slot).tag == Tag::CELL {
            store_cell(l, (*slot).as_ptr(), v);
        } else {
            if slot >= f.base && controls_loop(f, slot.offset_from(f.base) as usize) {
                return false;
            }
            *slot = v;
            barrier(l, l as *mut GcHeader, v);
            jithooks::disturbed(l, false);
        }
        true
    }
}

/// Is the register index, limit or step of a numeric loop around the frame's pc?
unsafe fn controls_loop(f: &Frame, r: usize) -> bool {
    // SAFETY: [GC-LIVE] the frame keeps its function; only first words of instructions are looked at.
    unsafe {
        let Some((p, at)) = proto_of(f.func).and_then(|p| Some((p, word_index(p, f.pc)?))) else {
            return false;
        };
        let mut pc = 1;
        while pc < (*p).ncode as usize {
            let (op, w) = (names::op(p, pc), *(*p).code.add(pc));
            let first = bc::a(w) as usize / 16;
            if matches!(op, Op::ForLoop | Op::ForLoopV) && (first..first + 3).contains(&r) {
                let body = (pc + 1) as i64 + verify::jump_distance(op, w).unwrap_or(0);
                if (body..=pc as i64).contains(&(at as i64)) {
                    return true;
                }
            }
            pc += op.words();
        }
        false
    }
}

unsafe fn store_cell(l: *mut Thread, c: *mut Cell, v: Value) {
    // SAFETY: [GC-LIVE] the cell is reachable; [GC-BARRIER] taken here.
    unsafe {
        (*c).value = v;
        let constant = (*c).hdr.flags & flags::CELL_READONLY != 0;
        (*c).hdr.flags &= !flags::CELL_READONLY;
        barrier(l, c as *mut GcHeader, v);
        jithooks::disturbed(l, constant);
    }
}

unsafe fn barrier(l: *mut Thread, o: *mut GcHeader, v: Value) {
    // SAFETY: [GC-BARRIER] the object is live.
    unsafe {
        if (*o).barrier != 0 {
            Global::of((*l).global).heap.barrier(o, v);
        }
    }
}

/// Where upvalue `n` (from 1) of a function is.
enum Upvalue {
    /// In a Lua closure: the pointer to its cell, and its description.
    Lua(*mut *mut Cell, *const UpvalDesc),
    /// In a native closure.
    Native(*mut Value),
}

unsafe fn upvalue(f: Value, n: i64) -> Option<Upvalue> {
    if f.tag != Tag::FUNCTION {
        return None;
    }
    // SAFETY: [GC-LIVE] the caller's function is live; `extra` is its number of upvalues.
    unsafe {
        let h = f.as_ptr::<GcHeader>();
        let i = usize::try_from(n.checked_sub(1)?)
            .ok()
            .filter(|&i| i < (*h).extra as usize)?;
        Some(match proto_of(h) {
            Some(p) => Upvalue::Lua(
                ((h as *mut u8).add(LuaClosure::UPVALS) as *mut *mut Cell).add(i),
                (*p).upvals.add(i),
            ),
            None => {
                Upvalue::Native(((h as *mut u8).add(NativeClosure::UPVALS) as *mut Value).add(i))
            }
        })
    }
}

unsafe fn upvalue_label(u: &Upvalue) -> Vec<u8> {
    match u {
        // SAFETY: [GC-LIVE] the prototype keeps the name.
        Upvalue::Lua(_, d) => unsafe {
            if (**d).name.is_null() {
                b"(no name)".to_vec()
            } else {
                str_bytes((**d).name).to_vec()
            }
        },
        Upvalue::Native(_) => Vec::new(),
    }
}

/// Name and value of upvalue `n` (from 1) of a function.
///
/// # Safety
/// [GC-LIVE] `f` is a live function.
pub unsafe fn get_upvalue(f: Value, n: i64) -> Option<(Vec<u8>, Value)> {
    // SAFETY: as promised.
    unsafe {
        let u = upvalue(f, n)?;
        let v = match u {
            Upvalue::Lua(c, _) => (**c).value,
            Upvalue::Native(v) => *v,
        };
        Some((upvalue_label(&u), Value::new(v.payload, v.tag)))
    }
}

/// Stores into upvalue `n` of a function; gives its name.
///
/// # Safety
/// [GC-LIVE] `f` is a live function, `v` a live value; `l` is the running thread.
pub unsafe fn set_upvalue(l: *mut Thread, f: Value, n: i64, v: Value) -> Option<Vec<u8>> {
    // SAFETY: as promised; [GC-BARRIER] taken for cell or closure.
    unsafe {
        let u = upvalue(f, n)?;
        let v = Value::new(v.payload, v.tag);
        match u {
            Upvalue::Lua(c, _) => store_cell(l, *c, v),
            Upvalue::Native(slot) => {
                *slot = v;
                barrier(l, f.as_ptr(), v);
            }
        }
        Some(upvalue_label(&u))
    }
}

/// An address that identifies the variable behind upvalue `n`.
///
/// # Safety
/// [GC-LIVE] `f` is a live function.
pub unsafe fn upvalue_id(f: Value, n: i64) -> Option<u64> {
    // SAFETY: as promised.
    unsafe {
        Some(match upvalue(f, n)? {
            Upvalue::Lua(c, _) => *c as u64,
            Upvalue::Native(v) => v as u64,
        })
    }
}

/// Makes upvalue `n1` of `f1` refer to the variable of upvalue `n2` of `f2`. False unless both exist and both functions are
/// Lua functions.
///
/// # Safety
/// [GC-LIVE] both are live functions; `l` is the running thread.
pub unsafe fn upvalue_join(l: *mut Thread, f1: Value, n1: i64, f2: Value, n2: i64) -> bool {
    // SAFETY: as promised; [GC-BARRIER] taken for the closure.
    unsafe {
        let (Some(Upvalue::Lua(to, _)), Some(Upvalue::Lua(from, _))) =
            (upvalue(f1, n1), upvalue(f2, n2))
        else {
            return false;
        };
        *to = *from;
        // What was constant for one function may be assigned through the other.
        (**from).hdr.flags &= !flags::CELL_READONLY;
        barrier(l, f1.as_ptr(), Value::ptr(*from, Tag::CELL));
        // the cell itself is taken for constant, too
        jithooks::disturbed(l, true);
        true
    }
}
