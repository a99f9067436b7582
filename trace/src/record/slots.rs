//! What is known of stack slots, snapshots, and stores of slots to the stack.

use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};

use super::{Rec, Recorder};
use crate::abort::Abort;
use crate::ir::{IrOp, REF_NONE, Ref, Snap, SnapEntry, Ty};
use crate::opt::{cse, facts};

/// A Lua value in the IR: payload (none for nil, true, false) and tag (a constant if it is known).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tv {
    pub val: Ref,
    pub tag: Ref,
}

/// What is known of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slot {
    /// It is in memory.
    Unknown,
    /// This value. `dirty`: memory does not have it.
    Known { v: Tv, dirty: bool },
}

impl Recorder {
    fn index(slot: i16) -> usize {
        debug_assert!(slot >= -1);
        (slot + 1) as usize
    }
    pub(crate) fn slot(&self, slot: i16) -> Slot {
        self.slots
            .get(Self::index(slot))
            .copied()
            .unwrap_or(Slot::Unknown)
    }
    pub(crate) fn mark_changed(&mut self, slot: i16, to: bool) {
        let i = Self::index(slot);
        if i >= self.changed.len() {
            self.changed.resize(i + 1, false);
        }
        self.changed[i] = to;
    }
    pub(crate) fn put_slot(&mut self, slot: i16, s: Slot) {
        let i = Self::index(slot);
        if matches!(s, Slot::Unknown | Slot::Known { dirty: true, .. }) {
            self.mark_changed(slot, true);
        }
        if i >= self.slots.len() {
            if s == Slot::Unknown {
                return;
            }
            self.slots.resize(i + 1, Slot::Unknown);
        }
        self.slots[i] = s;
    }
    /// Forgets what is known of the slots from `slot` on.
    pub(crate) fn forget_from(&mut self, slot: i16) {
        let i = Self::index(slot);
        // registers of a frame: all of them may have changed in memory
        if self.changed.len() < i + 256 {
            self.changed.resize(i + 256, true);
        }
        self.changed[i..].fill(true);
        self.slots.truncate(i);
    }
    /// Register `r` of the running frame becomes `v`.
    pub(crate) fn set(&mut self, r: i16, v: Tv) {
        let slot = self.base() + r;
        self.put_slot(slot, Slot::Known { v, dirty: true });
    }
    /// Register `r` of the running frame.
    pub(crate) fn tv(&mut self, r: i16) -> Rec<Tv> {
        let slot = self.base() + r;
        self.slot_tv(slot)
    }
    pub(crate) fn slot_tv(&mut self, slot: i16) -> Rec<Tv> {
        if let Slot::Known { v, .. } = self.slot(slot) {
            return Ok(v);
        }
        let at = Self::slot_lit(slot);
        let val = self.emit(IrOp::SLoad, Ty::Any, at, REF_NONE)?;
        let tag = self.emit(IrOp::SLoadT, Ty::Tag, at, REF_NONE)?;
        let v = Tv { val, tag };
        self.put_slot(slot, Slot::Known { v, dirty: false });
        Ok(v)
    }
    /// The value that register `r` of the running frame has now.
    pub(crate) fn observed(&self, r: i16) -> Value {
        // SAFETY: [CODE] registers are inside the running frame.
        unsafe { *(*self.l).base.offset(r as isize) }
    }

    // ---- values -----------------------------------------------------------------------------------------------------

    /// A constant.
    pub(crate) fn konst(&mut self, v: Value) -> Tv {
        let tag = self.buf.k_tag(v.tag);
        let ty = Ty::of_tag(v.tag);
        let val = if ty.is_prim() {
            REF_NONE
        } else {
            self.buf.k(ty, v.payload)
        };
        Tv { val, tag }
    }
    pub(crate) fn int_tv(&mut self, i: i64) -> Tv {
        self.konst(Value::int(i))
    }
    /// A value of a type that is known.
    pub(crate) fn typed(&mut self, val: Ref) -> Tv {
        let tag = self.buf.ty(val).tag().expect("type of a Lua value");
        let tag = self.buf.k_tag(tag);
        Tv { val, tag }
    }
    /// The type, if it is known.
    pub(crate) fn known_tag(&self, v: Tv) -> Option<Tag> {
        self.buf.tag(v.tag)
    }

