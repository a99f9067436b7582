//! The exits of a trace as they are kept: packed, read when an exit is taken or a side trace begins there.
//!
//! ```text
//! words   a slot each: place of the tag (8 bits), place of the payload (8), slot (15), the tag is a frame word (1)
//! types   of the payloads, a byte for each word
//! bytes   for each exit: flags, pc (in words from the trace's first), base, [top], [pcalls], [room], first word and number of its
//!         slots, [the same of those that are a model's], [objects, parts, roots]
//! objects number, recipes; number of parts, for each the object's number, the part, type, payload, tag
//! roots   number, pairs of places
//! place   a byte: register, spill slot, constant of the trace, sunk object; or [`WIDE`], then what and a number
//! ```
//! Numbers in `bytes` are in base 128, signed ones with the sign in the lowest bit. A slot whose place is [`WIDE`] has the rest in `bytes`,
//! where `wide` says.
//!
//! The first slots of an exit are mostly those of a *model*, an exit before it, since exits of one trace differ in the innermost
//! frame; they are read there. A model has no model itself, so an exit has two runs of slots at most. Slots are the only thing that all exits
//! have many of, and the only thing whose reading takes time: so they are words, and take 5 bytes.

use crate::ir::{Part, Snap, Ty};
use crate::loc::{ExitMap, ExitPart, ExitSlot, Loc, NewObject};

/// What exits of a trace restore, by snapshot.
#[derive(Debug, Default)]
pub struct Exits {
    words: Box<[u32]>,
    types: Box<[Ty]>,
    bytes: Box<[u8]>,
    /// Offset in `bytes` of each exit.
    starts: Box<[u32]>,
    konsts: Box<[u64]>,
    /// Twice the index of a word, plus 1 for its tag; offset in `bytes` of the rest of the place. In order.
    wide: Box<[(u32, u32)]>,
    first_pc: u64,
}

/// An exit that is being read.
#[derive(Clone, Copy, Debug)]
pub struct Exit<'a> {
    /// As in [`ExitMap`].
    pub pc: u64,
    /// As in [`ExitMap`].
    pub base: i16,
    /// As in [`ExitMap`].
    pub top: i16,
    /// As in [`ExitMap`].
    pub pcalls: u16,
    /// As in [`ExitMap`].
    pub poll: bool,
    /// As in [`ExitMap`].
    pub room: u16,
    all: &'a Exits,
    /// Of the model, own ones.
    slots: [Range; 2],
    objects: Option<Reader<'a>>,
}

/// Some of the slots: words from `start` to `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    start: u32,
    end: u32,
}

// flags of an exit
const TOP: u8 = 1;
const PCALLS: u8 = 2;
const ROOM: u8 = 4;
const POLL: u8 = 8;
const OBJECTS: u8 = 16;
const MODEL: u8 = 32;

// places: below 32 general registers, then these
const FPR: u8 = 32;
const SPILL: u8 = 64;
const SUNK: u8 = 112;
const NONE: u8 = 126;
const WIDE: u8 = 127;
const KONST: u8 = 128;

// what follows WIDE
const WIDE_SPILL: u8 = 0;
const WIDE_SUNK: u8 = 1;
const WIDE_KONST: u8 = 2;

// recipes
const TABLE: u8 = 0;
const ARRAY: u8 = 1;
const CELL: u8 = 2;
const CLOSURE: u8 = 3;

// parts of objects
const SLOT: u8 = 0;
const ELEM: u8 = 1;
const VALUE: u8 = 2;
const UPVALUE: u8 = 3;
const FIELD: u8 = 4;

