//! Sizes and spread.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests: everything stays alive"
)]

use super::*;
use crate::table::tests::State;

#[test]
fn capacities() {
    let mut last = 0;
    for n in 0..10_000 {
        let c = cap_for(n);
        assert!(c >= n && c >= last);
        assert_eq!(cap_for(c), c, "{n}");
        let size = index_size(c);
        if c > Dict::SMALL {
            assert!(
                size.is_power_of_two() && c * 4 <= size * 3 && c * 8 > size * 3,
                "{c} {size}"
            );
        }
        assert!(
            n < 2 || f64::from(c) <= f64::from(n) * 1.51 + 1.0,
            "{n} {c}"
        );
        last = c;
    }
    assert!(cap_for(MAX_CAP) >= MAX_CAP);
    assert!(index_size(cap_for(MAX_CAP)) > 0);
}

#[test]
fn memory_per_entry_is_near_pucs() {
    // PUC: 24 bytes a node, powers of two. Mean over sizes in geometric steps.
    let (mut ours, mut pucs, mut n) = (0.0, 0.0, 9.0f64);
    while n < 1e6 {
        let k = n as u32;
        ours += dict_bytes(cap_for(k)) as f64 / f64::from(k);
        pucs += f64::from(k.next_power_of_two()) * 24.0 / f64::from(k);
        n *= 1.01;
    }
    assert!(ours < pucs * 1.1, "{}", ours / pucs);
}

/// Mean number of index words looked at per successful look-up, and of their groups.
fn probes(d: *mut Dict) -> (f64, f64) {
    unsafe {
        let (mut words, mut groups) = (0, 0);
        for i in 0..(*d).used {
            let spot = spot_of(entry_key(&*(*d).entries.add(i as usize)));
            let mut last = u32::MAX;
            probe(spot, (*d).index_mask, |at| {
                words += 1;
                groups += u32::from(at / 4 != last);
                last = at / 4;
                *(*d).index.add(at as usize) & (*d).index_mask == i + 1
            });
        }
        let n = f64::from((*d).used);
        (f64::from(words) / n, f64::from(groups) / n)
    }
}

#[test]
fn keys_spread() {
    let mut g = State::new();
    let n = 24 << 10;
    type Make = fn(u64) -> Value;
    let families: [(&str, Make); 12] = [
        ("from 2^40", |i| Value::int((1 << 40) + i as i64)),
        ("two ranges", |i| {
            Value::int(((i / 2) | ((i % 2) << 40)) as i64)
        }),
        ("grid", |i| Value::int((i / 150 * 65536 + i % 150) as i64)),
        ("sequence", |i| Value::int(i as i64)),
        ("multiples of 2^8", |i| Value::int((i << 8) as i64)),
        ("multiples of 2^32", |i| Value::int((i << 32) as i64)),
        ("multiples of 2^44", |i| Value::int((i << 44) as i64)),
        ("multiples of 1000", |i| Value::int(i as i64 * 1000)),
        ("halves", |i| Value::float(i as f64 + 0.5)),
        ("tenths", |i| Value::float(i as f64 * 0.1 + 0.01)),
        ("small floats", |i| Value::float(1.0 / (i as f64 + 2.0))),
        ("addresses", |i| {
            Value::new(0x7f12_3456_0000 + i * 32, Tag::LIGHTUD)
        }),
    ];
    for (name, make) in families {
        let d = unsafe { dict_new(&mut g, n) };
        assert_eq!(unsafe { (*d).cap }, n);
        for i in 0..n {
            unsafe { dict_push(d, make(u64::from(i)), Value::TRUE) };
        }
        // A perfect hash has 2.1 and 1.15 at a load of 3/4.
        let (words, groups) = probes(d);
        assert!(words < 9.0 && groups < 2.6, "{name}: {words} {groups}");
        for i in 0..n {
            let k = make(u64::from(i));
            assert_eq!(unsafe { dict_find(d, k) }, unsafe {
                (*d).entries.add(i as usize)
            });
            let absent = make(u64::from(i + n));
            assert!(unsafe { dict_find(d, absent) }.is_null());
        }
    }
    let d = unsafe { dict_new(&mut g, n) };
    for i in 0..n {
        let k = g.val(&format!("k{i}"));
        unsafe { dict_push(d, k, Value::TRUE) };
    }
    let (words, groups) = probes(d);
    assert!(
        words < 3.0 && groups < 1.4,
        "short strings: {words} {groups}"
    );
}

/// What is sought and not found is put where it is found again, whatever the size and the order.
#[test]
fn gaps_are_filled() {
    let mut g = State::new();
    for cap in [0, 2, 8, 9, 12, 48, 108] {
        for step in [1i64, 16, 1 << 33, -7] {
            let d = unsafe { dict_new(&mut g, cap) };
            let cap = unsafe { (*d).cap };
            let mut keys = Vec::new();
            for i in 0..cap {
                keys.push(match i % 3 {
                    0 => g.val(&format!("{step}:{i}")),
                    _ => Value::int(i64::from(i) * step),
                });
            }
            for (i, &k) in keys.iter().enumerate() {
                unsafe {
                    assert!(dict_find(d, k).is_null());
                    let Err(gap) = dict_seek(d, k) else {
                        panic!("{k:?} is not there");
                    };
                    dict_fill(d, gap, k, Value::int(i as i64));
                    for (j, &k) in keys[..=i].iter().enumerate() {
                        let e = dict_find(d, k);
                        assert_eq!(entry_val(&*e).as_int(), j as i64);
                        assert_eq!(dict_seek(d, k).ok(), Some(e));
                    }
                }
            }
        }
    }
}

#[test]
fn marks_follow_the_entries() {
    let mut g = State::new();
    let long = "long".repeat(20);
    let mut keys: Vec<Value> = vec![Value::TRUE, Value::FALSE, Value::float(0.5)];
    keys.extend((0..3).map(|i| Value::int(i << 40)));
    keys.extend(["a", "b", &long, "c"].map(|k| g.val(k)));
    for n in 0..=Dict::SMALL {
        for gone in 0..1u32 << n {
            let d = unsafe { dict_new(&mut g, n) };
            let at = |i: u32| keys[(gone + i) as usize % keys.len()];
            for i in 0..n {
                unsafe { dict_push(d, at(i), Value::int(i64::from(i))) };
            }
            // some go, the others move up; more room, and less again
            for i in (0..n).filter(|i| gone >> i & 1 != 0) {
                unsafe { (*dict_find(d, at(i))).val_tag = Tag::NIL };
            }
            for cap in [cap_for(n), cap_for(12), cap_for(n)] {
                unsafe { dict_move(&mut g, d, cap) };
                for i in 0..keys.len() as u32 {
                    let e = unsafe { dict_find(d, at(i)) };
                    if i < n && gone >> i & 1 == 0 {
                        let v = unsafe { entry_val(&*e) };
                        assert_eq!(v.as_int(), i64::from(i));
                    } else {
                        assert!(e.is_null(), "{n} {gone:b} {i}");
                    }
                }
            }
            let marks = unsafe { (*d).marks };
            let used = unsafe { (*d).used };
            assert_eq!(marks.leading_zeros() / 8, 8 - used, "{marks:x}");
        }
    }
}
