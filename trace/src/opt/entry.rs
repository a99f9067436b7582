//! Checks of slots move to the entry of a trace, where those who enter from other traces may leave them out.
//!
//! A root trace looks at the types of the slots that it uses, and at integers in them that are constants (the step of a loop). Other traces that end in its entry mostly know
//! these: they have stored the values. So the checks stand in front of all else, on memory, and there is a second entry behind them for traces that have proved them all.
//!
//! A guard may move if it is about what a slot has held where the trace was entered, and stands in front of the first branch: the trace is left before it has done
//! anything, where it would have been left later. Not guards about which function is called, or runs: the policy looks at where these are.

use crate::ir::{EntryCheck, IrBuf, IrOp, Ref, Snap, Ty};

use super::alias;
use crate::ir::Effect;

/// Moves the checks of the finished recording `buf`, whose entry is at `pc` with `live` slots.
pub fn gather(buf: &mut IrBuf, pc: u64, live: i16) {
    use IrOp::*;
    let branch = buf.snaps.iter().find(|s| s.decided || s.asked);
    let end = branch.map_or(buf.len(), |s| s.first.ins_index());
    let mut written = Vec::new();
    for n in 1..end {
        let i = buf.ins[n];
        let load = |op: IrOp| Some(i.a).filter(|&a| a.is_ins() && buf.at(a).op == op);
        let check = match i.op {
            // slots may change, or are numbered otherwise from here on
            Loop | XOp | XOpQ | XOpR | RetF | CoEnter | CoLeave => break,
            Call if alias::effect_of(&i).has(Effect::RUNS_LUA) => break,
            SSt | SStT | SStW => {
                written.push(i.slot());
                None
            }
            TEq => load(SLoadT).map(|a| {
                let tag = traceorus_base::Tag(i32::from(i.b.0 as i16));
                EntryCheck::Tag(buf.at(a).slot(), tag)
            }),
            Eq if i.ty == Ty::Int => load(SLoad).and_then(|a| {
                let k = buf.konst(i.b)?;
                Some(EntryCheck::Bits(buf.at(a).slot(), k.bits))
            }),
            _ => None,
        };
        if let Some(c) = check
            && !written.contains(&c.slot())
        {
            buf.entry.push(c);
            buf.kill(Ref::from_ins(n));
        }
    }
    if !buf.entry.is_empty() {
        let snap = Snap {
            first: Ref::from_ins(1),
            start: 0,
            end: 0,
            pc,
            base: 0,
            live,
            top: Snap::NO_TOP,
            pcalls: 0,
            decided: false,
            asked: false,
            done: Default::default(),
        };
        buf.snaps.insert(0, snap);
    }
}

impl EntryCheck {
    /// The slot.
    pub fn slot(self) -> i16 {
        match self {
            EntryCheck::Tag(slot, _) | EntryCheck::Bits(slot, _) => slot,
        }
    }
}
