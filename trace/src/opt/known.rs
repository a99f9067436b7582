//! What a trace has proved where it is left, for the side traces that begin there.
//!
//! A side trace begins with the guards of its parent that hold at the exit, as instructions without code: they prove what the side trace asks again, and the rest of
//! the optimiser, which knows nothing of them, sees to it that what they say of memory is believed only as long as nothing changes it. Before machine code is made
//! they are removed; what they refer to goes with them, unless the trace uses it itself.
//!
//! - A guard is about *expressions*: constants, values, and what is computed or loaded from these. At an exit an expression can be had again if it is the value of
//!   a slot there, or if it can be computed from others that can be had.
//! - A *load* can be done again as long as nothing may have changed the place since ([`alias::may_change`]). In a loop that is every instruction of
//!   the body for what the first part has loaded (a POLL stores the slots of its snapshot when the collector works); and if others may enter the body, the place has to be one that they have to leave alone ([`Reentry`]).
//! - *Carried values* have other contents in each iteration. What the first part has proved of them is forgotten at LOOP.
//! - An exit stands for all guards that share its snapshot, so it knows what has been proved before the first of them.
//!
//! What side traces inherit themselves is among the guards of their IR, and so passed on.

mod pack;

use crate::ir::{
    Class, FactKind, FieldId, Ins, IrBuf, IrOp, Konst, Mode, REF_NONE, Ref, SnapEntry, Ty,
};

use super::alias::{self, Mem};
use super::reentry::Reentry;
use super::{OptCx, Passes, facts, memory};

pub use pack::Packed;

/// Most guards that are kept of a trace: the last ones.
const MOST: usize = 64;
/// A guard, or what it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Node {
    /// NOP: it can only be had as the value of a slot.
    pub op: IrOp,
    /// As in the IR.
    pub ty: Ty,
    /// As in the IR; refs name nodes, and the constants of [`Known`].
    pub a: Ref,
    /// The same.
    pub b: Ref,
    /// First exit at which it holds (guards; others stand before those that need them).
    pub from: u16,
    /// The exit at which that ends, or from which on it cannot be loaded again.
    pub until: u16,
}

/// A node that is the value of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// Its index.
    pub node: u16,
    /// The slot, relative to BASE at the exit.
    pub slot: i16,
    /// It is the tag there, not the payload.
    pub tag: bool,
    /// The first exit at which that is so.
    pub from: u16,
    /// The exit at which that ends.
    pub until: u16,
}

/// What is known at the exits of a trace, which it numbers as its snapshots.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Known {
    /// Number of exits.
    pub exits: u16,
    /// Operands stand before what is computed from them.
    pub nodes: Box<[Node]>,
    /// In order of their first exits.
    pub leaves: Box<[Leaf]>,
    /// What constant refs name.
    pub konsts: Box<[Konst]>,
}

/// Something that has been proved, or that this is about.
#[derive(Clone, Copy, Debug)]
struct Item {
    at: Ref,
    ins: Ins,
    /// It holds, or can be computed, up to here. None: it cannot be computed.
    end: Ref,
}

/// What a trace has proved, before dead code is removed.
#[derive(Default)]
pub struct Proved {
    items: Vec<Item>,
    /// By instruction: 1 more than the number of its item; 0: it has none.
    numbers: Vec<u16>,
}

fn is_kept(i: &Ins) -> bool {
    use IrOp::*;
    match i.op {
        TEq | TNe | TFalsy | TTruthy | BitsZ | BitsNz => true,
        Eq | Ne | Lt | Ge | Le | Gt | Ult | Uge | Ule | Ugt => i.ty != Ty::Float,
        _ => false,
    }
}

