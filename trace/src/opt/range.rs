//! Bounds of induction variables: array bound checks that a few guards before the loop replace.
//!
//! **Variables.** A numeric `for` tests `NE(i, last)` and adds its step. If the step is 1, i takes the values from its first one in the body, i1, to `last`,
//! each once and, taken as numbers without sign modulo 2^64, without a gap. A step of -1 is the mirror image. Of another step s, constant or not, it must be
//! known that it is positive and meets `last`: `GT(s, 0)` and `EQ(IMOD(last - i1, s), 0)`.
//!
//! **Indices.** An index is `f(i) + k` where f adds and subtracts what does not change in the loop, and k is a constant. The checks `ULT(f(i) + k, cap)`
//! of one f and one `cap`, with constants from k1 to k2, hold in every iteration if, before the loop,
//! `ULE(f(i1) + k1, f(last) + k1)`, `ULE(f(last) + k1, f(last) + k2)` and `ULT(f(last) + k2, cap)` hold: all values then lie in between, as unsigned
//! numbers, without wrap-around.
//!
//! **Facts.** As all guards before LOOP, these are facts that the body relies on, of the carried values too. So each must hold of every value that i takes in
//! the body, and does. (Of a `while`, which goes on while `i <= n`, the body begins once with a greater i: it would take guards that are no facts.)
//!
//! The guards leave through the snapshot of the end of the first iteration. Where they would fail, the original check might never have
//! (a loop left early): so they are made only if they hold for the values seen while recording, which the recorder tells (`Observe`).
//! What has to be invariant is known for certain only when the body has been emitted: see `Bounded::fixed`.

use crate::abort::Abort;
use crate::ir::{IrBuf, IrOp, REF_NONE, Ref, Ty};

use super::{Carried, OptCx};

/// Tells the value that an instruction (a load; an integer, or its bits) had in the iteration that was recorded, if it is known.
pub type Observe<'a> = &'a dyn Fn(&IrBuf, Ref) -> Option<i64>;

/// Instructions that an index is made of, at most.
const MAX_DEPTH: u32 = 6;
/// Bound of the constants.
const SMALL: i64 = 1 << 40;

/// A guard of the model that the body need not repeat, if these refs do not change in the loop.
#[derive(Clone, Debug)]
pub(super) struct Bounded {
    /// The guard.
    pub guard: Ref,
    /// Slot of the variable.
    pub slot: i16,
    /// Refs that are their own images if it is so.
    pub fixed: Vec<Ref>,
}

/// How a variable goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// By 1 until it is `last`.
    Up,
    /// By -1.
    Down,
    /// By this ref until it is `last`, which it meets if it is a multiple of the step away.
    Step(Ref),
}

/// A variable that changes by the same amount in each iteration.
#[derive(Clone, Copy, Debug)]
struct Induction {
    slot: i16,
    /// At the iteration's start.
    at: Ref,
    /// At the end of the first iteration.
    next: Ref,
    way: Way,
    last: Ref,
}

/// An index that is checked.
struct Check {
    guard: Ref,
    /// Index without its constant.
    base: Ref,
    k: i64,
    cap: Ref,
}

/// What is known of the loop.
struct Loop<'a> {
    start: Ref,
    header: &'a [Carried],
    carried: &'a [Carried],
    observe: Observe<'a>,
}

