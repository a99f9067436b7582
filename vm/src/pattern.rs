//! Lua patterns, independent of the rest of the runtime.
//!
//! A pattern is compiled once into a short linear program, kept in a small cache; matching is backtracking over that
//! program. Patterns have no alternation and no repeated groups, so which capture a parenthesis opens or closes, and
//! whether a back reference is valid, is known when compiling. What PUC's matcher reports only when it gets to the
//! malformed place is compiled to an operation that reports it, so that errors come at the same time.
//!
//! Compiling pays because of what a look ahead gives: for each repetition the set of bytes with which the rest can
//! go on. If that is disjoint from the repeated item only the longest repetition can work and nothing is tried again;
//! otherwise places that cannot work are skipped without a call. Likewise a search skips to where a match can start.
//!
//! Native recursion happens only where there is something to try again, at most [`MAX_DEPTH`] deep, counted as PUC
//! counts (MAXCCALLS in lstrlib.c): "pattern too complex" is raised for the same patterns and subjects.
//! Matching never allocates; compiling reuses the memory of the program it displaces.

use std::cell::Cell;
use std::fmt;

use crate::string::same_text;
use memchr::{memchr, memmem};

mod compile;
mod set;
#[cfg(test)]
mod tests;

use compile::{Item, Next, Op, Prog};

/// Most captures in a pattern.
pub const MAX_CAPTURES: usize = 32;
/// Nesting of attempts at which a match is given up, as PUC's MAXCCALLS.
const MAX_DEPTH: u32 = 200;

/// Why a pattern, or a use of its captures, is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatError {
    /// `%` at the end.
    EndsWithEscape,
    /// Set without end.
    MissingBracket,
    /// `%b` without its two characters.
    MissingBalance,
    /// `%f` without set.
    MissingFrontier,
    /// Too much nesting of attempts.
    TooComplex,
    /// More than [`MAX_CAPTURES`].
    TooManyCaptures,
    /// `)` without `(`.
    PatternCapture,
    /// `%n` of no finished capture.
    CaptureIndex(u8),
    /// Capture without end was asked for.
    Unfinished,
    /// No memory for the program.
    NoMemory,
}

impl fmt::Display for PatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PatError::EndsWithEscape => "malformed pattern (ends with '%')",
            PatError::MissingBracket => "malformed pattern (missing ']')",
            PatError::MissingBalance => "malformed pattern (missing arguments to '%b')",
            PatError::MissingFrontier => "missing '[' after '%f' in pattern",
            PatError::TooComplex => "pattern too complex",
            PatError::TooManyCaptures => "too many captures",
            PatError::PatternCapture => "invalid pattern capture",
            PatError::CaptureIndex(i) => return write!(f, "invalid capture index %{i}"),
            PatError::Unfinished => "unfinished capture",
            PatError::NoMemory => "not enough memory",
        })
    }
}

/// Start of a capture and its end, [`OPEN`] or [`POSITION`].
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

const OPEN: usize = usize::MAX;
const POSITION: usize = usize::MAX - 1;

/// What a capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Bytes `.0 .. .1` of the subject.
    Bytes(usize, usize),
    /// Position, from 0.
    Position(usize),
}

/// No match, as result of [`Run::run`].
const FAIL: usize = usize::MAX;
/// An error, as result of [`Run::run`].
const ERROR: usize = usize::MAX - 1;

/// A match under way.
struct Run<'a> {
    src: &'a [u8],
    prog: &'a Prog,
    caps: &'a mut [Span; MAX_CAPTURES],
    error: PatError,
}

