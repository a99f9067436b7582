//! Measurements, printed: `cargo test --release -p traceorus-gc -- --ignored --nocapture cost`.

use super::world::*;
use crate::size_class;
use std::time::Instant;
use traceorus_base::objects::*;
use traceorus_base::value::{Tag, Value};

#[test]
#[ignore = "prints figures, checks nothing"]
fn cost() {
    let mut w = World::new(false);
    let class = size_class(Table::size_for(4));
    const N: u32 = 20_000_000;
    let run = |name: &str, w: &mut World, f: &mut dyn FnMut(&mut World)| {
        let start = Instant::now();
        for _ in 0..N {
            f(w);
            if w.hot.poll & poll::GC != 0 {
                unsafe { w.h().step() };
            }
        }
        let ns = start.elapsed().as_nanos() as f64 / f64::from(N);
        println!("{name}: {ns:.2} ns each");
    };
    run(
        "inline cell of 96 bytes, garbage, steps included",
        &mut w,
        &mut |w| {
            let p = w.inline_alloc(class);
            unsafe {
                p.cast::<GcHeader>().write(GcHeader {
                    barrier: 0,
                    kind: ObjKind::Cell as u8,
                    flags: 0,
                    extra: 0,
                    word: 0,
                })
            };
        },
    );
    run("Heap::alloc of 32 bytes", &mut w, &mut |w| unsafe {
        w.h().alloc(ObjKind::Cell, 32);
    });
    run(
        "Heap::reserve + alloc_run of 64 bytes",
        &mut w,
        &mut |w| unsafe {
            w.h().reserve(64).expect("memory");
            w.h().alloc_run(64);
        },
    );
    for n in [100_000usize, 1_000_000] {
        w.roots.clear();
        let t = w.table(n, 0);
        w.roots.push(tab(t));
        let start = Instant::now();
        for i in 0..n {
            let o = w.table(0, 4);
            w.set_array(t, i, tab(o));
            let c = w.cell(Value::int(1));
            w.set_field(o, 0, Value::ptr(c, Tag::CELL));
        }
        let build = start.elapsed();
        let best = (0..5)
            .map(|_| {
                let start = Instant::now();
                unsafe { w.h().full(false) };
                start.elapsed()
            })
            .min()
            .expect("five");
        println!(
            "{n} tables with a cell each: built {build:?} (no steps), full collection {best:?}, {:.1} ns per object, {:?}",
            best.as_nanos() as f64 / (2 * n) as f64,
            w.h().stats()
        );
        w.h().set_stepsize(13);
        let mut times = Vec::new();
        loop {
            let start = Instant::now();
            let done = unsafe { w.h().step_bytes(0) };
            times.push(start.elapsed());
            if done {
                break;
            }
        }
        times.sort();
        println!(
            "  incremental: {} steps, longest {:?}",
            times.len(),
            &times[times.len().saturating_sub(4)..]
        );
        w.roots.clear();
        let start = Instant::now();
        unsafe { w.h().full(false) };
        println!("  all dead: {:?}", start.elapsed());
    }
}
