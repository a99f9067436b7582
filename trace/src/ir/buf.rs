//! The buffer of a trace that is being built: instructions, constants, snapshots.

use std::cell::RefCell;

use rustc_hash::FxHashMap;

use traceorus_base::Tag;
use traceorus_base::objects::{Cell, LuaClosure, Table};

use super::{Ins, IrOp, Konst, REF_NONE, Ref, Ty};

/// Number of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SnapNo(pub u16);

/// A slot in a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapEntry {
    /// Slot number, relative to the trace's BASE as it is at the snapshot.
    pub slot: i16,
    /// Payload (none for nil, true, false).
    pub val: Ref,
    /// Tag: a constant of type Tag, an instruction of type Tag, or a ref of type Word (a frame word: 64 bits).
    pub tag: Ref,
}

/// How far a recording has come.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytecode instructions that are complete.
    pub instructions: u32,
    /// Guards asked for.
    pub guards: u32,
}

/// State of the interpreter at a bytecode boundary.
#[derive(Clone, Debug, PartialEq)]
pub struct Snap {
    /// First instruction that it serves.
    pub first: Ref,
    /// Range of its entries in `IrBuf::entries`.
    pub start: u32,
    /// End of the range.
    pub end: u32,
    /// Address of the instruction to go on at.
    pub pc: u64,
    /// Slots from BASE to the base of the running frame.
    pub base: i16,
    /// Slots from BASE to the end of what is alive: slots from here on are dead and not restored.
    pub live: i16,
    /// `Thread::top` in slots from BASE, if the instruction at pc reads it (multiple results), else -32768.
    pub top: i16,
    /// What `Thread::pcall_depth` has grown by since the trace was entered.
    pub pcalls: u16,
    /// It serves one guard, which decides where a branch goes, and describes where that goes if the guard does not hold: the branch is complete.
    pub decided: bool,
    /// Its guards are questions that the program itself asks: the one above, which type a value has (`type`), whether two values are equal.
    pub asked: bool,
    /// What the recording has done before it.
    pub done: Progress,
}

impl Snap {
    /// No top.
    pub const NO_TOP: i16 = i16::MIN;
}

/// What a slot holds where a trace is entered. Whoever enters without having proved that finds it checked in front of everything else; snapshot 0 serves these checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryCheck {
    /// Its tag is this one.
    Tag(i16, Tag),
    /// Its payload has these bits.
    Bits(i16, u64),
}

/// An end of a buffer that it can be set back to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    ins: Ref,
    snaps: usize,
    entries: usize,
}

impl Mark {
    /// The instruction that came next.
    pub fn end(self) -> Ref {
        self.ins
    }
}

/// Part of an object that a snapshot rebuilds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Slot of the fields run.
    Slot(u16),
    /// Slot of the inline array part.
    Elem(u16),
    /// The value in a cell.
    Cell,
    /// Upvalue of a closure: the cell; no tag.
    Upvalue(u16),
    /// A field of the object (number of a `FieldId`); no tag.
    Field(u16),
}

/// Contents of a part of a sunk object at a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filling {
    /// Which part.
    pub part: Part,
    /// Payload (none for nil, true, false); may be a sunk object itself.
    pub val: Ref,
    /// Tag (none if the part has none).
    pub tag: Ref,
}

/// Contents of a sunk object at a snapshot. Parts that are not mentioned are as the allocation leaves them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// The snapshot.
    pub snap: SnapNo,
    /// The object: a SUNK instruction.
    pub object: Ref,
    /// Range in `IrBuf::fillings`.
    pub start: u32,
    /// End of the range.
    pub end: u32,
}

/// What [`IrBuf::first_since`] knows of an instruction, by indexes of others.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    /// What was found, 0: nothing.
    found: u32,
    /// Nothing else is to be found before this.
    seen: u32,
}

