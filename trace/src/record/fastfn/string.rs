//! Functions of `string` and `utf8`, and concatenation.

use traceorus_base::bytecode as bc;
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::Str;
use traceorus_base::{Tag, Value};
use traceorus_vm::convert::{self, Form, Spec};
use traceorus_vm::number::fmt_number;
use traceorus_vm::string::str_bytes;
use traceorus_vm::utf8;

use super::{Native, Results};
use crate::ir::{CallId, FieldId, IrOp, REF_NONE, Ref, Ty};
use crate::record::{Cursor, Rec, Recorder, Step, Tv};
use crate::rt::{self, MAX_TEXT};

/// Most bytes that `byte` gives or `char` takes in line.
const MAX_BYTES: i64 = 8;

/// A piece of a text that is put together.
enum Piece {
    /// Itself.
    Str(Ref),
    /// As `tostring` shows it.
    Int(Ref),
    /// As `tostring` shows it.
    Float(Ref),
    /// As `%q` shows it.
    Quoted(Ref),
    /// A packed specification and the value.
    Formatted(CallId, i64, Ref),
}

impl Recorder {
    #[inline(never)]
    pub(super) unsafe fn string_function(&mut self, id: FastFn, c: Native) -> Results {
        use FastFn::*;
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            match id {
                Char => return self.char(c),
                Utf8Char => {
                    let o = self.oarg(c, 1);
                    let fits = o.tag == Tag::INT && o.payload <= u64::from(utf8::MAX_UTF);
                    if c.nargs != 1 || !fits {
                        return Ok(None);
                    }
                    let code = self.arg(c, 1)?.val;
                    let most = self.buf.k_int(utf8::MAX_UTF.into());
                    self.guard(IrOp::Ule, Ty::Int, code, most)?;
                    return Ok(Some(vec![self.rt_string(CallId::Utf8Char, &[code])?]));
                }
                _ => {}
            }
            let o = self.oarg(c, 1);
            if o.tag != Tag::STRING {
                return Ok(None);
            }
            let b = str_bytes(o.as_ptr());
            let s = self.arg(c, 1)?;
            Ok(Some(vec![match id {
                Byte => return self.byte(c, s.val, b),
                Find => return self.find(c, s.val, b),
                Format => return self.format(c, s.val, o),
                Gsub => return self.gsub(c, s.val),
                Match => return self.match_pattern(c, s.val, b, false),
                Len => {
                    let n = self.str_len(s.val)?;
                    self.typed(n)
                }
                Sub => {
                    if let Some(one) = self.sub_char(c, s.val, b.len())? {
                        return Ok(Some(one));
                    }
                    let Some((i, oi)) = self.int_arg(c, 2, 1)? else {
                        return Ok(None);
                    };
                    let Some((j, oj)) = self.int_arg(c, 3, -1)? else {
                        return Ok(None);
                    };
                    let n = rt::sub_range(b.len() as i64, oi, oj).len();
                    // the second argument is required
                    if self.oarg(c, 2).is_nil() || n > MAX_TEXT && n != b.len() {
                        return Ok(None);
                    }
                    self.rt_string(CallId::StrSub, &[s.val, i, j])?
                }
                Lower | Reverse | Upper => {
                    if b.len() > MAX_TEXT {
                        return Ok(None);
                    }
                    let f = match id {
                        Lower => CallId::StrLower,
                        Reverse => CallId::StrReverse,
                        _ => CallId::StrUpper,
                    };
                    self.rt_string(f, &[s.val])?
                }
                Rep => {
                    let (on, osep) = (self.oarg(c, 2), self.oarg(c, 3));
                    let sep = match osep.tag {
                        Tag::NIL => 0,
                        Tag::STRING => str_bytes(osep.as_ptr()).len(),
                        _ => return Ok(None),
                    };
                    let total = (b.len() + sep) as i64;
                    if on.tag != Tag::INT
                        || on.as_int() > 1 && on.as_int().saturating_mul(total) > MAX_TEXT as i64
                    {
                        return Ok(None);
                    }
                    let n = self.arg(c, 2)?.val;
                    let v = self.arg(c, 3)?;
                    let sep = if v.val.is_none() {
                        self.text(b"").val
                    } else {
                        v.val
                    };
                    self.rt_string(CallId::StrRep, &[s.val, n, sep])?
                }
                Utf8Codepoint => return self.codepoint(c, s.val, b),
                Utf8Len => {
                    if c.nargs != 1 {
                        return Ok(None);
                    }
                    let mut rest = b;
                    while let Some((_, n)) = utf8::decode(rest, true).filter(|_| !rest.is_empty()) {
                        rest = &rest[n..];
                    }
                    if !rest.is_empty() {
                        return Ok(None);
                    }
                    let n = self.rt(IrOp::CallN, CallId::Utf8Len, &[s.val])?;
                    let zero = self.buf.k_int(0);
                    self.guard(IrOp::Ge, Ty::Int, n, zero)?;
                    self.typed(n)
                }
                _ => return Ok(None),
            }]))
        }
    }

    pub(super) fn str_len(&mut self, s: Ref) -> Rec<Ref> {
        self.emit(IrOp::FLd, Ty::Int, s, Self::lit(FieldId::StrLen as u16))
    }
    /// `i + k`.
    pub(in crate::record) fn plus(&mut self, i: Ref, k: i64) -> Rec<Ref> {
        if k == 0 {
            return Ok(i);
        }
        let k = self.buf.k_int(k);
        self.emit(IrOp::Add, Ty::Int, i, k)
    }
    /// Byte `at` of `s`, which is in bounds, as integer.
    pub(super) fn byte_at(&mut self, s: Ref, at: Ref) -> Rec<Tv> {
        let b = self.emit(IrOp::StrByte, Ty::U8, s, at)?;
        let b = self.emit(IrOp::Cast, Ty::Int, b, REF_NONE)?;
        Ok(self.typed(b))
    }

    fn byte(&mut self, c: Native, s: Ref, b: &[u8]) -> Results {
        let Some((i, oi)) = self.int_arg(c, 2, 1)? else {
            return Ok(None);
        };
        let (j, oj) = if self.oarg(c, 3).is_nil() {
            self.arg(c, 3)?;
            (i, oi)
        } else {
            match self.int_arg(c, 3, 0)? {
                Some(j) => j,
                None => return Ok(None),
            }
        };
        let n = b.len() as i64;
        let zero = self.buf.k_int(0);
        if i == j {
            // one byte, or none beyond the ends
            let len = self.str_len(s)?;
            let at = if oi > 0 {
                self.guard(IrOp::Gt, Ty::Int, i, zero)?;
                self.plus(i, -1)?
            } else if oi < 0 {
                self.guard(IrOp::Lt, Ty::Int, i, zero)?;
                self.emit(IrOp::Add, Ty::Int, len, i)?
            } else {
                return Ok(None);
            };
            let oat = if oi > 0 { oi - 1 } else { n.wrapping_add(oi) };
            if !(0..n).contains(&oat) {
                self.guard(IrOp::Uge, Ty::Int, at, len)?;
                return Ok(Some(Vec::new()));
            }
            self.guard(IrOp::Ult, Ty::Int, at, len)?;
            return Ok(Some(vec![self.byte_at(s, at)?]));
        }
        // a range of a fixed length inside the string
        if oi < 1 || oj < oi || oj > n || oj - oi >= MAX_BYTES {
            return Ok(None);
        }
        let len = self.str_len(s)?;
        self.guard(IrOp::Gt, Ty::Int, i, zero)?;
        self.guard(IrOp::Le, Ty::Int, j, len)?;
        let more = self.emit(IrOp::Sub, Ty::Int, j, i)?;
        let want = self.buf.k_int(oj - oi);
        if more != want {
            self.guard(IrOp::Eq, Ty::Int, more, want)?;
        }
        let count = oj - oi + 1;
        if c.wanted == bc::MULTI {
            self.need_slots(self.base() + c.at + count as i16 + 1)?;
        }
        let mut out = Vec::new();
        for k in 0..count.min(c.wanted.into()) {
            let at = self.plus(i, k - 1)?;
            out.push(self.byte_at(s, at)?);
        }
        Ok(Some(out))
    }

    fn char(&mut self, c: Native) -> Results {
        let fits = |v: Value| v.tag == Tag::INT && v.payload < 256;
        let n = c.nargs;
        if i64::from(n) > MAX_BYTES || (1..=n).any(|k| !fits(self.oarg(c, k))) {
            return Ok(None);
        }
        let mut packed = self.buf.k_int(0);
        for k in 1..=n {
            let v = self.arg(c, k)?.val;
            let end = self.buf.k_int(256);
            self.guard(IrOp::Ult, Ty::Int, v, end)?;
            packed = if k == 1 {
                v
            } else {
                let by = self.buf.k_int(8 * (i64::from(k) - 1));
                let v = self.emit(IrOp::Shl, Ty::Int, v, by)?;
                self.emit(IrOp::Or, Ty::Int, packed, v)?
            };
        }
        if n == 1 {
            return Ok(Some(vec![self.char_string(packed)?]));
        }
        let count = self.buf.k_int(n.into());
        Ok(Some(vec![
            self.rt_string(CallId::StrBytes, &[packed, count])?,
        ]))
    }

    /// A search without special characters, or as `match_pattern`.
    unsafe fn find(&mut self, c: Native, s: Ref, b: &[u8]) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let (op, oplain) = (self.oarg(c, 2), self.oarg(c, 4));
            if op.tag != Tag::STRING {
                return Ok(None);
            }
            let pattern = str_bytes(op.as_ptr());
            let special = |b: &u8| b"^$*+?.([%-".contains(b);
            if oplain.is_falsy() && pattern.iter().any(special) {
                return self.match_pattern(c, s, b, true);
            }
            let Some((init, oinit)) = self.int_arg(c, 3, 1)? else {
                return Ok(None);
            };
            if oinit < 1 || oinit - 1 > b.len() as i64 {
                return Ok(None);
            }
            let mut p = self.arg(c, 2)?.val;
            if oplain.is_falsy() {
                let plain = self.any_arg(c, 4)?;
                self.guard_truth(plain, true)?;
                // what it is made of is a fact of this very string
                p = self.guard_is(p, op.payload)?;
            } else {
                let plain = self.any_arg(c, 4)?;
                self.guard_truth(plain, false)?;
            }
            let from = self.plus(init, -1)?;
            if !init.is_const() || oinit > 1 {
                let len = self.str_len(s)?;
                self.guard(IrOp::Ule, Ty::Int, from, len)?;
            }
            let at = self.rt(IrOp::CallN, CallId::StrFind, &[s, p, from])?;
            let zero = self.buf.k_int(0);
            let tail = &b[oinit as usize - 1..];
            if rt::find_text(tail, pattern).is_none() {
                self.guard(IrOp::Lt, Ty::Int, at, zero)?;
                return Ok(Some(vec![self.konst(Value::NIL)]));
            }
            self.guard(IrOp::Ge, Ty::Int, at, zero)?;
            let first = self.plus(at, 1)?;
            let len = if p.is_const() {
                self.buf.k_int(pattern.len() as i64)
            } else {
                self.str_len(p)?
            };
            let last = self.emit(IrOp::Add, Ty::Int, at, len)?;
            Ok(Some(vec![self.typed(first), self.typed(last)]))
        }
    }

    fn codepoint(&mut self, c: Native, s: Ref, b: &[u8]) -> Results {
        let Some((i, oi)) = self.int_arg(c, 2, 1)? else {
            return Ok(None);
        };
        let end = b.len() as i64;
        if c.nargs > 2 || oi < 1 || oi > end || utf8::decode(&b[oi as usize - 1..], true).is_none()
        {
            return Ok(None);
        }
        let zero = self.buf.k_int(0);
        let len = self.str_len(s)?;
        let at = self.plus(i, -1)?;
        self.guard(IrOp::Ult, Ty::Int, at, len)?;
        let code = self.rt(IrOp::CallN, CallId::Utf8Code, &[s, at])?;
        self.guard(IrOp::Ge, Ty::Int, code, zero)?;
        Ok(Some(vec![self.typed(code)]))
    }

    // ---- texts of several pieces ------------------------------------------------------------------------------------------

    /// Two to four pieces, strings and integers, together.
    fn join_few(&mut self, pieces: &[Piece]) -> Rec<Option<Tv>> {
        let call = match pieces.len() {
            2 => CallId::Concat2,
            3 => CallId::Concat3,
            4 => CallId::Concat4,
            _ => return Ok(None),
        };
        let mut args = Vec::new();
        let mut ints = 0;
        for (n, p) in pieces.iter().enumerate() {
            args.push(match *p {
                Piece::Str(s) => s,
                Piece::Int(i) => {
                    ints |= 1 << n;
                    i
                }
                _ => return Ok(None),
            });
        }
        args.push(self.buf.k_int(ints));
        self.rt_string(call, &args).map(Some)
    }

    /// The strings together.
    pub(in crate::record) fn texts(&mut self, texts: &[Ref]) -> Rec<Tv> {
        let pieces: Vec<_> = texts.iter().map(|&s| Piece::Str(s)).collect();
        self.join(&pieces)
    }

    /// The pieces together.
    fn join(&mut self, pieces: &[Piece]) -> Rec<Tv> {
        if let Some(v) = self.join_few(pieces)? {
            return Ok(v);
        }
        let mut b = self.rt(IrOp::Call, CallId::BufNew, &[])?;
        for p in pieces {
            b = match *p {
                Piece::Str(s) => self.rt(IrOp::Call, CallId::BufStr, &[b, s])?,
                Piece::Int(i) => self.rt(IrOp::Call, CallId::BufInt, &[b, i])?,
                Piece::Float(x) => self.rt(IrOp::Call, CallId::BufFloat, &[b, x])?,
                Piece::Quoted(s) => self.rt(IrOp::Call, CallId::BufQuoted, &[b, s])?,
                Piece::Formatted(f, spec, v) => {
                    let spec = self.buf.k_int(spec);
                    self.rt(IrOp::Call, f, &[b, spec, v])?
                }
            };
        }
        self.rt_string(CallId::BufEnd, &[b])
    }

    /// `R[A] = R[B] .. ... .. R[B+C-1]` of strings and numbers.
    pub(in crate::record) unsafe fn concat(&mut self, i: Cursor) -> Rec<Step> {
        // SAFETY: [GC-LIVE] operands are in slots.
        unsafe {
            let n = bc::c(i.w) as i16;
            let mut len = 0;
            for k in 0..n {
                let o = self.observed(i.rb() + k);
                len += match o.tag {
                    Tag::STRING => str_bytes(o.as_ptr()).len(),
                    Tag::INT | Tag::FLOAT => fmt_number(o).as_bytes().len(),
                    _ => return self.concat_event(i),
                };
            }
            if len > MAX_TEXT {
                return self.generic(i);
            }
            let mut pieces = Vec::new();
            for k in 0..n {
                let v = self.guard_observed(i.rb() + k)?;
                pieces.push(match self.buf.ty(v.val) {
                    Ty::Int => Piece::Int(v.val),
                    Ty::Float => Piece::Float(v.val),
                    _ => Piece::Str(v.val),
                });
            }
            let v = self.join(&pieces)?;
            self.set(i.ra(), v);
            Ok(Step::More)
        }
    }

    /// Strings and numbers together, for [`Recorder::concat_event`]; `None`: their text is too long.
    pub(in crate::record) unsafe fn join_values(&mut self, ops: &[(Tv, Value)]) -> Rec<Option<Tv>> {
        // SAFETY: [GC-LIVE] operands are in slots.
        unsafe {
            let mut len = 0;
            let mut pieces = Vec::new();
            for &(v, o) in ops {
                len += match o.tag {
                    Tag::STRING => str_bytes(o.as_ptr()).len(),
                    _ => fmt_number(o).as_bytes().len(),
                };
                let v = self.guard_tag(v, o.tag)?;
                pieces.push(match self.buf.ty(v.val) {
                    Ty::Int => Piece::Int(v.val),
                    Ty::Float => Piece::Float(v.val),
                    _ => Piece::Str(v.val),
                });
            }
            if len > MAX_TEXT {
                return Ok(None);
            }
            self.join(&pieces).map(Some)
        }
    }

    /// `string.format` with a text that is a fact of the trace.
    unsafe fn format(&mut self, c: Native, s: Ref, o: Value) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let form = str_bytes(o.as_ptr());
            // first whether all of it can be recorded, nothing being emitted
            let Some(items) = self.format_items(c, form) else {
                return Ok(None);
            };
            self.guard_is(s, o.payload)?;
            let mut pieces = Vec::new();
            for item in items {
                match item {
                    Item::Text(b) => pieces.push(Piece::Str(self.text(&b).val)),
                    Item::Arg(n, spec) => {
                        let v = self.arg(c, n)?;
                        match self.format_piece(v, self.oarg(c, n), spec)? {
                            Some(p) => pieces.push(p),
                            None => return Ok(None),
                        }
                    }
                }
            }
            Ok(Some(vec![self.join(&pieces)?]))
        }
    }

    /// What is left of `string.format` when its body has called `__tostring`: the number of arguments, the format, the arguments.
    pub(super) unsafe fn format_end(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let n = self.oarg(c, 1);
            let v = self.arg(c, 1)?;
            self.guard_is(v.val, n.payload)?;
            let c = Native {
                at: c.at + 1,
                nargs: n.as_int() as i16 + 1,
                ..c
            };
            let s = self.arg(c, 1)?.val;
            self.format(c, s, self.oarg(c, 1))
        }
    }

    /// The parts of a format, if the arguments are plain and the result is short.
    pub(super) unsafe fn format_items(&self, c: Native, form: &[u8]) -> Option<Vec<Item>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let mut items = Vec::new();
            let mut text = Vec::new();
            let mut rest = form;
            let mut arg = 1;
            let mut len = form.len();
            while let Some((&b, tail)) = rest.split_first() {
                rest = tail;
                if b != b'%' {
                    text.push(b);
                    continue;
                }
                if rest.first() == Some(&b'%') {
                    text.push(b'%');
                    rest = &rest[1..];
                    continue;
                }
                arg += 1;
                let form = Form::scan(rest)?;
                rest = &rest[form.width()..];
                let o = self.oarg(c, arg);
                let spec = convert::plain_item(&form, o)?;
                if arg > c.nargs {
                    return None;
                }
                len += spec.width + spec.precision.unwrap_or(0);
                len += match o.tag {
                    Tag::STRING if spec.letter == b'q' => {
                        convert::quoted_max(str_bytes(o.as_ptr()))
                    }
                    Tag::STRING => str_bytes(o.as_ptr()).len(),
                    Tag::FLOAT if spec.letter == b'f' && o.as_float().abs() > 1e15 => 310,
                    _ => 32,
                };
                if !text.is_empty() {
                    items.push(Item::Text(std::mem::take(&mut text)));
                }
                items.push(Item::Arg(arg, (spec, form.is_bare())));
            }
            if !text.is_empty() {
                items.push(Item::Text(text));
            }
            (len <= MAX_TEXT).then_some(items)
        }
    }

    /// The value `v` as the specification (bare, or not) wants it.
    unsafe fn format_piece(
        &mut self,
        v: Tv,
        o: Value,
        (spec, bare): (Spec, bool),
    ) -> Rec<Option<Piece>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let packed = rt::pack_spec(&spec);
            Ok(Some(match spec.letter {
                b's' => {
                    if !self.shown_plainly((v, o))? {
                        return Ok(None);
                    }
                    match o.tag {
                        Tag::STRING if bare => Piece::Str(v.val),
                        Tag::STRING => {
                            let one = self.buf.k_int(1);
                            let ok = self.rt(IrOp::CallN, CallId::StrPlain, &[v.val])?;
                            self.guard(IrOp::Eq, Ty::Int, ok, one)?;
                            Piece::Formatted(CallId::BufFmtStr, packed, v.val)
                        }
                        Tag::INT if bare => Piece::Int(v.val),
                        Tag::FLOAT if bare => Piece::Float(v.val),
                        Tag::INT | Tag::FLOAT => {
                            let f = if o.tag == Tag::INT {
                                CallId::IntStr
                            } else {
                                CallId::FloatStr
                            };
                            let s = self.rt(IrOp::Call, f, &[v.val])?;
                            Piece::Formatted(CallId::BufFmtStr, packed, s)
                        }
                        t @ (Tag::NIL | Tag::TRUE | Tag::FALSE) => {
                            Piece::Str(self.text(prim_text(t)).val)
                        }
                        _ => Piece::Str(self.object_text(v)?.val),
                    }
                }
                b'q' if o.tag == Tag::STRING => {
                    match self.buf.konst(v.val).map(|k| k.bits as *mut Str) {
                        Some(s) => {
                            let mut text = Vec::new();
                            convert::quoted_str(&mut text, str_bytes(s));
                            Piece::Str(self.text(&text).val)
                        }
                        None => Piece::Quoted(v.val),
                    }
                }
                b'q' => {
                    let least = self.buf.k_int(i64::MIN);
                    self.guard(IrOp::Ne, Ty::Int, v.val, least)?;
                    Piece::Int(v.val)
                }
                b'a' | b'A' | b'e' | b'E' | b'f' | b'g' | b'G' => {
                    let x = self.float_of(v)?;
                    Piece::Formatted(CallId::BufFmtFloat, packed, x)
                }
                letter => {
                    let n = self.int_of(v)?;
                    if letter == b'd' && bare {
                        Piece::Int(n)
                    } else {
                        Piece::Formatted(CallId::BufFmtInt, packed, n)
                    }
                }
            }))
        }
    }
}

/// A part of a format: text, or an argument with its specification and whether that is bare.
pub(super) enum Item {
    Text(Vec<u8>),
    Arg(i16, (Spec, bool)),
}

/// `tostring` of nil, true and false.
pub(super) fn prim_text(t: Tag) -> &'static [u8] {
    match t {
        Tag::NIL => b"nil",
        Tag::TRUE => b"true",
        _ => b"false",
    }
}
