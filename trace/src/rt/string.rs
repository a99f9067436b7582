//! Functions of strings and text.
//!
//! Strings in arguments are kept by the trace's registers, which no collection comes near [GC-LIVE]. What is made here is
//! short ([`SHORT`]), so that it needs no reservation, or is refused if room for it takes a collection.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use traceorus_base::objects::{Str, Thread};
use traceorus_base::{Tag, Value};
use traceorus_vm::convert::{self, Spec};
use traceorus_vm::number::{self, fmt_float};
use traceorus_vm::state::Global;
use traceorus_vm::string::{str_bytes, str_data, str_join};
use traceorus_vm::{arith, exec, packing, utf8};

/// Longest text in bytes that compiled code makes.
pub const MAX_TEXT: usize = 1 << 20;
/// Longest text in bytes that it makes without asking for memory first.
const SHORT: usize = 1024;

/// A text of `n` bytes may be made now.
unsafe fn may_make(g: &mut Global, n: usize) -> bool {
    n <= SHORT || n <= MAX_TEXT && g.heap.reserve_now(Str::size_for(n))
}

/// A string of these bytes, or null if they are too many.
pub(super) unsafe fn make(l: *mut Thread, b: &[u8]) -> *mut Str {
    // SAFETY: [GC-LIVE] the running thread's state.
    unsafe {
        let g = Global::of((*l).global);
        if !may_make(g, b.len()) {
            return std::ptr::null_mut();
        }
        g.str_new(b)
    }
}

/// A string of `n` bytes, or null if they are too many. `fill` writes every one of them.
unsafe fn build(l: *mut Thread, n: usize, fill: impl FnOnce(&mut [MaybeUninit<u8>])) -> *mut Str {
    // SAFETY: [GC-LIVE] the running thread's state; the bytes have been written; a fresh string has room for its bytes, and is too long
    // to be interned.
    unsafe {
        if n <= Str::MAX_SHORT {
            let mut b = [MaybeUninit::uninit(); Str::MAX_SHORT];
            fill(&mut b[..n]);
            return make(l, b[..n].assume_init_ref());
        }
        let g = Global::of((*l).global);
        if !may_make(g, n) {
            return std::ptr::null_mut();
        }
        let s = g.str_alloc_long(n);
        fill(std::slice::from_raw_parts_mut(str_data(s).cast(), n));
        s
    }
}

/// The texts together.
unsafe fn join(l: *mut Thread, parts: &[&[u8]]) -> *mut Str {
    let n = parts.iter().fold(0usize, |n, p| n.saturating_add(p.len()));
    let fill = |mut out: &mut [MaybeUninit<u8>]| {
        for p in parts {
            let (here, rest) = out.split_at_mut(p.len());
            here.write_copy_of_slice(p);
            out = rest;
        }
    };
    // SAFETY: as `build`.
    unsafe { build(l, n, fill) }
}

pub(super) unsafe extern "C" fn str_cmp(a: *mut Str, b: *mut Str) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe { arith::str_cmp(a, b) as i64 }
}
pub(super) unsafe extern "C" fn str_eq(a: *mut Str, b: *mut Str) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe { i64::from(a == b || str_bytes(a) == str_bytes(b)) }
}

/// Positions of `string.sub` as a zero-based range; see `vm::fastfn`.
pub fn sub_range(len: i64, i: i64, j: i64) -> std::ops::Range<usize> {
    let start = match i {
        i if i > 0 => i,
        0 => 1,
        i => (len + 1).saturating_add(i).max(1),
    };
    let end = match j {
        j if j >= 0 => j.min(len),
        j => (len + 1).saturating_add(j),
    };
    if start > end {
        0..0
    } else {
        start as usize - 1..end as usize
    }
}

