//! Random traces, before and after the optimiser, on the reference evaluator: same exit, same slots, same memory, same calls.
//!
//! The generator works like the recorder: it evaluates each instruction as it emits it, so that guards hold in the first iteration. In later ones
//! they may fail. The plain trace is run again and again from its beginning, with the carried slots stored between; the optimised one peels and loops.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use quickcheck::{Arbitrary, Gen, QuickCheck};
use traceorus_base::Tag;
use traceorus_trace::abort::Abort;
use traceorus_trace::ir::eval::{Machine, Observed, Place, Stop};
use traceorus_trace::ir::print::{Print, print};
use traceorus_trace::ir::verify::verify;
use traceorus_trace::ir::{FieldId, Ins, IrBuf, IrOp, Mode, REF_NONE, Ref, Snap, SnapEntry, Ty};
use traceorus_trace::opt::{Carried, OptCx, Passes, finish, peel};

const SLOTS: usize = 6;
/// Slots that hold tables, cells; not changed by most steps.
const FIRST_OBJECT_SLOT: usize = 4;

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    poll_exit: u32,
    steps: Vec<u8>,
}

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Case {
        let n = usize::arbitrary(g) % 200 + 12;
        Case {
            seed: u64::arbitrary(g),
            poll_exit: u32::arbitrary(g) % 6 + 1,
            steps: (0..n).map(|_| u8::arbitrary(g)).collect(),
        }
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Case>> {
        let c = self.clone();
        Box::new(
            self.steps
                .shrink()
                .map(move |steps| Case { steps, ..c.clone() }),
        )
    }
}

/// What a slot is known as.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    val: Ref,
    tag: Ref,
    dirty: bool,
    changed: bool,
}

struct Recorder {
    buf: IrBuf,
    m: Machine,
    slots: [Known; SLOTS],
    ints: Vec<Ref>,
    floats: Vec<Ref>,
    /// Payload and tag of values of unknown type.
    anys: Vec<(Ref, Ref)>,
    /// Tables.
    tabs: Vec<Ref>,
    /// Model iteration, if it is not the beginning.
    start: Ref,
    /// What slots were known as at `start`.
    header: Vec<Carried>,
    bytes: std::vec::IntoIter<u8>,
    pc: u64,
}

