//! Functions of patterns.
//!
//! What raises an error in the library (a malformed pattern, captures that are not finished, replacements of other types) is
//! refused with null before anything has changed, and so is what would make long texts: the interpreter does it again.

use traceorus_base::meta::MetaMethod;
use traceorus_base::objects::*;
use traceorus_base::{Tag, Value};
use traceorus_vm::convert;
use traceorus_vm::number::fmt_number;
use traceorus_vm::pattern::{Capture, Matcher, anchor, with_matcher};
use traceorus_vm::state::Global;
use traceorus_vm::string::str_bytes;
use traceorus_vm::table;

use super::out::{MAX_RESULTS, Out};
use super::string::{MAX_TEXT, buf_new, make};

/// Added to the number of wanted results: those of `find`, positions before the captures.
pub const FIND: i64 = 0x100;
/// Longest pattern in bytes; others ask for memory before they are compiled.
pub const MAX_PATTERN: usize = 4096;

/// One nil: no match.
fn nothing(want: usize) -> *const u64 {
    Out::new().end(1, want)
}

/// Capture `i` of the last match as a value.
unsafe fn capture(
    l: *mut Thread,
    m: &Matcher,
    src: &[u8],
    i: usize,
    whole: (usize, usize),
) -> Option<Value> {
    match m.capture(i, whole).ok()? {
        // SAFETY: as `make`.
        Capture::Bytes(s, e) => match unsafe { make(l, &src[s..e]) } {
            s if s.is_null() => None,
            s => Some(Value::ptr(s, Tag::STRING)),
        },
        Capture::Position(p) => Some(Value::int(p as i64 + 1)),
    }
}

/// The values of a match (null: not one, or too many): positions for `find`, captures, or all of it if there are none.
unsafe fn matched(
    l: *mut Thread,
    m: &Matcher,
    src: &[u8],
    whole: (usize, usize),
    find: bool,
    want: usize,
) -> Option<*const u64> {
    let mut out = Out::new();
    let mut n = 0;
    if find {
        out.push(Value::int(whole.0 as i64 + 1));
        out.push(Value::int(whole.1 as i64));
        n = 2;
    }
    let captures = match m.captures() {
        0 => usize::from(!find),
        c => c,
    };
    if n + captures > MAX_RESULTS {
        return None;
    }
    for i in 0..captures {
        if n < want {
            // SAFETY: as the callers.
            out.push(unsafe { capture(l, m, src, i, whole)? });
        } else {
            // an error all the same
            m.capture(i, whole).ok()?;
        }
        n += 1;
    }
    Some(out.end(n, want))
}

/// Start of a search, from 0; negative positions count from the end.
fn start(init: i64, len: usize) -> usize {
    let len = len as i64;
    let at = match init {
        i if i > 0 => i - 1,
        i if i == 0 || i < -len => 0,
        i => len + i,
    };
    at as usize
}

/// The values of `string.match` (`how`: how many are wanted), or with [`FIND`] of `string.find`.
pub(super) unsafe extern "C" fn str_match(
    l: *mut Thread,
    s: *mut Str,
    p: *mut Str,
    init: i64,
    how: i64,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as the module `string` says.
    unsafe {
        let (src, pat) = (str_bytes(s), str_bytes(p));
        let (find, want) = (how & FIND != 0, (how & (FIND - 1)) as usize);
        let at = start(init, src.len());
        if at > src.len() {
            return nothing(want);
        }
        if pat.len() > MAX_PATTERN {
            return std::ptr::null();
        }
        let (pat, anchored) = anchor(pat);
        with_matcher(|m| {
            let id = m.prepare(pat);
            match m.search(id, src, at, anchored, None) {
                Ok(None) => nothing(want),
                Ok(Some(whole)) => {
                    matched(l, m, src, whole, find, want).unwrap_or(std::ptr::null())
                }
                Err(_) => std::ptr::null(),
            }
        })
    }
}

/// What the iterator `f` of `string.gmatch` gives next; see `gmatch` in the string library.
pub(super) unsafe extern "C" fn gmatch_next(
    l: *mut Thread,
    f: *mut NativeClosure,
    want: i64,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as the module `string` says; [GC-LAYOUT] the recorder has guarded what function it is.
    unsafe {
        let upvalues = f.cast::<u8>().add(NativeClosure::UPVALS).cast::<Value>();
        let [src, pat, pos, last] = [0, 1, 2, 3].map(|i| *upvalues.add(i));
        let texts = src.tag == Tag::STRING && pat.tag == Tag::STRING;
        // the debug library can change upvalues
        if !texts || pos.tag != Tag::INT || last.tag != Tag::INT {
            return std::ptr::null();
        }
        let (src, pat) = (str_bytes(src.as_ptr()), str_bytes(pat.as_ptr()));
        if pat.len() > MAX_PATTERN {
            return std::ptr::null();
        }
        let want = want as usize;
        with_matcher(|m| {
            let id = m.prepare(pat);
            let (from, refuse) = (pos.as_int() as usize, Some(last.as_int() as usize));
            match m.search(id, src, from, false, refuse) {
                Ok(None) => nothing(want),
                Ok(Some(whole)) => {
                    let Some(r) = matched(l, m, src, whole, false, want) else {
                        return std::ptr::null();
                    };
                    // integers need no barrier
                    let end = Value::int(whole.1 as i64);
                    *upvalues.add(2) = end;
                    *upvalues.add(3) = end;
                    r
                }
                Err(_) => std::ptr::null(),
            }
        })
    }
}

