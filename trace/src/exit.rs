//! What exits of traces do: the interpreter's state is put back as the snapshot says. Called from the thunks (`lower`).
//!
//! **Sunk objects** are made first, all of an exit, then filled, then slots are written: so they may contain one another. Nothing looks at
//! them before they are complete, as allocation neither collects nor fails. Stores into them need no barrier: until the next safepoint they are
//! white. A POLL that only collects makes no object: slots that name one are nil meanwhile, and what is in the objects are roots.

use traceorus_asm::{Host, Masm};
use traceorus_base::bytecode::{self, Op};
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value, frame};
use traceorus_vm::dispatch;
use traceorus_vm::state::Global;
use traceorus_vm::{call, exec, table};

use crate::exits::Exit;
use crate::ir::{FIELDS, Part, Snap};
use crate::jit::Jit;
use crate::loc::{ExitPart, ExitSlot, Loc, NewObject};
use crate::lower::{self, TraceRegs};
use crate::params::dump;

/// What was in a place when the trace was left.
#[inline(always)]
unsafe fn saved(save: *mut u64, at: Loc) -> u64 {
    let n = match at {
        // sunk objects: see `contents`
        Loc::None | Loc::Sunk(_) => return 0,
        Loc::Const(bits) => return bits,
        Loc::Gpr(n) => n as usize,
        Loc::Fpr(n) => (Host::SAVE_FPRS + u32::from(n)) as usize,
        Loc::Spill(n) => lower::spill_index(n),
    };
    // SAFETY: the save area and the spill slots above it belong to the native frame that the thunk runs in; see `lower::exit`.
    unsafe { *save.add(n) }
}

/// The object of a recipe without its contents, as `lower::object` and the interpreter make it.
unsafe fn make(g: &mut Global, new: NewObject) -> *mut u8 {
    // SAFETY: [GC-LIVE] the trace keeps shapes and prototypes alive; [GC-LAYOUT] all fields are written, upvalues by `fill`.
    unsafe {
        match new {
            NewObject::Table { shape, slots } => {
                let t = table::table_new(g, 0, slots.into());
                set_shape(t, shape);
                t.cast()
            }
            NewObject::Array { shape, slots } => {
                let t = table::table_new(g, usize::from(slots).saturating_sub(1), 0);
                set_shape(t, shape);
                t.cast()
            }
            NewObject::Cell { readonly } => exec::new_cell(g, Value::NIL, readonly).cast(),
            NewObject::Closure { proto, upvals } => {
                let (p, n) = (proto as *mut Proto, usize::from(upvals));
                let f = g.heap.alloc(ObjKind::LuaClosure, LuaClosure::size_for(n));
                let f = f.cast::<LuaClosure>();
                (*f).hdr.extra = upvals as u8;
                (*f).pc = (*p).code.add(1).cast();
                (*f).proto = p;
                (*p).ninstances = (*p).ninstances.saturating_add(1);
                f.cast()
            }
        }
    }
}

unsafe fn set_shape(t: *mut Table, shape: u64) {
    let shape = shape as *mut Shape;
    // SAFETY: as `make`.
    unsafe {
        (*t).shape = shape;
        (*t).hdr.word = (*shape).hdr.word;
    }
}

/// Writes a part of the object at `p`. `objects`: all objects of the exit.
unsafe fn fill(save: *mut u64, p: *mut u8, part: &ExitPart, objects: &[*mut u8]) {
    // SAFETY: [SNAP-EXACT] the part is one of the object, which is fresh and has it; see `opt::sink`.
    unsafe {
        let val = match part.val {
            Loc::Sunk(n) => objects[n as usize] as u64,
            at => saved(save, at),
        };
        let v = Value::new(val, Tag(saved(save, part.tag) as i32));
        match part.part {
            Part::Slot(n) => run_set((*p.cast::<Table>()).hash.cast(), n.into(), v),
            Part::Elem(n) => run_set((*p.cast::<Table>()).array, n.into(), v),
            Part::Cell => (*p.cast::<Cell>()).value = v,
            Part::Upvalue(n) => {
                let at = p.add(LuaClosure::UPVALS).cast::<u64>();
                *at.add(n.into()) = val;
            }
            Part::Field(n) => {
                let field = FIELDS[n as usize].offset as usize;
                match FIELDS[n as usize].size {
                    1 => *p.add(field) = val as u8,
                    4 => *p.add(field).cast::<u32>() = val as u32,
                    _ => *p.add(field).cast::<u64>() = val,
                }
            }
        }
    }
}