impl Recorder {
    fn byte(&mut self) -> usize {
        self.bytes.next().map_or(0, usize::from)
    }
    /// One time in `n`.
    fn one_in(&mut self, n: usize) -> bool {
        self.byte().is_multiple_of(n)
    }
    fn pick<T: Copy>(&mut self, from: impl Fn(&Self) -> &Vec<T>) -> Option<T> {
        let n = self.byte();
        let v = from(self);
        (!v.is_empty()).then(|| v[v.len() - 1 - n % v.len()])
    }
    fn push(&mut self, op: IrOp, ty: Ty, a: Ref, b: Ref) -> Ref {
        let r = self.buf.push(Ins::new(op, ty, a, b));
        if op.is_guard() {
            self.m.polls = 0;
        }
        let s = self.m.step(&self.buf, r);
        assert!(
            s.is_ok(),
            "{s:?} in the first iteration:\n{}",
            print(&self.buf, Print::default())
        );
        r
    }
    fn value(&self, r: Ref) -> u64 {
        self.m.value(&self.buf, r)
    }
    fn snapshot(&mut self) {
        self.pc += 8;
        let start = self.buf.entries.len() as u32;
        for (n, s) in self.slots.iter().enumerate() {
            if s.dirty {
                self.buf.entries.push(SnapEntry {
                    slot: n as i16,
                    val: s.val,
                    tag: s.tag,
                });
            }
        }
        self.buf.snaps.push(Snap {
            first: self.buf.next(),
            start,
            end: self.buf.entries.len() as u32,
            pc: self.pc,
            base: 0,
            live: SLOTS as i16,
            top: Snap::NO_TOP,
            pcalls: 0,
            decided: false,
            asked: false,
            done: Default::default(),
        });
    }
    fn load_slot(&mut self, n: usize) -> Known {
        if self.slots[n].tag.is_none() {
            let slot = Ref(n as u16);
            let tag = self.push(IrOp::SLoadT, Ty::Tag, slot, REF_NONE);
            let val = self.push(IrOp::SLoad, Ty::Any, slot, REF_NONE);
            self.slots[n] = Known {
                val,
                tag,
                ..self.slots[n]
            };
        }
        self.slots[n]
    }
    /// Guards the tag and puts the value where values of its type are.
    fn inspect(&mut self, val: Ref, tag: Ref) {
        let t = Tag(self.value(tag) as i32);
        let ty = Ty::of_tag(t);
        self.snapshot();
        if self.buf.tag(tag).is_none_or(|k| k != t) {
            self.push(IrOp::TEq, Ty::Tag, tag, Ref(t.0 as i16 as u16));
        }
        if val.is_ins() && self.buf.ty(val) == Ty::Any && !ty.is_prim() {
            self.buf.at_mut(val).ty = ty;
        }
        match self.buf.ty(val) {
            Ty::Int => self.ints.push(val),
            Ty::Float => self.floats.push(val),
            Ty::Tab => self.tabs.push(val),
            _ => {}
        }
    }
    fn any_value(&mut self) -> Option<(Ref, Ref)> {
        let t = |t: Tag, r: &mut Self| r.buf.k_tag(t);
        match self.byte() % 5 {
            0 => self.pick(|r| &r.anys),
            4 => {
                let v = self.object();
                Some((v, t(Tag::TABLE, self)))
            }
            1 => {
                let v = self.pick(|r| &r.floats)?;
                Some((v, t(Tag::FLOAT, self)))
            }
            2 => {
                let k = (self.byte() % 4) as i64;
                let v = self.buf.k_int(k);
                Some((v, t(Tag::INT, self)))
            }
            _ => {
                let v = self.pick(|r| &r.ints)?;
                Some((v, t(Tag::INT, self)))
            }
        }
    }
    /// A table's payload ref: from an object slot (as if its tag were proved).
    fn object(&mut self) -> Ref {
        if self.one_in(3)
            && let Some(t) = self.pick(|r| &r.tabs)
        {
            return t;
        }
        let n = FIRST_OBJECT_SLOT + self.byte() % (SLOTS - FIRST_OBJECT_SLOT);
        let k = self.load_slot(n);
        if self.buf.ty(k.val) != Ty::Tab {
            self.inspect(k.val, k.tag);
        }
        k.val
    }
    fn int(&mut self) -> Option<Ref> {
        if self.one_in(4) {
            let k = [
                -8,
                -1,
                0,
                1,
                2,
                3,
                7,
                8,
                255,
                i64::MAX,
                i64::MIN,
                (1 << 53) + 1,
            ][self.byte() % 12];
            return Some(self.buf.k_int(k));
        }
        self.pick(|r| &r.ints)
    }
    /// An index: few different ones, so that places meet.
    fn index(&mut self) -> Option<Ref> {
        if self.one_in(2) {
            let k = (self.byte() % 2) as i64;
            return Some(self.buf.k_int(k));
        }
        self.int()
    }
    fn float(&mut self) -> Option<Ref> {
        if self.one_in(4) {
            let k = [0.0, -0.0, 1.0, 2.0, 0.5, -3.0, 1e300, f64::INFINITY][self.byte() % 8];
            return Some(self.buf.k_float(k));
        }
        self.pick(|r| &r.floats)
    }
    fn both_const(&self, a: Ref, b: Ref) -> bool {
        a.is_const() && b.is_const()
    }
    fn flush(&mut self, n: usize) {
        let k = self.slots[n];
        if k.dirty {
            let slot = Ref(n as u16);
            if !k.val.is_none() {
                let ty = self.buf.ty(k.val);
                self.push(IrOp::SSt, ty, slot, k.val);
            }
            self.push(IrOp::SStT, Ty::Tag, slot, k.tag);
            self.slots[n].dirty = false;
        }
    }

