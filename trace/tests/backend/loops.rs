//! Loops, phis, pressure, side traces.

use traceorus_base::{Tag, Value};
use traceorus_trace::ir::IrOp::*;
use traceorus_trace::ir::{REF_NONE, Ref, Ty};
use traceorus_trace::loc::{Inherited, Link, Loc};
use traceorus_trace::lower::TraceRegs;

use crate::harness::*;

/// `for i = 1, 100 do s = s + i; f = f * 0.5 + i end`
#[test]
fn sum() {
    let mut m = Machine::new();
    *m.slot(0) = Value::int(0);
    *m.slot(1) = Value::int(1);
    *m.slot(2) = Value::int(100);
    *m.slot(3) = Value::float(0.0);
    let mut t = Build::new();
    let s = t.slot(Ty::Int, 0);
    let i = t.slot(Ty::Int, 1);
    let last = t.slot(Ty::Int, 2);
    let f = t.slot(Ty::Float, 3);
    t.begin_loop();
    let s2 = t.op(Add, Ty::Int, s, i);
    let half = t.num(0.5);
    let f1 = t.op(Mul, Ty::Float, f, half);
    let fi = t.op(ItoF, Ty::Float, i, REF_NONE);
    let f2 = t.op(Add, Ty::Float, f1, fi);
    t.snap(&[(0, s2), (1, i), (3, f2)]);
    t.guard(Ne, Ty::Int, i, last);
    let one = t.int(1);
    let i2 = t.op(Add, Ty::Int, i, one);
    t.phi(s, s2);
    t.phi(i, i2);
    t.phi(f, f2);
    let (_, r) = m.go(&t.0, Link::Loop);
    assert_eq!(r[&0].0, 5050);
    assert_eq!(r[&1].0, 100);
    let mut want = 0.0;
    for i in 1..=100 {
        want = want * 0.5 + f64::from(i);
    }
    assert_eq!(f64::from_bits(r[&3].0), want);
}

/// Values that change places: swaps and rotations, of both classes, more than there are registers.
#[test]
fn rotations() {
    let mut m = Machine::new();
    for (ints, floats) in [
        (2, 0),
        (3, 0),
        (0, 2),
        (0, 3),
        (3, 4),
        (9, 9),
        (14, 3),
        (3, 18),
        (20, 20),
    ] {
        let n = ints + floats;
        let mut t = Build::new();
        let mut values = Vec::new();
        for k in 0..n {
            let ty = if k < ints { Ty::Int } else { Ty::Float };
            *m.slot(k as i16 + 2) = Value::int(100 + k as i64);
            values.push(t.slot(ty, k as i16 + 2));
        }
        *m.slot(0) = Value::int(0);
        let i = t.slot(Ty::Int, 0);
        t.begin_loop();
        let out: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(k, &v)| (k as i16 + 2, v))
            .chain([(0, i)])
            .collect();
        t.snap(&out);
        let k10 = t.int(7);
        t.guard(Ne, Ty::Int, i, k10);
        let one = t.int(1);
        let i2 = t.op(Add, Ty::Int, i, one);
        for k in 0..n {
            let (from, len) = if k < ints { (0, ints) } else { (ints, floats) };
            t.phi(values[k], values[from + (k - from + 1) % len]);
        }
        t.phi(i, i2);
        let (_, r) = m.go(&t.0, Link::Loop);
        for k in 0..n {
            let (from, len) = if k < ints { (0, ints) } else { (ints, floats) };
            let want = 100 + (from + (k - from + 7) % len) as u64;
            assert_eq!(r[&(k as i16 + 2)].0, want, "{ints} {floats} value {k}");
        }
    }
}

