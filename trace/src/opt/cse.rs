//! Common subexpressions: pure instructions are looked up along the chain of their op.
//!
//! An instruction is younger than its operands, so the walk ends at the younger operand (LuaJIT's early-out). Operands are in canonical
//! order (`fold` swaps), so equal means equal fields.

use crate::ir::{Ins, IrBuf, IrOp, Mode, REF_BASE, Ref, Ty};

use super::{OptCx, Passes};

/// The younger operand among those that are refs of instructions; else BASE.
pub(super) fn youngest_operand(i: &Ins) -> Ref {
    let [ma, mb] = i.op.modes();
    let mut r = REF_BASE;
    if ma == Mode::Ref && i.a.is_ins() {
        r = r.max(i.a);
    }
    if mb == Mode::Ref && i.b.is_ins() {
        r = r.max(i.b);
    }
    r
}

/// Finds an instruction with the same op and operands younger than `limit`; types may differ (see [`typed`]).
pub(super) fn find(buf: &IrBuf, i: &Ins, limit: Ref) -> Option<Ref> {
    let limit = limit.max(youngest_operand(i));
    let mut r = buf.last(i.op);
    while r > limit {
        let c = buf.at(r);
        if c.a == i.a && c.b == i.b && c.op == i.op {
            return Some(r);
        }
        r = c.prev;
    }
    None
}

/// A pure instruction that is there already.
pub(super) fn pure(cx: &mut OptCx, buf: &IrBuf, i: Ins) -> Option<Ref> {
    if !cx.passes.has(Passes::CSE) {
        return None;
    }
    let limit = youngest_operand(&i).max(cx.barrier);
    let mut r = buf.last(i.op);
    while r > limit {
        let c = buf.at(r);
        if c.a == i.a && c.b == i.b && c.op == i.op && c.ty == i.ty {
            cx.stats.cse += 1;
            return Some(r);
        }
        r = c.prev;
    }
    None
}

/// `r`, whose payload is wanted as a value of type `ty`: `r` itself, narrowed if it is a load of unknown type, or a Cast, or `None` if the
/// types contradict each other.
pub(super) fn typed(cx: &mut OptCx, buf: &mut IrBuf, r: Ref, ty: Ty) -> Option<Typed> {
    let have = buf.ty(r);
    if have == ty || ty == Ty::Any {
        return Some(Typed::Same);
    }
    if have == Ty::Any {
        let load = r.is_ins() && matches!(buf.at(r).op, IrOp::SLoad | IrOp::LdV);
        if load && !(ty.is_float() && is_argument(buf, r)) {
            cx.narrow(buf, r, ty);
            return Some(Typed::Same);
        }
        return Some(Typed::Cast);
    }
    if ty == Ty::Ptr && have.is_gc() {
        return Some(Typed::Cast);
    }
    None
}

/// A call takes `r` as argument: where it is passed depends on its type, which must stay in the same class of registers.
pub(crate) fn is_argument(buf: &IrBuf, r: Ref) -> bool {
    [IrOp::CArg, IrOp::Call, IrOp::CallN, IrOp::CallL]
        .into_iter()
        .any(|op| {
            let mut c = buf.last(op);
            while c > r {
                let i = buf.at(c);
                if i.op == op && (i.a == r || op == IrOp::CArg && i.b == r) {
                    return true;
                }
                c = i.prev;
            }
            false
        })
}

/// Answer of [`typed`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Typed {
    /// As it is.
    Same,
    /// By `CAST`.
    Cast,
}
