//! One test for each promise of the interface.

use super::world::*;
use crate::arena::{BLOCK, HEADER, block_of};
use crate::*;
use core::ptr::null_mut;
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

fn spin(w: &mut World) {
    for _ in 0..100_000 {
        if unsafe { w.h().step_bytes(1) } {
            return;
        }
    }
    panic!("the cycle does not end");
}

#[test]
fn garbage_goes_and_the_rest_stays() {
    let mut w = World::new(true);
    let empty = w.h().used_bytes();
    let t = w.table(10, 3);
    w.roots[0] = tab(t);
    for i in 0..10 {
        let s = w.str(format!("string {i}").as_bytes());
        w.set_array(t, i, Value::ptr(s, Tag::STRING));
    }
    for i in 0..5000usize {
        w.table(i % 7, i % 12);
        w.str(format!("garbage {i}").as_bytes());
        w.str(&vec![b'x'; i]);
    }
    w.verify();
    let full = w.h().used_bytes();
    w.full();
    assert!(
        w.h().used_bytes() < full / 100,
        "{} of {full}",
        w.h().used_bytes()
    );
    for i in 0..10 {
        let s: *mut Str = unsafe { run_get((*t).array, i) }.as_ptr();
        assert_eq!(unsafe { str_bytes(s) }, format!("string {i}").as_bytes());
    }
    assert_eq!(w.interned(), 10);
    w.roots[0] = Value::NIL;
    w.full();
    assert_eq!(w.h().used_bytes(), empty);
    assert_eq!(w.interned(), 0);
}

#[test]
fn an_idle_state_is_small() {
    let mut w = World::new(true);
    for i in 0..300usize {
        let c = w.native(&[]);
        let s = w.str(format!("function{i}").as_bytes());
        w.roots.push(Value::ptr(c, Tag::FUNCTION));
        w.roots.push(Value::ptr(s, Tag::STRING));
    }
    for i in 0..40usize {
        let t = w.table(i, i % 20);
        w.roots.push(tab(t));
    }
    w.verify();
    let s = w.h().stats();
    assert!(s.host_bytes < 400 << 10, "{s:?}");
    assert!(w.h().used_bytes() < 80 << 10);
}

#[test]
fn steps_finish_a_cycle_and_free() {
    let mut w = World::new(true);
    for i in 0..20_000usize {
        let t = w.table(2, 2);
        if i % 10 == 0 {
            w.roots.push(tab(t));
        }
    }
    let before = w.h().used_bytes();
    w.h().set_stepsize(9);
    let mut steps = 0;
    while !unsafe { w.h().step_bytes(0) } {
        steps += 1;
        if steps % 8 == 0 {
            w.verify();
        }
        assert!(steps < 10_000);
    }
    w.verify();
    assert!(steps > 3, "{steps} steps");
    assert!(w.h().used_bytes() < before / 5);
}

#[test]
fn the_debt_asks_for_steps() {
    let mut w = World::new(true);
    let mut asked = 0;
    for _ in 0..100_000 {
        w.table(0, 4);
        if w.hot.poll & poll::GC != 0 {
            asked += 1;
            unsafe { w.h().step() };
            assert_eq!(w.hot.poll & poll::GC, 0);
        }
    }
    assert!(asked > 10);
    assert!(w.h().used_bytes() < 600 << 10, "{}", w.h().used_bytes());
    w.h().stop();
    for _ in 0..100_000 {
        w.table(0, 4);
        assert_eq!(w.hot.poll & poll::GC, 0);
    }
    assert!(!w.h().is_running());
    w.h().restart();
    w.table(4000, 0);
    assert_ne!(w.hot.poll & poll::GC, 0);
    w.verify();
}

#[test]
fn inline_allocation_and_accounting() {
    let mut w = World::new(true);
    let class = size_class(Table::size_for(4));
    let before = w.h().used_bytes();
    for n in 1..=1000 {
        let p = w.inline_alloc(class);
        assert_eq!(p.addr() % 16, 0);
        unsafe { core::ptr::write_bytes(p, 0x11, class_bytes(class)) };
        assert_eq!(w.h().used_bytes(), before + n * class_bytes(class));
    }
    w.verify();
    w.full();
    assert_eq!(w.h().used_bytes(), before);
}

