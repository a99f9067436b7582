//! The string library, except `dump`. Semantics and messages are those of lstrlib.c (PUC 5.4.8) in the C locale.
//!
//! Subjects and patterns are slices of strings that the frame's slots keep alive [GC-LIVE]; collection happens only in
//! calls and where memory is reserved, so values that are not in a slot are used up before that.

use std::mem::MaybeUninit;

use crate::{format, pack, table};
use traceorus_base::fastfn::FastFn;
use traceorus_base::objects::Table;
use traceorus_base::{Tag, Value};
use traceorus_vm::arith::{ArithError, ArithOp, arith_raw};
use traceorus_vm::body::{self, Body};
use traceorus_vm::convert::write_repeated;
use traceorus_vm::ctx::{Ctx, LResult, Throw};
use traceorus_vm::number::fmt_number;
use traceorus_vm::pattern::{self, Capture, Matcher, PatError, ProgId, anchor, with_matcher};
use traceorus_vm::table::table_get_cached;
use traceorus_vm::{fastfn, native};

pub(crate) mod buf;

use buf::{Buf, append, build, no_memory};

/// Most bytes of a result of `rep`, as PUC's MAXSIZE (an `int`).
pub const MAX_SIZE: usize = i32::MAX as usize;

/// Makes the library's table, and the metatable of strings.
pub fn open(cx: Ctx<'_>) -> *mut Table {
    let lib = cx.new_table(0, 20);
    cx.push(Value::ptr(lib, Tag::TABLE));
    cx.set_funcs(
        lib,
        &[
            ("byte", native!(byte)),
            ("char", native!(char)),
            ("find", native!(find)),
            ("format", native!(format::format)),
            ("gmatch", native!(gmatch)),
            ("gsub", native!(gsub)),
            ("len", native!(len)),
            ("lower", native!(lower)),
            ("match", native!(match_)),
            ("pack", native!(pack::pack)),
            ("packsize", native!(pack::packsize)),
            ("rep", native!(rep)),
            ("reverse", native!(reverse)),
            ("sub", native!(sub)),
            ("unpack", native!(pack::unpack)),
            ("upper", native!(upper)),
        ],
    );
    let meta = cx.new_table(0, 10);
    cx.push(Value::ptr(meta, Tag::TABLE));
    cx.set_funcs(
        meta,
        &[
            ("__add", native!(arith_add)),
            ("__sub", native!(arith_sub)),
            ("__mul", native!(arith_mul)),
            ("__mod", native!(arith_mod)),
            ("__pow", native!(arith_pow)),
            ("__div", native!(arith_div)),
            ("__idiv", native!(arith_idiv)),
            ("__unm", native!(arith_unm)),
        ],
    );
    fastfn::install(cx, "string metatable", meta);
    cx.raw_set_field(meta, "__index", Value::ptr(lib, Tag::TABLE));
    cx.set_metatable(cx.str(""), meta);
    cx.pop();
    cx.pop();
    lib
}

// ---- positions -----------------------------------------------------------------------------------------------------

/// Start of a range, from 1; negative positions count from the end. At least 1, may be beyond the end.
#[inline]
pub fn start_pos(pos: i64, len: usize) -> usize {
    if pos > 0 {
        pos as usize
    } else if pos == 0 || pos < -(len as i64) {
        1
    } else {
        (len as i64 + pos + 1) as usize
    }
}

/// End of a range, from 1, at most `len`.
#[inline]
fn end_pos(pos: i64, len: usize) -> usize {
    if pos > len as i64 {
        len
    } else if pos >= 0 {
        pos as usize
    } else if pos < -(len as i64) {
        0
    } else {
        (len as i64 + pos + 1) as usize
    }
}

// ---- basic functions -----------------------------------------------------------------------------------------------

fn len(cx: Ctx) -> LResult<usize> {
    let n = cx.check_str(1)?.len();
    cx.ret(Value::int(n as i64))
}

fn sub(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let start = start_pos(cx.check_int(2)?, s.len());
    let end = end_pos(cx.opt_int(3, -1)?, s.len());
    if start > end {
        return cx.ret(cx.str(""));
    }
    if end - start + 1 == s.len() {
        return cx.ret(cx.arg(1));
    }
    let v = buf::string(cx, &s[start - 1..end])?;
    cx.ret(v)
}