    /// What is there is what is known. It is not if the recording has passed a guard that no run of the trace passes: that a metatable made on
    /// the trace is the one that is there now.
    fn as_known(is: bool) -> Rec<()> {
        if is { Ok(()) } else { Err(Abort::GuardFails) }
    }
    /// Guards that `v` has the tag `tag` (which it has now). Everywhere that the value is, its type is known from then on.
    pub(crate) fn guard_tag(&mut self, v: Tv, tag: Tag) -> Rec<Tv> {
        if let Some(t) = self.buf.tag(v.tag) {
            Self::as_known(t == tag)?;
            return Ok(v);
        }
        self.guard(IrOp::TEq, Ty::Tag, v.tag, Self::lit(tag.0 as u16))?;
        self.assume_tag(v, tag)
    }
    /// As [`Recorder::guard_tag`], of a value whose tag follows from something else.
    pub(crate) fn assume_tag(&mut self, v: Tv, tag: Tag) -> Rec<Tv> {
        if self.buf.tag(v.tag).is_some() {
            return Ok(v);
        }
        let ty = Ty::of_tag(tag);
        let k = self.buf.k_tag(tag);
        let val = if ty.is_prim() {
            REF_NONE
        } else {
            self.retyped(v.val, ty)?
        };
        let now = Tv { val, tag: k };
        for s in &mut self.slots {
            if let Slot::Known { v: w, .. } = s
                && w.tag == v.tag
                && w.val == v.val
            {
                *w = now;
            }
        }
        Ok(now)
    }
    /// The payload `val` held as a `ty`, which its tag says it is: loads are narrowed in place.
    pub(crate) fn retyped(&mut self, val: Ref, ty: Ty) -> Rec<Ref> {
        let is = self.buf.ty(val);
        if is == ty {
            return Ok(val);
        }
        // an inherited value stays in the class of register in which it comes
        let fixed = !val.is_ins()
            || ty == Ty::Float
                && (self.buf.at(val).op == IrOp::PVal || cse::is_argument(&self.buf, val));
        if is == Ty::Any && !fixed {
            self.buf.at_mut(val).ty = ty;
            return Ok(val);
        }
        self.emit(IrOp::Cast, ty, val, REF_NONE)
    }
    /// Guards the type that register `r` has now; the payload.
    pub(crate) fn guard_observed(&mut self, r: i16) -> Rec<Tv> {
        let (v, o) = (self.tv(r)?, self.observed(r));
        let v = self.guard_tag(v, o.tag)?;
        if o.tag == Tag::INT {
            self.saw(v.val, o.as_int());
        }
        Ok(v)
    }
    /// Notes what the integer `val` is now.
    pub(crate) fn saw(&mut self, val: Ref, now: i64) {
        if val.is_ins() {
            self.seen.insert(val, now);
        }
    }
    /// Guards that `v` is falsy (or truthy); gives `falsy` back.
    pub(crate) fn guard_truth(&mut self, v: Tv, falsy: bool) -> Rec<bool> {
        if let Some(t) = self.buf.tag(v.tag) {
            Self::as_known(t.is_falsy() == falsy)?;
            return Ok(falsy);
        }
        let op = if falsy { IrOp::TFalsy } else { IrOp::TTruthy };
        self.guard(op, Ty::Tag, v.tag, REF_NONE)?;
        Ok(falsy)
    }
    /// Guards that the payload `val` (of a known type) is this object; the constant.
    pub(crate) fn guard_is(&mut self, val: Ref, bits: u64) -> Rec<Ref> {
        let ty = self.buf.ty(val);
        let k = self.buf.k(ty, bits);
        if val != k {
            self.guard(IrOp::Eq, ty, val, k)?;
            // wherever it is, it is the constant
            for s in &mut self.slots {
                if let Slot::Known { v, .. } = s
                    && v.val == val
                    && self.buf.tag(v.tag).is_some()
                {
                    v.val = k;
                }
            }
        }
        Ok(k)
    }

    // ---- snapshots ----------------------------------------------------------------------------------------------------

