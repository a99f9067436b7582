//! Random programs against a model: whatever the interleaving of stores, steps and collections, what is
//! reachable is intact; after full collections exactly that is in use.

use super::world::*;
use crate::mark::run_start;
use crate::*;
use quickcheck::{Arbitrary, Gen, QuickCheck};
use std::collections::{HashMap, HashSet};
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// What an object should contain.
#[derive(Clone, Default)]
struct Shadow {
    tag: i32,
    array: Vec<Value>,
    fields: Vec<Value>,
    dict: Vec<(Value, Value)>,
    mode: u8,
    bytes: Vec<u8>,
    meta: usize,
}

/// One operation.
#[derive(Clone, Debug)]
struct Op(u8, u8, u8, u16);

impl Arbitrary for Op {
    fn arbitrary(g: &mut Gen) -> Op {
        Op(
            u8::arbitrary(g),
            u8::arbitrary(g),
            u8::arbitrary(g),
            u16::arbitrary(g),
        )
    }
}

struct Program {
    w: Box<World>,
    model: HashMap<usize, Shadow>,
    modes: [*mut Table; 4],
}

const ROOTS: usize = 12;

fn same(a: Value, b: Value) -> bool {
    a.tag == b.tag && a.payload == b.payload
}

impl Program {
    fn new() -> Program {
        let mut w = World::new(true);
        let modes = [
            WeakMode::None,
            WeakMode::Keys,
            WeakMode::Values,
            WeakMode::Both,
        ]
        .map(|m| w.mode_table(m));
        for (i, &m) in modes.iter().enumerate() {
            w.roots[ROOTS + i] = tab(m);
        }
        Program {
            w,
            model: HashMap::new(),
            modes,
        }
    }

    fn put(&mut self, root: usize, p: *mut u8, tag: Tag, mut s: Shadow) {
        s.tag = tag.0;
        self.model.insert(p.addr(), s);
        self.w.roots[root] = Value::ptr(p, tag);
    }

    fn shadow(&mut self, v: Value) -> &mut Shadow {
        self.model
            .get_mut(&(v.payload as usize))
            .expect("in the model")
    }

