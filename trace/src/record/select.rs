//! If-conversion: a short branch that goes both ways becomes a selection of values.
//!
//! **What.** A forward branch up to where its ways join again, with nothing in between but a few instructions that compute numbers, load an
//! element that is there, or branch forward in turn. All of it is emitted when the branch is recorded, each way with a *predicate* (an Int,
//! 0 or 1); where ways meet, registers that differ become `x` or `y` by the predicate. The interpreter then runs the way that it takes;
//! recording goes on where they join.
//!
//! **Why it is sound.** What is emitted has no effects. Its guards (types of what both ways read, bounds of elements) hold now and leave to the branch
//! itself, before which nothing has changed; they may leave where the program would not have looked, which costs time only. Values of
//! the way not taken are computed all the same: no instruction that is allowed here can fail.
//!
//! **When.** A wrong guess costs more than both ways, a right one less. So the branches of a loop are counted for a while before it is
//! recorded (`Profile`), and only those that go either way in at least one of eight cases are converted. (With `hotloop=1` nothing has been
//! counted, and all are.)
//!
//! Only numbers of one type are selected, and values without payload. Of objects the masked pointers would be hidden from the collector.

use rustc_hash::FxHashMap;

use traceorus_base::bytecode::{self as bc, Op};
use traceorus_base::objects::{Instr, Table, flags, run_get};
use traceorus_base::{Tag, Value};
use traceorus_vm::dispatch;

use super::meta::Found;
use super::{Cursor, Rec, Recorder, Tv};
use crate::ir::{IrOp, REF_NONE, Ref, Ty};
use crate::opt::Passes;

/// How often conditional jumps were taken, and how often not, by address.
pub(crate) type Profile = FxHashMap<usize, [u32; 2]>;

/// Most instructions between a branch and where its ways join.
const MOST: usize = 10;
/// With these bits the tags of nil, true and false are 0x7f, and no others.
const PRIM_BITS: u64 = 0x79;
/// Fewer cases tell nothing.
const ENOUGH: u32 = 8;

/// The conditional jump at `pc`: its target.
pub(crate) unsafe fn target(pc: *const Instr) -> Option<*const Instr> {
    use Op::*;
    // SAFETY: [CODE] the caller's promise.
    let (w, op) = unsafe { (*pc, dispatch::op_at(pc)) };
    let jumps = matches!(
        op,
        JLt | JNLt
            | JLe
            | JNLe
            | JEq
            | JNe
            | JLtI
            | JNLtI
            | JLeI
            | JNLeI
            | JGtI
            | JNGtI
            | JGeI
            | JNGeI
            | JEqI
            | JNeI
            | JEqK
            | JNeK
            | JEqP
            | JNeP
            | JT
            | JF
            | JTSet
            | JFSet
    );
    let next = pc.wrapping_add(op.words());
    jumps.then(|| next.wrapping_offset(bc::jump16(w) as isize))
}

/// Where the ways from the branch at `pc` join, if nothing lies in between but what can be selected.
///
/// # Safety
/// [CODE] an instruction of a live function.
pub(crate) unsafe fn join(pc: *const Instr) -> Option<*const Instr> {
    use Op::*;
    // SAFETY: [CODE] jumps lead to instructions of the function.
    unsafe {
        let mut end = target(pc)?;
        let mut at = pc.add(dispatch::op_at(pc).words());
        if end <= at {
            return None;
        }
        let mut n = 0;
        while at < end {
            let (w, op) = (*at, dispatch::op_at(at));
            let next = at.add(op.words());
            n += 1;
            let to = match op {
                Move | LoadI | LoadK | LoadPrim | AddI | SubI | AddK | SubK | MulK | IDivK
                | ModK | BAndK | Add | Sub | Mul | Unm | GetIndex => next,
                Jmp => next.wrapping_offset(bc::jump32(w) as isize),
                _ => target(at)?,
            };
            if n > MOST || to < next {
                return None;
            }
            end = end.max(to);
            at = next;
        }
        Some(end)
    }
}

