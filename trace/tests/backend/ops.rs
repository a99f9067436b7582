//! Every op with edge operands.

#![allow(
    clippy::neg_cmp_op_on_partial_ord,
    reason = "the negated comparisons are what is tested"
)]

use traceorus_base::{Tag, Value};
use traceorus_trace::ir::IrOp::*;
use traceorus_trace::ir::{IrOp, REF_NONE, Ref, Ty};
use traceorus_trace::loc::Link;

use crate::harness::*;

const INTS: [i64; 13] = [
    0,
    1,
    -1,
    2,
    7,
    -7,
    63,
    0x7fff_ffff,
    -0x8000_0000,
    0x8000_0000,
    i64::MAX,
    i64::MIN,
    0x1234_5678_9abc,
];
const FLOATS: [f64; 12] = [
    0.0,
    -0.0,
    1.0,
    -1.5,
    2.5,
    0.5,
    1e300,
    -9.3e18,
    4.5e15,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];

fn int_model(op: IrOp, a: i64, b: i64) -> Option<i64> {
    Some(match op {
        Add => a.wrapping_add(b),
        Sub => a.wrapping_sub(b),
        Mul => a.wrapping_mul(b),
        And => a & b,
        Or => a | b,
        Xor => a ^ b,
        Shl if (0..64).contains(&b) => a << b,
        Shr if (0..64).contains(&b) => ((a as u64) >> b) as i64,
        Sar if (0..64).contains(&b) => a >> b,
        IDiv if b != 0 && b != -1 => floor_div(a, b),
        IMod if b != 0 && b != -1 => a.wrapping_sub(floor_div(a, b).wrapping_mul(b)),
        Min => {
            if b < a {
                b
            } else {
                a
            }
        }
        Max => {
            if a < b {
                b
            } else {
                a
            }
        }
        _ => return None,
    })
}

/// floor(a / b) without the overflow of intermediate results.
fn floor_div(a: i64, b: i64) -> i64 {
    let q = a / b;
    if a % b != 0 && (a % b < 0) != (b < 0) {
        q - 1
    } else {
        q
    }
}

#[test]
fn integer_arithmetic() {
    let mut m = Machine::new();
    for op in [
        Add, Sub, Mul, And, Or, Xor, Shl, Shr, Sar, IDiv, IMod, Min, Max,
    ] {
        for a in INTS {
            for b in INTS {
                let Some(want) = int_model(op, a, b) else {
                    continue;
                };
                *m.slot(1) = Value::int(a);
                *m.slot(2) = Value::int(b);
                // registers, memory, constants; operands that stay alive
                for form in 0..6 {
                    let mut t = Build::new();
                    let x = if form == 1 {
                        t.int(a)
                    } else {
                        t.slot(Ty::Int, 1)
                    };
                    let y = if form == 2 {
                        t.int(b)
                    } else {
                        t.slot(Ty::Int, 2)
                    };
                    if form == 3 {
                        t.op(SSt, Ty::Int, Ref(3), y); // y in a register
                    }
                    let r = t.op(op, Ty::Int, x, y);
                    let mut out = vec![(0, r)];
                    if form >= 4 {
                        out.push((1, x));
                    }
                    if form == 5 {
                        out.push((2, y));
                    }
                    t.snap(&out);
                    let (_, slots) = m.go(&t.0, Link::Exit);
                    assert_eq!(slots[&0].0 as i64, want, "{op:?} {a} {b} form {form}");
                    if form >= 4 {
                        assert_eq!(slots[&1].0 as i64, a);
                    }
                    if form == 5 {
                        assert_eq!(slots[&2].0 as i64, b);
                    }
                    m.area.reset(4096);
                }
            }
        }
    }
}

