//! Checks that a trace is well formed; for tests, and debug builds after each pass.
//!
//! Operands are defined before they are used, have the mode and type that the op wants, and are values where values are wanted; addresses
//! are used by loads and stores of their kind only; LOOP stands once and PHIs at the end; each guard has a snapshot; snapshot entries are
//! sorted, and only nil, true and false lack a payload.

use super::{CallId, Class, FieldId, Ins, IrBuf, IrOp, Mode, Part, Ref, SnapNo, Ty, print};

/// `Err`: what is wrong, naming the instruction.
pub fn verify(buf: &IrBuf) -> Result<(), String> {
    let mut v = Verifier { buf };
    v.all()
}

struct Verifier<'a> {
    buf: &'a IrBuf,
}

type Check = Result<(), String>;

fn need(ok: bool, text: impl FnOnce() -> String) -> Check {
    if ok { Ok(()) } else { Err(text()) }
}

impl Verifier<'_> {
    fn all(&mut self) -> Check {
        let buf = self.buf;
        need(buf.ins.first().is_some_and(|i| i.op == IrOp::Base), || {
            "the first instruction is not BASE".into()
        })?;
        for (n, k) in buf.konsts.iter().enumerate() {
            let narrow = match k.ty {
                Ty::U8 => k.bits <= 0xff,
                Ty::U32 => k.bits <= 0xffff_ffff,
                Ty::Nil | Ty::False | Ty::True => k.bits == 0,
                Ty::Tag => k.bits as i64 == i64::from(k.bits as i32),
                Ty::Void => false,
                _ => true,
            };
            need(narrow, || {
                format!("constant {n}: {k:?} does not fit its type")
            })?;
        }
        let mut phis = false;
        for n in 1..buf.len() {
            let r = Ref::from_ins(n);
            let i = buf.at(r);
            self.ins(r, i)
                .map_err(|e| format!("{}: {e}", print::print_ins(buf, r)))?;
            match i.op {
                IrOp::Base => return Err(format!("{n:04}: a second BASE")),
                IrOp::Loop => need(buf.loop_ref == r, || {
                    format!("{n:04}: LOOP is not loop_ref")
                })?,
                IrOp::Phi => phis = true,
                IrOp::Nop => {}
                _ => need(!phis, || format!("{n:04}: stands behind a PHI"))?,
            }
        }
        need(
            buf.loop_ref.is_none()
                || (buf.loop_ref < buf.next() && buf.at(buf.loop_ref).op == IrOp::Loop),
            || "loop_ref is no LOOP".into(),
        )?;
        self.snaps()
    }

    fn value(&self, at: Ref, o: Ref) -> Check {
        need(!o.is_none(), || "an operand is missing".into())?;
        if o.is_const() {
            return need(o.const_index() < self.buf.konsts.len(), || {
                "no such constant".into()
            });
        }
        need(o < at, || {
            format!("{:04} is not defined before", o.ins_index())
        })?;
        let i = self.buf.at(o);
        need(i.op != IrOp::Nop, || {
            format!("{:04} has been removed", o.ins_index())
        })
    }

    fn is_value(&self, o: Ref) -> bool {
        o.is_const() || self.buf.at(o).op.has_value()
    }

    fn ins(&self, r: Ref, i: Ins) -> Check {
        use IrOp::*;
        let buf = self.buf;
        for (m, o) in i.op.modes().into_iter().zip([i.a, i.b]) {
            match m {
                Mode::None => need(o.is_none(), || "an operand too many".into())?,
                Mode::Ref if matches!(i.op, Call | CallN | CallL) && o.is_none() => {}
                Mode::Ref if i.op == Phi => self.value(buf.next(), o)?,
                Mode::Ref => self.value(r, o)?,
                Mode::Const => {
                    self.value(r, o)?;
                    need(o.is_const(), || "the operand must be a constant".into())?;
                }
                Mode::Lit | Mode::Signed => {}
            }
        }
        let ta = |o: Ref| buf.ty(o);
        let values = |os: &[Ref]| {
            os.iter().try_for_each(|&o| {
                need(self.is_value(o), || format!("{} is no value", self.name(o)))
            })
        };
        let is = |o: Ref, ok: &[Ty]| {
            need(ok.contains(&ta(o)), || {
                format!("{} is {}", self.name(o), ta(o).name().trim_end())
            })
        };
        let address = |o: Ref, ok: &[IrOp]| {
            need(o.is_ins() && ok.contains(&buf.at(o).op), || {
                format!("{} is no address of this kind", self.name(o))
            })
        };
        let object = |o: Ref| {
            values(&[o])?;
            need(ta(o).is_gc() || ta(o) == Ty::Ptr, || {
                format!("{} is no object", self.name(o))
            })
        };
        let literal_field = || {
            need(FieldId::from_u16(i.b.0).is_some(), || {
                "no such field".into()
            })
        };
        const NUM: &[Ty] = &[Ty::Int, Ty::Float];
        const INTS: &[Ty] = &[Ty::Int, Ty::U32];
        let own = |ok: &[Ty]| {
            need(ok.contains(&i.ty), || {
                "a type that this instruction does not have".into()
            })
        };
        let same = |o: Ref| {
            values(&[o])?;
            is(o, &[i.ty])
        };
        match i.op {
            Base | Nop | Loop | PVal | STop => Ok(()),
            Phi => {
                need(!buf.loop_ref.is_none() && r > buf.loop_ref, || {
                    "PHI without loop".into()
                })?;
                values(&[i.a, i.b])?;
                need(i.a.is_ins() && i.a < buf.loop_ref, || {
                    "the left side is not from before LOOP".into()
                })?;
                same(i.a)?;
                same(i.b)?;
                let twice = (buf.loop_ref.ins_index()..r.ins_index()).any(|n| {
                    let p = buf.ins[n];
                    p.op == Phi && p.a == i.a
                });
                need(!twice, || "a second PHI of the value".into())
            }
            RetPc => own(&[Ty::Ptr]),
            RetWord => own(&[Ty::Word]),
            RetKind | SetTail | TopEq => Ok(()),
            CoWord => {
                values(&[i.a])?;
                is(i.a, &[Ty::Ptr])?;
                is(i.b, &[Ty::Word])
            }
            CoPc => {
                own(&[Ty::Ptr])?;
                values(&[i.a])?;
                is(i.a, &[Ty::Ptr])
            }
            SlotOf | Method => {
                own(&[if i.op == SlotOf { Ty::Int } else { Ty::Func }])?;
                values(&[i.a, i.b])?;
                is(i.a, &[Ty::Tab])?;
                is(i.b, &[Ty::Str])
            }
            CoLeave | CoEnter => {
                values(&[i.a])?;
                is(i.a, &[Ty::Thread])
            }
            // Either side may have been narrowed since.
            Copy => {
                values(&[i.a])?;
                need(
                    i.ty == Ty::Any || ta(i.a) == Ty::Any || ta(i.a) == i.ty,
                    || format!("{} is {}", self.name(i.a), ta(i.a).name().trim_end()),
                )
            }
            SLoad => need(!matches!(i.ty, Ty::Void | Ty::Tag | Ty::Word), || {
                "no payload type".into()
            }),
            SLoadT | LdB | LdW => {
                own(&[Ty::Tag])?;
                match i.op {
                    LdB => address(i.a, &[ATRef, HTRef]),
                    LdW => address(i.a, &[CTRef, ETRef]),
                    _ => Ok(()),
                }
            }
            SSt => values(&[i.b]),
            SStT => is(i.b, &[Ty::Tag]),
            SStW => {
                values(&[i.b])?;
                is(i.b, &[Ty::Word])
            }
            TEq | TNe | TFalsy | TTruthy => {
                own(&[Ty::Tag])?;
                same(i.a)
            }
            Eq | Ne => self.comparable(i),
            Lt | Ge | Le | Gt => {
                own(&[Ty::Int, Ty::Float, Ty::Tag])?;
                self.comparable(i)
            }
            NLt | NLe | NGt | NGe => {
                own(&[Ty::Float])?;
                self.comparable(i)
            }
            Ult | Uge | Ule | Ugt => {
                own(&[Ty::Int, Ty::U32, Ty::U8])?;
                self.comparable(i)
            }
            BitsZ | BitsNz => {
                own(&[Ty::Int, Ty::U32, Ty::U8])?;
                self.comparable(i)
            }
            StkChk | Poll | RetF => Ok(()),
            Add | Sub | Mul | Min | Max => {
                own(&[Ty::Int, Ty::Float, Ty::U32])?;
                same(i.a)?;
                same(i.b)
            }
            IsEq | IsLt | IsLe | IsGe => {
                own(&[Ty::Int])?;
                values(&[i.a, i.b])?;
                is(i.a, &[Ty::Int, Ty::Float, Ty::Tag])?;
                is(i.b, &[ta(i.a)])
            }
            Neg | Abs => {
                own(NUM)?;
                same(i.a)
            }
            Div => {
                own(&[Ty::Float])?;
                same(i.a)?;
                same(i.b)
            }
            IDiv | IMod => {
                own(&[Ty::Int])?;
                same(i.a)?;
                same(i.b)
            }
            And | Or | Xor => {
                own(INTS)?;
                same(i.a)?;
                same(i.b)
            }
            Not => {
                own(INTS)?;
                same(i.a)
            }
            Shl | Shr | Sar => {
                own(INTS)?;
                same(i.a)?;
                is(i.b, INTS)
            }
            Sqrt | Round => {
                own(&[Ty::Float])?;
                same(i.a)
            }
            ItoF => {
                own(&[Ty::Float])?;
                values(&[i.a])?;
                is(i.a, &[Ty::Int])
            }
            FtoI => {
                own(&[Ty::Int])?;
                values(&[i.a])?;
                is(i.a, &[Ty::Float])
            }
            Cast => values(&[i.a]),
            FLd | FRef => {
                literal_field()?;
                object(i.a)
            }
            FSt => {
                address(i.a, &[FRef])?;
                values(&[i.b])
            }
            ARef | ATRef => {
                object(i.a)?;
                values(&[i.b])?;
                is(i.b, &[Ty::Int])
            }
            HRef | HTRef | CRef | CTRef | ERef | ETRef | XRef | UpAddr | TRun | UpRef | NUpv => {
                object(i.a)
            }
            VRef => {
                values(&[i.a])?;
                is(i.a, &[Ty::Int])
            }
            LdV => address(i.a, &[ARef, HRef, CRef, ERef, XRef, VRef]),
            StV => {
                address(i.a, &[ARef, HRef, CRef, ERef, XRef, UpAddr])?;
                values(&[i.b])
            }
            StB => {
                address(i.a, &[ATRef, HTRef])?;
                is(i.b, &[Ty::Tag])
            }
            StW => {
                address(i.a, &[CTRef, ETRef])?;
                is(i.b, &[Ty::Tag])
            }
            StrByte => {
                values(&[i.a, i.b])?;
                is(i.a, &[Ty::Str])?;
                is(i.b, &[Ty::Int])
            }
            Bar => {
                object(i.a)?;
                values(&[i.b])
            }
            Sunk => need(i.a.0 < buf.objects.len() as u16, || "no such object".into()),
            TNew | TArr | CNew | FNew => need(i.ty.is_gc(), || "an object's type expected".into()),
            CArg => {
                need(i.b.is_const() || self.is_value(i.b), || {
                    "the argument is no value".into()
                })?;
                need(
                    i.a.is_const() || self.is_value(i.a) || buf.at(i.a).op == CArg,
                    || "neither a list nor a value".into(),
                )
            }
            Call | CallN | CallL => self.call(i),
            XOp | XOpQ | XOpR => {
                let list = i.a.is_ins() && buf.at(i.a).op == CArg && {
                    let l = buf.at(i.a);
                    ta(l.a) == Ty::Ptr && ta(l.b) == Ty::Ptr && l.a.is_const() && l.b.is_const()
                };
                need(list, || "not CARG(pc, next pc)".into())
            }
        }?;
        if i.op.is_guard() && i.op != RetF {
            need(buf.snap_of(r).is_some(), || {
                "a guard without snapshot".into()
            })?;
        }
        need(
            !matches!(i.op.class(), Class::N | Class::L | Class::A)
                || i.ty != Ty::Void
                || i.op == CallN,
            || "a value without type".into(),
        )
    }

    /// Both operands have the type that is compared.
    fn comparable(&self, i: Ins) -> Check {
        for o in [i.a, i.b] {
            let t = self.buf.ty(o);
            need(self.is_value(o), || format!("{} is no value", self.name(o)))?;
            need(t == i.ty, || {
                format!("{} is {}", self.name(o), t.name().trim_end())
            })?;
        }
        Ok(())
    }

    fn call(&self, i: Ins) -> Check {
        let id = CallId::from_u16(i.b.0).ok_or("no such function")?;
        let mut given = Vec::new();
        let mut list = i.a;
        while !list.is_none() {
            if list.is_ins() && self.buf.at(list).op == IrOp::CArg {
                given.push(self.buf.at(list).b);
                list = self.buf.at(list).a;
            } else {
                given.push(list);
                break;
            }
        }
        given.reverse();
        let wanted = id.info().args;
        need(given.len() == wanted.len(), || {
            format!("{} arguments instead of {}", given.len(), wanted.len())
        })?;
        for (&o, &t) in given.iter().zip(wanted) {
            let have = self.buf.ty(o);
            // passed in a register of the general class
            let fits = have == t || t == Ty::Any && have != Ty::Float;
            need(self.is_value(o) && fits, || {
                format!("argument {} is {}", self.name(o), have.name().trim_end())
            })?;
        }
        Ok(())
    }

    fn snaps(&self) -> Check {
        let buf = self.buf;
        let mut last = Ref(0);
        for (n, s) in buf.snaps.iter().enumerate() {
            let bad = |text: &str| format!("snapshot #{n}: {text}");
            need(s.first >= last && s.first <= buf.next(), || {
                bad("out of order")
            })?;
            last = s.first;
            need(
                s.start <= s.end && s.end as usize <= buf.entries.len(),
                || bad("no such entries"),
            )?;
            let mut slot = None;
            for e in &buf.entries[s.start as usize..s.end as usize] {
                need(slot.is_none_or(|p| p < e.slot), || {
                    bad("slots are not in order")
                })?;
                slot = Some(e.slot);
                self.value(s.first, e.tag).map_err(|t| bad(&t))?;
                let tag = buf.ty(e.tag);
                need(
                    matches!(tag, Ty::Tag | Ty::Word) && self.is_value(e.tag),
                    || bad("not a tag"),
                )?;
                if e.val.is_none() {
                    let prim = buf.tag(e.tag).is_some_and(|t| Ty::of_tag(t).is_prim());
                    need(prim || tag == Ty::Word, || bad("a payload is missing"))?;
                } else {
                    self.value(s.first, e.val).map_err(|t| bad(&t))?;
                    need(self.is_value(e.val), || bad("not a value"))?;
                    self.recipe(n, e.val).map_err(|t| bad(&t))?;
                }
            }
        }
        Ok(())
    }

    /// The snapshot has a recipe for the value if it needs one, with contents that are there.
    fn recipe(&self, snap: usize, r: Ref) -> Check {
        let buf = self.buf;
        if !r.is_ins() || buf.at(r).op != IrOp::Sunk {
            return Ok(());
        }
        let recipes = buf.snap_recipes(SnapNo(snap as u16));
        let Some(recipe) = recipes.iter().find(|q| q.object == r) else {
            return Err(format!("no recipe for {:04}", r.ins_index()));
        };
        for f in buf.recipe_fillings(recipe) {
            let first = buf.snaps[snap].first;
            if !f.val.is_none() {
                self.value(first, f.val)?;
                let inner = f.val.is_ins() && buf.at(f.val).op == IrOp::Sunk;
                let there = recipes.iter().any(|q| q.object == f.val);
                need(!inner || there, || {
                    format!("no recipe for {}", self.name(f.val))
                })?;
            }
            let tagged = matches!(f.part, Part::Slot(_) | Part::Elem(_) | Part::Cell);
            need(tagged != f.tag.is_none(), || {
                format!("{:04}: a tag is missing or too many", r.ins_index())
            })?;
            if tagged {
                self.value(first, f.tag)?;
                need(buf.ty(f.tag) == Ty::Tag, || {
                    format!("{} is no tag", self.name(f.tag))
                })?;
            }
        }
        Ok(())
    }

    fn name(&self, o: Ref) -> String {
        if o.is_ins() {
            format!("{:04}", o.ins_index())
        } else {
            match self.buf.konst(o) {
                Some(k) => format!("{k:?}"),
                None => "nothing".into(),
            }
        }
    }
}
