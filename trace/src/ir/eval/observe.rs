//! What of a machine's state a program can observe, in a form that two runs can be compared by.

use traceorus_base::Tag;

use super::{FIRST_OBJECT, Machine, OBJECT_BYTES, Place, hash, tag_place};

/// What a program can observe.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Observed {
    /// Payload and tag of the frame's slots.
    pub slots: Vec<(u64, i32)>,
    /// Memory that was written.
    pub memory: Vec<(Place, u64)>,
}

/// Base address of a place.
pub(super) fn address(p: Place) -> u64 {
    match p {
        Place::Elem(a, _) | Place::ElemTag(a, _) | Place::Slot(a, _) | Place::SlotTag(a, _) => a,
        Place::Cell(a)
        | Place::CellTag(a)
        | Place::Entry(a)
        | Place::EntryTag(a)
        | Place::Private(a) => a,
        Place::Upvalue(a, _) | Place::Field(a, _) => a,
    }
}

/// The place in the object at `to` that `p` is in the object at `from`.
fn moved(p: Place, from: u64, to: u64) -> Place {
    let m = |a: u64| a - from + to;
    match p {
        Place::Elem(a, n) => Place::Elem(m(a), n),
        Place::ElemTag(a, n) => Place::ElemTag(m(a), n),
        Place::Slot(a, n) => Place::Slot(m(a), n),
        Place::SlotTag(a, n) => Place::SlotTag(m(a), n),
        Place::Cell(a) => Place::Cell(m(a)),
        Place::CellTag(a) => Place::CellTag(m(a)),
        Place::Entry(a) => Place::Entry(m(a)),
        Place::EntryTag(a) => Place::EntryTag(m(a)),
        Place::Private(a) => Place::Private(m(a)),
        Place::Upvalue(a, n) => Place::Upvalue(m(a), n),
        Place::Field(a, n) => Place::Field(m(a), n),
    }
}

/// Objects in the order in which they were found.
struct Found(Vec<u64>);

impl Found {
    /// The value as shown: objects made on the trace by number.
    fn number(&mut self, v: u64, tag: Tag) -> u64 {
        if !tag.is_collectable() || !(FIRST_OBJECT..1 << 40).contains(&v) {
            return v;
        }
        let k = self.0.iter().position(|&f| f == v).unwrap_or_else(|| {
            self.0.push(v);
            self.0.len() - 1
        });
        FIRST_OBJECT + k as u64 * OBJECT_BYTES
    }
}

impl Machine {
    /// The state that a program can observe: slots if `frame`, and memory that has been written, as well as that in `also`. Objects
    /// made on the trace are numbered as they are found from there: how many were made, and in which order, does not show.
    pub fn observable(&self, frame: bool, also: &[Place]) -> Observed {
        let mut found = Found(Vec::new());
        let mut slots = Vec::new();
        if frame {
            for n in 0..self.frame_slots {
                let (v, tag) = self.slot(n);
                slots.push((found.number(v, Tag(tag)), tag));
            }
        }
        let written = |from: u64, to: u64| {
            let mut places: Vec<Place> = (self.mem.keys().chain(also).copied())
                .filter(|&p| (from..to).contains(&address(p)))
                .collect();
            places.sort_unstable();
            places.dedup();
            places
        };
        let mut memory = Vec::new();
        let mut look = |p: Place, shown: Place, found: &mut Found| {
            let tag = match (tag_place(p), p) {
                (Some(t), _) => Tag(self.read(t) as i32),
                (None, Place::Upvalue(..)) => Tag::CELL,
                (None, _) => Tag::NIL,
            };
            memory.push((shown, found.number(self.observe(p), tag)));
        };
        for p in written(0, FIRST_OBJECT) {
            look(p, p, &mut found);
        }
        let mut k = 0;
        while k < found.0.len() {
            let object = found.0[k];
            let mut places = written(object, object + OBJECT_BYTES);
            // Of objects, what this machine wrote: numbers in `also` are the other's. They begin as nil.
            let nil = |t: Place| self.read(t) as i32 == Tag::NIL.0;
            let tag = |p: Place| match p {
                Place::ElemTag(..) | Place::SlotTag(..) | Place::CellTag(..) => Some(p),
                _ => tag_place(p),
            };
            places.retain(|&p| self.mem.contains_key(&p) && !tag(p).is_some_and(nil));
            for p in places {
                look(
                    p,
                    moved(p, object, FIRST_OBJECT + k as u64 * OBJECT_BYTES),
                    &mut found,
                );
            }
            k += 1;
        }
        Observed { slots, memory }
    }
    /// Digest of the memory that has been written.
    pub fn digest(&self) -> u64 {
        hash(self.observable(false, &[]).memory)
    }
    /// Digest of the frame's slots and of memory.
    pub fn state_digest(&self) -> u64 {
        let o = self.observable(true, &[]);
        hash((o.slots, o.memory))
    }
}