/// More values alive at once than there are registers: in straight code, and as invariants of a loop.
#[test]
fn pressure() {
    let mut m = Machine::new();
    let n = 40i16;
    for k in 0..n {
        *m.slot(k) = Value::int(i64::from(k) * 3 + 1);
    }
    for looped in [false, true] {
        let mut t = Build::new();
        let one = t.int(1);
        let values: Vec<_> = (0..n)
            .map(|k| {
                let v = t.slot(Ty::Int, k);
                t.op(Add, Ty::Int, v, one)
            })
            .collect();
        let floats: Vec<_> = values
            .iter()
            .map(|&v| t.op(ItoF, Ty::Float, v, REF_NONE))
            .collect();
        let mut want = 0i64;
        let mut wantf = 0.0;
        let zero = t.int(0);
        let zerof = t.num(0.0);
        let s0 = t.op(Copy, Ty::Int, zero, REF_NONE);
        let f0 = t.op(Copy, Ty::Float, zerof, REF_NONE);
        let i = t.op(Copy, Ty::Int, zero, REF_NONE);
        if looped {
            t.begin_loop();
        }
        let (mut s, mut f) = (s0, f0);
        for round in 0..2 {
            for k in 0..n as usize {
                let k = if round == 0 { k } else { n as usize - 1 - k };
                let seven = t.int(7);
                let x = t.op(Mul, Ty::Int, s, seven);
                s = t.op(Xor, Ty::Int, x, values[k]);
                f = t.op(Add, Ty::Float, f, floats[k]);
            }
        }
        t.snap(&[(0, s), (1, f), (2, values[3]), (3, floats[17]), (4, i)]);
        if looped {
            let ten = t.int(10);
            t.guard(Ne, Ty::Int, i, ten);
            let i2 = t.op(Add, Ty::Int, i, one);
            t.phi(s0, s);
            t.phi(f0, f);
            t.phi(i, i2);
        }
        for _ in 0..if looped { 11 } else { 1 } {
            for round in 0..2 {
                for k in 0..i64::from(n) {
                    let k = if round == 0 { k } else { i64::from(n) - 1 - k };
                    want = want.wrapping_mul(7) ^ (k * 3 + 2);
                    wantf += (k * 3 + 2) as f64;
                }
            }
        }
        let (_, r) = m.go(&t.0, if looped { Link::Loop } else { Link::Exit });
        assert_eq!(r[&0].0 as i64, want);
        assert_eq!(f64::from_bits(r[&1].0), wantf);
        assert_eq!(r[&2].0, 11);
        assert_eq!(f64::from_bits(r[&3].0), 53.0);
    }
}

/// A loop keeps carried values in registers: no move but the phi's own arithmetic.
#[test]
fn no_moves_in_simple_loops() {
    use traceorus_trace::ra::{Job, Plan, allocate};
    let mut t = Build::new();
    let s = t.slot(Ty::Float, 0);
    let i = t.slot(Ty::Int, 1);
    let last = t.slot(Ty::Int, 2);
    let run = t.slot(Ty::Ptr, 3);
    t.begin_loop();
    let a = t.op(ARef, Ty::Ptr, run, i);
    let x = t.op(LdV, Ty::Float, a, REF_NONE);
    let s2 = t.op(Add, Ty::Float, s, x);
    t.snap(&[(0, s2), (1, i)]);
    t.guard(Ne, Ty::Int, i, last);
    let one = t.int(1);
    let i2 = t.op(Add, Ty::Int, i, one);
    t.phi(s, s2);
    t.phi(i, i2);
    let plan = Plan::new(&t.0);
    let job = Job {
        ir: &t.0,
        plan: &plan,
        regs: traceorus_asm::Host::regs(),
        link: Link::Loop,
        inherited: &[],
        parent_spills: 0,
        reenter: &[],
        random: 0,
    };
    let al = allocate(&job).unwrap();
    assert!(plan.is_fused(x));
    let text = traceorus_trace::ra::print::print(&job, &al);
    assert!(
        al.back_edge.is_empty() && al.loop_top.is_empty() && al.moves.is_empty(),
        "{text}"
    );
    assert_eq!(al.spills, 0, "{text}");
}