    fn run(&mut self, op: &Op) {
        let &Op(what, a, b, n) = op;
        let (a, b) = (a as usize % ROOTS, b as usize % ROOTS);
        let nil = |n: usize| vec![Value::NIL; n];
        match what % 24 {
            0 | 1 => {
                let n = n as usize;
                // now and then one that is scanned in slices
                let (arr, f) = (
                    if n.is_multiple_of(50) { 5000 } else { n % 20 },
                    n / 20 % 12,
                );
                let t = self.w.table(arr, f);
                let s = Shadow {
                    array: nil(arr),
                    fields: nil(f),
                    ..Shadow::default()
                };
                self.put(a, t.cast(), Tag::TABLE, s);
            }
            2 => {
                let t = self.w.dict_table(1 + n as usize % 16);
                self.put(a, t.cast(), Tag::TABLE, Shadow::default());
            }
            3 | 4 => {
                let bytes = match n % 8 {
                    7 => vec![b'l'; 41 + n as usize % 12_000],
                    _ => format!("str{}", n % 64).into_bytes(),
                };
                let p = self.w.str(&bytes);
                let s = Shadow {
                    bytes,
                    ..Shadow::default()
                };
                self.put(a, p.cast(), Tag::STRING, s);
            }
            5 => {
                let v = self.w.roots[b];
                let c = self.w.cell(v);
                let s = Shadow {
                    fields: vec![v],
                    ..Shadow::default()
                };
                self.put(a, c.cast(), Tag::CELL, s);
            }
            6 => {
                let v = self.w.roots[b];
                let ups = vec![v; n as usize % 5];
                let c = self.w.native(&ups);
                let s = Shadow {
                    fields: ups,
                    ..Shadow::default()
                };
                self.put(a, c.cast(), Tag::FUNCTION, s);
            }
            7 => {
                let size = if n % 4 == 0 {
                    n as usize
                } else {
                    n as usize % 100
                };
                let u = self.w.userdata(n as usize % 4, size);
                let s = Shadow {
                    fields: nil(n as usize % 4),
                    bytes: vec![0x5a; size],
                    ..Shadow::default()
                };
                self.put(a, u.cast(), Tag::USERDATA, s);
            }
            8 => {
                let k = n as usize % 10;
                let t = self.w.thread(k + 2 + n as usize % 7, k);
                let s = Shadow {
                    fields: nil(k),
                    ..Shadow::default()
                };
                self.put(a, t.cast(), Tag::THREAD, s);
            }
            9..=14 => {
                let v = match n % 5 {
                    0 => Value::int(n.into()),
                    1 => Value::NIL,
                    _ => self.w.roots[b],
                };
                self.store(
                    self.w.roots[a],
                    self.w.roots[n as usize % ROOTS],
                    v,
                    n as usize / 5,
                );
            }
            15 | 16 => {
                // load
                let o = self.w.roots[a];
                if o.tag.is_collectable() {
                    let s = self.shadow(o).clone();
                    let all: Vec<Value> = s
                        .array
                        .iter()
                        .chain(&s.fields)
                        .copied()
                        .chain(s.dict.iter().flat_map(|&(k, v)| [k, v]))
                        .collect();
                    if !all.is_empty() && s.mode == 0 {
                        self.w.roots[b] = all[n as usize % all.len()];
                    }
                }
            }
            17 => self.w.roots[a] = Value::NIL,
            18 => {
                let o = self.w.roots[a];
                if o.tag == Tag::TABLE {
                    let s = self.shadow(o);
                    let cap = s.array.len() + 1 + n as usize % 9;
                    s.array.resize(cap, Value::NIL);
                    self.w.grow_array(o.as_ptr(), cap);
                }
            }
            19 => {
                let o = self.w.roots[a];
                if o.tag == Tag::TABLE {
                    let mode = n as usize % 4;
                    self.w.set_meta(o.as_ptr(), self.modes[mode]);
                    let meta = self.modes[mode].addr();
                    let s = self.shadow(o);
                    (s.mode, s.meta) = (mode as u8, meta);
                }
            }
            20 => {
                let o = self.w.roots[a];
                if o.tag == Tag::USERDATA {
                    let u: *mut Userdata = o.as_ptr();
                    unsafe { (*u).metatable = self.modes[0] };
                    self.w.touch(u.cast(), tab(self.modes[0]));
                }
            }
            21 | 22 => {
                self.w.h().set_stepsize(4 + u32::from(n % 8));
                self.w.h().set_stepmul(3 + u32::from(n % 16));
                unsafe { self.w.h().step_bytes(0) };
                self.sync();
            }
            _ => {
                if n % 4 == 0 {
                    unsafe { self.w.h().full(n % 8 == 0) };
                    self.sync();
                } else if n % 4 == 1 {
                    unsafe { self.w.h().settle() };
                }
            }
        }
    }

    fn store(&mut self, o: Value, k: Value, v: Value, n: usize) {
        if !o.tag.is_collectable() {
            return;
        }
        let s = self
            .model
            .get_mut(&(o.payload as usize))
            .expect("in the model");
        let w = &mut self.w;
        match o.tag {
            Tag::TABLE => {
                let t: *mut Table = o.as_ptr();
                let dict = unsafe { (*t).hdr.flags & flags::TAB_DICT != 0 };
                let len = s.array.len() + s.fields.len();
                if dict && (len == 0 || n.is_multiple_of(2)) {
                    let k = if k.is_nil() {
                        Value::int(n as i64 % 8)
                    } else {
                        k
                    };
                    w.set_key(t, k, v);
                    match s.dict.iter_mut().find(|e| same(e.0, k)) {
                        Some(e) => e.1 = v,
                        None if !v.is_nil() => s.dict.push((k, v)),
                        None => {}
                    }
                    s.dict.retain(|e| !e.1.is_nil());
                } else if len > 0 {
                    let i = n % len;
                    if i < s.array.len() {
                        s.array[i] = v;
                        w.set_array(t, i, v);
                    } else {
                        s.fields[i - s.array.len()] = v;
                        w.set_field(t, i - s.array.len(), v);
                    }
                }
            }
            Tag::STRING => {}
            tag => {
                if s.fields.is_empty() {
                    return;
                }
                let i = n % s.fields.len();
                s.fields[i] = v;
                w.touch(o.as_ptr(), v);
                unsafe { *slots(tag, o.as_ptr()).add(i) = v };
                w.touch(o.as_ptr(), v);
            }
        }
    }

