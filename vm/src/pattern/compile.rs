//! Patterns compiled to linear programs.

use super::set::{ByteSet, class_set, parse_set, set_end};
use super::{MAX_CAPTURES, OPEN, POSITION, PatError};

/// Longest pattern in bytes.
const MAX_LENGTH: usize = i32::MAX as usize;

/// What matches one byte.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Any,
    Byte(u8),
    NotByte(u8),
    /// Number of a set.
    Set(u32),
}

/// What is known of the place where the rest of the program is tried.
#[derive(Clone, Copy)]
pub(super) enum Next {
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
pub(super) enum Op {
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

/// A compiled pattern.
pub(super) struct Prog {
    /// Its text (without anchor): identifies it in the cache.
    pub(super) pattern: Vec<u8>,
    /// `pattern` is complete.
    pub(super) reusable: bool,
    pub(super) ops: Vec<Op>,
    pub(super) sets: Vec<ByteSet>,
    pub(super) literals: Vec<u8>,
    pub(super) ncaptures: usize,
    /// The pattern is one or more of this set, and nothing else.
    pub(super) word: Option<u32>,
    /// The pattern is one byte of those that `start` names, and nothing else.
    pub(super) single: bool,
    /// Where a match can start.
    pub(super) start: Next,
    /// A match can be at the end of the subject although `start` says otherwise.
    pub(super) start_at_end: bool,
}

impl Prog {
    pub(super) const fn new() -> Prog {
        Prog {
            pattern: Vec::new(),
            reusable: false,
            ops: Vec::new(),
            sets: Vec::new(),
            literals: Vec::new(),
            ncaptures: 0,
            word: None,
            single: false,
            start: Next::Any,
            start_at_end: true,
        }
    }

    pub(super) fn compile(&mut self, pat: &[u8]) {
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
        self.word = match self.ops[..] {
            [
                Op::Greedy {
                    item: Item::Set(n),
                    min: 1,
                    ..
                },
                Op::End,
            ] => Some(n),
            _ => None,
        };
        self.single = matches!(self.ops[..], [Op::One(_), Op::End]);
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
