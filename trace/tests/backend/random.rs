//! Random straight and looping traces of integers and floats, against a small evaluator.

#![allow(
    clippy::neg_cmp_op_on_partial_ord,
    reason = "the negated comparisons are what is tested"
)]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use traceorus_asm::Host;
use traceorus_trace::ir::IrOp::*;
use traceorus_trace::ir::{CallId, IrBuf, IrOp, REF_NONE, Ref, Ty};
use traceorus_trace::loc::{Inherited, Link, Loc};
use traceorus_trace::lower::{TraceRegs, assemble, emit};
use traceorus_trace::ra::{Allocation, Job, Place, Plan, Reg, allocate, check};

use crate::harness::*;

/// xorshift
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
    fn pick<T: std::marker::Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

struct Gen {
    rng: Rng,
    t: Build,
    ints: Vec<Ref>,
    floats: Vec<Ref>,
}

const SLOTS: i16 = 40;

impl Gen {
    fn int(&mut self) -> Ref {
        if self.rng.chance(15) || self.ints.is_empty() {
            let k = self.rng.next();
            let k = k as i64 >> self.rng.below(64);
            return self.t.int(k);
        }
        // mostly recent ones, sometimes old ones
        let n = self.ints.len();
        let k = if self.rng.chance(60) {
            n - 1 - self.rng.below(n.min(6))
        } else {
            self.rng.below(n)
        };
        self.ints[k]
    }
    fn int_value(&mut self) -> Ref {
        match self.int() {
            r if r.is_ins() => r,
            k => self.t.op(Copy, Ty::Int, k, REF_NONE),
        }
    }
    fn float(&mut self) -> Ref {
        if self.rng.chance(15) || self.floats.is_empty() {
            let k = self.rng.below(9) as f64 * 0.5 - 2.0;
            return self.t.num(k);
        }
        let n = self.floats.len();
        let k = if self.rng.chance(60) {
            n - 1 - self.rng.below(n.min(6))
        } else {
            self.rng.below(n)
        };
        self.floats[k]
    }
    fn float_value(&mut self) -> Ref {
        match self.float() {
            r if r.is_ins() => r,
            k => self.t.op(Copy, Ty::Float, k, REF_NONE),
        }
    }
    fn snap(&mut self) {
        let n = self.rng.below(12);
        let mut slots = Vec::new();
        for s in 0..n {
            let r = if self.rng.chance(50) {
                self.int()
            } else {
                self.float()
            };
            slots.push((s as i16, r));
        }
        self.t.snap(&slots);
    }
    fn step(&mut self) {
        match self.rng.below(23) {
            0..=6 => {
                let op = self.rng.pick(&[
                    Add, Sub, Mul, And, Or, Xor, Min, Max, IsEq, IsLt, IsLe, IsGe,
                ]);
                let (a, b) = (self.int_value(), self.int());
                let b = if matches!(op, Min | Max) && b.is_const() {
                    a
                } else {
                    b
                };
                let (a, b) = if op == Sub && self.rng.chance(20) {
                    (self.t.int(77), a)
                } else {
                    (a, b)
                };
                let r = self.t.op(op, Ty::Int, a, b);
                self.ints.push(r);
            }
            7 => {
                let op = self.rng.pick(&[Shl, Shr, Sar]);
                let a = self.int_value();
                let b = if self.rng.chance(50) {
                    self.t.int(self.rng.0 as i64 & 63)
                } else {
                    let (x, k) = (self.int_value(), self.t.int(63));
                    self.t.op(And, Ty::Int, x, k)
                };
                let r = self.t.op(op, Ty::Int, a, b);
                self.ints.push(r);
            }
            8 => {
                let op = self.rng.pick(&[IDiv, IMod]);
                let a = self.int_value();
                let b = if self.rng.chance(50) {
                    let k = self.rng.pick(&[2, 3, 7, -3, 16, 1 << 40, i64::MIN, 10]);
                    self.t.int(k)
                } else {
                    let (x, k) = (self.int_value(), self.t.int(2));
                    // 2 or 3 in the lower bits, whatever sign: neither 0 nor -1
                    let three = self.t.int(!1);
                    let y = self.t.op(And, Ty::Int, x, three);
                    let z = self.t.op(Or, Ty::Int, y, k);
                    if self.rng.chance(50) {
                        let mask = self.t.int(0xff);
                        self.t.op(And, Ty::Int, z, mask)
                    } else {
                        z
                    }
                };
                let r = self.t.op(op, Ty::Int, a, b);
                self.ints.push(r);
            }
            9 => {
                let op = self.rng.pick(&[Neg, Not, Abs]);
                let a = self.int_value();
                let r = self.t.op(op, Ty::Int, a, REF_NONE);
                self.ints.push(r);
            }
            10..=13 => {
                let op = self.rng.pick(&[Add, Sub, Mul, Div, Min, Max]);
                let (a, b) = (self.float(), self.float());
                let r = self.t.op(op, Ty::Float, a, b);
                self.floats.push(r);
            }
            14 => {
                let op = self.rng.pick(&[Neg, Abs, Round]);
                let a = self.float_value();
                let r = self.t.lit(op, Ty::Float, a, u16::from(op == Round));
                self.floats.push(r);
            }
            15 => {
                let a = self.int_value();
                let r = self.t.op(ItoF, Ty::Float, a, REF_NONE);
                self.floats.push(r);
            }
            16 => {
                let s = self.rng.below(SLOTS as usize) as i16;
                let (a, ty) = if self.rng.chance(50) {
                    (self.int(), Ty::Int)
                } else {
                    (self.float(), Ty::Float)
                };
                self.t.op(SSt, ty, Ref(s as u16), a);
            }
            17 | 18 => {
                let s = self.rng.below(SLOTS as usize) as i16;
                if self.rng.chance(50) {
                    let r = self.t.slot(Ty::Int, s);
                    self.ints.push(r);
                } else {
                    let r = self.t.slot(Ty::Float, s);
                    self.floats.push(r);
                }
            }
            19 => {
                let (a, b) = (self.float(), self.float());
                let list = self.t.op(CArg, Ty::Void, a, b);
                let r = self.t.lit(CallN, Ty::Float, list, CallId::FMod as u16);
                self.floats.push(r);
            }
            20 => {
                self.snap();
                self.t.op(Poll, Ty::Void, REF_NONE, REF_NONE);
                // a snapshot serves one POLL
                self.snap();
            }
            _ => {
                if self.rng.chance(60) {
                    self.snap();
                }
                if self.t.0.snaps.is_empty() {
                    self.snap();
                }
                if self.rng.chance(60) {
                    // mostly true
                    let (a, b) = (self.int_value(), self.int());
                    let op = self.rng.pick(&[Ne, Ne, Ne, Lt, Ult, Ge]);
                    self.t.guard(op, Ty::Int, a, b);
                } else {
                    let (a, b) = (self.float_value(), self.float());
                    let op = self.rng.pick(&[Ne, NLt, NGe, NLe]);
                    self.t.guard(op, Ty::Float, a, b);
                }
            }
        }
    }
}