fn mapped(cx: Ctx, f: impl Fn(u8) -> u8) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let v = build(cx, s.len(), |out| {
        for (o, &b) in out.iter_mut().zip(s) {
            o.write(f(b));
        }
    })?;
    cx.ret(v)
}

fn lower(cx: Ctx) -> LResult<usize> {
    mapped(cx, |b| b.to_ascii_lowercase())
}

fn upper(cx: Ctx) -> LResult<usize> {
    mapped(cx, |b| b.to_ascii_uppercase())
}

fn reverse(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let v = build(cx, s.len(), |out| {
        for (o, &b) in out.iter_mut().zip(s.iter().rev()) {
            o.write(b);
        }
    })?;
    cx.ret(v)
}

fn rep(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let n = cx.check_int(2)?;
    let sep = cx.opt_str(3)?.unwrap_or(b"");
    if n <= 0 {
        return cx.ret(cx.str(""));
    }
    let unit = s.len() + sep.len();
    if unit as u64 > MAX_SIZE as u64 / n as u64 {
        return Err(cx.error("resulting string too large"));
    }
    if n == 1 {
        return cx.ret(cx.arg(1));
    }
    let total = n as usize * unit - sep.len();
    let v = build(cx, total, |out| match s {
        &[b] if sep.is_empty() => out.fill(MaybeUninit::new(b)),
        // SAFETY: it has the length that is asked for.
        _ => unsafe { write_repeated(out.as_mut_ptr().cast(), total, s, sep) },
    })?;
    cx.ret(v)
}

fn byte(cx: Ctx) -> LResult<usize> {
    let s = cx.check_str(1)?;
    let i = cx.opt_int(2, 1)?;
    let start = start_pos(i, s.len());
    let end = end_pos(cx.opt_int(3, i)?, s.len());
    if start > end {
        return Ok(0);
    }
    let n = end - start + 1;
    if n == 1 {
        return cx.ret(Value::int(i64::from(s[start - 1])));
    }
    if n > MAX_SIZE {
        return Err(cx.error("string slice too long"));
    }
    cx.check_stack(n, "string slice too long")?;
    for &b in &s[start - 1..end] {
        cx.push(Value::int(i64::from(b)));
    }
    Ok(n)
}

fn char(cx: Ctx) -> LResult<usize> {
    let n = cx.top();
    let code = |i: usize| -> LResult<u8> {
        let c = cx.check_int(i)?;
        u8::try_from(c).map_err(|_| cx.arg_error(i, "value out of range"))
    };
    if n <= 64 {
        let mut b = [0u8; 64];
        for (i, o) in b[..n].iter_mut().enumerate() {
            *o = code(i + 1)?;
        }
        return cx.ret(cx.str(&b[..n]));
    }
    let mut out = Buf::new();
    out.room(cx, n)?;
    for i in 1..=n {
        out.add(cx, &[code(i)?])?;
    }
    let v = out.finish(cx)?;
    cx.ret(v)
}

// ---- arithmetic on strings -----------------------------------------------------------------------------------------

fn string_arith(cx: Ctx, op: ArithOp, event: &'static str) -> LResult<usize> {
    if let (Some(a), Some(b)) = (cx.to_number(cx.arg(1)), cx.to_number(cx.arg(2))) {
        // As PUC's, without a position: the running function is native.
        let v = arith_raw(op, a, b).map_err(|e| {
            cx.throw(cx.str(match e {
                ArithError::ModZero => "attempt to perform 'n%0'",
                _ => "attempt to divide by zero",
            }))
        })?;
        return cx.ret(v);
    }
    cx.set_top(2);
    let (a, b) = (cx.arg(1), cx.arg(2));
    let f = if b.tag == Tag::STRING {
        Value::NIL
    } else {
        cx.metafield(b, event)
    };
    if f.is_nil() {
        let (a, b) = (a.tag.type_name(), b.tag.type_name());
        return Err(cx.error(format_args!(
            "attempt to {} a '{a}' with a '{b}'",
            &event[2..]
        )));
    }
    cx.ret_all(&[f, a, b])?;
    cx.call(2, 1)
}

