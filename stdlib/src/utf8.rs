//! The utf8 library. Semantics and messages are those of lutf8lib.c (PUC 5.4.8).

use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::Table;
use traceorus_base::{Tag, Value};
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::number::tointeger_ns;
use traceorus_vm::utf8::{MAX_UTF, decode, encode, is_continuation};
use traceorus_vm::{fastfn, native};

use crate::string::buf::Buf;

const INVALID: &str = "invalid UTF-8 code";
/// Matches one character.
const CHAR_PATTERN: &[u8] = b"[\0-\x7F\xC2-\xFD][\x80-\xBF]*";

/// Makes the library's table.
pub fn open(cx: Ctx<'_>) -> *mut Table {
    let lib = cx.new_table(0, 8);
    cx.push(Value::ptr(lib, Tag::TABLE));
    cx.set_funcs(
        lib,
        &[
            ("char", native!(char)),
            ("codepoint", native!(codepoint)),
            ("len", native!(len)),
            ("offset", native!(offset)),
        ],
    );
    // The iterators are upvalues: the same function each time, as in PUC.
    let strict = cx.new_native("for iterator", native!(next_strict), &[]);
    let lax = cx.new_native("for iterator", native!(next_lax), &[]);
    fastfn::number(strict, FastFn::CodesNext);
    fastfn::number(lax, FastFn::CodesNextLax);
    cx.raw_set_field(
        lib,
        "codes",
        cx.new_native("codes", native!(codes), &[strict, lax]),
    );
    cx.raw_set_field(lib, "charpattern", cx.str(CHAR_PATTERN));
    cx.pop();
    lib
}

/// Translates a position; negative ones count from the end.
fn position(pos: i64, len: usize) -> i64 {
    if pos >= 0 {
        pos
    } else if pos.unsigned_abs() > len as u64 {
        0
    } else {
        len as i64 + pos + 1
    }
}

fn char(cx: Ctx) -> LResult<usize> {
    let n = cx.top();
    let code = |i: usize| {
        let c = cx.check_int(i)?;
        match u32::try_from(c) {
            Ok(c) if c <= MAX_UTF => Ok(encode(c)),
            _ => Err(cx.arg_error(i, "value out of range")),
        }
    };
    if n == 1 {
        let (b, n) = code(1)?;
        return cx.ret(cx.str(&b[..n]));
    }
    let mut out = Buf::new();
    for i in 1..=n {
        let (b, n) = code(i)?;
        out.add(cx, &b[..n])?;
    }
    let v = out.finish(cx)?;
    cx.ret(v)
}

fn len(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let mut i = position(cx.opt_int(2, 1)?, s.len());
    let mut j = position(cx.opt_int(3, -1)?, s.len());
    let strict = !cx.to_bool(4);
    if i < 1 || i - 1 > s.len() as i64 {
        return Err(cx.arg_error(2, "initial position out of bounds"));
    }
    if j > s.len() as i64 {
        return Err(cx.arg_error(3, "final position out of bounds"));
    }
    i -= 1;
    j -= 1;
    let mut n = 0;
    while i <= j {
        match decode(&s[i as usize..], strict) {
            Some((_, len)) => i += len as i64,
            None => return cx.ret_all(&[Value::NIL, Value::int(i + 1)]),
        }
        n += 1;
    }
    cx.ret(Value::int(n))
}

fn codepoint(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let i = position(cx.opt_int(2, 1)?, s.len());
    let j = position(cx.opt_int(3, i)?, s.len());
    let strict = !cx.to_bool(4);
    if i < 1 {
        return Err(cx.arg_error(2, "out of bounds"));
    }
    if j > s.len() as i64 {
        return Err(cx.arg_error(3, "out of bounds"));
    }
    if i > j {
        return Ok(0);
    }
    if j - i >= i64::from(i32::MAX) {
        return Err(cx.error("string slice too long"));
    }
    cx.check_stack((j - i) as usize + 1, "string slice too long")?;
    let (mut at, end) = (i as usize - 1, j as usize);
    let mut n = 0;
    while at < end {
        let Some((code, len)) = decode(&s[at..], strict) else {
            return Err(cx.error(INVALID));
        };
        cx.push(Value::int(i64::from(code)));
        at += len;
        n += 1;
    }
    Ok(n)
}