pub(super) unsafe extern "C" fn sub(l: *mut Thread, s: *mut Str, i: i64, j: i64) -> *mut Str {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe {
        let b = str_bytes(s);
        let part = &b[sub_range(b.len() as i64, i, j)];
        if part.len() == b.len() {
            return s;
        }
        make(l, part)
    }
}
pub(super) unsafe extern "C" fn bytes(l: *mut Thread, packed: i64, n: i64) -> *mut Str {
    // SAFETY: as `make`.
    unsafe { make(l, &packed.to_le_bytes()[..n as usize]) }
}
pub(super) unsafe extern "C" fn rep(
    l: *mut Thread,
    s: *mut Str,
    n: i64,
    sep: *mut Str,
) -> *mut Str {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe {
        let (b, sep) = (str_bytes(s), str_bytes(sep));
        if n <= 0 {
            return make(l, b"");
        }
        if n == 1 {
            return s;
        }
        let unit = b.len() + sep.len();
        if (unit as u64).saturating_mul(n as u64) > MAX_TEXT as u64 {
            return std::ptr::null_mut();
        }
        let total = unit * n as usize - sep.len();
        build(l, total, |out| {
            convert::write_repeated(out.as_mut_ptr().cast(), total, b, sep)
        })
    }
}

unsafe fn mapped(l: *mut Thread, s: *mut Str, f: impl Fn(&[u8], usize) -> u8) -> *mut Str {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe {
        let b = str_bytes(s);
        build(l, b.len(), |out| {
            for (i, o) in out.iter_mut().enumerate() {
                o.write(f(b, i));
            }
        })
    }
}
pub(super) unsafe extern "C" fn upper(l: *mut Thread, s: *mut Str) -> *mut Str {
    // SAFETY: as `mapped`.
    unsafe { mapped(l, s, |b, i| b[i].to_ascii_uppercase()) }
}
pub(super) unsafe extern "C" fn lower(l: *mut Thread, s: *mut Str) -> *mut Str {
    // SAFETY: as `mapped`.
    unsafe { mapped(l, s, |b, i| b[i].to_ascii_lowercase()) }
}
pub(super) unsafe extern "C" fn reverse(l: *mut Thread, s: *mut Str) -> *mut Str {
    // SAFETY: as `mapped`.
    unsafe { mapped(l, s, |b, i| b[b.len() - 1 - i]) }
}

/// Position of `needle` in `hay`.
pub fn find_text(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let Some((&first, rest)) = needle.split_first() else {
        return Some(0);
    };
    let last = hay.len().checked_sub(needle.len())?;
    let mut at = 0;
    while at <= last {
        at += memchr::memchr(first, &hay[at..=last])?;
        if &hay[at + 1..at + needle.len()] == rest {
            return Some(at);
        }
        at += 1;
    }
    None
}
pub(super) unsafe extern "C" fn find(s: *mut Str, p: *mut Str, from: i64) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe {
        let from = from as usize;
        match find_text(&str_bytes(s)[from..], str_bytes(p)) {
            Some(i) => (from + i) as i64,
            None => -1,
        }
    }
}

// ---- concatenation ---------------------------------------------------------------------------------------------------

pub(super) unsafe extern "C" fn int_str(l: *mut Thread, i: i64) -> *mut Str {
    // SAFETY: as `make`.
    unsafe { concat(l, [i as u64], 1) }
}
pub(super) unsafe extern "C" fn obj_str(l: *mut Thread, payload: u64, tag: i32) -> *mut Str {
    // SAFETY: [GC-LIVE] as the module says; the buffer is free between two calls of other functions.
    unsafe {
        let out = &mut *buf_new();
        exec::object_text(Global::of((*l).global), out, Value::new(payload, Tag(tag)));
        make(l, out)
    }
}
pub(super) unsafe extern "C" fn float_str(l: *mut Thread, x: f64) -> *mut Str {
    // SAFETY: as `make`.
    unsafe { make(l, fmt_float(x).as_bytes()) }
}
/// The parts together; bit `n` of `ints`: part `n` is an integer, not a string.
#[inline(always)]
unsafe fn concat<const N: usize>(l: *mut Thread, parts: [u64; N], ints: i64) -> *mut Str {
    let value = |n: usize| match ints >> n & 1 {
        0 => Value::new(parts[n], Tag::STRING),
        _ => Value::new(parts[n], Tag::INT),
    };
    // SAFETY: [GC-LIVE] as the module says.
    unsafe {
        let g = Global::of((*l).global);
        let values: [Value; N] = std::array::from_fn(value);
        str_join(g, &values).unwrap_or_else(|| concat_long(l, &values))
    }
}
#[inline(never)]
unsafe fn concat_long<const N: usize>(l: *mut Thread, values: &[Value; N]) -> *mut Str {
    let numbers = values.map(number::fmt_number);
    let parts: [&[u8]; N] = std::array::from_fn(|n| match values[n].tag {
        // SAFETY: [GC-LIVE] as the module says.
        Tag::STRING => unsafe { str_bytes(values[n].as_ptr()) },
        _ => numbers[n].as_bytes(),
    });
    let mut there = (0..N).filter(|&n| !parts[n].is_empty());
    match (there.next(), there.next()) {
        // a text too long for a number
        (Some(n), None) => values[n].as_ptr(),
        // SAFETY: as `build`.
        _ => unsafe { join(l, &parts) },
    }
}
pub(super) unsafe extern "C" fn concat2(l: *mut Thread, a: u64, b: u64, ints: i64) -> *mut Str {
    // SAFETY: as `concat`.
    unsafe { concat(l, [a, b], ints) }
}
pub(super) unsafe extern "C" fn concat3(
    l: *mut Thread,
    a: u64,
    b: u64,
    c: u64,
    ints: i64,
) -> *mut Str {
    // SAFETY: as `concat`.
    unsafe { concat(l, [a, b, c], ints) }
}
pub(super) unsafe extern "C" fn concat4(
    l: *mut Thread,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    ints: i64,
) -> *mut Str {
    // SAFETY: as `concat`.
    unsafe { concat(l, [a, b, c, d], ints) }
}