/// Metamethods of strings: name, operation, event.
macro_rules! arithmetic {
    ($($name:ident $op:ident $event:literal;)*) => { $(
        fn $name(cx: Ctx) -> LResult<usize> {
            string_arith(cx, ArithOp::$op, $event)
        }
    )* };
}
arithmetic! {
    arith_add Add "__add";
    arith_sub Sub "__sub";
    arith_mul Mul "__mul";
    arith_mod Mod "__mod";
    arith_pow Pow "__pow";
    arith_div Div "__div";
    arith_idiv IDiv "__idiv";
    arith_unm Unm "__unm";
}

// ---- patterns ------------------------------------------------------------------------------------------------------

#[cold]
fn pattern_error(cx: Ctx, e: PatError) -> Throw {
    match e {
        PatError::NoMemory => no_memory(cx),
        _ => cx.error(e),
    }
}

/// Memory that compiling a long pattern may take is the state's business too.
#[inline]
fn check_pattern(cx: Ctx, pat: &[u8]) -> LResult<()> {
    if pat.len() > 4096 {
        cx.reserve(pat.len().saturating_mul(40))
    } else {
        Ok(())
    }
}

#[inline]
fn capture_value(
    cx: Ctx,
    m: &Matcher,
    src: &[u8],
    i: usize,
    whole: (usize, usize),
) -> LResult<Value> {
    match m.capture(i, whole) {
        Ok(Capture::Bytes(s, e)) => Ok(cx.str(&src[s..e])),
        Ok(Capture::Position(p)) => Ok(Value::int(p as i64 + 1)),
        Err(e) => Err(pattern_error(cx, e)),
    }
}

/// Pushes the captures, or the whole match if there are none (and `or_whole`).
#[inline]
fn push_captures(
    cx: Ctx,
    m: &Matcher,
    src: &[u8],
    whole: (usize, usize),
    or_whole: bool,
) -> LResult<usize> {
    if m.captures() == 0 && or_whole {
        return cx.ret(cx.str(&src[whole.0..whole.1]));
    }
    let n = m.captures();
    if n > 1 {
        cx.check_stack(n, "too many captures")?;
    }
    for i in 0..n {
        cx.push(capture_value(cx, m, src, i, whole)?);
    }
    Ok(n)
}

fn find_or_match(cx: Ctx, find: bool) -> LResult<usize> {
    let src = cx.check_str(1)?;
    let pat = cx.check_str(2)?;
    let init = start_pos(cx.opt_int(3, 1)?, src.len()) - 1;
    if init > src.len() {
        return cx.ret(Value::NIL);
    }
    if find && (cx.to_bool(4) || pattern::is_plain(pat)) {
        return match pattern::find_plain(&src[init..], pat) {
            Some(at) => {
                let start = (init + at) as i64;
                cx.push(Value::int(start + 1));
                cx.push(Value::int(start + pat.len() as i64));
                Ok(2)
            }
            None => cx.ret(Value::NIL),
        };
    }
    check_pattern(cx, pat)?;
    let (pat, anchored) = anchor(pat);
    with_matcher(|m| {
        let id = m.prepare(pat);
        match m.search(id, src, init, anchored, None) {
            Ok(None) => cx.ret(Value::NIL),
            Ok(Some(whole)) if find => {
                cx.push(Value::int(whole.0 as i64 + 1));
                cx.push(Value::int(whole.1 as i64));
                Ok(push_captures(cx, m, src, whole, false)? + 2)
            }
            Ok(Some(whole)) => push_captures(cx, m, src, whole, true),
            Err(e) => Err(pattern_error(cx, e)),
        }
    })
}

fn find(cx: Ctx) -> LResult<usize> {
    find_or_match(cx, true)
}

fn match_(cx: Ctx) -> LResult<usize> {
    find_or_match(cx, false)
}

/// Upvalues of the iterator: subject, pattern, position of the next search, end of the last match (-1: none). Traces
/// do the same: `rt::pattern::gmatch_next` of the trace compiler.
fn gmatch(cx: Ctx) -> LResult<usize> {
    let src = cx.check_str(1)?;
    let pat = cx.check_str(2)?;
    let init = (start_pos(cx.opt_int(3, 1)?, src.len()) - 1).min(src.len() + 1);
    check_pattern(cx, pat)?;
    let upvalues = [
        cx.arg(1),
        cx.arg(2),
        Value::int(init as i64),
        Value::int(-1),
    ];
    let f = cx.new_native("for iterator", native!(gmatch_next), &upvalues);
    fastfn::number(f, FastFn::GmatchNext);
    cx.ret(f)
}

