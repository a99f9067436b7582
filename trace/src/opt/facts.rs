//! What earlier guards and the form of an instruction prove.
//!
//! Values never change (SSA), so a guard that stands earlier proves its condition for good. Comparisons of the same two values are
//! sets of outcomes: what is known is the intersection of all earlier guards on the pair, and a guard is decided if that lies inside or outside
//! its own set. Comparisons of integers with constants, and instructions whose results are bounded, give ranges.
//!
//! Over a loop's back edge a fact about a carried value holds because its image has been proved for the value of the end of the
//! iteration: see `loops`.

use traceorus_base::Tag;

use crate::ir::{FieldId, Ins, IrBuf, IrOp, Ref, Ty};

use super::OptCx;
use super::alias;

/// The condition of the guard `i` is known to hold (`true`) or not to hold.
pub(super) fn decide(cx: &OptCx, buf: &IrBuf, i: Ins) -> Option<bool> {
    use IrOp::*;
    match i.op {
        TEq | TNe | TFalsy | TTruthy => tag_guard(buf, &i, cx.barrier),
        BitsZ | BitsNz => bits_guard(buf, &i, cx.barrier),
        StkChk => {
            let limit = check_limit(buf).max(cx.barrier);
            find(buf, StkChk, limit, |g| g.lit_a() >= i.lit_a()).then_some(true)
        }
        Poll | RetF | RetKind | TopEq | CoWord => None,
        _ => compare(cx, buf, &i),
    }
}

/// The last instruction after which the room on the stack has to be checked anew.
fn check_limit(buf: &IrBuf) -> Ref {
    use IrOp::*;
    let mut limit = Ref::default();
    for op in [RetF, XOpR, XOpQ, XOp, CoEnter] {
        limit = limit.max(buf.last(op));
    }
    let mut c = buf.last(Call);
    while c > limit {
        let k = buf.at(c);
        if alias::kills(alias::effect_of(&k), alias::Mem::Slot) {
            limit = c;
        }
        c = k.prev;
    }
    limit
}

/// Makes an earlier STKCHK, not older than `start`, ask for the room that is needed here: one check serves many frames. False: there is none.
/// The trace may be left earlier than it must then; whoever handles the exit makes room.
pub(crate) fn raise_check(buf: &mut IrBuf, start: Ref, slots: u16) -> bool {
    let r = buf.last(IrOp::StkChk);
    if r.is_none() || r < start || r <= check_limit(buf) {
        return false;
    }
    let g = buf.at_mut(r);
    g.a = Ref(g.lit_a().max(slots));
    true
}

/// An earlier guard can ask for more, so that the guard `i` is proved: that there is a value becomes what type it has, that an array has two elements that it has three.
/// The trace may be left before it must, in a state that it had there, so nothing is lost if it would have been left here anyway: no branch lies between the two.
pub(super) fn strengthen(cx: &OptCx, buf: &mut IrBuf, i: Ins) -> bool {
    use IrOp::*;
    if !i.a.is_ins() {
        return false;
    }
    let limit = i.a.max(cx.barrier).max(cx.floor).max(buf.loop_ref);
    let weaker = match i.op {
        TEq if literal_tag(i.b) != Tag::NIL => TNe,
        Ugt if constant(buf, i.b).is_some() => Ugt,
        _ => return false,
    };
    let mut r = buf.last(weaker);
    while r > limit {
        let g = buf.at(r);
        let is = g.op == weaker
            && g.a == i.a
            && match i.op {
                TEq => literal_tag(g.b) == Tag::NIL,
                _ => g.ty == i.ty && constant(buf, g.b).is_some(),
            };
        if is {
            let later = buf.snaps.iter().rev().take_while(|s| s.first > r);
            let straight = later.fold(true, |all, s| all && !s.decided && !s.asked);
            if straight
                && buf
                    .snap_of(r)
                    .is_some_and(|n| !buf.snaps[n.0 as usize].asked)
            {
                buf.change(r, i.op, i.a, i.b);
                return true;
            }
            return false;
        }
        r = g.prev;
    }
    false
}