/// Appends the replacement `text` with its `%` items replaced; `None`: an error.
fn expand(
    out: &mut Vec<u8>,
    m: &Matcher,
    src: &[u8],
    whole: (usize, usize),
    text: &[u8],
) -> Option<()> {
    let mut rest = text;
    while let Some(i) = memchr::memchr(b'%', rest) {
        convert::append(out, &rest[..i]);
        match rest.get(i + 1)? {
            b'%' => out.push(b'%'),
            b'0' => convert::append(out, &src[whole.0..whole.1]),
            d @ b'1'..=b'9' => match m.capture((d - b'1') as usize, whole).ok()? {
                Capture::Bytes(s, e) => convert::append(out, &src[s..e]),
                Capture::Position(p) => convert::plain_int(out, p as i64 + 1),
            },
            _ => return None,
        }
        rest = &rest[i + 2..];
    }
    convert::append(out, rest);
    Some(())
}

/// `string.gsub` of `s`, at most `max` times, with what `replace` appends for each match, behind the text that was kept before
/// it (false: nothing, the match stays).
unsafe fn gsub(
    l: *mut Thread,
    s: *mut Str,
    p: *mut Str,
    max: i64,
    mut replace: impl FnMut(&mut Vec<u8>, &Matcher, (usize, usize), &[u8]) -> Option<bool>,
) -> Option<*const u64> {
    // SAFETY: [GC-LIVE] as the module `string` says; nothing else uses the buffer meanwhile.
    unsafe {
        let (src, pat) = (str_bytes(s), str_bytes(p));
        if pat.len() > MAX_PATTERN {
            return None;
        }
        let (pat, anchored) = anchor(pat);
        let out = &mut *buf_new();
        let (mut copied, mut pos, mut last, mut count) = (0, 0, None, 0);
        with_matcher(|m| {
            let id = m.prepare(pat);
            while count < max && !(anchored && count > 0) {
                let Some(whole) = m.search(id, src, pos, anchored, last).ok()? else {
                    break;
                };
                count += 1;
                pos = whole.1;
                last = Some(pos);
                if replace(out, m, whole, &src[copied..whole.0])? {
                    copied = whole.1;
                }
                if out.len() > MAX_TEXT {
                    return None;
                }
            }
            Some(())
        })?;
        let s = if copied == 0 && out.is_empty() {
            s
        } else {
            convert::append(out, &src[copied..]);
            make(l, out)
        };
        if s.is_null() {
            return None;
        }
        let mut values = Out::new();
        values.push(Value::ptr(s, Tag::STRING));
        values.push(Value::int(count));
        Some(values.end(2, 2))
    }
}
pub(super) unsafe extern "C" fn gsub_text(
    l: *mut Thread,
    s: *mut Str,
    p: *mut Str,
    text: *mut Str,
    max: i64,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as the module `string` says.
    unsafe {
        let (src, text) = (str_bytes(s), str_bytes(text));
        let plain = memchr::memchr(b'%', text).is_none();
        let r = gsub(l, s, p, max, |out, m, whole, kept| {
            convert::append(out, kept);
            if plain {
                convert::append(out, text);
            } else {
                expand(out, m, src, whole, text)?;
            }
            Some(true)
        });
        r.unwrap_or(std::ptr::null())
    }
}
/// The tables in which `string.gsub` looks for replacements: `t`, and those that metatables name in `__index`.
pub struct Chain(*mut Table);

impl Chain {
    /// Most tables of a chain.
    const MAX: usize = 16;
    /// From `t` on.
    pub fn new(t: *mut Table) -> Chain {
        Chain(t)
    }
    /// The first value that `find` gives for a table of the chain. `None`: a function in `__index` has to be called, or the chain is too long; nil: there is
    /// no value.
    ///
    /// # Safety
    /// [GC-LIVE] the first table is live.
    #[inline]
    pub unsafe fn first(
        self,
        g: &mut Global,
        find: impl Fn(&mut Global, *mut Table) -> Value,
    ) -> Option<Value> {
        let mut t = self.0;
        for _ in 0..Chain::MAX {
            let v = find(g, t);
            if !v.is_nil() {
                return Some(v);
            }
            // SAFETY: [GC-LIVE] tables keep their metatables.
            let next = unsafe { table::meta_get(g, (*t).metatable, MetaMethod::Index) };
            match next.tag {
                Tag::NIL => return Some(next),
                Tag::TABLE => t = next.as_ptr(),
                _ => return None,
            }
        }
        None
    }
}

