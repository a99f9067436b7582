//! What may be the same memory, and what kills which fact (rule C).
//!
//! **Places.** Loads and stores name their place by an address instruction. Places of different kinds (array slots, fields, cells, entries,
//! private memory, upvalues of fresh closures) never overlap, payloads and tags neither. Within a kind the index and the base object
//! decide: equal index and base must alias; unequal constant offsets from the same index, or distinct objects, do not.
//!
//! **Distinct objects.** A fresh allocation differs from every other allocation, from constants, from everything that was there before
//! it, and from what came later as long as its address had been given to nobody. This holds across a loop's back edge as well: see
//! `loops`. Allocations of iterations before the model iteration do not count as fresh (`OptCx::floor`).
//!
//! **Effects.** [`kills`] is the one table of what calls and helpers change.

use crate::ir::{CallId, Class, Effect, FactKind, FieldId, Ins, IrBuf, IrOp, REF_NONE, Ref};

use super::OptCx;

/// Relation of two places.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alias {
    /// They never overlap.
    No,
    /// They may be the same.
    May,
    /// They are the same.
    Must,
}

/// Memory by what can change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mem {
    /// Stack slots.
    Slot,
    /// Values and tags in tables.
    Table,
    /// Values and tags in cells.
    Cell,
    /// Memory that only traces use.
    Private,
    /// Upvalue of a fresh closure.
    Upvalue,
    /// Field of an object.
    Field(FactKind),
    /// Whatever a reading function reads.
    Any,
}

/// The call with these effects may change such memory.
pub fn kills(e: Effect, m: Mem) -> bool {
    if e.has(Effect::RUNS_LUA) {
        return !matches!(m, Mem::Field(FactKind::Eternal) | Mem::Upvalue);
    }
    let any = |bits: Effect| e.0 & bits.0 != 0;
    match m {
        Mem::Slot | Mem::Cell | Mem::Private | Mem::Upvalue => false,
        Mem::Table => e.has(Effect::WRITES),
        Mem::Field(FactKind::Eternal) => false,
        Mem::Field(FactKind::Structure) => e.has(Effect::RESHAPES),
        Mem::Field(FactKind::Length) => any(Effect::LENGTH.with(Effect::RESHAPES)),
        // A call that stores runs barriers.
        Mem::Field(FactKind::Collector) => any(Effect::WRITES
            .with(Effect::RESHAPES)
            .with(Effect::ALLOCATES)),
        Mem::Field(FactKind::Memory) | Mem::Any => {
            any(Effect::WRITES.with(Effect::LENGTH).with(Effect::RESHAPES))
        }
    }
}

/// An XOPQ may change such memory: slots, what belongs to the collector or to a thread.
pub fn quiet_kills(m: Mem) -> bool {
    matches!(
        m,
        Mem::Slot | Mem::Private | Mem::Field(FactKind::Collector) | Mem::Field(FactKind::Memory)
    )
}

/// Kind of memory at the address `addr` (an instruction of class R).
pub fn mem_of_address(buf: &IrBuf, addr: Ref) -> Mem {
    match buf.at(addr).op {
        IrOp::CRef | IrOp::CTRef => Mem::Cell,
        IrOp::XRef => Mem::Private,
        IrOp::VRef => Mem::Slot,
        IrOp::UpAddr => Mem::Upvalue,
        IrOp::FRef => Mem::Field(field(buf.at(addr).b).map_or(FactKind::Memory, |f| f.info().kind)),
        _ => Mem::Table,
    }
}

/// The field with this literal.
pub fn field(b: Ref) -> Option<FieldId> {
    FieldId::from_u16(b.0)
}

/// Effects of a call instruction.
pub fn effect_of(i: &Ins) -> Effect {
    CallId::from_u16(i.b.0).map_or(Effect::RUNS_LUA, |c| c.info().effect)
}

/// The call `i` may allocate.
pub fn makes(i: &Ins) -> bool {
    let e = effect_of(i);
    let some = Effect::ALLOCATES
        .with(Effect::RESHAPES)
        .with(Effect::RUNS_LUA);
    e.0 & some.0 != 0
}

/// An index as `base + c`, or (`neg`) as `c - base`, with wrap-around; a constant has no base.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Form {
    base: Ref,
    neg: bool,
    c: i64,
}