fn find(buf: &IrBuf, op: IrOp, limit: Ref, mut f: impl FnMut(&Ins) -> bool) -> bool {
    let mut r = buf.last(op);
    while r > limit {
        let g = buf.at(r);
        if g.op == op && f(&g) {
            return true;
        }
        r = g.prev;
    }
    false
}

fn literal_tag(r: Ref) -> Tag {
    Tag(r.0 as i16 as i32)
}

/// The tag that an earlier guard proved for the tag `a`.
pub fn proved_tag(buf: &IrBuf, a: Ref) -> Option<Tag> {
    proved_tag_since(buf, a, a)
}

/// The same, by guards younger than `limit`.
pub(super) fn proved_tag_since(buf: &IrBuf, a: Ref, limit: Ref) -> Option<Tag> {
    if let Some(t) = buf.tag(a) {
        return Some(t);
    }
    let mut known = None;
    find(buf, IrOp::TEq, limit, |g| {
        if g.a == a {
            known = Some(literal_tag(g.b));
        }
        g.a == a
    });
    known
}

fn tag_guard(buf: &IrBuf, i: &Ins, barrier: Ref) -> Option<bool> {
    use IrOp::*;
    let a = i.a;
    let limit = a.max(barrier);
    if let Some(t) = proved_tag_since(buf, a, limit) {
        return Some(tag_holds(i.op, t, i.b));
    }
    let falsy = find(buf, TFalsy, limit, |g| g.a == a);
    let truthy = find(buf, TTruthy, limit, |g| g.a == a);
    match i.op {
        TFalsy if falsy => Some(true),
        TFalsy if truthy => Some(false),
        TTruthy if truthy => Some(true),
        TTruthy if falsy => Some(false),
        TEq | TNe => {
            let excluded = (falsy && !literal_tag(i.b).is_falsy())
                || (truthy && literal_tag(i.b).is_falsy())
                || find(buf, TNe, limit, |g| g.a == a && g.b == i.b);
            excluded.then_some(i.op == TNe)
        }
        _ => None,
    }
}

/// The tag guard `op` (with the literal `b`) on the tag `t`.
pub(super) fn tag_holds(op: IrOp, t: Tag, b: Ref) -> bool {
    match op {
        IrOp::TEq => t == literal_tag(b),
        IrOp::TNe => t != literal_tag(b),
        IrOp::TFalsy => t.is_falsy(),
        _ => !t.is_falsy(),
    }
}

fn bits_guard(buf: &IrBuf, i: &Ins, barrier: Ref) -> Option<bool> {
    use IrOp::*;
    let k = buf.konst(i.b)?.bits;
    let mut known = None;
    let bits = |g: &Ins| buf.konst(g.b).map_or(0, |k| k.bits);
    let limit = i.a.max(barrier);
    find(buf, BitsZ, limit, |g| {
        if g.a == i.a && k & !bits(g) == 0 {
            known = Some(i.op == BitsZ);
        }
        known.is_some()
    });
    if known.is_none() {
        find(buf, BitsNz, limit, |g| {
            if g.a == i.a && bits(g) & !k == 0 && bits(g) != 0 {
                known = Some(i.op == BitsNz);
            }
            known.is_some()
        });
    }
    known
}

/// Comparisons, as the table of outcomes has them.
const COMPARES: [IrOp; 14] = {
    use IrOp::*;
    [
        Eq, Ne, Lt, Ge, Le, Gt, NLt, NLe, NGt, NGe, Ult, Uge, Ule, Ugt,
    ]
};

/// Outcomes of comparing integers, as a set: equal; signed less or greater with unsigned less or greater.
mod int {
    pub const EQ: u8 = 1;
    pub const LL: u8 = 2;
    pub const LG: u8 = 4;
    pub const GL: u8 = 8;
    pub const GG: u8 = 16;
}
/// Outcomes of comparing floats.
mod float {
    pub const EQ: u8 = 1;
    pub const LT: u8 = 2;
    pub const GT: u8 = 4;
    pub const UN: u8 = 8;
}

