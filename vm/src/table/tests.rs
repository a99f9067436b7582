//! Tables against a model, and each rule that the module's page states.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests: everything stays alive"
)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::{MaybeUninit, zeroed};
use std::ops::{Deref, DerefMut};

use traceorus_base::objects::{GlobalHot, Str};
use traceorus_gc::{Heap, Hooks, HostAlloc, Marker, WeakMode, alloc_size};

use super::*;
use crate::shape::{self, ShapeState};
use crate::string::{StringTable, str_bytes};

/// A state without threads. Its collector runs only when a test says so, and keeps what [`ROOTS`] holds.
/// Leaked.
pub(crate) struct State(*mut Global);

thread_local! {
    static ROOTS: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

impl State {
    pub(crate) fn new() -> State {
        unsafe fn mark_roots(ctx: *mut u8, m: &mut Marker<'_>) {
            unsafe {
                let g = &mut *(ctx as *mut Global);
                shape::mark_roots(g, m);
                ROOTS.with_borrow(|r| r.iter().for_each(|&v| m.value(v)));
            }
        }
        unsafe fn table_mode(_: *mut u8, _: *mut Table) -> WeakMode {
            WeakMode::None
        }
        unsafe fn atomic_done(ctx: *mut u8, _: &mut Heap) {
            unsafe { shape::shapes_clear_dead(&mut *(ctx as *mut Global)) };
        }
        unsafe fn queue_finalizers(_: *mut u8) {}
        unsafe fn intern_head(ctx: *mut u8, hash: u32) -> *mut *mut Str {
            unsafe { (*(ctx as *mut Global)).strings.head(hash) }
        }
        unsafe {
            let raw = Box::into_raw(Box::new(MaybeUninit::<Global>::zeroed())) as *mut Global;
            let hooks = Hooks {
                ctx: raw as *mut u8,
                mark_roots,
                table_mode,
                atomic_done,
                queue_finalizers,
                intern_head,
            };
            let mut hot: GlobalHot = zeroed();
            hot.error_value = Value::NIL;
            (&raw mut (*raw).hot).write(hot);
            let heap = Heap::new(raw as *mut GlobalHot, hooks, HostAlloc::System);
            (&raw mut (*raw).heap).write(Box::new(heap));
            (&raw mut (*raw).strings).write(StringTable::new(7));
            (&raw mut (*raw).shapes).write(ShapeState::new());
            let g = &mut *raw;
            shape::init(g);
            for (i, m) in MetaMethod::ALL.iter().enumerate() {
                g.hot.meta_names[i] = g.str_new(m.name().as_bytes());
            }
            State(raw)
        }
    }
    pub(crate) fn str(&mut self, s: &str) -> *mut Str {
        unsafe { self.str_new(s.as_bytes()) }
    }
    pub(crate) fn val(&mut self, s: &str) -> Value {
        str_val(self.str(s))
    }
    pub(crate) fn table(&mut self, narr: usize, nrec: usize) -> *mut Table {
        unsafe { table_new(self, narr, nrec) }
    }
    fn set(&mut self, t: *mut Table, k: Value, v: Value) {
        unsafe { table_set(self, t, k, v).unwrap() }
    }
    fn field(&mut self, t: *mut Table, k: &str, v: Value) {
        let k = self.str(k);
        unsafe { table_set_field(self, t, k, v) }
    }
    fn seti(&mut self, t: *mut Table, i: i64, v: Value) {
        unsafe { table_set_int(self, t, i, v) }
    }
}

impl Deref for State {
    type Target = Global;
    fn deref(&self) -> &Global {
        unsafe { &*self.0 }
    }
}
impl DerefMut for State {
    fn deref_mut(&mut self) -> &mut Global {
        unsafe { &mut *self.0 }
    }
}

/// Small generator of random numbers (splitmix).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// Rounds of randomised tests: `TRACEORUS_LONG_TESTS=n` multiplies.
pub(crate) fn rounds(n: u64) -> u64 {
    n * std::env::var("TRACEORUS_LONG_TESTS")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(1)
}

/// Everything that must hold of a table between two operations.
unsafe fn check(g: &mut Global, t: *mut Table) {
    unsafe {
        assert_eq!((*t).hdr.word, (*(*t).shape).hdr.word);
        assert_eq!((*t).hdr.kind, ObjKind::Table as u8);
        let kind = Tag(i32::from((*t).hdr.extra as i8));
        for i in 0..(*t).arr_cap as usize {
            let tag = run_get((*t).array, i).tag;
            assert!(
                tag == Tag::NIL || kind == Tag::ANY || tag == kind,
                "{kind:?} {tag:?}"
            );
            // [DENSE]
            let dense = i != 0 && i <= (*t).arr_len as usize;
            let one = kind != Tag::ANY && kind != Tag::NIL;
            assert!(!one || !dense || tag == kind, "{i}: {kind:?} {tag:?}");
        }
        assert!((*t).arr_len < (*t).arr_cap.max(1));
        if (*t).hdr.flags & flags::TAB_DICT != 0 {
            assert!((*(*t).shape).shape_flags & shape_flags::DICT != 0);
            let d = (*t).hash as *mut Dict;
            assert!((*d).used <= (*d).cap);
            for i in 0..(*d).used {
                let e = (*d).entries.add(i as usize);
                let k = entry_key(&*e);
                if k.tag != Tag::DEADKEY {
                    assert_eq!(dict_find(d, k), e, "{k:?}");
                }
                assert!(k.tag != Tag::INT || k.payload >= u64::from((*t).arr_cap));
            }
        } else {
            let s = (*t).shape;
            assert!((*s).nfields <= (*t).field_cap);
            assert!((*s).shape_flags & shape_flags::DICT == 0);
            for i in 0..(*s).nfields {
                let k = shape_key_at(s, i);
                assert_eq!(shape_find(g, s, k), Some(i));
                assert_eq!(shape_find_slow(s, k), Some(i));
            }
            let want = if (*s).shape_flags & shape_flags::UNCACHED_META != 0 {
                null_mut()
            } else {
                (*t).metatable
            };
            assert_eq!((*s).metatable, want);
        }
        let n = table_len(t) as i64;
        assert!(n == 0 || !table_get_int(t, n).is_nil(), "{n}");
        assert!(table_get_int(t, n + 1).is_nil());
        assert_eq!(table_len(t) as i64, n, "stable");
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key(u64, i32);

fn model_key(v: Value) -> Key {
    let v = normalise(v).unwrap();
    Key(v.payload, v.tag.0)
}

fn random_key(g: &mut State, r: &mut Rng) -> Value {
    match r.below(12) {
        0..=3 => Value::int(r.below(40) as i64),
        4 => Value::int(r.next() as i64 >> r.below(64)),
        5 => Value::float(r.below(20) as f64),
        6 => Value::float(r.below(20) as f64 + 0.5),
        7 => Value::bool(r.below(2) == 0),
        8 => Value::new(r.below(10) * 64, Tag::LIGHTUD),
        9 => {
            // A long string: equal bytes, another object each time.
            let s = format!("{:060}", r.below(5));
            g.val(&s)
        }
        _ => {
            let s = format!("k{}", r.below(30));
            g.val(&s)
        }
    }
}

fn random_val(g: &mut State, r: &mut Rng) -> Value {
    match r.below(8) {
        0..=2 => Value::NIL,
        3 | 4 => Value::int(r.below(100) as i64),
        5 => Value::float(r.below(100) as f64),
        6 => Value::bool(r.below(2) == 0),
        _ => g.val("v"),
    }
}

/// Long strings are one key by content, whatever the object.
fn canonical(g: &mut State, longs: &mut HashMap<Vec<u8>, Value>, k: Value) -> Value {
    let _ = g;
    if k.tag == Tag::STRING && unsafe { !str_is_short(k.as_ptr()) } {
        let b = unsafe { str_bytes(k.as_ptr()) };
        return *longs.entry(b.to_vec()).or_insert(k);
    }
    k
}

#[test]
fn against_a_model() {
    let mut g = State::new();
    let mut r = Rng(1);
    let mut longs = HashMap::new();
    for round in 0..rounds(300) {
        let narr = if r.below(2) == 0 { r.below(10) } else { 0 };
        let nrec = if r.below(2) == 0 { r.below(12) } else { 0 };
        let t = g.table(narr as usize, nrec as usize);
        let mut model: HashMap<Key, Value> = HashMap::new();
        if round % 5 == 0 {
            unsafe { table_mark_proto(&mut g, t) };
        }
        for _ in 0..r.below(300) {
            match r.below(40) {
                0 => unsafe {
                    let (a, h) = (r.below(30) as usize, r.below(30) as usize);
                    table_resize(&mut g, t, a, h).unwrap();
                },
                1 if r.below(20) == 0 => unsafe { table_to_dict(&mut g, t) },
                2 => unsafe {
                    let mt = if r.below(3) == 0 {
                        null_mut()
                    } else {
                        g.table(0, 0)
                    };
                    table_set_metatable(&mut g, t, mt);
                },
                3 => unsafe {
                    if table_is_cacheable(t) && is_dict(t) {
                        own_id(&mut g, t);
                    }
                },
                4..=9 => {
                    // A run of appends or of removals at the end.
                    for _ in 0..r.below(10) {
                        let n = unsafe { table_len(t) } as i64;
                        let (i, v) = if r.below(2) == 0 {
                            (n + 1, Value::int(1))
                        } else {
                            (n, Value::NIL)
                        };
                        g.set(t, Value::int(i), v);
                        model.insert(model_key(Value::int(i)), v);
                    }
                }
                _ => {
                    let k = random_key(&mut g, &mut r);
                    let v = random_val(&mut g, &mut r);
                    if k.tag == Tag::STRING && r.below(3) > 0 {
                        unsafe { table_set_field(&mut g, t, k.as_ptr(), v) };
                    } else {
                        g.set(t, k, v);
                    }
                    let k = canonical(&mut g, &mut longs, k);
                    model.insert(model_key(k), v);
                    assert!(unsafe { table_get(t, k) }.same(v), "{k:?} {v:?}");
                }
            }
        }
        unsafe { check(&mut g, t) };
        for (k, v) in &model {
            let k = Value::new(k.0, Tag(k.1));
            assert!(unsafe { table_get(t, k) }.same(*v), "{k:?} {v:?}");
            if k.tag == Tag::STRING {
                assert!(unsafe { table_get_str_cached(&mut g, t, k.as_ptr()) }.same(*v));
            }
        }
        // A traversal sees every key once, whatever happens to values on the way.
        let mut left: HashMap<Key, Value> = model
            .iter()
            .filter(|(_, v)| !v.is_nil())
            .map(|(k, v)| (*k, *v))
            .collect();
        let (mut key, mut hint) = (Value::NIL, 0);
        if r.below(2) == 0 {
            unsafe { table_next_prepare(&mut g, t) };
        }
        while let Some((k, v, h)) = unsafe { table_next(t, key, hint) }.unwrap() {
            let ck = canonical(&mut g, &mut longs, k);
            let want = left.remove(&model_key(ck)).expect("once");
            assert!(want.same(v));
            match r.below(4) {
                0 => g.set(t, k, Value::NIL),
                1 => g.set(t, k, Value::int(9)),
                _ => {}
            }
            key = k;
            hint = match r.below(4) {
                0 => 0,
                1 => r.below(50) as u32,
                2 => u32::MAX,
                _ => h,
            };
        }
        assert!(left.is_empty(), "{left:?}");
        unsafe { check(&mut g, t) };
    }
}

#[test]
fn names_of_values_are_found_in_fields_and_dictionaries() {
    let mut g = State::new();
    let objects: Vec<Value> = (0..3)
        .map(|_| Value::ptr(g.table(0, 0), Tag::TABLE))
        .collect();
    let [v, other, absent] = objects[..] else {
        unreachable!()
    };
    let t = g.table(0, 0);
    let (first, second, third) = (g.val("first"), g.val("second"), g.val("third"));
    let name = |v: Value| unsafe { table_name_of(t, v) }.map(|k| unsafe { str_bytes(k) });
    // an element has no name, nor has an integer that looks like the object
    g.set(t, Value::int(1), v);
    g.set(t, first, Value::int(absent.payload as i64));
    assert_eq!((name(v), name(absent)), (None, None));
    g.set(t, second, v);
    g.set(t, third, v);
    assert_eq!((name(v), name(other)), (Some(&b"second"[..]), None));
    g.set(t, Value::TRUE, other);
    assert_eq!(unsafe { (*t).hdr.flags } & flags::TAB_DICT, flags::TAB_DICT);
    assert_eq!((name(v), name(other)), (Some(&b"second"[..]), None));
    g.set(t, second, Value::NIL);
    assert_eq!((name(v), name(absent)), (Some(&b"third"[..]), None));
    g.set(t, third, other);
    assert_eq!((name(v), name(other)), (None, Some(&b"third"[..])));
}

#[test]
fn bad_keys() {
    let mut g = State::new();
    let t = g.table(0, 0);
    unsafe {
        assert_eq!(
            table_set(&mut g, t, Value::NIL, Value::TRUE),
            Err(TableError::NilKey)
        );
        let nan = Value::float(f64::NAN);
        assert_eq!(
            table_set(&mut g, t, nan, Value::TRUE),
            Err(TableError::NanKey)
        );
        assert!(table_get(t, Value::NIL).is_nil());
        assert!(table_get(t, nan).is_nil());
        for k in [Value::int(1), Value::TRUE, nan, Value::float(0.5)] {
            assert_eq!(table_next(t, k, 0).err(), Some(InvalidKey), "{k:?}");
        }
        let s = g.val("absent");
        assert_eq!(table_next(t, s, 3).err(), Some(InvalidKey));
        table_to_dict(&mut g, t);
        assert_eq!(table_next(t, s, 1).err(), Some(InvalidKey));
        assert!(table_next(t, Value::NIL, 9).unwrap().is_none());
        // Nil into nothing inserts nothing.
        g.set(t, s, Value::NIL);
        assert!(dict_entry(t, s.as_ptr()).is_none());
    }
}

#[test]
fn floats_are_normalised() {
    let mut g = State::new();
    let t = g.table(0, 0);
    g.set(t, Value::float(2.0), Value::TRUE);
    g.set(t, Value::float(2f64.powi(53)), Value::TRUE);
    g.set(t, Value::float(2f64.powi(63)), Value::FALSE);
    unsafe {
        assert!(table_get_int(t, 2).same(Value::TRUE));
        assert!(table_get_int(t, 1 << 53).same(Value::TRUE));
        assert!(table_get_int(t, i64::MAX).is_nil());
        assert!(table_get(t, Value::float(2f64.powi(63))).same(Value::FALSE));
        assert!(table_get(t, Value::float(-0.0)).is_nil());
        g.seti(t, 0, Value::TRUE);
        assert!(table_get(t, Value::float(-0.0)).same(Value::TRUE));
    }
}

/// `#` of a constructor with these elements (0: nil).
fn constructor_len(elems: &[i64], n: bool) -> u64 {
    let mut g = State::new();
    let t = g.table(elems.len(), usize::from(n));
    if n {
        g.field(t, "n", Value::int(1));
    }
    for (i, &e) in elems.iter().enumerate() {
        g.seti(
            t,
            i as i64 + 1,
            if e == 0 { Value::NIL } else { Value::int(e) },
        );
    }
    unsafe { table_len(t) }
}

#[test]
fn length_of_constructors_is_pucs() {
    assert_eq!(constructor_len(&[], false), 0);
    assert_eq!(constructor_len(&[1, 2, 3], false), 3);
    assert_eq!(constructor_len(&[1, 2, 0, 4], false), 4);
    assert_eq!(constructor_len(&[0, 0, 3], false), 3);
    assert_eq!(constructor_len(&[0, 2], true), 2);
    assert_eq!(constructor_len(&[0, 0, 3], true), 3);
    assert_eq!(constructor_len(&[1, 0], false), 1);
    assert_eq!(constructor_len(&[1, 2, 0, 0], false), 2);
    assert_eq!(constructor_len(&[1, 0, 3, 0], false), 3);
    assert_eq!(constructor_len(&[0, 0], false), 0);
    assert_eq!(constructor_len(&[0, 0, 0, 4, 0, 0], false), 0);
}

#[test]
fn sequences_have_constant_time_length() {
    let mut g = State::new();
    let t = g.table(0, 0);
    for i in 1..=100_000 {
        g.seti(t, i, Value::int(i));
        assert_eq!(unsafe { table_len(t) }, i as u64);
    }
    unsafe {
        assert!(!is_dict(t), "appends stay in the array");
        assert!((*t).arr_cap <= 1 << 17);
        assert_eq!((*t).hdr.extra, Tag::INT.0 as u8);
    }
    for i in (1..=100_000).rev() {
        g.seti(t, i, Value::NIL);
        assert_eq!(unsafe { table_len(t) }, i as u64 - 1);
    }
}

#[test]
fn length_reaches_into_the_dictionary() {
    let mut g = State::new();
    let t = g.table(3, 0);
    for i in 1..=3 {
        g.seti(t, i, Value::TRUE);
    }
    unsafe { table_to_dict(&mut g, t) };
    let spare = g.val("x");
    g.set(t, spare, Value::TRUE);
    // Fill behind the array from above, so that nothing makes it grow.
    for i in (4..9).rev() {
        g.seti(t, i, Value::TRUE);
    }
    assert_eq!(unsafe { table_len(t) }, 8);
    let t = g.table(0, 0);
    g.seti(t, i64::MAX, Value::TRUE);
    g.seti(t, i64::MIN, Value::TRUE);
    g.seti(t, -1, Value::TRUE);
    assert_eq!(unsafe { table_len(t) }, 0);
}

#[test]
fn index_zero_is_in_the_array() {
    let mut g = State::new();
    let t = g.table(0, 0);
    for i in 0..1000 {
        g.seti(t, i, Value::float(1.0));
    }
    unsafe {
        assert!(!is_dict(t));
        assert_eq!((*t).arr_cap, 1024);
        assert_eq!((*t).hdr.extra, Tag::FLOAT.0 as u8);
        let (k, _, _) = table_next(t, Value::NIL, 0).unwrap().unwrap();
        assert!(k.same(Value::int(0)), "it comes first");
    }
}

#[test]
fn array_filled_backwards() {
    let mut g = State::new();
    let t = g.table(0, 0);
    for i in (1..=1000).rev() {
        g.seti(t, i, Value::int(i));
    }
    unsafe {
        check(&mut g, t);
        assert_eq!(table_len(t), 1000);
        for i in 1001..=1100 {
            g.seti(t, i, Value::int(i));
        }
        check(&mut g, t);
        assert!((*t).arr_cap > 1000);
        assert!(!is_dict(t), "an emptied dictionary is given up");
    }
}

#[test]
fn sparse_keys_go_to_the_dictionary() {
    let mut g = State::new();
    let t = g.table(0, 0);
    for i in 0..1000 {
        g.seti(t, (1 << 20) + i * 1000, Value::int(i));
    }
    unsafe {
        assert!(is_dict(t));
        assert!((*t).arr_cap <= 5);
        check(&mut g, t);
    }
}

#[test]
fn queue_stays_small() {
    let mut g = State::new();
    for live in [1, 3, 10, 1000] {
        let t = g.table(0, 0);
        let before = g.heap.used_bytes();
        let mut most = 0;
        for i in 1..=200_000i64 {
            g.seti(t, i, Value::int(i));
            if i > live {
                g.seti(t, i - live, Value::NIL);
            }
            unsafe {
                let dict = if is_dict(t) {
                    dict_bytes((*((*t).hash as *mut Dict)).cap)
                } else {
                    0
                };
                most = most.max(dict + tagged_run_size((*t).arr_cap as usize).0);
            }
        }
        assert!(most < 2000 + live as usize * 100, "{live}: {most}");
        // Runs that were left behind are given back; what is left to the collector is small objects.
        let after = g.heap.used_bytes();
        assert!(
            after - before < 20_000 + live as usize * 100,
            "{}",
            after - before
        );
        unsafe { check(&mut g, t) };
    }
}

#[test]
fn arrays_of_some_hundreds_fill_their_cells() {
    let mut g = State::new();
    let filled = |g: &mut State, n: i64| {
        let t = g.table(0, 0);
        for i in 1..=n {
            g.seti(t, i, Value::int(i));
        }
        t
    };
    let bytes = |t: *mut Table| unsafe { alloc_size(tagged_run_size((*t).arr_cap as usize).0) };
    for (n, most) in [(127, 1152), (340, 4000), (440, 4000), (600, 8016)] {
        let t = filled(&mut g, n);
        assert_eq!(bytes(t), most, "{n}");
        unsafe { check(&mut g, t) };
    }
    // not if most of it is unused: the largest power of two of which more than half is in use, as ever
    let t = filled(&mut g, 442);
    unsafe { assert_eq!((*t).arr_cap, 443) };
    for i in 1..=150 {
        g.seti(t, i, Value::NIL);
    }
    g.seti(t, 443, Value::int(1));
    unsafe {
        assert_eq!((*t).arr_cap, 512);
        check(&mut g, t);
    }
}

#[test]
fn delete_and_insert_at_full_load_is_linear() {
    let mut g = State::new();
    let t = g.table(0, 0);
    let n = 3000;
    for i in 0..n {
        g.set(t, Value::float(i as f64 + 0.5), Value::TRUE);
    }
    let mut ids = 0;
    let mut last = null_mut();
    for i in 0..100_000 {
        g.set(t, Value::float(i as f64 + 0.5), Value::NIL);
        g.set(t, Value::float((i + n) as f64 + 0.5), Value::TRUE);
        let now = unsafe { (*((*t).hash as *mut Dict)).entries };
        ids += u32::from(now != last);
        last = now;
    }
    assert!(ids < 200, "{ids} moves");
    unsafe { check(&mut g, t) };
}

#[test]
fn shape_mode_rules() {
    let mut g = State::new();
    unsafe {
        let t = g.table(0, 3);
        let (x, y, z) = (g.str("x"), g.str("y"), g.str("z"));
        table_set_field(&mut g, t, x, Value::int(1));
        table_set_field(&mut g, t, y, Value::int(2));
        let u = g.table(0, 0);
        table_set_field(&mut g, u, x, Value::TRUE);
        table_set_field(&mut g, u, y, Value::TRUE);
        assert_eq!((*t).shape, (*u).shape, "canonical");
        assert_eq!((*t).shape, shape::shape_for_template(&mut g, &[x, y]));
        // Nil keeps the slot.
        table_set_field(&mut g, t, x, Value::NIL);
        assert_eq!((*t).shape, (*u).shape);
        // A computed store to an existing key stays, a new one leaves.
        table_set_str(&mut g, t, x, Value::int(5));
        assert!(!is_dict(t));
        table_set_str(&mut g, t, z, Value::NIL);
        assert!(!is_dict(t));
        table_set_str(&mut g, t, z, Value::int(6));
        assert!(is_dict(t));
        assert_eq!((*t).hdr.word, (*g.hot.dict_shape).hdr.word);
        for (k, v) in [(x, 5), (y, 2), (z, 6)] {
            assert!(table_get_str(t, k).same(Value::int(v)));
        }
        // 64 fields, then a dictionary.
        let w = g.table(0, 0);
        for i in 0..64 {
            g.field(w, &format!("f{i}"), Value::int(i));
            assert!(!is_dict(w));
        }
        g.field(w, "f64", Value::int(64));
        assert!(is_dict(w));
        for i in 0..=64 {
            let k = g.str(&format!("f{i}"));
            assert!(table_get_str(w, k).same(Value::int(i)));
        }
        check(&mut g, w);
    }
}

#[test]
fn many_string_keys() {
    let mut g = State::new();
    let t = g.table(0, 0);
    let n = 100_000;
    for i in 0..n {
        let k = g.val(&format!("key {i}"));
        g.set(t, k, Value::int(i));
    }
    for i in 0..n {
        let k = g.val(&format!("key {i}"));
        assert!(unsafe { table_get(t, k) }.same(Value::int(i)));
    }
    // Insertion order.
    let (mut key, mut hint) = (Value::NIL, 0);
    for i in 0..n {
        let (k, v, h) = unsafe { table_next(t, key, hint) }.unwrap().unwrap();
        assert!(v.same(Value::int(i)));
        (key, hint) = (k, h);
    }
    assert!(unsafe { table_next(t, key, hint) }.unwrap().is_none());
}

#[test]
fn dead_keys_match_only_in_next() {
    let mut g = State::new();
    let t = g.table(0, 0);
    let keys: Vec<Value> = (0..20)
        .map(|_| Value::ptr(g.table(0, 0), Tag::TABLE))
        .collect();
    for &k in &keys {
        g.set(t, k, Value::TRUE);
    }
    unsafe {
        // What the collector does to an entry whose value is nil.
        let d = (*t).hash as *mut Dict;
        g.set(t, keys[7], Value::NIL);
        (*(*d).entries.add(7)).key_tag = Tag::DEADKEY;
        for hint in [0, 8, 3] {
            let (k, _, _) = table_next(t, keys[7], hint).unwrap().unwrap();
            assert!(k.same(keys[8]));
        }
        assert!(table_get(t, keys[7]).is_nil());
        // A new object at the same address is a new key.
        g.set(t, keys[7], Value::FALSE);
        assert!(table_get(t, keys[7]).same(Value::FALSE));
        assert!(!(*(*d).entries.add(7)).val_tag.is_number());
        check(&mut g, t);
    }
}

#[test]
fn metamethod_absence() {
    let mut g = State::new();
    unsafe {
        for dict in [false, true] {
            let mt = g.table(0, 0);
            if dict {
                table_to_dict(&mut g, mt);
            }
            assert!(meta_get(&mut g, mt, MetaMethod::Add).is_nil());
            assert!((*mt).meta_absent & 1 << MetaMethod::Add as u32 != 0);
            let add = g.str("__add");
            table_set_field(&mut g, mt, add, Value::TRUE);
            assert_eq!((*mt).meta_absent, 0);
            assert!(meta_get(&mut g, mt, MetaMethod::Add).same(Value::TRUE));
            table_set_field(&mut g, mt, add, Value::NIL);
            assert!(meta_get(&mut g, mt, MetaMethod::Add).is_nil());
            table_set(&mut g, mt, str_val(add), Value::FALSE).unwrap();
            assert!(meta_get(&mut g, mt, MetaMethod::Add).same(Value::FALSE));
            assert!(meta_get(&mut g, null_mut(), MetaMethod::Add).is_nil());
        }
    }
}

#[test]
fn metatables_and_shapes() {
    let mut g = State::new();
    unsafe {
        let class = g.table(0, 0);
        let x = g.str("x");
        let make = |g: &mut State, first: bool| {
            let o = g.table(0, 0);
            if first {
                table_set_field(g, o, x, Value::int(1));
            }
            table_set_metatable(g, o, class);
            if !first {
                table_set_field(g, o, x, Value::int(1));
            }
            o
        };
        let a = make(&mut g, true);
        assert!((*(*a).shape).shape_flags & shape_flags::UNCACHED_META != 0);
        assert!((*class).hdr.flags & flags::TAB_PROTO != 0);
        let b = make(&mut g, true);
        let c = make(&mut g, false);
        assert_eq!((*b).shape, (*c).shape, "whatever the order");
        assert_eq!((*(*b).shape).metatable, class);
        assert_ne!((*a).shape, (*b).shape);
        // Another class, another shape; back to none, the plain one.
        let other = g.table(0, 0);
        table_set_metatable(&mut g, b, other);
        assert_eq!((*b).shape, (*a).shape, "first objects share a family");
        table_set_metatable(&mut g, c, other);
        assert_ne!((*b).shape, (*c).shape);
        table_set_metatable(&mut g, c, null_mut());
        assert_eq!((*c).shape, shape::shape_for_template(&mut g, &[x]));
        // A metatable per object does not make a shape per object.
        let before = g.shapes.count();
        for _ in 0..1000 {
            let o = g.table(0, 0);
            let mt = g.table(0, 0);
            table_set_metatable(&mut g, o, mt);
            table_set_field(&mut g, o, x, Value::int(1));
        }
        assert!(g.shapes.count() - before <= 2);
        // The class changes: its objects' shapes do not.
        let shape = (*make(&mut g, true)).shape;
        let m = g.str("method");
        table_set_field(&mut g, class, m, Value::TRUE);
        table_to_dict(&mut g, class);
        assert_eq!((*make(&mut g, true)).shape, shape);
        check(&mut g, a);
        check(&mut g, class);
    }
}

#[test]
fn weak_flag_follows_the_metatable() {
    let mut g = State::new();
    unsafe {
        let (t, mt) = (g.table(0, 0), g.table(0, 0));
        let v = g.val("v");
        table_set_metatable(&mut g, t, mt);
        assert!((*t).hdr.flags & flags::TAB_WEAK == 0);
        g.field(mt, "__mode", v);
        table_set_metatable(&mut g, t, mt);
        assert!((*t).hdr.flags & flags::TAB_WEAK != 0);
        table_set_metatable(&mut g, t, null_mut());
        assert!((*t).hdr.flags & flags::TAB_WEAK == 0);
    }
}

#[test]
fn prototypes_announce_changes() {
    let mut g = State::new();
    unsafe {
        for dict in [false, true] {
            let t = g.table(0, 0);
            let (m, n, f) = (g.str("m"), g.str("n"), g.val("f"));
            table_set_field(&mut g, t, m, f);
            if dict {
                table_to_dict(&mut g, t);
            }
            let shared = (*t).shape;
            table_mark_proto(&mut g, t);
            assert_ne!((*t).shape, shared, "a shape of its own");
            assert!((*(*t).shape).shape_flags & shape_flags::PROTO != 0);
            let mut epoch = g.hot.proto_epoch;
            let mut id = (*t).hdr.word;
            // What each store does: (key, value, observed) -> announced.
            let mut step =
                |g: &mut State, k: *mut Str, v: Value, observe: bool, announced: bool| {
                    if observe {
                        assert!(table_is_cacheable(t));
                    }
                    table_set_field(g, t, k, v);
                    assert_eq!(g.hot.proto_epoch != epoch, announced, "epoch");
                    if announced {
                        assert_ne!((*t).hdr.word, id);
                    }
                    epoch = g.hot.proto_epoch;
                    id = (*t).hdr.word;
                    check(g, t);
                };
            step(&mut g, m, Value::TRUE, false, false); // nobody looks
            step(&mut g, m, f, false, false);
            step(&mut g, m, f, true, false); // the same value
            step(&mut g, n, Value::NIL, true, false); // nothing into nothing
            step(&mut g, n, Value::int(1), true, true); // a key appears
            step(&mut g, n, Value::NIL, true, true); // a value vanishes
            step(&mut g, n, Value::int(1), true, true); // and comes back
            assert!(table_is_cacheable(t));
            assert!(proto_slot_is_const(&mut g, t, n));
            step(&mut g, n, Value::int(2), true, true); // a constant changes
            assert!(table_is_cacheable(t));
            assert!(!proto_slot_is_const(&mut g, t, n));
            assert!(proto_slot_is_const(&mut g, t, m));
            step(&mut g, n, Value::int(3), true, false); // which was one
            assert!(table_is_cacheable(t));
            let mt = g.table(0, 0);
            let before = (g.hot.proto_epoch, (*t).hdr.word);
            table_set_metatable(&mut g, t, mt);
            assert_ne!(before.0, g.hot.proto_epoch);
            assert_ne!(before.1, (*t).hdr.word);
            // Too many changes.
            for i in 0..32 {
                assert_eq!(table_is_cacheable(t), i < 28, "{i}");
                let v = if i % 2 == 0 { Value::NIL } else { f };
                table_set_field(&mut g, t, m, v);
            }
            assert!((*t).hdr.flags & flags::TAB_VOLATILE != 0);
            let epoch = g.hot.proto_epoch;
            table_set_field(&mut g, t, n, Value::NIL);
            assert_eq!(epoch, g.hot.proto_epoch);
        }
    }
}

#[test]
fn keys_of_prototypes_change_the_id_unobserved() {
    let mut g = State::new();
    unsafe {
        let t = g.table(0, 0);
        table_mark_proto(&mut g, t);
        let mut ids = vec![(*t).hdr.word];
        for i in 0..100 {
            g.field(t, &format!("m{i}"), Value::int(i));
            ids.push((*t).hdr.word);
            check(&mut g, t);
        }
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 101);
        assert!(is_dict(t) && (*t).hdr.flags & flags::TAB_VOLATILE == 0);
        assert!((*(*t).shape).shape_flags & shape_flags::DICT != 0);
        // The shared tree did not see any of these keys.
        let k = g.str("m0");
        let empty = g.hot.empty_shape;
        assert!((*empty).trans.is_null() || shape::shape_find(&mut g, empty, k).is_none());
    }
}

#[test]
fn own_ids_change_when_entries_move() {
    let mut g = State::new();
    unsafe {
        let t = g.table(0, 0);
        table_to_dict(&mut g, t);
        let k = g.str("a");
        table_set_str(&mut g, t, k, Value::int(1));
        let mut id = own_id(&mut g, t);
        assert_eq!(id, own_id(&mut g, t));
        assert_ne!(id, (*g.hot.dict_shape).hdr.word);
        let mut e = dict_entry(t, k).unwrap();
        for i in 0..1000 {
            g.field(t, &format!("k{i}"), Value::int(i));
            let now = dict_entry(t, k).unwrap();
            assert_eq!((*t).hdr.word, (*(*t).shape).hdr.word);
            assert!(now == e || (*t).hdr.word != id);
            (id, e) = ((*t).hdr.word, now);
        }
        check(&mut g, t);
    }
}

#[test]
fn ids_run_out() {
    let mut g = State::new();
    unsafe {
        let (a, b) = (g.table(0, 0), g.table(0, 0));
        g.field(a, "x", Value::int(1));
        table_mark_proto(&mut g, b);
        g.field(b, "x", Value::int(1));
        let d = g.table(0, 0);
        table_to_dict(&mut g, d);
        own_id(&mut g, d);
        g.hot.next_shape_id = u32::MAX - 16;
        for t in [a, b, d] {
            for i in 0..20 {
                g.field(t, &format!("new{i}"), Value::int(i));
                check(&mut g, t);
            }
            assert!(is_dict(t));
            assert_eq!((*t).shape, g.hot.dict_shape);
        }
        assert!(!table_is_cacheable(b));
        let (o, mt) = (g.table(0, 0), g.table(0, 0));
        table_set_metatable(&mut g, o, mt);
        table_set_metatable(&mut g, b, mt);
        check(&mut g, o);
        let k = g.str("x");
        assert!(table_get_str(b, k).same(Value::int(1)));
        assert_eq!(g.hot.next_shape_id, u32::MAX - 16);
    }
}

#[test]
fn in_place_stores() {
    let mut g = State::new();
    let t = g.table(0, 0);
    let text = |g: &mut State, n: usize| unsafe { str_val(g.str_new("k".repeat(n).as_bytes())) };
    let store =
        |g: &mut State, k: Value, v: i64| unsafe { table_set_in_place(g, t, k, Value::int(v)) };
    // no room in an array; a table with a shape; then both kinds of keys where there is room
    assert!(!store(&mut g, Value::int(1), 1));
    let name = text(&mut g, 1);
    assert!(!store(&mut g, name, 1));
    g.set(t, Value::int(1 << 40), Value::int(5));
    let full = unsafe { (*((*t).hash as *mut Dict)).cap };
    let mut inserted = 1;
    while inserted < full {
        inserted += 1;
        assert!(store(
            &mut g,
            Value::int((1 << 40) + i64::from(inserted)),
            7
        ));
    }
    assert!(!store(&mut g, name, 8), "the dictionary is full");
    assert!(store(&mut g, Value::int(1 << 40), 9));
    unsafe {
        assert_eq!(table_get(t, Value::int(1 << 40)).as_int(), 9);
        assert!(table_get(t, name).is_nil());
        assert!(!table_set_in_place(&mut g, t, name, Value::NIL));
    }
    g.set(t, name, Value::int(1));
    assert!(store(&mut g, name, 2));
    assert_eq!(unsafe { table_get(t, name) }.as_int(), 2);
    // keys that would move entries to the array, or are compared by their bytes
    let cap = i64::from(unsafe { (*t).arr_cap });
    assert!(!store(&mut g, Value::int(cap), 1));
    let long = text(&mut g, Str::MAX_SHORT + 1);
    assert!(!store(&mut g, long, 1));
    assert!(!store(&mut g, Value::float(0.5), 1));
}

#[test]
fn array_kinds() {
    let mut g = State::new();
    let t = g.table(0, 0);
    let kind = |t: *mut Table| unsafe { Tag(i32::from((*t).hdr.extra as i8)) };
    assert_eq!(kind(t), Tag::NIL);
    g.seti(t, 1, Value::NIL);
    assert_eq!(kind(t), Tag::NIL);
    g.seti(t, 1, Value::int(1));
    g.seti(t, 2, Value::int(2));
    assert_eq!(kind(t), Tag::INT);
    // The last element goes, or one behind it.
    let len = |t: *mut Table| unsafe { (*t).arr_len };
    g.seti(t, 2, Value::NIL);
    g.seti(t, 5, Value::int(5));
    g.seti(t, 5, Value::NIL);
    assert_eq!((kind(t), len(t)), (Tag::INT, 1));
    g.seti(t, 2, Value::int(2));
    g.seti(t, 3, Value::int(3));
    assert_eq!((kind(t), len(t)), (Tag::INT, 3));
    // A hole.
    g.seti(t, 2, Value::NIL);
    assert_eq!(kind(t), Tag::ANY);
    g.seti(t, 3, Value::float(0.5));
    assert_eq!(kind(t), Tag::ANY);
    // Homogeneous again by the time the array moves.
    for i in 1..=9 {
        g.seti(t, i, Value::float(0.0));
    }
    assert_eq!(kind(t), Tag::FLOAT);
    unsafe { table_array_store_slow(&mut g, t, 10, Value::TRUE) };
    assert_eq!(kind(t), Tag::ANY);
    // What a constructor announced, and something else first.
    let t = g.table(8, 0);
    g.seti(t, 3, Value::int(1));
    assert_eq!(kind(t), Tag::ANY);
    for i in 1..=8 {
        g.seti(t, i, Value::int(i));
    }
    unsafe { table_settle(t, 8) };
    assert_eq!((kind(t), len(t)), (Tag::INT, 8));
    g.seti(t, 7, Value::NIL);
    unsafe { table_settle(t, 8) };
    assert_eq!((kind(t), len(t)), (Tag::ANY, 8));
    // Elements behind the hint are found one by one.
    let t = g.table(0, 0);
    for i in (1..=30).rev() {
        g.seti(t, i, Value::int(i));
    }
    unsafe { table_resize(&mut g, t, 40, 0).unwrap() };
    if kind(t) == Tag::INT {
        for i in 1..=i64::from(len(t)) {
            assert!(unsafe { !table_get_int(t, i).is_nil() });
        }
    }
    unsafe { assert_eq!(table_len(t), 30) };
}

#[test]
fn resizing_keeps_everything() {
    let mut g = State::new();
    let t = g.table(0, 0);
    for i in 1..=100 {
        g.seti(t, i, Value::int(i));
    }
    g.field(t, "x", Value::int(-1));
    unsafe {
        for (a, h) in [(10, 0), (0, 0), (1000, 5), (3, 500), (100, 0), (0, 0)] {
            table_resize(&mut g, t, a, h).unwrap();
            check(&mut g, t);
            for i in 1..=100 {
                assert!(table_get_int(t, i).same(Value::int(i)), "{i}");
            }
            let x = g.str("x");
            assert!(table_get_str(t, x).same(Value::int(-1)));
        }
        assert_eq!(table_resize(&mut g, t, 1 << 40, 0), Err(TableError::TooBig));
        assert_eq!(table_resize(&mut g, t, 0, 1 << 40), Err(TableError::TooBig));
    }
}

#[test]
fn growth_is_reserved_for() {
    let mut g = State::new();
    let mut r = Rng(5);
    for _ in 0..rounds(100) {
        let t = g.table(r.below(5) as usize, r.below(5) as usize);
        for i in 0..r.below(400) as i64 {
            let bound = unsafe { table_growth_bytes(t) };
            let before = g.heap.used_bytes();
            let k = if r.below(2) == 0 {
                Value::int(i)
            } else {
                random_key(&mut g, &mut r)
            };
            let strings = g.heap.used_bytes() - before;
            g.set(t, k, Value::int(i));
            let grown = g.heap.used_bytes().saturating_sub(before + strings);
            assert!(grown <= bound, "{grown} {bound}");
        }
    }
}

#[test]
fn records_are_small() {
    let mut g = State::new();
    let (x, y) = (g.str("x"), g.str("y"));
    unsafe {
        let s = shape::shape_for_template(&mut g, &[x, y]);
        let before = g.heap.used_bytes();
        let t = table_new_shape(&mut g, s, 0);
        assert_eq!(g.heap.used_bytes() - before, 80);
        assert!(table_get_str(t, x).is_nil());
        table_set_field(&mut g, t, y, Value::int(1));
        assert!(table_get_str(t, y).same(Value::int(1)));
        check(&mut g, t);
    }
}

/// What the model of [`under_the_collector`] knows of a value.
#[derive(Clone, PartialEq, Debug)]
enum Known {
    Int(i64),
    Text(String),
    /// A table with this number at index 0.
    Table(i64),
}

#[test]
fn under_the_collector() {
    const SLOTS: usize = 24;
    let mut g = State::new();
    let mut r = Rng(11);
    let mut serial = 0;
    let mut models: Vec<HashMap<String, Known>> = vec![HashMap::new(); SLOTS];
    let mut serials = [0; SLOTS];
    ROOTS.with_borrow_mut(|v| *v = vec![Value::NIL; SLOTS]);
    g.heap.set_stepsize(8);
    g.heap.set_stepmul(3);
    let root = |i: usize| ROOTS.with_borrow(|v| v[i]);
    for round in 0..rounds(60_000) {
        let i = r.below(SLOTS as u64) as usize;
        if root(i).is_nil() || r.below(200) == 0 {
            let t = g.table(r.below(4) as usize, r.below(4) as usize);
            serial += 1;
            g.seti(t, 0, Value::int(serial));
            ROOTS.with_borrow_mut(|v| v[i] = Value::ptr(t, Tag::TABLE));
            serials[i] = serial;
            models[i].clear();
        }
        let t: *mut Table = root(i).as_ptr();
        let (v, known) = match r.below(6) {
            0 => (Value::NIL, None),
            1 => (Value::int(round as i64), Some(Known::Int(round as i64))),
            2 => {
                let j = r.below(SLOTS as u64) as usize;
                if root(j).is_nil() {
                    (Value::NIL, None)
                } else {
                    (root(j), Some(Known::Table(serials[j])))
                }
            }
            3 => {
                let t = g.table(1, 0);
                serial += 1;
                g.seti(t, 0, Value::int(serial));
                (Value::ptr(t, Tag::TABLE), Some(Known::Table(serial)))
            }
            n => {
                let text = "v".repeat(n as usize * 9) + &r.below(500).to_string();
                (g.val(&text), Some(Known::Text(text)))
            }
        };
        let name = match r.below(20) {
            0 => {
                // The metatable is not in the model: it must only do no harm.
                let j = r.below(SLOTS as u64) as usize;
                let mt = if root(j).is_nil() {
                    null_mut()
                } else {
                    root(j).as_ptr()
                };
                unsafe { table_set_metatable(&mut g, t, mt) };
                continue;
            }
            1 => unsafe {
                table_is_cacheable(t);
                if is_dict(t) {
                    own_id(&mut g, t);
                }
                continue;
            },
            2..=8 => {
                let n = 1 + r.below(60) as i64;
                g.seti(t, n, v);
                format!("#{n}")
            }
            // Half of the tables stay in shape mode.
            n if n <= 14 || i.is_multiple_of(2) => {
                let name = format!("field {}", r.below(30));
                g.field(t, &name, v);
                name
            }
            _ => {
                let name = "k".repeat(r.below(2) as usize * 50) + &r.below(100).to_string();
                let k = g.val(&name);
                g.set(t, k, v);
                name
            }
        };
        match known {
            Some(k) => models[i].insert(name, k),
            None => models[i].remove(&name),
        };
        unsafe {
            match r.below(2000) {
                0 => g.heap.full(false),
                // Small ones, so that marking goes on for many operations.
                1..=1000 => {
                    g.heap.step_bytes(0);
                }
                1001 => g.heap.verify().unwrap(),
                _ => {}
            }
        }
        if round % 500 == 0 {
            for (i, model) in models.iter().enumerate() {
                if root(i).is_nil() {
                    continue;
                }
                let t: *mut Table = root(i).as_ptr();
                let check_slots = |g: &mut State| unsafe { check(g, t) };
                check_slots(&mut g);
                for (name, known) in model {
                    let v = match name.strip_prefix('#') {
                        Some(n) => unsafe { table_get_int(t, n.parse().unwrap()) },
                        None => {
                            let k = g.str(name);
                            unsafe { table_get_str_cached(&mut g, t, k) }
                        }
                    };
                    let found = match v.tag {
                        Tag::INT => Known::Int(v.as_int()),
                        Tag::STRING => {
                            let b = unsafe { str_bytes(v.as_ptr()) };
                            Known::Text(String::from_utf8(b.to_vec()).unwrap())
                        }
                        Tag::TABLE => {
                            Known::Table(unsafe { table_get_int(v.as_ptr(), 0) }.as_int())
                        }
                        _ => panic!("{name} is lost: {v:?}, {known:?}"),
                    };
                    assert_eq!(&found, known, "{name}");
                }
            }
        }
    }
    unsafe {
        ROOTS.with_borrow_mut(Vec::clear);
        g.heap.full(false);
        g.heap.full(false);
        g.heap.verify().unwrap();
    }
    assert_eq!(g.shapes.count(), 0, "shapes die with their tables");
    assert!(g.heap.used_bytes() < 40_000, "{}", g.heap.used_bytes());
}