#[test]
fn same_operand_twice() {
    let mut m = Machine::new();
    for op in [Add, Sub, Mul, And, Xor, IDiv, IMod, Min] {
        for a in INTS {
            let Some(want) = int_model(op, a, a) else {
                continue;
            };
            *m.slot(1) = Value::int(a);
            let mut t = Build::new();
            let x = t.slot(Ty::Int, 1);
            let r = t.op(op, Ty::Int, x, x);
            assert_eq!(value_of(&mut m, t, r) as i64, want, "{op:?} {a}");
        }
    }
}

#[test]
fn unary() {
    let mut m = Machine::new();
    for a in INTS {
        *m.slot(1) = Value::int(a);
        for (op, want) in [(Neg, a.wrapping_neg()), (Not, !a), (Abs, a.wrapping_abs())] {
            for keep in [false, true] {
                let mut t = Build::new();
                let x = t.slot(Ty::Int, 1);
                let r = t.op(op, Ty::Int, x, REF_NONE);
                let mut out = vec![(0, r)];
                if keep {
                    out.push((1, x));
                }
                t.snap(&out);
                let (_, slots) = m.go(&t.0, Link::Exit);
                assert_eq!(slots[&0].0 as i64, want, "{op:?} {a}");
                assert!(!keep || slots[&1].0 as i64 == a);
            }
        }
        let mut t = Build::new();
        let x = t.slot(Ty::Int, 1);
        let r = t.op(ItoF, Ty::Float, x, REF_NONE);
        assert_eq!(f64::from_bits(value_of(&mut m, t, r)), a as f64);
    }
    for a in FLOATS {
        *m.slot(1) = Value::float(a);
        let cases: [(IrOp, u16, f64); 7] = [
            (Neg, 0, -a),
            (Abs, 0, a.abs()),
            (Sqrt, 0, a.sqrt()),
            (Round, 0, a.round_ties_even()),
            (Round, 1, a.floor()),
            (Round, 2, a.ceil()),
            (Round, 3, a.trunc()),
        ];
        for (op, lit, want) in cases {
            let mut t = Build::new();
            let x = t.slot(Ty::Float, 1);
            let r = t.lit(op, Ty::Float, x, lit);
            let got = f64::from_bits(value_of(&mut m, t, r));
            assert!(
                got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                "{op:?} {lit} {a}: {got}"
            );
        }
        // exact conversion, or the exit before it
        let mut t = Build::new();
        let x = t.slot(Ty::Float, 1);
        t.snap(&[(5, x)]);
        let r = t.op(FtoI, Ty::Int, x, REF_NONE);
        t.snap(&[(0, r)]);
        let (snap, slots) = m.go(&t.0, Link::Exit);
        let exact = a == a.trunc() && (-9.223372036854776e18..9.223372036854775e18).contains(&a);
        if exact {
            assert_eq!((snap, slots[&0].0 as i64), (1, a as i64));
        } else {
            assert_eq!((snap, slots[&5].0), (0, a.to_bits()), "{a}");
        }
    }
}

#[test]
fn float_arithmetic() {
    let mut m = Machine::new();
    for op in [Add, Sub, Mul, Div, Min, Max] {
        for a in FLOATS {
            for b in FLOATS {
                let want = match op {
                    Add => a + b,
                    Sub => a - b,
                    Mul => a * b,
                    Div => a / b,
                    Min if b < a => b,
                    Max if a < b => b,
                    _ => a,
                };
                *m.slot(1) = Value::float(a);
                *m.slot(2) = Value::float(b);
                for form in 0..5 {
                    let mut t = Build::new();
                    let x = if form == 1 {
                        t.num(a)
                    } else {
                        t.slot(Ty::Float, 1)
                    };
                    let y = if form == 2 {
                        t.num(b)
                    } else {
                        t.slot(Ty::Float, 2)
                    };
                    if form == 3 {
                        t.op(SSt, Ty::Float, Ref(3), x);
                    }
                    let r = t.op(op, Ty::Float, x, y);
                    let mut out = vec![(0, r)];
                    if form == 4 {
                        out.extend([(1, x), (2, y)]);
                    }
                    t.snap(&out);
                    let (_, slots) = m.go(&t.0, Link::Exit);
                    let got = f64::from_bits(slots[&0].0);
                    assert!(
                        got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan(),
                        "{op:?} {a} {b} form {form}: {got}"
                    );
                    m.area.reset(4096);
                }
            }
        }
    }
}