    fn step(&mut self) -> Option<()> {
        use IrOp::*;
        match self.byte() % 26 {
            0 | 1 => {
                let n = self.byte() % FIRST_OBJECT_SLOT;
                let k = self.load_slot(n);
                if !k.val.is_none() {
                    self.anys.push((k.val, k.tag));
                }
            }
            2 => {
                let n = self.byte() % FIRST_OBJECT_SLOT;
                let k = self.load_slot(n);
                if !k.val.is_none() {
                    self.inspect(k.val, k.tag);
                }
            }
            3 | 4 => {
                let (a, b) = (self.int()?, self.int()?);
                let ops = [Add, Sub, Mul, And, Or, Xor, Min, Max, Add, Add];
                let op = ops[self.byte() % ops.len()];
                let r = self.push(op, Ty::Int, a, b);
                self.ints.push(r);
            }
            5 => {
                let a = self.int()?;
                let op = [Shl, Shr, Sar, IDiv, IMod, Neg, Not, Abs][self.byte() % 8];
                let b = match op {
                    Shl | Shr | Sar => [0, 1, 3, 8, 56, 63][self.byte() % 6],
                    IDiv | IMod => [1, 2, 7, 8, -8, -3][self.byte() % 6],
                    _ => 0,
                };
                let b = if matches!(op, Neg | Not | Abs) {
                    REF_NONE
                } else {
                    self.buf.k_int(b)
                };
                let r = self.push(op, Ty::Int, a, b);
                self.ints.push(r);
            }
            6 => {
                let (a, b) = (self.float()?, self.float()?);
                let op = [Add, Sub, Mul, Div, Min, Max][self.byte() % 6];
                let r = self.push(op, Ty::Float, a, b);
                self.floats.push(r);
            }
            7 => {
                let r = match self.byte() % 4 {
                    0 => {
                        let a = self.int()?;
                        self.push(ItoF, Ty::Float, a, REF_NONE)
                    }
                    1 => {
                        let a = self.float()?;
                        let how = Ref((self.byte() % 4) as u16);
                        self.push(Round, Ty::Float, a, how)
                    }
                    _ => {
                        let a = self.float()?;
                        let op = [Neg, Abs, Sqrt][self.byte() % 3];
                        self.push(op, Ty::Float, a, REF_NONE)
                    }
                };
                self.floats.push(r);
            }
            8 => {
                let a = self.float()?;
                let f = f64::from_bits(self.value(a));
                if f.trunc() == f && f.abs() < 9e18 {
                    self.snapshot();
                    let r = self.push(FtoI, Ty::Int, a, REF_NONE);
                    self.ints.push(r);
                }
            }
            9 | 10 => {
                // A comparison that holds now.
                let float = self.one_in(3);
                let (a, b, ty) = if float {
                    (self.float()?, self.float()?, Ty::Float)
                } else {
                    (self.int()?, self.int()?, Ty::Int)
                };
                if self.both_const(a, b) {
                    return None;
                }
                let ops: &[IrOp] = if float {
                    &[Eq, Ne, Lt, Ge, Le, Gt, NLt, NLe, NGt, NGe]
                } else {
                    &[Eq, Ne, Lt, Ge, Le, Gt, Ult, Uge, Ule, Ugt]
                };
                let n = self.byte();
                self.snapshot();
                for k in 0..ops.len() {
                    let op = ops[(n + k) % ops.len()];
                    let r = self.buf.push(Ins::new(op, ty, a, b));
                    if self.m.step(&self.buf, r).is_ok() {
                        break;
                    }
                    self.buf.truncate(r);
                    self.snapshot_if_gone();
                }
            }
            11 | 12 => {
                let n = self.byte() % FIRST_OBJECT_SLOT;
                let (val, tag) = if self.one_in(8) {
                    (REF_NONE, self.buf.k_tag(Tag::NIL))
                } else {
                    self.any_value()?
                };
                self.slots[n] = Known {
                    val,
                    tag,
                    dirty: true,
                    changed: true,
                };
            }
            13 => {
                let n = self.byte() % SLOTS;
                self.flush(n);
            }
            14 | 15 | 20..=22 => {
                // Element or field, load or store.
                let t = self.object();
                let element = self.one_in(2);
                let field = if element {
                    FieldId::TabArray
                } else {
                    FieldId::TabHash
                };
                let run = self.push(FLd, Ty::Ptr, t, Ref(field as u16));
                let (v, tg) = if element {
                    let i = self.index()?;
                    let not = self.push(Not, Ty::Int, i, REF_NONE);
                    (
                        self.push(ARef, Ty::Ptr, run, i),
                        self.push(ATRef, Ty::Ptr, run, not),
                    )
                } else {
                    let n = Ref((self.byte() % 3) as u16);
                    (
                        self.push(HRef, Ty::Ptr, run, n),
                        self.push(HTRef, Ty::Ptr, run, n),
                    )
                };
                if self.one_in(2) {
                    let val = self.push(LdV, Ty::Any, v, REF_NONE);
                    let tag = self.push(LdB, Ty::Tag, tg, REF_NONE);
                    self.anys.push((val, tag));
                    if self.one_in(2) {
                        self.inspect(val, tag);
                    }
                } else {
                    let (val, tag) = self.any_value()?;
                    let ty = self.buf.ty(val);
                    self.push(StV, ty, v, val);
                    self.push(StB, Ty::Tag, tg, tag);
                }
            }
            16 => {
                // Object fields.
                let t = self.object();
                let field = [FieldId::TabShape, FieldId::TabCap, FieldId::TabLen][self.byte() % 3];
                if self.one_in(3) {
                    let at = self.push(FRef, Ty::Ptr, t, Ref(field as u16));
                    let k = self.byte() as u64 % 5;
                    let k = self.buf.k(Ty::U32, k);
                    self.push(FSt, Ty::U32, at, k);
                } else {
                    let v = self.push(FLd, Ty::U32, t, Ref(field as u16));
                    let k = self.value(v);
                    let k = self.buf.k(Ty::U32, k);
                    self.snapshot();
                    self.push(Eq, Ty::U32, v, k);
                    let i = self.push(Cast, Ty::Int, v, REF_NONE);
                    self.ints.push(i);
                }
            }
            17 => {
                // A new object in an object slot.
                let n = FIRST_OBJECT_SLOT + self.byte() % (SLOTS - FIRST_OBJECT_SLOT);
                let shape = self.buf.k_ptr(0x100);
                let t = self.push(TNew, Ty::Tab, shape, Ref(2));
                let run = self.push(TRun, Ty::Ptr, t, REF_NONE);
                for k in 0..2 {
                    let v = self.push(HRef, Ty::Ptr, run, Ref(k));
                    let tg = self.push(HTRef, Ty::Ptr, run, Ref(k));
                    let (val, tag) = match self.any_value() {
                        Some(v) => v,
                        None => (self.buf.k_int(1), self.buf.k_tag(Tag::INT)),
                    };
                    let ty = self.buf.ty(val);
                    self.push(StV, ty, v, val);
                    self.push(StB, Ty::Tag, tg, tag);
                }
                let tag = self.buf.k_tag(Tag::TABLE);
                self.slots[n] = Known {
                    val: t,
                    tag,
                    dirty: true,
                    changed: true,
                };
            }
            18 => {
                let t = self.object();
                if self.one_in(2) {
                    let r = self.push(CallL, Ty::Int, t, Ref(4));
                    self.ints.push(r);
                } else {
                    let (a, b) = (self.float()?, self.float()?);
                    let l = self.push(CArg, Ty::Void, a, b);
                    let r = self.push(CallN, Ty::Float, l, Ref(1));
                    self.floats.push(r);
                }
            }
            23 => {
                // What memory holds, loaded again.
                let n = self.byte() % FIRST_OBJECT_SLOT;
                let k = self.slots[n];
                if !k.dirty && !k.val.is_none() {
                    let slot = Ref(n as u16);
                    let tag = self.push(SLoadT, Ty::Tag, slot, REF_NONE);
                    let ty = self.buf.ty(k.val);
                    let val = self.push(SLoad, ty, slot, REF_NONE);
                    self.anys.push((val, tag));
                }
            }
            24 => {
                // A float that was computed, with -0 among them.
                let a = self.float()?;
                let k = [0.0, -0.0, 1.0, -1.0][self.byte() % 4];
                let k = self.buf.k_float(k);
                let op = [Add, Sub, Mul][self.byte() % 3];
                let r = self.push(op, Ty::Float, a, k);
                self.floats.push(r);
                let n = self.byte() % FIRST_OBJECT_SLOT;
                let tag = self.buf.k_tag(Tag::FLOAT);
                self.slots[n] = Known {
                    val: r,
                    tag,
                    dirty: true,
                    changed: true,
                };
            }
            25 => {
                if self.start.is_none() && self.one_in(2) {
                    self.begin_iteration();
                }
            }
            _ => {
                if !self.one_in(3) {
                    return None;
                }
                for n in 0..SLOTS {
                    self.flush(n);
                }
                let pc = self.pc + 4;
                // The helper answers the slot `pc % SLOTS`; object slots keep their objects.
                if pc as usize % SLOTS >= FIRST_OBJECT_SLOT {
                    return None;
                }
                let (x, y) = (self.buf.k_ptr(pc), self.buf.k_ptr(pc + 8));
                let l = self.push(CArg, Ty::Ptr, x, y);
                let op = if self.one_in(2) { XOpQ } else { XOp };
                let r = self.buf.push(Ins::new(op, Ty::Void, l, Ref(0)));
                if self.m.step(&self.buf, r).is_err() {
                    // Leaves in the first iteration: fine, nothing after it matters then.
                    self.m.base = 0;
                }
                self.slots[pc as usize % SLOTS] = Known {
                    changed: true,
                    ..Known::default()
                };
            }
        }
        Some(())
    }