fn form(buf: &IrBuf, r: Ref) -> Form {
    form_to(buf, r, 4)
}
fn form_to(buf: &IrBuf, r: Ref, depth: u32) -> Form {
    let (base, neg) = (r, false);
    if let Some(c) = buf.int(r) {
        let base = REF_NONE;
        return Form { base, neg, c };
    }
    let itself = Form { base, neg, c: 0 };
    if !r.is_ins() || depth == 0 {
        return itself;
    }
    let i = buf.at(r);
    let of = |r| form_to(buf, r, depth - 1);
    // c - f
    let minus = |c: i64, f: Form| Form {
        base: f.base,
        neg: !f.neg && !f.base.is_none(),
        c: c.wrapping_sub(f.c),
    };
    match i.op {
        IrOp::Add => match buf.int(i.b) {
            Some(c) => {
                let f = of(i.a);
                Form {
                    c: f.c.wrapping_add(c),
                    ..f
                }
            }
            None => itself,
        },
        // as tag addresses have it
        IrOp::Not => minus(-1, of(i.a)),
        IrOp::Sub => match buf.int(i.a) {
            Some(c) => minus(c, of(i.b)),
            None => itself,
        },
        _ => itself,
    }
}

/// `r` without casts and copies that keep the object.
fn object(buf: &IrBuf, mut r: Ref) -> Ref {
    while r.is_ins() {
        let i = buf.at(r);
        match i.op {
            IrOp::Cast => r = i.a,
            _ => break,
        }
    }
    r
}

/// The object whose memory the run, cell or object `r` belongs to.
pub(super) fn owner(buf: &IrBuf, r: Ref) -> Ref {
    let mut r = object(buf, r);
    while r.is_ins() {
        let i = buf.at(r);
        let run_of_table = match i.op {
            IrOp::TRun => true,
            IrOp::FLd => matches!(field(i.b), Some(FieldId::TabArray | FieldId::TabHash)),
            _ => false,
        };
        if !run_of_table {
            break;
        }
        r = object(buf, i.a);
    }
    r
}

/// The run `r` holds the fields of a table.
fn is_fields(buf: &IrBuf, r: Ref) -> bool {
    let r = object(buf, r);
    r.is_ins()
        && match buf.at(r).op {
            IrOp::TRun => true,
            IrOp::FLd => field(buf.at(r).b) == Some(FieldId::TabHash),
            _ => false,
        }
}

fn is_fresh(cx: &OptCx, buf: &IrBuf, r: Ref) -> bool {
    r.is_ins()
        && r >= cx.floor
        && matches!(
            buf.at(r).op,
            IrOp::TNew | IrOp::TArr | IrOp::CNew | IrOp::FNew
        )
}

/// The address of the fresh object `p` is given to memory, to a function or to another name before `until`.
fn escapes(buf: &IrBuf, p: Ref, until: Ref) -> bool {
    let first = buf.first_since(p, |i| gives_away(i, p));
    debug_assert_eq!(
        first.map(Ref::ins_index),
        (p.ins_index() + 1..buf.len()).find(|&n| gives_away(&buf.at(Ref::from_ins(n)), p))
    );
    first.is_some_and(|r| r < until)
}

fn gives_away(i: &Ins, p: Ref) -> bool {
    use IrOp::*;
    match i.op {
        StV | FSt | SSt => i.b == p,
        CArg | Copy | Cast | Phi | Min | Max => i.a == p || i.b == p,
        Call | CallN | CallL => i.a == p,
        XOp | XOpQ | XOpR => true,
        _ => false,
    }
}

/// The objects (or runs, cells, entries) `p` and `q` are certainly not the same one.
pub fn distinct(cx: &OptCx, buf: &IrBuf, p: Ref, q: Ref) -> bool {
    if p == q {
        return false;
    }
    let (op, oq) = (owner(buf, p), owner(buf, q));
    if op == oq {
        return false;
    }
    if op.is_const() && oq.is_const() {
        // Comparable if both are what is addressed, or both are its owners.
        return p.is_const() == q.is_const()
            && buf.konst(op).map(|k| k.bits) != buf.konst(oq).map(|k| k.bits);
    }
    match (is_fresh(cx, buf, op), is_fresh(cx, buf, oq)) {
        (true, true) => true,
        (true, false) => oq.is_const() || oq < op || !escapes(buf, op, oq),
        (false, true) => op.is_const() || op < oq || !escapes(buf, oq, op),
        (false, false) => false,
    }
}