#[test]
fn early_free_is_reused() {
    let mut w = World::new(true);
    for size in [1usize, 100, 5000, 8016, 8017, 100_000] {
        let before = w.h().used_bytes();
        let p = unsafe { w.h().alloc_run(size) };
        assert!(w.h().used_bytes() > before);
        unsafe { w.h().free_run(p, size) };
        assert_eq!(w.h().used_bytes(), before);
        if size <= MAX_SMALL {
            assert_eq!(unsafe { w.h().alloc_run(size) }, p);
        }
    }
    w.full();
    w.verify();
}

#[test]
fn objects_are_found_by_masking() {
    let mut w = World::new(true);
    let small = w.str(&[b'a'; 100]);
    let large = w.str(&[b'a'; 100_000]);
    let ud = w.userdata(3, 50_000);
    for p in [small.cast::<u8>(), large.cast(), ud.cast()] {
        assert!(p.addr() - block_of(p).addr() >= HEADER);
        assert!(p.addr() - block_of(p).addr() < BLOCK);
    }
    unsafe {
        assert_eq!(w.h().object_size(small.cast()), 128);
        assert_eq!(w.h().object_size(large.cast()), Str::size_for(100_000));
        assert_eq!(
            w.h().object_size(ud.cast()),
            Userdata::block_offset(3) + 50_000
        );
    }
    w.roots[0] = Value::ptr(large, Tag::STRING);
    w.roots[1] = Value::ptr(ud, Tag::USERDATA);
    w.full();
    assert_eq!(unsafe { str_bytes(large) }, [b'a'; 100_000]);
}

#[test]
fn weak_values() {
    let mut w = World::new(true);
    let mt = w.mode_table(WeakMode::Values);
    w.roots[1] = tab(mt);
    let kept = w.table(0, 0);
    w.roots[2] = tab(kept);
    let (a, f, d) = (w.table(6, 0), w.table(0, 4), w.dict_table(8));
    for (i, t) in [a, f, d].into_iter().enumerate() {
        w.set_meta(t, mt);
        w.roots[3 + i] = tab(t);
    }
    let dead = w.table(0, 0);
    let s = w.str(b"a string");
    let s = Value::ptr(s, Tag::STRING);
    for (i, v) in [tab(kept), tab(dead), s].into_iter().enumerate() {
        w.set_array(a, i, v);
        w.set_field(f, i, v);
        w.set_key(d, Value::int(i as i64), v);
    }
    w.set_key(d, tab(dead), tab(kept)); // the key is strong and keeps it
    w.full();
    assert!(!w.get_key(d, Value::int(1)).is_nil());
    w.set_key(d, tab(dead), Value::NIL);
    w.full();
    unsafe {
        for (i, n) in [(0, false), (1, true), (2, false)] {
            assert_eq!(run_get((*a).array, i).is_nil(), n, "array {i}");
            assert_eq!(run_get((*f).hash.cast(), i).is_nil(), n, "field {i}");
            assert_eq!(w.get_key(d, Value::int(i as i64)).is_nil(), n, "key {i}");
        }
        assert_eq!((*a).hdr.extra as i8, Tag::ANY.byte());
        assert_eq!(str_bytes(run_get((*a).array, 2).as_ptr()), b"a string");
        let e = &*(*(*d).hash.cast::<Dict>()).entries.add(3);
        assert_eq!(e.key_tag, Tag::DEADKEY);
        assert_eq!(e.key_payload, dead.addr() as u64);
    }
}

#[test]
fn ephemerons_converge_in_any_order() {
    for across in [false, true] {
        for backwards in [false, true] {
            let mut w = World::new(true);
            let mt = w.mode_table(WeakMode::Keys);
            w.roots[1] = tab(mt);
            const N: usize = 3000;
            let keys: Vec<_> = (0..=N).map(|_| w.table(0, 1)).collect();
            let one = w.dict_table(4);
            w.set_meta(one, mt);
            w.roots[2] = tab(one);
            for i in 0..N {
                let i = if backwards { N - 1 - i } else { i };
                let t = if across {
                    let t = w.dict_table(1);
                    w.set_meta(t, mt);
                    w.roots.push(tab(t));
                    t
                } else {
                    one
                };
                w.set_key(t, tab(keys[i]), tab(keys[i + 1]));
            }
            w.roots[0] = tab(keys[N / 2]);
            let work = w.h().stats().marked_bytes;
            w.full();
            assert!(w.h().stats().marked_bytes - work < 4_000_000, "not linear");
            let tables = if across {
                w.roots[32..].to_vec()
            } else {
                vec![tab(one)]
            };
            let live: usize = tables
                .iter()
                .map(|t| unsafe {
                    let d: *mut Dict = (*t.as_ptr::<Table>()).hash.cast();
                    (0..(*d).used as usize)
                        .filter(|&i| (*(*d).entries.add(i)).val_tag != Tag::NIL)
                        .count()
                })
                .sum();
            assert_eq!(live, N - N / 2, "across {across} backwards {backwards}");
            w.roots[0] = Value::NIL;
            w.full();
        }
    }
}