/// The position of the `n`-th character (from 1) behind the one at `at`, which is inside; the end counts as one. Gives it and how many
/// characters are missing.
fn advance(s: &[u8], mut at: usize, mut n: i64) -> (usize, i64) {
    /// Bytes that are counted at once.
    const CHUNK: usize = 32;
    let starts = |b: &u8| b & 0xC0 != 0x80;
    at += 1;
    while let Some(chunk) = s.get(at..at + CHUNK) {
        let count = chunk.iter().filter(|b| starts(b)).count() as i64;
        if count >= n {
            break;
        }
        n -= count;
        at += CHUNK;
    }
    for b in &s[at..] {
        if starts(b) {
            n -= 1;
            if n == 0 {
                return (at, 0);
            }
        }
        at += 1;
    }
    (at, n - 1)
}

fn offset(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let mut n = cx.check_int(2)?;
    let default = if n >= 0 { 1 } else { s.len() as i64 + 1 };
    let i = position(cx.opt_int(3, default)?, s.len());
    if i < 1 || i - 1 > s.len() as i64 {
        return Err(cx.arg_error(3, "position out of bounds"));
    }
    let mut at = i as usize - 1;
    if n == 0 {
        while at > 0 && is_continuation(s, at) {
            at -= 1;
        }
    } else {
        if is_continuation(s, at) {
            return Err(cx.error("initial position is a continuation byte"));
        }
        if n < 0 {
            while n < 0 && at > 0 {
                at -= 1;
                while at > 0 && is_continuation(s, at) {
                    at -= 1;
                }
                n += 1;
            }
        } else {
            n -= 1;
            if n > 0 && at < s.len() {
                (at, n) = advance(s, at, n);
            }
        }
    }
    cx.ret(if n == 0 {
        Value::int(at as i64 + 1)
    } else {
        Value::NIL
    })
}

fn next(cx: Ctx, strict: bool) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let n = cx.to_number(cx.arg(2)).and_then(tointeger_ns).unwrap_or(0);
    let Some(mut at) = usize::try_from(n).ok().filter(|&n| n < s.len()) else {
        return Ok(0);
    };
    while is_continuation(s, at) {
        at += 1;
    }
    if at >= s.len() {
        return Ok(0);
    }
    match decode(&s[at..], strict) {
        Some((code, len)) if !is_continuation(s, at + len) => {
            cx.push(Value::int(at as i64 + 1));
            cx.push(Value::int(i64::from(code)));
            Ok(2)
        }
        _ => Err(cx.error(INVALID)),
    }
}

fn next_strict(cx: Ctx) -> LResult<usize> {
    next(cx, true)
}

fn next_lax(cx: Ctx) -> LResult<usize> {
    next(cx, false)
}

fn codes(cx: Ctx) -> LResult<usize> {
    let iterator = cx.upvalue(if cx.to_bool(2) { 2 } else { 1 });
    let s = cx.check_str(1)?;
    if is_continuation(s, 0) {
        return Err(cx.arg_error(1, INVALID));
    }
    cx.ret_all(&[iterator, cx.arg(1), Value::int(0)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for code in (0..MAX_UTF)
            .step_by(977)
            .chain([0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x1_0000, MAX_UTF])
        {
            let (b, n) = encode(code);
            assert_eq!(decode(&b[..n], false), Some((code, n)), "{code:#x}");
            if let Some(c) = char::from_u32(code) {
                assert_eq!(c.to_string().as_bytes(), &b[..n]);
                assert_eq!(decode(&b[..n], true), Some((code, n)));
            } else {
                assert_eq!(decode(&b[..n], true), None);
            }
        }
    }

    #[test]
    fn malformed() {
        let bad: [&[u8]; 9] = [
            b"\x80",
            b"\xC0\x80",
            b"\xC1\xBF",
            b"\xE0\x80\x80",
            b"\xC3",
            b"\xE4\xBD",
            b"\xFE\x80",
            b"\xFF",
            b"\xF0\x8F\xBF\xBF",
        ];
        for s in bad {
            assert_eq!(decode(s, false), None, "{s:?}");
        }
        assert_eq!(decode(b"", true), Some((0, 1)));
        assert_eq!(decode(b"\xED\xA0\x80", true), None);
        assert_eq!(decode(b"\xED\xA0\x80", false), Some((0xD800, 3)));
    }
}