/// A side trace takes over from an exit: values in registers and spill slots, and links back to the interpreter.
#[test]
fn side_trace() {
    let mut m = Machine::new();
    let n = 30i16;
    for k in 0..n {
        *m.slot(k) = Value::int(1000 + i64::from(k));
    }
    let mut t = Build::new();
    let values: Vec<_> = (0..n).map(|k| t.slot(Ty::Int, k)).collect();
    let floats: Vec<_> = values
        .iter()
        .map(|&v| t.op(ItoF, Ty::Float, v, REF_NONE))
        .collect();
    let slots: Vec<_> = values
        .iter()
        .chain(&floats)
        .enumerate()
        .map(|(k, &v)| (k as i16, v))
        .collect();
    t.snap(&slots);
    let z = t.int(0);
    t.guard(Eq, Ty::Int, values[0], z);
    t.snap(&[]);
    let (parent, address) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
    assert!(parent.spills > 0);
    let exit = m.run(address);
    assert_eq!(exit.snap, 0);
    // the child
    let inherited: Vec<_> = parent.exits[0]
        .slots
        .iter()
        .enumerate()
        .map(|(k, s)| Inherited {
            loc: s.val,
            ty: if k < n as usize { Ty::Int } else { Ty::Float },
        })
        .collect();
    assert!(inherited.iter().any(|h| matches!(h.loc, Loc::Spill(_))));
    let mut c = Build::new();
    let pv: Vec<_> = inherited
        .iter()
        .enumerate()
        .map(|(k, h)| c.op(PVal, h.ty, Ref(k as u16), REF_NONE))
        .collect();
    let doubled: Vec<_> = pv
        .iter()
        .zip(&inherited)
        .map(|(&p, h)| c.op(Add, h.ty, p, p))
        .collect();
    let all: Vec<_> = doubled
        .iter()
        .chain(&pv)
        .enumerate()
        .map(|(k, &v)| (k as i16, v))
        .collect();
    c.snap(&all);
    let (child, child_at) = m
        .compile(&c.0, Link::Exit, &inherited, parent.spills)
        .unwrap();
    assert!(child.spills > parent.spills);
    let stub = address + u64::from(parent.stubs[0]);
    let jump = traceorus_asm::Host::link_stub(stub, child_at).unwrap();
    m.area.patch(stub, jump).unwrap();
    let exit = m.run(address);
    assert_eq!((exit.trace, exit.snap), (2, 0));
    let r = exit.restore(&child.exits[0]);
    for k in 0..n {
        let v = 1000 + i64::from(k);
        assert_eq!(r[&k].0 as i64, 2 * v);
        assert_eq!(f64::from_bits(r[&(n + k)].0), 2.0 * v as f64);
        assert_eq!(r[&(2 * n + k)].0 as i64, v);
        assert_eq!(f64::from_bits(r[&(3 * n + k)].0), v as f64);
    }
}

/// A trace that ends in another trace's entry moves the base.
#[test]
fn link_to_entry() {
    let mut m = Machine::new();
    let mut t = Build::new();
    let v = t.slot(Ty::Int, 0);
    t.snap(&[(0, v)]);
    let (target, target_at) = m.compile(&t.0, Link::Exit, &[], 0).unwrap();
    *m.slot(3) = Value::int(33);
    let a = Build::new();
    let link = Link::Entry {
        address: target_at,
        base: 3,
    };
    let (_, at) = m.compile(&a.0, link, &[], 0).unwrap();
    let exit = m.run(at);
    assert_eq!((exit.trace, exit.base), (1, 3));
    assert_eq!(exit.restore(&target.exits[0])[&0].0, 33);
}