/// A side trace may do it once more.
fn is_again(i: &Ins) -> bool {
    use IrOp::*;
    match i.op {
        SLoad | SLoadT | LdV | LdB | LdW => true,
        // an exit to the interpreter changes the depth, a side trace in its place does not
        FLd if alias::field(i.b) == Some(FieldId::ThreadPcalls) => false,
        FLd => alias::field(i.b).is_some_and(|f| {
            use FactKind::*;
            matches!(f.info().kind, Eternal | Structure | Length)
        }),
        ARef | ATRef | HRef | HTRef | CRef | CTRef | ERef | ETRef => true,
        Add | Sub | And | Or | Shl | Shr | Sar | Not | Cast | UpRef | NUpv => true,
        _ => false,
    }
}

/// Instructions and constants that it refers to.
fn operands(i: &Ins) -> impl Iterator<Item = Ref> + use<> {
    let [ma, mb] = i.op.modes();
    [(ma, i.a), (mb, i.b)]
        .into_iter()
        .filter(|&(m, r)| matches!(m, Mode::Ref | Mode::Const) && !r.is_none())
        .map(|(_, r)| r)
}

/// What the recording `buf` has proved. `entry`: if others may enter the body of its loop, what they leave alone.
pub fn proved(cx: &OptCx, buf: &IrBuf, entry: Option<&Reentry>) -> Proved {
    if !cx.passes.has(Passes::INHERIT) {
        return Proved::default();
    }
    let changes: Vec<Ref> = (1..buf.len())
        .filter(|&n| alias::changes_memory(&buf.ins[n]))
        .map(Ref::from_ins)
        .collect();
    let ends = Ends {
        cx,
        buf,
        changes,
        entry,
    };
    let carried = carried(buf);
    let mut needed = vec![false; buf.len()];
    let mut guards = 0;
    for n in (1..buf.len()).rev() {
        let i = &buf.ins[n];
        if is_kept(i) && guards < MOST {
            guards += 1;
            needed[n] = true;
        }
        if needed[n] && (is_kept(i) || is_again(i)) {
            let of = operands(i).filter(|o| o.is_ins());
            of.for_each(|o| needed[o.ins_index()] = true);
        }
    }
    let mut numbers = vec![0; buf.len()];
    let mut items = Vec::with_capacity(buf.len() / 2);
    for n in (1..buf.len()).filter(|&n| needed[n]) {
        let (at, ins) = (Ref::from_ins(n), buf.ins[n]);
        let end = match () {
            _ if is_again(&ins) => ends.of(at),
            _ if !is_kept(&ins) => REF_NONE,
            _ if carried[n] && at < buf.loop_ref => buf.loop_ref,
            _ => buf.next(),
        };
        items.push(Item { at, ins, end });
        numbers[n] = items.len() as u16;
    }
    Proved { items, numbers }
}

/// By instruction: it stands for another value in each iteration, or is computed from such values.
fn carried(buf: &IrBuf) -> Vec<bool> {
    let mut is = vec![false; buf.len()];
    let mut phi = buf.last(IrOp::Phi);
    if phi.is_none() {
        return is;
    }
    while !phi.is_none() {
        let i = buf.at(phi);
        if i.op == IrOp::Phi {
            is[i.a.ins_index()] = true;
        }
        phi = i.prev;
    }
    for (n, i) in buf.ins.iter().enumerate() {
        if is_again(i) || is_kept(i) {
            let of_carried = |o: Ref| o.is_ins() && is[o.ins_index()];
            is[n] = is[n] || operands(i).any(of_carried);
        }
    }
    is
}

struct Ends<'a> {
    cx: &'a OptCx,
    buf: &'a IrBuf,
    /// What may change memory.
    changes: Vec<Ref>,
    entry: Option<&'a Reentry>,
}

