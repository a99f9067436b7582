//! Bound checks moved before the loop: every start, end, offset, step and capacity of a small range, against the plain loop.

use traceorus_base::Tag;
use traceorus_trace::ir::eval::{Machine, Observed, Place, Stop};
use traceorus_trace::ir::parse::parse;
use traceorus_trace::ir::print::{Print, print};
use traceorus_trace::ir::{FieldId, IrBuf, IrOp, Ref};
use traceorus_trace::opt::{Carried, OptCx, Passes, finish, peel_observed};

const TABLE: u64 = 0x1000;
const LOOP_PC: u64 = 0x20;

fn plain(k: i64, step: i64) -> IrBuf {
    parse(&format!(
        "#0 pc=0x10 live=4 []
0001    int SLOAD  #1
0002    tab SLOAD  #3
0003    u32 FLD    0002 tab.cap
0004    int CAST   0003
0005    int ADD    0001 {k:+}
0006 >  int ULT    0005 0004
0007    ptr FLD    0002 tab.array
0008    ptr AREF   0007 0005
0009    int STV    0008 0001
0010    int SLOAD  #2
0011 >  int NE     0001 0010
0012    int ADD    0001 {step:+}
#1 pc={LOOP_PC:#x} live=4 [1: 0012 int]
0013 >  --- POLL"
    ))
    .expect("good")
}

fn machine(i: i64, last: i64, cap: u64) -> Machine {
    let mut m = Machine::new(1);
    m.frame_slots = 4;
    m.mem
        .insert(Place::Field(TABLE, FieldId::TabCap as u16), cap);
    m.mem
        .insert(Place::Field(TABLE, FieldId::TabArray as u16), 0x2000);
    m.slots.insert(0, (0, Tag::INT.0 as u32 as u64));
    m.slots.insert(1, (i as u64, Tag::INT.0 as u32 as u64));
    m.slots.insert(2, (last as u64, Tag::INT.0 as u32 as u64));
    m.slots.insert(3, (TABLE, Tag::TABLE.0 as u32 as u64));
    m
}

/// The plain loop, for at most `most` iterations: where it was left, and what it left behind.
fn reference(buf: &IrBuf, m: &mut Machine, most: u32) -> (u64, Observed) {
    let mut n = 0;
    let next = Ref::from_ins(12);
    let pc = loop {
        match m.run(buf, 0) {
            Stop::Exit(_, s) => break buf.snaps[s.0 as usize].pc,
            Stop::End => {}
            s => panic!("{s:?}"),
        }
        let i = m.value(buf, next);
        m.slots.insert(1, (i, Tag::INT.0 as u32 as u64));
        n += 1;
        if n == most {
            break LOOP_PC;
        }
    };
    (pc, m.observable(true, &[]))
}

#[test]
fn as_the_plain_loop() {
    let (mut moved, mut left_early, mut cases) = (0, 0, 0);
    for (k, step) in [
        (0, 1),
        (1, 1),
        (-2, 1),
        (0, -1),
        (2, -1),
        (-1, -1),
        (0, 2),
        (-1, 5),
    ] {
        let source = plain(k, step);
        let mut buf = source.clone();
        let mut cx = OptCx::new(Passes::ALL);
        let int = buf.k_tag(Tag::INT);
        let carried = [Carried {
            slot: 1,
            val: Ref::from_ins(12),
            tag: int,
            dirty: true,
        }];
        // What the recorder saw: room for everything.
        let observe = |_: &IrBuf, r: Ref| match r.ins_index() {
            3 => Some(1000),
            1 => Some(if step > 0 { 10 } else { 20 }),
            10 => Some(if step > 0 { 20 } else { 10 }),
            _ => None,
        };
        peel_observed(&mut cx, &mut buf, Ref::from_ins(1), &[], &carried, &observe)
            .expect("stable");
        finish(&mut cx, &mut buf);
        assert_eq!(cx.stats.ranged, 1, "{}", print(&buf, Print::default()));
        moved += 1;
        let checks = (buf.loop_ref.ins_index()..buf.len()).filter(|&n| buf.ins[n].op == IrOp::Ult);
        assert_eq!(checks.count(), 0, "a check is left in the loop");
        for i in -3..6 {
            for last in (-3..8).chain([i64::MAX, i64::MIN]) {
                for cap in 0..7 {
                    cases += 1;
                    let mut m = machine(i, last, cap);
                    let Stop::Exit(r, s) = m.run(&buf, 100) else {
                        panic!(
                            "{i} {last} {cap} never left\n{}",
                            print(&buf, Print::default())
                        );
                    };
                    let pc = buf.snaps[s.0 as usize].pc;
                    let early = r > Ref::from_ins(13) && r < buf.loop_ref;
                    left_early += u32::from(early);
                    let mut other = machine(i, last, cap);
                    let (want_pc, want) =
                        reference(&source, &mut other, if early { 1 } else { u32::MAX });
                    assert_eq!(want_pc, pc, "{i} {last} {cap} {k} {step}");
                    assert_eq!(want, m.observable(true, &[]), "{i} {last} {cap} {k} {step}");
                }
            }
        }
    }
    assert!(
        moved == 8 && left_early > 100 && cases > left_early * 2,
        "{moved} {left_early} {cases}"
    );
}
