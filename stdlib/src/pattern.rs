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

use memchr::{memchr, memmem};

#[cfg(test)]
mod tests;

/// Most captures in a pattern.
pub const MAX_CAPTURES: usize = 32;
/// Nesting of attempts at which a match is given up, as PUC's MAXCCALLS.
const MAX_DEPTH: u32 = 200;
/// Longest pattern in bytes.
const MAX_LENGTH: usize = i32::MAX as usize;

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

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct ByteSet([u64; 4]);

impl ByteSet {
    const NONE: ByteSet = ByteSet([0; 4]);
    const ALL: ByteSet = ByteSet([!0; 4]);

    const fn one(b: u8) -> ByteSet {
        let mut s = ByteSet::NONE;
        s.add(b);
        s
    }
    const fn add(&mut self, b: u8) {
        self.0[(b >> 6) as usize] |= 1 << (b & 63);
    }
    #[inline(always)]
    fn has(&self, b: u8) -> bool {
        (self.0[(b >> 6) as usize] >> (b & 63)) & 1 != 0
    }
    const fn not(self) -> ByteSet {
        ByteSet([!self.0[0], !self.0[1], !self.0[2], !self.0[3]])
    }
    fn or(self, o: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] | o.0[i]))
    }
    fn and(self, o: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] & o.0[i]))
    }
    fn len(&self) -> u32 {
        self.0.iter().map(|w| w.count_ones()).sum()
    }
    fn first(&self) -> u8 {
        let w = self.0.iter().position(|&w| w != 0).unwrap_or(0);
        (w as u32 * 64 + self.0[w].trailing_zeros().min(63)) as u8
    }
}

/// The set of a class letter in either case (`%a`, `%A`), in the C locale.
fn class_set(letter: u8) -> Option<ByteSet> {
    macro_rules! set {
        ($p:expr) => {{
            const SET: ByteSet = {
                let mut s = ByteSet::NONE;
                let mut c = 0u8;
                loop {
                    let is: bool = $p(c);
                    if is {
                        s.add(c);
                    }
                    if c == 255 {
                        break s;
                    }
                    c += 1;
                }
            };
            SET
        }};
    }
    const fn alpha(c: u8) -> bool {
        c.is_ascii_alphabetic()
    }
    const fn cntrl(c: u8) -> bool {
        c.is_ascii_control()
    }
    const fn digit(c: u8) -> bool {
        c.is_ascii_digit()
    }
    const fn graph(c: u8) -> bool {
        c.is_ascii_graphic()
    }
    const fn lower(c: u8) -> bool {
        c.is_ascii_lowercase()
    }
    const fn punct(c: u8) -> bool {
        c.is_ascii_punctuation()
    }
    const fn space(c: u8) -> bool {
        c == b' ' || (c >= 9 && c <= 13)
    }
    const fn upper(c: u8) -> bool {
        c.is_ascii_uppercase()
    }
    const fn alnum(c: u8) -> bool {
        c.is_ascii_alphanumeric()
    }
    const fn xdigit(c: u8) -> bool {
        c.is_ascii_hexdigit()
    }
    let s = match letter | 0x20 {
        b'a' => set!(alpha),
        b'c' => set!(cntrl),
        b'd' => set!(digit),
        b'g' => set!(graph),
        b'l' => set!(lower),
        b'p' => set!(punct),
        b's' => set!(space),
        b'u' => set!(upper),
        b'w' => set!(alnum),
        b'x' => set!(xdigit),
        b'z' => ByteSet::one(0),
        _ => return None,
    };
    match letter {
        b'a'..=b'z' => Some(s),
        b'A'..=b'Z' => Some(s.not()),
        _ => None,
    }
}

/// What matches one byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Any,
    Byte(u8),
    NotByte(u8),
    /// Number of a set.
    Set(u32),
}

/// What is known of the place where the rest of the program is tried.
#[derive(Clone, Copy)]
enum Next {
    /// Nothing.
    Any,
    /// The rest succeeds, or fails at every shorter repetition: no second attempt.
    Cut,
    /// It begins with this byte.
    Byte(u8),
    /// It begins with one of this set, or is at the end of the subject.
    Set(u32),
}