/// Emits the guards; gives the guards of the model that the body need not repeat. Those in `except` are left alone.
#[inline(never)]
pub(super) fn bounds(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    (start, header, carried): (Ref, &[Carried], &[Carried]),
    observe: Observe,
    except: &[Ref],
) -> Result<Vec<Bounded>, Abort> {
    let mut proved = Vec::new();
    let renamed = [IrOp::XOp, IrOp::XOpR, IrOp::RetF, IrOp::CoEnter]
        .into_iter()
        .any(|op| buf.last(op) >= start);
    if renamed || !at_boundary(buf) {
        return Ok(proved);
    }
    let lp = Loop {
        start,
        header,
        carried,
        observe,
    };
    let end = buf.next();
    for c in carried {
        let Some(v) = lp.induction(buf, c) else {
            continue;
        };
        let mut checks = Vec::new();
        let mut g = buf.last(IrOp::Ult);
        while g >= start {
            let i = buf.at(g);
            if g < end && i.op == IrOp::Ult && i.ty == Ty::Int && !except.contains(&g) {
                let (base, k) = split(buf, i.a, v.at);
                if lp.is_linear(buf, &v, base)
                    && (lp.is_fixed(buf, i.b) || lp.may_be_fixed(buf, i.b))
                {
                    checks.push(Check {
                        guard: g,
                        base,
                        k,
                        cap: i.b,
                    });
                }
            }
            g = i.prev;
        }
        while let Some(first) = checks.first() {
            let (base, cap) = (first.base, first.cap);
            let (same, rest): (Vec<_>, Vec<_>) = checks
                .into_iter()
                .partition(|c| c.base == base && c.cap == cap);
            checks = rest;
            lp.replace(cx, buf, &v, &same, &mut proved)?;
        }
    }
    Ok(proved)
}

/// The last snapshot describes the buffer's end: nothing has been stored since.
fn at_boundary(buf: &IrBuf) -> bool {
    use crate::ir::Class;
    let Some(s) = buf.snaps.last() else {
        return false;
    };
    (s.first.ins_index()..buf.len()).all(|n| {
        let i = buf.ins[n];
        !matches!(i.op.class(), Class::S | Class::A) && i.op != IrOp::RetF
    })
}

/// `r` as base and constant; the variable `at` is no sum.
fn split(buf: &IrBuf, r: Ref, at: Ref) -> (Ref, i64) {
    if r != at && r.is_ins() && buf.at(r).op == IrOp::Add {
        let i = buf.at(r);
        if let Some(k) = buf.int(i.b) {
            let (base, j) = split(buf, i.a, at);
            return (base, k.wrapping_add(j));
        }
    }
    (r, 0)
}

