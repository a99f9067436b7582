//! Interning, growth of the table, long strings.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "tests: everything stays alive"
)]

use std::collections::HashMap;

use super::*;
use crate::table::tests::{Rng, State};

#[test]
fn short_strings_are_interned() {
    let mut g = State::new();
    unsafe {
        for n in 0..=100 {
            let text = "ab".repeat(n)[..n].to_string();
            let (a, b) = (g.str(&text), g.str(&text));
            assert_eq!(a == b, n <= Str::MAX_SHORT, "{n}");
            assert_eq!(str_is_short(a), n <= Str::MAX_SHORT);
            assert!(str_eq(a, b));
            assert_eq!(str_hash(a), str_hash(b));
            assert_eq!(str_bytes(a), text.as_bytes());
            assert_eq!(*str_data(a).add(n), 0);
        }
        let (a, b) = (g.str_new(b"a\0b"), g.str_new(b"a\0c"));
        assert!(a != b && !str_eq(a, b));
    }
}

/// Every string hangs in the chain where it is looked for, and nowhere else.
fn check_chains(g: &mut State, n: usize) {
    let (p, len) = (g.strings.buckets, g.strings.ready);
    let mut seen = 0;
    for i in 0..len {
        unsafe {
            let mut s = *p.add(i);
            while !s.is_null() {
                seen += 1;
                assert!(i < g.strings.len);
                assert_eq!(g.strings.head((*s).hdr.word), p.add(i));
                s = (*s).next;
            }
        }
    }
    assert_eq!(seen, n);
}

#[test]
fn the_table_grows_and_the_sweep_may_unlink() {
    let mut g = State::new();
    let (p, len) = (g.strings.buckets, g.strings.ready);
    let mut n = 0;
    for i in 0..len {
        unsafe {
            let mut s = *p.add(i);
            while !s.is_null() {
                n += 1;
                s = (*s).next;
            }
        }
    }
    let mut made = HashMap::new();
    for i in 0..50_000 {
        let text = format!("string {i}");
        made.insert(text.clone(), g.str(&text));
        if i % 7919 == 0 {
            check_chains(&mut g, n + made.len());
        }
    }
    check_chains(&mut g, n + made.len());
    let buckets = g.strings.buckets();
    assert!((25_000..200_000).contains(&buckets), "{buckets}");
    for (text, s) in &made {
        assert_eq!(g.str(text), *s);
    }
    // The sweep of a collection: most strings go.
    let mut r = Rng(2);
    let mut left = 0;
    let (p, len) = (g.strings.buckets, g.strings.ready);
    for i in 0..len {
        unsafe {
            let mut at = p.add(i);
            while !(*at).is_null() {
                if r.below(10) > 0 {
                    *at = (**at).next;
                } else {
                    left += 1;
                    at = &raw mut (**at).next;
                }
            }
        }
    }
    check_chains(&mut g, left);
    // New ones reuse the room.
    for i in 0..20_000 {
        g.str(&format!("other {i}"));
    }
    check_chains(&mut g, left + 20_000);
    assert!(g.strings.buckets() < buckets + 5000);
}

#[test]
fn unfinished_strings() {
    let mut g = State::new();
    unsafe {
        let old = g.str("hello");
        let s = g.str_alloc_long(5);
        copy_nonoverlapping(b"hello".as_ptr(), str_data(s), 5);
        assert_eq!(g.str_finish(s), old);
        let s = g.str_alloc_long(5);
        copy_nonoverlapping(b"world".as_ptr(), str_data(s), 5);
        assert_eq!(g.str_finish(s), s);
        assert_eq!(g.str("world"), s);
        let s = g.str_alloc_long(50);
        str_data(s).write_bytes(b'x', 50);
        assert_eq!(g.str_finish(s), s);
        assert!(!str_is_short(s));
    }
}

#[test]
fn joined() {
    let mut g = State::new();
    let mut r = Rng(3);
    for _ in 0..2000 {
        let n = r.below(5) as usize;
        let mut text = String::new();
        let mut values = Vec::new();
        for _ in 0..n {
            let (v, piece) = match r.below(6) {
                0 => {
                    let i = (r.next() as i64) >> r.below(64);
                    (Value::int(i), i.to_string())
                }
                1 => (Value::float(r.below(1000) as f64 + 0.5), String::new()),
                n => {
                    // together they fit one word, two, or neither
                    let most = [10, 6, 18, 90][n as usize - 2];
                    let s = "x".repeat(r.below(most) as usize);
                    (str_val(g.str(&s)), s)
                }
            };
            match v.tag {
                Tag::FLOAT => text.push_str(&format!("{:?}", v.as_float())),
                _ => text.push_str(&piece),
            }
            values.push(v);
        }
        unsafe {
            let Some(s) = str_join(&mut g, &values) else {
                assert!(text.len() > JOIN_BUF);
                continue;
            };
            assert!(text.len() <= JOIN_BUF);
            assert_eq!(str_bytes(s), text.as_bytes());
            assert!(str_eq(s, g.str_new(text.as_bytes())));
            assert_eq!(*str_data(s).add(text.len()), 0);
        }
    }
}

#[test]
fn words() {
    let mut g = State::new();
    let mut r = Rng(5);
    for _ in 0..20_000 {
        let n = r.below(17) as usize;
        let b: Vec<u8> = (0..n).map(|_| r.next() as u8).collect();
        let w = Words::of(&b);
        assert_eq!(w.len(), n);
        assert_eq!(w.hash(7), hash_bytes(7, &b));
        unsafe {
            let s = g.str_new(&b);
            assert_eq!(str_bytes(s), b);
            assert_eq!(*str_data(s).add(n), 0);
            assert_eq!(Words::of_str(s), w);
            assert!(w.is_text_of(s));
            if let Some(last) = b.last() {
                let mut other = b.clone();
                other[n - 1] = last ^ 1;
                assert!(!Words::of(&other).is_text_of(s));
                assert!(!Words::of(&b[..n - 1]).is_text_of(s));
            }
            let k = r.below(17) as usize;
            let more: Vec<u8> = (0..k).map(|_| r.next() as u8).collect();
            let both = [&b[..], &more[..]].concat();
            let want = (both.len() <= Words::MAX).then(|| Words::of(&both));
            assert_eq!(w.then(Words::of(&more)), want);
        }
        let i = (r.next() as i64) >> r.below(64);
        let short = i.unsigned_abs() < 100_000_000;
        let want = short.then(|| Words::of(i.to_string().as_bytes()));
        assert_eq!(Words::of_int(i), want);
    }
    assert_eq!(Words::of_int(i64::MIN), None);
}

#[test]
fn hashes_spread_and_depend_on_everything() {
    let mut r = Rng(4);
    for n in 1..200usize {
        let mut b: Vec<u8> = (0..n).map(|_| r.next() as u8).collect();
        let h = hash_bytes(1, &b);
        assert_ne!(h, hash_bytes(2, &b));
        for i in 0..n {
            b[i] ^= 1;
            assert_ne!(h, hash_bytes(1, &b), "{n} {i}");
            b[i] ^= 1;
        }
    }
    let mut low = vec![0u32; 4096];
    for i in 0..40_960 {
        low[hash_bytes(1, format!("x{i}").as_bytes()) as usize & 4095] += 1;
    }
    let worst = low.iter().max().copied();
    assert!(worst < Some(40), "{worst:?}");
}