fn gmatch_next(cx: Ctx) -> LResult<usize> {
    let (src, pat, pos, last) = (cx.upvalue(1), cx.upvalue(2), cx.upvalue(3), cx.upvalue(4));
    // The debug library can change upvalues.
    if src.tag != Tag::STRING
        || pat.tag != Tag::STRING
        || pos.tag != Tag::INT
        || last.tag != Tag::INT
    {
        return Ok(0);
    }
    let (src, pat) = (cx.bytes(src), cx.bytes(pat));
    with_matcher(|m| {
        let id = m.prepare(pat);
        // A position beyond the end, and a last end of -1, are never found.
        match m.search(
            id,
            src,
            pos.as_int() as usize,
            false,
            Some(last.as_int() as usize),
        ) {
            Ok(None) => Ok(0),
            Ok(Some(whole)) => {
                let end = Value::int(whole.1 as i64);
                cx.set_upvalue(3, end);
                cx.set_upvalue(4, end);
                push_captures(cx, m, src, whole, true)
            }
            Err(e) => Err(pattern_error(cx, e)),
        }
    })
}

/// `string.gsub` with a function.
static GSUB: Body = Body {
    id: body::GSUB,
    name: "string.gsub",
    source: include_str!("bodies/gsub.lua"),
    helpers: &[
        ("leave", native!(body::leave), FastFn::BodyLeave),
        ("find", native!(gsub_find), FastFn::GsubFind),
        ("captures", native!(gsub_captures), FastFn::GsubCaptures),
        ("put", native!(gsub_put), FastFn::GsubPut),
        ("finish", native!(gsub_finish), FastFn::GsubEnd),
    ],
    closed: true,
    slow: true,
};

/// Captures that [`gsub_find`] gives.
const FOUND: usize = 4;

/// The match in the subject that the pattern (arguments 1, 2) has behind that which ended at argument 3 (-1: the first one), with what `push` makes of it.
fn gsub_match(
    cx: Ctx,
    push: impl FnOnce(&Matcher, &[u8], (usize, usize)) -> LResult<usize>,
) -> LResult<usize> {
    let (src, pat) = (cx.bytes(cx.arg(1)), cx.bytes(cx.arg(2)));
    let last = usize::try_from(cx.arg(3).as_int()).ok();
    let (pat, anchored) = anchor(pat);
    if anchored && last.is_some() {
        return Ok(0);
    }
    with_matcher(|m| {
        let id = m.prepare(pat);
        match m.search(id, src, last.unwrap_or(0), anchored, last) {
            Ok(Some(whole)) => push(m, src, whole),
            Ok(None) => Ok(0),
            Err(e) => Err(pattern_error(cx, e)),
        }
    })
}

/// Start and end of the next match, the number of values for the function, and the first of these. Nothing if there is no match. Traces do the same:
/// `rt::pattern::gsub_find` of the trace compiler.
fn gsub_find(cx: Ctx) -> LResult<usize> {
    gsub_match(cx, |m, src, whole| {
        let n = m.captures().max(1);
        for i in [whole.0, whole.1, n] {
            cx.push(Value::int(i as i64));
        }
        for i in 0..n.min(FOUND) {
            cx.push(capture_value(cx, m, src, i, whole)?);
        }
        Ok(3 + n.min(FOUND))
    })
}

/// All values for the function of the same match.
fn gsub_captures(cx: Ctx) -> LResult<usize> {
    gsub_match(cx, |m, src, whole| push_captures(cx, m, src, whole, true))
}

/// Appends bytes from argument 3 to argument 4 of the subject, which is argument 2, and the replacement in argument 5, behind the first bytes of the text, as
/// many as argument 1 says: the length then.
fn gsub_put(cx: Ctx) -> LResult<usize> {
    let [len, from, to] = [1, 3, 4].map(|n| cx.arg(n).as_int() as usize);
    let v = cx.arg(5);
    let number;
    let new = match v.tag {
        Tag::STRING => cx.bytes(v),
        t if t.is_number() => {
            number = fmt_number(v);
            number.as_bytes()
        }
        _ => return Err(no_replacement(cx, v)),
    };
    let kept = &cx.bytes(cx.arg(2))[from..to];
    gsub_room(cx, len, kept.len() + new.len())?;
    let len = cx.g().bodies.pieces.put(len, kept, new);
    cx.ret(Value::int(len as i64))
}

