use quickcheck::{Arbitrary, Gen, quickcheck};

use super::*;
use crate::loc::ExitObject;

fn pick<T: Clone>(g: &mut Gen, from: &[T]) -> T {
    g.choose(from).expect("not empty").clone()
}

fn loc(g: &mut Gen) -> Loc {
    match u8::arbitrary(g) % 8 {
        0 => Loc::None,
        1 | 2 => Loc::Gpr(u8::arbitrary(g) % 32),
        3 => Loc::Fpr(u8::arbitrary(g) % 32),
        4 => Loc::Spill(u16::arbitrary(g) % 300),
        5 => Loc::Sunk(u16::arbitrary(g) % 200),
        6 => Loc::Const(i64::from(i8::arbitrary(g)) as u64),
        _ => Loc::Const(u64::arbitrary(g)),
    }
}

fn ty(g: &mut Gen) -> Ty {
    pick(g, &Ty::ALL)
}

fn object(g: &mut Gen) -> ExitObject {
    let (bits, n) = (u64::arbitrary(g), u16::arbitrary(g));
    let (shape, slots) = (bits, n);
    let new = [
        NewObject::Table { shape, slots },
        NewObject::Array { shape, slots },
        NewObject::Cell {
            readonly: n % 2 == 0,
        },
        NewObject::Closure {
            proto: bits,
            upvals: n,
        },
    ];
    let part = |g: &mut Gen| {
        let n = u16::arbitrary(g);
        let part = [
            Part::Slot(n),
            Part::Elem(n),
            Part::Cell,
            Part::Upvalue(n),
            Part::Field(n),
        ];
        ExitPart {
            part: pick(g, &part),
            val: loc(g),
            tag: loc(g),
            ty: ty(g),
        }
    };
    ExitObject {
        new: pick(g, &new),
        parts: (0..u8::arbitrary(g) % 4).map(|_| part(g)).collect(),
    }
}

#[derive(Clone, Debug)]
struct Maps(Vec<ExitMap>);

impl Arbitrary for Maps {
    /// Exits as traces have them: some of the slots of the one before, then others.
    fn arbitrary(g: &mut Gen) -> Maps {
        let mut before: Vec<ExitSlot> = Vec::new();
        let mut all = Vec::new();
        for _ in 0..u8::arbitrary(g) % 12 {
            let keep = usize::from(u8::arbitrary(g)) % (before.len() + 1);
            before.truncate(keep);
            let mut slot = before.last().map_or(-1, |s| s.slot);
            for _ in 0..u8::arbitrary(g) % 10 {
                let far = i16::arbitrary(g) % 90;
                slot += if bool::arbitrary(g) { 1 } else { far };
                before.push(ExitSlot {
                    slot,
                    word: u8::arbitrary(g) % 8 == 0,
                    val: loc(g),
                    tag: loc(g),
                    ty: ty(g),
                });
            }
            let few = |g: &mut Gen| if bool::arbitrary(g) { 0 } else { 3 };
            let (objects, roots) = (few(g), few(g));
            all.push(ExitMap {
                pc: PC.wrapping_add_signed(8 * i64::from(i32::arbitrary(g))),
                base: i16::arbitrary(g),
                top: pick(g, &[Snap::NO_TOP, 0, -1, i16::MAX]),
                pcalls: u16::arbitrary(g) % 3,
                poll: bool::arbitrary(g),
                room: pick(g, &[0, 1, 500, u16::MAX]),
                slots: before.clone(),
                objects: (0..objects).map(|_| object(g)).collect(),
                roots: (0..roots).map(|_| (loc(g), loc(g))).collect(),
            });
        }
        Maps(all)
    }
}

const PC: u64 = 0x7f00_1234_5678;

/// What is read is what was packed.
fn same(maps: &[ExitMap]) -> bool {
    let packed = Exits::new(maps, PC);
    assert_eq!(packed.len(), maps.len());
    maps.iter().enumerate().all(|(n, m)| {
        let e = packed.get(n as u16);
        let head = (m.pc, m.base, m.top, m.pcalls, m.poll, m.room);
        let parts = m.objects.iter().enumerate();
        let parts = parts.flat_map(|(k, o)| o.parts.iter().map(move |&p| (k, p)));
        head == (e.pc, e.base, e.top, e.pcalls, e.poll, e.room)
            && e.slots().eq(m.slots.iter().copied())
            && e.objects().eq(m.objects.iter().map(|o| o.new))
            && e.parts().eq(parts)
            && e.roots().eq(m.roots.iter().copied())
    })
}

quickcheck! {
    fn what_is_read_is_what_was_packed(maps: Maps) -> bool {
        same(&maps.0)
    }
}

/// An exit with `n` slots: integers in registers, and two constants.
fn plain(n: i16, own: u8) -> ExitMap {
    let slot = |slot: i16| ExitSlot {
        slot,
        word: false,
        val: Loc::Gpr(if slot + 1 == n { own } else { slot as u8 % 13 }),
        tag: Loc::Const(0),
        ty: Ty::Int,
    };
    ExitMap {
        pc: PC + 80,
        base: 0,
        top: Snap::NO_TOP,
        pcalls: 0,
        poll: false,
        room: 0,
        slots: (0..n).map(slot).collect(),
        objects: vec![],
        roots: vec![],
    }
}

#[test]
fn common_slots_are_kept_once() {
    let maps: Vec<ExitMap> = (0..10).map(|k| plain(20, k)).collect();
    let packed = Exits::new(&maps, PC);
    // all of the first, the last of the others
    assert_eq!((packed.words.len(), packed.types.len()), (29, 29));
    assert!(packed.bytes.len() <= 10 * 8, "{}", packed.bytes.len());
    assert_eq!((&packed.konsts[..], packed.wide.len()), (&[0][..], 0));
    assert!(same(&maps));
}

/// An exit that has little in common with the model becomes the model.
#[test]
fn models_change() {
    let mut maps: Vec<ExitMap> = (0..4).map(|k| plain(10, k)).collect();
    for m in &mut maps[2..] {
        for s in &mut m.slots {
            s.val = Loc::Spill(7);
        }
    }
    let packed = Exits::new(&maps, PC);
    let has_model: Vec<bool> = (0..4)
        .map(|n| packed.get(n).slots[0] != Range::default())
        .collect();
    assert_eq!(has_model, [false, true, false, true]);
    assert!(same(&maps));
}

/// More constants than one byte can name.
#[test]
fn many_constants() {
    let mut m = plain(300, 1);
    for s in &mut m.slots {
        s.val = Loc::Const(0x1234_5678_9abc + s.slot as u64);
    }
    let maps = [m.clone(), m];
    assert!(same(&maps));
    // and the tag
    assert_eq!(Exits::new(&maps, PC).konsts.len(), 301);
}
