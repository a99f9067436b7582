//! Bounds of induction variables: array bound checks that two guards before the loop replace.
//!
//! A numeric `for` tests `NE(i, last)` and adds its step. If the step is 1 and i starts at or below `last`, all values in the loop's body lie in
//! `[i1, last]`, where i1 is the value at its first entry. So `ULT(i + k, cap)` with an invariant `cap` holds in every iteration if, before the loop,
//! `ULE(i1 + k, last + k)` and `ULT(last + k, cap)` hold: all `i + k` then lie in between, as unsigned numbers, without wrap-around. A step of -1 is
//! the mirror image: `ULE(last + k, i1 + k)` and `ULT(i1 + k, cap)`.
//!
//! The two guards leave through the snapshot of the end of the first iteration. Where they would fail, the original check might never have
//! (a loop left early): so they are made only if they hold for the values seen while recording, which the recorder tells (`Observe`).

use crate::abort::Abort;
use crate::ir::{Class, IrBuf, IrOp, REF_NONE, Ref, Ty};

use super::{Carried, OptCx};

/// Tells the present value of a SLOAD or FLD (as an integer or its bits), if it is known and stays for the loop as far as can be seen.
pub type Observe<'a> = &'a dyn Fn(&IrBuf, Ref) -> Option<i64>;

/// A variable that changes by 1 or -1 in each iteration until it is `last`.
struct Induction {
    /// At the iteration's start.
    at: Ref,
    /// At the end of the first iteration.
    next: Ref,
    up: bool,
    last: Ref,
}

/// Emits the guards; gives the guards of the model that the body need not repeat, and the refs that must be invariant for that.
pub(super) fn bounds(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    start: Ref,
    header: &[Carried],
    carried: &[Carried],
    observe: Observe,
) -> Result<Vec<Ref>, Abort> {
    let mut proved = Vec::new();
    let renamed = [IrOp::XOp, IrOp::XOpR, IrOp::RetF, IrOp::CoEnter]
        .into_iter()
        .any(|op| buf.last(op) >= start);
    if renamed || !at_boundary(buf) {
        return Ok(proved);
    }
    let end = buf.next();
    for c in carried {
        let Some(v) = induction(buf, start, header, carried, c) else {
            continue;
        };
        let mut g = buf.last(IrOp::Ult);
        while g >= start {
            let i = buf.at(g);
            let next = i.prev;
            if g < end
                && i.op == IrOp::Ult
                && i.ty == Ty::Int
                && let Some(k) = offset(buf, i.a, v.at)
                && replace(cx, buf, &v, k, i.b, observe)?
            {
                proved.push(g);
            }
            g = next;
        }
    }
    Ok(proved)
}

/// The last snapshot describes the buffer's end: nothing has been stored since.
fn at_boundary(buf: &IrBuf) -> bool {
    let Some(s) = buf.snaps.last() else {
        return false;
    };
    (s.first.ins_index()..buf.len()).all(|n| {
        let i = buf.ins[n];
        !matches!(i.op.class(), Class::S | Class::A) && i.op != IrOp::RetF
    })
}

/// `r` is `base + k`.
fn offset(buf: &IrBuf, r: Ref, base: Ref) -> Option<i64> {
    if r == base {
        return Some(0);
    }
    if !r.is_ins() || buf.at(r).op != IrOp::Add || buf.at(r).a != base {
        return None;
    }
    buf.int(buf.at(r).b)
}

fn induction(
    buf: &IrBuf,
    start: Ref,
    header: &[Carried],
    carried: &[Carried],
    c: &Carried,
) -> Option<Induction> {
    if !c.val.is_ins() || buf.ty(c.val) != Ty::Int {
        return None;
    }
    let add = buf.at(c.val);
    let step = if add.op == IrOp::Add {
        buf.int(add.b)?
    } else {
        return None;
    };
    let at = add.a;
    let is_slot = header.iter().any(|h| h.slot == c.slot && h.val == at)
        || (at.is_ins()
            && at >= start
            && buf.at(at).op == IrOp::SLoad
            && buf.at(at).slot() == c.slot);
    if !is_slot || !matches!(step, 1 | -1) {
        return None;
    }
    // The loop goes on only while it is not `last`.
    let mut g = buf.last(IrOp::Ne);
    while g >= start {
        let i = buf.at(g);
        let last = if i.a == at {
            i.b
        } else if i.b == at {
            i.a
        } else {
            REF_NONE
        };
        if i.op == IrOp::Ne
            && i.ty == Ty::Int
            && !last.is_none()
            && is_fixed(buf, start, header, carried, last)
        {
            return Some(Induction {
                at,
                next: c.val,
                up: step == 1,
                last,
            });
        }
        g = i.prev;
    }
    None
}

/// A constant, a slot that does not change, or a value from before the model.
fn is_fixed(buf: &IrBuf, start: Ref, header: &[Carried], carried: &[Carried], r: Ref) -> bool {
    if !r.is_ins() {
        return true;
    }
    let i = buf.at(r);
    if r < start {
        return !header
            .iter()
            .any(|h| h.val == r && carried.iter().any(|c| c.slot == h.slot));
    }
    i.op == IrOp::SLoad && !carried.iter().any(|c| c.slot == i.slot())
}

/// Emits the two guards for `i + k < cap` if they hold now.
fn replace(
    cx: &mut OptCx,
    buf: &mut IrBuf,
    v: &Induction,
    k: i64,
    cap: Ref,
    observe: Observe,
) -> Result<bool, Abort> {
    let (Some(now), Some(last), Some(size)) = (
        value(buf, v.next, observe),
        value(buf, v.last, observe),
        value(buf, cap, observe),
    ) else {
        return Ok(false);
    };
    let (low, high) = if v.up { (now, last) } else { (last, now) };
    let (l, h) = (low.wrapping_add(k) as u64, high.wrapping_add(k) as u64);
    if l > h || h >= size as u64 {
        return Ok(false);
    }
    let k = buf.k_int(k);
    let (low, high) = if v.up {
        (v.next, v.last)
    } else {
        (v.last, v.next)
    };
    let low = cx.emit(buf, IrOp::Add, Ty::Int, low, k)?;
    let high = cx.emit(buf, IrOp::Add, Ty::Int, high, k)?;
    for (op, a, b) in [(IrOp::Ule, low, high), (IrOp::Ult, high, cap)] {
        match cx.emit(buf, op, Ty::Int, a, b) {
            Ok(_) => {}
            Err(Abort::GuardFails) => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// Present value of an integer.
fn value(buf: &IrBuf, r: Ref, observe: Observe) -> Option<i64> {
    if let Some(k) = buf.int(r) {
        return Some(k);
    }
    if !r.is_ins() {
        return None;
    }
    let i = buf.at(r);
    match i.op {
        IrOp::Cast => value(buf, i.a, observe),
        IrOp::Add => Some(value(buf, i.a, observe)?.wrapping_add(value(buf, i.b, observe)?)),
        IrOp::Copy => value(buf, i.a, observe),
        _ => observe(buf, r),
    }
}