    /// What was recorded so far becomes the way to the loop.
    fn begin_iteration(&mut self) {
        self.snapshot();
        for n in 0..SLOTS {
            let k = &mut self.slots[n];
            if k.changed && !k.tag.is_none() {
                let mut k = *k;
                if !k.val.is_none() {
                    let ty = self.buf.ty(k.val);
                    k.val = self.push(IrOp::Copy, ty, k.val, REF_NONE);
                }
                if k.tag.is_ins() {
                    k.tag = self.push(IrOp::Copy, Ty::Tag, k.tag, REF_NONE);
                }
                self.slots[n] = k;
                self.header.push(Carried {
                    slot: n as i16,
                    val: k.val,
                    tag: k.tag,
                    dirty: k.dirty,
                });
            } else {
                // Known by loads of this iteration only.
                *k = Known::default();
            }
            self.slots[n].changed = false;
        }
        self.ints.clear();
        self.floats.clear();
        self.anys.clear();
        self.tabs.clear();
        self.start = self.buf.next();
        self.snapshot();
    }

    /// `truncate` takes a snapshot that served only the removed guard along.
    fn snapshot_if_gone(&mut self) {
        if self
            .buf
            .snaps
            .last()
            .is_none_or(|s| s.first < self.buf.next())
        {
            self.pc -= 8;
            self.snapshot();
        }
    }
}