    /// Registers that are alive at `pc`, which is in the code of `p`.
    pub(crate) fn live_at(p: *const Proto, pc: *const Instr) -> i16 {
        // SAFETY: [CODE] there is a count for each word of code.
        unsafe {
            let at = pc.offset_from((*p).code) as usize;
            *(*p).live.add(at) as i16
        }
    }
    /// Calls `f` with the number of each dirty slot that is alive at `pc` in the running frame, and its value.
    pub(crate) fn for_dirty(&self, pc: *const Instr, mut f: impl FnMut(i16, Tv)) -> i16 {
        let last = self.frames.len() - 1;
        let mut end = 0;
        let mut from = -1;
        for (n, fr) in self.frames.iter().enumerate() {
            end = if n == last {
                let live = fr.base + Self::live_at(fr.proto, pc);
                self.multi_top(pc).map_or(live, |top| live.max(top))
            } else {
                self.frames[n + 1].func
            };
            if n < last {
                let mut live = fr.base + Self::live_at(fr.proto, self.frames[n + 1].call_pc);
                if let Some(receiver) = self.receiver_of(n + 1) {
                    live = live.max(receiver + 1);
                }
                if self.returns_through(n + 1) {
                    live = end;
                }
                self.each_dirty(from, end.min(live), &mut f);
                from = end;
            } else {
                self.each_dirty(from, end, &mut f);
            }
        }
        end
    }
    /// The slot in which the SELFGET that has called frame `n` has put the receiver.
    fn receiver_of(&self, n: usize) -> Option<i16> {
        let fr = &self.frames[n];
        if fr.how != super::How::Meta {
            return None;
        }
        // SAFETY: [CODE] the instruction that called.
        let (w, op) = unsafe { (*fr.call_pc, traceorus_vm::dispatch::op_at(fr.call_pc)) };
        let a = (traceorus_base::bytecode::a(w) / 16) as i16;
        (op == traceorus_base::bytecode::Op::SelfGet).then(|| self.frames[n - 1].base + a + 1)
    }
    /// Frame `n` closes a variable for a return, whose results wait below it.
    fn returns_through(&self, n: usize) -> bool {
        let fr = &self.frames[n];
        // SAFETY: [CODE] the instruction that called.
        fr.how == super::How::Meta && unsafe { super::tbc::word_bits(fr.call_pc) } != 0
    }
    fn each_dirty(&self, from: i16, to: i16, f: &mut impl FnMut(i16, Tv)) {
        for slot in from..to {
            match self.slots.get(Self::index(slot)) {
                None => return,
                Some(&Slot::Known { v, dirty: true }) => f(slot, v),
                _ => {}
            }
        }
    }
    /// Takes a snapshot of the state before the instruction at `pc`.
    pub(crate) fn snapshot(&mut self, pc: *const Instr) -> Rec<()> {
        let first = self.buf.next();
        if let Some(s) = self.buf.snaps.last()
            && s.first == first
        {
            let s = self.buf.snaps.pop().expect("there");
            self.buf.entries.truncate(s.start as usize);
        }
        if self.buf.snaps.len() >= self.params.maxsnap as usize {
            return Err(Abort::TooLong);
        }
        let start = self.buf.entries.len() as u32;
        let mut entries = std::mem::take(&mut self.buf.entries);
        let live = self.for_dirty(pc, |slot, v| {
            entries.push(SnapEntry {
                slot,
                val: v.val,
                tag: v.tag,
            });
        });
        self.buf.entries = entries;
        let end = self.buf.entries.len() as u32;
        let base = self.base();
        self.note_progress(self.buf.done.instructions);
        self.buf.snaps.push(Snap {
            first,
            start,
            end,
            pc: pc as u64,
            base,
            live,
            top: self.multi_top(pc).unwrap_or(Snap::NO_TOP),
            pcalls: self.pcalls,
            decided: self.decides,
            asked: self.asks,
            done: self.buf.done,
        });
        Ok(())
    }
    /// Stores every dirty slot that is alive at `pc` to the stack.
    pub(crate) fn flush(&mut self, pc: *const Instr) -> Rec<()> {
        self.flush_below(pc, i16::MAX)
    }
    /// The same of the slots below `end`.
    pub(crate) fn flush_below(&mut self, pc: *const Instr, end: i16) -> Rec<()> {
        self.flush_depth()?;
        let mut dirty = Vec::new();
        self.for_dirty(pc, |slot, v| dirty.push((slot, v)));
        dirty.retain(|d| d.0 < end);
        for (slot, v) in dirty {
            self.store_slot(slot, v)?;
            self.put_slot(slot, Slot::Known { v, dirty: false });
        }
        Ok(())
    }
    /// Stores a value to the stack.
    pub(crate) fn store_slot(&mut self, slot: i16, v: Tv) -> Rec<()> {
        let at = Self::slot_lit(slot);
        if !v.val.is_none() {
            let ty = self.buf.ty(v.val);
            self.emit(IrOp::SSt, ty, at, v.val)?;
        }
        let (op, ty) = match self.buf.ty(v.tag) {
            Ty::Word => (IrOp::SStW, Ty::Word),
            _ => (IrOp::SStT, Ty::Tag),
        };
        self.emit(op, ty, at, v.tag)?;
        Ok(())
    }
    /// Makes sure that there are `n` slots above BASE.
    pub(crate) fn need_slots(&mut self, n: i16) -> Rec<()> {
        let n = n as u16;
        if n > self.checked {
            self.checked = n;
            if facts::raise_check(&mut self.buf, self.iteration, n) {
                return Ok(());
            }
            self.guard(IrOp::StkChk, Ty::Void, Self::lit(n), REF_NONE)?;
        }
        Ok(())
    }
}