#[test]
fn ephemeron_cycle_dies() {
    let mut w = World::new(true);
    let mt = w.mode_table(WeakMode::Keys);
    w.roots[1] = tab(mt);
    let e = w.dict_table(4);
    w.set_meta(e, mt);
    w.roots[2] = tab(e);
    let k = w.table(0, 1);
    let v = w.table(0, 1);
    w.set_field(v, 0, tab(k)); // the value refers to its key
    w.set_key(e, tab(k), tab(v));
    w.cache = vec![k.cast(), v.cast()];
    w.full();
    assert!(w.cache.is_empty());
    assert!(w.find(e, tab(k)).is_none());
}

#[test]
fn finalizers_in_reverse_order_with_resurrection() {
    let mut w = World::new(true);
    let weak_k = w.mode_table(WeakMode::Keys);
    let weak_v = w.mode_table(WeakMode::Values);
    w.roots[1] = tab(weak_k);
    w.roots[2] = tab(weak_v);
    let (ek, ev) = (w.dict_table(8), w.dict_table(8));
    w.set_meta(ek, weak_k);
    w.set_meta(ev, weak_v);
    w.roots[3] = tab(ek);
    w.roots[4] = tab(ev);
    let mut objs = Vec::new();
    for i in 0..5i64 {
        let o = w.table(2, 0);
        let inner = w.table(1, 0);
        w.set_array(inner, 0, Value::int(i));
        w.set_array(o, 0, tab(inner));
        unsafe {
            w.h().register_finalizer(o.cast());
            w.h().register_finalizer(o.cast()); // no effect
        }
        w.set_key(ek, tab(o), Value::int(i));
        w.set_key(ev, Value::int(i), tab(o));
        objs.push(o);
    }
    w.roots[5] = tab(objs[2]);
    w.full();
    assert!(w.queued);
    // values are removed before resurrection, keys are not
    for i in 0..5 {
        assert_eq!(w.get_key(ev, Value::int(i)).is_nil(), i != 2);
        assert!(!w.get_key(ek, tab(objs[i as usize])).is_nil());
    }
    let mut order = Vec::new();
    while let Some(o) = unsafe { w.h().next_to_finalize() } {
        w.roots[6] = tab(o.cast());
        w.full(); // finalizers may collect
        let t: *mut Table = o.cast();
        unsafe {
            assert_eq!((*o).flags & flags::FINALIZER, 0);
            let inner: *mut Table = run_get((*t).array, 0).as_ptr();
            order.push(run_get((*inner).array, 0).as_int());
        }
    }
    assert_eq!(order, [4, 3, 1, 0]);
    w.queued = false;
    w.roots[6] = Value::NIL;
    w.full();
    assert!(!w.queued, "once only");
    assert_eq!(
        (0..5)
            .filter(|&i| w.get_key(ek, tab(objs[i])).is_nil())
            .count(),
        4
    );
    // at close the rest is queued, too, objects that are alive included
    let extra = w.table(0, 0);
    w.roots[7] = tab(extra);
    w.set_key(ev, Value::int(9), tab(extra));
    unsafe {
        w.h().register_finalizer(extra.cast());
        w.h().separate_all();
        assert_eq!(w.h().next_to_finalize(), Some(extra.cast()));
        assert_eq!(w.h().next_to_finalize(), Some(objs[2].cast()));
        assert_eq!(w.h().next_to_finalize(), None);
    }
}

#[test]
fn resurrected_weak_tables_lose_dead_values() {
    let mut w = World::new(true);
    let mt = w.mode_table(WeakMode::Values);
    w.roots[1] = tab(mt);
    let o = w.table(4, 0);
    let inner = w.table(4, 0);
    let dead = w.table(0, 0);
    w.set_meta(o, mt);
    w.set_array(o, 0, tab(inner));
    w.set_array(o, 1, tab(dead));
    let thread = w.thread(10, 1);
    let hook = w.native(&[tab(o)]);
    unsafe { (*thread).hook_value = Value::ptr(hook, Tag::FUNCTION) };
    unsafe {
        w.h().register_finalizer(thread.cast());
        w.h().register_finalizer(inner.cast());
    }
    w.full();
    unsafe {
        // `inner` is to be finalized itself and so marked; `dead` is not
        assert_eq!(run_get((*o).array, 0).payload, inner.addr() as u64);
        assert!(run_get((*o).array, 1).is_nil());
        assert_eq!((*o).hdr.extra as i8, Tag::ANY.byte());
    }
}