impl Loop<'_> {
    fn induction(&self, buf: &IrBuf, c: &Carried) -> Option<Induction> {
        if !c.val.is_ins() || buf.ty(c.val) != Ty::Int {
            return None;
        }
        let add = buf.at(c.val);
        if add.op != IrOp::Add {
            return None;
        }
        let is_var = |at: Ref| {
            self.header.iter().any(|h| h.slot == c.slot && h.val == at)
                || (at.is_ins()
                    && at >= self.start
                    && buf.at(at).op == IrOp::SLoad
                    && buf.at(at).slot() == c.slot)
        };
        let (at, step) = match (is_var(add.a), is_var(add.b)) {
            (true, false) => (add.a, add.b),
            (false, true) => (add.b, add.a),
            _ => return None,
        };
        if !self.is_fixed(buf, step) {
            return None;
        }
        let next = c.val;
        let constant = buf.int(step);
        let way = match constant {
            Some(1) => Way::Up,
            Some(-1) => Way::Down,
            Some(2..=SMALL) | None => Way::Step(step),
            _ => return None,
        };
        let last = self.end(buf, at)?;
        Some(Induction {
            slot: c.slot,
            at,
            next,
            way,
            last,
        })
    }

    /// What does not change and `at` is not: the loop goes on only while it is not that.
    fn end(&self, buf: &IrBuf, at: Ref) -> Option<Ref> {
        let mut g = buf.last(IrOp::Ne);
        while g >= self.start {
            let i = buf.at(g);
            let last = match (i.a == at, i.b == at) {
                (true, false) => i.b,
                (false, true) => i.a,
                _ => REF_NONE,
            };
            if i.op == IrOp::Ne && i.ty == Ty::Int && !last.is_none() && self.is_fixed(buf, last) {
                return Some(last);
            }
            g = i.prev;
        }
        None
    }

    /// A constant, a slot that does not change, or a value from before the model.
    fn is_fixed(&self, buf: &IrBuf, r: Ref) -> bool {
        if !r.is_ins() {
            return true;
        }
        let i = buf.at(r);
        if r < self.start {
            return !self
                .header
                .iter()
                .any(|h| h.val == r && self.carried.iter().any(|c| c.slot == h.slot));
        }
        i.op == IrOp::SLoad && !self.carried.iter().any(|c| c.slot == i.slot())
    }
    /// A load (perhaps of another width) that may turn out to be invariant.
    fn may_be_fixed(&self, buf: &IrBuf, r: Ref) -> bool {
        let i = buf.at(r);
        match i.op {
            IrOp::Cast => self.is_fixed(buf, i.a) || self.may_be_fixed(buf, i.a),
            IrOp::FLd | IrOp::LdV => true,
            _ => false,
        }
    }

    /// `r` is the variable plus or minus what does not change.
    fn is_linear(&self, buf: &IrBuf, v: &Induction, r: Ref) -> bool {
        self.terms(buf, v.at, r, MAX_DEPTH) == Some(true)
    }
    /// Whether the sum `r` has the variable `at` in it, once; none: it is something else.
    fn terms(&self, buf: &IrBuf, at: Ref, r: Ref, depth: u32) -> Option<bool> {
        if r == at {
            return Some(true);
        }
        if self.is_fixed(buf, r) || self.may_be_fixed(buf, r) {
            return Some(false);
        }
        let i = buf.at(r);
        if depth == 0 || i.ty != Ty::Int || r < self.start {
            return None;
        }
        let of = |r| self.terms(buf, at, r, depth - 1);
        match i.op {
            IrOp::Add => match (of(i.a)?, of(i.b)?) {
                (true, true) => None,
                (a, b) => Some(a || b),
            },
            IrOp::Sub => match (of(i.a)?, of(i.b)?) {
                (_, true) => None,
                (a, false) => Some(a),
            },
            _ => None,
        }
    }
    /// The leaves of the sum `r` of which it is not known whether they are invariant.
    fn leaves(&self, buf: &IrBuf, at: Ref, r: Ref, out: &mut Vec<Ref>) {
        if r == at || self.is_fixed(buf, r) {
        } else if self.may_be_fixed(buf, r) {
            out.push(r);
        } else {
            let i = buf.at(r);
            self.leaves(buf, at, i.a, out);
            self.leaves(buf, at, i.b, out);
        }
    }
    /// The sum `r` with `x` in place of `at`.
    fn instead(
        &self,
        cx: &mut OptCx,
        buf: &mut IrBuf,
        (at, x): (Ref, Ref),
        r: Ref,
    ) -> Result<Ref, Abort> {
        if r == at {
            return Ok(x);
        }
        if self.is_fixed(buf, r) || self.may_be_fixed(buf, r) {
            return Ok(r);
        }
        let i = buf.at(r);
        let a = self.instead(cx, buf, (at, x), i.a)?;
        let b = self.instead(cx, buf, (at, x), i.b)?;
        cx.emit(buf, i.op, i.ty, a, b)
    }

    /// Emits the guards for `checks`, all of one base and bound, if they hold for what was seen.
    fn replace(
        &self,
        cx: &mut OptCx,
        buf: &mut IrBuf,
        v: &Induction,
        checks: &[Check],
        proved: &mut Vec<Bounded>,
    ) -> Result<(), Abort> {
        let (base, cap) = (checks[0].base, checks[0].cap);
        let k1 = checks.iter().map(|c| c.k).min().unwrap_or(0);
        let k2 = checks.iter().map(|c| c.k).max().unwrap_or(0);
        if !(-SMALL..SMALL).contains(&k1) || !(-SMALL..SMALL).contains(&k2) {
            return Ok(());
        }
        let (Some(now), Some(last), Some(size)) = (
            self.value(buf, v.next),
            self.value(buf, v.last),
            self.value(buf, cap),
        ) else {
            return Ok(());
        };
        if let Way::Step(s) = v.way {
            let Some(s) = self.value(buf, s) else {
                return Ok(());
            };
            if s <= 0 || last.wrapping_sub(now) % s != 0 {
                return Ok(());
            }
        }
        let (low, high) = if v.way == Way::Down {
            (last, now)
        } else {
            (now, last)
        };
        let (Some(low), Some(high)) = (
            self.value_with(buf, (v.at, low), base),
            self.value_with(buf, (v.at, high), base),
        ) else {
            return Ok(());
        };
        let l = low.wrapping_add(k1) as u64;
        let (m, h) = (high.wrapping_add(k1) as u64, high.wrapping_add(k2) as u64);
        if l > m || m > h || h >= size as u64 {
            return Ok(());
        }
        let mark = buf.mark();
        match self.emit(cx, buf, v, (base, k1, k2, cap)) {
            Ok(()) => {}
            Err(Abort::GuardFails) => {
                buf.rollback(mark);
                return Ok(());
            }
            Err(e) => return Err(e),
        }
        let mut fixed = Vec::new();
        self.leaves(buf, v.at, cap, &mut fixed);
        self.leaves(buf, v.at, base, &mut fixed);
        for c in checks {
            proved.push(Bounded {
                guard: c.guard,
                slot: v.slot,
                fixed: fixed.clone(),
            });
        }
        Ok(())
    }

    fn emit(
        &self,
        cx: &mut OptCx,
        buf: &mut IrBuf,
        v: &Induction,
        (base, k1, k2, cap): (Ref, i64, i64, Ref),
    ) -> Result<(), Abort> {
        use IrOp::*;
        let zero = buf.k_int(0);
        let last = v.last;
        match v.way {
            Way::Up | Way::Down => {}
            Way::Step(s) => {
                cx.emit(buf, Gt, Ty::Int, s, zero)?;
                let far = cx.emit(buf, Sub, Ty::Int, last, v.next)?;
                // as a number without sign: a way of 2^63 or more is not for loops over arrays
                cx.emit(buf, Ge, Ty::Int, far, zero)?;
                let rest = cx.emit(buf, IMod, Ty::Int, far, s)?;
                cx.emit(buf, Eq, Ty::Int, rest, zero)?;
            }
        }
        let (low, high) = if v.way == Way::Down {
            (last, v.next)
        } else {
            (v.next, last)
        };
        let low = self.instead(cx, buf, (v.at, low), base)?;
        let high = self.instead(cx, buf, (v.at, high), base)?;
        let (c1, c2) = (buf.k_int(k1), buf.k_int(k2));
        let low = cx.emit(buf, Add, Ty::Int, low, c1)?;
        let mid = cx.emit(buf, Add, Ty::Int, high, c1)?;
        let high = cx.emit(buf, Add, Ty::Int, high, c2)?;
        cx.emit(buf, Ule, Ty::Int, low, mid)?;
        if k1 != k2 {
            cx.emit(buf, Ule, Ty::Int, mid, high)?;
        }
        cx.emit(buf, Ult, Ty::Int, high, cap)?;
        Ok(())
    }

    /// The value of an integer in the iteration that was recorded.
    fn value(&self, buf: &IrBuf, r: Ref) -> Option<i64> {
        self.value_with(buf, (REF_NONE, 0), r)
    }
    /// The same, with a value given for one ref.
    fn value_with(&self, buf: &IrBuf, known: (Ref, i64), r: Ref) -> Option<i64> {
        if r == known.0 && !r.is_none() {
            return Some(known.1);
        }
        if let Some(k) = buf.int(r) {
            return Some(k);
        }
        if !r.is_ins() {
            return None;
        }
        let i = buf.at(r);
        let of = |r| self.value_with(buf, known, r);
        match i.op {
            IrOp::Cast | IrOp::Copy => of(i.a),
            IrOp::Add => Some(of(i.a)?.wrapping_add(of(i.b)?)),
            IrOp::Sub => Some(of(i.a)?.wrapping_sub(of(i.b)?)),
            _ => (self.observe)(buf, r),
        }
    }
}