/// Makes and fills the objects of an exit.
unsafe fn make_objects(g: *mut GlobalHot, save: *mut u64, map: &Exit<'_>) -> Vec<*mut u8> {
    // SAFETY: as the callers: the state is live.
    unsafe {
        if !map.has_objects() {
            return Vec::new();
        }
        let g = Global::of(g);
        let objects: Vec<*mut u8> = map.objects().map(|new| make(g, new)).collect();
        for (n, part) in map.parts() {
            fill(save, objects[n], &part, &objects);
        }
        objects
    }
}

/// Writes the slots of an exit and makes its frame the running one. Without `objects` slots that name a sunk object are nil.
unsafe fn restore(
    g: *mut GlobalHot,
    save: *mut u64,
    map: &Exit<'_>,
    objects: Option<&[*mut u8]>,
) -> *mut Thread {
    // SAFETY: [SNAP-EXACT] the map says where the values of every live slot are; [STACK-STABLE] the trace has checked that the
    // stack has room for them.
    unsafe {
        let l = (*g).current;
        let base = saved(save, Loc::Gpr(<Host as Masm>::BASE.0)) as *mut Value;
        map.each_slot(|s| {
            let at = base.offset(s.slot as isize);
            match (s.val, objects) {
                (Loc::None, _) => {}
                (Loc::Sunk(n), Some(objects)) => (*at).payload = objects[n as usize] as u64,
                (Loc::Sunk(_), None) => {
                    *at = Value::NIL;
                    return;
                }
                (val, _) => (*at).payload = saved(save, val),
            }
            let tag = saved(save, s.tag);
            if s.word {
                call::set_word(at, tag);
            } else {
                (*at).tag = Tag(tag as i32);
                (*at).aux = 0;
            }
        });
        (*l).base = base.offset(map.base as isize);
        (*l).pc = map.pc as *const Instr;
        if map.top != Snap::NO_TOP {
            (*l).top = base.offset(map.top as isize);
        }
        (*l).pcall_depth += u32::from(map.pcalls);
        l
    }
}

/// A guard failed in trace `id >> 16`, snapshot `id & 0xffff`: the state is put back; gives the pc to go on at.
///
/// # Safety
/// Called by the exit thunk only.
pub unsafe extern "C" fn exit(g: *mut GlobalHot, save: *mut u64, id: u64) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        let (n, e) = ((id >> 16) as u16, id as u16);
        let t = jit.traces[n as usize].as_ref().expect("it runs");
        let map = &t.exits.get(e);
        let objects = make_objects(g, save, map);
        let l = restore(g, save, map, Some(&objects));
        let pc = map.pc as *const Instr;
        // traces of enclosing activations have to see it as well
        if (*(*g).activation).prev.is_null() {
            (*g).jit_scratch[3] = 0;
        }
        let unneeded = (*g).exit_left == 0 && jit.params.exitrandom != 0;
        let base = saved(save, Loc::Gpr(<Host as Masm>::BASE.0));
        let room = ((*l).limit as u64).wrapping_sub(base) as i64;
        let full = room < 16 * i64::from(map.room) && map.room != 0;
        let is_poll = map.poll && (*g).poll != 0;
        if jit.dump.wants(dump::EXIT) {
            let base = (*l).base.offset(-(map.base as isize));
            jit.dump.exit(t, e, base);
        }
        jit.stats.exits += 1;
        // it may be that the instruction itself needs less room
        if full && map.top == Snap::NO_TOP {
            let from = (*l).base.offset(-(map.base as isize));
            call::make_room(l, from, map.room.into());
        }
        jit.replay_exit(l, n, e, map.top == Snap::NO_TOP);
        if unneeded {
            jit.roll();
        } else if !is_poll {
            jit.exited(l, n, e, pc, full);
        }
        // the instruction would only enter the trace again
        let h = bytecode::op_field(*pc);
        if dispatch::exact_op_of(h) == Op::JTForCall && (*l).dispatch == (*g).code_base {
            let helper: unsafe extern "C" fn(*mut Thread, *const Instr) -> *const Instr =
                std::mem::transmute(dispatch::helper_address(Op::TForCall));
            return helper(l, pc);
        }
        pc
    }
}