// ---- the buffer --------------------------------------------------------------------------------------------------------

/// Text under construction. It is used between two calls of one bytecode instruction only, during which nothing else runs.
type Buffer = UnsafeCell<Vec<u8>>;
thread_local! {
    static BUFFER: Buffer = const { UnsafeCell::new(Vec::new()) };
}
/// Most bytes that are kept for the next text.
const KEEP: usize = 64 * 1024;

pub(super) unsafe extern "C" fn buf_new() -> *mut Vec<u8> {
    BUFFER.with(|b| {
        let p = b.get();
        // SAFETY: nobody else uses it now, see `Buffer`.
        unsafe {
            if (*p).capacity() > KEEP {
                *p = Vec::new();
            }
            (*p).clear();
        }
        p
    })
}
pub(super) unsafe extern "C" fn buf_str(b: *mut Vec<u8>, s: *mut Str) -> *mut Vec<u8> {
    // SAFETY: `b` is the thread's buffer, see `Buffer`; [GC-LIVE] as the module says.
    unsafe { convert::append(&mut *b, str_bytes(s)) };
    b
}
pub(super) unsafe extern "C" fn buf_int(b: *mut Vec<u8>, i: i64) -> *mut Vec<u8> {
    // SAFETY: as `buf_str`.
    unsafe { convert::plain_int(&mut *b, i) };
    b
}
pub(super) unsafe extern "C" fn buf_float(b: *mut Vec<u8>, x: f64) -> *mut Vec<u8> {
    // SAFETY: as `buf_str`.
    unsafe { convert::append(&mut *b, fmt_float(x).as_bytes()) };
    b
}
pub(super) unsafe extern "C" fn buf_fmt_int(b: *mut Vec<u8>, spec: i64, i: i64) -> *mut Vec<u8> {
    let spec = unpack_spec(spec);
    // SAFETY: as `buf_str`.
    unsafe {
        if spec.letter == b'c' {
            convert::text(&mut *b, &spec, &[i as u8]);
        } else {
            convert::int(&mut *b, &spec, i);
        }
    }
    b
}
pub(super) unsafe extern "C" fn buf_fmt_float(b: *mut Vec<u8>, spec: i64, x: f64) -> *mut Vec<u8> {
    // SAFETY: as `buf_str`.
    unsafe { convert::float(&mut *b, &unpack_spec(spec), x) };
    b
}
pub(super) unsafe extern "C" fn buf_fmt_str(
    b: *mut Vec<u8>,
    spec: i64,
    s: *mut Str,
) -> *mut Vec<u8> {
    let spec = unpack_spec(spec);
    // SAFETY: as `buf_str`.
    unsafe {
        let t = str_bytes(s);
        let t = &t[..spec.precision.map_or(t.len(), |p| p.min(t.len()))];
        convert::text(&mut *b, &spec, t);
    }
    b
}
pub(super) unsafe extern "C" fn buf_quoted(b: *mut Vec<u8>, s: *mut Str) -> *mut Vec<u8> {
    // SAFETY: as `buf_str`.
    unsafe { convert::quoted_str(&mut *b, str_bytes(s)) };
    b
}
pub(super) unsafe extern "C" fn buf_pack_int(b: *mut Vec<u8>, spec: i64, n: i64) -> *mut Vec<u8> {
    // SAFETY: as `buf_str`.
    let out = unsafe { &mut *b };
    packing::put_int(out, n as u64, is_little(spec), size_of_item(spec), n < 0);
    b
}
pub(super) unsafe extern "C" fn buf_pack_float(b: *mut Vec<u8>, spec: i64, x: f64) -> *mut Vec<u8> {
    let size = size_of_item(spec);
    let bits = match size {
        4 => u64::from((x as f32).to_bits()),
        _ => x.to_bits(),
    };
    // SAFETY: as `buf_str`.
    packing::put_int(unsafe { &mut *b }, bits, is_little(spec), size, false);
    b
}
/// What an item of a packing format is, in an integer: size, whether it is little-endian, whether it is signed.
pub(crate) fn item_spec(size: usize, little: bool, signed: bool) -> i64 {
    size as i64 | i64::from(little) << 8 | i64::from(signed) << 9
}
fn size_of_item(spec: i64) -> usize {
    (spec & 0xff) as usize
}
fn is_little(spec: i64) -> bool {
    spec & 0x100 != 0
}
/// The bits of the item at `at`, which are all there.
unsafe fn item_bits(s: *mut Str, at: i64, spec: i64) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    let bytes = unsafe { &str_bytes(s)[at as usize..][..size_of_item(spec)] };
    packing::get_int(bytes, is_little(spec), spec & 0x200 != 0).unwrap_or(0)
}
pub(super) unsafe extern "C" fn str_unpack_int(s: *mut Str, at: i64, spec: i64) -> i64 {
    // SAFETY: as `item_bits`.
    unsafe { item_bits(s, at, spec) }
}
pub(super) unsafe extern "C" fn str_unpack_float(s: *mut Str, at: i64, spec: i64) -> f64 {
    // SAFETY: as `item_bits`.
    let bits = unsafe { item_bits(s, at, spec) } as u64;
    match size_of_item(spec) {
        4 => f32::from_bits(bits as u32).into(),
        _ => f64::from_bits(bits),
    }
}
pub(super) unsafe extern "C" fn buf_end(l: *mut Thread, b: *mut Vec<u8>) -> *mut Str {
    // SAFETY: as `buf_str`.
    unsafe { make(l, &*b) }
}