fn machine(c: &Case) -> Machine {
    let mut m = Machine::new(c.seed);
    m.frame_slots = SLOTS as i32;
    m.poll_exit = c.poll_exit;
    for n in 0..SLOTS {
        let h = c.seed.rotate_left(n as u32 * 7);
        let (v, t) = if n >= FIRST_OBJECT_SLOT {
            (0x1000 + (h % 2) * 0x100, Tag::TABLE)
        } else if h.is_multiple_of(3) {
            ((h % 5) as f64 / 2.0, Tag::FLOAT).into_bits()
        } else {
            (h % 6, Tag::INT)
        };
        m.slots.insert(n as i32, (v, t.0 as u32 as u64));
    }
    m
}

trait IntoBits {
    fn into_bits(self) -> (u64, Tag);
}
impl IntoBits for (f64, Tag) {
    fn into_bits(self) -> (u64, Tag) {
        (self.0.to_bits(), self.1)
    }
}

/// A plain trace and its loop.
struct Plain {
    buf: IrBuf,
    start: Ref,
    header: Vec<Carried>,
    carried: Vec<Carried>,
}

fn record(c: &Case) -> Plain {
    let mut m = machine(c);
    m.poll_exit = u32::MAX;
    let mut r = Recorder {
        buf: IrBuf::new(),
        m,
        slots: [Known::default(); SLOTS],
        ints: Vec::new(),
        floats: Vec::new(),
        anys: Vec::new(),
        tabs: Vec::new(),
        start: REF_NONE,
        header: Vec::new(),
        bytes: c.steps.clone().into_iter(),
        pc: 0x1000,
    };
    r.snapshot();
    while r.bytes.len() > 0 && r.buf.len() < 400 {
        r.step();
    }
    r.snapshot();
    r.push(IrOp::Poll, Ty::Void, REF_NONE, REF_NONE);
    let carried = r
        .slots
        .iter()
        .enumerate()
        .filter(|(_, s)| s.changed)
        .map(|(n, s)| Carried {
            slot: n as i16,
            val: s.val,
            tag: s.tag,
            dirty: s.dirty,
        })
        .collect();
    Plain {
        buf: r.buf,
        start: r.start,
        header: r.header,
        carried,
    }
}