/// Makes a trace, with a loop of at most `turns` iterations if that is not 0.
fn make(seed: u64, turns: i64) -> IrBuf {
    let mut g = Gen {
        rng: Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        t: Build::new(),
        ints: Vec::new(),
        floats: Vec::new(),
    };
    let loads = g.rng.below(24) as i16 + 2;
    for s in 0..loads {
        if g.rng.chance(60) {
            let r = g.t.slot(Ty::Int, s);
            g.ints.push(r);
        } else {
            let r = g.t.slot(Ty::Float, s);
            g.floats.push(r);
        }
    }
    for _ in 0..g.rng.below(20) {
        g.step();
    }
    if turns == 0 {
        for _ in 0..g.rng.below(60) {
            g.step();
        }
        g.snap();
        return g.t.0;
    }
    let zero = g.t.int(0);
    let i = g.t.op(Copy, Ty::Int, zero, REF_NONE);
    let outer = (g.ints.clone(), g.floats.clone());
    g.t.begin_loop();
    g.snap();
    for _ in 0..g.rng.below(40) {
        g.step();
    }
    g.snap();
    let (k, one) = (g.t.int(turns), g.t.int(1));
    g.t.guard(Ne, Ty::Int, i, k);
    let i2 = g.t.op(Add, Ty::Int, i, one);
    for _ in 0..g.rng.below(6) {
        g.step();
    }
    g.t.phi(i, i2);
    for (mut lefts, float) in [(outer.0, false), (outer.1, true)] {
        for _ in 0..g.rng.below(8) {
            if lefts.is_empty() {
                break;
            }
            let left = lefts.swap_remove(g.rng.below(lefts.len()));
            let right = if g.rng.chance(25) && !lefts.is_empty() {
                g.rng.pick(&lefts)
            } else if float {
                g.float()
            } else {
                g.int()
            };
            g.t.phi(left, right);
        }
    }
    g.t.0
}