#[cold]
fn no_replacement(cx: Ctx, v: Value) -> Throw {
    let t = v.tag.type_name();
    cx.error(format_args!("invalid replacement value (a {t})"))
}

/// Makes room for so many bytes behind the first `len`.
fn gsub_room(cx: Ctx, len: usize, n: usize) -> LResult<()> {
    let size = cx.g().bodies.pieces.wants(len, n);
    if size > buf::ASK {
        cx.reserve(size)?;
    }
    if size > 0 && !cx.g().bodies.pieces.grow(size) {
        return Err(no_memory(cx));
    }
    Ok(())
}

/// The text, which starts at argument 1 and ends at argument 2, with the subject (3) from argument 4 on behind it.
fn gsub_finish(cx: Ctx) -> LResult<usize> {
    let [start, len, copied] = [1, 2, 4].map(|n| cx.arg(n).as_int() as usize);
    let mut v = cx.arg(3);
    if len > start || copied > 0 {
        let rest = &cx.bytes(v)[copied..];
        gsub_room(cx, len, rest.len())?;
        cx.g().bodies.pieces.put(len, rest, b"");
        let size = cx.g().bodies.pieces.start() - start;
        if size > 4096 {
            cx.reserve(size + 64)?;
        }
        v = cx.str(cx.g().bodies.pieces.text(start));
    }
    cx.g().bodies.pieces.drop_from(start);
    cx.ret(v)
}

/// State of a substitution.
struct Gsub<'c> {
    src: &'c [u8],
    /// Pattern without anchor.
    pat: &'c [u8],
    anchored: bool,
    out: Buf,
    /// Up to here the subject is in `out`.
    copied: usize,
    /// Where the next search starts: the end of the last match.
    pos: usize,
    last: Option<usize>,
    /// Matches so far, and how many are allowed.
    count: i64,
    max: i64,
}

impl<'c> Gsub<'c> {
    #[inline]
    fn next(&mut self, cx: Ctx, m: &mut Matcher, id: ProgId) -> LResult<Option<(usize, usize)>> {
        if self.count >= self.max || (self.anchored && self.count > 0) {
            return Ok(None);
        }
        let found = m.search(id, self.src, self.pos, self.anchored, self.last);
        let found = found.map_err(|e| pattern_error(cx, e))?;
        if let Some((_, e)) = found {
            self.count += 1;
            self.pos = e;
            self.last = Some(e);
        }
        Ok(found)
    }
    /// Puts `new` in the place of the match.
    #[inline]
    fn replace(&mut self, cx: Ctx, (s, e): (usize, usize), new: &[u8]) -> LResult<()> {
        let kept = &self.src[self.copied..s];
        let v = self.out.room(cx, kept.len() + new.len())?;
        append(v, kept);
        append(v, new);
        self.copied = e;
        Ok(())
    }

    fn by_text(&mut self, cx: Ctx, text: &'c [u8]) -> LResult<()> {
        let plain = memchr::memchr(b'%', text).is_none();
        with_matcher(|m| {
            let id = m.prepare(self.pat);
            while let Some(whole) = self.next(cx, m, id)? {
                if plain {
                    self.replace(cx, whole, text)?;
                } else {
                    self.replace(cx, whole, b"")?;
                    self.expand(cx, m, whole, text)?;
                }
            }
            Ok(())
        })
    }

    /// Appends the replacement text with its `%` items replaced.
    fn expand(&mut self, cx: Ctx, m: &Matcher, whole: (usize, usize), text: &[u8]) -> LResult<()> {
        let mut rest = text;
        while let Some(i) = memchr::memchr(b'%', rest) {
            self.out.add(cx, &rest[..i])?;
            match rest.get(i + 1) {
                Some(b'%') => self.out.add(cx, b"%")?,
                Some(b'0') => self.out.add(cx, &self.src[whole.0..whole.1])?,
                Some(d @ b'1'..=b'9') => match m.capture((d - b'1') as usize, whole) {
                    Ok(Capture::Bytes(s, e)) => self.out.add(cx, &self.src[s..e])?,
                    Ok(Capture::Position(p)) => {
                        self.out.add(cx, &fmt_number(Value::int(p as i64 + 1)))?
                    }
                    Err(e) => return Err(pattern_error(cx, e)),
                },
                _ => return Err(cx.error("invalid use of '%' in replacement string")),
            }
            rest = &rest[i + 2..];
        }
        self.out.add(cx, rest)
    }