fn holds<T: PartialOrd>(op: IrOp, a: T, b: T) -> bool {
    match op {
        Eq => a == b,
        Ne => a != b,
        Lt => a < b,
        Le => a <= b,
        Gt => a > b,
        Ge => a >= b,
        NLt => !(a < b),
        NLe => !(a <= b),
        NGt => !(a > b),
        _ => !(a >= b),
    }
}

/// Comparisons as values: of registers and constants, with operands that die or stay alive.
#[test]
fn outcomes() {
    let mut m = Machine::new();
    let mut go = |op, ty, [a, b]: [u64; 2], want: bool| {
        *m.slot(1) = Value::new(a, Tag::INT);
        *m.slot(2) = Value::new(b, Tag::INT);
        for form in 0..5 {
            let mut t = Build::new();
            let mut operand = |n: i16, constant: bool, bits: u64| match (constant, ty) {
                (false, _) => t.slot(ty, n),
                (true, Ty::Float) => t.num(f64::from_bits(bits)),
                (true, _) => t.int(bits as i64),
            };
            let x = operand(1, form == 1, a);
            let y = operand(2, form == 2, b);
            let r = t.op(op, Ty::Int, x, y);
            let mut out = vec![(0, r)];
            if form >= 3 {
                out.push((1, x));
            }
            if form == 4 {
                out.push((2, y));
            }
            t.snap(&out);
            let (_, slots) = m.go(&t.0, Link::Exit);
            assert_eq!(
                slots[&0].0,
                u64::from(want),
                "{op:?} {a:#x} {b:#x} form {form}"
            );
            m.area.reset(4096);
        }
    };
    for op in [IsEq, IsLt, IsLe, IsGe] {
        let guard = match op {
            IsEq => Eq,
            IsLt => Lt,
            IsLe => Le,
            _ => Ge,
        };
        for a in INTS {
            for b in INTS {
                go(op, Ty::Int, [a as u64, b as u64], holds(guard, a, b));
            }
        }
        for a in FLOATS {
            for b in FLOATS {
                let bits = [a.to_bits(), b.to_bits()];
                go(op, Ty::Float, bits, holds(guard, a, b));
            }
        }
    }
}

/// Runs a guard: true if it held.
fn passes(m: &mut Machine, mut t: Build, op: IrOp, ty: Ty, a: Ref, b: Ref) -> bool {
    t.snap(&[]);
    t.guard(op, ty, a, b);
    t.snap(&[]);
    let (snap, _) = m.go(&t.0, Link::Exit);
    m.area.reset(4096);
    snap == 1
}

#[test]
fn comparisons() {
    let mut m = Machine::new();
    for a in INTS {
        for b in INTS {
            *m.slot(1) = Value::int(a);
            *m.slot(2) = Value::int(b);
            for op in [Eq, Ne, Lt, Ge, Le, Gt, Ult, Uge, Ule, Ugt] {
                let want = match op {
                    Ult => (a as u64) < b as u64,
                    Uge => a as u64 >= b as u64,
                    Ule => a as u64 <= b as u64,
                    Ugt => a as u64 > b as u64,
                    _ => holds(op, a, b),
                };
                for form in 0..5 {
                    let mut t = Build::new();
                    let x = if form == 1 {
                        t.int(a)
                    } else {
                        t.slot(Ty::Int, 1)
                    };
                    let y = if form == 2 {
                        t.int(b)
                    } else {
                        t.slot(Ty::Int, 2)
                    };
                    if form == 3 {
                        t.op(SSt, Ty::Int, Ref(3), y);
                    }
                    if form == 4 {
                        t.op(SSt, Ty::Int, Ref(3), x);
                    }
                    let got = passes(&mut m, t, op, Ty::Int, x, y);
                    assert_eq!(got, want, "{op:?} {a} {b} form {form}");
                }
            }
        }
    }
    for a in FLOATS {
        for b in FLOATS {
            *m.slot(1) = Value::float(a);
            *m.slot(2) = Value::float(b);
            for op in [Eq, Ne, Lt, Ge, Le, Gt, NLt, NLe, NGt, NGe] {
                for form in 0..4 {
                    let mut t = Build::new();
                    let x = if form == 1 {
                        t.num(a)
                    } else {
                        t.slot(Ty::Float, 1)
                    };
                    let y = if form == 2 {
                        t.num(b)
                    } else {
                        t.slot(Ty::Float, 2)
                    };
                    if form == 3 {
                        t.op(SSt, Ty::Float, Ref(3), y);
                    }
                    let got = passes(&mut m, t, op, Ty::Float, x, y);
                    assert_eq!(got, holds(op, a, b), "{op:?} {a} {b} form {form}");
                }
            }
        }
    }
}