#[test]
fn dead_transitions_leave_their_table() {
    let mut w = World::new(true);
    let root = w.hot.empty_shape;
    let cap = 16u32;
    let run = unsafe { w.h().alloc_run(8 * cap as usize) }.cast::<*mut Shape>();
    let mut kids = Vec::new();
    unsafe {
        for i in 0..cap as usize {
            *run.add(i) = null_mut();
        }
        (*root).trans = run;
        (*root).trans_cap = cap;
        w.touch(root.cast(), Value::NIL);
        for i in 0..12 {
            let key = w.str(format!("k{}", i * 3).as_bytes());
            let kid = w.shape(root, key);
            let mut at = trans_home(key, cap);
            while !(*run.add(at)).is_null() {
                at = (at + 1) & (cap as usize - 1);
            }
            *run.add(at) = kid;
            (*root).trans_len += 1;
            kids.push((kid, key));
        }
    }
    for i in (0..12).step_by(3) {
        w.roots[i] = Value::ptr(kids[i].0, Tag::SHAPE);
    }
    w.full();
    unsafe {
        assert_eq!((*root).trans_len, 4);
        for i in (0..12).step_by(3) {
            let (kid, key) = kids[i];
            let mut at = trans_home(key, cap);
            while *run.add(at) != kid {
                assert!(!(*run.add(at)).is_null(), "child {i} lost");
                at = (at + 1) & (cap as usize - 1);
            }
        }
    }
}

#[test]
fn frames_of_all_kinds() {
    use traceorus_base::frame::kind;
    let mut w = World::new(true);
    let t = w.thread(100, 0);
    w.roots[0] = Value::ptr(t, Tag::THREAD);
    w.hot.main = t;
    w.hot.current = t;
    unsafe { (*t).status = thread_status::RUNNING };
    let p = w.proto(&[0, 3, 5, 4], &[]);
    let f = w.closure(p, &[]);
    let g = w.native(&[]);
    let stack = unsafe { (*t).stack };
    let mut live: Vec<*mut Table> = Vec::new();
    let mut dead: Vec<*mut Table> = Vec::new();
    let mut put = |w: &mut World, i: usize, alive: bool| {
        let o = w.table(0, 0);
        unsafe { *stack.add(i) = tab(o) };
        if alive { live.push(o) } else { dead.push(o) }
    };
    let mut act = Activation {
        prev: null_mut(),
        thread: t,
        prev_base: 0,
        prev_pc: core::ptr::null(),
        native_sp: 0,
        func: 0,
        nresults: 0,
        kind: 0,
        bits: 0,
    };
    unsafe {
        let code = (*p).code;
        // 0: BASE, native frame at 1 with slots 1..4
        (1..4).for_each(|i| put(&mut w, i, true));
        // 4: Lua frame entered from native code (native caller), base 5, at word 1: 3 live registers
        act.prev_base = 16;
        set_func(
            stack.add(4),
            f.cast(),
            frame_word(kind::ENTRY, (&raw mut act).addr() as u64, 0),
        );
        (5..8).for_each(|i| put(&mut w, i, true));
        put(&mut w, 8, false);
        *code.add(1) = (4 * 16) << 16; // a call with A = 4
        // 9: called by word 1 of the frame at 5; vararg, moved up: arguments 10..13, moved to base 14
        set_func(
            stack.add(9),
            f.cast(),
            frame_word(kind::LUA, code.add(1).addr() as u64, 0),
        );
        (10..13).for_each(|i| put(&mut w, i, true));
        set_func(
            stack.add(13),
            f.cast(),
            traceorus_base::frame::vararg_word(4),
        );
        (14..19).for_each(|i| put(&mut w, i, true)); // at word 2: 5 live registers
        (19..30).for_each(|i| put(&mut w, i, false));
        // 30: metamethod (native, pcall) of word 2; base 31, delta 17
        set_func(
            stack.add(30),
            g.cast(),
            frame_word(kind::CONT, code.add(2).addr() as u64, 17),
        );
        put(&mut w, 31, true);
        // 32: called by pcall, base 33, delta 2; Lua, running at word 3: 4 live registers
        set_func(stack.add(32), f.cast(), frame_word(kind::PCALL, 0, 2));
        (33..37).for_each(|i| put(&mut w, i, true));
        (37..60).for_each(|i| put(&mut w, i, false));
        (*t).base = stack.add(33);
        (*t).pc = code.add(3);
    }
    w.cache = live.iter().chain(&dead).map(|p| p.cast()).collect();
    w.full();
    let want: Vec<*mut GcHeader> = live.iter().map(|p| p.cast()).collect();
    assert_eq!(w.cache, want);
    w.hot.main = null_mut();
    w.hot.current = null_mut();
}

