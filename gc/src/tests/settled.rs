//! Settled objects: cycles do not look at them, stores into them count, a full collection frees them.

use super::world::*;
use crate::{Phase, WeakMode};
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// Bytes that a cycle looks at, after the one that may be under way.
fn cycle(w: &mut World) -> u64 {
    while w.h().phase != Phase::Pause {
        unsafe { w.h().step_bytes(1000) };
    }
    let before = w.h().stats();
    while !unsafe { w.h().step_bytes(1000) } {}
    w.verify();
    let after = w.h().stats();
    assert_eq!(after.cycles, before.cycles + 1);
    after.marked_bytes - before.marked_bytes
}

/// A world with a library: a table of closures with names, in a table that is a root.
fn library() -> (Box<World>, *mut Table, *mut Table) {
    let mut w = World::new(false);
    let (all, lib) = (w.table(4, 0), w.table(1000, 0));
    w.roots[0] = tab(all);
    w.set_array(all, 0, tab(lib));
    for i in 0..500 {
        let name = w.str(format!("function {i}").as_bytes());
        let f = w.native(&[Value::ptr(name, Tag::STRING)]);
        w.set_array(lib, i, Value::ptr(f, Tag::FUNCTION));
    }
    (w, all, lib)
}

fn string(p: *mut Str) -> Value {
    Value::ptr(p, Tag::STRING)
}

#[test]
fn cycles_do_not_look_at_them() {
    let (mut w, _, lib) = library();
    let before = cycle(&mut w);
    unsafe { w.h().settle() };
    w.verify();
    for _ in 0..3 {
        let now = cycle(&mut w);
        assert!(now < before / 3, "{now} of {before}");
    }
    for i in 0..500 {
        unsafe {
            let f: *mut GcHeader = run_get((*lib).array, i).as_ptr();
            let name: *mut Value = f.cast::<u8>().add(NativeClosure::UPVALS).cast();
            assert_eq!(
                str_bytes((*name).as_ptr()),
                format!("function {i}").as_bytes()
            );
        }
    }
}

#[test]
fn what_is_stored_into_them_lives() {
    // in each phase: outside of cycles, while marking, while sweeping
    for steps in 0..40 {
        let (mut w, _, lib) = library();
        unsafe { w.h().settle() };
        for i in 0..3000 {
            w.str(format!("garbage {i}").as_bytes());
        }
        w.h().set_stepsize(5);
        w.h().set_stepmul(3);
        for _ in 0..steps {
            unsafe { w.h().step_bytes(0) };
        }
        let inner = w.str(b"inner");
        let t = w.table(1, 0);
        w.set_array(t, 0, string(inner));
        w.set_array(lib, 7, tab(t));
        w.verify();
        for _ in 0..3 {
            cycle(&mut w);
            let found = unsafe { run_get((*t).array, 0) };
            assert_eq!(found.payload as usize, inner.addr());
            assert_eq!(unsafe { str_bytes(inner) }, b"inner");
        }
        // and dies when it is taken out again
        let used = w.h().used_bytes();
        w.set_array(lib, 7, Value::NIL);
        cycle(&mut w);
        cycle(&mut w);
        assert!(w.h().used_bytes() < used);
    }
}

#[test]
fn only_a_full_collection_frees_them() {
    let mut w = World::new(false);
    w.full();
    let empty = w.h().used_bytes();
    drop(w);
    let (mut w, all, lib) = library();
    unsafe { w.h().settle() };
    // one that was stored into, and all of the others
    let new = w.str(b"new");
    w.set_array(lib, 0, string(new));
    let used = w.h().used_bytes();
    w.roots[0] = Value::NIL;
    for _ in 0..3 {
        cycle(&mut w);
        assert_eq!(w.h().used_bytes(), used);
    }
    assert_eq!(w.interned(), 501);
    w.full();
    assert_eq!(w.h().used_bytes(), empty);
    assert_eq!(w.interned(), 0);
    // nothing is left that a cycle could take to be alive
    let again = w.table(1, 0);
    w.roots[0] = tab(again);
    cycle(&mut w);
    let _ = all;
}

#[test]
fn a_full_collection_keeps_the_rest_settled() {
    let (mut w, _, lib) = library();
    unsafe { w.h().settle() };
    let before = cycle(&mut w);
    for i in 0..250 {
        w.set_array(lib, i, Value::NIL);
    }
    w.full();
    let after = cycle(&mut w);
    // only the table is looked at, half of its elements have gone
    assert!(after < before + 12_000, "{after}, {before} before");
    assert_eq!(w.interned(), 250);
}

#[test]
fn runs_of_them_may_be_replaced() {
    let (mut w, _, lib) = library();
    let small = w.table(20, 0);
    w.set_array(lib, 600, tab(small));
    unsafe { w.h().settle() };
    w.grow_array(small, 40);
    let used = w.h().used_bytes();
    // the old run's cell is used again, and is free again
    for _ in 0..10 {
        for _ in 0..100 {
            w.table(20, 0);
        }
        cycle(&mut w);
    }
    assert!(w.h().used_bytes() <= used);
}

#[test]
fn weak_tables_and_threads_are_not_settled() {
    let (mut w, _, lib) = library();
    let weak = w.table(4, 0);
    let mode = w.mode_table(WeakMode::Values);
    w.set_meta(weak, mode);
    w.set_array(lib, 600, tab(weak));
    let thread = w.thread(8, 2);
    w.set_array(lib, 601, Value::ptr(thread, Tag::THREAD));
    unsafe { w.h().settle() };
    let (t, s) = (w.table(0, 0), w.str(b"on the stack"));
    w.set_array(weak, 0, tab(t));
    w.touch(thread.cast(), Value::NIL);
    unsafe { *(*thread).base = string(s) };
    cycle(&mut w);
    cycle(&mut w);
    assert!(unsafe { run_get((*weak).array, 0) }.is_nil());
    assert_eq!(unsafe { str_bytes(s) }, b"on the stack");
}