/// An operation.
#[derive(Clone, Copy)]
enum Op {
    /// Match.
    End,
    /// Match if at the end of the subject.
    EndOfSubject,
    One(Item),
    /// Bytes `at..at+len` of the literals.
    Str {
        at: u32,
        len: u32,
    },
    /// `*`, `+` (`min` 1).
    Greedy {
        item: Item,
        next: Next,
        min: u8,
    },
    /// `-`.
    Lazy {
        item: Item,
        next: Next,
    },
    /// `?`.
    Maybe {
        item: Item,
        next: Next,
    },
    Open(u8),
    OpenPosition(u8),
    Close(u8),
    BackRef(u8),
    /// Back reference to a position capture.
    Never,
    Balance(u8, u8),
    /// Number of a set.
    Frontier(u32),
    Raise(PatError),
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

/// A compiled pattern.
struct Prog {
    /// Its text (without anchor): identifies it in the cache.
    pattern: Vec<u8>,
    /// `pattern` is complete.
    reusable: bool,
    ops: Vec<Op>,
    sets: Vec<ByteSet>,
    literals: Vec<u8>,
    ncaptures: usize,
    /// Where a match can start.
    start: Next,
    /// A match can be at the end of the subject although `start` says otherwise.
    start_at_end: bool,
}

impl Prog {
    const fn new() -> Prog {
        Prog {
            pattern: Vec::new(),
            reusable: false,
            ops: Vec::new(),
            sets: Vec::new(),
            literals: Vec::new(),
            ncaptures: 0,
            start: Next::Any,
            start_at_end: true,
        }
    }

    fn compile(&mut self, pat: &[u8]) {
        if self.ops.capacity() > 4096 || self.pattern.capacity() > 4096 {
            *self = Prog::new(); // do not keep the memory of a monster
        }
        self.pattern.clear();
        self.ops.clear();
        self.sets.clear();
        self.literals.clear();
        self.ncaptures = 0;
        self.reusable = false;
        let parsed = if pat.len() > MAX_LENGTH {
            Err(PatError::NoMemory)
        } else {
            self.parse(pat)
        };
        if let Err(e) = parsed {
            if e == PatError::NoMemory {
                self.ops.clear();
            }
            self.ops.push(Op::Raise(e));
        }
        self.look_ahead();
        if self.pattern.try_reserve(pat.len()).is_ok() {
            self.pattern.extend_from_slice(pat);
            self.reusable = true;
        }
    }

    fn op(&mut self, op: Op) -> Result<(), PatError> {
        if self.ops.len() == self.ops.capacity() {
            let more = self.ops.len().max(8);
            self.ops
                .try_reserve_exact(more)
                .map_err(|_| PatError::NoMemory)?;
            self.sets.try_reserve(1).map_err(|_| PatError::NoMemory)?;
        }
        self.ops.push(op);
        Ok(())
    }