    /// What is strongly reachable, ephemerons included.
    fn reachable(&self) -> HashSet<usize> {
        let mut seen = HashSet::new();
        let mut todo: Vec<Value> = self.w.roots[..ROOTS].to_vec();
        loop {
            while let Some(v) = todo.pop() {
                if !v.tag.is_collectable() || !seen.insert(v.payload as usize) {
                    continue;
                }
                let s = &self.model[&(v.payload as usize)];
                if s.mode < 2 {
                    todo.extend(s.array.iter().chain(&s.fields));
                }
                for &(k, v) in &s.dict {
                    match s.mode {
                        0 => todo.extend([k, v]),
                        2 => todo.push(k),
                        _ => {}
                    }
                }
            }
            for (p, s) in &self.model {
                if s.mode == 1 && seen.contains(p) {
                    todo.extend(
                        s.dict
                            .iter()
                            .filter(|(k, v)| {
                                (!k.tag.is_collectable()
                                    || k.tag == Tag::STRING
                                    || seen.contains(&(k.payload as usize)))
                                    && v.tag.is_collectable()
                                    && !seen.contains(&(v.payload as usize))
                            })
                            .map(|e| e.1),
                    );
                }
            }
            if todo.is_empty() {
                // strings are values: weak tables keep those of entries that stay
                let stays = |v: Value| {
                    !v.tag.is_collectable()
                        || v.tag == Tag::STRING
                        || seen.contains(&(v.payload as usize))
                };
                for (p, s) in &self.model {
                    if s.mode == 0 || !seen.contains(p) {
                        continue;
                    }
                    let kept = s
                        .dict
                        .iter()
                        .filter(|e| {
                            (s.mode & 1 == 0 || stays(e.0)) && (s.mode & 2 == 0 || stays(e.1))
                        })
                        .flat_map(|&(k, v)| [k, v]);
                    let all = s.array.iter().chain(&s.fields).copied().chain(kept);
                    todo.extend(
                        all.filter(|v| {
                            v.tag == Tag::STRING && !seen.contains(&(v.payload as usize))
                        }),
                    );
                }
            }
            if todo.is_empty() {
                return seen;
            }
        }
    }

    /// Compares all reachable objects with the model; takes over what weak tables lost, which must have been
    /// unreachable.
    fn sync(&mut self) {
        let live = self.reachable();
        let lost = |v: Value| {
            v.tag.is_collectable() && v.tag != Tag::STRING && !live.contains(&(v.payload as usize))
        };
        for &p in &live {
            let s = self.model.get_mut(&p).expect("in the model");
            let o: *mut GcHeader = core::ptr::with_exposed_provenance_mut(p);
            unsafe {
                match Tag(s.tag) {
                    Tag::STRING => assert_eq!(str_bytes(o.cast()), s.bytes),
                    Tag::TABLE => {
                        let t: *mut Table = o.cast();
                        assert_eq!((*t).arr_cap as usize, s.array.len());
                        assert_eq!((*t).metatable.addr(), s.meta);
                        let weak = s.mode >= 2;
                        for (i, v) in s.array.iter_mut().enumerate() {
                            check(run_get((*t).array, i), v, weak && lost(*v));
                        }
                        for (i, v) in s.fields.iter_mut().enumerate() {
                            check(run_get((*t).hash.cast(), i), v, weak && lost(*v));
                        }
                        let mode = s.mode;
                        s.dict.retain(|&(k, v)| {
                            let real = self.w.get_key(t, k);
                            if real.is_nil() {
                                assert!(
                                    mode & 2 != 0 && lost(v) || mode & 1 != 0 && lost(k),
                                    "an entry that lives was lost"
                                );
                                return false;
                            }
                            assert!(same(real, v));
                            true
                        });
                    }
                    tag => {
                        let n = s.fields.len();
                        for i in 0..n {
                            assert!(same(*slots(tag, o).add(i), s.fields[i]));
                        }
                        if tag == Tag::USERDATA {
                            let b = o.cast::<u8>().add(Userdata::block_offset(n));
                            let b = core::slice::from_raw_parts(b, s.bytes.len());
                            assert_eq!(b, s.bytes);
                        }
                    }
                }
            }
        }
    }