#[test]
fn tags() {
    let mut m = Machine::new();
    let all = [
        Tag::INT,
        Tag::FLOAT,
        Tag::TRUE,
        Tag::FALSE,
        Tag::NIL,
        Tag::STRING,
        Tag::TABLE,
        Tag::CELL,
    ];
    for tag in all {
        m.slot(1).tag = tag;
        m.slot(1).aux = 0x5555;
        for fused in [true, false] {
            let load = |t: &mut Build| {
                let r = t.op(SLoadT, Ty::Tag, Ref(1), REF_NONE);
                if !fused {
                    t.op(SStT, Ty::Tag, Ref(4), r);
                }
                r
            };
            for other in all {
                for op in [TEq, TNe] {
                    let mut t = Build::new();
                    let x = load(&mut t);
                    let got = passes(&mut m, t, op, Ty::Void, x, Ref(other.0 as i16 as u16));
                    assert_eq!(
                        got,
                        (tag == other) == (op == TEq),
                        "{op:?} {tag:?} {other:?}"
                    );
                }
            }
            for op in [TFalsy, TTruthy] {
                let mut t = Build::new();
                let x = load(&mut t);
                let got = passes(&mut m, t, op, Ty::Void, x, REF_NONE);
                assert_eq!(got, tag.is_falsy() == (op == TFalsy), "{op:?} {tag:?}");
            }
        }
    }
    assert_eq!(m.slot(4).tag, Tag::CELL);
}

#[test]
fn bits() {
    let mut m = Machine::new();
    for a in INTS {
        *m.slot(1) = Value::int(a);
        for mask in [
            1,
            0x80,
            0xff00,
            0x8000_0000,
            1 << 40,
            i64::MIN,
            0x7fff_ffff_0000,
        ] {
            for op in [BitsZ, BitsNz] {
                for fused in [true, false] {
                    let mut t = Build::new();
                    let x = t.slot(Ty::Int, 1);
                    if !fused {
                        t.op(SSt, Ty::Int, Ref(3), x);
                    }
                    let k = t.int(mask);
                    let got = passes(&mut m, t, op, Ty::Int, x, k);
                    assert_eq!(got, (a & mask == 0) == (op == BitsZ), "{op:?} {a} {mask}");
                }
            }
        }
    }
}

