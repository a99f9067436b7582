//! Reference evaluator of traces over an abstract machine: the oracle of the pass tests.
//!
//! Memory is a map from places to 64-bit words. A place that was never written has a value that depends on the machine's seed, the place and its
//! *epoch*, which a call or helper advances for what it may change; so a load that was wrongly moved across one shows. Calls answer by a hash of their
//! arguments (and of memory, if they read it) and are logged. Polls hold until the one whose number is `poll_exit`.
//! NaNs are made canonical, for operand order must not matter.

mod observe;

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use traceorus_base::Tag;

use super::{
    CALLS, Class, Effect, FIELDS, FactKind, FieldId, Ins, IrBuf, IrOp, Mode, Part, Ref, SnapNo, Ty,
};

pub use observe::Observed;
use observe::address;

/// A place in memory.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// Payload of a slot of an array part.
    Elem(u64, i64),
    /// Its tag.
    ElemTag(u64, i64),
    /// Payload of a slot of a fields run.
    Slot(u64, i64),
    /// Its tag.
    SlotTag(u64, i64),
    /// Payload in a cell.
    Cell(u64),
    /// Its tag.
    CellTag(u64),
    /// Payload in a dictionary entry.
    Entry(u64),
    /// Its tag.
    EntryTag(u64),
    /// Other memory.
    Private(u64),
    /// Upvalue of a closure.
    Upvalue(u64, u16),
    /// Field of an object.
    Field(u64, u16),
}

/// Why evaluation stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The guard was left through the snapshot.
    Exit(Ref, SnapNo),
    /// A helper went elsewhere.
    Helper(Ref),
    /// The end of a trace without loop.
    End,
    /// The loop was run as often as allowed.
    Limit,
    /// No meaning (broken IR).
    Broken(Ref),
}

/// Something that the world saw.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A call of a function with effects: number, arguments, digest of memory.
    Call(u16, Vec<u64>, u64),
    /// A helper: pc, digest of slots and memory.
    Helper(u64, u64),
}

/// The abstract machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What unwritten memory depends on.
    pub seed: u64,
    /// Stack slots by absolute number: payload and tag word.
    pub slots: BTreeMap<i32, (u64, u64)>,
    /// Absolute number of BASE.
    pub base: i32,
    /// Slots from 0 to this belong to the frame (helpers see them).
    pub frame_slots: i32,
    /// Memory that has been written.
    pub mem: HashMap<Place, u64>,
    /// Calls and helpers.
    pub log: Vec<Event>,
    /// Polls passed.
    pub polls: u32,
    /// Number of the poll that does not hold.
    pub poll_exit: u32,
    epochs: [u32; 4],
    allocated: Vec<Ins>,
    values: Vec<u64>,
}

const FIRST_OBJECT: u64 = 0x10_0000;
const OBJECT_BYTES: u64 = 0x1_0000;
const RUN: u64 = 0x8000;

fn hash(x: impl Hash) -> u64 {
    let mut h = DefaultHasher::new();
    x.hash(&mut h);
    h.finish()
}

fn canonical(f: f64) -> u64 {
    if f.is_nan() {
        f64::NAN.to_bits()
    } else {
        f.to_bits()
    }
}

/// Where the tag of the payload at `p` is.
fn tag_place(p: Place) -> Option<Place> {
    Some(match p {
        Place::Elem(r, i) => Place::ElemTag(r, i),
        Place::Slot(r, i) => Place::SlotTag(r, i),
        Place::Cell(c) => Place::CellTag(c),
        Place::Entry(e) => Place::EntryTag(e),
        _ => return None,
    })
}

/// Tags that unwritten memory has.
const TAGS: [Tag; 5] = [Tag::INT, Tag::FLOAT, Tag::INT, Tag::NIL, Tag::TABLE];

/// A payload for the tag: small numbers and few objects, so that things meet.
fn payload(tag: Tag, h: u64) -> u64 {
    match tag {
        Tag::INT => match h % 8 {
            7 => i64::MAX as u64 - h % 3,
            6 => (h >> 8) | 1 << 63,
            n => n.wrapping_sub(1),
        },
        Tag::FLOAT => {
            [0.0, -0.0, 1.0, 0.5, -3.0, 1e300, f64::NAN, f64::INFINITY][(h % 8) as usize].to_bits()
        }
        _ => 0x1000 + (h >> 9) % 3 * 0x100,
    }
}

