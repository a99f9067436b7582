//! `string.pack`, `unpack` and `packsize` with formats that are facts of the trace.
//!
//! Integers of up to 8 bytes, floats, strings with their length in front or a zero behind. Positions are facts until a string of variable length comes;
//! alignment is left to the generic call.

use traceorus_base::Tag;
use traceorus_base::bytecode::MULTI;
use traceorus_base::objects::Str;
use traceorus_vm::number::float_to_int;
use traceorus_vm::packing::{Item, Kind, Reader, fits_signed, fits_unsigned, get_int};
use traceorus_vm::string::str_bytes;

use super::{Native, Results};
use crate::ir::{CallId, IrOp, Ref, Ty};
use crate::record::{Rec, Recorder};
use crate::rt::{MAX_TEXT, item_spec};

/// Most items of a format.
const MAX_ITEMS: usize = 24;

/// An item and its byte order.
type Ordered = (Item, bool);

/// The items of a format that ask for no alignment, padding among them; `None`: it is not plain.
fn items(format: &[u8]) -> Option<Vec<Ordered>> {
    let mut reader = Reader::new(format);
    let mut out = Vec::new();
    // where nothing is aligned
    while let Some(item) = reader.next(1).ok()? {
        let wide = matches!(item.kind, Kind::Int | Kind::Uint | Kind::Str) && item.size > 8;
        if wide || item.align != 0 || matches!(item.kind, Kind::Char | Kind::PadAlign) {
            return None;
        }
        if item.kind != Kind::Nop {
            out.push((item, reader.little));
        }
    }
    (out.len() <= MAX_ITEMS && reader.aligns_nothing()).then_some(out)
}

/// How `rt` gets it.
fn spec((item, little): Ordered) -> i64 {
    item_spec(item.size, little, item.kind == Kind::Int)
}