/// A way through the branch.
#[derive(Clone)]
struct Way {
    /// 1 if it is taken.
    taken: Ref,
    /// Registers that it has written.
    regs: Vec<(i16, Tv)>,
}

impl Recorder {
    /// Records the branch at `i` with both of its ways; false: as any other instruction.
    #[inline(never)]
    pub(super) unsafe fn if_convert(&mut self, i: Cursor) -> Rec<bool> {
        // SAFETY: [CODE] as `instruction`.
        unsafe {
            if !self.opt.passes.has(Passes::SELECT) || !self.goes_both_ways(i.pc) {
                return Ok(false);
            }
            let Some(join) = join(i.pc) else {
                return Ok(false);
            };
            let Some(regs) = self.both_ways(i.pc, join)? else {
                return Ok(false);
            };
            self.opt.stats.selects += 1;
            for (r, v) in regs {
                self.set(r, v);
            }
            self.skip_to = join;
            Ok(true)
        }
    }

    /// The instruction at `pc` belongs to a branch that has been recorded.
    pub(crate) fn skips(&mut self, pc: *const Instr) -> bool {
        if pc == self.skip_to {
            self.skip_to = std::ptr::null();
        }
        !self.skip_to.is_null()
    }

    fn goes_both_ways(&self, pc: *const Instr) -> bool {
        if self.params.hotloop == 1 {
            return true;
        }
        // SAFETY: the compiler's, which outlives the recording.
        let seen = unsafe { self.profile.as_ref() }.and_then(|p| p.get(&(pc as usize)));
        seen.is_some_and(|&[a, b]| a + b >= ENOUGH && 8 * a.min(b) >= a + b)
    }

    /// Registers as they are at `join`; none: not what can be selected.
    unsafe fn both_ways(
        &mut self,
        pc: *const Instr,
        join: *const Instr,
    ) -> Rec<Option<Vec<(i16, Tv)>>> {
        // SAFETY: [CODE] instructions up to `join`.
        unsafe {
            let live = Self::live_at(self.frame().proto, join);
            let mut waiting: Vec<(*const Instr, Way)> = Vec::new();
            let mut way = Some(Way {
                taken: self.buf.k_int(1),
                regs: Vec::new(),
            });
            let mut at = pc;
            loop {
                while let Some(n) = waiting.iter().position(|w| w.0 == at) {
                    let other = waiting.swap_remove(n).1;
                    way = match way {
                        None => Some(other),
                        Some(w) => match self.meet(w, other, live)? {
                            Some(w) => Some(w),
                            None => return Ok(None),
                        },
                    };
                }
                if at == join {
                    return Ok(way.map(|w| w.regs));
                }
                let (w, op) = (*at, dispatch::op_at(at));
                let i = Cursor { pc: at, w, op };
                if let Some(mut now) = way.take() {
                    if op == Op::Jmp {
                        waiting.push((i.target32(), now));
                    } else if let Some(to) = target(at) {
                        let Some((yes, no)) = self.condition(i, &now)? else {
                            return Ok(None);
                        };
                        let mut jumps = now.clone();
                        if matches!(op, Op::JTSet | Op::JFSet) {
                            let v = self.arm_register(&now, i.rb())?;
                            write(&mut jumps, i.ra(), v);
                        }
                        jumps.taken = self.both(now.taken, yes)?;
                        now.taken = self.both(now.taken, no)?;
                        waiting.push((to, jumps));
                        way = Some(now);
                    } else {
                        let Some(v) = self.arm_value(i, &now)? else {
                            return Ok(None);
                        };
                        write(&mut now, i.ra(), v);
                        way = Some(now);
                    }
                }
                at = i.next();
            }
        }
    }

    /// `a` and `b`, of 0 and 1.
    fn both(&mut self, a: Ref, b: Ref) -> Rec<Ref> {
        if self.buf.int(a) == Some(1) {
            return Ok(b);
        }
        self.emit(IrOp::And, Ty::Int, a, b)
    }