/// A specification in an integer.
pub fn pack_spec(s: &Spec) -> i64 {
    let flags = [s.minus, s.plus, s.hash, s.zero, s.space];
    let bits = (0..5).map(|i| i64::from(flags[i]) << i).sum::<i64>();
    let precision = s.precision.map_or(0xff, |p| p as i64);
    i64::from(s.letter) | bits << 8 | (s.width as i64) << 16 | precision << 24
}
/// What [`pack_spec`] has packed.
pub fn unpack_spec(p: i64) -> Spec {
    let flag = |i: i64| p >> (8 + i) & 1 != 0;
    let precision = (p >> 24 & 0xff) as usize;
    Spec {
        letter: p as u8,
        minus: flag(0),
        plus: flag(1),
        hash: flag(2),
        zero: flag(3),
        space: flag(4),
        width: (p >> 16 & 0xff) as usize,
        precision: (precision != 0xff).then_some(precision),
    }
}

/// Such a text may be converted by a `%s` with flags.
pub(super) unsafe extern "C" fn plain(s: *mut Str) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    i64::from(convert::is_plain_text(unsafe { str_bytes(s) }))
}

// ---- numbers in text -----------------------------------------------------------------------------------------------------

unsafe fn number_of(s: *mut Str) -> Option<Value> {
    // SAFETY: [GC-LIVE] as the module says.
    unsafe { number::to_number(Value::ptr(s, Tag::STRING)) }
}
pub(super) unsafe extern "C" fn str_int(s: *mut Str) -> i64 {
    // SAFETY: as `number_of`.
    match unsafe { number_of(s) } {
        Some(v) if v.tag == Tag::INT => v.as_int(),
        _ => i64::MIN,
    }
}
pub(super) unsafe extern "C" fn str_float(s: *mut Str) -> f64 {
    // SAFETY: as `number_of`.
    match unsafe { number_of(s) } {
        Some(v) if v.tag == Tag::FLOAT => v.as_float(),
        _ => f64::NAN,
    }
}
pub(super) unsafe extern "C" fn str_is_num(s: *mut Str) -> i64 {
    // SAFETY: as `number_of`.
    i64::from(unsafe { number_of(s) }.is_some())
}
pub(super) unsafe extern "C" fn str_int_base(s: *mut Str, base: i64) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    number::int_in_base(unsafe { str_bytes(s) }, base as u32).unwrap_or(i64::MIN)
}

