//! Canonical shapes and their budgets.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests: everything stays alive"
)]

use super::*;
use crate::table::tests::State;
use crate::table::{table_get_str, table_new, table_set_field};

#[test]
fn keys_and_slots() {
    let mut g = State::new();
    unsafe {
        let keys: Vec<_> = (0..64).map(|i| g.str(&format!("k{i}"))).collect();
        let s = shape_for_template(&mut g, &keys);
        assert_eq!((*s).nfields, 64);
        assert_eq!(s, shape_for_template(&mut g, &keys));
        let absent = g.str("absent");
        for _ in 0..2 {
            for (i, &k) in keys.iter().enumerate() {
                assert_eq!(shape_find(&mut g, s, k), Some(i as u32));
                assert_eq!(shape_find_slow(s, k), Some(i as u32));
                assert_eq!(shape_key_at(s, i as u32), k);
            }
            assert_eq!(shape_find(&mut g, s, absent), None);
            assert_eq!(shape_keys(&mut g, s), &keys[..]);
        }
        assert!(
            shape_add(&mut g, s, absent).is_none(),
            "64 fields are the most"
        );
        assert!(shape_keys(&mut g, (*s).parent).len() == 63);
        let empty = g.hot.empty_shape;
        assert_eq!(shape_find(&mut g, empty, absent), None);
        assert!(shape_keys(&mut g, empty).is_empty());
    }
}

#[test]
fn many_children() {
    let mut g = State::new();
    unsafe {
        let root = g.hot.empty_shape;
        let keys: Vec<_> = (0..1000).map(|i| g.str(&format!("k{i}"))).collect();
        let children: Vec<_> = keys
            .iter()
            .map(|&k| shape_add(&mut g, root, k).unwrap())
            .collect();
        for (&k, &c) in keys.iter().zip(&children) {
            assert_eq!(shape_add(&mut g, root, k), Some(c));
            assert_eq!((*c).parent, root);
        }
        assert_eq!((*root).trans_len, 1000);
    }
}

#[test]
fn budget_of_shapes() {
    let mut g = State::new();
    unsafe {
        let before = g.heap.used_bytes();
        let v = g.str("v");
        let mut strings = 0;
        for i in 0..100_000 {
            let b = g.heap.used_bytes();
            let k = g.str(&format!("only {i}"));
            strings += g.heap.used_bytes() - b;
            let t = table_new(&mut g, 0, 2);
            table_set_field(&mut g, t, k, Value::int(i));
            table_set_field(&mut g, t, v, Value::int(-i));
            assert!(table_get_str(t, k).same(Value::int(i)));
            assert!(table_get_str(t, v).same(Value::int(-i)));
        }
        assert!(g.shapes.count() <= MAX_SHAPES);
        assert!(g.hot.next_shape_id < MAX_SHAPES as u32 + 100);
        let per_table = (g.heap.used_bytes() - before - strings) / 100_000;
        assert!(per_table < 250, "{per_table}");
    }
}

#[test]
fn metatables_change_the_root_only() {
    let mut g = State::new();
    unsafe {
        let (a, b) = (g.str("a"), g.str("b"));
        let s = shape_for_template(&mut g, &[a, b]);
        let mt = g.table(0, 0);
        crate::table::table_mark_proto(&mut g, mt);
        let first = shape_with_meta(&mut g, s, mt);
        assert!(
            (*first).shape_flags & shape_flags::UNCACHED_META != 0 && (*first).metatable.is_null()
        );
        for _ in 0..2 {
            let own = shape_with_meta(&mut g, s, mt);
            assert_eq!((*own).metatable, mt);
            assert_eq!(shape_keys(&mut g, own), &[a, b]);
            assert_eq!(own, shape_with_meta(&mut g, first, mt));
            assert_eq!(shape_with_meta(&mut g, own, null_mut()), s);
        }
        assert_eq!(shape_root(&mut g, mt), shape_root(&mut g, mt));
        assert_eq!(shape_root(&mut g, null_mut()), g.hot.empty_shape);
    }
}