    fn arm_register(&mut self, way: &Way, r: i16) -> Rec<Tv> {
        match way.regs.iter().find(|w| w.0 == r) {
            Some(w) => Ok(w.1),
            None => self.tv(r),
        }
    }

    /// The same, of a type that is known; none: not of one that can be selected.
    fn selectable(&mut self, way: &Way, r: i16) -> Rec<Option<Tv>> {
        let v = self.arm_register(way, r)?;
        if let Some(t) = self.known_tag(v) {
            return Ok((!t.is_collectable()).then_some(v));
        }
        let now = self.observed(r).tag;
        if way.regs.iter().any(|w| w.0 == r) || now.is_collectable() {
            return Ok(None);
        }
        self.guard_tag(v, now).map(Some)
    }

    fn arm_number(&mut self, way: &Way, r: i16) -> Rec<Option<Tv>> {
        let v = self.selectable(way, r)?;
        Ok(v.filter(|v| matches!(self.buf.ty(v.val), Ty::Int | Ty::Float)))
    }

    /// What the instruction gives.
    #[inline(never)]
    unsafe fn arm_value(&mut self, i: Cursor, way: &Way) -> Rec<Option<Tv>> {
        use Op::*;
        // SAFETY: [CODE] as `instruction`.
        unsafe {
            let imm = || Value::int(i64::from(bc::c(i.w) as i16));
            let (op, y) = match i.op {
                Move => return self.arm_register(way, i.rb()).map(Some),
                LoadI => return Ok(Some(self.int_tv(i64::from(bc::b(i.w) as i16)))),
                LoadK => {
                    let v = i.konst_c();
                    return Ok((!v.tag.is_collectable()).then(|| self.konst(v)));
                }
                LoadPrim => {
                    return Ok(Some(
                        self.konst(Value::new(0, Tag(bc::b(i.w) as i16 as i32))),
                    ));
                }
                GetIndex => return self.present_element(i, way),
                Unm => {
                    let Some(v) = self.arm_number(way, i.rb())? else {
                        return Ok(None);
                    };
                    let ty = self.buf.ty(v.val);
                    let r = self.emit(IrOp::Neg, ty, v.val, REF_NONE)?;
                    return Ok(Some(self.typed(r)));
                }
                AddI => (IrOp::Add, Some(imm())),
                SubI => (IrOp::Sub, Some(imm())),
                AddK => (IrOp::Add, Some(i.konst_c())),
                SubK => (IrOp::Sub, Some(i.konst_c())),
                MulK => (IrOp::Mul, Some(i.konst_c())),
                IDivK => (IrOp::IDiv, Some(i.konst_c())),
                ModK => (IrOp::IMod, Some(i.konst_c())),
                BAndK => (IrOp::And, Some(i.konst_c())),
                Add => (IrOp::Add, None),
                Sub => (IrOp::Sub, None),
                Mul => (IrOp::Mul, None),
                _ => return Ok(None),
            };
            let Some(x) = self.arm_number(way, i.rb())? else {
                return Ok(None);
            };
            let y = match y {
                Some(k) if k.tag.is_number() => self.konst(k),
                Some(_) => return Ok(None),
                None => match self.arm_number(way, i.rc())? {
                    Some(y) => y,
                    None => return Ok(None),
                },
            };
            let ints = self.buf.ty(x.val) == Ty::Int && self.buf.ty(y.val) == Ty::Int;
            // by a shift or a mask; others take longer than a wrong guess
            let power = self
                .buf
                .int(y.val)
                .is_some_and(|k| k > 0 && k & (k - 1) == 0);
            let r = match op {
                IrOp::Add | IrOp::Sub | IrOp::Mul if !ints => {
                    let (a, b) = (self.float_of(x)?, self.float_of(y)?);
                    self.emit(op, Ty::Float, a, b)?
                }
                IrOp::IDiv | IrOp::IMod if !ints || !power => return Ok(None),
                _ if !ints => return Ok(None),
                _ => self.emit(op, Ty::Int, x.val, y.val)?,
            };
            Ok(Some(self.typed(r)))
        }
    }