/// One stub serves guards between which a value loses its register.
#[test]
fn one_snapshot_many_guards() {
    let mut m = Machine::new();
    for bad in 0..3i64 {
        for k in 0..32 {
            *m.slot(k) = Value::int(50 + i64::from(k));
        }
        for k in 0..3 {
            *m.slot(40 + k) = Value::int(i64::from(bad == i64::from(k)));
        }
        let mut t = Build::new();
        let zero = t.int(0);
        let kept = t.slot(Ty::Int, 31);
        let kept = t.op(Add, Ty::Int, kept, kept);
        t.snap(&[(0, kept)]);
        let mut sum = kept;
        for g in 0..3 {
            let x = t.slot(Ty::Int, 40 + g);
            t.guard(Eq, Ty::Int, x, zero);
            let loads: Vec<_> = (0..20).map(|k| t.slot(Ty::Int, k)).collect();
            for &l in &loads {
                let y = t.op(Mul, Ty::Int, l, l);
                sum = t.op(Add, Ty::Int, sum, y);
            }
            for &l in loads.iter().rev() {
                sum = t.op(Sub, Ty::Int, sum, l);
            }
        }
        t.op(SSt, Ty::Int, Ref(45), sum);
        t.snap(&[]);
        let (snap, r) = m.go(&t.0, Link::Exit);
        assert_eq!(snap, 0);
        assert_eq!(r[&0].0, 162);
    }
}

/// A side trace of a loop does its part and goes on in the loop's body, registers to registers; with values in spill slots,
/// and constants in registers.
#[test]
fn back_into_the_body() {
    for extra in [0i16, 30] {
        let mut m = Machine::new();
        for k in 0..extra {
            *m.slot(10 + k) = Value::int(i64::from(k));
        }
        *m.slot(0) = Value::int(0);
        *m.slot(1) = Value::int(1);
        *m.slot(2) = Value::int(50);
        *m.slot(3) = Value::float(1.0);
        let mut t = Build::new();
        let s = t.slot(Ty::Int, 0);
        let i = t.slot(Ty::Int, 1);
        let last = t.slot(Ty::Int, 2);
        let f = t.slot(Ty::Float, 3);
        let extras: Vec<_> = (0..extra).map(|k| t.slot(Ty::Int, 10 + k)).collect();
        t.begin_loop();
        t.snap(&[(0, s), (1, i), (3, f)]);
        let (one, k20) = (t.int(1), t.int(20));
        t.guard(Ne, Ty::Int, i, k20);
        let mut s2 = t.op(Add, Ty::Int, s, i);
        let huge = t.int(0x0123_4567_89ab_cdef);
        s2 = t.op(Xor, Ty::Int, s2, huge);
        for &e in &extras {
            s2 = t.op(Add, Ty::Int, s2, e);
        }
        let f2 = t.op(Add, Ty::Float, f, f);
        t.snap(&[(0, s2), (1, i), (3, f2)]);
        t.guard(Ne, Ty::Int, i, last);
        let i2 = t.op(Add, Ty::Int, i, one);
        t.phi(s, s2);
        t.phi(i, i2);
        t.phi(f, f2);
        let (root, at) = m.compile(&t.0, Link::Loop, &[], 0).unwrap();
        if extra == 0 {
            assert!(root.contract.iter().any(|c| c.0.is_const()));
        } else {
            assert!(root.contract.iter().any(|c| matches!(c.1, Loc::Spill(_))));
        }
        // the side trace: i = 20; s doubles, f becomes i
        let mut c = Build::new();
        let mut inherited = Vec::new();
        let mut map: Vec<(Ref, Ref)> = Vec::new();
        for &(r, _) in &root.contract {
            if r.is_const() {
                let k = t.0.konst(r).unwrap();
                map.push((r, c.0.k(k.ty, k.bits)));
            } else if map.iter().all(|p| p.0 != r) {
                let n = inherited.len() as u16;
                let snap = &root.exits[0];
                let loc = match [(s, 0), (i, 1), (f, 3)].iter().find(|x| x.0 == r) {
                    Some(&(_, slot)) => snap.slots.iter().find(|x| x.slot == slot).unwrap().val,
                    None => {
                        root.through
                            .iter()
                            .find(|x| x.0.0 == 0 && x.1 == r)
                            .unwrap()
                            .2
                    }
                };
                inherited.push(Inherited { loc, ty: t.0.ty(r) });
                map.push((r, c.op(PVal, t.0.ty(r), Ref(n), REF_NONE)));
            }
        }
        let of = |r: Ref| map.iter().find(|p| p.0 == r).unwrap().1;
        let doubled = c.op(Add, Ty::Int, of(s), of(s));
        let fi = c.op(ItoF, Ty::Float, of(i), REF_NONE);
        let one = c.int(1);
        let next = c.op(Add, Ty::Int, of(i), one);
        let reenter: Vec<_> = root
            .contract
            .iter()
            .map(|&(r, loc)| match r {
                r if r == s => (doubled, loc),
                r if r == i => (next, loc),
                r if r == f => (fi, loc),
                r => (of(r), loc),
            })
            .collect();
        let link = Link::Body {
            address: at + u64::from(root.loop_head.unwrap()),
        };
        let (_, side_at) = m
            .compile_into(&c.0, link, &inherited, root.spills, &reenter)
            .unwrap();
        let stub = at + u64::from(root.stubs[0]);
        let jump = traceorus_asm::Host::link_stub(stub, side_at).unwrap();
        m.area.patch(stub, jump).unwrap();
        let exit = m.run(at);
        assert_eq!((exit.trace, exit.snap), (1, 1));
        let r = exit.restore(&root.exits[1]);
        let (mut sum, mut fl) = (0i64, 1.0f64);
        for i in 1..=50 {
            if i == 20 {
                sum *= 2;
                fl = 20.0;
            } else {
                sum = (sum + i) ^ 0x0123_4567_89ab_cdef;
                sum += (0..i64::from(extra)).sum::<i64>();
                fl += fl;
            }
        }
        assert_eq!(r[&0].0 as i64, sum);
        assert_eq!(f64::from_bits(r[&3].0), fl);
    }
}