    /// Bytes that the reachable objects take.
    fn expected(&self) -> usize {
        let size = |n: usize| {
            if n <= MAX_SMALL {
                class_bytes(size_class(n))
            } else {
                n
            }
        };
        let mut sum = 0;
        for p in self.reachable() {
            let s = &self.model[&p];
            let o: *mut GcHeader = core::ptr::with_exposed_provenance_mut(p);
            unsafe {
                sum += match Tag(s.tag) {
                    Tag::STRING => size(Str::size_for(s.bytes.len())),
                    Tag::TABLE => {
                        let t: *mut Table = o.cast();
                        let f = s.fields.len();
                        let mut n = size(Table::size_for(if f <= 8 { f } else { 0 }));
                        if f > 8 {
                            n += size(tagged_run_size(f).0);
                        }
                        if !s.array.is_empty() {
                            assert_eq!(run_start((*t).array, s.array.len()).addr() % 16, 0);
                            n += size(tagged_run_size(s.array.len()).0);
                        }
                        if (*t).hdr.flags & flags::TAB_DICT != 0 {
                            let d: *mut Dict = (*t).hash.cast();
                            n += size(size_of::<Dict>()) + size(24 * (*d).cap as usize);
                        }
                        n
                    }
                    Tag::CELL => 32,
                    Tag::FUNCTION => size(NativeClosure::size_for(s.fields.len())),
                    Tag::USERDATA => size(Userdata::block_offset(s.fields.len()) + s.bytes.len()),
                    Tag::THREAD => {
                        let t: *mut Thread = o.cast();
                        size(size_of::<Thread>()) + size(16 * (*t).stack_slots as usize)
                    }
                    _ => unreachable!(),
                }
            }
        }
        sum
    }
}

fn check(real: Value, model: &mut Value, may_be_lost: bool) {
    if real.is_nil() && may_be_lost {
        *model = Value::NIL;
    }
    assert!(same(real, *model), "{real:?} instead of {model:?}");
}

unsafe fn slots(tag: Tag, o: *mut GcHeader) -> *mut Value {
    unsafe {
        match tag {
            Tag::CELL => &raw mut (*o.cast::<Cell>()).value,
            Tag::FUNCTION => o.cast::<u8>().add(NativeClosure::UPVALS).cast(),
            Tag::USERDATA => o.cast::<u8>().add(Userdata::UVALS).cast(),
            Tag::THREAD => (*o.cast::<Thread>()).base,
            _ => unreachable!(),
        }
    }
}

fn random_program(ops: Vec<Op>) -> bool {
    let mut p = Program::new();
    unsafe { p.w.h().full(false) };
    let empty = p.w.h().used_bytes();
    for (i, op) in ops.iter().enumerate() {
        p.run(op);
        if i % 16 == 0 {
            p.w.verify();
        }
    }
    p.sync();
    for _ in 0..2 {
        p.w.full();
        p.sync();
    }
    assert_eq!(p.w.h().used_bytes(), empty + p.expected());
    true
}

/// Seconds of random testing; more by `TRACEORUS_QC_SECONDS`.
#[test]
fn random_graphs() {
    let secs = std::env::var("TRACEORUS_QC_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(2);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(secs);
    let mut size = 50;
    while std::time::Instant::now() < end {
        QuickCheck::new()
            .rng(Gen::new(size))
            .tests(10)
            .quickcheck(random_program as fn(Vec<Op>) -> bool);
        size = (size * 2).min(3000);
    }
}