impl Exits {
    /// Packs `maps`, those of a trace that begins at `first_pc`.
    pub fn new(maps: &[ExitMap], first_pc: u64) -> Exits {
        let mut w = Writer::default();
        let mut starts = Vec::with_capacity(maps.len());
        let mut model: Option<(&[ExitSlot], u32)> = None;
        for map in maps {
            let common = model.map_or(0, |(m, _)| {
                let pairs = m.iter().zip(&map.slots);
                pairs.take_while(|(a, b)| a == b).count()
            });
            let first = w.words.len() as u32;
            let shared = match model {
                Some((_, start)) if common > 0 && 2 * common >= map.slots.len() => Range {
                    start,
                    end: start + common as u32,
                },
                _ => {
                    model = Some((&map.slots, first));
                    Range::default()
                }
            };
            w.slots(&map.slots[(shared.end - shared.start) as usize..]);
            // the rest of the slots' places comes before
            starts.push(w.bytes.len() as u32);
            let end = w.words.len() as u32;
            w.head(map, first_pc, [shared, Range { start: first, end }]);
        }
        Exits {
            words: w.words.into(),
            types: w.types.into(),
            bytes: w.bytes.into(),
            starts: starts.into(),
            konsts: w.konsts.into(),
            wide: w.wide.into(),
            first_pc,
        }
    }
    /// How many.
    pub fn len(&self) -> usize {
        self.starts.len()
    }
    /// A trace that cannot be left.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
    /// The exit of snapshot `n`.
    #[inline]
    pub fn get(&self, n: u16) -> Exit<'_> {
        let mut r = self.reader(self.starts[n as usize]);
        let flags = r.byte();
        let pc = self.first_pc.wrapping_add_signed(8 * r.signed());
        let base = r.signed() as i16;
        let mut top = Snap::NO_TOP;
        if flags & TOP != 0 {
            top = r.signed() as i16;
        }
        let mut number = |flag| if flags & flag != 0 { r.number() } else { 0 };
        let (pcalls, room) = (number(PCALLS), number(ROOM));
        let own = r.range();
        let shared = if flags & MODEL != 0 {
            r.range()
        } else {
            Range::default()
        };
        Exit {
            pc,
            base,
            top,
            pcalls: pcalls as u16,
            poll: flags & POLL != 0,
            room: room as u16,
            all: self,
            slots: [shared, own],
            objects: (flags & OBJECTS != 0).then_some(r),
        }
    }
    fn reader(&self, at: u32) -> Reader<'_> {
        Reader {
            bytes: &self.bytes,
            konsts: &self.konsts,
            at: at as usize,
        }
    }
    #[inline(always)]
    fn slot(&self, n: usize) -> ExitSlot {
        let word = self.words[n];
        let place = |code: u8, half: u32| match code {
            WIDE => self.wide_place(2 * n as u32 + half),
            _ => plain_place(code, &self.konsts),
        };
        ExitSlot {
            slot: word as i16 >> 1,
            word: word & 1 != 0,
            val: place((word >> 16) as u8, 0),
            tag: place((word >> 24) as u8, 1),
            ty: self.types[n],
        }
    }
    #[cold]
    fn wide_place(&self, which: u32) -> Loc {
        let n = self.wide.partition_point(|w| w.0 < which);
        self.reader(self.wide[n].1).wide_place()
    }
}

/// The place that a byte names, which is not [`WIDE`].
#[inline(always)]
fn plain_place(code: u8, konsts: &[u64]) -> Loc {
    match code {
        KONST.. => Loc::Const(konsts[usize::from(code - KONST)]),
        0..FPR => Loc::Gpr(code),
        FPR..SPILL => Loc::Fpr(code - FPR),
        SPILL..SUNK => Loc::Spill(u16::from(code - SPILL)),
        SUNK..NONE => Loc::Sunk(u16::from(code - SUNK)),
        _ => Loc::None,
    }
}

impl<'a> Exit<'a> {
    /// Slots to write.
    pub fn slots(&self) -> impl Iterator<Item = ExitSlot> + use<'a> {
        let all = self.all;
        let [a, b] = self.slots.map(|r| r.start as usize..r.end as usize);
        a.chain(b).map(|n| all.slot(n))
    }
    /// As [`Exit::slots`], for those in a hurry.
    #[inline(always)]
    pub fn each_slot(&self, mut f: impl FnMut(ExitSlot)) {
        for range in self.slots {
            for n in range.start as usize..range.end as usize {
                f(self.all.slot(n));
            }
        }
    }
    /// There are objects to be made, or roots to be told.
    pub fn has_objects(&self) -> bool {
        self.objects.is_some()
    }
    /// Objects to be made before; `Loc::Sunk` numbers them.
    pub fn objects(&self) -> impl Iterator<Item = NewObject> + use<'a> {
        let (n, mut r) = counted(self.objects);
        (0..n).map(move |_| r.object())
    }
    /// What is in the objects: number of the object, part. Other parts are as the allocation leaves them.
    pub fn parts(&self) -> impl Iterator<Item = (usize, ExitPart)> + use<'a> {
        let (n, mut r) = counted(self.after_objects());
        (0..n).map(move |_| (r.number(), r.part()))
    }
    /// As in [`ExitMap`].
    pub fn roots(&self) -> impl Iterator<Item = (Loc, Loc)> + use<'a> {
        let (parts, mut r) = counted(self.after_objects());
        for _ in 0..parts {
            r.number();
            r.part();
        }
        let (n, mut r) = counted(self.objects.map(|_| r));
        (0..n).map(move |_| (r.place(), r.place()))
    }
    fn after_objects(&self) -> Option<Reader<'a>> {
        let (n, mut r) = counted(self.objects);
        for _ in 0..n {
            r.object();
        }
        self.objects.map(|_| r)
    }
}

