//! Loads: reuse, forwarding from stores. Dead stores.
//!
//! A load walks back over what may have changed its place. The youngest such instruction is the *limit*: an equal load younger than it
//! still holds. A store to exactly that place, younger than the limit, gives its value.
//!
//! Storing a tag that the place is known to hold changes nothing ([`is_there`]): as a field that was a float and becomes another one. Such stores do not stand
//! in the way of guards of tags, then, which become invariant. (What the loop pass says of stores holds as well: one that is left out in the model or in
//! the body changes nothing where it would stand, in any iteration, since what proves that is part of the model.)

use traceorus_base::Tag;
use traceorus_base::objects::ObjKind;

use crate::abort::Abort;
use crate::ir::{Effect, FactKind, FieldId, Ins, IrBuf, IrOp, REF_BASE, REF_NONE, Ref, Ty};

use super::alias::{self, Alias, Mem};
use super::cse::{self, Typed};
use super::{OptCx, Passes, facts};

/// What a walk back from a load found.
struct Walk {
    /// Youngest instruction that may have changed the place (BASE: none).
    limit: Ref,
    /// Value of a store to the place that is younger than the limit.
    stored: Ref,
}

/// The value of the load `i`, if it is known. Changes nothing but, possibly, the type of what is found.
pub(super) fn load(cx: &mut OptCx, buf: &mut IrBuf, i: Ins) -> Result<Option<Ref>, Abort> {
    if !cx.passes.has(Passes::CSE) && !cx.passes.has(Passes::FWD) {
        return Ok(None);
    }
    let walk = walk(cx, buf, &i);
    if cx.passes.has(Passes::FWD) {
        if !walk.stored.is_none()
            && let Some(r) = convert(cx, buf, walk.stored, &i)?
        {
            cx.stats.forwarded += 1;
            return Ok(Some(r));
        }
        if let Some(r) = fresh_field(cx, buf, &i, walk.limit)? {
            cx.stats.forwarded += 1;
            return Ok(Some(r));
        }
    }
    if cx.passes.has(Passes::CSE)
        && let Some(r) = cse::find(buf, &i, walk.limit)
        && let Some(r) = convert(cx, buf, r, &i)?
    {
        cx.stats.cse += 1;
        return Ok(Some(r));
    }
    Ok(None)
}

fn convert(cx: &mut OptCx, buf: &mut IrBuf, r: Ref, i: &Ins) -> Result<Option<Ref>, Abort> {
    Ok(match cse::typed(cx, buf, r, i.ty) {
        Some(Typed::Same) => Some(r),
        Some(Typed::Cast) => Some(cx.emit(buf, IrOp::Cast, i.ty, r, REF_NONE)?),
        None => None,
    })
}

/// Memory that a load reads.
pub(super) fn mem_of_load(buf: &IrBuf, i: &Ins) -> Mem {
    match i.op {
        IrOp::SLoad | IrOp::SLoadT => Mem::Slot,
        IrOp::FLd => Mem::Field(alias::field(i.b).map_or(FactKind::Memory, |f| f.info().kind)),
        IrOp::CallL if alias::effect_of(i).has(Effect::READS) => Mem::Any,
        IrOp::CallL if alias::effect_of(i).has(Effect::READS_KEYS) => {
            Mem::Field(FactKind::Structure)
        }
        IrOp::CallL => Mem::Any,
        IrOp::SlotOf | IrOp::Method => Mem::Field(FactKind::Structure),
        _ => alias::mem_of_address(buf, i.a),
    }
}

/// The youngest instruction of the chain of `op` above `limit` for which `f` holds, else `limit`.
fn youngest(buf: &IrBuf, op: IrOp, limit: Ref, mut f: impl FnMut(&Ins) -> bool) -> Ref {
    let mut r = buf.last(op);
    while r > limit {
        let i = buf.at(r);
        if i.op == op && f(&i) {
            return r;
        }
        r = i.prev;
    }
    limit
}

fn walk(cx: &OptCx, buf: &IrBuf, i: &Ins) -> Walk {
    let mut found = walk_back(cx, buf, i);
    if cx.entered && found.limit < buf.loop_ref {
        // who enters the body has not come by this store
        found.stored = REF_NONE;
    }
    found
}

