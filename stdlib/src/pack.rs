//! `string.pack`, `packsize`, `unpack`, with the checks and messages of lstrlib.c (PUC 5.4.8).

use traceorus_base::Value;
use traceorus_vm::ctx::{Ctx, LResult, Throw};
use traceorus_vm::packing::{
    FormatError, Item, Kind, Reader, fits_signed, fits_unsigned, get_int, put_int,
};

use crate::string::buf::Buf;
use crate::string::{MAX_SIZE, start_pos};

#[cold]
fn format_error(cx: Ctx, e: FormatError) -> Throw {
    match e {
        FormatError::Message(m) => cx.error_bytes(&m),
        FormatError::Argument(m) => cx.arg_error(1, m),
    }
}

/// `string.pack`.
pub fn pack(cx: Ctx) -> LResult<usize> {
    let mut reader = Reader::new(cx.check_str(1)?);
    cx.push(Value::NIL); // what PUC has there shows in the message for a missing argument
    let mut out = Buf::new();
    let mut arg = 1;
    while let Some(Item { kind, size, align }) =
        reader.next(out.len()).map_err(|e| format_error(cx, e))?
    {
        let little = reader.little;
        if align > 0 {
            out.fill(cx, 0, align)?;
        }
        match kind {
            Kind::Int => {
                arg += 1;
                let n = cx.check_int(arg)?;
                if !fits_signed(n, size) {
                    return Err(cx.arg_error(arg, "integer overflow"));
                }
                put_int(out.room(cx, size)?, n as u64, little, size, n < 0);
            }
            Kind::Uint => {
                arg += 1;
                let n = cx.check_int(arg)? as u64;
                if !fits_unsigned(n, size) {
                    return Err(cx.arg_error(arg, "unsigned overflow"));
                }
                put_int(out.room(cx, size)?, n, little, size, false);
            }
            Kind::Float | Kind::Double => {
                arg += 1;
                let x = cx.check_num(arg)?;
                let bits = match kind {
                    Kind::Float => u64::from((x as f32).to_bits()),
                    _ => x.to_bits(),
                };
                put_int(out.room(cx, size)?, bits, little, size, false);
            }
            Kind::Char => {
                arg += 1;
                let s = cx.check_str(arg)?;
                if s.len() > size {
                    return Err(cx.arg_error(arg, "string longer than given size"));
                }
                out.room(cx, size)?.extend_from_slice(s);
                out.fill(cx, 0, size - s.len())?;
            }
            Kind::Str => {
                arg += 1;
                let s = cx.check_str(arg)?;
                if !fits_unsigned(s.len() as u64, size) {
                    return Err(cx.arg_error(arg, "string length does not fit in given size"));
                }
                let room = out.room(cx, size + s.len())?;
                put_int(room, s.len() as u64, little, size, false);
                room.extend_from_slice(s);
            }
            Kind::Zstr => {
                arg += 1;
                let s = cx.check_str(arg)?;
                if memchr::memchr(0, s).is_some() {
                    return Err(cx.arg_error(arg, "string contains zeros"));
                }
                let room = out.room(cx, s.len() + 1)?;
                room.extend_from_slice(s);
                room.push(0);
            }
            Kind::Padding => out.add(cx, &[0])?,
            Kind::PadAlign | Kind::Nop => {}
        }
    }
    let v = out.finish(cx)?;
    cx.ret(v)
}

/// `string.packsize`.
pub fn packsize(cx: Ctx) -> LResult<usize> {
    let mut reader = Reader::new(cx.check_str(1)?);
    let mut total = 0;
    while let Some(Item { kind, size, align }) =
        reader.next(total).map_err(|e| format_error(cx, e))?
    {
        if matches!(kind, Kind::Str | Kind::Zstr) {
            return Err(cx.arg_error(1, "variable-length format"));
        }
        let size = size + align;
        if size > MAX_SIZE || total > MAX_SIZE - size {
            return Err(cx.arg_error(1, "format result too large"));
        }
        total += size;
    }
    cx.ret(Value::int(total as i64))
}

/// `string.unpack`.
pub fn unpack(cx: Ctx) -> LResult<usize> {
    let mut reader = Reader::new(cx.check_str(1)?);
    let data = cx.check_str(2)?;
    let mut pos = start_pos(cx.opt_int(3, 1)?, data.len()) - 1;
    if pos > data.len() {
        return Err(cx.arg_error(3, "initial position out of string"));
    }
    let mut n = 0;
    while let Some(Item { kind, size, align }) =
        reader.next(pos).map_err(|e| format_error(cx, e))?
    {
        let little = reader.little;
        if align + size > data.len() - pos {
            return Err(cx.arg_error(2, "data string too short"));
        }
        pos += align;
        let bytes = &data[pos..pos + size];
        let mut extra = 0; // bytes of a variable part
        let value = match kind {
            Kind::Int | Kind::Uint => match get_int(bytes, little, kind == Kind::Int) {
                Some(n) => Value::int(n),
                None => return Err(too_wide(cx, size)),
            },
            Kind::Float => {
                let mut b = [0; 4];
                b.copy_from_slice(bytes);
                Value::float(f64::from(if little {
                    f32::from_le_bytes(b)
                } else {
                    f32::from_be_bytes(b)
                }))
            }
            Kind::Double => {
                let mut b = [0; 8];
                b.copy_from_slice(bytes);
                Value::float(if little {
                    f64::from_le_bytes(b)
                } else {
                    f64::from_be_bytes(b)
                })
            }
            Kind::Char => cx.try_str(bytes)?,
            Kind::Str => {
                let len = get_int(bytes, little, false).ok_or_else(|| too_wide(cx, size))? as u64;
                if len > (data.len() - pos - size) as u64 {
                    return Err(cx.arg_error(2, "data string too short"));
                }
                extra = len as usize;
                cx.try_str(&data[pos + size..pos + size + extra])?
            }
            Kind::Zstr => {
                let Some(len) = memchr::memchr(0, &data[pos..]) else {
                    return Err(cx.arg_error(2, "unfinished string for format 'z'"));
                };
                extra = len + 1;
                cx.try_str(&data[pos..pos + len])?
            }
            Kind::Padding | Kind::PadAlign | Kind::Nop => {
                pos += size;
                continue;
            }
        };
        cx.push(value);
        cx.check_stack(2, "too many results")?;
        n += 1;
        pos += size + extra;
    }
    cx.push(Value::int(pos as i64 + 1));
    Ok(n + 1)
}

#[cold]
fn too_wide(cx: Ctx, size: usize) -> Throw {
    cx.error(format_args!(
        "{size}-byte integer does not fit into Lua Integer"
    ))
}