/// A side trace that takes over the values of these types.
fn make_side(seed: u64, types: &[Ty]) -> IrBuf {
    let mut g = Gen {
        rng: Rng(seed.wrapping_mul(0xd134_2543_de82_ef95) | 1),
        t: Build::new(),
        ints: Vec::new(),
        floats: Vec::new(),
    };
    for (k, &ty) in types.iter().enumerate() {
        let r = g.t.op(PVal, ty, Ref(k as u16), REF_NONE);
        if ty == Ty::Float {
            g.floats.push(r);
        } else {
            g.ints.push(r);
        }
    }
    for _ in 0..g.rng.below(60) {
        g.step();
    }
    g.snap();
    g.t.0
}

/// Evaluates a trace over the slots; the snapshot it is left by and what that restores.
fn eval(ir: &IrBuf, slots: &mut [u64], inherited: &[u64]) -> (u16, HashMap<i16, u64>) {
    let mut v = vec![0u64; ir.len()];
    let get = |v: &[u64], r: Ref| match ir.konst(r) {
        Some(k) => k.bits,
        None => v[r.ins_index()],
    };
    let left = |v: &[u64], r: Ref| {
        let n = ir.snap_of(r).unwrap();
        let out = ir
            .snap_entries(n)
            .iter()
            .map(|e| (e.slot, get(v, e.val)))
            .collect();
        (n.0, out)
    };
    let end = ir.ins.iter().position(|i| i.op == Phi).unwrap_or(ir.len());
    let mut at = 1;
    loop {
        if at == end {
            if ir.loop_ref.is_none() {
                let n = ir.snaps.len() - 1;
                return left(&v, ir.snaps[n].first);
            }
            let news: Vec<_> = ir.ins[end..]
                .iter()
                .map(|p| (p.a.ins_index(), get(&v, p.b)))
                .collect();
            for (l, x) in news {
                v[l] = x;
            }
            at = ir.loop_ref.ins_index() + 1;
            continue;
        }
        let ins = ir.ins[at];
        let float = ins.ty == Ty::Float;
        let (a, b) = (ins.a, ins.b);
        let i = |r| get(&v, r) as i64;
        let f = |r| f64::from_bits(get(&v, r));
        let value = match ins.op {
            Loop | CArg | Poll => 0,
            PVal => inherited[ins.lit_a() as usize],
            SLoad => slots[ins.slot() as usize],
            SSt => {
                slots[ins.slot() as usize] = get(&v, b);
                0
            }
            Copy => get(&v, a),
            ItoF => (i(a) as f64).to_bits(),
            CallN => {
                let (x, y) = (f(ir.at(a).a), f(ir.at(a).b));
                traceorus_vm::arith::float_mod(x, y).to_bits()
            }
            Ne | Lt | Ult | Ge | NLt | NGe | NLe => {
                let ok = if float {
                    let (x, y) = (f(a), f(b));
                    match ins.op {
                        Ne => x != y,
                        NLt => !(x < y),
                        NGe => !(x >= y),
                        _ => !(x <= y),
                    }
                } else {
                    match ins.op {
                        Ne => i(a) != i(b),
                        Lt => i(a) < i(b),
                        Ult => (i(a) as u64) < i(b) as u64,
                        _ => i(a) >= i(b),
                    }
                };
                if !ok {
                    return left(&v, Ref::from_ins(at));
                }
                0
            }
            op if float => float_op(
                op,
                f(a),
                if op == Round {
                    0.0
                } else {
                    f_or_zero(ir, &v, b)
                },
            )
            .to_bits(),
            op => int_op(op, i(a), if b.is_none() { 0 } else { i(b) }) as u64,
        };
        v[at] = value;
        at += 1;
    }
}