/// Replacements come from the table `t`, or from tables that its metatable leads to.
pub(super) unsafe extern "C" fn gsub_table(
    l: *mut Thread,
    s: *mut Str,
    p: *mut Str,
    t: *mut Table,
    max: i64,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as the module `string` says.
    unsafe {
        let src = str_bytes(s);
        let r = gsub(l, s, p, max, |out, m, whole, kept| {
            let key = capture(l, m, src, 0, whole)?;
            let g = Global::of((*l).global);
            let v = Chain::new(t).first(g, |g, t| table::table_get_cached(g, t, key))?;
            if v.tag.is_falsy() {
                return Some(false);
            }
            convert::append(out, kept);
            match v.tag {
                Tag::STRING => convert::append(out, str_bytes(v.as_ptr())),
                t if t.is_number() => convert::append(out, fmt_number(v).as_bytes()),
                _ => return None,
            }
            Some(true)
        });
        r.unwrap_or(std::ptr::null())
    }
}

/// Values that [`gsub_find`] gives: start and end of the match, the number of captures, the first four of these.
pub const FOUND: usize = 7;

pub(super) unsafe extern "C" fn gsub_start(l: *mut Thread) -> i64 {
    // SAFETY: [GC-LIVE] the running thread's state.
    unsafe { Global::of((*l).global).bodies.pieces.start() as i64 }
}
/// See `gsub_find` in the string library.
pub(super) unsafe extern "C" fn gsub_find(
    l: *mut Thread,
    s: *mut Str,
    p: *mut Str,
    last: i64,
) -> *const u64 {
    // SAFETY: [GC-LIVE] as the module `string` says.
    unsafe {
        let (src, pat) = (str_bytes(s), str_bytes(p));
        if pat.len() > MAX_PATTERN {
            return std::ptr::null();
        }
        let last = usize::try_from(last).ok();
        let (pat, anchored) = anchor(pat);
        if anchored && last.is_some() {
            return nothing(FOUND);
        }
        with_matcher(|m| {
            let id = m.prepare(pat);
            let whole = match m.search(id, src, last.unwrap_or(0), anchored, last) {
                Ok(Some(whole)) => whole,
                Ok(None) => return nothing(FOUND),
                Err(_) => return std::ptr::null(),
            };
            let n = m.captures().max(1);
            let mut out = Out::new();
            for i in [whole.0, whole.1, n] {
                out.push(Value::int(i as i64));
            }
            let given = n.min(FOUND - 3);
            for i in 0..given {
                let Some(v) = capture(l, m, src, i, whole) else {
                    return std::ptr::null();
                };
                out.push(v);
            }
            out.end(3 + given, FOUND)
        })
    }
}
pub(super) unsafe extern "C" fn gsub_put(
    l: *mut Thread,
    len: i64,
    s: *mut Str,
    from: i64,
    to: i64,
    new: *mut Str,
) -> i64 {
    // SAFETY: [GC-LIVE] as the module `string` says; positions are those of matches.
    unsafe {
        let (kept, new) = (&str_bytes(s)[from as usize..to as usize], str_bytes(new));
        let pieces = &mut Global::of((*l).global).bodies.pieces;
        if len as usize + kept.len() + new.len() > MAX_TEXT {
            return -1;
        }
        pieces.put(len as usize, kept, new) as i64
    }
}
pub(super) unsafe extern "C" fn gsub_end(
    l: *mut Thread,
    start: i64,
    len: i64,
    s: *mut Str,
    copied: i64,
) -> *mut Str {
    // SAFETY: as `gsub_put`.
    unsafe {
        let pieces = &raw mut Global::of((*l).global).bodies.pieces;
        let mut text = s;
        if len > start || copied > 0 {
            let rest = &str_bytes(s)[copied as usize..];
            if len as usize + rest.len() > MAX_TEXT {
                return std::ptr::null_mut();
            }
            (*pieces).put(len as usize, rest, b"");
            text = make(l, (*pieces).text(start as usize));
            if text.is_null() {
                return text;
            }
        }
        (*pieces).drop_from(start as usize);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::start;

    #[test]
    fn starts_of_searches() {
        assert_eq!(start(1, 5), 0);
        assert_eq!(start(0, 5), 0);
        assert_eq!(start(7, 5), 6);
        assert_eq!(start(-1, 5), 4);
        assert_eq!(start(-5, 5), 0);
        assert_eq!(start(-6, 5), 0);
        assert_eq!(start(i64::MIN, 5), 0);
        assert_eq!(start(i64::MAX, 5), i64::MAX as usize - 1);
    }
}