/// Runs the plain trace until it is left.
fn reference(c: &Case, p: &Plain) -> (Machine, Option<u64>) {
    let mut m = machine(c);
    let mut stop = m.run(&p.buf, 0);
    let start = if p.start.is_none() {
        Ref::from_ins(1)
    } else {
        p.start
    };
    while stop == Stop::End {
        let new: Vec<_> = p
            .carried
            .iter()
            .map(|c| (c, m.value(&p.buf, c.val), m.value(&p.buf, c.tag)))
            .collect();
        for (c, val, tag) in new {
            let header = p.header.iter().find(|h| h.slot == c.slot);
            if let Some(h) = header {
                if h.val.is_ins() {
                    m.set_value(h.val, val);
                }
                if h.tag.is_ins() {
                    m.set_value(h.tag, tag);
                }
            }
            // Where the iteration takes memory to hold it.
            if c.dirty && header.is_none_or(|h| !h.dirty) {
                m.slots.insert(i32::from(c.slot), (val, tag & 0xffff_ffff));
            }
        }
        stop = m.run_from(&p.buf, start, 0);
    }
    let pc = pc_of(&p.buf, stop);
    (m, pc)
}

fn pc_of(buf: &IrBuf, stop: Stop) -> Option<u64> {
    match stop {
        Stop::Exit(_, n) => Some(buf.snaps[n.0 as usize].pc),
        Stop::Helper(_) => None,
        Stop::End | Stop::Limit | Stop::Broken(_) => {
            panic!("{stop:?}\n{}", print(buf, Print::default()))
        }
    }
}

/// Emits the plain trace through the pipeline and peels.
fn optimise(cx: &mut OptCx, p: &Plain) -> Result<IrBuf, Abort> {
    let plain = &p.buf;
    let mut start = Ref::from_ins(1);
    let mut buf = IrBuf::new();
    let mut map: HashMap<Ref, Ref> = HashMap::new();
    let translate = |map: &HashMap<Ref, Ref>, buf: &mut IrBuf, r: Ref| match plain.konst(r) {
        Some(k) => buf.k(k.ty, k.bits),
        None if r.is_ins() => map[&r],
        None => r,
    };
    let mut snap = 0;
    for n in 1..plain.len() {
        let r = Ref::from_ins(n);
        while let Some(s) = plain.snaps.get(snap).filter(|s| s.first <= r) {
            let start = buf.entries.len() as u32;
            for e in &plain.entries[s.start as usize..s.end as usize] {
                let e = SnapEntry {
                    slot: e.slot,
                    val: translate(&map, &mut buf, e.val),
                    tag: translate(&map, &mut buf, e.tag),
                };
                buf.entries.push(e);
            }
            buf.snaps.push(Snap {
                first: buf.next(),
                start,
                end: buf.entries.len() as u32,
                ..s.clone()
            });
            snap += 1;
        }
        if r == p.start {
            start = cx.begin_iteration(&buf);
        }
        let i = plain.at(r);
        let [ma, mb] = i.op.modes();
        let mut operand = |m: Mode, o: Ref| match m {
            Mode::Ref | Mode::Const => translate(&map, &mut buf, o),
            _ => o,
        };
        let (a, b) = (operand(ma, i.a), operand(mb, i.b));
        let out = cx.emit(&mut buf, i.op, i.ty, a, b)?;
        map.insert(r, out);
    }
    let mut slots = |from: &[Carried]| -> Vec<Carried> {
        from.iter()
            .map(|c| Carried {
                val: translate(&map, &mut buf, c.val),
                tag: translate(&map, &mut buf, c.tag),
                ..*c
            })
            .collect()
    };
    let (header, carried) = (slots(&p.header), slots(&p.carried));
    peel(cx, &mut buf, start, &header, &carried)?;
    finish(cx, &mut buf);
    Ok(buf)
}