/// The checker notices what it is there for: any register of any table exchanged for another one.
#[test]
fn checker_finds_wrong_tables() {
    use traceorus_trace::ra::{Job, Plan, Reg, allocate, check::check};
    let mut t = Build::new();
    let (s, i, last) = (t.slot(Ty::Int, 0), t.slot(Ty::Int, 1), t.slot(Ty::Int, 2));
    t.begin_loop();
    let x = t.op(Mul, Ty::Int, s, i);
    let y = t.op(Sub, Ty::Int, x, last);
    t.snap(&[(0, y), (1, i)]);
    t.guard(Ne, Ty::Int, i, last);
    let one = t.int(1);
    let i2 = t.op(Add, Ty::Int, i, one);
    t.phi(s, y);
    t.phi(i, i2);
    let plan = Plan::new(&t.0);
    let job = Job {
        ir: &t.0,
        plan: &plan,
        regs: traceorus_asm::Host::regs(),
        link: Link::Loop,
        inherited: &[],
        parent_spills: 0,
        reenter: &[],
        random: 0,
    };
    let good = allocate(&job).unwrap();
    check(&job, &good).unwrap();
    let wrong = Reg::gpr(9);
    for k in 0..good.ins.len() {
        if good.ins[k].skip {
            continue;
        }
        if !good.ins[k].dst.is_none() {
            let mut bad = good.clone();
            bad.ins[k].dst = wrong;
            assert!(check(&job, &bad).is_err(), "result of {k}");
        }
        for n in 0..good.ins[k].ops.len() {
            if !good.ins[k].ops[n].is_none() {
                let mut bad = good.clone();
                bad.ins[k].ops[n] = wrong;
                assert!(check(&job, &bad).is_err(), "input {n} of {k}");
            }
        }
    }
    for e in 0..good.snaps.len() {
        let mut bad = good.clone();
        bad.snaps[e][0] = traceorus_trace::ra::Place::Reg(wrong);
        assert!(check(&job, &bad).is_err(), "snapshot entry {e}");
    }
    for e in 0..good.contract.len() {
        let mut bad = good.clone();
        bad.contract[e].1 = traceorus_trace::ra::Place::Slot(7);
        assert!(check(&job, &bad).is_err(), "contract {e}");
    }
}

