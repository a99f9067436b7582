//! The verifier reports heaps that were damaged on purpose. They are dropped unharmed or not at all.

use super::world::*;
use crate::arena::{bit_of, block_of};
use crate::*;
use core::mem::forget;
use std::process::{Command, Stdio};
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

/// A heap in order: a root table with an array that holds another table and a string, and two fields.
fn sound() -> (Box<World>, *mut Table) {
    let mut w = World::new(true);
    let (t, u, s) = (w.table(4, 2), w.table(20, 0), w.str(b"a string"));
    w.roots[0] = tab(t);
    w.set_array(t, 0, tab(u));
    w.set_array(t, 1, Value::ptr(s, Tag::STRING));
    w.verify();
    (w, t)
}

/// What the verifier finds after `damage`.
fn finding(damage: impl FnOnce(&mut World, *mut Table)) -> String {
    let (mut w, t) = sound();
    damage(&mut w, t);
    let found = unsafe { w.h().verify() };
    forget(w);
    found.expect_err("the damage is not seen")
}

fn element(t: *mut Table, i: usize) -> Value {
    unsafe { run_get((*t).array, i) }
}

#[test]
fn damage_is_reported() {
    let has = |found: String, what: &str| assert!(found.contains(what), "{found}");
    has(finding(|w, _| w.h().used += 16), "bytes in use");
    // a cell in use among the free ones
    has(
        finding(|w, t| unsafe {
            let u = element(t, 0).as_ptr::<u8>();
            let class = size_class(Table::size_for(0));
            u.cast::<*mut u8>().write(w.hot.free[class]);
            w.hot.free[class] = u;
        }),
        "not an allocated cell",
    );
    has(
        finding(|_, t| unsafe {
            run_set(
                (*t).array,
                0,
                Value::new(element(t, 0).payload + 16, Tag::TABLE),
            );
        }),
        "not an allocated cell",
    );
    has(
        finding(|_, t| unsafe {
            run_set((*t).array, 1, Value::new(element(t, 1).payload, Tag::TABLE));
        }),
        "tag does not fit",
    );
    has(
        finding(|_, t| unsafe { (*element(t, 0).as_ptr::<GcHeader>()).kind = 0xdb }),
        "kind 0xdb",
    );
    has(
        finding(|_, t| unsafe { (*element(t, 0).as_ptr::<Table>()).arr_cap = 4 }),
        "not an allocated run",
    );
    // two owners of one array
    has(
        finding(|w, t| unsafe {
            let (other, u) = (w.table(0, 0), element(t, 0).as_ptr::<Table>());
            (*other).array = (*u).array;
            (*other).arr_cap = (*u).arr_cap;
            w.set_array(t, 2, tab(other));
        }),
        "another owner",
    );
    // marks outside a mark phase
    has(
        finding(|_, t| unsafe {
            let (b, i) = (block_of(t), bit_of(t));
            (*b).mark[i >> 6] |= 1 << (i & 63);
        }),
        "mark",
    );
}

/// A store into a black table without the barrier. The table has not been through a cycle.
fn forget_the_barrier(w: &mut World, t: *mut Table) {
    w.h().set_stepsize(4);
    w.h().set_stepmul(3);
    unsafe {
        while (*t).hdr.barrier == 0 || w.hot.gc_marking == 0 {
            w.h().step_bytes(0);
        }
        let new = w.table(0, 0);
        run_set((*t).array, 2, tab(new));
    }
}

#[test]
fn a_store_into_a_settled_table_without_barrier_is_reported() {
    let found = finding(|w, t| unsafe {
        w.h().settle();
        w.verify();
        run_set((*t).array, 2, tab(w.table(0, 0)));
    });
    assert!(found.contains("not settled, in settled"), "{found}");
}

/// Enough that marking takes several steps.
fn much(w: &mut World) {
    for _ in 0..500 {
        let t = w.table(8, 0);
        w.roots.push(tab(t));
    }
}

#[test]
fn a_forgotten_barrier_is_reported() {
    let found = finding(|w, t| {
        much(w);
        forget_the_barrier(w, t);
    });
    assert!(found.contains("white in black"), "{found}");
}

/// Run by the next test in a process of its own, since it ends that.
#[test]
#[ignore = "aborts"]
fn aborts() {
    let (mut w, t) = sound();
    much(&mut w);
    w.h().set_verify(1);
    forget_the_barrier(&mut w, t);
    unsafe { w.h().step_bytes(0) };
    println!("survived");
    forget(w);
}

#[test]
fn a_damaged_heap_ends_the_process() {
    let run = |test: &str| {
        Command::new(std::env::current_exe().expect("a test knows its path"))
            .args([
                test,
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .stdin(Stdio::null())
            .output()
            .expect("the test starts")
    };
    let out = run("tests::damage::aborts");
    let (stdout, stderr) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert_eq!(out.status.code(), None, "no signal: {stdout}{stderr}");
    assert!(stderr.contains("the heap is damaged: "), "{stderr}");
    assert!(stderr.contains("white in black"), "{stderr}");
    assert!(!stdout.contains("survived"), "{stdout}");
}
