//! Functions of `math`.

use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith;
use traceorus_vm::number::{float_to_int, float_to_int_ceil, float_to_int_floor};
use traceorus_vm::random::Xoshiro;

use super::{Native, Results};
use crate::ir::{CallId, IrOp, REF_NONE, Ref, Ty};
use crate::record::{Rec, Recorder};

/// Modes of ROUND.
const FLOOR: u16 = 1;
const CEIL: u16 = 2;
const TRUNC: u16 = 3;

/// Integers up to this size are exact as floats.
const EXACT: i64 = 1 << 53;

impl Recorder {
    #[inline(never)]
    pub(super) unsafe fn math_function(&mut self, id: FastFn, c: Native) -> Results {
        use FastFn::*;
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let first = self.oarg(c, 1);
            if c.nargs == 0 && id != Random {
                return Ok(None);
            }
            if id == MathType {
                let v = self.any_arg(c, 1)?;
                self.asked_tag(v, first.tag)?;
                return Ok(Some(vec![match first.tag {
                    Tag::INT => self.text(b"integer"),
                    Tag::FLOAT => self.text(b"float"),
                    _ => self.konst(Value::NIL),
                }]));
            }
            if id == Random {
                return self.random(c);
            }
            if !first.tag.is_number() {
                return Ok(None);
            }
            let one = match id {
                Abs => {
                    let x = self.arg(c, 1)?.val;
                    let ty = self.buf.ty(x);
                    self.emit(IrOp::Abs, ty, x, REF_NONE)?
                }
                Ceil | Floor => {
                    let rounded = if id == Ceil {
                        float_to_int_ceil(first.as_float())
                    } else {
                        float_to_int_floor(first.as_float())
                    };
                    if first.tag != Tag::INT && rounded.is_none() {
                        return Ok(None);
                    }
                    let x = self.arg(c, 1)?.val;
                    self.rounded(x, if id == Ceil { CEIL } else { FLOOR })?
                }
                Sqrt => {
                    let x = self.float_arg(c, 1)?;
                    self.emit(IrOp::Sqrt, Ty::Float, x, REF_NONE)?
                }
                Deg | Rad => {
                    let pi = std::f64::consts::PI;
                    let k = if id == Deg { 180.0 / pi } else { pi / 180.0 };
                    let (x, k) = (self.float_arg(c, 1)?, self.buf.k_float(k));
                    self.emit(IrOp::Mul, Ty::Float, x, k)?
                }
                Acos => self.float_call(c, CallId::Acos)?,
                Asin => self.float_call(c, CallId::Asin)?,
                Cos => self.float_call(c, CallId::Cos)?,
                Cosh => self.float_call(c, CallId::Cosh)?,
                Exp => self.float_call(c, CallId::Exp)?,
                Log10 => self.float_call(c, CallId::Log10)?,
                Sin => self.float_call(c, CallId::Sin)?,
                Sinh => self.float_call(c, CallId::Sinh)?,
                Tan => self.float_call(c, CallId::Tan)?,
                Tanh => self.float_call(c, CallId::Tanh)?,
                Atan if c.nargs == 1 => {
                    let (y, x) = (self.float_arg(c, 1)?, self.buf.k_float(1.0));
                    self.rt(IrOp::CallN, CallId::Atan2, &[y, x])?
                }
                Log => return self.log(c),
                Max | Min => return self.extreme(c, id == Max),
                Modf => return self.modf(c),
                ToInteger => return self.tointeger(c),
                Atan | Pow | Fmod | Ult => {
                    let second = self.oarg(c, 2);
                    if !second.tag.is_number() {
                        return Ok(None);
                    }
                    match id {
                        Ult => return self.ult(c),
                        Fmod if first.tag == Tag::INT && second.tag == Tag::INT => {
                            return self.int_fmod(c);
                        }
                        _ => {}
                    }
                    let (x, y) = (self.float_arg(c, 1)?, self.float_arg(c, 2)?);
                    let f = match id {
                        Atan => CallId::Atan2,
                        Pow => CallId::MathPow,
                        _ => CallId::CFmod,
                    };
                    self.rt(IrOp::CallN, f, &[x, y])?
                }
                _ => return Ok(None),
            };
            Ok(Some(vec![self.typed(one)]))
        }
    }

    /// The number argument `n` as float.
    fn float_arg(&mut self, c: Native, n: i16) -> Rec<Ref> {
        let v = self.arg(c, n)?;
        self.float_of(v)
    }
    fn float_call(&mut self, c: Native, id: CallId) -> Rec<Ref> {
        let x = self.float_arg(c, 1)?;
        self.rt(IrOp::CallN, id, &[x])
    }
    /// A number rounded to an integer.
    fn rounded(&mut self, x: Ref, mode: u16) -> Rec<Ref> {
        if self.buf.ty(x) == Ty::Int {
            return Ok(x);
        }
        if mode == FLOOR
            && let Some((n, k)) = self.quotient(x)
        {
            // where the division rounds it does not get as far as the next integer
            let (most, twice) = (self.buf.k_int(EXACT), self.buf.k_int(2 * EXACT));
            let up = self.emit(IrOp::Add, Ty::Int, n, most)?;
            self.guard(IrOp::Ule, Ty::Int, up, twice)?;
            let k = self.buf.k_int(k);
            return self.emit(IrOp::IDiv, Ty::Int, n, k);
        }
        let r = self.emit(IrOp::Round, Ty::Float, x, Self::lit(mode))?;
        self.guard(IrOp::FtoI, Ty::Int, r, REF_NONE)
    }
    /// The float `x` is the quotient of an integer, which is exact as a float now, and a positive constant.
    fn quotient(&self, x: Ref) -> Option<(Ref, i64)> {
        if !x.is_ins() {
            return None;
        }
        let i = self.buf.at(x);
        let k = match i.op {
            IrOp::Div => self.buf.float(i.b)?,
            IrOp::Mul => 1.0 / self.buf.float(i.b).filter(|&k| k > 0.0)?,
            _ => return None,
        };
        let power = k.to_bits() << 12 == 0;
        if (i.op == IrOp::Mul && !power)
            || k.fract() != 0.0
            || !(1.0..=f64::from(i32::MAX)).contains(&k)
        {
            return None;
        }
        let n = i.a.is_ins().then(|| self.buf.at(i.a))?;
        let seen = self.seen.get(&n.a)?;
        let exact = (-EXACT..=EXACT).contains(seen);
        (n.op == IrOp::ItoF && exact).then_some((n.a, k as i64))
    }

    fn log(&mut self, c: Native) -> Results {
        let base = self.oarg(c, 2);
        let r = match base.tag {
            Tag::NIL => {
                self.arg(c, 2)?;
                self.float_call(c, CallId::Log)?
            }
            t if t.is_number() => {
                let b = self.float_arg(c, 2)?;
                match self.buf.float(b) {
                    Some(2.0) => self.float_call(c, CallId::Log2)?,
                    Some(10.0) => self.float_call(c, CallId::Log10)?,
                    _ => {
                        let x = self.float_arg(c, 1)?;
                        self.rt(IrOp::CallN, CallId::LogBase, &[x, b])?
                    }
                }
            }
            _ => return Ok(None),
        };
        Ok(Some(vec![self.typed(r)]))
    }

    /// `max` (or `min`): the first argument that no later one exceeds.
    unsafe fn extreme(&mut self, c: Native, max: bool) -> Results {
        // SAFETY: numbers only.
        unsafe {
            if (1..=c.nargs).any(|n| !self.oarg(c, n).tag.is_number()) {
                return Ok(None);
            }
            let mut best = self.arg(c, 1)?;
            let mut obest = self.oarg(c, 1);
            for n in 2..=c.nargs {
                let (v, o) = (self.arg(c, n)?, self.oarg(c, n));
                let replaces = if max {
                    arith::lt(obest, o)
                } else {
                    arith::lt(o, obest)
                };
                let replaces = replaces == Some(true);
                let ty = self.buf.ty(best.val);
                if ty == self.buf.ty(v.val) {
                    let op = if max { IrOp::Max } else { IrOp::Min };
                    let r = self.emit(op, ty, best.val, v.val)?;
                    best = self.typed(r);
                } else {
                    // the result's type depends on which it is
                    let Some((ty, a, b)) = self.comparable(best, v, obest, o)? else {
                        return Ok(None);
                    };
                    let (a, b) = if max { (a, b) } else { (b, a) };
                    let op = match (replaces, ty) {
                        (true, _) => IrOp::Lt,
                        (false, Ty::Float) => IrOp::NLt,
                        (false, _) => IrOp::Ge,
                    };
                    self.guard(op, ty, a, b)?;
                    if replaces {
                        best = v;
                    }
                }
                if replaces {
                    obest = o;
                }
            }
            Ok(Some(vec![best]))
        }
    }

    fn modf(&mut self, c: Native) -> Results {
        let o = self.oarg(c, 1);
        let x = self.arg(c, 1)?;
        if o.tag == Tag::INT {
            let zero = self.konst(Value::float(0.0));
            return Ok(Some(vec![x, zero]));
        }
        if float_to_int(o.as_float().trunc()).is_none() {
            return Ok(None);
        }
        let r = self.emit(IrOp::Round, Ty::Float, x.val, Self::lit(TRUNC))?;
        let whole = self.guard(IrOp::FtoI, Ty::Int, r, REF_NONE)?;
        let fraction = self.emit(IrOp::Sub, Ty::Float, x.val, r)?;
        Ok(Some(vec![self.typed(whole), self.typed(fraction)]))
    }

    fn tointeger(&mut self, c: Native) -> Results {
        let o = self.oarg(c, 1);
        if o.tag == Tag::FLOAT && float_to_int(o.as_float()).is_none() {
            return Ok(None);
        }
        let x = self.arg(c, 1)?;
        if o.tag == Tag::INT {
            return Ok(Some(vec![x]));
        }
        let i = self.guard(IrOp::FtoI, Ty::Int, x.val, REF_NONE)?;
        Ok(Some(vec![self.typed(i)]))
    }

    fn ult(&mut self, c: Native) -> Results {
        let (a, b) = (self.oarg(c, 1), self.oarg(c, 2));
        if a.tag != Tag::INT || b.tag != Tag::INT {
            return Ok(None);
        }
        let less = a.payload < b.payload;
        let (x, y) = (self.arg(c, 1)?.val, self.arg(c, 2)?.val);
        let op = if less { IrOp::Ult } else { IrOp::Uge };
        self.guard(op, Ty::Int, x, y)?;
        Ok(Some(vec![self.boolean(less)]))
    }

    fn int_fmod(&mut self, c: Native) -> Results {
        let (a, b) = (self.oarg(c, 1).as_int(), self.oarg(c, 2).as_int());
        if b == 0 {
            return Ok(None);
        }
        let (x, y) = (self.arg(c, 1)?.val, self.arg(c, 2)?.val);
        let zero = self.buf.k_int(0);
        let r = if a >= 0 && b > 0 {
            self.guard(IrOp::Ge, Ty::Int, x, zero)?;
            self.guard(IrOp::Gt, Ty::Int, y, zero)?;
            self.emit(IrOp::IMod, Ty::Int, x, y)?
        } else {
            self.guard(IrOp::Ne, Ty::Int, y, zero)?;
            self.rt(IrOp::CallN, CallId::Rem, &[x, y])?
        };
        Ok(Some(vec![self.typed(r)]))
    }

    unsafe fn random(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] the function keeps its upvalue, which is the generator.
        unsafe {
            let u = *((c.f as *mut u8).add(NativeClosure::UPVALS) as *const Value);
            if u.tag != Tag::USERDATA {
                return Ok(None);
            }
            let p = u.as_ptr::<Userdata>();
            if (*p).size as usize != size_of::<Xoshiro>() || (*p).hdr.extra != 0 {
                return Ok(None);
            }
            let (a, b) = (self.oarg(c, 1), self.oarg(c, 2));
            let ints = a.tag == Tag::INT && (c.nargs == 1 || b.tag == Tag::INT);
            if c.nargs > 2 || c.nargs > 0 && !ints {
                return Ok(None);
            }
            let k = self.buf.k(Ty::Func, c.f as u64);
            let is = self.emit(IrOp::NUpv, Ty::Udata, k, Self::lit(0))?;
            let ud = self.guard_is(is, u.payload)?;
            if c.nargs == 0 {
                let r = self.rt(IrOp::Call, CallId::RandomFloat, &[ud])?;
                return Ok(Some(vec![self.typed(r)]));
            }
            let zero = self.buf.k_int(0);
            let x = self.arg(c, 1)?.val;
            let (low, up): (Ref, Ref);
            if c.nargs == 1 {
                if a.as_int() == 0 {
                    self.guard(IrOp::Eq, Ty::Int, x, zero)?;
                    let r = self.rt(IrOp::Call, CallId::RandomBits, &[ud])?;
                    return Ok(Some(vec![self.typed(r)]));
                }
                if a.as_int() < 0 {
                    return Ok(None);
                }
                self.guard(IrOp::Gt, Ty::Int, x, zero)?;
                (low, up) = (self.buf.k_int(1), x);
            } else {
                if a.as_int() > b.as_int() {
                    return Ok(None);
                }
                let y = self.arg(c, 2)?.val;
                self.guard(IrOp::Le, Ty::Int, x, y)?;
                (low, up) = (x, y);
            }
            let r = self.rt(IrOp::Call, CallId::RandomInt, &[ud, low, up])?;
            Ok(Some(vec![self.typed(r)]))
        }
    }
}