fn f_or_zero(ir: &IrBuf, v: &[u64], r: Ref) -> f64 {
    match ir.konst(r) {
        Some(k) => f64::from_bits(k.bits),
        None if r.is_ins() => f64::from_bits(v[r.ins_index()]),
        None => 0.0,
    }
}

fn float_op(op: IrOp, a: f64, b: f64) -> f64 {
    match op {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        Neg => -a,
        Abs => a.abs(),
        Round => a.floor(),
        Min if b < a => b,
        Max if a < b => b,
        _ => a,
    }
}

fn int_op(op: IrOp, a: i64, b: i64) -> i64 {
    match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl => a << b,
        Shr => ((a as u64) >> b) as i64,
        Sar => a >> b,
        Neg => a.wrapping_neg(),
        Not => !a,
        Abs => a.wrapping_abs(),
        IsEq => i64::from(a == b),
        IsLt => i64::from(a < b),
        IsLe => i64::from(a <= b),
        IsGe => i64::from(a >= b),
        Min => a.min(b),
        Max => a.max(b),
        IDiv | IMod => {
            let (q, r) = (a.wrapping_div(b), a.wrapping_rem(b));
            let down = r != 0 && (r < 0) != (b < 0);
            match op {
                IDiv => q - i64::from(down),
                _ => r + if down { b } else { 0 },
            }
        }
        _ => unreachable!("{op:?}"),
    }
}

fn same(a: u64, b: u64) -> bool {
    // the sign and payload of a NaN are not specified by the evaluator
    a == b || f64::from_bits(a).is_nan() && f64::from_bits(b).is_nan()
}

/// The trace of a seed, and how it ends.
fn trace(seed: u64) -> (IrBuf, Link) {
    let turns = if seed.is_multiple_of(3) {
        0
    } else {
        (seed % 5) as i64
    };
    let link = if turns == 0 { Link::Exit } else { Link::Loop };
    (make(seed, turns), link)
}

/// Contents of the stack before a trace runs.
fn start() -> Vec<u64> {
    let value = |k: i16| {
        if k % 3 == 1 {
            (f64::from(k) * 0.75 - 4.0).to_bits()
        } else {
            (i64::from(k) * 5 - 9) as u64
        }
    };
    (0..SLOTS).map(value).collect()
}