/// A trace's IR.
#[derive(Clone, Debug)]
pub struct IrBuf {
    /// Instructions; the first is BASE.
    pub ins: Vec<Ins>,
    /// Constants.
    pub konsts: Vec<Konst>,
    /// Snapshots, in order.
    pub snaps: Vec<Snap>,
    /// Their entries.
    pub entries: Vec<SnapEntry>,
    /// Types of inherited values, by PVAL number.
    pub pvals: Vec<Ty>,
    /// Allocations that were sunk, as they were (TNEW, TARR, CNEW, FNEW), by SUNK number.
    pub objects: Vec<Ins>,
    /// What the sunk objects contain that a snapshot names, directly or in another object: by snapshot, then by object.
    pub recipes: Vec<Recipe>,
    /// Contents of the recipes.
    pub fillings: Vec<Filling>,
    /// What is checked at the entry (`opt::entry`).
    pub entry: Vec<EntryCheck>,
    /// Values that the end of the trace takes along into the body of a loop.
    pub taken: Vec<Ref>,
    /// The LOOP instruction, if there is one.
    pub loop_ref: Ref,
    /// What the recording has done at its end.
    pub done: Progress,
    /// The same at the beginning of the iteration that is the model of the loop's body.
    pub done_before_body: Progress,
    /// Ids of shapes by address, as far as they are known.
    pub shape_ids: FxHashMap<u64, u32>,
    /// By index of instruction: the ADD of a small constant that only addresses of elements use, and which is therefore computed
    /// by them (`opt::finish`).
    pub in_addresses: Vec<bool>,
    kmap: FxHashMap<Konst, Ref>,
    /// By instruction: see [`IrBuf::first_since`].
    firsts: RefCell<Vec<First>>,
    chain: [Ref; IrOp::ALL.len()],
}

impl Default for IrBuf {
    fn default() -> IrBuf {
        IrBuf::new()
    }
}

