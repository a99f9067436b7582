//! Calls, returns, varargs.

use traceorus_base::bytecode::{self as bc, MULTI, Op};
use traceorus_base::frame::{self, kind};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::call::word_at;
use traceorus_vm::debuginfo::ErrKind;

use super::{Cursor, Frame, How, Pending, Rec, Recorder, Recursion, Slot, Step, Told, Tv};
use crate::abort::Abort;
use crate::ir::{IrOp, REF_NONE, Ref, Ty};
use crate::loc::Link;

/// Most slots that the arguments of a vararg function take, with which a loop returns from it.
const MAX_ARGUMENTS: i16 = 16;
/// Most results that are all wanted.
const MAX_RETURNED: i16 = 8;

/// A Lua function to be entered by [`Recorder::enter_frame`].
#[derive(Clone, Copy)]
pub(super) struct Callee {
    /// Its function slot.
    pub func: i16,
    /// Payload of its value.
    pub val: Ref,
    /// The function now.
    pub closure: *mut LuaClosure,
    /// Guarded to be this very one.
    pub known: bool,
    /// Number of arguments, in the slots above.
    pub nargs: i16,
    /// The frame word (type Word).
    pub word: Ref,
    /// The instruction that calls.
    pub call_pc: *const Instr,
    /// What becomes of the results.
    pub how: How,
}

/// How a trace goes on in a function that is called.
#[derive(Clone, Copy)]
pub(super) enum Way {
    /// As a part of it.
    Inline,
    /// Not at all: it would have to be linked to, and has no traces of its own.
    No,
    /// By a jump to the trace's own entry.
    Own,
    /// By a jump to the entry of the function's trace, which is at this address.
    Entry(u64),
}

