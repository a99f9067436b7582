//! Native functions that have IR of their own.
//!
//! A function is known by the number in its closure (`base::fastfn`), and guarded to be that closure. Its recorder looks at the
//! arguments first: what is not plain (types that need conversions, errors, metamethods, long texts) is left to the generic call
//! before anything with an effect has been emitted. The results take the place of the function slot.

mod base;
mod bodies;
mod chars;
mod coroutine;
mod math;
mod pack;
mod pattern;
mod string;
mod table;

use traceorus_base::bytecode::{self as bc, MULTI};
use traceorus_base::fastfn::{FastFn, Quiet};
use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::call::{native_pcall, native_xpcall};
use traceorus_vm::shape;

use super::meta::{End, Operand, end_of};
use super::{Cursor, Rec, Recorder, Slot, Step, Tv};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};

/// A call of a native function.
#[derive(Clone, Copy)]
struct Native<'a> {
    /// The instruction.
    i: Cursor,
    /// The closure.
    f: *mut NativeClosure,
    /// The register below the arguments; the results come from there on.
    at: i16,
    /// Number of arguments.
    nargs: i16,
    /// Results wanted ([`MULTI`]: all).
    wanted: u16,
    /// The arguments, if they are not in registers.
    args: Option<&'a [Operand]>,
}

/// Results of a call that has been recorded; `None`: by the generic call.
type Results = Rec<Option<Vec<Tv>>>;

impl Recorder {
    /// Calls the native function `f` with `nargs` arguments.
    #[inline(never)]
    pub(crate) unsafe fn native(&mut self, i: Cursor, f: Value, nargs: i16) -> Rec<Step> {
        use FastFn::*;
        // SAFETY: [GC-LIVE] as `instruction`: function and arguments are in slots.
        unsafe {
            let c = Native {
                i,
                f: f.as_ptr(),
                at: i.ra(),
                nargs,
                wanted: bc::c(i.w),
                args: None,
            };
            let code = (*c.f).func as usize;
            let delta = match code {
                x if x == native_pcall as *const () as usize => 1,
                x if x == native_xpcall as *const () as usize => 2,
                _ => 0,
            };
            if delta != 0 {
                if let Some(step) = self.protected_call(i, f, nargs, delta)? {
                    return Ok(step);
                }
                return match self.protected_native(c, f, delta)? {
                    Some(results) => {
                        self.give(i, c.wanted, &results);
                        Ok(Step::More)
                    }
                    None => self.generic(i),
                };
            }
            let id = FastFn::from_u32((*c.f).hdr.word);
            if id == FastFn::Other {
                return self.generic(i);
            }
            if id == GmatchNext {
                // one for each loop
                if c.wanted == MULTI {
                    return self.generic(i);
                }
                return match self.gmatch_next(i.ra(), c.wanted.into())? {
                    Some(results) => {
                        self.give(i, c.wanted, &results);
                        Ok(Step::More)
                    }
                    None => self.generic(i),
                };
            }
            if id == Error {
                return self.raise_error(i, f, nargs);
            }
            if id == BodyFail {
                return self.raise_handled(i);
            }
            if id == Assert
                && let Some(step) = self.fail_assert(i, f, nargs)?
            {
                return Ok(step);
            }
            let fv = self.guard_observed(i.ra())?;
            self.guard_is(fv.val, f.payload)?;
            if c.wanted == MULTI {
                self.need_slots(self.base() + i.ra() + 4)?;
            }
            if let Some(step) = self.body_call(id, c)? {
                return Ok(step);
            }
            match self.function(id, c)? {
                Some(results) => {
                    self.give(i, c.wanted, &results);
                    Ok(Step::More)
                }
                None => {
                    let quiet = self.is_quiet(id, c)?;
                    self.perform(i, quiet)
                }
            }
        }
    }

    /// The value that the payload `v` of an operand of the running instruction has now.
    unsafe fn value_now(&self, v: Tv) -> Option<Value> {
        if let Some(tag) = self.known_tag(v) {
            if v.val.is_none() {
                return Some(Value::new(0, tag));
            }
            if let Some(k) = self.buf.konst(v.val) {
                return Some(Value::new(k.bits, tag));
            }
        }
        let base = usize::from(self.base().unsigned_abs()) + 1;
        let own = self.slots.iter().enumerate().skip(base);
        for (n, s) in own {
            if let Slot::Known { v: w, .. } = s
                && w.val == v.val
                && !v.val.is_none()
            {
                return Some(self.observed((n - base) as i16));
            }
        }
        None
    }

