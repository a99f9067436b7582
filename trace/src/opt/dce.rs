//! Dead code, and everything else that comes after the loop.
//!
//! Marks from what must stay (guards with their snapshots, stores, calls, helpers) back to operands. A PHI stays if the body uses its carried
//! value, directly or through another PHI that stays; one that only feeds itself goes. Inherited values stay as they are. Snapshots that serve no
//! instruction any more are removed, except the last one of a trace without loop (it describes the trace's end). A dead allocation becomes a
//! SUNK that nothing names: its bytes are still charged, as a program may wait for the collector (RULES_RUNTIME 4).

use crate::ir::{Class, Ins, IrBuf, IrOp, Mode, REF_NONE, Ref, SnapNo, Ty};

use super::{OptCx, Passes, sink};

/// Finishes a trace: after this the back end may have it.
pub fn finish(cx: &mut OptCx, buf: &mut IrBuf) {
    if cx.passes.has(Passes::DCE) {
        dead_code(cx, buf);
    }
    unused_snapshots(buf);
    if cx.rebuilds
        && cx.passes.has(Passes::SINK)
        && sink::sink(cx, buf)
        && cx.passes.has(Passes::DCE)
    {
        dead_code(cx, buf);
    }
    charges(buf);
    in_addresses(buf);
}

/// Finds the sums that are parts of addresses and nothing else.
fn in_addresses(buf: &mut IrBuf) {
    let mut is: Vec<bool> = buf
        .ins
        .iter()
        .map(|i| {
            let small = |k: i64| (-(1 << 24)..1 << 24).contains(&k);
            i.op == IrOp::Add && i.ty == Ty::Int && i.a.is_ins() && buf.int(i.b).is_some_and(small)
        })
        .collect();
    let mut other_use = |r: Ref| {
        if r.is_ins() {
            is[r.ins_index()] = false;
        }
    };
    for i in &buf.ins {
        let [ma, mb] = i.op.modes();
        if ma == Mode::Ref {
            other_use(i.a);
        }
        if mb == Mode::Ref && !matches!(i.op, IrOp::ARef | IrOp::ATRef) {
            other_use(i.b);
        }
    }
    for e in &buf.entries {
        other_use(e.val);
        other_use(e.tag);
    }
    for f in &buf.fillings {
        other_use(f.val);
        other_use(f.tag);
    }
    for &r in &buf.taken {
        other_use(r);
    }
    buf.in_addresses = is;
}

/// Allocations that were removed are charged once in each part of the trace: at the first one.
fn charges(buf: &mut IrBuf) {
    let mut first = REF_NONE;
    for n in 1..buf.len() {
        let i = buf.ins[n];
        match i.op {
            IrOp::Loop => first = REF_NONE,
            IrOp::Sunk if first.is_none() => first = Ref::from_ins(n),
            IrOp::Sunk => {
                let sum = buf.at(first).lit_b().saturating_add(i.lit_b());
                buf.at_mut(first).b = Ref(sum);
                buf.ins[n].b = Ref(0);
            }
            _ => {}
        }
    }
}

struct Marks<'a> {
    buf: &'a IrBuf,
    live: Vec<bool>,
    /// Values of the first part that the body uses.
    carried: Vec<bool>,
    /// Instructions whose operands are to be marked, and whether the use is in the body.
    work: Vec<(Ref, bool)>,
}