/// What a run left behind, with the places that another one wrote.
fn left(m: &Machine, other: &Machine) -> Observed {
    let also: Vec<Place> = other.mem.keys().copied().collect();
    m.observable(true, &also)
}

/// Peeled traces of the last run (a test that never peels shows nothing).
static PEELED: AtomicU32 = AtomicU32::new(0);
/// Objects sunk in them.
static SUNK: AtomicU32 = AtomicU32::new(0);

fn same_behaviour(c: &Case, passes: Passes) -> bool {
    let p = record(c);
    let plain = &p.buf;
    verify(plain).unwrap_or_else(|e| panic!("plain: {e}\n{}", print(plain, Print::default())));
    let mut cx = OptCx::new(passes);
    cx.rebuilds = true;
    let opt = match optimise(&mut cx, &p) {
        Ok(b) => b,
        Err(Abort::TypeUnstable) => return true,
        Err(Abort::GuardFails) => panic!(
            "a guard that held fails:\n{}",
            print(plain, Print::default())
        ),
        Err(e) => panic!("{e:?}"),
    };
    PEELED.fetch_add(1, Ordering::Relaxed);
    SUNK.fetch_add(cx.stats.sunk, Ordering::Relaxed);
    let show = || {
        format!(
            "start {:?} header {:?} carried {:?}\n{}\n{}",
            p.start,
            p.header,
            p.carried,
            print(plain, Print::default()),
            print(&opt, Print::default())
        )
    };
    verify(&opt).unwrap_or_else(|e| panic!("{e}\n{}", show()));
    let (want, want_pc) = reference(c, &p);
    let mut m = machine(c);
    let stop = m.run(&opt, 100);
    let pc = pc_of(&opt, stop);
    assert_eq!(want_pc, pc, "pc\n{}", show());
    assert_eq!(want.polls, m.polls, "iterations\n{}", show());
    assert_eq!(want.log, m.log, "calls\n{}", show());
    let (x, y) = (left(&want, &m), left(&m, &want));
    if x != y {
        let places: Vec<_> = x
            .memory
            .iter()
            .zip(&y.memory)
            .filter(|(p, q)| p != q)
            .collect();
        panic!(
            "slots {:?} {:?}, memory {places:x?}\n{}",
            x.slots,
            y.slots,
            show()
        );
    }
    true
}

/// Cases per pass set; `TRACEORUS_QUICKCHECK` multiplies them.
fn tests() -> u64 {
    let factor = std::env::var("TRACEORUS_QUICKCHECK")
        .ok()
        .and_then(|s| s.parse().ok());
    1500 * factor.unwrap_or(1)
}

#[test]
fn all_passes() {
    fn prop(c: Case) -> bool {
        same_behaviour(&c, Passes::ALL)
    }
    let peeled = PEELED.load(Ordering::Relaxed);
    QuickCheck::new()
        .tests(tests())
        .max_tests(tests())
        .quickcheck(prop as fn(Case) -> bool);
    let peeled = PEELED.load(Ordering::Relaxed) - peeled;
    let sunk = SUNK.load(Ordering::Relaxed);
    println!("{peeled} peeled, {sunk} sunk");
    assert!(peeled > 300, "only {peeled} traces were peeled");
    assert!(sunk > 50, "only {sunk} objects were sunk");
}

#[test]
fn each_pass_off() {
    fn prop(c: Case) -> bool {
        [
            Passes::FOLD,
            Passes::CSE,
            Passes::FWD,
            Passes::DSE,
            Passes::GUARDS,
            Passes::DCE,
            Passes::LOOP,
            Passes::SINK,
        ]
        .into_iter()
        .all(|p| same_behaviour(&c, Passes::ALL.without(p)))
    }
    QuickCheck::new()
        .tests(tests() / 6)
        .max_tests(tests() / 6)
        .quickcheck(prop as fn(Case) -> bool);
}