    /// The metamethod of the instruction at `i` is the native function `f`, now `of`: it is recorded as a call of it. False: by the helper;
    /// nothing has been emitted that has an effect.
    pub(super) unsafe fn native_event(
        &mut self,
        i: Cursor,
        f: Tv,
        of: Value,
        args: &[Tv],
    ) -> Rec<bool> {
        // SAFETY: [GC-LIVE] the metatable keeps the function; operands are in slots, or constants.
        unsafe {
            // which way a comparison goes is known later
            let value = match end_of(i.pc) {
                Some(End::Value) => true,
                Some(End::Nothing) => false,
                _ => return Ok(false),
            };
            let mut operands = Vec::new();
            for &v in args {
                let Some(now) = self.value_now(v) else {
                    return Ok(false);
                };
                operands.push((v, now));
            }
            let wanted = u16::from(value);
            let Some(results) = self.native_with(i, (f, of), &operands, wanted)? else {
                return Ok(false);
            };
            if value {
                let v = results.first().copied().unwrap_or(self.nil());
                self.set(i.ra(), v);
            }
            Ok(true)
        }
    }

    /// The object in register A of the call `i` has the native function `f` in `__call`.
    pub(super) unsafe fn call_native_object(
        &mut self,
        i: Cursor,
        f: Operand,
        nargs: i16,
    ) -> Rec<Step> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let mut operands = Vec::new();
            for k in 0..=nargs {
                operands.push((self.tv(i.ra() + k)?, self.observed(i.ra() + k)));
            }
            let wanted = bc::c(i.w);
            if wanted == MULTI {
                self.need_slots(self.base() + i.ra() + 4)?;
            }
            match self.native_with(i, f, &operands, wanted)? {
                Some(results) => {
                    self.give(i, wanted, &results);
                    Ok(Step::More)
                }
                None => self.generic(i),
            }
        }
    }

    /// Calls the native function `f` with these arguments, if it has IR of its own.
    unsafe fn native_with(
        &mut self,
        i: Cursor,
        (f, of): Operand,
        args: &[Operand],
        wanted: u16,
    ) -> Results {
        // SAFETY: [GC-LIVE] the caller has the function from a live value.
        unsafe {
            let closure = of.as_ptr::<NativeClosure>();
            if of.tag != Tag::FUNCTION || (*closure).hdr.kind != ObjKind::NativeClosure as u8 {
                return Ok(None);
            }
            let id = FastFn::from_u32((*closure).hdr.word);
            if matches!(id, FastFn::Other | FastFn::GmatchNext | FastFn::Error) {
                return Ok(None);
            }
            let f = self.guard_tag(f, Tag::FUNCTION)?;
            self.guard_is(f.val, of.payload)?;
            let c = Native {
                i,
                f: closure,
                at: i.ra(),
                nargs: args.len() as i16,
                wanted,
                args: Some(args),
            };
            self.function(id, c)
        }
    }

    /// A call with as many arguments as the instruction before has made: by the helper.
    pub(crate) unsafe fn call_open(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: as `native`.
        unsafe {
            let f = self.observed(i.ra());
            let c = f.as_ptr::<NativeClosure>();
            let quiet = i.op == bc::Op::CallM
                && f.tag == Tag::FUNCTION
                && (*c).hdr.kind == ObjKind::NativeClosure as u8
                && FastFn::from_u32((*c).hdr.word).quiet() == Quiet::Always;
            if quiet {
                let fv = self.guard_observed(i.ra())?;
                self.guard_is(fv.val, f.payload)?;
            }
            self.perform(i, quiet)
        }
    }

    /// The function `id`, which is guarded, is quiet with the arguments of `c`; that these are such is guarded then.
    unsafe fn is_quiet(&mut self, id: FastFn, c: Native) -> Rec<bool> {
        // SAFETY: as `native`.
        unsafe {
            let plain = match id.quiet() {
                Quiet::Never => return Ok(false),
                Quiet::Always => return Ok(true),
                Quiet::Shown => return self.all_shown_plainly(c),
                Quiet::Plain => true,
                Quiet::Scalars => false,
            };
            for n in 1..=c.nargs {
                let tag = self.oarg(c, n).tag;
                let fits = match tag {
                    Tag::TABLE => plain && self.plain_table(c, n)?.is_some(),
                    Tag::NIL | Tag::FALSE | Tag::TRUE | Tag::INT | Tag::FLOAT | Tag::STRING => {
                        self.arg(c, n)?;
                        true
                    }
                    _ => false,
                };
                if !fits {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }

    /// None of the arguments has `__tostring`, guarded.
    unsafe fn all_shown_plainly(&mut self, c: Native) -> Rec<bool> {
        for n in 1..=c.nargs {
            let v = (self.arg(c, n)?, self.oarg(c, n));
            // SAFETY: as `native`.
            if unsafe { !self.shown_plainly(v)? } {
                return Ok(false);
            }
        }
        Ok(true)
    }

    unsafe fn function(&mut self, id: FastFn, c: Native) -> Results {
        use FastFn::*;
        // SAFETY: as `native`.
        unsafe {
            match id {
                Other | GmatchNext | Error => Ok(None),
                Assert | GetMetatable | Ipairs | Next | Pairs | RawEqual | RawGet | RawLen
                | RawSet | Select | SetMetatable | ToNumber | ToString | Type => {
                    self.base_function(id, c)
                }
                Byte | Char | Find | Format | Gsub | Len | Lower | Match | Rep | Reverse | Sub
                | Upper | Utf8Char | Utf8Codepoint | Utf8Len => self.string_function(id, c),
                TableConcat | TableMove | Insert | Remove | Sort | Unpack => {
                    self.table_function(id, c)
                }
                StrAdd | StrDiv | StrIDiv | StrMod | StrMul | StrPow | StrSub | StrUnm => {
                    self.text_arith(id, c)
                }
                TablePack => self.table_pack(c),
                BodyLeave => self.leave_body(c),
                FormatEnd => self.format_end(c),
                BodyMethod => self.tostring_method(c),
                GsubFind => self.gsub_find(c),
                GsubPut => self.gsub_put(c),
                GsubEnd => self.gsub_end(c),
                BodyText => self.plain_text(c),
                Pack => self.pack(c),
                PackSize => self.pack_size(c),
                StrUnpack => self.unpack_string(c),
                CoCreate | CoWrap | IsYieldable | Running | Status => {
                    self.coroutine_function(id, c)
                }
                Abs | Acos | Asin | Atan | Ceil | Cos | Cosh | Deg | Exp | Floor | Fmod | Log
                | Log10 | Max | Min | Modf | Pow | Rad | Random | Sin | Sinh | Sqrt | Tan
                | Tanh | ToInteger | MathType | Ult => self.math_function(id, c),
                _ => Ok(None),
            }
        }
    }

    /// pcall (`delta` 1) or xpcall (2), which is `f`, of a native function that can be recorded, which then does not fail.
    #[inline(never)]
    unsafe fn protected_native(&mut self, c: Native, f: Value, delta: i16) -> Results {
        // SAFETY: as `native`.
        unsafe {
            let inner = self.oarg(c, 1);
            let plain = (1..=delta).all(|k| self.oarg(c, k).tag == Tag::FUNCTION);
            if c.nargs < delta || !plain {
                return Ok(None);
            }
            let closure = inner.as_ptr::<NativeClosure>();
            if (*closure).hdr.kind != ObjKind::NativeClosure as u8 {
                return Ok(None);
            }
            let id = FastFn::from_u32((*closure).hdr.word);
            if matches!(id, FastFn::Other | FastFn::GmatchNext | FastFn::Error) {
                return Ok(None);
            }
            let r = c.i.ra();
            let fv = self.guard_observed(r)?;
            self.guard_is(fv.val, f.payload)?;
            let iv = self.guard_observed(r + 1)?;
            self.guard_is(iv.val, inner.payload)?;
            self.guard_observed(r + delta)?;
            if !self.may_protect()? {
                return Ok(None);
            }
            if c.wanted == MULTI {
                self.need_slots(self.base() + r + 5)?;
            }
            let c = Native {
                i: c.i,
                f: closure,
                at: r + delta,
                nargs: c.nargs - delta,
                wanted: match c.wanted {
                    MULTI => MULTI,
                    n => n.saturating_sub(1),
                },
                args: None,
            };
            let Some(mut results) = self.function(id, c)? else {
                return Ok(None);
            };
            if c.wanted == MULTI {
                let n = results.len() as i16;
                self.need_slots(self.base() + r + n + 2)?;
            }
            results.insert(0, self.konst(Value::TRUE));
            Ok(Some(results))
        }
    }

    /// The call at `i` has these results.
    fn give(&mut self, i: Cursor, wanted: u16, results: &[Tv]) {
        let n = if wanted == MULTI {
            results.len() as i16
        } else {
            wanted as i16
        };
        let nil = self.konst(Value::NIL);
        for k in 0..n {
            self.set(i.ra() + k, results.get(k as usize).copied().unwrap_or(nil));
        }
        let top = self.base() + i.ra() + n;
        self.forget_from(top);
        if wanted == MULTI {
            self.set_multi(i.next(), top);
        }
    }

    /// Guards that the function `f` is a native one with the number of `id`.
    pub(super) fn guard_number(&mut self, f: Ref, id: FastFn) -> Rec<()> {
        // closures of Lua and natives have different layouts
        let kind = self.emit(IrOp::FLd, Ty::U8, f, Self::lit(FieldId::Kind as u16))?;
        let k = self.buf.k(Ty::U8, ObjKind::NativeClosure as u64);
        self.guard(IrOp::Eq, Ty::U8, kind, k)?;
        let word = self.emit(IrOp::FLd, Ty::U32, f, Self::lit(FieldId::FuncWord as u16))?;
        let k = self.buf.k(Ty::U32, id as u64);
        self.guard(IrOp::Eq, Ty::U32, word, k)?;
        Ok(())
    }

    // ---- arguments ------------------------------------------------------------------------------------------------------

    /// What argument `n` (from 1) is now; nil if it is missing.
    fn oarg(&self, c: Native, n: i16) -> Value {
        if n > c.nargs {
            return Value::NIL;
        }
        match c.args {
            Some(args) => args[n as usize - 1].1,
            None => self.observed(c.at + n),
        }
    }
    /// Argument `n` with its type guarded.
    fn arg(&mut self, c: Native, n: i16) -> Rec<Tv> {
        if n > c.nargs {
            return Ok(self.konst(Value::NIL));
        }
        match c.args {
            Some(args) => {
                let (v, o) = args[n as usize - 1];
                self.guard_tag(v, o.tag)
            }
            None => self.guard_observed(c.at + n),
        }
    }
    /// Argument `n`, of any type.
    fn any_arg(&mut self, c: Native, n: i16) -> Rec<Tv> {
        if n > c.nargs {
            return Ok(self.konst(Value::NIL));
        }
        match c.args {
            Some(args) => Ok(args[n as usize - 1].0),
            None => self.tv(c.at + n),
        }
    }
    /// The integer argument `n`, or `default` if it is missing or nil; `None` if it is something else.
    fn int_arg(&mut self, c: Native, n: i16, default: i64) -> Rec<Option<(Ref, i64)>> {
        let o = self.oarg(c, n);
        Ok(match o.tag {
            Tag::INT => Some((self.arg(c, n)?.val, o.as_int())),
            Tag::NIL => {
                self.arg(c, n)?;
                Some((self.buf.k_int(default), default))
            }
            _ => None,
        })
    }
    /// The table argument `n`, if it is a table that has no metatable.
    fn plain_table(&mut self, c: Native, n: i16) -> Rec<Option<(Ref, *mut Table)>> {
        let o = self.oarg(c, n);
        if o.tag != Tag::TABLE {
            return Ok(None);
        }
        let p = o.as_ptr::<Table>();
        // SAFETY: [GC-LIVE] it is in a slot.
        if unsafe { !(*p).metatable.is_null() } {
            return Ok(None);
        }
        let t = self.arg(c, n)?.val;
        self.guard_no_meta(t)?;
        Ok(Some((t, p)))
    }

    // ---- calls ------------------------------------------------------------------------------------------------------------

    /// Calls a function of `rt`.
    pub(super) fn rt(&mut self, op: IrOp, id: CallId, args: &[Ref]) -> Rec<Ref> {
        debug_assert_eq!(args.len(), id.info().args.len());
        let mut list = args.first().copied().unwrap_or(REF_NONE);
        for &a in args.iter().skip(1) {
            list = self.emit(IrOp::CArg, Ty::Void, list, a)?;
        }
        self.emit(op, id.info().ret, list, Self::lit(id as u16))
    }
    /// Calls a function that makes a string, and guards that it does.
    pub(super) fn rt_string(&mut self, id: CallId, args: &[Ref]) -> Rec<Tv> {
        let s = self.rt(IrOp::Call, id, args)?;
        let null = self.buf.k(Ty::Str, 0);
        self.guard(IrOp::Ne, Ty::Str, s, null)?;
        Ok(self.typed(s))
    }
    /// The payload of a value of any type, in a general register.
    pub(super) fn bits(&mut self, v: Tv) -> Rec<Ref> {
        if v.val.is_none() {
            return Ok(self.buf.k_int(0));
        }
        if self.buf.ty(v.val) != Ty::Float {
            return Ok(v.val);
        }
        if let Some(k) = self.buf.konst(v.val) {
            return Ok(self.buf.k_int(k.bits as i64));
        }
        self.emit(IrOp::Cast, Ty::Int, v.val, REF_NONE)
    }
    /// Value `n` of those that a call has left at `at`.
    pub(super) fn result(&mut self, at: Ref, n: u16) -> Rec<Tv> {
        let p = self.emit(IrOp::XRef, Ty::Ptr, at, Self::lit(16 * n))?;
        let val = self.emit(IrOp::LdV, Ty::Any, p, REF_NONE)?;
        let p = self.emit(IrOp::XRef, Ty::Ptr, at, Self::lit(16 * n + 8))?;
        let tag = self.emit(IrOp::LdV, Ty::Tag, p, REF_NONE)?;
        self.loaded(val, tag)
    }

    // ---- constants ----------------------------------------------------------------------------------------------------------

    /// A string constant.
    pub(super) fn text(&mut self, b: &[u8]) -> Tv {
        // SAFETY: the state is complete; the constants of a recording are marked.
        let s = unsafe { self.global().str_new(b) };
        self.konst(Value::ptr(s, Tag::STRING))
    }
    /// `true` or `false`.
    fn boolean(&mut self, b: bool) -> Tv {
        self.konst(Value::bool(b))
    }

    // ---- metatables of basic types ----------------------------------------------------------------------------------------

    /// Guards the metatable that values of the basic type of `tag` have now (null: none).
    pub(super) unsafe fn guard_type_meta(&mut self, tag: Tag) -> Rec<*mut Table> {
        let Some(i) = type_meta_index(tag) else {
            return Err(crate::abort::Abort::Internal);
        };
        let at = &raw const self.global().hot.type_meta[i];
        // SAFETY: part of the state.
        let mt = unsafe { *at };
        let p = self.buf.k_ptr(at as u64);
        let p = self.emit(IrOp::XRef, Ty::Ptr, p, REF_NONE)?;
        let m = self.emit(IrOp::LdV, Ty::Ptr, p, REF_NONE)?;
        let k = self.buf.k_ptr(mt as u64);
        self.guard(IrOp::Eq, Ty::Ptr, m, k)?;
        Ok(mt)
    }
    /// Guards that the metatable `mt` (null: none), which itself is guarded, has no `name`; false: it has, or may.
    pub(super) unsafe fn guard_no_method(&mut self, mt: *mut Table, name: &[u8]) -> Rec<bool> {
        // SAFETY: [GC-LIVE] the caller has it from a live value.
        unsafe {
            if mt.is_null() {
                return Ok(true);
            }
            if shape::plain_target(mt).is_some() {
                return Ok(name != MetaMethod::Index.name().as_bytes());
            }
            let g = self.global();
            let key = g.str_new(name);
            self.keep.push(Value::ptr(key, Tag::STRING));
            Ok(self.proto_const(g, mt, key)?.is_some_and(|v| v.is_nil()))
        }
    }
}