    /// An element of an array, of a table and with an index that are in their registers now.
    unsafe fn present_element(&mut self, i: Cursor, way: &Way) -> Rec<Option<Tv>> {
        let (ot, ok) = (self.observed(i.rb()), self.observed(i.rc()));
        let written = |r| way.regs.iter().any(|w| w.0 == r);
        if written(i.rb()) || written(i.rc()) || ot.tag != Tag::TABLE || ok.tag != Tag::INT {
            return Ok(None);
        }
        // SAFETY: [GC-LIVE] it is in a register.
        unsafe {
            let p = ot.as_ptr::<Table>();
            let inside = (ok.as_int() as u64) < u64::from((*p).arr_cap);
            if !inside || !(*p).metatable.is_null() || (*p).hdr.flags & flags::TAB_WEAK != 0 {
                return Ok(None);
            }
            let now = run_get((*p).array, ok.as_int() as usize).tag;
            if now.is_collectable() {
                return Ok(None);
            }
            let Some(t) = self.table_operand(i.rb())? else {
                return Ok(None);
            };
            let k = self.guard_observed(i.rc())?;
            match self.find_int(t, k.val, ok.as_int())? {
                Some(Found::Value(v)) if self.known_tag(v).is_some() => Ok(Some(v)),
                Some(Found::Value(v)) if now.is_number() => self.guard_tag(v, now).map(Some),
                Some(Found::Value(v)) if Ty::of_tag(now).is_prim() => {
                    self.without_payload(v.tag).map(Some)
                }
                _ => Ok(None),
            }
        }
    }

    /// The value with this tag, guarded to be nil, true or false.
    fn without_payload(&mut self, tag: Ref) -> Rec<Tv> {
        let bits = self.emit(IrOp::Cast, Ty::U32, tag, REF_NONE)?;
        let (k, all) = (self.buf.k(Ty::U32, PRIM_BITS), self.buf.k(Ty::U32, 0x7f));
        let bits = self.emit(IrOp::Or, Ty::U32, bits, k)?;
        self.guard(IrOp::Eq, Ty::U32, bits, all)?;
        let val = self.buf.k(Ty::Any, 0);
        Ok(Tv { val, tag })
    }

    /// The conditional jump is taken, and is not.
    unsafe fn condition(&mut self, i: Cursor, way: &Way) -> Rec<Option<(Ref, Ref)>> {
        use Op::*;
        let imm = Value::int(i64::from(bc::b(i.w) as i16));
        let order = |negated, c: Option<(Ref, Ref)>| {
            c.map(|(yes, no)| if negated { (no, yes) } else { (yes, no) })
        };
        let c = match i.op {
            JT | JF | JTSet | JFSet => {
                let r = if matches!(i.op, JT | JF) {
                    i.ra()
                } else {
                    i.rb()
                };
                let v = self.arm_register(way, r)?;
                let falsy = self.buf.k_tag(Tag::FALSE);
                let yes = self.emit(IrOp::IsLt, Ty::Int, v.tag, falsy)?;
                let no = self.emit(IrOp::IsGe, Ty::Int, v.tag, falsy)?;
                order(matches!(i.op, JF | JFSet), Some((yes, no)))
            }
            JEqP | JNeP => {
                let v = self.arm_register(way, i.ra())?;
                let want = self.buf.k_tag(Tag(bc::b(i.w) as i16 as i32));
                let yes = self.emit(IrOp::IsEq, Ty::Int, v.tag, want)?;
                order(i.op == JNeP, Some(self.with_negation(yes)?))
            }
            _ => {
                let Some(x) = self.arm_number(way, i.ra())? else {
                    return Ok(None);
                };
                let y = match i.op {
                    JLt | JNLt | JLe | JNLe | JEq | JNe => match self.arm_number(way, i.rb())? {
                        Some(y) => y,
                        None => return Ok(None),
                    },
                    JEqK | JNeK => {
                        // SAFETY: [CODE] the form with a constant.
                        let k = Value::new(unsafe { i.word(1) }, Tag(bc::b(i.w) as i16 as i32));
                        if !k.tag.is_number() {
                            return Ok(None);
                        }
                        self.konst(k)
                    }
                    _ => self.konst(imm),
                };
                if self.buf.ty(x.val) != self.buf.ty(y.val) {
                    return Ok(None);
                }
                let (x, y) = (x.val, y.val);
                match i.op {
                    JLt | JLtI => self.less(x, y)?,
                    JNLt | JNLtI => order(true, self.less(x, y)?),
                    JLe | JLeI => self.at_most(x, y)?,
                    JNLe | JNLeI => order(true, self.at_most(x, y)?),
                    JGtI => self.less(y, x)?,
                    JNGtI => order(true, self.less(y, x)?),
                    JGeI => self.at_most(y, x)?,
                    JNGeI => order(true, self.at_most(y, x)?),
                    _ => {
                        let yes = self.emit(IrOp::IsEq, Ty::Int, x, y)?;
                        order(
                            matches!(i.op, JNe | JNeI | JNeK),
                            Some(self.with_negation(yes)?),
                        )
                    }
                }
            }
        };
        Ok(c)
    }