impl Recorder {
    /// The items of the format in argument 1, which is guarded to be this one.
    unsafe fn packed_items(&mut self, c: Native) -> Rec<Option<Vec<Ordered>>> {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let o = self.oarg(c, 1);
            if o.tag != Tag::STRING {
                return Ok(None);
            }
            let Some(items) = items(str_bytes(o.as_ptr())) else {
                return Ok(None);
            };
            let s = self.arg(c, 1)?.val;
            self.guard_is(s, o.payload)?;
            Ok(Some(items))
        }
    }

    /// `string.packsize`.
    pub(super) unsafe fn pack_size(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let Some(items) = self.packed_items(c)? else {
                return Ok(None);
            };
            if items
                .iter()
                .any(|i| matches!(i.0.kind, Kind::Str | Kind::Zstr))
            {
                return Ok(None);
            }
            let size = items.iter().map(|i| i.0.size as i64).sum();
            Ok(Some(vec![self.int_tv(size)]))
        }
    }

    /// `string.pack`.
    pub(super) unsafe fn pack(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let Some(items) = self.packed_items(c)? else {
                return Ok(None);
            };
            // first whether all of it can be recorded
            let (mut arg, mut bytes) = (1, 0);
            for &(item, _) in &items {
                bytes += item.size;
                if item.kind == Kind::Padding {
                    continue;
                }
                arg += 1;
                let o = self.oarg(c, arg);
                let fits = match item.kind {
                    Kind::Float | Kind::Double => o.tag.is_number(),
                    Kind::Int | Kind::Uint => {
                        let n = match o.tag {
                            Tag::INT => Some(o.as_int()),
                            Tag::FLOAT => float_to_int(o.as_float()),
                            _ => None,
                        };
                        n.is_some_and(|n| match item.kind {
                            Kind::Int => fits_signed(n, item.size),
                            _ => fits_unsigned(n as u64, item.size),
                        })
                    }
                    _ if o.tag == Tag::STRING => {
                        let s = str_bytes(o.as_ptr());
                        bytes += s.len() + 1;
                        match item.kind {
                            Kind::Zstr => !s.contains(&0),
                            _ => fits_unsigned(s.len() as u64, item.size),
                        }
                    }
                    _ => false,
                };
                if arg > c.nargs || !fits {
                    return Ok(None);
                }
            }
            if bytes > MAX_TEXT {
                return Ok(None);
            }
            // all guards on the arguments
            let mut pieces = Vec::new();
            let mut arg = 1;
            for &(item, little) in &items {
                let k = self.buf.k_int(spec((item, little)));
                if item.kind == Kind::Padding {
                    let zero = self.buf.k_int(0);
                    pieces.push((CallId::BufPackInt, Some(k), zero));
                    continue;
                }
                arg += 1;
                let v = self.arg(c, arg)?;
                let last = match item.kind {
                    Kind::Float | Kind::Double => {
                        (CallId::BufPackFloat, Some(k), self.float_of(v)?)
                    }
                    Kind::Int | Kind::Uint => {
                        let n = self.int_of(v)?;
                        self.guard_fits(n, item)?;
                        (CallId::BufPackInt, Some(k), n)
                    }
                    Kind::Str => {
                        let len = self.str_len(v.val)?;
                        self.guard_fits(len, item)?;
                        pieces.push((CallId::BufPackInt, Some(k), len));
                        (CallId::BufStr, None, v.val)
                    }
                    _ => {
                        let nul = self.text(b"\0").val;
                        let zero = self.buf.k_int(0);
                        let at = self.rt(IrOp::CallN, CallId::StrFind, &[v.val, nul, zero])?;
                        self.guard(IrOp::Lt, Ty::Int, at, zero)?;
                        pieces.push((CallId::BufStr, None, v.val));
                        (CallId::BufStr, None, nul)
                    }
                };
                pieces.push(last);
            }
            let mut b = self.rt(IrOp::Call, CallId::BufNew, &[])?;
            for (id, k, v) in pieces {
                b = match k {
                    Some(k) => self.rt(IrOp::Call, id, &[b, k, v])?,
                    None => self.rt(IrOp::Call, id, &[b, v])?,
                };
            }
            Ok(Some(vec![self.rt_string(CallId::BufEnd, &[b])?]))
        }
    }

    /// Guards that `n`, which does, fits an integer of the item's size.
    fn guard_fits(&mut self, n: Ref, item: Item) -> Rec<()> {
        if item.size >= 8 {
            return Ok(());
        }
        let bits = 8 * item.size as u32;
        let mut n = n;
        if item.kind == Kind::Int {
            n = self.plus(n, 1 << (bits - 1))?;
        }
        let end = self.buf.k_int(1 << bits);
        self.guard(IrOp::Ult, Ty::Int, n, end)?;
        Ok(())
    }

    /// `string.unpack`.
    pub(super) unsafe fn unpack_string(&mut self, c: Native) -> Results {
        // SAFETY: [GC-LIVE] as `native`.
        unsafe {
            let o = self.oarg(c, 2);
            if o.tag != Tag::STRING {
                return Ok(None);
            }
            let data = str_bytes(o.as_ptr::<Str>());
            let Some(items) = self.packed_items(c)? else {
                return Ok(None);
            };
            let Some((init, oinit)) = self.int_arg(c, 3, 1)? else {
                return Ok(None);
            };
            if oinit < 1
                || oinit - 1 > data.len() as i64
                || ends(&items, data, oinit as usize - 1).is_none()
            {
                return Ok(None);
            }
            let s = self.arg(c, 2)?.val;
            let count = items.iter().filter(|i| i.0.kind != Kind::Padding).count() + 1;
            if c.wanted == MULTI {
                self.need_slots(self.base() + c.at + count as i16 + 1)?;
            }
            let len = self.str_len(s)?;
            let mut at = self.plus(init, -1)?;
            self.guard(IrOp::Ule, Ty::Int, at, len)?;
            let mut out = Vec::new();
            // bytes behind `at` that are known to be there
            let mut ahead = 0;
            for (n, &(item, little)) in items.iter().enumerate() {
                if ahead == 0 {
                    // all items of fixed size that follow, and the size of one more
                    for i in &items[n..] {
                        ahead += i.0.size as i64;
                        if matches!(i.0.kind, Kind::Str | Kind::Zstr) {
                            break;
                        }
                    }
                    let end = self.plus(at, ahead)?;
                    self.guard(IrOp::Ule, Ty::Int, end, len)?;
                }
                let k = self.buf.k_int(spec((item, little)));
                match item.kind {
                    Kind::Padding => {}
                    Kind::Int | Kind::Uint => {
                        let v = self.rt(IrOp::CallN, CallId::StrUnpackInt, &[s, at, k])?;
                        out.push(self.typed(v));
                    }
                    Kind::Float | Kind::Double => {
                        let v = self.rt(IrOp::CallN, CallId::StrUnpackFloat, &[s, at, k])?;
                        out.push(self.typed(v));
                    }
                    _ => {
                        let first = self.plus(at, item.size as i64)?;
                        let (end, next);
                        if item.kind == Kind::Str {
                            let n = self.rt(IrOp::CallN, CallId::StrUnpackInt, &[s, at, k])?;
                            let left = self.emit(IrOp::Sub, Ty::Int, len, first)?;
                            self.guard(IrOp::Ule, Ty::Int, n, left)?;
                            end = self.emit(IrOp::Add, Ty::Int, first, n)?;
                            next = end;
                        } else {
                            let nul = self.text(b"\0").val;
                            let zero = self.buf.k_int(0);
                            end = self.rt(IrOp::CallN, CallId::StrFind, &[s, nul, at])?;
                            self.guard(IrOp::Ge, Ty::Int, end, zero)?;
                            next = self.plus(end, 1)?;
                        }
                        let from = self.plus(first, 1)?;
                        out.push(self.rt_string(CallId::StrSub, &[s, from, end])?);
                        at = next;
                        ahead = 0;
                        continue;
                    }
                }
                at = self.plus(at, item.size as i64)?;
                ahead -= item.size as i64;
            }
            let next = self.plus(at, 1)?;
            out.push(self.typed(next));
            Ok(Some(out))
        }
    }
}

/// Where the items end that are in `data` from `at` on; `None`: that is not plain.
fn ends(items: &[Ordered], data: &[u8], mut at: usize) -> Option<usize> {
    for &(item, little) in items {
        let bytes = data.get(at..)?.get(..item.size)?;
        at += item.size;
        match item.kind {
            Kind::Str => {
                let n = get_int(bytes, little, false)? as u64;
                let left = data.len() - at;
                at += usize::try_from(n)
                    .ok()
                    .filter(|&n| n <= left.min(MAX_TEXT))?;
            }
            Kind::Zstr => {
                let n = data[at..].iter().position(|&b| b == 0)?;
                if n > MAX_TEXT {
                    return None;
                }
                at += n + 1;
            }
            _ => {}
        }
    }
    Some(at)
}