fn one(m: &mut Machine, seed: u64) {
    let (ir, link) = trace(seed);
    let start = start();
    let fill = |m: &mut Machine| {
        for k in 0..SLOTS {
            m.slot(k).payload = start[k as usize];
        }
        m.g.poll = (seed % 2) as u32;
    };
    let check = |m: &mut Machine, slots: &[u64], exit: &Exit, map, want: &HashMap<i16, u64>| {
        let got = exit.restore(map);
        for (slot, &v) in want {
            assert!(
                same(got[slot].0, v),
                "seed {seed}: slot {slot} is {:#x}, not {v:#x}",
                got[slot].0
            );
        }
        for k in 0..SLOTS {
            let (got, want) = (m.slot(k).payload, slots[k as usize]);
            assert!(same(got, want), "seed {seed}: stack slot {k}");
        }
    };
    let (code, at) = m.compile(&ir, link, &[], 0).expect("compiles");
    fill(m);
    let exit = m.run(at);
    let mut slots = start.clone();
    let (snap, want) = eval(&ir, &mut slots, &[]);
    assert_eq!(exit.snap, snap, "seed {seed}");
    check(m, &slots, &exit, &code.exits[snap as usize], &want);
    // the same by a short exit, which has run out at its second use
    let mut left = Box::new(2);
    let polls = m.put_short(&code, at, snap, &mut left);
    for k in 0..2 {
        fill(m);
        let exit = m.run(at);
        if k == 1 || polls && seed % 2 == 1 {
            assert_eq!((exit.trace, exit.snap), (1, snap), "seed {seed}, long");
            continue;
        }
        assert_eq!((exit.trace, exit.next), (0, code.exits[snap as usize].pc));
        for (&slot, &v) in &want {
            let got = m.slot(slot).payload;
            assert!(same(got, v), "seed {seed}: {got:#x}, not {v:#x}, short");
        }
    }
    // the same again, with a side trace at that exit
    let mut inherited: Vec<Inherited> = Vec::new();
    let mut values = Vec::new();
    for s in &code.exits[snap as usize].slots {
        if matches!(s.val, Loc::Gpr(_) | Loc::Fpr(_) | Loc::Spill(_)) {
            let ty = if exit.read(s.tag) == 1 {
                Ty::Float
            } else {
                Ty::Int
            };
            inherited.push(Inherited { loc: s.val, ty });
            values.push(want[&s.slot]);
        }
    }
    let types: Vec<Ty> = inherited.iter().map(|h| h.ty).collect();
    let side = make_side(seed, &types);
    let (side_code, side_at) = m
        .compile(&side, Link::Exit, &inherited, code.spills)
        .expect("compiles");
    let stub = at + u64::from(code.stubs[snap as usize]);
    let jump = <Host as TraceRegs>::link_stub(stub, side_at).expect("near");
    m.area.patch(stub, jump).expect("inside");
    fill(m);
    let exit = m.run(at);
    let (side_snap, want) = eval(&side, &mut slots, &values);
    assert_eq!((exit.trace, exit.snap), (2, side_snap), "seed {seed}, side");
    check(
        m,
        &slots,
        &exit,
        &side_code.exits[side_snap as usize],
        &want,
    );
    m.area.reset(4096);
    m.traces = 0;
}

/// One second, or `TRACEORUS_LONG` seconds; `TRACEORUS_SEED` runs one trace.
#[test]
fn random_traces() {
    let mut m = Machine::new();
    let var = |n: &str| std::env::var(n).ok().and_then(|v| v.parse::<u64>().ok());
    if let Some(seed) = var("TRACEORUS_SEED") {
        one(&mut m, seed);
        m.random = seed as u32;
        return one(&mut m, seed);
    }
    let time = Duration::from_secs(var("TRACEORUS_LONG").unwrap_or(1));
    let start = Instant::now();
    let mut seed = 1;
    while start.elapsed() < time {
        m.random = 0;
        one(&mut m, seed);
        m.random = seed as u32;
        one(&mut m, seed);
        seed += 1;
    }
    assert!(seed > 100, "only {seed} traces");
}

/// A random register of the class of `r`.
fn other(rng: &mut Rng, r: Reg) -> Reg {
    let all: Vec<Reg> = Host::regs()
        .allocatable
        .filter(|q| q.is_fpr() == r.is_fpr())
        .collect();
    rng.pick(&all)
}

/// Damages an allocation in one place. False: there was nothing to damage.
fn damage(rng: &mut Rng, al: &mut Allocation) -> bool {
    let place = |rng: &mut Rng, p: &mut Place| match p {
        Place::Reg(r) => *r = other(rng, *r),
        Place::Slot(n) => *n = (*n + 1) % 4,
        _ => {}
    };
    match rng.below(9) {
        0 if !al.moves.is_empty() => {
            let n = rng.below(al.moves.len());
            al.moves.remove(n);
        }
        1 if !al.moves.is_empty() => {
            let n = rng.below(al.moves.len());
            let mv = &mut al.moves[n].mv;
            place(
                rng,
                if n.is_multiple_of(2) {
                    &mut mv.src
                } else {
                    &mut mv.dst
                },
            );
        }
        2 if !al.head.is_empty() => {
            let n = rng.below(al.head.len());
            al.head.remove(n);
        }
        3 if !al.back_edge.is_empty() => {
            let n = rng.below(al.back_edge.len());
            al.back_edge.remove(n);
        }
        4 if !al.loop_top.is_empty() => {
            let n = rng.below(al.loop_top.len());
            place(rng, &mut al.loop_top[n].src);
        }
        5 if !al.snaps.is_empty() => {
            let n = rng.below(al.snaps.len());
            place(rng, &mut al.snaps[n][0]);
        }
        6 if !al.contract.is_empty() => {
            let n = rng.below(al.contract.len());
            place(rng, &mut al.contract[n].1);
        }
        n => {
            let k = rng.below(al.ins.len());
            let i = &mut al.ins[k];
            let reg = if n == 7 { &mut i.dst } else { &mut i.ops[0] };
            if i.skip || reg.is_none() {
                return false;
            }
            *reg = other(rng, *reg);
        }
    }
    true
}

