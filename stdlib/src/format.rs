//! `string.format`. The conversions themselves are in `vm::convert`; here arguments meet specifications, with the checks
//! and messages in the order of lstrlib.c (PUC 5.4.8).

use traceorus_base::fastfn::FastFn;
use traceorus_base::meta::MetaMethod;
use traceorus_base::{Tag, Value};
use traceorus_vm::body::{self, Body};
use traceorus_vm::convert::{
    self, FLOAT_FLAGS, Form, HEX_FLAGS, INT_FLAGS, MAX_ITEM, Spec, TEXT_FLAGS, UNSIGNED_FLAGS,
};
use traceorus_vm::ctx::{Ctx, LResult, Throw};
use traceorus_vm::{exec, native};

use crate::base::tostring_result;
use crate::string::buf::Buf;

/// `string.format` of values one of which has a Lua function as `__tostring`.
static FORMAT: Body = Body {
    id: body::FORMAT,
    name: "string.format",
    source: include_str!("bodies/format.lua"),
    helpers: &[
        ("leave", native!(body::leave), FastFn::BodyLeave),
        ("method", native!(method), FastFn::BodyMethod),
        ("text", native!(tostring_result), FastFn::BodyText),
        ("finish", native!(finish), FastFn::FormatEnd),
    ],
    closed: true,
    slow: true,
};

/// The `__tostring` of a table or userdata; nil for other values.
fn method(cx: Ctx) -> LResult<usize> {
    let v = cx.arg(1);
    cx.ret(match is_object(v) {
        true => cx.metamethod(v, MetaMethod::ToString),
        false => Value::NIL,
    })
}

fn is_object(v: Value) -> bool {
    matches!(v.tag, Tag::TABLE | Tag::USERDATA)
}

/// The rest of the work: the number of arguments, the format, the arguments, and more.
fn finish(cx: Ctx) -> LResult<usize> {
    cx.set_top(2 + cx.arg(1).as_int() as usize);
    format_from(cx, 2)
}

/// Leaves the work to the body, if argument `at` is an object with a `__tostring` that a body can call, the first one, and the items are such that nothing
/// but calls of `__tostring` can fail.
fn by_body(cx: Ctx, at: usize) -> LResult<Option<usize>> {
    let f = cx.metamethod(cx.arg(at), MetaMethod::ToString);
    // SAFETY: [GC-LIVE] the metatable keeps the function.
    let way = unsafe { body::way_of(cx.l, &FORMAT, f) };
    let (Some(way), Some(n)) = (way, shown_items(cx, at)) else {
        return Ok(None);
    };
    let mut args = [Value::NIL; 3 + body::FORMAT_ARGS];
    args[0] = Value::int(n as i64);
    args[1] = Value::int(at as i64 - 1);
    for (k, to) in args[2..].iter_mut().enumerate().take(n + 1) {
        *to = cx.arg(k + 1);
    }
    body::enter(cx, &FORMAT, way, &args).map(Some)
}

/// The number of items, if they are not too many, and there is a value for each that it can show, as it is or, from argument `at` on, as `__tostring` of an
/// object does.
fn shown_items(cx: Ctx, at: usize) -> Option<usize> {
    let mut rest = cx.bytes(cx.arg(1));
    let mut n = 0;
    while let Some(next) = memchr::memchr(b'%', rest) {
        rest = &rest[next + 1..];
        let letter = rest.first().copied().unwrap_or(0);
        if letter == b'%' {
            rest = &rest[1..];
            continue;
        }
        n += 1;
        if n >= cx.top() || n > body::FORMAT_ARGS {
            return None;
        }
        let v = cx.arg(n + 1);
        if let (b'd', Tag::INT) | (b's', _) = (letter, v.tag) {
            // always shown
            rest = &rest[1..];
        } else {
            let form = Form::scan(rest)?;
            rest = &rest[form.width()..];
            // SAFETY: [GC-LIVE] an argument.
            unsafe { convert::plain_item(&form, v) }?;
        }
        let object = n + 1 >= at && is_object(v);
        if !object && !cx.metamethod(v, MetaMethod::ToString).is_nil() {
            return None;
        }
    }
    Some(n)
}

/// `string.format`.
pub fn format(cx: Ctx) -> LResult<usize> {
    format_from(cx, 1)
}

/// The same with the format as argument `first`.
fn format_from(cx: Ctx, first: usize) -> LResult<usize> {
    let nargs = cx.top();
    let mut rest = cx.check_str(first)?;
    let mut out = Buf::new();
    let mut arg = first;
    while let Some(at) = rest.iter().position(|&b| b == b'%') {
        out.add(cx, &rest[..at])?;
        rest = &rest[at + 1..];
        let letter = rest.first().copied().unwrap_or(0);
        if letter == b'%' {
            out.add(cx, b"%")?;
            rest = &rest[1..];
            continue;
        }
        arg += 1;
        if arg > nargs {
            return Err(cx.arg_error(arg, "no value"));
        }
        // The two bare conversions that make up most uses.
        let v = cx.arg(arg);
        match (letter, v.tag) {
            (b'd', Tag::INT) => {
                convert::plain_int(out.room(cx, 24)?, v.as_int());
                rest = &rest[1..];
                continue;
            }
            (b's', Tag::STRING) if cx.metamethod(v, MetaMethod::ToString).is_nil() => {
                out.add(cx, cx.bytes(v))?;
                rest = &rest[1..];
                continue;
            }
            (b's', Tag::TABLE | Tag::USERDATA) if first == 1 => {
                if let Some(results) = by_body(cx, arg)? {
                    return Ok(results);
                }
            }
            _ => {}
        }
        let form = Form::scan(rest).ok_or_else(|| cx.error("invalid format (too long)"))?;
        rest = &rest[form.width()..];
        convert_arg(cx, &mut out, &form, arg)?;
    }
    out.add(cx, rest)?;
    let v = out.finish(cx)?;
    cx.ret(v)
}