fn walk_back(cx: &OptCx, buf: &IrBuf, i: &Ins) -> Walk {
    let mem = mem_of_load(buf, i);
    let mut limit = cx.floor;
    if limit > REF_BASE {
        // The floor itself is the first instruction of the iteration.
        limit = Ref(limit.0 - 1);
    }
    limit = limit.max(cx.barrier);
    let mut stored = REF_NONE;
    if mem == Mem::Field(FactKind::Eternal) {
        return Walk { limit, stored };
    }
    for op in [IrOp::XOp, IrOp::XOpR] {
        limit = youngest(buf, op, limit, |_| true);
    }
    limit = youngest(buf, IrOp::Call, limit, |c| {
        alias::kills(alias::effect_of(c), mem)
    });
    if alias::quiet_kills(mem) {
        limit = youngest(buf, IrOp::XOpQ, limit, |_| true);
    }
    if mem == Mem::Field(FactKind::Collector) {
        limit = youngest(buf, IrOp::Poll, limit, |_| true);
        limit = youngest(buf, IrOp::Bar, limit, |_| true);
    }
    if mem == Mem::Slot {
        limit = youngest(buf, IrOp::RetF, limit, |_| true);
    }
    // which thread runs is such memory
    if matches!(mem, Mem::Slot | Mem::Private) {
        limit = youngest(buf, IrOp::CoEnter, limit, |_| true);
    }
    if i.op == IrOp::FLd && alias::field(i.b) == Some(FieldId::ThreadBase) {
        limit = youngest(buf, IrOp::CoLeave, limit, |_| true);
    }
    let stores = |op: IrOp, relation: &dyn Fn(&Ins) -> Alias, limit: &mut Ref| {
        let mut value = REF_NONE;
        *limit = youngest(buf, op, *limit, |s| match relation(s) {
            Alias::No => false,
            Alias::May => true,
            Alias::Must => {
                value = s.b;
                true
            }
        });
        value
    };
    match i.op {
        IrOp::SLoad => stored = stores(IrOp::SSt, &|s| slot(s, i), &mut limit),
        IrOp::SLoadT => {
            let word = youngest(buf, IrOp::SStW, limit, |s| s.a == i.a);
            let before = limit;
            limit = word;
            stored = stores(IrOp::SStT, &|s| slot(s, i), &mut limit);
            debug_assert!(limit >= before);
        }
        IrOp::FLd => {
            let relation = |s: &Ins| {
                let f = buf.at(s.a);
                if f.b == i.b {
                    alias::fields(cx, buf, f.a, i.a)
                } else {
                    Alias::No
                }
            };
            stored = stores(IrOp::FSt, &relation, &mut limit);
        }
        IrOp::LdV => {
            stored = stores(
                IrOp::StV,
                &|s| alias::addresses(cx, buf, s.a, i.a),
                &mut limit,
            )
        }
        IrOp::LdB => {
            stored = stores(
                IrOp::StB,
                &|s| alias::addresses(cx, buf, s.a, i.a),
                &mut limit,
            )
        }
        IrOp::LdW => {
            stored = stores(
                IrOp::StW,
                &|s| alias::addresses(cx, buf, s.a, i.a),
                &mut limit,
            )
        }
        _ => {
            let values: &[IrOp] = if mem == Mem::Any {
                &[IrOp::StV, IrOp::StB, IrOp::StW]
            } else {
                &[]
            };
            for &op in values {
                limit = youngest(buf, op, limit, |_| true);
            }
            limit = youngest(buf, IrOp::FSt, limit, |s| {
                mem == Mem::Any || alias::mem_of_address(buf, s.a) == mem
            });
        }
    }
    Walk { limit, stored }
}

fn slot(s: &Ins, i: &Ins) -> Alias {
    if s.a == i.a { Alias::Must } else { Alias::No }
}

/// The store `i`, of a tag that is a constant, finds it there.
pub(super) fn is_there(cx: &OptCx, buf: &IrBuf, i: &Ins) -> bool {
    let op = match i.op {
        IrOp::StB => IrOp::LdB,
        IrOp::StW => IrOp::LdW,
        _ => return false,
    };
    let Some(tag) = buf.tag(i.b) else {
        return false;
    };
    if !cx.passes.has(Passes::FWD.with(Passes::DSE)) {
        return false;
    }
    let load = Ins::new(op, Ty::Tag, i.a, REF_NONE);
    let walk = walk(cx, buf, &load);
    let held = match walk.stored {
        REF_NONE => cse::find(buf, &load, walk.limit),
        stored => Some(stored),
    };
    held.is_some_and(|r| facts::proved_tag_since(buf, r, r.max(cx.barrier)) == Some(tag))
}