/// A list that begins with its length; none: an empty one.
fn counted(r: Option<Reader<'_>>) -> (usize, Reader<'_>) {
    match r {
        Some(mut r) => (r.number(), r),
        None => (
            0,
            Reader {
                bytes: &[],
                konsts: &[],
                at: 0,
            },
        ),
    }
}

#[derive(Clone, Copy, Debug)]
struct Reader<'a> {
    bytes: &'a [u8],
    konsts: &'a [u64],
    at: usize,
}

impl Reader<'_> {
    #[inline]
    fn byte(&mut self) -> u8 {
        let b = self.bytes[self.at];
        self.at += 1;
        b
    }
    #[inline]
    fn number(&mut self) -> usize {
        let first = self.byte();
        if first < 128 {
            return first.into();
        }
        let (mut n, mut shift) = (usize::from(first & 127), 7);
        loop {
            let b = self.byte();
            n |= usize::from(b & 127) << shift;
            if b < 128 {
                return n;
            }
            shift += 7;
        }
    }
    #[inline]
    fn signed(&mut self) -> i64 {
        let n = self.number();
        (n >> 1) as i64 ^ -((n & 1) as i64)
    }
    fn range(&mut self) -> Range {
        let (start, n) = (self.number() as u32, self.number() as u32);
        Range {
            start,
            end: start + n,
        }
    }
    fn place(&mut self) -> Loc {
        match self.byte() {
            WIDE => self.wide_place(),
            code => plain_place(code, self.konsts),
        }
    }
    fn wide_place(&mut self) -> Loc {
        let (what, n) = (self.byte(), self.number());
        match what {
            WIDE_SPILL => Loc::Spill(n as u16),
            WIDE_SUNK => Loc::Sunk(n as u16),
            _ => Loc::Const(self.konsts[n]),
        }
    }
    fn konst(&mut self) -> u64 {
        match self.place() {
            Loc::Const(bits) => bits,
            _ => unreachable!("written as a constant"),
        }
    }
    fn object(&mut self) -> NewObject {
        let kind = self.byte();
        let bits = if kind == CELL { 0 } else { self.konst() };
        let n = self.number() as u16;
        match kind {
            TABLE => NewObject::Table {
                shape: bits,
                slots: n,
            },
            ARRAY => NewObject::Array {
                shape: bits,
                slots: n,
            },
            CELL => NewObject::Cell { readonly: n != 0 },
            _ => NewObject::Closure {
                proto: bits,
                upvals: n,
            },
        }
    }
    fn part(&mut self) -> ExitPart {
        let (kind, n) = (self.byte(), self.number() as u16);
        let ty = Ty::ALL[usize::from(self.byte())];
        ExitPart {
            part: match kind {
                SLOT => Part::Slot(n),
                ELEM => Part::Elem(n),
                VALUE => Part::Cell,
                UPVALUE => Part::Upvalue(n),
                _ => Part::Field(n),
            },
            val: self.place(),
            tag: self.place(),
            ty,
        }
    }
}

#[derive(Default)]
struct Writer {
    words: Vec<u32>,
    types: Vec<Ty>,
    bytes: Vec<u8>,
    konsts: Vec<u64>,
    wide: Vec<(u32, u32)>,
}