fn parse(cx: Ctx, form: &Form, flags: &[u8], with_precision: bool) -> LResult<Spec> {
    form.parse(flags, with_precision)
        .ok_or_else(|| form_error(cx, b"invalid conversion specification: '", form, b"'"))
}

#[cold]
fn form_error(cx: Ctx, before: &[u8], form: &Form, after: &[u8]) -> Throw {
    cx.error_bytes(&[before, form.text(), after].concat())
}

/// Appends argument `arg` converted as `form` says.
fn convert_arg(cx: Ctx, out: &mut Buf, form: &Form, arg: usize) -> LResult<()> {
    match form.letter() {
        b'c' => {
            let spec = parse(cx, form, TEXT_FLAGS, false)?;
            let c = cx.check_int(arg)? as u8;
            convert::text(out.room(cx, MAX_ITEM)?, &spec, &[c]);
        }
        letter @ (b'd' | b'i' | b'u' | b'o' | b'x' | b'X') => {
            let n = cx.check_int(arg)?;
            let flags = match letter {
                b'd' | b'i' => INT_FLAGS,
                b'u' => UNSIGNED_FLAGS,
                _ => HEX_FLAGS,
            };
            let spec = parse(cx, form, flags, true)?;
            convert::int(out.room(cx, MAX_ITEM)?, &spec, n);
        }
        b'a' | b'A' => {
            let spec = parse(cx, form, FLOAT_FLAGS, true)?;
            let x = cx.check_num(arg)?;
            convert::float(out.room(cx, MAX_ITEM)?, &spec, x);
        }
        b'f' | b'e' | b'E' | b'g' | b'G' => {
            let x = cx.check_num(arg)?;
            let spec = parse(cx, form, FLOAT_FLAGS, true)?;
            convert::float(out.room(cx, MAX_ITEM)?, &spec, x);
        }
        b'p' => {
            let spec = parse(cx, form, TEXT_FLAGS, false)?;
            pointer(out.room(cx, MAX_ITEM)?, &spec, cx.arg(arg));
        }
        b'q' => {
            if !form.is_bare() {
                return Err(cx.error("specifier '%q' cannot have modifiers"));
            }
            literal(cx, out, arg)?;
        }
        b's' => text(cx, out, form, arg)?,
        _ => {
            return Err(form_error(
                cx,
                b"invalid conversion '",
                form,
                b"' to 'format'",
            ));
        }
    }
    Ok(())
}

fn text(cx: Ctx, out: &mut Buf, form: &Form, arg: usize) -> LResult<()> {
    let v = cx.tostring(cx.arg(arg))?;
    // keeps it; the argument stays what it is, for the body
    cx.push(v);
    add_text(cx, out, form, arg, cx.bytes(v))?;
    cx.pop();
    Ok(())
}

/// Appends `s`, the text of argument `arg`.
fn add_text(cx: Ctx, out: &mut Buf, form: &Form, arg: usize, s: &[u8]) -> LResult<()> {
    if form.is_bare() {
        return out.add(cx, s);
    }
    if memchr::memchr(0, s).is_some() {
        return Err(cx.arg_error(arg, "string contains zeros"));
    }
    let spec = parse(cx, form, TEXT_FLAGS, true)?;
    match spec.precision {
        None if s.len() >= 100 => out.add(cx, s),
        None => {
            convert::text(out.room(cx, MAX_ITEM)?, &spec, s);
            Ok(())
        }
        Some(p) => {
            convert::text(out.room(cx, MAX_ITEM)?, &spec, &s[..p.min(s.len())]);
            Ok(())
        }
    }
}

fn pointer(out: &mut Vec<u8>, spec: &Spec, v: Value) {
    // SAFETY: [GC-LIVE] an argument.
    match unsafe { exec::pointer_of(v) } {
        0 => convert::text(out, spec, b"(null)"),
        a => {
            let mut digits = [0; 18];
            let mut at = digits.len();
            let mut a = a;
            while a != 0 {
                at -= 1;
                digits[at] = b"0123456789abcdef"[(a & 15) as usize];
                a >>= 4;
            }
            at -= 2;
            digits[at..at + 2].copy_from_slice(b"0x");
            convert::text(out, spec, &digits[at..]);
        }
    }
}

/// `%q`.
fn literal(cx: Ctx, out: &mut Buf, arg: usize) -> LResult<()> {
    let v = cx.arg(arg);
    match v.tag {
        Tag::STRING => {
            let s = cx.bytes(v);
            convert::quoted_str(out.room(cx, convert::quoted_max(s))?, s);
        }
        Tag::INT => convert::quoted_int(out.room(cx, MAX_ITEM)?, v.as_int()),
        Tag::FLOAT => convert::quoted_float(out.room(cx, MAX_ITEM)?, v.as_float()),
        Tag::NIL => out.add(cx, b"nil")?,
        Tag::TRUE => out.add(cx, b"true")?,
        Tag::FALSE => out.add(cx, b"false")?,
        _ => return Err(cx.arg_error(arg, "value has no literal form")),
    }
    Ok(())
}