    /// Puts a value in the place of the match; what is false leaves it.
    #[inline]
    fn replace_by(&mut self, cx: Ctx, whole: (usize, usize), v: Value) -> LResult<()> {
        match v.tag {
            Tag::STRING => self.replace(cx, whole, cx.bytes(v)),
            t if t.is_number() => self.replace(cx, whole, &fmt_number(v)),
            t if t.is_falsy() => Ok(()),
            _ => Err(no_replacement(cx, v)),
        }
    }

    /// Replacements come from a table without metatable.
    fn by_table(&mut self, cx: Ctx, t: *mut Table) -> LResult<()> {
        cx.push(Value::NIL); // for what keeps the value until it is used
        with_matcher(|m| {
            let id = m.prepare(self.pat);
            while let Some(whole) = self.next(cx, m, id)? {
                let key = capture_value(cx, m, self.src, 0, whole)?;
                // SAFETY: [GC-LIVE] an argument.
                let v = unsafe { table_get_cached(cx.g(), t, key) };
                cx.set(cx.top(), v);
                self.replace_by(cx, whole, v)?;
            }
            Ok(())
        })
    }

    /// Replacements come from a table or function, which may run Lua code.
    fn by_value(&mut self, cx: Ctx, repl: Value) -> LResult<()> {
        let table = repl.tag == Tag::TABLE;
        loop {
            let found = with_matcher(|m| {
                let id = m.prepare(self.pat);
                let Some(whole) = self.next(cx, m, id)? else {
                    return Ok(None);
                };
                if table {
                    cx.push(capture_value(cx, m, self.src, 0, whole)?);
                    Ok(Some((whole, 1)))
                } else {
                    cx.push(repl);
                    let n = push_captures(cx, m, self.src, whole, true)?;
                    Ok(Some((whole, n)))
                }
            })?;
            let Some((whole, nargs)) = found else {
                return Ok(());
            };
            // The value stays on top of the frame until it is used.
            if table {
                let v = cx.index(repl, cx.arg(cx.top()))?;
                cx.set(cx.top(), v);
            } else {
                cx.call(nargs, 1)?;
            }
            self.replace_by(cx, whole, cx.arg(cx.top()))?;
            cx.pop();
        }
    }
}

fn gsub(cx: Ctx) -> LResult<usize> {
    let src = cx.check_str(1)?;
    let pat = cx.check_str(2)?;
    let repl = cx.arg(3);
    let max = cx.opt_int(4, src.len() as i64 + 1)?;
    let text = match repl.tag {
        Tag::STRING => Some(cx.check_str(3)?),
        t if t.is_number() => Some(cx.check_str(3)?),
        Tag::TABLE | Tag::FUNCTION => None,
        _ => return Err(cx.type_error(3, "string/function/table")),
    };
    check_pattern(cx, pat)?;
    // SAFETY: [GC-LIVE] the slot keeps the function.
    if let Some(way) = unsafe { body::way_of(cx.l, &GSUB, repl) } {
        let start = cx.g().bodies.pieces.start();
        let [max, start] = [max, start as i64].map(Value::int);
        return body::enter(cx, &GSUB, way, &[cx.arg(1), cx.arg(2), repl, max, start]);
    }
    let (pat, anchored) = anchor(pat);
    let out = Buf::new();
    let mut g = Gsub {
        src,
        pat,
        anchored,
        out,
        copied: 0,
        pos: 0,
        last: None,
        count: 0,
        max,
    };
    match text {
        Some(text) => g.by_text(cx, text)?,
        None => match table::raw(repl) {
            Some(t) => g.by_table(cx, t)?,
            None => g.by_value(cx, repl)?,
        },
    }
    // `copied` and `out` are at the start only if nothing was replaced, or an empty match by nothing.
    let v = if g.copied == 0 && g.out.len() == 0 {
        cx.arg(1)
    } else {
        g.out.add(cx, &src[g.copied..])?;
        g.out.finish(cx)?
    };
    cx.push(v);
    cx.push(Value::int(g.count));
    Ok(2)
}