/// Relation of the places at two addresses, both for payloads or both for tags of one kind of load.
pub fn addresses(cx: &OptCx, buf: &IrBuf, x: Ref, y: Ref) -> Alias {
    if x == y {
        return Alias::Must;
    }
    let (i, j) = (buf.at(x), buf.at(y));
    if i.op != j.op {
        // a field by a number that is computed
        let field = |x: Ins, y: Ins| {
            matches!(
                (x.op, y.op),
                (IrOp::ARef, IrOp::HRef) | (IrOp::ATRef, IrOp::HTRef)
            ) && is_fields(buf, x.a)
        };
        return match field(i, j) || field(j, i) {
            true if !distinct(cx, buf, i.a, j.a) => Alias::May,
            _ => Alias::No,
        };
    }
    let objects = |x: Ref, y: Ref| fields(cx, buf, x, y);
    match i.op {
        IrOp::ARef | IrOp::ATRef => {
            let (f, g) = (form(buf, i.b), form(buf, j.b));
            if f.base == g.base && f.neg == g.neg && f.c != g.c {
                // Different slots, whatever the run.
                return Alias::No;
            }
            match objects(i.a, j.a) {
                Alias::Must if i.b == j.b => Alias::Must,
                Alias::Must => Alias::May,
                r => r,
            }
        }
        // Slot numbers are offsets in the run, different ones never overlap.
        IrOp::HRef | IrOp::HTRef | IrOp::FRef | IrOp::UpAddr => {
            if i.b != j.b {
                Alias::No
            } else {
                objects(i.a, j.a)
            }
        }
        IrOp::XRef => {
            if i.a == j.a {
                let apart = i.b.0.abs_diff(j.b.0);
                match apart {
                    0 => Alias::Must,
                    1..8 => Alias::May,
                    _ => Alias::No,
                }
            } else {
                Alias::May
            }
        }
        _ => objects(i.a, j.a),
    }
}

/// An instruction that may change what a load finds.
pub fn changes_memory(i: &Ins) -> bool {
    use IrOp::*;
    match i.op {
        Call => true,
        op => op.class() == Class::S || matches!(op, RetF | Poll),
    }
}

/// The instruction `s` may change what the load `i`, which reads `mem`, finds: as in `super::memory`, from the other end. In doubt it does.
pub fn may_change(cx: &OptCx, buf: &IrBuf, s: &Ins, i: &Ins, mem: Mem) -> bool {
    use IrOp::*;
    let same = |op: IrOp| i.op == op && addresses(cx, buf, s.a, i.a) != Alias::No;
    match s.op {
        Call => kills(effect_of(s), mem),
        XOpQ => quiet_kills(mem),
        Poll | Bar => mem == Mem::Field(FactKind::Collector),
        SSt => i.op == SLoad && s.a == i.a,
        SStT | SStW => i.op == SLoadT && s.a == i.a,
        FSt => {
            let f = buf.at(s.a);
            i.op == FLd && f.b == i.b && fields(cx, buf, f.a, i.a) != Alias::No
        }
        StV => same(LdV),
        StB => same(LdB),
        StW => same(LdW),
        _ => true,
    }
}

/// Relation of a field of `x` and the same field of `y`.
pub fn fields(cx: &OptCx, buf: &IrBuf, x: Ref, y: Ref) -> Alias {
    if x == y {
        Alias::Must
    } else if distinct(cx, buf, x, y) {
        Alias::No
    } else {
        Alias::May
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule C as a table: what each effect kills.
    #[test]
    fn effects() {
        use FactKind::*;
        let all = [
            Mem::Slot,
            Mem::Table,
            Mem::Cell,
            Mem::Private,
            Mem::Upvalue,
            Mem::Field(Eternal),
            Mem::Field(Structure),
            Mem::Field(Length),
            Mem::Field(Collector),
            Mem::Field(Memory),
            Mem::Any,
        ];
        let killed = |e: Effect| -> Vec<Mem> { all.into_iter().filter(|&m| kills(e, m)).collect() };
        assert_eq!(killed(Effect::PURE), []);
        assert_eq!(killed(Effect::READS), []);
        assert_eq!(killed(Effect::READS_KEYS), []);
        assert_eq!(killed(Effect::THROWS), []);
        assert_eq!(killed(Effect::ALLOCATES), [Mem::Field(Collector)]);
        assert_eq!(
            killed(Effect::WRITES),
            [
                Mem::Table,
                Mem::Field(Collector),
                Mem::Field(Memory),
                Mem::Any
            ]
        );
        assert_eq!(
            killed(Effect::LENGTH),
            [Mem::Field(Length), Mem::Field(Memory), Mem::Any]
        );
        assert_eq!(
            killed(Effect::RESHAPES),
            [
                Mem::Field(Structure),
                Mem::Field(Length),
                Mem::Field(Collector),
                Mem::Field(Memory),
                Mem::Any
            ]
        );
        assert_eq!(
            killed(Effect::RUNS_LUA).len(),
            all.len() - 2,
            "all but eternal facts and fresh closures"
        );
    }
}