#[test]
fn big_tables_use_the_forward_barrier_and_slices() {
    let mut w = World::new(true);
    let big = w.table(20_000, 8);
    w.roots[0] = tab(big);
    for i in 0..20_000 {
        let o = w.table(0, 0);
        w.set_array(big, i, tab(o));
    }
    for round in 0..20 {
        // a cycle in small steps with stores between them
        let mut n = round;
        w.h().set_stepmul(3);
        w.h().set_stepsize(8);
        loop {
            let (a, b) = (w.table(1, 0), w.table(0, 0));
            w.set_array(a, 0, tab(b));
            if round % 2 == 0 || n % 8 == 0 {
                w.set_array(big, (n * 7919) % 20_000, tab(a));
            }
            if n % 61 == 0 {
                let (c, i) = (w.table(0, 0), n / 61 % 8);
                if i < 4 {
                    // a store whose barrier does not name what is new
                    unsafe { run_set((*big).hash.cast(), i, tab(c)) };
                    w.touch(big.cast(), Value::NIL);
                } else {
                    w.set_field(big, i, tab(c));
                }
            }
            n += 1;
            if n % 1024 == 0 {
                w.verify();
            }
            if unsafe { w.h().step_bytes(0) } {
                break;
            }
        }
        w.verify();
    }
    w.h().set_stepmul(100);
    w.full();
    w.full();
}

#[test]
fn tags_behind_the_end_of_a_run_do_not_count() {
    let mut w = World::new(true);
    let mut work = |behind: Tag| {
        // tags of 16 slots from the last to the first, and their payloads: 11 are written
        let mut memory = [0u64; 18];
        let run = memory[2..].as_mut_ptr();
        for i in 0..16 {
            let tag = if i < 11 { Tag::INT } else { behind };
            unsafe { run.cast::<u8>().sub(i + 1).write(tag.0 as u8) };
        }
        let before = w.h().work;
        unsafe { w.h().scan_tagged(run, 0, 11) };
        w.h().work - before
    };
    assert_eq!(work(Tag::TABLE), work(Tag::INT));
}

#[test]
fn big_dictionaries_are_scanned_in_slices() {
    let mut w = World::new(true);
    let d = w.dict_table(4);
    w.roots[0] = tab(d);
    let add = |w: &mut World, i: i64| unsafe {
        let (k, v) = (w.table(0, 0), w.table(1, 0));
        // find() is linear: write the entry without looking for the key
        let dict: *mut Dict = (*d).hash.cast();
        if (*dict).used == (*dict).cap {
            w.set_key(d, tab(k), tab(v));
        } else {
            *(*dict).entries.add((*dict).used as usize) = DictEntry {
                key_payload: k.addr() as u64,
                val_payload: v.addr() as u64,
                val_tag: Tag::TABLE,
                key_tag: Tag::TABLE,
            };
            (*dict).used += 1;
            w.touch(d.cast(), tab(v));
        }
        w.set_array(v, 0, Value::int(i));
    };
    (0..4000).for_each(|i| add(&mut w, i));
    w.full();
    w.h().set_stepsize(8);
    w.h().set_stepmul(3);
    for i in 4000..9000 {
        add(&mut w, i); // grows in all phases
        unsafe { w.h().step_bytes(0) };
        if i % 1000 == 0 {
            w.verify();
        }
    }
    w.verify();
    unsafe {
        let dict: *mut Dict = (*d).hash.cast();
        assert_eq!((*dict).used, 9000);
        for i in 0..9000 {
            let e = &*(*dict).entries.add(i);
            let v: *mut Table = core::ptr::with_exposed_provenance_mut(e.val_payload as usize);
            assert_eq!(run_get((*v).array, 0).as_int(), i as i64);
        }
    }
}