impl IrBuf {
    /// An empty trace: BASE only.
    pub fn new() -> IrBuf {
        let mut b = IrBuf {
            ins: Vec::with_capacity(256),
            konsts: Vec::with_capacity(64),
            snaps: Vec::new(),
            entries: Vec::new(),
            pvals: Vec::new(),
            objects: Vec::new(),
            recipes: Vec::new(),
            fillings: Vec::new(),
            entry: Vec::new(),
            taken: Vec::new(),
            loop_ref: REF_NONE,
            done: Progress::default(),
            done_before_body: Progress::default(),
            shape_ids: FxHashMap::default(),
            kmap: FxHashMap::default(),
            firsts: RefCell::default(),
            in_addresses: Vec::new(),
            chain: [REF_NONE; IrOp::ALL.len()],
        };
        b.push(Ins::new(IrOp::Base, Ty::Void, REF_NONE, REF_NONE));
        b
    }
    /// Empties it, keeping the memory.
    pub fn clear(&mut self) {
        self.ins.clear();
        self.firsts.get_mut().clear();
        self.konsts.clear();
        self.snaps.clear();
        self.entries.clear();
        self.pvals.clear();
        self.objects.clear();
        self.recipes.clear();
        self.fillings.clear();
        self.entry.clear();
        self.taken.clear();
        self.loop_ref = REF_NONE;
        (self.done, self.done_before_body) = Default::default();
        self.shape_ids.clear();
        self.kmap.clear();
        self.in_addresses.clear();
        self.chain = [REF_NONE; IrOp::ALL.len()];
        self.push(Ins::new(IrOp::Base, Ty::Void, REF_NONE, REF_NONE));
    }
    /// The ref that the next instruction gets.
    #[inline]
    pub fn next(&self) -> Ref {
        Ref::from_ins(self.ins.len())
    }
    /// Appends an instruction as it is and links it into its op's chain. Passes emit through `opt::emit` instead.
    pub fn push(&mut self, mut i: Ins) -> Ref {
        let r = self.next();
        i.prev = self.chain[i.op as usize];
        self.chain[i.op as usize] = r;
        self.ins.push(i);
        r
    }
    /// Last instruction with this op (none: `REF_NONE`).
    #[inline]
    pub fn last(&self, op: IrOp) -> Ref {
        self.chain[op as usize]
    }
    /// Removes the instructions from `to` on, and snapshots that serve only those.
    pub fn truncate(&mut self, to: Ref) {
        self.unlink(to);
        while self.snaps.last().is_some_and(|s| s.first >= to) {
            let s = self.snaps.pop().expect("there");
            self.entries.truncate(s.start as usize);
        }
    }
    /// The present end, for [`IrBuf::rollback`].
    pub fn mark(&self) -> Mark {
        Mark {
            ins: self.next(),
            snaps: self.snaps.len(),
            entries: self.entries.len(),
        }
    }
    /// Removes what has been appended since `to`, except constants. What was changed in place stays changed.
    pub fn rollback(&mut self, to: Mark) {
        self.unlink(to.ins);
        self.snaps.truncate(to.snaps);
        self.entries.truncate(to.entries);
    }
    fn unlink(&mut self, to: Ref) {
        // Killed instructions are still in the chain of their former op: look at the chains, not at the ops.
        for c in &mut self.chain {
            while *c >= to {
                *c = self.ins[c.ins_index()].prev;
            }
        }
        self.ins.truncate(to.ins_index());
        self.firsts.get_mut().clear();
        if self.loop_ref >= to {
            self.loop_ref = REF_NONE;
        }
    }
    /// The first instruction after `r` for which `holds`, which is always the same question for the same `r`. What has been looked
    /// at once is not looked at again, unless what was found there has been removed since.
    pub fn first_since(&self, r: Ref, holds: impl Fn(&Ins) -> bool) -> Option<Ref> {
        let n = r.ins_index();
        let mut firsts = self.firsts.borrow_mut();
        if firsts.len() <= n {
            firsts.resize(n + 1, First::default());
        }
        let f = &mut firsts[n];
        if f.found != 0 && !self.ins.get(f.found as usize).is_some_and(&holds) {
            *f = First::default();
        }
        if f.found == 0 {
            let from = (f.seen as usize).max(n + 1);
            let at = (from..self.ins.len()).find(|&n| holds(&self.ins[n]));
            f.found = at.unwrap_or(0) as u32;
            f.seen = self.ins.len() as u32;
        }
        (f.found != 0).then(|| Ref::from_ins(f.found as usize))
    }
    /// The instruction `r`.
    #[inline]
    pub fn at(&self, r: Ref) -> Ins {
        self.ins[r.ins_index()]
    }
    /// The instruction `r`, to be changed. The op must stay (chains), except to NOP by [`IrBuf::kill`].
    #[inline]
    pub fn at_mut(&mut self, r: Ref) -> &mut Ins {
        &mut self.ins[r.ins_index()]
    }
    /// Makes an instruction a NOP (it stays in its old chain; chain walkers compare the op).
    pub fn kill(&mut self, r: Ref) {
        let i = self.at_mut(r);
        i.op = IrOp::Nop;
        i.ty = Ty::Void;
        i.a = REF_NONE;
        i.b = REF_NONE;
    }
    /// Gives the guard `r` another op, and operands, in its place.
    pub fn change(&mut self, r: Ref, op: IrOp, a: Ref, b: Ref) {
        let prev = self.at(r).prev;
        let was = self.at(r).op;
        *self.link_to(was, r) = prev;
        let mut next = self.chain[op as usize];
        while next > r && self.at(next).prev > r {
            next = self.at(next).prev;
        }
        let link = match next > r {
            true => &mut self.ins[next.ins_index()].prev,
            false => &mut self.chain[op as usize],
        };
        let prev = std::mem::replace(link, r);
        *self.at_mut(r) = Ins {
            op,
            a,
            b,
            prev,
            ..self.at(r)
        };
    }
    /// What leads to `r` in the chain of `op`.
    fn link_to(&mut self, op: IrOp, r: Ref) -> &mut Ref {
        let mut next = self.chain[op as usize];
        if next == r {
            return &mut self.chain[op as usize];
        }
        while self.at(next).prev != r {
            next = self.at(next).prev;
        }
        &mut self.ins[next.ins_index()].prev
    }
    /// Makes the allocation `r` a SUNK instruction that charges its bytes.
    pub fn sink(&mut self, r: Ref) {
        let was = self.at(r);
        let number = self.objects.len() as u16;
        self.objects.push(was);
        let i = self.at_mut(r);
        i.op = IrOp::Sunk;
        i.a = Ref(number);
        i.b = Ref(bytes_of(was));
    }
    /// Type of an instruction or constant.
    #[inline]
    pub fn ty(&self, r: Ref) -> Ty {
        if r.is_ins() {
            self.at(r).ty
        } else if r.is_const() {
            self.konsts[r.const_index()].ty
        } else {
            Ty::Void
        }
    }
    /// The constant `r`, if it is one.
    #[inline]
    pub fn konst(&self, r: Ref) -> Option<Konst> {
        r.is_const().then(|| self.konsts[r.const_index()])
    }
    /// Interns a constant.
    pub fn k(&mut self, ty: Ty, bits: u64) -> Ref {
        let k = Konst { ty, bits };
        if let Some(&r) = self.kmap.get(&k) {
            return r;
        }
        let r = Ref::from_const(self.konsts.len());
        self.konsts.push(k);
        self.kmap.insert(k, r);
        r
    }
    /// Integer constant.
    pub fn k_int(&mut self, i: i64) -> Ref {
        self.k(Ty::Int, i as u64)
    }
    /// Float constant.
    pub fn k_float(&mut self, f: f64) -> Ref {
        self.k(Ty::Float, f.to_bits())
    }
    /// Tag constant.
    pub fn k_tag(&mut self, t: Tag) -> Ref {
        self.k(Ty::Tag, t.0 as i64 as u64)
    }
    /// Address constant.
    pub fn k_ptr(&mut self, p: u64) -> Ref {
        self.k(Ty::Ptr, p)
    }
    /// Value of an integer constant.
    pub fn int(&self, r: Ref) -> Option<i64> {
        match self.konst(r) {
            Some(Konst { ty: Ty::Int, bits }) => Some(bits as i64),
            _ => None,
        }
    }
    /// Value of a float constant.
    pub fn float(&self, r: Ref) -> Option<f64> {
        match self.konst(r) {
            Some(Konst {
                ty: Ty::Float,
                bits,
            }) => Some(f64::from_bits(bits)),
            _ => None,
        }
    }
    /// Value of a tag constant.
    pub fn tag(&self, r: Ref) -> Option<Tag> {
        match self.konst(r) {
            Some(Konst { ty: Ty::Tag, bits }) => Some(Tag(bits as i32)),
            _ => None,
        }
    }
    /// Entries of a snapshot.
    pub fn snap_entries(&self, n: SnapNo) -> &[SnapEntry] {
        let s = &self.snaps[n.0 as usize];
        &self.entries[s.start as usize..s.end as usize]
    }
    /// The instructions that the snapshot serves: from its first to the next one's.
    pub fn snap_guards(&self, n: SnapNo) -> &[Ins] {
        let n = n.0 as usize;
        let next = self.snaps.get(n + 1);
        let end = next.map_or(self.len(), |s| s.first.ins_index());
        &self.ins[self.snaps[n].first.ins_index().min(end)..end]
    }
    /// The objects that the snapshot rebuilds.
    pub fn snap_recipes(&self, n: SnapNo) -> &[Recipe] {
        let start = self.recipes.partition_point(|r| r.snap < n);
        let end = self.recipes.partition_point(|r| r.snap <= n);
        &self.recipes[start..end]
    }
    /// Contents of a recipe.
    pub fn recipe_fillings(&self, r: &Recipe) -> &[Filling] {
        &self.fillings[r.start as usize..r.end as usize]
    }
    /// The snapshot that serves the guard `r`: the last one that begins at or before it.
    pub fn snap_of(&self, r: Ref) -> Option<SnapNo> {
        let n = self.snaps.partition_point(|s| s.first <= r);
        n.checked_sub(1).map(|n| SnapNo(n as u16))
    }
    /// Number of instructions, with BASE.
    pub fn len(&self) -> usize {
        self.ins.len()
    }
    /// Never.
    pub fn is_empty(&self) -> bool {
        self.ins.is_empty()
    }
}