impl Run<'_> {
    #[cold]
    fn raise(&mut self, e: PatError) -> usize {
        self.error = e;
        ERROR
    }

    #[inline(always)]
    fn one(&self, item: Item, s: usize) -> bool {
        match self.src.get(s) {
            None => false,
            Some(&c) => match item {
                Item::Any => true,
                Item::Byte(b) => c == b,
                Item::NotByte(b) => c != b,
                Item::Set(n) => self.prog.sets[n as usize].has(c),
            },
        }
    }

    /// How often the item matches from `s` on.
    #[inline]
    fn span(&self, item: Item, s: usize) -> usize {
        let rest = &self.src[s..];
        let stop = match item {
            Item::Any => None,
            Item::Byte(b) => rest.iter().position(|&c| c != b),
            Item::NotByte(b) => find_byte(b, rest),
            Item::Set(n) => {
                let set = &self.prog.sets[n as usize];
                rest.iter().position(|&c| !set.has(c))
            }
        };
        stop.unwrap_or(rest.len())
    }

    /// False if the rest surely fails at `s`.
    #[inline(always)]
    fn may(&self, next: Next, s: usize) -> bool {
        match next {
            Next::Any | Next::Cut => true,
            Next::Byte(b) => self.src.get(s) == Some(&b),
            Next::Set(n) => self
                .src
                .get(s)
                .is_none_or(|&c| self.prog.sets[n as usize].has(c)),
        }
    }

    /// Matches the program from `pc` at `s`: the end of the match, or [`FAIL`], or [`ERROR`]. Each call counts in
    /// `depth`, as do the steps for which PUC makes a call where we need none.
    fn run(&mut self, mut pc: usize, mut s: usize, mut depth: u32) -> usize {
        macro_rules! deeper {
            () => {
                if depth == 0 {
                    return self.raise(PatError::TooComplex);
                }
            };
        }
        deeper!();
        depth -= 1;
        let prog = self.prog;
        loop {
            let op = prog.ops[pc];
            pc += 1;
            match op {
                Op::End => return s,
                Op::EndOfSubject => return if s == self.src.len() { s } else { FAIL },
                Op::One(item) => {
                    if !self.one(item, s) {
                        return FAIL;
                    }
                    s += 1;
                }
                Op::Str { at, len } => {
                    let lit = &prog.literals[at as usize..(at + len) as usize];
                    if !self.src[s..].starts_with(lit) {
                        return FAIL;
                    }
                    s += lit.len();
                }
                Op::Greedy { item, next, min } => {
                    let n = self.span(item, s);
                    if n == 0 {
                        if min != 0 {
                            return FAIL;
                        }
                        continue;
                    }
                    deeper!();
                    if let Next::Cut = next {
                        depth -= 1;
                        s += n;
                        continue;
                    }
                    let shortest = s + min as usize;
                    s += n;
                    loop {
                        if self.may(next, s) {
                            let r = self.run(pc, s, depth);
                            if r != FAIL {
                                return r;
                            }
                        }
                        if s == shortest {
                            return FAIL;
                        }
                        s -= 1;
                    }
                }
                Op::Lazy { item, next } => {
                    if !self.one(item, s) {
                        continue;
                    }
                    deeper!();
                    if let Next::Cut = next {
                        depth -= 1;
                        continue;
                    }
                    loop {
                        if let (Item::Any, Next::Byte(b)) = (item, next) {
                            match find_byte(b, &self.src[s..]) {
                                Some(n) => s += n,
                                None => return FAIL,
                            }
                        }
                        if self.may(next, s) {
                            let r = self.run(pc, s, depth);
                            if r != FAIL {
                                return r;
                            }
                        }
                        if !self.one(item, s) {
                            return FAIL;
                        }
                        s += 1;
                    }
                }
                Op::Maybe { item, next } => {
                    if !self.one(item, s) {
                        continue;
                    }
                    deeper!();
                    if let Next::Cut = next {
                        depth -= 1;
                        s += 1;
                        continue;
                    }
                    if self.may(next, s + 1) {
                        let r = self.run(pc, s + 1, depth);
                        if r != FAIL {
                            return r;
                        }
                    }
                }
                Op::Open(i) => {
                    deeper!();
                    depth -= 1;
                    self.caps[i as usize] = Span {
                        start: s,
                        end: OPEN,
                    };
                }
                Op::OpenPosition(i) => {
                    deeper!();
                    depth -= 1;
                    self.caps[i as usize] = Span {
                        start: s,
                        end: POSITION,
                    };
                }
                Op::Close(i) => {
                    deeper!();
                    depth -= 1;
                    self.caps[i as usize].end = s;
                }
                Op::BackRef(i) => {
                    let Span { start, end } = self.caps[i as usize];
                    if !self.src[s..].starts_with(&self.src[start..end]) {
                        return FAIL;
                    }
                    s += end - start;
                }
                Op::Never => return FAIL,
                Op::Balance(b, e) => match balance(&self.src[s..], b, e) {
                    Some(n) => s += n,
                    None => return FAIL,
                },
                Op::Frontier(n) => {
                    let set = &prog.sets[n as usize];
                    let before = if s == 0 { 0 } else { self.src[s - 1] };
                    let here = self.src.get(s).copied().unwrap_or(0);
                    if set.has(before) || !set.has(here) {
                        return FAIL;
                    }
                }
                Op::Raise(e) => return self.raise(e),
            }
        }
    }
}