/// Outcomes for which the comparison holds.
fn outcomes(op: IrOp, is_float: bool) -> u8 {
    use IrOp::*;
    if is_float {
        use float::*;
        match op {
            Eq => EQ,
            Ne => LT | GT | UN,
            Lt => LT,
            Ge => GT | EQ,
            Le => LT | EQ,
            Gt => GT,
            NLt => EQ | GT | UN,
            NLe => GT | UN,
            NGt => LT | EQ | UN,
            NGe => LT | UN,
            _ => 15,
        }
    } else {
        use int::*;
        match op {
            Eq => EQ,
            Ne => LL | LG | GL | GG,
            Lt => LL | LG,
            Ge => GL | GG | EQ,
            Le => LL | LG | EQ,
            Gt => GL | GG,
            Ult => LL | GL,
            Uge => LG | GG | EQ,
            Ule => LL | GL | EQ,
            Ugt => LG | GG,
            _ => 31,
        }
    }
}

/// The set with operands exchanged.
fn mirror(set: u8, is_float: bool) -> u8 {
    let pairs: &[(u8, u8)] = if is_float {
        &[(float::LT, float::GT)]
    } else {
        &[(int::LL, int::GG), (int::LG, int::GL)]
    };
    let mut out = set;
    for &(x, y) in pairs {
        out &= !(x | y);
        if set & x != 0 {
            out |= y;
        }
        if set & y != 0 {
            out |= x;
        }
    }
    out
}

/// The number `r`, if it is constant: as the IR has it in 64 bits.
fn constant(buf: &IrBuf, r: Ref) -> Option<i64> {
    let k = buf.konst(r)?;
    matches!(k.ty, Ty::Int | Ty::U32 | Ty::U8).then_some(k.bits as i64)
}

fn compare(cx: &OptCx, buf: &IrBuf, i: &Ins) -> Option<bool> {
    let is_float = i.ty.is_float();
    let wanted = outcomes(i.op, is_float);
    let mut known = if is_float { 15 } else { 31 };
    let young = i.a.max(i.b);
    let mut r = Range::FULL;
    let constant = |r| if is_float { None } else { constant(buf, r) };
    let unsigned = matches!(i.ty, Ty::U32 | Ty::U8);
    let to_constant = constant(i.b).is_some();
    for op in COMPARES {
        let mut g = buf.last(op);
        // A fact about `a` and a constant may be as old as `a`; one about both is younger than both.
        let limit = if to_constant { i.a } else { young }.max(cx.barrier);
        while g > limit {
            let c = buf.at(g);
            if c.op == op && c.ty.is_float() == is_float {
                if c.a == i.a && c.b == i.b {
                    known &= outcomes(op, is_float);
                } else if c.a == i.b && c.b == i.a {
                    known &= mirror(outcomes(op, is_float), is_float);
                } else if to_constant
                    && c.a == i.a
                    && let Some(k) = constant(c.b)
                {
                    r = r.meet(Range::of_guard(op, k, unsigned));
                }
            }
            g = c.prev;
        }
    }
    if known & !wanted == 0 {
        return Some(true);
    }
    if known & wanted == 0 {
        return Some(false);
    }
    if is_float {
        return None;
    }
    if matches!(i.op, IrOp::Eq | IrOp::Ne) && (i.ty.is_gc() || i.ty == Ty::Ptr) {
        return alias::distinct(cx, buf, i.a, i.b).then_some(i.op == IrOp::Ne);
    }
    if !matches!(i.ty, Ty::Int | Ty::U32 | Ty::U8) {
        return None;
    }
    let x = r.meet(range(buf, i.a));
    let y = range(buf, i.b);
    let all = x.outcomes(y);
    if all & !wanted == 0 {
        return Some(true);
    }
    if all & wanted == 0 {
        return Some(false);
    }
    None
}

/// Bounds of an integer, signed, inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// Smallest value.
    pub lo: i64,
    /// Largest value.
    pub hi: i64,
}