    fn with_negation(&mut self, yes: Ref) -> Rec<(Ref, Ref)> {
        let one = self.buf.k_int(1);
        Ok((yes, self.emit(IrOp::Xor, Ty::Int, yes, one)?))
    }
    fn less(&mut self, x: Ref, y: Ref) -> Rec<Option<(Ref, Ref)>> {
        let yes = self.emit(IrOp::IsLt, Ty::Int, x, y)?;
        if self.buf.ty(x) == Ty::Float {
            return self.with_negation(yes).map(Some);
        }
        Ok(Some((yes, self.emit(IrOp::IsGe, Ty::Int, x, y)?)))
    }
    fn at_most(&mut self, x: Ref, y: Ref) -> Rec<Option<(Ref, Ref)>> {
        let yes = self.emit(IrOp::IsLe, Ty::Int, x, y)?;
        if self.buf.ty(x) == Ty::Float {
            return self.with_negation(yes).map(Some);
        }
        Ok(Some((yes, self.emit(IrOp::IsLt, Ty::Int, y, x)?)))
    }

    // ---- where ways meet ------------------------------------------------------------------------------------------

    /// One of two ways, of which at most one is taken. Registers from `live` on are dead.
    #[inline(never)]
    fn meet(&mut self, a: Way, b: Way, live: i16) -> Rec<Option<Way>> {
        let taken = self.emit(IrOp::Or, Ty::Int, a.taken, b.taken)?;
        let mut regs = Vec::new();
        for r in 0..live {
            let in_a = a.regs.iter().any(|w| w.0 == r);
            if !in_a && b.regs.iter().all(|w| w.0 != r) {
                continue;
            }
            let (mut x, mut y) = (self.arm_register(&a, r)?, self.arm_register(&b, r)?);
            if x != y {
                // what one of them has left alone is of the type that it has now
                if !in_a {
                    match self.selectable(&a, r)? {
                        Some(v) => x = v,
                        None => return Ok(None),
                    }
                } else if b.regs.iter().all(|w| w.0 != r) {
                    match self.selectable(&b, r)? {
                        Some(v) => y = v,
                        None => return Ok(None),
                    }
                }
            }
            match self.choose(a.taken, x, y)? {
                Some(v) => regs.push((r, v)),
                None => return Ok(None),
            }
        }
        Ok(Some(Way { taken, regs }))
    }

    /// It is nil, true or false, perhaps not known which: then the payload is a constant.
    pub(super) fn has_no_payload(&self, v: Tv) -> bool {
        v.val.is_none() || v.val.is_const() && self.buf.ty(v.val) == Ty::Any
    }