/// Where rounding is no instruction it is a call, and values alive across it are kept.
#[test]
fn rounding_by_call() {
    use traceorus_trace::ra::{Job, Plan, RegInfo, allocate, check::check};
    let regs = RegInfo {
        rounds: false,
        ..traceorus_asm::Host::regs().clone()
    };
    let mut t = Build::new();
    let x = t.slot(Ty::Float, 0);
    let y = t.op(Neg, Ty::Float, x, REF_NONE);
    let r = t.lit(Round, Ty::Float, x, 1);
    t.snap(&[(0, x), (1, y), (2, r)]);
    let plan = Plan::new(&t.0);
    let job = Job {
        ir: &t.0,
        plan: &plan,
        regs: &regs,
        link: Link::Exit,
        inherited: &[],
        parent_spills: 0,
        reenter: &[],
        random: 0,
    };
    let al = allocate(&job).unwrap();
    check(&job, &al).unwrap();
    assert_eq!(al.ins[r.ins_index()].dst, regs.float_ret);
    assert_eq!(al.spills, 2);
}

/// What a short exit does besides slots, and when it leaves everything to the long way.
#[test]
fn short_exits() {
    let mut m = Machine::new();
    let mut t = Build::new();
    let a = t.slot(Ty::Int, 1);
    let one = t.int(1);
    let b = t.op(Add, Ty::Int, a, one);
    t.snap(&[(0, b), (2, one)]);
    t.guard(Eq, Ty::Int, a, one);
    (t.0.snaps[0].base, t.0.snaps[0].top, t.0.snaps[0].pcalls) = (2, 5, 3);
    let (code, at) = m.compile(&t.0, Link::Exit, &[], 0).expect("compiles");
    let mut left = Box::new(100);
    m.put_short(&code, at, 0, &mut left);
    let base = m.base();
    let run = |m: &mut Machine| {
        *m.slot(0) = Value::NIL;
        *m.slot(1) = Value::int(41);
        let exit = m.run(at);
        (exit.trace, m.slot(0).payload)
    };
    assert_eq!(run(&mut m), (0, 42));
    assert_eq!((m.slot(2).payload, m.slot(2).tag), (1, Tag::INT));
    assert_eq!(
        (m.thread.base, m.thread.top),
        (base.wrapping_add(2), base.wrapping_add(5))
    );
    assert_eq!((m.thread.pcall_depth, *left), (3, 99));
    // a frame was disturbed
    m.g.error_handled = 1;
    assert_eq!(run(&mut m).0, 1);
    m.g.error_handled = 0;
    assert_eq!(run(&mut m), (0, 42));
    // it has run out
    *left = 1;
    assert_eq!((run(&mut m).0, *left), (1, 0));
}

/// A short exit that asks for room on the stack, and one in front of an instruction that enters a trace.
#[test]
fn short_exits_with_conditions() {
    let mut m = Machine::new();
    let mut t = Build::new();
    let a = t.slot(Ty::Int, 1);
    let one = t.int(1);
    t.snap(&[(0, a)]);
    t.guard(Eq, Ty::Int, a, one);
    let (mut code, at) = m.compile(&t.0, Link::Exit, &[], 0).expect("compiles");
    let word = Box::new(0x1234_5678u64);
    code.exits[0].pc = &raw const *word as u64;
    code.exits[0].room = 10;
    let mut left = Box::new(100);
    *m.slot(1) = Value::int(7);
    m.put_short(&code, at, 0, &mut left);
    assert_eq!((m.run(at).trace, m.slot(0).payload), (0, 7));
    let limit = m.thread.limit;
    m.thread.limit = m.base().wrapping_add(9);
    assert_eq!(m.run(at).trace, 1);
    m.thread.limit = m.base().wrapping_add(10);
    assert_eq!(m.run(at).trace, 0);
    // as an interrupt has it
    m.thread.limit = std::ptr::null_mut();
    assert_eq!(m.run(at).trace, 1);
    m.thread.limit = limit;
    m.not_at = Some(0x5678);
    m.put_short(&code, at, 0, &mut left);
    assert_eq!(m.run(at).trace, 1);
    m.not_at = Some(0x5679);
    m.put_short(&code, at, 0, &mut left);
    assert_eq!(m.run(at).trace, 0);
}