/// Length of the balanced text at the start of `src`.
fn balance(src: &[u8], b: u8, e: u8) -> Option<usize> {
    if src.first() != Some(&b) {
        return None;
    }
    let mut open = 1usize;
    for (i, &c) in src.iter().enumerate().skip(1) {
        if c == e {
            open -= 1;
            if open == 0 {
                return Some(i + 1);
            }
        } else if c == b {
            open += 1;
        }
    }
    None
}

/// As `memchr`, with less to set up where the byte is near.
#[inline]
fn find_byte(b: u8, src: &[u8]) -> Option<usize> {
    const NEAR: usize = 16;
    for (i, &c) in src.iter().take(NEAR).enumerate() {
        if c == b {
            return Some(i);
        }
    }
    if src.len() <= NEAR {
        return None;
    }
    memchr(b, &src[NEAR..]).map(|i| i + NEAR)
}

/// Position of `needle` in `hay`.
pub fn find_plain(hay: &[u8], needle: &[u8]) -> Option<usize> {
    match needle {
        [] => Some(0),
        &[b] => find_byte(b, hay),
        &[b, ..] => {
            // The first byte alone is often enough; a searcher takes as long to set up as a hundred bytes to look through.
            let mut at = 0;
            let last = hay.len().checked_sub(needle.len())?;
            for _ in 0..8 {
                if at > last {
                    return None;
                }
                at += find_byte(b, &hay[at..=last])?;
                if hay[at..].starts_with(needle) {
                    return Some(at);
                }
                at += 1;
            }
            memmem::find(&hay[at..], needle).map(|i| at + i)
        }
    }
}

/// True if the pattern matches only itself.
pub fn is_plain(pat: &[u8]) -> bool {
    const SPECIAL: [bool; 256] = {
        let mut t = [false; 256];
        let s = b"^$*+?.([%-";
        let mut i = 0;
        while i < s.len() {
            t[s[i] as usize] = true;
            i += 1;
        }
        t
    };
    !pat.iter().any(|&c| SPECIAL[c as usize])
}

/// Splits off the `^`.
#[inline]
pub fn anchor(pat: &[u8]) -> (&[u8], bool) {
    match pat {
        [b'^', rest @ ..] => (rest, true),
        _ => (pat, false),
    }
}

/// A pattern compiled by [`Matcher::prepare`]. Valid until the next `prepare`.
#[derive(Clone, Copy)]
pub struct ProgId(usize);

/// Compiled patterns and the captures of the last match.
pub struct Matcher {
    caps: [Span; MAX_CAPTURES],
    ncaptures: usize,
    /// Pairs of programs; a pattern is in the pair that its address and length select.
    progs: Vec<Prog>,
    /// Which of its pair was used last.
    recent: [bool; Matcher::PAIRS],
}

impl Matcher {
    const PAIRS: usize = 32;

    fn new() -> Matcher {
        Matcher {
            caps: [Span { start: 0, end: 0 }; MAX_CAPTURES],
            ncaptures: 0,
            progs: std::iter::repeat_with(Prog::new)
                .take(2 * Matcher::PAIRS)
                .collect(),
            recent: [false; Matcher::PAIRS],
        }
    }