/// Fields of a table made on this trace that nothing has changed since.
fn fresh_field(cx: &mut OptCx, buf: &mut IrBuf, i: &Ins, limit: Ref) -> Result<Option<Ref>, Abort> {
    if i.op != IrOp::FLd || !i.a.is_ins() || limit > i.a {
        return Ok(None);
    }
    let t = buf.at(i.a);
    Ok(match (t.op, alias::field(i.b)) {
        (IrOp::TArr, Some(FieldId::TabCap)) => Some(buf.k(Ty::U32, u64::from(t.lit_b()))),
        (IrOp::TArr, Some(FieldId::TabArray)) | (IrOp::TNew, Some(FieldId::TabHash)) => {
            Some(cx.emit(buf, IrOp::TRun, Ty::Ptr, i.a, REF_NONE)?)
        }
        (IrOp::TNew | IrOp::TArr, Some(FieldId::TabShape)) => {
            let shape = buf.konst(t.a).map_or(0, |k| k.bits);
            let id = buf.shape_ids.get(&shape).copied();
            id.map(|id| buf.k(Ty::U32, id.into()))
        }
        (IrOp::TNew | IrOp::TArr, Some(FieldId::TabMeta)) => Some(buf.k_ptr(0)),
        (IrOp::TNew | IrOp::TArr, Some(FieldId::TabFlags)) => Some(buf.k(Ty::U8, 0)),
        (IrOp::TNew | IrOp::TArr, Some(FieldId::TabKind)) => {
            Some(buf.k(Ty::U8, (Tag::NIL.byte() as u8).into()))
        }
        (IrOp::TNew, Some(FieldId::TabCap | FieldId::TabLen)) => Some(buf.k(Ty::U32, 0)),
        (IrOp::TNew, Some(FieldId::TabFieldCap)) => {
            let slots = t.lit_b().next_multiple_of(2);
            Some(buf.k(Ty::U32, slots.into()))
        }
        (IrOp::FNew, Some(FieldId::Kind)) => Some(buf.k(Ty::U8, ObjKind::LuaClosure as u64)),
        (IrOp::FNew, Some(FieldId::FuncProto)) => Some(t.a),
        _ => None,
    })
}

/// The cell that the UPREF `i` of a closure made on this trace finds.
pub(super) fn fresh_upvalue(cx: &OptCx, buf: &IrBuf, i: &Ins) -> Option<Ref> {
    let fresh = i.a.is_ins() && i.a >= cx.floor && buf.at(i.a).op == IrOp::FNew;
    if !fresh || !cx.passes.has(Passes::FWD) {
        return None;
    }
    let mut r = buf.last(IrOp::StV);
    while r > i.a {
        let s = buf.at(r);
        if s.op == IrOp::StV {
            let at = buf.at(s.a);
            if at.op == IrOp::UpAddr && at.a == i.a && at.b == i.b {
                return Some(s.b);
            }
        }
        r = s.prev;
    }
    None
}

/// Removes the store that `i` overwrites, if nobody can have seen it: between the two stand only pure instructions, stores elsewhere and
/// loads of other places. Guards make memory visible.
pub(super) fn remove_overwritten(cx: &mut OptCx, buf: &mut IrBuf, i: Ins) {
    use IrOp::*;
    if !matches!(i.op, StV | StB | StW | FSt | SSt | SStT | SStW) {
        return;
    }
    let mut r = buf.next();
    // An allocation or an address computed in between does not matter; a long way back is not worth it.
    for _ in 0..64 {
        r = Ref(r.0 - 1);
        if r <= REF_BASE {
            return;
        }
        let o = buf.at(r);
        if o.op == i.op {
            let relation = match i.op {
                SSt | SStT | SStW => slot(&o, &i),
                FSt => {
                    let (f, g) = (buf.at(o.a), buf.at(i.a));
                    if f.b == g.b {
                        alias::fields(cx, buf, f.a, g.a)
                    } else {
                        Alias::No
                    }
                }
                _ => alias::addresses(cx, buf, o.a, i.a),
            };
            if relation == Alias::Must {
                buf.kill(r);
                cx.stats.dead_stores += 1;
                return;
            }
            continue;
        }
        let reads = match o.op {
            LdV => i.op == StV && alias::addresses(cx, buf, o.a, i.a) != Alias::No,
            LdB => i.op == StB && alias::addresses(cx, buf, o.a, i.a) != Alias::No,
            LdW => i.op == StW && alias::addresses(cx, buf, o.a, i.a) != Alias::No,
            FLd => {
                i.op == FSt && {
                    let g = buf.at(i.a);
                    o.b == g.b && alias::fields(cx, buf, o.a, g.a) != Alias::No
                }
            }
            SLoad => i.op == SSt && o.a == i.a,
            SLoadT => matches!(i.op, SStT | SStW) && o.a == i.a,
            // The whole tag word and its half.
            SStT | SStW => matches!(i.op, SStT | SStW) && o.a == i.a,
            StV | StB | StW | FSt | SSt | Bar => o.op == Bar && i.op == FSt,
            CallN | CArg | PVal | Copy | Nop => false,
            Add | Sub | Mul | Div | Neg | IDiv | IMod | And | Or | Xor | Not | Shl | Shr | Sar
            | Abs | Sqrt | Round | Min | Max | IsEq | IsLt | IsLe | IsGe | ItoF | Cast | UpRef
            | NUpv | StrByte | TRun => false,
            FRef | ARef | ATRef | HRef | HTRef | CRef | CTRef | ERef | ETRef | XRef | VRef
            | UpAddr => false,
            TNew | TArr | CNew | FNew => false,
            // Guards, calls, helpers, the loop's header.
            _ => true,
        };
        if reads {
            return;
        }
    }
}