#[test]
fn runs_freed_while_sweeping() {
    let mut w = World::new(true);
    for i in 0..2000 {
        let t = w.table(8, 0);
        w.set_array(t, 3, Value::int(i));
        w.roots.push(tab(t));
        w.table(8, 0);
    }
    w.h().set_stepsize(6);
    w.h().set_stepmul(3);
    while w.h().phase != Phase::Sweep {
        unsafe { w.h().step_bytes(0) };
    }
    for i in 0..2000 {
        let t = w.roots[32 + i].as_ptr();
        w.grow_array(t, 16);
        if i % 16 == 0 {
            w.verify();
            unsafe { w.h().step_bytes(0) };
        }
    }
    w.verify();
    for i in 0..2000 {
        let t: *mut Table = w.roots[32 + i].as_ptr();
        assert_eq!(unsafe { run_get((*t).array, 3) }.as_int(), i as i64);
    }
}

#[test]
fn strings_found_while_condemned_survive() {
    let mut w = World::new(true);
    for i in 0..3000 {
        w.str(format!("s{i}").as_bytes());
    }
    w.h().set_stepsize(6);
    w.h().set_stepmul(3);
    while w.h().phase != Phase::Sweep {
        unsafe { w.h().step_bytes(0) };
    }
    let mut found = 0;
    for i in (0..3000).step_by(7) {
        let s = w.str(format!("s{i}").as_bytes());
        w.roots.push(Value::ptr(s, Tag::STRING));
        found += 1;
        w.verify();
        if i % 4 == 0 {
            unsafe { w.h().step_bytes(0) };
        }
    }
    spin(&mut w);
    w.verify();
    for k in 0..found {
        let s: *mut Str = w.roots[32 + k].as_ptr();
        assert_eq!(unsafe { str_bytes(s) }, format!("s{}", k * 7).as_bytes());
    }
}

#[test]
fn limit_and_reserve() {
    let mut w = World::new(true);
    let used = w.h().used_bytes();
    w.h().set_memory_limit(Some(used + 100_000));
    assert_eq!(w.h().reserve(200_000), Err(OutOfMemory));
    assert_eq!(w.h().reserve(usize::MAX), Err(OutOfMemory));
    // garbage does not count
    for _ in 0..50 {
        w.h().reserve(10_000).expect("garbage is collected");
        unsafe { w.h().alloc_run(10_000) };
    }
    let mut n = 0;
    while w.h().reserve(Table::size_for(4)).is_ok() {
        let t = w.table(0, 4);
        w.roots.push(tab(t));
        n += 1;
    }
    assert!(n * 96 > 90_000 && n * 96 <= 100_000, "{n}");
    w.h().set_memory_limit(None);
    w.h().reserve(1 << 20).expect("no limit");
    w.verify();
}

#[test]
fn a_refusing_host_never_breaks_a_reserved_allocation() {
    for fail_for in [1, usize::MAX] {
        for n in 1.. {
            let mut w = World::new(true);
            w.roots.clear();
            w.host.fail_at = w.host.calls + n;
            w.host.fail_for = fail_for;
            let mut refused = 0;
            for i in 0..60usize {
                // the sizes that one helper may ask for at once
                let sizes = [
                    24 + i * 8,
                    100 * i,
                    3000,
                    if i % 5 == 0 { 20_000 + 999 * i } else { 16 },
                    if i % 10 == 0 { 30_000 } else { 16 },
                ];
                let total = sizes.iter().map(|&s| alloc_size(s)).sum();
                if w.h().reserve(total).is_err() {
                    refused += 1;
                    continue;
                }
                let c = w.str(&vec![b'q'; sizes[0]]);
                w.roots.push(Value::ptr(c, Tag::STRING));
                let u = w.userdata(0, sizes[1]);
                w.roots.push(Value::ptr(u, Tag::USERDATA));
                unsafe { w.h().alloc_run(sizes[2]) };
                let u = w.userdata(0, sizes[3]);
                w.roots.push(Value::ptr(u, Tag::USERDATA));
                let u = w.userdata(0, sizes[4]);
                w.roots.push(Value::ptr(u, Tag::USERDATA));
            }
            w.host.fail_at = 0;
            w.full();
            let calls = w.host.calls;
            drop(w);
            if refused == 0 && calls < n {
                break;
            }
            assert!(n < 1000);
        }
    }
}