    fn parse(&mut self, pat: &[u8]) -> Result<(), PatError> {
        let mut caps = [OPEN; MAX_CAPTURES]; // OPEN, POSITION or 0 for closed
        let mut p = 0;
        while let Some(&c) = pat.get(p) {
            let next = pat.get(p + 1).copied();
            match (c, next) {
                (b'(', _) => {
                    let i = self.ncaptures;
                    if i >= MAX_CAPTURES {
                        return Err(PatError::TooManyCaptures);
                    }
                    self.ncaptures += 1;
                    if next == Some(b')') {
                        caps[i] = POSITION;
                        self.op(Op::OpenPosition(i as u8))?;
                        p += 2;
                    } else {
                        caps[i] = OPEN;
                        self.op(Op::Open(i as u8))?;
                        p += 1;
                    }
                }
                (b')', _) => {
                    let open = caps[..self.ncaptures].iter().rposition(|&c| c == OPEN);
                    let i = open.ok_or(PatError::PatternCapture)?;
                    caps[i] = 0;
                    self.op(Op::Close(i as u8))?;
                    p += 1;
                }
                (b'$', None) => return self.op(Op::EndOfSubject),
                (b'%', Some(b'b')) => {
                    let (Some(&b), Some(&e)) = (pat.get(p + 2), pat.get(p + 3)) else {
                        return Err(PatError::MissingBalance);
                    };
                    self.op(Op::Balance(b, e))?;
                    p += 4;
                }
                (b'%', Some(b'f')) => {
                    if pat.get(p + 2) != Some(&b'[') {
                        return Err(PatError::MissingFrontier);
                    }
                    let end = set_end(pat, p + 2)?;
                    let set = parse_set(&pat[p + 2..end]);
                    let n = self.set(set);
                    self.op(Op::Frontier(n))?;
                    p = end;
                }
                (b'%', Some(d @ b'0'..=b'9')) => {
                    let i = (d as usize).wrapping_sub(b'1' as usize);
                    let bad = i >= self.ncaptures || caps[i] == OPEN;
                    if bad {
                        return Err(PatError::CaptureIndex(d - b'0'));
                    }
                    self.op(if caps[i] == POSITION {
                        Op::Never
                    } else {
                        Op::BackRef(i as u8)
                    })?;
                    p += 2;
                }
                _ => {
                    let (item, end) = self.item(pat, p)?;
                    p = end + 1;
                    let next = Next::Any;
                    match pat.get(end) {
                        Some(b'*') => self.op(Op::Greedy { item, next, min: 0 })?,
                        Some(b'+') => self.op(Op::Greedy { item, next, min: 1 })?,
                        Some(b'-') => self.op(Op::Lazy { item, next })?,
                        Some(b'?') => self.op(Op::Maybe { item, next })?,
                        _ => {
                            p = end;
                            self.single(item)?;
                        }
                    }
                }
            }
        }
        self.op(Op::End)
    }

    /// Appends an unrepeated item; literal bytes in a row become one operation.
    fn single(&mut self, item: Item) -> Result<(), PatError> {
        if let Item::Byte(b) = item {
            match self.ops.last_mut() {
                Some(Op::Str { len, .. }) => {
                    *len += 1;
                    self.literals.push(b);
                    return Ok(());
                }
                Some(op @ Op::One(Item::Byte(_))) => {
                    let Op::One(Item::Byte(first)) = *op else {
                        return Ok(());
                    };
                    *op = Op::Str {
                        at: self.literals.len() as u32,
                        len: 2,
                    };
                    self.literals.push(first);
                    self.literals.push(b);
                    return Ok(());
                }
                _ => {}
            }
        }
        self.op(Op::One(item))
    }

    /// The single-byte item at `p` and where it ends.
    fn item(&mut self, pat: &[u8], p: usize) -> Result<(Item, usize), PatError> {
        Ok(match pat[p] {
            b'%' => {
                let &c = pat.get(p + 1).ok_or(PatError::EndsWithEscape)?;
                let item = match class_set(c) {
                    Some(set) => self.set_item(set),
                    None => Item::Byte(c),
                };
                (item, p + 2)
            }
            b'[' => {
                let end = set_end(pat, p)?;
                let set = parse_set(&pat[p..end]);
                (self.set_item(set), end)
            }
            b'.' => (Item::Any, p + 1),
            c => (Item::Byte(c), p + 1),
        })
    }

    fn set(&mut self, set: ByteSet) -> u32 {
        let known = self.sets.iter().rev().take(8).position(|s| *s == set);
        match known {
            Some(back) => (self.sets.len() - 1 - back) as u32,
            None => {
                self.sets.push(set);
                self.sets.len() as u32 - 1
            }
        }
    }
    fn set_item(&mut self, set: ByteSet) -> Item {
        match set.len() {
            1 => Item::Byte(set.first()),
            255 => Item::NotByte(set.not().first()),
            256 => Item::Any,
            _ => Item::Set(self.set(set)),
        }
    }
    fn item_set(&self, item: Item) -> ByteSet {
        match item {
            Item::Any => ByteSet::ALL,
            Item::Byte(b) => ByteSet::one(b),
            Item::NotByte(b) => ByteSet::one(b).not(),
            Item::Set(n) => self.sets[n as usize],
        }
    }
    fn next(&mut self, first: ByteSet) -> Next {
        match first.len() {
            256 => Next::Any,
            _ => Next::Set(self.set(first)),
        }
    }