impl Range {
    /// Every integer.
    pub const FULL: Range = Range {
        lo: i64::MIN,
        hi: i64::MAX,
    };
    fn new(lo: i64, hi: i64) -> Range {
        Range { lo, hi }
    }
    /// In both. (Contradicting facts stand in code that is never reached: either is right.)
    pub fn meet(self, o: Range) -> Range {
        let r = Range::new(self.lo.max(o.lo), self.hi.min(o.hi));
        if r.lo > r.hi { self } else { r }
    }
    /// Values x for which the guard `op x k` holds; `unsigned`: neither is negative.
    fn of_guard(op: IrOp, k: i64, unsigned: bool) -> Range {
        use IrOp::*;
        let full = Range::FULL;
        match op {
            Eq => Range::new(k, k),
            Lt | Le | Gt | Ge if unsigned => full,
            Lt if k > i64::MIN => Range::new(i64::MIN, k - 1),
            Le => Range::new(i64::MIN, k),
            Gt if k < i64::MAX => Range::new(k + 1, i64::MAX),
            Ge => Range::new(k, i64::MAX),
            Ult if k > 0 => Range::new(0, k - 1),
            Ule if k >= 0 => Range::new(0, k),
            Ugt if unsigned && k < i64::MAX => Range::new(k + 1, i64::MAX),
            Uge if unsigned => Range::new(k, i64::MAX),
            _ => full,
        }
    }
    /// Outcomes that comparing values of the two ranges may have.
    fn outcomes(self, o: Range) -> u8 {
        let mut set = 0;
        if self.lo <= o.hi && o.lo <= self.hi {
            set |= int::EQ;
        }
        let same_sign = (self.lo >= 0 && o.lo >= 0) || (self.hi < 0 && o.hi < 0);
        let opposite = (self.lo >= 0 && o.hi < 0) || (self.hi < 0 && o.lo >= 0);
        if self.lo < o.hi {
            set |= if same_sign {
                int::LL
            } else if opposite {
                int::LG
            } else {
                int::LL | int::LG
            };
        }
        if self.hi > o.lo {
            set |= if same_sign {
                int::GG
            } else if opposite {
                int::GL
            } else {
                int::GG | int::GL
            };
        }
        set
    }
}

/// Bounds that the form of the instruction gives.
pub fn range(buf: &IrBuf, r: Ref) -> Range {
    range_to(buf, r, 4)
}