/// The checker finds damaged allocations; the damage that it lets pass does none: the code does what the evaluator does.
#[test]
fn checker_finds_damage() {
    let mut m = Machine::new();
    let (mut caught, mut harmless, mut rng) = (0, 0, Rng(77));
    for seed in 1..400 {
        let (ir, link) = trace(seed);
        let plan = Plan::new(&ir);
        let job = Job {
            ir: &ir,
            plan: &plan,
            regs: Host::regs(),
            link,
            inherited: &[],
            parent_spills: 0,
            reenter: &[],
            random: (seed % 2 * seed) as u32,
        };
        let good = allocate(&job).expect("can be allocated");
        check::check(&job, &good).expect("a good one");
        let (start, mut slots) = (start(), start());
        let (snap, want) = eval(&ir, &mut slots, &[]);
        for _ in 0..20 {
            let mut bad = good.clone();
            if !damage(&mut rng, &mut bad) || bad == good {
                continue;
            }
            if check::check(&job, &bad).is_err() {
                caught += 1;
                continue;
            }
            harmless += 1;
            let input = m.plain_input(&ir, link);
            let code = emit::<Host>(&input, &plan, &bad).expect("can be emitted");
            let at = m.area.install(&code.bytes).expect("room");
            for k in 0..SLOTS {
                m.slot(k).payload = start[k as usize];
            }
            let exit = m.run(at);
            assert_eq!(exit.snap, snap, "seed {seed}");
            let got = exit.restore(&code.exits[snap as usize]);
            for (slot, &v) in &want {
                assert!(same(got[slot].0, v), "seed {seed}: slot {slot}");
            }
            for k in 0..SLOTS {
                let same = same(m.slot(k).payload, slots[k as usize]);
                assert!(same, "seed {seed}: stack slot {k}");
            }
            m.area.reset(4096);
        }
    }
    assert!(
        caught > 4000 && harmless > 0,
        "{caught} caught, {harmless} harmless"
    );
}

/// Times of the parts, for `--ignored --nocapture`.
#[test]
#[ignore = "prints times"]
fn times() {
    let m = Machine::new();
    let traces: Vec<_> = (1..400)
        .map(|seed| make(seed, 3))
        .filter(|ir| (90..120).contains(&ir.len()))
        .collect();
    let mut sums = [Duration::ZERO; 4];
    for ir in &traces {
        let mut best = [Duration::MAX; 4];
        for _ in 0..50 {
            let mut start = Instant::now();
            let mut lap = |n: usize| {
                best[n] = best[n].min(start.elapsed());
                start = Instant::now();
            };
            let plan = Plan::new(ir);
            lap(0);
            let job = Job {
                ir,
                plan: &plan,
                regs: Host::regs(),
                link: Link::Loop,
                inherited: &[],
                parent_spills: 0,
                reenter: &[],
                random: 0,
            };
            let al = allocate(&job).unwrap();
            lap(1);
            check::check(&job, &al).unwrap();
            lap(2);
            let input = m.plain_input(ir, Link::Loop);
            assemble::<Host>(&input).unwrap();
            lap(3);
        }
        for (sum, best) in sums.iter_mut().zip(best) {
            *sum += best;
        }
    }
    let [plan, alloc, check, all] = sums.map(|t| t / traces.len() as u32);
    println!(
        "{} traces: plan {plan:?} allocate {alloc:?} check {check:?} all {all:?}",
        traces.len()
    );
}