impl Machine {
    /// A machine whose memory depends on `seed`.
    pub fn new(seed: u64) -> Machine {
        Machine {
            seed,
            slots: BTreeMap::new(),
            base: 0,
            frame_slots: 0,
            mem: HashMap::new(),
            log: Vec::new(),
            polls: 0,
            poll_exit: u32::MAX,
            epochs: [0; 4],
            allocated: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Tag that the payload place's companion has if it was never written.
    fn tag_at(&self, tag: Place) -> Tag {
        TAGS[(hash((self.seed, tag, self.epoch(tag))) % TAGS.len() as u64) as usize]
    }
    fn epoch(&self, p: Place) -> u32 {
        match p {
            Place::Elem(..)
            | Place::ElemTag(..)
            | Place::Slot(..)
            | Place::SlotTag(..)
            | Place::Entry(_)
            | Place::EntryTag(_) => self.epochs[0],
            Place::Cell(_) | Place::CellTag(_) | Place::Private(_) => self.epochs[1],
            Place::Field(_, f) => match FIELDS[f as usize].kind {
                FactKind::Eternal => 0,
                FactKind::Length => self.epochs[3],
                _ => self.epochs[2],
            },
            Place::Upvalue(..) => 0,
        }
    }
    /// What is at the place.
    pub fn read(&self, p: Place) -> u64 {
        if let Some(&v) = self.mem.get(&p) {
            return v;
        }
        if let Some(v) = self.read_fresh(p) {
            return v;
        }
        let tag = tag_place(p);
        let h = hash((self.seed, p, self.epoch(p)));
        match (tag, p) {
            (Some(t), _) => payload(self.tag_at(t), h),
            (None, Place::Field(_, f)) => match FIELDS[f as usize].ty {
                Ty::U8 => h % 3,
                Ty::U32 => h % 7,
                Ty::Int => h % 100,
                _ => 0x2000 + h % 3 * 0x100,
            },
            (None, Place::Private(_) | Place::Upvalue(..)) => h,
            _ => self.tag_at(p).0 as i64 as u64,
        }
    }
    fn forget(&mut self, kind: usize) {
        self.epochs[kind] += 1;
        let keep: Vec<Place> = self
            .mem
            .keys()
            .copied()
            .filter(|&p| self.kind(p) == Some(kind))
            .collect();
        for p in keep {
            self.mem.remove(&p);
        }
    }
    fn kind(&self, p: Place) -> Option<usize> {
        Some(match p {
            Place::Cell(_) | Place::CellTag(_) | Place::Private(_) => 1,
            Place::Upvalue(..) => return None,
            Place::Field(_, f) => match FIELDS[f as usize].kind {
                FactKind::Eternal => return None,
                FactKind::Length => 3,
                _ => 2,
            },
            _ => 0,
        })
    }
    /// What is at the place; 0 for the payload of nil, true or false, which may be anything.
    pub fn observe(&self, p: Place) -> u64 {
        match tag_place(p) {
            Some(t) if Ty::of_tag(Tag(self.read(t) as i32)).is_prim() => 0,
            _ => self.read(p),
        }
    }
    /// Payload (0 for nil, true, false) and tag of the slot.
    pub fn slot(&self, n: i32) -> (u64, i32) {
        let (p, t) = self
            .slots
            .get(&n)
            .copied()
            .unwrap_or((0, Tag::NIL.0 as u32 as u64));
        let tag = Tag(t as i32);
        (if Ty::of_tag(tag).is_prim() { 0 } else { p }, tag.0)
    }

    /// Applies a snapshot to the slots.
    pub fn restore(&mut self, buf: &IrBuf, n: SnapNo) {
        for r in buf.snap_recipes(n) {
            let i = buf.objects[buf.at(r.object).lit_a() as usize];
            let p = self.allocate(i);
            self.values[r.object.ins_index()] = p;
        }
        for r in buf.snap_recipes(n) {
            let p = self.values[r.object.ins_index()];
            for f in buf.recipe_fillings(r) {
                let (payload, tag) = match f.part {
                    Part::Slot(n) => (
                        Place::Slot(p + RUN, n.into()),
                        Some(Place::SlotTag(p + RUN, n.into())),
                    ),
                    Part::Elem(n) => (
                        Place::Elem(p + RUN, n.into()),
                        Some(Place::ElemTag(p + RUN, n.into())),
                    ),
                    Part::Cell => (Place::Cell(p), Some(Place::CellTag(p))),
                    Part::Upvalue(n) => (Place::Upvalue(p, n), None),
                    Part::Field(n) => (Place::Field(p, n), None),
                };
                let val = if f.val.is_none() {
                    0
                } else {
                    self.value(buf, f.val)
                };
                self.mem.insert(payload, val);
                if let Some(t) = tag
                    && !f.tag.is_none()
                {
                    self.mem.insert(t, self.value(buf, f.tag));
                }
            }
        }
        for e in buf.snap_entries(n) {
            let tag = self.value(buf, e.tag);
            let word = buf.ty(e.tag) == Ty::Word;
            let val = if e.val.is_none() {
                0
            } else {
                self.value(buf, e.val)
            };
            let slot = self.slots.entry(self.base + i32::from(e.slot)).or_default();
            slot.0 = val;
            slot.1 = if word {
                tag
            } else {
                slot.1 & !0xffff_ffff | tag & 0xffff_ffff
            };
        }
    }

    /// Value of a ref that has been evaluated.
    pub fn value(&self, buf: &IrBuf, r: Ref) -> u64 {
        if let Some(k) = buf.konst(r) {
            k.bits
        } else if r.is_ins() {
            self.values[r.ins_index()]
        } else {
            0
        }
    }

    /// Runs the trace from its beginning; a loop's body at most `bodies` times.
    pub fn run(&mut self, buf: &IrBuf, bodies: u32) -> Stop {
        self.values.clear();
        self.run_from(buf, Ref::from_ins(1), bodies)
    }

    /// Gives the instruction `r` a value, before [`Machine::run_from`].
    pub fn set_value(&mut self, r: Ref, v: u64) {
        self.values[r.ins_index()] = v;
    }

    /// Runs the trace from the instruction `from`; values of earlier ones are those of the last run.
    pub fn run_from(&mut self, buf: &IrBuf, from: Ref, bodies: u32) -> Stop {
        self.values.resize(buf.len(), 0);
        let mut left = bodies;
        let mut n = from.ins_index();
        loop {
            if n >= buf.len() {
                if buf.loop_ref.is_none() {
                    return Stop::End;
                }
                // The PHIs, all at once.
                let moves: Vec<(Ref, u64)> = (buf.loop_ref.ins_index()..buf.len())
                    .map(|k| buf.ins[k])
                    .filter(|i| i.op == IrOp::Phi)
                    .map(|i| (i.a, self.value(buf, i.b)))
                    .collect();
                for (r, v) in moves {
                    self.values[r.ins_index()] = v;
                }
                n = buf.loop_ref.ins_index();
            }
            let r = Ref::from_ins(n);
            if buf.at(r).op == IrOp::Loop {
                if left == 0 {
                    return Stop::Limit;
                }
                left -= 1;
            } else if let Err(s) = self.step(buf, r) {
                if let Stop::Exit(_, snap) = s {
                    self.restore(buf, snap);
                }
                return s;
            }
            n += 1;
        }
    }

    /// Evaluates one instruction. `Err`: the trace is left (a snapshot is not applied yet).
    pub fn step(&mut self, buf: &IrBuf, r: Ref) -> Result<(), Stop> {
        if self.values.len() <= r.ins_index() {
            self.values.resize(r.ins_index() + 1, 0);
        }
        let i = buf.at(r);
        if i.op.class() == Class::R {
            // Computed where it is used.
            return Ok(());
        }
        let [ma, mb] = i.op.modes();
        let a = if matches!(ma, Mode::Ref | Mode::Const) {
            self.value(buf, i.a)
        } else {
            0
        };
        let b = if matches!(mb, Mode::Ref | Mode::Const) {
            self.value(buf, i.b)
        } else {
            0
        };
        if i.op == IrOp::FtoI {
            let f = f64::from_bits(a);
            if f.trunc() != f || !(-9223372036854775808.0..9223372036854775808.0).contains(&f) {
                return Err(self.exit(buf, r));
            }
            self.values[r.ins_index()] = f as i64 as u64;
            return Ok(());
        }
        // other stacks and shapes are not modelled
        if matches!(
            i.op,
            IrOp::CoWord | IrOp::CoPc | IrOp::CoLeave | IrOp::CoEnter | IrOp::SlotOf | IrOp::Method
        ) {
            return Err(Stop::Broken(r));
        }
        if i.op.is_guard() {
            if i.op == IrOp::RetF {
                self.base -= i32::from(i.lit_b());
                return Ok(());
            }
            return if self.holds(i, a, b) {
                Ok(())
            } else {
                Err(self.exit(buf, r))
            };
        }
        let v = self.compute(buf, r, i, a, b)?;
        self.values[r.ins_index()] = v;
        Ok(())
    }

    fn exit(&self, buf: &IrBuf, r: Ref) -> Stop {
        buf.snap_of(r).map_or(Stop::Broken(r), |s| Stop::Exit(r, s))
    }

    fn holds(&mut self, i: Ins, a: u64, b: u64) -> bool {
        use IrOp::*;
        let lit = Tag(i.b.0 as i16 as i32);
        let tag = Tag(a as i32);
        match i.op {
            TEq => return tag == lit,
            TNe => return tag != lit,
            TFalsy => return tag.is_falsy(),
            TTruthy => return !tag.is_falsy(),
            BitsZ => return a & b == 0,
            BitsNz => return a & b != 0,
            StkChk => return true,
            Poll => {
                self.polls += 1;
                return self.polls != self.poll_exit;
            }
            _ => {}
        }
        if i.ty == Ty::Float {
            let (x, y) = (f64::from_bits(a), f64::from_bits(b));
            return match i.op {
                Eq => x == y,
                Ne => x != y,
                Lt => x < y,
                Ge => x >= y,
                Le => x <= y,
                Gt => x > y,
                NLt => x.partial_cmp(&y) != Some(std::cmp::Ordering::Less),
                NLe => !matches!(
                    x.partial_cmp(&y),
                    Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)
                ),
                NGt => x.partial_cmp(&y) != Some(std::cmp::Ordering::Greater),
                _ => !matches!(
                    x.partial_cmp(&y),
                    Some(std::cmp::Ordering::Greater | std::cmp::Ordering::Equal)
                ),
            };
        }
        let (x, y) = (a as i64, b as i64);
        match i.op {
            Eq if i.ty == Ty::Tag => a as u32 == b as u32,
            Ne if i.ty == Ty::Tag => a as u32 != b as u32,
            Eq => x == y,
            Ne => x != y,
            Lt => x < y,
            Ge => x >= y,
            Le => x <= y,
            Gt => x > y,
            Ult => a < b,
            Uge => a >= b,
            Ule => a <= b,
            _ => a > b,
        }
    }

    fn compute(&mut self, buf: &IrBuf, r: Ref, i: Ins, a: u64, b: u64) -> Result<u64, Stop> {
        use IrOp::*;
        Ok(match i.op {
            Base | Nop | Loop | Phi | CArg | Bar | Sunk => 0,
            Copy | Cast => a,
            PVal => hash((self.seed, "pval", i.lit_a())),
            SLoad => self.slots.get(&self.at_slot(i)).map_or(0, |s| s.0),
            SLoadT => self
                .slots
                .get(&self.at_slot(i))
                .map_or(Tag::NIL.0 as i64 as u64, |s| s.1 as i32 as i64 as u64),
            SSt => {
                let n = self.at_slot(i);
                self.slots.entry(n).or_default().0 = b;
                0
            }
            SStT => {
                let n = self.at_slot(i);
                let s = self.slots.entry(n).or_default();
                s.1 = s.1 & !0xffff_ffff | b & 0xffff_ffff;
                0
            }
            SStW => {
                let n = self.at_slot(i);
                self.slots.entry(n).or_default().1 = b;
                0
            }
            _ if i.op.class() == Class::N && i.ty == Ty::Float && !matches!(i.op, CallN | NUpv) => {
                self.float(i, a, b).ok_or(Stop::Broken(r))?
            }
            Add | Sub | Mul | Neg | IDiv | IMod | And | Or | Xor | Not | Shl | Shr | Sar | Abs
            | Min | Max => integer(i.op, a as i64, b as i64).ok_or(Stop::Broken(r))? as u64,
            IsEq | IsLt | IsLe | IsGe => {
                let order = match buf.ty(i.a) {
                    Ty::Float => f64::from_bits(a).partial_cmp(&f64::from_bits(b)),
                    Ty::Tag => Some((a as i32).cmp(&(b as i32))),
                    _ => Some((a as i64).cmp(&(b as i64))),
                };
                u64::from(order.is_some_and(|o| match i.op {
                    IsEq => o.is_eq(),
                    IsLt => o.is_lt(),
                    IsLe => o.is_le(),
                    _ => o.is_ge(),
                }))
            }
            FLd => self.read(Place::Field(a, i.lit_b())),
            LdV | LdB | LdW => {
                let p = self.place(buf, i.a).ok_or(Stop::Broken(r))?;
                self.read(p)
            }
            FSt | StV | StB | StW => {
                let p = self.place(buf, i.a).ok_or(Stop::Broken(r))?;
                let v = match i.op {
                    StB => b as i8 as i64 as u64,
                    StW => b as i32 as i64 as u64,
                    _ => b,
                };
                self.mem.remove(&p);
                // a tag that is there anyway does not count as written: stores of such may be left out
                let old = observe::address(p) < FIRST_OBJECT;
                if !old || !matches!(i.op, StB | StW) || self.read(p) != v {
                    self.mem.insert(p, v);
                }
                0
            }
            UpRef => match self.mem.get(&Place::Upvalue(a, i.lit_b())) {
                Some(&c) => c,
                None => 0x3000 + hash((self.seed, a, i.b.0)) % 3 * 0x100,
            },
            NUpv => hash((self.seed, "nupv", a, i.b.0)),
            StrByte => hash((self.seed, "byte", a, b)) & 0xff,
            TRun => a + RUN,
            TNew | TArr | CNew | FNew => self.allocate(i),
            Call | CallN | CallL => self.call(buf, r, i)?,
            XOp | XOpQ | XOpR => self.helper(buf, r, i)?,
            _ => return Err(Stop::Broken(r)),
        })
    }

    fn at_slot(&self, i: Ins) -> i32 {
        self.base + i32::from(i.slot())
    }

    /// The place that an address instruction denotes, with its operands as they are now.
    fn place(&self, buf: &IrBuf, addr: Ref) -> Option<Place> {
        use IrOp::*;
        if !addr.is_ins() {
            return None;
        }
        let i = buf.at(addr);
        let a = self.value(buf, i.a);
        Some(match i.op {
            ARef => Place::Elem(a, self.value(buf, i.b) as i64),
            ATRef => Place::ElemTag(a, !(self.value(buf, i.b) as i64)),
            HRef => Place::Slot(a, i64::from(i.lit_b())),
            HTRef => Place::SlotTag(a, i64::from(i.lit_b())),
            CRef => Place::Cell(a),
            CTRef => Place::CellTag(a),
            ERef => Place::Entry(a),
            ETRef => Place::EntryTag(a),
            XRef => Place::Private(a + u64::from(i.lit_b())),
            UpAddr => Place::Upvalue(a, i.lit_b()),
            FRef => Place::Field(a, i.lit_b()),
            _ => return None,
        })
    }

    fn allocate(&mut self, i: Ins) -> u64 {
        self.allocated.push(i);
        FIRST_OBJECT + (self.allocated.len() as u64 - 1) * OBJECT_BYTES
    }

    /// What is at a place of an object made on the trace and was never written.
    fn read_fresh(&self, p: Place) -> Option<u64> {
        let address = address(p);
        if matches!(p, Place::Private(_)) {
            return None;
        }
        let n = address.checked_sub(FIRST_OBJECT)? / OBJECT_BYTES;
        let i = self.allocated.get(n as usize)?;
        let run = FIRST_OBJECT + n * OBJECT_BYTES + RUN;
        Some(match p {
            Place::ElemTag(..) | Place::SlotTag(..) | Place::CellTag(_) => Tag::NIL.0 as i64 as u64,
            Place::Field(_, f) => match (FieldId::from_u16(f)?, i.op) {
                (FieldId::TabCap, IrOp::TArr) => u64::from(i.lit_b()),
                (FieldId::TabArray, IrOp::TArr) | (FieldId::TabHash, IrOp::TNew) => run,
                // Nobody looks into these; but no two tables share them.
                (FieldId::TabArray | FieldId::TabHash, _) => run + RUN / 2,
                _ => 0,
            },
            _ => 0,
        })
    }

    fn call(&mut self, buf: &IrBuf, r: Ref, i: Ins) -> Result<u64, Stop> {
        let info = CALLS.get(i.lit_b() as usize).ok_or(Stop::Broken(r))?;
        let mut args = Vec::new();
        let mut list = i.a;
        while !list.is_none() {
            if list.is_ins() && buf.at(list).op == IrOp::CArg {
                args.push(self.value(buf, buf.at(list).b));
                list = buf.at(list).a;
            } else {
                args.push(self.value(buf, list));
                break;
            }
        }
        args.reverse();
        for (a, t) in args.iter_mut().zip(info.args) {
            if t.is_gc() {
                // Which of the trace's objects it is does not matter for the answer.
                *a = (*a).min(FIRST_OBJECT);
            }
        }
        let id = i.lit_b();
        let e = info.effect;
        let mut h = hash((self.seed, id, &args));
        if i.op != IrOp::CallN {
            h ^= self.digest().wrapping_add(hash(self.epochs));
        }
        if i.op == IrOp::Call {
            self.log.push(Event::Call(id, args, self.digest()));
            h ^= self.log.len() as u64;
            let lua = e.has(Effect::RUNS_LUA);
            for (bit, kind) in [
                (Effect::WRITES, 0),
                (Effect::RESHAPES, 2),
                (Effect::RESHAPES, 3),
                (Effect::LENGTH, 3),
            ] {
                if lua || e.has(bit) {
                    self.forget(kind);
                }
            }
            if lua {
                self.forget(1);
            }
        }
        Ok(match info.ret {
            Ty::Float => canonical((h % 1000) as f64 / 8.0),
            Ty::Int => h % 5,
            _ => h,
        })
    }

    fn helper(&mut self, buf: &IrBuf, r: Ref, i: Ins) -> Result<u64, Stop> {
        let pc = self.value(buf, buf.at(i.a).a);
        let state = self.state_digest();
        let e = Event::Helper(pc, state);
        let h = hash((self.seed, pc, self.log.len(), state));
        self.log.push(e);
        for kind in 0..4 {
            if i.op != IrOp::XOpQ {
                self.forget(kind);
            }
        }
        if h.is_multiple_of(16) {
            return Err(Stop::Helper(r));
        }
        if self.frame_slots > 0 {
            let n = (pc % self.frame_slots as u64) as i32;
            let tag = TAGS[(h >> 8) as usize % 3];
            self.slots
                .insert(n, (payload(tag, h >> 16), tag.0 as u32 as u64));
        }
        Ok(0)
    }

    fn float(&self, i: Ins, a: u64, b: u64) -> Option<u64> {
        use IrOp::*;
        let (x, y) = (f64::from_bits(a), f64::from_bits(b));
        Some(canonical(match i.op {
            Add => x + y,
            Sub => x - y,
            Mul => x * y,
            Div => x / y,
            Neg => -x,
            Abs => x.abs(),
            Sqrt => x.sqrt(),
            Min => {
                if y < x {
                    y
                } else {
                    x
                }
            }
            Max => {
                if x < y {
                    y
                } else {
                    x
                }
            }
            Round => match i.lit_b() {
                0 => x.round_ties_even(),
                1 => x.floor(),
                2 => x.ceil(),
                _ => x.trunc(),
            },
            ItoF => a as i64 as f64,
            _ => return None,
        }))
    }
}

/// Integer operations; `None` where they are undefined.
fn integer(op: IrOp, x: i64, y: i64) -> Option<i64> {
    use IrOp::*;
    let shift = (0..64).contains(&y);
    let divide = y != 0 && y != -1;
    Some(match op {
        Add => x.wrapping_add(y),
        Sub => x.wrapping_sub(y),
        Mul => x.wrapping_mul(y),
        Neg => x.wrapping_neg(),
        And => x & y,
        Or => x | y,
        Xor => x ^ y,
        Not => !x,
        Abs => x.wrapping_abs(),
        Min => x.min(y),
        Max => x.max(y),
        Shl if shift => ((x as u64) << y) as i64,
        Shr if shift => ((x as u64) >> y) as i64,
        Sar if shift => x >> y,
        IDiv if divide => {
            let q = x.div_euclid(y);
            if y < 0 && x.rem_euclid(y) != 0 {
                q - 1
            } else {
                q
            }
        }
        IMod if divide => {
            let m = x.rem_euclid(y);
            if y < 0 && m != 0 { m + y } else { m }
        }
        _ => return None,
    })
}