/// Bytes that the allocation `i` takes.
fn bytes_of(i: Ins) -> u16 {
    let n = usize::from(i.lit_b());
    let bytes = match i.op {
        IrOp::CNew => size_of::<Cell>(),
        IrOp::FNew => LuaClosure::size_for(n),
        _ => Table::size_for(n.next_multiple_of(2)),
    };
    bytes as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chain of `op`, youngest first.
    fn chain(buf: &IrBuf, op: IrOp) -> Vec<usize> {
        let mut all = Vec::new();
        let mut r = buf.last(op);
        while !r.is_none() {
            assert_eq!(buf.at(r).op, op);
            all.push(r.ins_index());
            r = buf.at(r).prev;
        }
        all
    }

    #[test]
    fn a_changed_guard_changes_chains() {
        use IrOp::*;
        for change in [2, 4, 6] {
            let mut buf = IrBuf::new();
            let tag = buf.push(Ins::new(SLoadT, Ty::Tag, REF_NONE, REF_NONE));
            for op in [TNe, TEq, TNe, TEq, TNe] {
                buf.push(Ins::new(op, Ty::Tag, tag, REF_NONE));
            }
            buf.change(Ref::from_ins(change), TEq, tag, Ref(7));
            let is = |n: &usize| [3, 5, change].contains(n);
            let (same, other): (Vec<_>, Vec<_>) = (2..7).rev().partition(is);
            assert_eq!(chain(&buf, TEq), same);
            assert_eq!(chain(&buf, TNe), other);
            assert_eq!(buf.at(Ref::from_ins(change)).b, Ref(7));
            // the same op stays where it is
            buf.change(Ref::from_ins(change), TEq, tag, Ref(8));
            assert_eq!(chain(&buf, TEq), same);
        }
    }
}