#[test]
fn small_reservations_hold_when_the_host_gives_nothing() {
    for seed in 0..40u32 {
        let mut w = World::new(true);
        w.roots.clear();
        w.host.fail_at = w.host.calls + 1 + seed as usize % 7;
        w.host.fail_for = usize::MAX;
        let mut x = seed.wrapping_mul(2_654_435_761) | 1;
        let mut rand = move |n: u32| {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            (x % n) as usize
        };
        // 4 KiB at a time, cut in any way
        while w.h().reserve(4096).is_ok() {
            let mut left = 4096;
            while left > 64 {
                let n = 1 + rand(left as u32 - 50).min(if rand(4) == 0 { 4000 } else { 90 });
                left -= n.clamp(33, left);
                match rand(3) {
                    0 => {
                        let s = w.str(&vec![b'x'; n]);
                        w.roots.push(Value::ptr(s, Tag::STRING));
                    }
                    1 => {
                        let u = w.userdata(0, n);
                        w.roots.push(Value::ptr(u, Tag::USERDATA));
                    }
                    _ => {
                        unsafe { w.h().alloc_run(n) };
                    }
                }
            }
        }
        w.verify();
    }
}

#[test]
fn running_threads_need_no_barrier() {
    let mut w = World::new(true);
    let t = w.thread(20, 8);
    let susp = w.thread(20, 8);
    w.hot.main = t;
    w.roots[0] = Value::ptr(susp, Tag::THREAD);
    unsafe { (*t).status = thread_status::NORMAL };
    for _ in 0..5000 {
        let x = w.table(0, 0);
        w.roots.push(tab(x));
    }
    w.h().set_stepsize(6);
    w.h().set_stepmul(3);
    let mut n = 0;
    loop {
        let (x, y) = (w.table(0, 0), w.table(0, 0));
        unsafe {
            *(*t).base.add(n % 8) = tab(x);
            if n % 50 == 0 {
                // as a resume does
                w.touch(susp.cast(), Value::NIL);
                *(*susp).base.add(n / 50 % 8) = tab(y);
            }
            n += 1;
            if w.h().step_bytes(0) {
                break;
            }
        }
        if n % 16 == 0 {
            w.verify();
        }
    }
    assert!(n > 100, "{n}");
    w.verify();
    w.hot.main = null_mut();
}

#[test]
fn stress_collects_at_every_allocation() {
    let mut w = World::new(true);
    w.h().set_stress(1);
    let t = w.table(8, 0);
    w.roots[0] = tab(t);
    for i in 0..200 {
        let c = w.inline_alloc(size_class(size_of::<Cell>()));
        unsafe {
            c.cast::<GcHeader>().write(GcHeader {
                barrier: 0,
                kind: ObjKind::Cell as u8,
                flags: 0,
                extra: 0,
                word: 0,
            });
            (*c.cast::<Cell>()).value = Value::int(i);
        }
        w.set_array(t, i as usize % 8, Value::ptr(c, Tag::CELL));
        assert_ne!(w.hot.poll & poll::GC, 0);
        let cycles = w.h().stats().cycles;
        unsafe { w.h().step() };
        assert_eq!(w.h().stats().cycles, cycles + 1);
    }
    w.verify();
    w.h().set_stress(0);
}

/// A program that allocates nothing, but would have, gets its cycles.
#[test]
fn removed_allocations_are_charged() {
    let mut w = World::new(true);
    let remove = |w: &mut World, bytes: u32| {
        let (left, wrapped) = w.hot.sunk_left.overflowing_sub(bytes);
        w.hot.sunk_left = left;
        if wrapped {
            // SAFETY: the world is live.
            unsafe { w.h().charge_removed() };
        }
    };
    let used = w.h().used_bytes();
    let mut removed = 0u64;
    while w.h().stats().cycles < 3 {
        remove(&mut w, 64);
        removed += 64;
        assert!(removed < 64 << 20, "no cycle ends");
        if w.hot.poll & poll::GC != 0 {
            unsafe { w.h().step() };
        }
    }
    assert!(removed > 256 << 10, "{removed} bytes are too few");
    assert_eq!(w.h().used_bytes(), used);
    w.h().set_stress(2);
    unsafe { w.h().charge_removed() };
    unsafe { w.h().step() };
    for _ in 0..10 {
        let cycles = w.h().stats().cycles;
        for _ in 0..2 {
            remove(&mut w, 64);
            unsafe { w.h().step() };
        }
        assert_eq!(w.h().stats().cycles, cycles + 1);
    }
}