impl Ends<'_> {
    /// Where the instruction `r` cannot be computed again any more.
    fn of(&self, r: Ref) -> Ref {
        let (buf, i, never) = (self.buf, self.buf.at(r), self.buf.next());
        if i.op.class() != Class::L {
            return never;
        }
        let mem = memory::mem_of_load(buf, &i);
        if mem == Mem::Field(FactKind::Eternal) {
            return never;
        }
        let later = self.changes.partition_point(|&c| c <= r);
        let change = self.changes[later..]
            .iter()
            .copied()
            .find(|&c| match buf.at(c).op {
                IrOp::Poll if mem == Mem::Slot => self.writes_back(c, i.slot()),
                _ => alias::may_change(self.cx, buf, &buf.at(c), &i, mem),
            });
        let end = change.unwrap_or(never);
        if r < buf.loop_ref && end > buf.loop_ref {
            // in each iteration, whoever has entered it
            let left_alone = self.entry.is_none_or(|e| e.keeps(buf, &i));
            if change.is_some() || !left_alone {
                return buf.loop_ref;
            }
        }
        end
    }

    /// The POLL `r` may store this slot, when it has the collector work, and go on.
    fn writes_back(&self, r: Ref, slot: i16) -> bool {
        let snap = self.buf.snap_of(r);
        snap.is_none_or(|n| self.buf.snap_entries(n).iter().any(|e| e.slot == slot))
    }
}

impl Proved {
    /// The same by exits, as the finished trace `buf` has them.
    pub fn at_exits(self, buf: &IrBuf) -> Known {
        // by instruction the exits at or before it
        let mut numbers = Vec::with_capacity(buf.len() + 1);
        for (n, s) in (0..).zip(&buf.snaps) {
            numbers.resize(s.first.ins_index().max(numbers.len()), n);
        }
        numbers.resize(buf.len() + 1, buf.snaps.len() as u16);
        let exit = |r: Ref| numbers[r.ins_index()];
        let items = &self.items;
        let leaves = self.leaves(buf);
        // exits at which a node may be had, at most
        let mut spans = vec![(u16::MAX, 0); items.len()];
        for l in &leaves {
            let s: &mut (u16, u16) = &mut spans[l.node as usize];
            *s = (s.0.min(l.from), s.1.max(l.until));
        }
        let mut used = vec![false; items.len()];
        for (n, i) in items.iter().enumerate() {
            if i.end.is_none() {
                continue;
            }
            let mut span = (exit(i.at), exit(i.end));
            for k in self.nodes_of(&i.ins) {
                span = (span.0.max(spans[k].0), span.1.min(spans[k].1));
            }
            if span.0 < span.1 {
                spans[n] = (spans[n].0.min(span.0), spans[n].1.max(span.1));
                used[n] = i.ins.op.is_guard();
            }
        }
        for (n, i) in items.iter().enumerate().rev() {
            if used[n] && !i.end.is_none() {
                self.nodes_of(&i.ins).for_each(|k| used[k] = true);
            }
        }
        self.pack(buf, &used, &leaves, &exit)
    }

    fn node(&self, r: Ref) -> Option<usize> {
        let n = self.numbers.get(r.ins_index()).copied();
        n.unwrap_or(0).checked_sub(1).map(usize::from)
    }

    /// The nodes that `i` refers to, if it is to be computed.
    fn nodes_of(&self, i: &Ins) -> impl Iterator<Item = usize> {
        operands(i)
            .filter(|o| o.is_ins())
            .filter_map(|o| self.node(o))
    }

    /// Which nodes are values of slots, and at which exits.
    fn leaves(&self, buf: &IrBuf) -> Vec<Leaf> {
        let mut all: Vec<Leaf> = Vec::new();
        // by node its youngest leaf, by leaf the one before of the same node: 1 more than the index
        let mut last = vec![0; self.items.len()];
        let mut before: Vec<usize> = Vec::new();
        // of the exit before: its slots, and their leaves
        let (mut slots, mut its): (&[SnapEntry], Vec<[usize; 2]>) = (&[], Vec::new());
        for (exit, s) in (0..).zip(&buf.snaps) {
            let entries = &buf.entries[s.start as usize..s.end as usize];
            let same = slots.iter().zip(entries).take_while(|(a, b)| a == b);
            let same = same.count();
            its.truncate(same);
            for l in its.iter().flatten().filter(|l| **l != 0) {
                all[l - 1].until += 1;
            }
            for e in &entries[same..] {
                let mut leaf = |r: Ref, tag: bool| {
                    let n = Some(r).filter(|r| r.is_ins()).and_then(|r| self.node(r));
                    let Some(n) = n else { return 0 };
                    let mut l: usize = last[n];
                    while l != 0 && (all[l - 1].slot, all[l - 1].tag) != (e.slot, tag) {
                        l = before[l - 1];
                    }
                    if l != 0 && all[l - 1].until == exit {
                        all[l - 1].until += 1;
                        return l;
                    }
                    before.push(last[n]);
                    all.push(Leaf {
                        node: n as u16,
                        slot: e.slot,
                        tag,
                        from: exit,
                        until: exit + 1,
                    });
                    last[n] = all.len();
                    last[n]
                };
                its.push([leaf(e.val, false), leaf(e.tag, true)]);
            }
            slots = entries;
        }
        all
    }