impl Writer {
    /// Everything about an exit; its slots have been written.
    fn head(&mut self, map: &ExitMap, first_pc: u64, [shared, own]: [Range; 2]) {
        let flag = |cond, flag| if cond { flag } else { 0 };
        let objects = !(map.objects.is_empty() && map.roots.is_empty());
        let (top, pcalls, room) = (map.top != Snap::NO_TOP, map.pcalls != 0, map.room != 0);
        let model = shared != Range::default();
        self.bytes.push(
            flag(top, TOP)
                | flag(pcalls, PCALLS)
                | flag(room, ROOM)
                | flag(map.poll, POLL)
                | flag(model, MODEL)
                | flag(objects, OBJECTS),
        );
        self.signed(map.pc.wrapping_sub(first_pc) as i64 / 8);
        self.signed(map.base.into());
        if top {
            self.signed(map.top.into());
        }
        if pcalls {
            self.number(map.pcalls.into());
        }
        if room {
            self.number(map.room.into());
        }
        self.range(own);
        if model {
            self.range(shared);
        }
        if objects {
            self.objects(map);
        }
    }
    fn range(&mut self, r: Range) {
        self.number(r.start as usize);
        self.number((r.end - r.start) as usize);
    }
    fn objects(&mut self, map: &ExitMap) {
        self.number(map.objects.len());
        for o in &map.objects {
            let (kind, bits, n) = match o.new {
                NewObject::Table { shape, slots } => (TABLE, shape, slots),
                NewObject::Array { shape, slots } => (ARRAY, shape, slots),
                NewObject::Cell { readonly } => (CELL, 0, readonly.into()),
                NewObject::Closure { proto, upvals } => (CLOSURE, proto, upvals),
            };
            self.bytes.push(kind);
            if kind != CELL {
                self.place(Loc::Const(bits));
            }
            self.number(n.into());
        }
        self.number(map.objects.iter().map(|o| o.parts.len()).sum());
        for (n, o) in map.objects.iter().enumerate() {
            for p in &o.parts {
                self.number(n);
                let (kind, n) = match p.part {
                    Part::Slot(n) => (SLOT, n),
                    Part::Elem(n) => (ELEM, n),
                    Part::Cell => (VALUE, 0),
                    Part::Upvalue(n) => (UPVALUE, n),
                    Part::Field(n) => (FIELD, n),
                };
                self.bytes.push(kind);
                self.number(n.into());
                self.bytes.push(p.ty as u8);
                self.place(p.val);
                self.place(p.tag);
            }
        }
        self.number(map.roots.len());
        for &(val, tag) in &map.roots {
            self.place(val);
            self.place(tag);
        }
    }
    fn slots(&mut self, slots: &[ExitSlot]) {
        for s in slots {
            debug_assert!(s.slot << 1 >> 1 == s.slot);
            let low = (s.slot << 1) as u16 | u16::from(s.word);
            let mut word = u32::from(low);
            for (half, at) in [s.val, s.tag].into_iter().enumerate() {
                let code = match self.code(at) {
                    Ok(code) => code,
                    Err((what, n)) => {
                        let which = 2 * self.words.len() + half;
                        self.wide.push((which as u32, self.bytes.len() as u32));
                        self.bytes.push(what);
                        self.number(n);
                        WIDE
                    }
                };
                word |= u32::from(code) << (16 + 8 * half);
            }
            self.words.push(word);
            self.types.push(s.ty);
        }
    }
    fn number(&mut self, mut n: usize) {
        while n >= 128 {
            self.bytes.push(n as u8 | 128);
            n >>= 7;
        }
        self.bytes.push(n as u8);
    }
    fn signed(&mut self, n: i64) {
        self.number((n << 1 ^ n >> 63) as usize);
    }
    fn place(&mut self, at: Loc) {
        match self.code(at) {
            Ok(code) => self.bytes.push(code),
            Err((what, n)) => {
                self.bytes.extend([WIDE, what]);
                self.number(n);
            }
        }
    }
    /// The byte that names a place; the error is what follows [`WIDE`].
    fn code(&mut self, at: Loc) -> Result<u8, (u8, usize)> {
        let short = |n: usize, codes: std::ops::Range<usize>, what| match codes.start + n {
            code if code < codes.end => Ok(code as u8),
            _ => Err((what, n)),
        };
        match at {
            Loc::Gpr(n) => Ok(n),
            Loc::Fpr(n) => Ok(FPR + n),
            Loc::None => Ok(NONE),
            Loc::Spill(n) => short(n.into(), SPILL.into()..SUNK.into(), WIDE_SPILL),
            Loc::Sunk(n) => short(n.into(), SUNK.into()..NONE.into(), WIDE_SUNK),
            Loc::Const(bits) => {
                let known = self.konsts.iter().position(|&k| k == bits);
                let n = known.unwrap_or(self.konsts.len());
                if known.is_none() {
                    self.konsts.push(bits);
                }
                short(n, KONST.into()..256, WIDE_KONST)
            }
        }
    }
}

#[cfg(test)]
mod tests;