impl Recorder {
    pub(crate) unsafe fn call(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let mut f = self.observed(i.ra());
            let mut nargs = match i.op {
                Op::Call | Op::TailCall => bc::b(i.w) as i16,
                _ => match self.multi_top(i.pc) {
                    Some(top) => top - (self.base() + i.ra() + 1),
                    None => return self.call_open(i),
                },
            };
            let mut object = None;
            if f.tag != Tag::FUNCTION {
                object = self.callable(i.ra(), nargs)?;
                let Some((_, mm)) = object else {
                    let v = (self.tv(i.ra())?, f);
                    return self.fail_at(i, ErrKind::Call, MetaMethod::Call, &[v]);
                };
                f = mm;
            }
            let h = f.as_ptr::<GcHeader>();
            if (*h).kind != ObjKind::LuaClosure as u8 {
                if let Some(f) = object {
                    return self.call_native_object(i, f, nargs);
                }
                if let Some(step) = self.switching(i, f, nargs)? {
                    return Ok(step);
                }
                return self.native(i, f, nargs);
            }
            let closure = f.as_ptr::<LuaClosure>();
            let proto = (*closure).proto;
            if matches!(i.op, Op::TailCall | Op::TailCallM) {
                return self.tail_call(i, closure, nargs, object.map(|(f, _)| f));
            }
            let fixed = object.is_none() && self.tv(i.ra())?.val.is_const();
            let way = self.way_into(closure, fixed)?;
            if matches!(way, Way::No) || self.frames.len() as u32 > self.params.maxdepth {
                return Err(Abort::CallDepth);
            }
            let fv = match object {
                Some((f, _)) => f,
                None => self.guard_observed(i.ra())?,
            };
            let known = self.guard_callee(i.pc, fv, closure)?;
            let func = self.base() + i.ra();
            if object.is_some() {
                // the object becomes the first argument
                self.need_slots(func + nargs + 3)?;
                self.make_room_for_callable(i.ra(), nargs)?;
                nargs += 1;
            }
            if !self.room_to_call(func, proto, nargs)? {
                return Err(Abort::CallDepth);
            }
            let word = frame::word(kind::LUA, i.pc as u64, 0);
            let word = self.buf.k(Ty::Word, word);
            let callee = Callee {
                func,
                val: fv.val,
                closure,
                known,
                nargs,
                word,
                call_pc: i.pc,
                how: How::Call,
            };
            self.enter_frame(callee)?;
            self.go_into(way, closure)
        }
    }

    /// How the trace goes on in a function that is called. `fixed`: it is a constant.
    pub(super) unsafe fn way_into(&mut self, closure: *mut LuaClosure, fixed: bool) -> Rec<Way> {
        // SAFETY: [GC-LIVE] it is in a slot.
        unsafe {
            let proto = (*closure).proto;
            let depth = self.frames.iter().filter(|x| x.proto == proto).count() as u32;
            let compiled = self.compiled_function(proto);
            // a tree that is wide already does not become wider by that
            let narrow = self.sides < self.params.maxside / if self.in_loop { 4 } else { 12 };
            let again = match self.in_loop {
                // closures that call closures of the same function (expressions, parsers): a loop goes by the same ones each time
                true => {
                    let most = self.params.maxdepth / if fixed { 1 } else { 2 };
                    !self.runs(closure) && self.frames.len() as u32 <= most
                }
                false => depth <= self.params.recunroll,
            };
            if depth != 0 && narrow && again
                || depth == 0 && compiled.is_none_or(|c| c.1 != Recursion::Itself)
            {
                return Ok(Way::Inline);
            }
            if (*proto).is_vararg != 0 {
                return Ok(Way::No);
            }
            if self.kind == super::Kind::Func && proto == self.protos[0] {
                return Ok(Way::Own);
            }
            match compiled {
                Some((address, _)) => Ok(Way::Entry(address)),
                None => {
                    self.first = (*closure).pc.sub(1).cast_mut();
                    Err(Abort::CalleeFirst)
                }
            }
        }
    }

    /// The function runs in a frame of this trace.
    fn runs(&self, closure: *mut LuaClosure) -> bool {
        self.frames.iter().any(|f| f.closure == closure)
    }

    /// A helper has entered the running function, at `pc` if nothing of it has been performed: how the trace ends if that is recursion.
    pub(super) unsafe fn entered_recursion(&mut self, pc: *const Instr) -> Option<Link> {
        let f = self.frame();
        // SAFETY: [GC-LIVE] it runs.
        if pc != unsafe { (*f.closure).pc } {
            return None;
        }
        if self.kind == super::Kind::Func && f.proto == self.protos[0] {
            self.recursive = Recursion::Itself;
            return Some(Link::SelfEntry { base: 0 });
        }
        match self.compiled_function(f.proto) {
            Some((address, r)) if r != Recursion::No => Some(Link::Entry { address, base: 0 }),
            _ => None,
        }
    }

    /// The frame of `closure` has been pushed.
    pub(super) unsafe fn go_into(&mut self, way: Way, closure: *mut LuaClosure) -> Rec<Step> {
        let address = match way {
            Way::Inline => return Ok(Step::More),
            Way::No => return Err(Abort::CallDepth),
            Way::Own => None,
            Way::Entry(address) => Some(address),
        };
        let base = self.base();
        // SAFETY: [GC-LIVE] it is in a slot.
        self.flush(unsafe { (*closure).pc })?;
        Ok(Step::Stop(match address {
            Some(address) => Link::Entry { address, base },
            None => {
                let mut callers = self.frames.iter().rev().skip(1);
                let same = callers.any(|f| f.closure == closure);
                self.recursive = self.recursive.max(match same {
                    true => Recursion::Itself,
                    false => Recursion::Others,
                });
                Link::SelfEntry { base }
            }
        }))
    }

    /// Guards that a call of a function of `proto` in slot `func` has room; false: it is too far up.
    pub(super) unsafe fn room_to_call(
        &mut self,
        func: i16,
        proto: *const Proto,
        nargs: i16,
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE] its closure is in a slot.
        unsafe {
            let fs = i16::from((*proto).frame_size);
            let np = i16::from((*proto).nparams);
            let room = if (*proto).is_vararg != 0 {
                nargs.max(np) + 1 + fs
            } else {
                fs.max(nargs)
            };
            if i32::from(func) + i32::from(room) > 4000 {
                return Ok(false);
            }
            self.need_slots(func + 1 + room + 1)?;
            Ok(true)
        }
    }

    /// Pushes the frame of `c`, whose arguments are in the slots above `func`. There is room.
    pub(super) unsafe fn enter_frame(&mut self, c: Callee) -> Rec<()> {
        // SAFETY: [GC-LIVE] the closure is in a slot.
        unsafe {
            let Callee { func, nargs, .. } = c;
            let proto = (*c.closure).proto;
            self.note_proto(proto);
            // the frame word is a fact of this trace: see `ir`
            let word = c.word;
            let val = if c.known {
                self.buf.k(Ty::Func, c.closure as u64)
            } else {
                c.val
            };
            let v = Tv { val, tag: word };
            self.put_slot(func, Slot::Known { v, dirty: true });
            let (base, nextra) = self.place_arguments(func, val, nargs, proto)?;
            self.frames.push(Frame {
                base,
                func,
                closure: c.closure,
                known: c.known,
                proto,
                call_pc: c.call_pc,
                how: c.how,
                nextra,
            });
            self.pending = Pending::Expect {
                pc: (*c.closure).pc,
                base,
            };
            Ok(())
        }
    }

    /// The `nargs` arguments above `func` become parameters and extra arguments of `proto`, the function being `fval`: base and
    /// number of extra arguments of the frame.
    unsafe fn place_arguments(
        &mut self,
        func: i16,
        fval: Ref,
        nargs: i16,
        proto: *const Proto,
    ) -> Rec<(i16, Option<u16>)> {
        // SAFETY: [GC-LIVE] the closure keeps it alive.
        let (np, vararg) = unsafe { (i16::from((*proto).nparams), (*proto).is_vararg != 0) };
        let nil = self.konst(Value::NIL);
        let base = func + 1;
        for k in nargs..np {
            self.put_slot(
                base + k,
                Slot::Known {
                    v: nil,
                    dirty: true,
                },
            );
        }
        if !vararg {
            self.forget_from(base + np);
            return Ok((base, None));
        }
        let delta = nargs.max(np) + 1;
        let new = base + delta;
        for k in 0..np {
            let v = self.slot_tv(base + k)?;
            self.put_slot(new + k, Slot::Known { v, dirty: true });
        }
        let tag = self.buf.k(Ty::Word, frame::vararg_word(delta as u64));
        let v = Tv { val: fval, tag };
        self.put_slot(new - 1, Slot::Known { v, dirty: true });
        self.forget_from(new + np);
        Ok((new, Some((delta - 1 - np) as u16)))
    }

    /// A tail call of a Lua function: the running frame becomes its frame. `handler`: the function, if it is that of `__call` of what is called.
    #[inline(never)]
    unsafe fn tail_call(
        &mut self,
        i: Cursor,
        closure: *mut LuaClosure,
        nargs: i16,
        handler: Option<Tv>,
    ) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `instruction`.
        unsafe {
            let proto = (*closure).proto;
            let (base, inlined) = (self.base(), self.frames.len() > 1);
            let word = word_at((*self.l).base.sub(1));
            let plain = (*proto).is_vararg == 0 && (*self.frame().proto).is_vararg == 0;
            let entered = matches!(frame::kind_of(word), kind::LUA | kind::TAIL);
            if !inlined && (!plain || self.in_loop || !entered) {
                return self.ret_generic(i);
            }
            let (fv, first, nargs) = match handler {
                Some(f) => (f, i.ra(), nargs + 1),
                None => (self.guard_observed(i.ra())?, i.ra() + 1, nargs),
            };
            // functions that are constants (what closures close over) count one by one
            let of = match fv.val.is_const() {
                true => closure as usize,
                false => i.pc as usize,
            };
            let n = self.unrolled.entry(of).or_insert(0);
            *n += 1;
            if *n > self.params.loopunroll {
                return Err(Abort::CallDepth);
            }
            // a few in a row become one trace: what is passed on need not go through memory
            let often = *n > self.params.recunroll;
            let known = self.guard_callee(i.pc, fv, closure)?;
            let np = i16::from((*proto).nparams);
            let mut args = Vec::new();
            let count = if plain { np.min(nargs) } else { nargs };
            for k in 0..count {
                args.push(self.tv(first + k)?);
            }
            // the frame of a vararg function begins below its arguments
            let func = if inlined { self.frame().func } else { base - 1 };
            if !self.room_to_call(func, proto, nargs)? {
                return Err(Abort::CallDepth);
            }
            self.note_proto(proto);
            let val = if known {
                self.buf.k(Ty::Func, closure as u64)
            } else {
                fv.val
            };
            if inlined {
                let call_pc = self.frame().call_pc as u64;
                let tag = match self.frame().how {
                    How::Call => self.buf.k(Ty::Word, frame::word(kind::TAIL, call_pc, 0)),
                    How::Protected { delta } => self.own_protected_word(delta, frame::TAIL_BIT)?,
                    How::Meta => {
                        let delta = func + 1 - self.frames[self.frames.len() - 2].base;
                        let word = frame::word(kind::CONT, call_pc, delta as u64);
                        let bits = frame::TAIL_BIT | super::tbc::word_bits(self.frame().call_pc);
                        self.buf.k(Ty::Word, word | bits)
                    }
                };
                let v = Tv { val, tag };
                self.put_slot(func, Slot::Known { v, dirty: true });
            } else {
                // the frame word is in memory
                let of = frame::kind_of(word) as u16;
                self.guard(IrOp::RetKind, Ty::Void, Self::lit(of), REF_NONE)?;
                if of == kind::LUA as u16 {
                    self.emit(IrOp::SetTail, Ty::Void, REF_NONE, REF_NONE)?;
                }
                self.emit(IrOp::SSt, Ty::Func, Self::slot_lit(-1), val)?;
                let tag = self.buf.k_tag(Tag::FUNCTION);
                let v = Tv { val, tag };
                self.put_slot(-1, Slot::Known { v, dirty: false });
            }
            for (k, v) in args.into_iter().enumerate() {
                self.put_slot(func + 1 + k as i16, Slot::Known { v, dirty: true });
            }
            let (base, nextra) = self.place_arguments(func, val, nargs, proto)?;
            let fr = self.frames.last_mut().expect("the running one");
            (fr.closure, fr.known, fr.proto) = (closure, known, proto);
            (fr.base, fr.nextra) = (base, nextra);
            let own = self.kind == super::Kind::Func && proto == self.protos[0];
            if !inlined
                && !own
                && often
                && let Some((address, _)) = self.compiled_function(proto)
            {
                self.flush((*closure).pc)?;
                return Ok(Step::Stop(Link::Entry { address, base: 0 }));
            }
            self.pending = Pending::Expect {
                pc: (*closure).pc,
                base,
            };
            Ok(Step::More)
        }
    }

    pub(super) fn compiled_function(&self, p: *mut Proto) -> Option<(u64, Recursion)> {
        // SAFETY: the policy's table outlives the recording.
        unsafe { self.funcs.as_ref()?.get(&(p as usize)).copied() }
    }

    /// Guards that the function `fv` is `closure`, or at least one of the same prototype. True: it is this one.
    pub(super) unsafe fn guard_function(&mut self, fv: Tv, closure: *mut LuaClosure) -> Rec<bool> {
        // SAFETY: [GC-LIVE]
        unsafe {
            if fv.val.is_const() {
                return Ok(true);
            }
            let proto = (*closure).proto;
            if (*proto).ninstances <= 1 {
                self.guard_is(fv.val, closure as u64)?;
                return Ok(true);
            }
            self.guard_prototype(fv, proto)?;
            Ok(false)
        }
    }

    /// The same for what the instruction at `pc` calls: the very closure is guarded as long as few are met there. What it closes over is constant then, and so are
    /// the functions that it calls in turn.
    unsafe fn guard_callee(
        &mut self,
        pc: *const Instr,
        fv: Tv,
        closure: *mut LuaClosure,
    ) -> Rec<bool> {
        if fv.val.is_const() {
            return Ok(true);
        }
        // SAFETY: [GC-LIVE] it is in a slot.
        unsafe {
            let proto = (*closure).proto;
            if (*proto).ninstances > 1 && self.meets_closures(pc, fv.val) {
                self.guard_prototype(fv, proto)?;
                return Ok(false);
            }
            self.guard_told(pc, fv.val, closure)?;
            Ok(true)
        }
    }

    /// Guards that the function `f` is `closure`, which the instruction at `pc` tells from others of its prototype by that.
    pub(super) unsafe fn guard_told(
        &mut self,
        pc: *const Instr,
        f: Ref,
        closure: *mut LuaClosure,
    ) -> Rec<Ref> {
        // SAFETY: [GC-LIVE] it is in a slot.
        let (proto, made) = unsafe { ((*closure).proto as usize, (*(*closure).proto).ninstances) };
        let told = Told {
            closure: closure as usize,
            made,
        };
        self.told.insert((pc as usize, proto), told);
        self.guard_is(f, closure as u64)
    }

    /// The call at `pc` of the function `f` meets many closures of a prototype. That has been seen before, or is to be expected.
    fn meets_closures(&mut self, pc: *const Instr, f: Ref) -> bool {
        let pc = pc as usize;
        // SAFETY: the policy's table outlives the recording.
        let known = unsafe { self.by_prototype.as_ref() };
        known.is_some_and(|k| k.contains(&pc)) || self.varying.contains(&pc) || {
            let varies = self.varies(f);
            if varies {
                self.varying.push(pc);
            }
            varies
        }
    }

    /// The function `f` has been made on the trace, or found in whatever class, or is an upvalue of a closure that is not known.
    fn varies(&self, f: Ref) -> bool {
        let i = self.buf.at(f);
        match i.op {
            IrOp::FNew | IrOp::Method => true,
            IrOp::LdV if i.a.is_ins() && self.buf.at(i.a).op == IrOp::CRef => {
                let cell = self.buf.at(i.a).a;
                cell.is_ins() && self.buf.at(cell).op == IrOp::UpRef
            }
            _ => false,
        }
    }

    /// Guards that the function `fv` is a closure of `proto`.
    pub(super) fn guard_prototype(&mut self, fv: Tv, proto: *mut Proto) -> Rec<()> {
        // closures of Lua and natives have different layouts
        let f = Self::lit(crate::ir::FieldId::Kind as u16);
        let k = self.emit(IrOp::FLd, Ty::U8, fv.val, f)?;
        let want = self.buf.k(Ty::U8, ObjKind::LuaClosure as u64);
        self.guard(IrOp::Eq, Ty::U8, k, want)?;
        let f = Self::lit(crate::ir::FieldId::FuncProto as u16);
        let p = self.emit(IrOp::FLd, Ty::Ptr, fv.val, f)?;
        let want = self.buf.k_ptr(proto as u64);
        self.guard(IrOp::Eq, Ty::Ptr, p, want)?;
        Ok(())
    }

    #[inline(never)]
    pub(crate) unsafe fn ret(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let n = match i.op {
                Op::Ret0 => 0,
                Op::Ret1 => 1,
                Op::Ret => bc::b(i.w) as i16,
                Op::RetM => match self.multi_top(i.pc) {
                    Some(top) => top - (self.base() + i.ra()),
                    None => return self.ret_generic(i),
                },
                _ => {
                    let n = match (bc::b(i.w), self.multi_top(i.pc)) {
                        (MULTI, Some(top)) => top - (self.base() + i.ra()),
                        (MULTI, None) => return self.ret_generic(i),
                        (n, _) => n as i16,
                    };
                    match self.close_frame(i, n)? {
                        Some(true) => return Ok(Step::More),
                        Some(false) => n,
                        None => return self.ret_generic(i),
                    }
                }
            };
            self.ret_values(i, n)
        }
    }

    /// The recording may end at `pc`, where a trace begins that all ways lead to.
    pub(crate) fn may_meet(&mut self, pc: *const Instr) -> bool {
        matches!(
            self.kind,
            super::Kind::Side { .. } | super::Kind::Meet { .. }
        ) && pc != self.start_pc
            && self.l == self.start_l
            && self.waiting.is_empty()
            && self.multi_top(pc).is_none()
    }

    /// The running frame ends by the instruction at `i` with `n` results from register A on.
    pub(super) unsafe fn ret_values(&mut self, i: Cursor, n: i16) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            let from = i.ra();
            if self.frames.len() > 1 {
                match self.frame().how {
                    How::Call => {}
                    How::Meta => return self.end_event(i, from, n),
                    How::Protected { .. } => return self.end_protected(i, from, n),
                }
                let call_pc = self.frame().call_pc;
                let wanted = bc::c(*call_pc);
                let all = wanted == MULTI;
                let wanted = if all { n } else { wanted as i16 };
                let mut results = Vec::new();
                for k in 0..n.min(wanted) {
                    results.push(self.tv(from + k)?);
                }
                let fr = self.frames.pop().expect("inlined");
                self.forget_pending_from(fr.func);
                let nil = self.konst(Value::NIL);
                for k in 0..wanted {
                    let v = results.get(k as usize).copied().unwrap_or(nil);
                    self.put_slot(fr.func + k, Slot::Known { v, dirty: true });
                }
                self.forget_from(fr.func + wanted);
                if all {
                    self.set_multi(after(call_pc), fr.func + wanted);
                }
                self.expect(after(call_pc));
                return Ok(Step::More);
            }
            // the frame in which the trace began
            let word = word_at((*self.l).base.sub(1));
            if frame::kind_of(word) == kind::BASE
                && let Some(step) = self.ending(i, from, n)?
            {
                return Ok(step);
            }
            // frames below that of the loop are not the loop's, those of a coroutine that it has resumed are
            if self.kind == super::Kind::Loop && self.waiting.is_empty() {
                return self.ret_generic(i);
            }
            if !self.in_loop {
                return self.link_return(i, word, from, n);
            }
            // arguments of a vararg function lie below its frame; how many is a fact of the trace
            let (mut entered, mut down) = (word, 0);
            if frame::kind_of(word) == kind::VARARG {
                down = frame::delta_of(word) as i16;
                entered = word_at((*self.l).base.sub(1 + down as usize));
            }
            let call_pc = frame::addr_of(entered) as *const Instr;
            if !matches!(frame::kind_of(entered), kind::LUA | kind::TAIL) || down > MAX_ARGUMENTS {
                return self.ret_generic(i);
            }
            let all = bc::c(*call_pc) == MULTI;
            let wanted = if all { n } else { bc::c(*call_pc) as i16 };
            if all && n > MAX_RETURNED {
                return self.ret_generic(i);
            }
            let mut results = Vec::new();
            for k in 0..n.min(wanted) {
                results.push(self.tv(from + k)?);
            }
            if down != 0 {
                self.guard_word_below(down, entered)?;
            }
            let a = (bc::a(*call_pc) / 16) as i16;
            let delta = a + 1 + down;
            let kword = self.buf.k(Ty::Word, word);
            self.guard(IrOp::RetF, Ty::Word, kword, Self::lit(delta as u16))?;
            // numbering from the caller's base
            self.begin_at((*self.l).base.sub(delta as usize));
            let nil = self.konst(Value::NIL);
            for k in 0..wanted {
                let v = results.get(k as usize).copied().unwrap_or(nil);
                self.put_slot(a + k, Slot::Known { v, dirty: true });
            }
            if all {
                self.set_multi(after(call_pc), a + wanted);
            }
            self.expect(after(call_pc));
            Ok(Step::More)
        }
    }

    /// Returns to compiled code, whatever the caller is.
    #[inline(never)]
    unsafe fn link_return(&mut self, i: Cursor, word: u64, from: i16, n: i16) -> Rec<Step> {
        // SAFETY: [CODE] the word of a frame of kind LUA is the pc of a call.
        unsafe {
            if frame::kind_of(word) == kind::CONT
                && super::meta::end_of(frame::addr_of(word) as *const Instr).is_some()
            {
                let v = match n {
                    0 => self.konst(Value::NIL),
                    _ => self.tv(from)?,
                };
                let cont = Self::lit(kind::CONT as u16);
                let word = self.guard(IrOp::RetWord, Ty::Word, cont, REF_NONE)?;
                self.store_slot(-1, v)?;
                return Ok(Step::Stop(Link::Event(word)));
            }
            let (mut word, mut down) = (word, 0);
            let mut results = Vec::new();
            if frame::kind_of(word) == kind::PCALL {
                // pcall ends with it
                down = frame::delta_of(word) as i16;
                word = word_at((*self.l).base.sub(1 + down as usize));
                results.push(self.konst(Value::TRUE));
            }
            let of = frame::kind_of(word);
            let wanted = match of {
                kind::LUA | kind::TAIL => bc::c(*(frame::addr_of(word) as *const Instr)),
                _ => MULTI,
            };
            let known = matches!(of, kind::LUA | kind::TAIL);
            let own = results.len() as i16;
            let all = known && wanted == MULTI && n + own <= MAX_RETURNED;
            if !all && (wanted == MULTI || wanted > MAX_RETURNED as u16) {
                // the interpreter returns to native code, or whatever it is
                return self.resume(i.pc);
            }
            let count = if all { n + own } else { wanted as i16 };
            for k in 0..n.min(count - own) {
                results.push(self.tv(from + k)?);
            }
            let of = of as u16 | (down as u16) << 3;
            let (want, of) = (Self::lit(wanted), Self::lit(of));
            let call = self.guard(IrOp::RetPc, Ty::Ptr, want, of)?;
            if own != 0 {
                self.change_depth(-1)?;
            }
            let nil = self.konst(Value::NIL);
            for k in 0..count {
                let v = results.get(k as usize).copied().unwrap_or(nil);
                self.store_slot(k - 1 - down, v)?;
            }
            if all {
                let top = Self::slot_lit(count - 1 - down);
                self.emit(IrOp::STop, Ty::Void, top, REF_NONE)?;
            }
            Ok(Step::Stop(Link::Return { call, down }))
        }
    }

    /// The trace ends: the interpreter performs the instruction at `pc`.
    pub(super) fn resume(&mut self, pc: *const Instr) -> Rec<Step> {
        self.flush(pc)?;
        if let Some(top) = self.multi_top(pc) {
            self.emit(IrOp::STop, Ty::Void, Self::slot_lit(top), REF_NONE)?;
        }
        let base = self.base();
        Ok(Step::Stop(Link::Resume {
            pc: pc as u64,
            base,
        }))
    }

    /// The running frame (known by now) must go on at `pc`.
    pub(super) fn expect(&mut self, pc: *const Instr) {
        let base = self.base();
        self.pending = Pending::Expect { pc, base };
    }

    pub(super) unsafe fn ret_generic(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `instruction`.
        unsafe {
            // frames that helpers have pushed lie above the loop's
            let inside = self.l != self.start_l || self.base0 > self.start_base;
            if self.frames.len() == 1 && self.kind == super::Kind::Loop && !inside {
                return Err(Abort::LeavingLoop);
            }
            self.generic(i)
        }
    }
}

/// Where execution goes on after the call at `pc`.
pub(super) unsafe fn after(pc: *const Instr) -> *const Instr {
    // SAFETY: [CODE] a call instruction of loaded code.
    unsafe { pc.add(traceorus_vm::dispatch::op_at(pc).words()) }
}