/// Something waits at a POLL. 0: done, the trace goes on; else it is left.
///
/// # Safety
/// Called by the poll thunk only.
pub unsafe extern "C" fn poll(g: *mut GlobalHot, save: *mut u64, id: u64) -> u64 {
    // SAFETY: as promised.
    unsafe {
        if (*g).poll & !traceorus_base::objects::poll::GC != 0 {
            return 1;
        }
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        let (n, e) = ((id >> 16) as u16, id as u16);
        let t = jit.traces[n as usize].as_ref().expect("it runs");
        let map = &t.exits.get(e);
        // the function of a frame cannot be nil
        let framed = |s: ExitSlot| s.word && matches!(s.val, Loc::Sunk(_));
        let depth = (*(*g).current).pcall_depth;
        let l = if map.slots().any(framed) {
            let objects = make_objects(g, save, map);
            restore(g, save, map, Some(&objects))
        } else {
            restore(g, save, map, None)
        };
        let mut roots = Vec::new();
        for (val, tag) in map.roots() {
            let v = Value::new(saved(save, val), Tag(saved(save, tag) as i32));
            roots.push((v, ()));
        }
        for (_, part) in map.parts() {
            let tag = match part.tag {
                // addresses of shapes and of other constants: the trace keeps them
                Loc::None => part.ty.tag().unwrap_or(Tag::NIL),
                at => Tag(saved(save, at) as i32),
            };
            if tag.is_collectable() && !matches!(part.val, Loc::None | Loc::Sunk(_)) {
                roots.push((Value::new(saved(save, part.val), tag), ()));
            }
        }
        jit.stats.polls += 1;
        jit.replay_cancel();
        let stays = jit.collect(l, &roots);
        // memory has what it had: the trace goes on, or the exit counts again
        (*l).pcall_depth = depth;
        u64::from(!stays)
    }
}

/// The collector's barrier: object, payload and tag of the value are in `GlobalHot::jit_scratch`.
///
/// # Safety
/// Called by the barrier thunk only.
pub unsafe extern "C" fn barrier(g: *mut GlobalHot) {
    // SAFETY: [GC-BARRIER] [GC-LIVE] the trace stores this value into this object next.
    unsafe {
        let [obj, payload, tag, _] = (*g).jit_scratch;
        let v = Value::new(payload, Tag(tag as i32));
        Global::of(g).heap.barrier(obj as *mut GcHeader, v);
    }
}

/// Allocations that the trace does without are charged to the collector's debt.
///
/// # Safety
/// Called by the charge thunk only.
pub unsafe extern "C" fn charge(g: *mut GlobalHot) {
    // SAFETY: as promised; nothing is collected here.
    unsafe { Global::of(g).heap.charge_removed() };
}

/// A free cell for an object of `jit_scratch[0]` bytes: its address goes there.
///
/// # Safety
/// Called by the allocation thunk only; the trace writes all fields before anything looks at them [GC-LAYOUT].
pub unsafe extern "C" fn alloc(g: *mut GlobalHot) {
    // SAFETY: as promised. Allocation neither collects nor fails.
    unsafe {
        let bytes = (*g).jit_scratch[0] as usize;
        let p = Global::of(g).heap.alloc(ObjKind::Table, bytes);
        (*g).jit_scratch[0] = p as u64;
    }
}

/// Compiled code has returned from the frame of a metamethod, with this word, to an instruction without continuation.
///
/// # Safety
/// Called by the thunk only.
pub unsafe extern "C" fn ret_event(g: *mut GlobalHot, word: u64) -> *const Instr {
    // SAFETY: [STACK-STABLE] as promised: `Thread::base` is the base of the frame, and the result is below.
    unsafe {
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        let l = (*g).current;
        let res = (*l).base.sub(1);
        let (pc, delta) = (
            frame::addr_of(word) as *const Instr,
            frame::delta_of(word) as usize,
        );
        (*l).base = (*l).base.sub(delta);
        (*l).pc = pc;
        jit.event_returned(l, word, pc);
        traceorus_vm::helpers::finish_op(l, pc, res, 1, delta)
    }
}

/// What SLOTOF gives for the table and the key in `jit_scratch` goes there.
///
/// # Safety
/// Called by the thunk only.
pub unsafe extern "C" fn slot_of(g: *mut GlobalHot) {
    // SAFETY: [GC-LIVE] the trace has both in registers.
    unsafe {
        let [t, key, ..] = (*g).jit_scratch;
        let slot = dispatch::own_slot(Global::of(g), t as *mut Table, key as *mut Str);
        (*g).jit_scratch[0] = slot.map_or(-1, i64::from) as u64;
    }
}

/// The same for METHOD.
///
/// # Safety
/// Called by the thunk only.
pub unsafe extern "C" fn method(g: *mut GlobalHot) {
    // SAFETY: as `slot_of`.
    unsafe {
        let [t, key, ..] = (*g).jit_scratch;
        let f =
            dispatch::inherited_function(Global::of(g), t as *mut Table, key as *mut Str, false);
        (*g).jit_scratch[0] = f.map_or(0, |f| f.payload);
    }
}

/// Compiled code has returned to the call at `call`, which has no continuation; `Thread::base` is that of the caller.
///
/// # Safety
/// Called by the return thunk only.
pub unsafe extern "C" fn ret(g: *mut GlobalHot, call: *const Instr) -> *const Instr {
    // SAFETY: as promised.
    unsafe {
        let jit = Jit::of(Global::of(g)).expect("we run because it is there");
        jit.returned((*g).current, call)
    }
}