// ---- UTF-8 -----------------------------------------------------------------------------------------------------------------

pub(super) unsafe extern "C" fn utf8_char(l: *mut Thread, code: i64) -> *mut Str {
    let (b, n) = utf8::encode(code as u32);
    // SAFETY: as `make`.
    unsafe { make(l, &b[..n]) }
}
pub(super) unsafe extern "C" fn utf8_code(s: *mut Str, at: i64) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    let b = unsafe { str_bytes(s) };
    utf8::decode(&b[at as usize..], true).map_or(-1, |c| i64::from(c.0))
}
pub(crate) unsafe extern "C" fn utf8_next(s: *mut Str, from: i64, lax: i64) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    let b = unsafe { str_bytes(s) };
    let Some(mut at) = usize::try_from(from).ok().filter(|&n| n < b.len()) else {
        return 0;
    };
    while utf8::is_continuation(b, at) {
        at += 1;
    }
    if at >= b.len() {
        return 0;
    }
    match utf8::decode(&b[at..], lax == 0) {
        Some((code, len)) if !utf8::is_continuation(b, at + len) && at < 1 << 31 => {
            (at as i64 + 1) << 31 | i64::from(code)
        }
        _ => -1,
    }
}
pub(super) unsafe extern "C" fn utf8_len(s: *mut Str) -> i64 {
    // SAFETY: [GC-LIVE] as the module says.
    let mut b = unsafe { str_bytes(s) };
    let mut n = 0;
    while !b.is_empty() {
        match utf8::decode(b, true) {
            Some((_, len)) => b = &b[len..],
            None => return -1,
        }
        n += 1;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;
    use traceorus_vm::convert::{FLOAT_FLAGS, Form};

    #[test]
    fn specifications_survive_packing() {
        for form in [&b"5.2f"[..], b"-+# 099.99g", b"d", b".0f", b"05x", b"-10s"] {
            let form = Form::scan(form).expect("short");
            let spec = form.parse(FLOAT_FLAGS, true).expect("valid");
            let back = unpack_spec(pack_spec(&spec));
            let all = |s: &Spec| {
                let flags = (s.minus, s.plus, s.hash, s.zero, s.space);
                (s.letter, flags, s.width, s.precision)
            };
            assert_eq!(all(&back), all(&spec));
        }
    }

    #[test]
    fn ranges_of_sub() {
        let sub = |i, j| sub_range(5, i, j);
        assert_eq!(sub(2, 3), 1..3);
        assert_eq!(sub(0, -1), 0..5);
        assert_eq!(sub(-3, -2), 2..4);
        assert_eq!(sub(i64::MIN, i64::MAX), 0..5);
        assert_eq!(sub(4, 3), 0..0);
        assert_eq!(sub(6, 9), 0..0);
        assert_eq!(sub(1, i64::MIN), 0..0);
        assert_eq!(sub_range(0, 1, -1), 0..0);
    }

    #[test]
    fn texts_are_found() {
        assert_eq!(find_text(b"abcabd", b"abd"), Some(3));
        assert_eq!(find_text(b"abc", b""), Some(0));
        assert_eq!(find_text(b"", b"a"), None);
        assert_eq!(find_text(b"ab", b"abc"), None);
        assert_eq!(find_text(b"aaab", b"ab"), Some(2));
    }
}