    fn pack(
        &self,
        buf: &IrBuf,
        used: &[bool],
        leaves: &[Leaf],
        exit: &dyn Fn(Ref) -> u16,
    ) -> Known {
        let exits = buf.snaps.len() as u16;
        let mut new = vec![0; used.len()];
        let mut nodes: Vec<Node> = Vec::new();
        let mut konsts: Vec<Konst> = Vec::new();
        for (n, i) in self.items.iter().enumerate().filter(|(n, _)| used[*n]) {
            new[n] = nodes.len();
            let mut operand = |m: Mode, o: Ref| match m {
                Mode::Ref | Mode::Const => match buf.konst(o) {
                    Some(k) => {
                        let at = konsts.iter().position(|c| *c == k);
                        Ref::from_const(at.unwrap_or_else(|| {
                            konsts.push(k);
                            konsts.len() - 1
                        }))
                    }
                    None => Ref::from_ins(self.node(o).map_or(0, |k| new[k])),
                },
                _ => o,
            };
            let [ma, mb] = i.ins.op.modes();
            // a payload's type may have been found out later
            let is = buf.at(i.at);
            let ty = if is.op == i.ins.op { is.ty } else { i.ins.ty };
            let can = !i.end.is_none();
            let guard = i.ins.op.is_guard();
            nodes.push(Node {
                op: if can { i.ins.op } else { IrOp::Nop },
                ty,
                a: if can { operand(ma, i.ins.a) } else { REF_NONE },
                b: if can { operand(mb, i.ins.b) } else { REF_NONE },
                from: if guard { exit(i.at) } else { 0 },
                until: if can { exit(i.end) } else { exits },
            });
        }
        let kept = leaves.iter().filter(|l| used[l.node as usize]);
        let leaves = kept.map(|l| Leaf {
            node: new[l.node as usize] as u16,
            ..*l
        });
        Known {
            exits,
            nodes: nodes.into(),
            leaves: leaves.collect(),
            konsts: konsts.into(),
        }
    }
}

impl Known {
    /// The slots of which the node is the value at this exit; the tag, or the payload.
    pub fn slots_of(&self, node: usize, exit: u16) -> impl Iterator<Item = (i16, bool)> {
        let here =
            move |l: &&Leaf| usize::from(l.node) == node && (l.from..l.until).contains(&exit);
        self.leaves.iter().filter(here).map(|l| (l.slot, l.tag))
    }
}

impl OptCx {
    /// The guard `i` is known to hold.
    pub fn know(&mut self, buf: &mut IrBuf, i: Ins) {
        let asks = i.a.is_ins() || i.b.is_ins() && i.op.modes()[1] == Mode::Ref;
        if asks && facts::decide(self, buf, i).is_none() && buf.len() < self.max_ins {
            buf.push(i);
        }
    }
}

/// Removes the guards of `buf` before `end`: they are known to hold.
pub fn forget(buf: &mut IrBuf, end: Ref) {
    for n in 1..end.ins_index() {
        if buf.ins[n].op.is_guard() {
            buf.kill(Ref::from_ins(n));
        }
    }
}