#[test]
fn protos_and_closures() {
    let mut w = World::new(true);
    let s = w.str(b"constant");
    let inner = w.proto(&[1; 10], &[]);
    let p = w.proto(&[2; 3000], &[Value::ptr(s, Tag::STRING), Value::int(3)]);
    unsafe {
        (*p).nprotos = 1;
        (*p).protos = w.h().alloc_run(8).cast();
        *(*p).protos = inner;
        (*p).nupvals = 1;
        (*p).upvals = w.h().alloc_run(16).cast();
        let name = w.str(b"upvalue");
        core::ptr::write_bytes((*p).upvals, 0, 1);
        (*(*p).upvals).name = name;
        (*p).nlocvars = 1;
        (*p).locvars = w.h().alloc_run(size_of::<LocVar>()).cast();
        let name = w.str(b"local");
        (*p).locvars.write(LocVar::new(name, 1, 2, 3, true));
    }
    let c = w.cell(Value::ptr(s, Tag::STRING));
    let f = w.closure(p, &[c, null_mut()]);
    w.roots[0] = Value::ptr(f, Tag::FUNCTION);
    w.full();
    let used = w.h().used_bytes();
    w.full();
    assert_eq!(w.h().used_bytes(), used);
    unsafe {
        assert_eq!(str_bytes((*(*p).upvals).name), b"upvalue");
        assert_eq!(str_bytes((*(*p).locvars).name()), b"local");
        assert_eq!((*inner).ncode, 10);
    }
}

#[test]
fn memory_goes_back_to_the_host() {
    let mut w = World::new(true);
    for _ in 0..50_000 {
        let t = w.table(4, 4);
        w.roots.push(tab(t));
    }
    let high = w.h().stats().host_bytes;
    w.roots.clear();
    w.full();
    let low = w.h().stats().host_bytes;
    assert!(low < high / 6, "{low} of {high}");
}

#[test]
fn large_objects_share_superblocks_and_give_their_blocks_back() {
    let mut w = World::new(false);
    w.full();
    let empty = w.h().stats();
    let mut text = vec![b'x'; 200_000];
    for round in 0..20usize {
        // one to thirteen blocks, every other one survives a cycle
        for i in 0..60usize {
            let n = 8_100 + (i * 7919 + round * 104_729) % 190_000;
            text[0] = i as u8;
            let s = w.str(&text[..n]);
            if i % 2 == 0 {
                w.roots.push(Value::ptr(s, Tag::STRING));
            }
        }
        w.full();
        w.verify();
        for v in &w.roots {
            let s: *mut Str = v.as_ptr();
            if v.tag == Tag::STRING {
                assert_eq!(unsafe { str_bytes(s) }.last(), Some(&b'x'));
            }
        }
        w.roots.retain(|v| v.tag != Tag::STRING);
    }
    for _ in 0..20 {
        w.full();
    }
    w.verify();
    let s = w.h().stats();
    assert_eq!(s.blocks - s.pool_blocks, empty.blocks - empty.pool_blocks);
    assert!(s.host_bytes < empty.host_bytes + (1 << 20), "{s:?}");
}

#[test]
fn pages_of_empty_blocks_go_back_while_a_neighbour_lives() {
    let mut w = World::new(false);
    // a few survivors in each superblock
    for i in 0..200_000 {
        let t = w.table(0, 4);
        if i % 5_000 == 0 {
            w.roots.push(tab(t));
        }
    }
    let high = w.h().stats();
    w.full();
    w.verify();
    let low = w.h().stats();
    assert!(low.host_bytes * 4 < high.host_bytes, "{low:?} of {high:?}");
    // what went back is usable again
    for _ in 0..50_000 {
        w.table(0, 4);
    }
    w.full();
    w.verify();
}

#[test]
fn large_runs_grow_in_every_phase() {
    for custom in [true, false] {
        let mut w = World::new(custom);
        let t = w.table(1_000, 0);
        w.roots.push(tab(t));
        w.full();
        let mut cap = 1_000;
        for round in 0..40usize {
            for i in 0..20 {
                let s = w.str(format!("string {round} {i}").as_bytes());
                w.set_array(t, i, Value::ptr(s, Tag::STRING));
            }
            // steps of a cycle between growths, so that all phases meet one
            for _ in 0..round % 5 {
                unsafe { w.h().step_bytes(8) };
                w.verify();
            }
            cap += 1 + cap / 7;
            w.grow_array(t, cap);
            w.verify();
            for i in 0..20 {
                let s: *mut Str = unsafe { run_get((*t).array, i) }.as_ptr();
                let text = format!("string {round} {i}");
                assert_eq!(unsafe { str_bytes(s) }, text.as_bytes());
            }
            assert!(unsafe { run_get((*t).array, cap - 1) }.is_nil());
        }
        w.roots.clear();
        w.full();
        w.verify();
    }
}