#[test]
fn casts_and_copies() {
    let mut m = Machine::new();
    *m.slot(1) = Value::float(1.5);
    *m.slot(2) = Value::int(77);
    let mut t = Build::new();
    let f = t.slot(Ty::Float, 1);
    let bits = t.op(Cast, Ty::Int, f, REF_NONE);
    let i = t.slot(Ty::Int, 2);
    let back = t.op(Cast, Ty::Float, i, REF_NONE);
    let c = t.op(Copy, Ty::Int, i, REF_NONE);
    let big = t.int(1 << 60);
    let k = t.op(Copy, Ty::Int, big, REF_NONE);
    let half = t.num(0.5);
    let kf = t.op(Copy, Ty::Float, half, REF_NONE);
    let nil = t.0.k(Ty::Nil, 0);
    t.snap(&[
        (0, bits),
        (1, back),
        (2, c),
        (3, k),
        (4, kf),
        (5, nil),
        (6, f),
    ]);
    let (_, s) = m.go(&t.0, Link::Exit);
    assert_eq!(s[&0], (1.5f64.to_bits(), 0));
    assert_eq!(s[&1], (77, 1));
    assert_eq!(s[&2], (77, 0));
    assert_eq!(s[&3], (1 << 60, 0));
    assert_eq!(s[&4], (0.5f64.to_bits(), 1));
    assert_eq!(s[&5], (0, Tag::NIL.0));
    assert_eq!(s[&6], (1.5f64.to_bits(), 1));
}

#[test]
fn stack_stores() {
    let mut m = Machine::new();
    let mut t = Build::new();
    let big = t.int(0x1234_5678_9abc_def0);
    let minus = t.int(-5);
    let f = t.num(-0.25);
    let (ti, tf) = (t.tag(Tag::INT), t.tag(Tag::FLOAT));
    t.op(SSt, Ty::Int, Ref(1), big);
    t.op(SStT, Ty::Int, Ref(1), ti);
    t.op(SSt, Ty::Int, Ref(2), minus);
    t.op(SSt, Ty::Float, Ref(3), f);
    t.op(SStT, Ty::Float, Ref(3), tf);
    let w = t.0.k(Ty::Word, 0xfedc_ba98_7654_3210);
    t.op(SStW, Ty::Word, Ref(-1i16 as u16), w);
    t.snap(&[]);
    m.slot(3).aux = 99;
    m.go(&t.0, Link::Exit);
    assert_eq!(m.slot(1).payload, 0x1234_5678_9abc_def0);
    assert_eq!(m.slot(1).tag, Tag::INT);
    assert_eq!(m.slot(2).payload as i64, -5);
    assert_eq!(m.slot(3).as_float(), -0.25);
    assert_eq!((m.slot(3).tag, m.slot(3).aux), (Tag::FLOAT, 99));
    assert_eq!(
        (m.slot(-1).tag.0, m.slot(-1).aux),
        (0x7654_3210, 0xfedc_ba98)
    );
}

/// Quotients and remainders by constants, at and around multiples.
#[test]
fn division_by_constants() {
    let mut m = Machine::new();
    let divisors = [
        3,
        5,
        6,
        7,
        10,
        100,
        641,
        16807,
        0x7fff_ffff,
        0x1_0000_0001,
        1_000_000_007 << 20 | 1,
        (1 << 62) + 1,
        i64::MAX - 1,
        i64::MAX,
        -3,
        -10,
        i64::MIN,
        i64::MIN + 1,
    ];
    for c in divisors {
        let mut values = vec![0, i64::MAX, i64::MIN];
        for k in [1i64, 2, 1000, i64::MAX / c, -1, -2, -1000, i64::MIN / c] {
            values.push(k.wrapping_mul(c));
        }
        for v in values.clone() {
            values.extend([v.wrapping_sub(1), v.wrapping_add(1)]);
        }
        for a in values {
            *m.slot(1) = Value::int(a);
            let mut t = Build::new();
            let x = t.slot(Ty::Int, 1);
            let k = t.int(c);
            let q = t.op(IDiv, Ty::Int, x, k);
            let r = t.op(IMod, Ty::Int, x, k);
            t.snap(&[(0, q), (1, r)]);
            let (_, s) = m.go(&t.0, Link::Exit);
            m.area.reset(4096);
            m.traces = 0;
            let want = floor_div(a, c);
            assert_eq!(s[&0].0 as i64, want, "{a} // {c}");
            let want = a.wrapping_sub(want.wrapping_mul(c));
            assert_eq!(s[&1].0 as i64, want, "{a} % {c}");
        }
    }
}