    /// Finds the compiled pattern (without anchor), or compiles it.
    pub fn prepare(&mut self, pat: &[u8]) -> ProgId {
        // Short strings have one address each, which spreads well; the bytes decide.
        let a = pat.as_ptr() as usize >> 3;
        let pair = (a ^ (a >> 5) ^ (a >> 10) ^ pat.len()) % Matcher::PAIRS;
        for second in [false, true] {
            let i = 2 * pair + usize::from(second);
            let p = &self.progs[i];
            if p.reusable && same_text(&p.pattern, pat) {
                self.recent[pair] = second;
                return ProgId(i);
            }
        }
        let second = !self.recent[pair];
        self.recent[pair] = second;
        let i = 2 * pair + usize::from(second);
        self.progs[i].compile(pat);
        ProgId(i)
    }

    /// First match at or behind `init` (only at `init`, if `anchored`) that does not end at `refuse`: its bounds.
    pub fn search(
        &mut self,
        id: ProgId,
        src: &[u8],
        init: usize,
        anchored: bool,
        refuse: Option<usize>,
    ) -> Result<Option<(usize, usize)>, PatError> {
        let prog = &self.progs[id.0];
        self.ncaptures = prog.ncaptures;
        if let Some(n) = prog.word
            && !anchored
        {
            // runs of one class, as most patterns that split texts are
            let set = prog.sets[n as usize];
            let mut at = init;
            while let Some(n) = src
                .get(at..)
                .and_then(|r| r.iter().position(|&c| set.has(c)))
            {
                let start = at + n;
                let rest = &src[start..];
                let len = rest.iter().position(|&c| !set.has(c));
                at = start + len.unwrap_or(rest.len());
                if Some(at) != refuse {
                    return Ok(Some((start, at)));
                }
            }
            return Ok(None);
        }
        let mut run = Run {
            src,
            prog,
            caps: &mut self.caps,
            error: PatError::NoMemory,
        };
        let refuse = refuse.unwrap_or(FAIL);
        let mut s = init;
        if s > src.len() {
            return Ok(None);
        }
        loop {
            if !anchored {
                let skip = match prog.start {
                    Next::Any | Next::Cut => Some(0),
                    Next::Byte(b) => find_byte(b, &src[s..]),
                    Next::Set(n) => {
                        let set = &prog.sets[n as usize];
                        src[s..].iter().position(|&c| set.has(c))
                    }
                };
                match skip {
                    Some(n) => s += n,
                    None if prog.start_at_end => s = src.len(),
                    None => return Ok(None),
                }
                if prog.single && s < src.len() && s + 1 != refuse {
                    return Ok(Some((s, s + 1)));
                }
            }
            match run.run(0, s, MAX_DEPTH) {
                FAIL => {}
                ERROR => return Err(run.error),
                e if e != refuse => return Ok(Some((s, e))),
                _ => {}
            }
            s += 1;
            if anchored || s > src.len() {
                return Ok(None);
            }
        }
    }

    /// Number of captures of the last match.
    pub fn captures(&self) -> usize {
        self.ncaptures
    }

    /// Capture `i` (from 0) of the last match, which was `whole`; the whole match is capture 0 of a pattern that has
    /// none.
    pub fn capture(&self, i: usize, whole: (usize, usize)) -> Result<Capture, PatError> {
        if i >= self.ncaptures {
            if i != 0 {
                return Err(PatError::CaptureIndex(i as u8 + 1));
            }
            return Ok(Capture::Bytes(whole.0, whole.1));
        }
        let Span { start, end } = self.caps[i];
        match end {
            OPEN => Err(PatError::Unfinished),
            POSITION => Ok(Capture::Position(start)),
            _ => Ok(Capture::Bytes(start, end)),
        }
    }
}

thread_local! {
    static MATCHER: Cell<Option<Box<Matcher>>> = const { Cell::new(None) };
}

/// Calls `f` with the thread's matcher. `f` should not run Lua code: a nested use works, but starts with an empty cache.
pub fn with_matcher<R>(f: impl FnOnce(&mut Matcher) -> R) -> R {
    let mut m = MATCHER
        .with(Cell::take)
        .unwrap_or_else(|| Box::new(Matcher::new()));
    let r = f(&mut m);
    MATCHER.with(|c| c.set(Some(m)));
    r
}