fn range_to(buf: &IrBuf, r: Ref, depth: u32) -> Range {
    use IrOp::*;
    let full = Range::FULL;
    if let Some(k) = buf.konst(r) {
        return match k.ty {
            Ty::Int | Ty::U32 | Ty::U8 => Range::new(k.bits as i64, k.bits as i64),
            _ => full,
        };
    }
    if !r.is_ins() {
        return full;
    }
    let i = buf.at(r);
    let by_type = match i.ty {
        Ty::U8 => Range::new(0, 255),
        Ty::U32 => Range::new(0, i64::from(u32::MAX)),
        Ty::Int => full,
        _ => return full,
    };
    if depth == 0 {
        return by_type;
    }
    let of = |r: Ref| range_to(buf, r, depth - 1);
    let exact = |lo: Option<i64>, hi: Option<i64>| match (lo, hi) {
        (Some(lo), Some(hi)) => Range::new(lo, hi),
        _ => full,
    };
    let by_op = match i.op {
        Cast => match buf.ty(i.a) {
            Ty::U8 | Ty::U32 | Ty::Int => of(i.a),
            _ => full,
        },
        StrByte => Range::new(0, 255),
        FLd if alias::field(i.b) == Some(FieldId::StrLen) => Range::new(0, i64::MAX),
        And => {
            let (x, y) = (of(i.a), of(i.b));
            match (x.lo >= 0, y.lo >= 0) {
                (true, true) => Range::new(0, x.hi.min(y.hi)),
                (true, false) => Range::new(0, x.hi),
                (false, true) => Range::new(0, y.hi),
                _ => full,
            }
        }
        Or | Xor => {
            let (x, y) = (of(i.a), of(i.b));
            if x.lo >= 0 && y.lo >= 0 {
                let bits = 64 - (x.hi | y.hi).leading_zeros();
                Range::new(
                    0,
                    if bits >= 63 {
                        i64::MAX
                    } else {
                        (1 << bits) - 1
                    },
                )
            } else {
                full
            }
        }
        Shr => match buf.int(i.b) {
            Some(k @ 1..=63) => {
                let x = of(i.a);
                if x.lo >= 0 {
                    Range::new(x.lo >> k, x.hi >> k)
                } else {
                    Range::new(0, (u64::MAX >> k) as i64)
                }
            }
            _ => full,
        },
        Sar => match buf.int(i.b) {
            Some(k @ 0..=63) => {
                let x = of(i.a);
                Range::new(x.lo >> k, x.hi >> k)
            }
            _ => full,
        },
        Shl => match buf.int(i.b) {
            Some(k @ 0..=62) => {
                let x = of(i.a);
                exact(x.lo.checked_mul(1 << k), x.hi.checked_mul(1 << k))
            }
            _ => full,
        },
        Add => {
            let (x, y) = (of(i.a), of(i.b));
            exact(x.lo.checked_add(y.lo), x.hi.checked_add(y.hi))
        }
        Sub => {
            let (x, y) = (of(i.a), of(i.b));
            exact(x.lo.checked_sub(y.hi), x.hi.checked_sub(y.lo))
        }
        Mul => match buf.int(i.b) {
            Some(k) => {
                let x = of(i.a);
                match (x.lo.checked_mul(k), x.hi.checked_mul(k)) {
                    (Some(p), Some(q)) => Range::new(p.min(q), p.max(q)),
                    _ => full,
                }
            }
            None => full,
        },
        IMod => {
            let y = of(i.b);
            if y.lo > 0 {
                Range::new(0, y.hi - 1)
            } else if y.hi < 0 && y.lo > i64::MIN {
                Range::new(y.lo + 1, 0)
            } else {
                full
            }
        }
        IDiv => match buf.int(i.b) {
            Some(k) if k > 0 => {
                let x = of(i.a);
                Range::new(x.lo.div_euclid(k), x.hi.div_euclid(k))
            }
            _ => full,
        },
        IsEq | IsLt | IsLe | IsGe => Range::new(0, 1),
        Min => {
            let (x, y) = (of(i.a), of(i.b));
            Range::new(x.lo.min(y.lo), x.hi.min(y.hi))
        }
        Max => {
            let (x, y) = (of(i.a), of(i.b));
            Range::new(x.lo.max(y.lo), x.hi.max(y.hi))
        }
        _ => full,
    };
    by_type.meet(by_op)
}

/// Evaluates a comparison of constants of the type `ty`.
pub(super) fn compare_consts(op: IrOp, ty: Ty, x: u64, y: u64) -> bool {
    use std::cmp::Ordering::*;
    let set = if ty.is_float() {
        match f64::from_bits(x).partial_cmp(&f64::from_bits(y)) {
            Some(Equal) => float::EQ,
            Some(Less) => float::LT,
            Some(Greater) => float::GT,
            None => float::UN,
        }
    } else {
        match ((x as i64).cmp(&(y as i64)), x.cmp(&y)) {
            (Equal, _) => int::EQ,
            (Less, Less) => int::LL,
            (Less, _) => int::LG,
            (_, Less) => int::GL,
            _ => int::GG,
        }
    };
    outcomes(op, ty.is_float()) & set != 0
}

/// The comparison with operands exchanged.
pub(super) fn swapped(op: IrOp) -> IrOp {
    use IrOp::*;
    match op {
        Lt => Gt,
        Gt => Lt,
        Le => Ge,
        Ge => Le,
        NLt => NGt,
        NGt => NLt,
        NLe => NGe,
        NGe => NLe,
        Ult => Ugt,
        Ugt => Ult,
        Ule => Uge,
        Uge => Ule,
        o => o,
    }
}