impl Marks<'_> {
    fn value(&mut self, r: Ref, in_body: bool) {
        if !r.is_ins() {
            return;
        }
        let n = r.ins_index();
        let before_loop = !self.buf.loop_ref.is_none() && r < self.buf.loop_ref;
        if in_body && before_loop && !self.carried[n] {
            self.carried[n] = true;
            self.live[n] = true;
            self.work.push((r, true));
        } else if !self.live[n] {
            self.live[n] = true;
            self.work.push((r, in_body && !before_loop));
        }
    }
    fn operands(&mut self, i: Ins, in_body: bool) {
        let [ma, mb] = i.op.modes();
        if ma == Mode::Ref {
            self.value(i.a, in_body);
        }
        if mb == Mode::Ref {
            self.value(i.b, in_body);
        }
    }
    fn run(&mut self) {
        while let Some((r, in_body)) = self.work.pop() {
            let i = self.buf.at(r);
            // The operands of an address or list count where it is used, those of a value where it is computed.
            let here = i.op.class() == Class::R || i.op == IrOp::CArg;
            let in_loop = !self.buf.loop_ref.is_none() && r > self.buf.loop_ref;
            self.operands(i, if here { in_body } else { in_loop });
        }
    }
}

fn dead_code(cx: &mut OptCx, buf: &mut IrBuf) {
    let n = buf.len();
    let mut m = Marks {
        buf,
        live: vec![false; n],
        carried: vec![false; n],
        work: Vec::new(),
    };
    let mut phis = Vec::new();
    for k in 0..n {
        let i = m.buf.ins[k];
        let r = Ref::from_ins(k);
        let in_body = !m.buf.loop_ref.is_none() && r > m.buf.loop_ref;
        match i.op.class() {
            _ if i.op == IrOp::Phi => phis.push(r),
            Class::G | Class::C | Class::S => {
                m.live[k] = true;
                m.operands(i, in_body);
            }
            _ if i.op == IrOp::Sunk => m.live[k] = i.lit_b() != 0,
            Class::X if !matches!(i.op, IrOp::Copy | IrOp::CArg | IrOp::Nop) => m.live[k] = true,
            _ => {}
        }
    }
    for &r in &m.buf.taken {
        m.value(r, false);
    }
    for (k, s) in m.buf.snaps.iter().enumerate() {
        if serves(m.buf, k) {
            let in_body = !m.buf.loop_ref.is_none() && s.first > m.buf.loop_ref;
            for e in &m.buf.entries[s.start as usize..s.end as usize] {
                m.value(e.val, in_body);
                m.value(e.tag, in_body);
            }
            for r in m.buf.snap_recipes(SnapNo(k as u16)) {
                for f in m.buf.recipe_fillings(r) {
                    m.value(f.val, in_body);
                    m.value(f.tag, in_body);
                }
            }
        }
    }
    m.run();
    // A PHI that turns out to be used makes its right side used.
    loop {
        let mut changed = false;
        phis.retain(|&p| {
            let i = m.buf.at(p);
            let used = m.carried[i.a.ins_index()];
            if used {
                m.live[p.ins_index()] = true;
                m.value(i.b, true);
                m.run();
                changed = true;
            }
            !used
        });
        if !changed {
            break;
        }
    }
    let live = m.live;
    for (k, live) in live.into_iter().enumerate().skip(1) {
        let r = Ref::from_ins(k);
        if !live && buf.at(r).op != IrOp::Nop {
            if buf.at(r).op.class() == Class::A {
                buf.sink(r);
            } else {
                buf.kill(r);
            }
            cx.stats.dead += 1;
        }
    }
}

/// The snapshot `k` serves a guard, or is the trace's end.
fn serves(buf: &IrBuf, k: usize) -> bool {
    let from = buf.snaps[k].first;
    let to = match buf.snaps.get(k + 1) {
        Some(next) => next.first,
        None if buf.loop_ref.is_none() => return true,
        None => buf.next(),
    };
    (from.ins_index()..to.ins_index()).any(|n| buf.ins[n].op.is_guard())
}

fn unused_snapshots(buf: &mut IrBuf) {
    let serves: Vec<bool> = (0..buf.snaps.len()).map(|k| serves(buf, k)).collect();
    let mut k = 0;
    let entry = !buf.entry.is_empty();
    buf.snaps.retain(|_| {
        k += 1;
        serves[k - 1] || k == 1 && entry
    });
}