    /// `x` if `p` is 1, `y` if it is 0.
    fn choose(&mut self, p: Ref, x: Tv, y: Tv) -> Rec<Option<Tv>> {
        if x == y {
            return Ok(Some(x));
        }
        let same = (x.tag == y.tag).then(|| self.known_tag(x)).flatten();
        if let Some(ty @ (Ty::Int | Ty::Float)) = same.map(Ty::of_tag) {
            let val = self.choose_number(ty, p, x.val, y.val)?;
            return Ok(Some(Tv { val, tag: x.tag }));
        }
        if !self.has_no_payload(x) || !self.has_no_payload(y) {
            return Ok(None);
        }
        let tag = self.bits_of(p, x.tag, y.tag)?;
        let tag = self.emit(IrOp::Cast, Ty::Tag, tag, REF_NONE)?;
        let val = match self.buf.tag(tag) {
            Some(_) => REF_NONE,
            None => self.buf.k(Ty::Any, 0),
        };
        Ok(Some(Tv { val, tag }))
    }

    fn choose_number(&mut self, ty: Ty, p: Ref, x: Ref, y: Ref) -> Rec<Ref> {
        if x == y {
            return Ok(x);
        }
        if p.is_ins() && self.buf.at(p).op == IrOp::IsLt {
            let c = self.buf.at(p);
            if (c.a, c.b) == (y, x) {
                return self.emit(IrOp::Max, ty, y, x);
            }
            if (c.a, c.b) == (x, y) {
                return self.emit(IrOp::Min, ty, y, x);
            }
        }
        if ty == Ty::Float {
            let bits = self.bits_of(p, x, y)?;
            return self.emit(IrOp::Cast, Ty::Float, bits, REF_NONE);
        }
        self.choose_int(p, x, y)
    }

    /// The same of the bits of two values, as an Int.
    fn bits_of(&mut self, p: Ref, x: Ref, y: Ref) -> Rec<Ref> {
        let x = self.emit(IrOp::Cast, Ty::Int, x, REF_NONE)?;
        let y = self.emit(IrOp::Cast, Ty::Int, y, REF_NONE)?;
        self.choose_int(p, x, y)
    }

    fn choose_int(&mut self, p: Ref, x: Ref, y: Ref) -> Rec<Ref> {
        // x is y plus a constant
        let more = match (self.buf.int(x), self.buf.int(y)) {
            (Some(a), Some(b)) => Some(a.wrapping_sub(b)),
            _ if x.is_ins() && self.buf.at(x).op == IrOp::Add && self.buf.at(x).a == y => {
                self.buf.int(self.buf.at(x).b)
            }
            _ => None,
        };
        match more {
            Some(1) => return self.emit(IrOp::Add, Ty::Int, y, p),
            Some(-1) => return self.emit(IrOp::Sub, Ty::Int, y, p),
            _ => {}
        }
        let mask = self.emit(IrOp::Neg, Ty::Int, p, REF_NONE)?;
        if let Some(k) = more {
            let k = self.buf.k_int(k);
            let k = self.emit(IrOp::And, Ty::Int, mask, k)?;
            return self.emit(IrOp::Add, Ty::Int, y, k);
        }
        let d = self.emit(IrOp::Xor, Ty::Int, x, y)?;
        let d = self.emit(IrOp::And, Ty::Int, d, mask)?;
        self.emit(IrOp::Xor, Ty::Int, y, d)
    }
}

fn write(way: &mut Way, r: i16, v: Tv) {
    way.regs.retain(|w| w.0 != r);
    way.regs.push((r, v));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_values_without_payload() {
        let tags = [
            Tag::INT,
            Tag::FLOAT,
            Tag::I32,
            Tag::U32,
            Tag::U64,
            Tag::TRUE,
            Tag::LIGHTUD,
            Tag::FALSE,
            Tag::NIL,
            Tag::STRING,
            Tag::TABLE,
            Tag::FUNCTION,
            Tag::USERDATA,
            Tag::THREAD,
        ];
        for t in tags {
            let found = u64::from(t.0 as u32) | PRIM_BITS == 0x7f;
            assert_eq!(found, Ty::of_tag(t).is_prim(), "{t:?}");
        }
    }
}