    /// Fills in what is known of the places where operations are tried.
    fn look_ahead(&mut self) {
        // Of the operations behind the current one: the bytes they can begin with (or raise an error at), whether
        // they can match (or raise) at the end of the subject, whether they match always.
        let (mut first, mut at_end, mut always) = (ByteSet::ALL, true, false);
        for pc in (0..self.ops.len()).rev() {
            let op = self.ops[pc];
            match op {
                Op::End => always = true,
                Op::Raise(_) | Op::BackRef(_) => {
                    (first, at_end, always) = (ByteSet::ALL, true, false);
                }
                Op::EndOfSubject => (first, at_end, always) = (ByteSet::NONE, true, false),
                Op::Never => (first, at_end, always) = (ByteSet::NONE, false, false),
                Op::Open(_) | Op::OpenPosition(_) | Op::Close(_) => {}
                Op::One(item) => (first, at_end, always) = (self.item_set(item), false, false),
                Op::Str { at, .. } => {
                    (first, at_end, always) =
                        (ByteSet::one(self.literals[at as usize]), false, false);
                }
                Op::Balance(b, _) => (first, at_end, always) = (ByteSet::one(b), false, false),
                Op::Frontier(n) => {
                    let set = self.sets[n as usize];
                    (first, at_end, always) = (first.and(set), at_end && set.has(0), false);
                }
                Op::Greedy { item, .. } | Op::Lazy { item, .. } | Op::Maybe { item, .. } => {
                    let set = self.item_set(item);
                    let lazy = matches!(op, Op::Lazy { .. });
                    let known = if always || (!lazy && first.and(set) == ByteSet::NONE) {
                        Next::Cut
                    } else if first.len() == 1 && !at_end {
                        Next::Byte(first.first())
                    } else {
                        self.next(first)
                    };
                    match &mut self.ops[pc] {
                        Op::Greedy { next, .. }
                        | Op::Lazy { next, .. }
                        | Op::Maybe { next, .. } => *next = known,
                        _ => {}
                    }
                    if matches!(op, Op::Greedy { min: 1, .. }) {
                        (first, at_end, always) = (set, false, false);
                    } else {
                        first = first.or(set);
                    }
                }
            }
        }
        self.start_at_end = at_end;
        self.start = match first.len() {
            1 => Next::Byte(first.first()),
            _ => self.next(first),
        };
    }
}

/// Where the set that starts at `p` ends (behind its `]`), as PUC's classend.
fn set_end(pat: &[u8], p: usize) -> Result<usize, PatError> {
    let mut p = p + 1;
    if pat.get(p) == Some(&b'^') {
        p += 1;
    }
    loop {
        let &c = pat.get(p).ok_or(PatError::MissingBracket)?;
        p += 1;
        if c == b'%' && p < pat.len() {
            p += 1;
        }
        if pat.get(p) == Some(&b']') {
            return Ok(p + 1);
        }
    }
}

/// The bytes of a set given with its brackets, as PUC's matchbracketclass.
fn parse_set(text: &[u8]) -> ByteSet {
    let end = text.len() - 1;
    let negated = text[1] == b'^';
    let mut set = ByteSet::NONE;
    let mut p = if negated { 2 } else { 1 };
    while p < end {
        if text[p] == b'%' {
            p += 1;
            match class_set(text[p]) {
                Some(s) => set = set.or(s),
                None => set.add(text[p]),
            }
        } else if text[p + 1] == b'-' && p + 2 < end {
            for b in text[p]..=text[p + 2] {
                set.add(b);
            }
            p += 2;
        } else {
            set.add(text[p]);
        }
        p += 1;
    }
    if negated { set.not() } else { set }
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
        &[b, ..] if hay.len() <= 64 => {
            let mut at = 0;
            let last = hay.len().checked_sub(needle.len())?;
            while at <= last {
                at += find_byte(b, &hay[at..=last])?;
                if hay[at..].starts_with(needle) {
                    return Some(at);
                }
                at += 1;
            }
            None
        }
        _ => memmem::find(hay, needle),
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
            if p.reusable && p.pattern == pat {
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
