//! Sets of bytes: character classes and bracketed sets.

use super::PatError;

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const NONE: ByteSet = ByteSet([0; 4]);
    pub(super) const ALL: ByteSet = ByteSet([!0; 4]);

    pub(super) const fn one(b: u8) -> ByteSet {
        let mut s = ByteSet::NONE;
        s.add(b);
        s
    }
    pub(super) const fn add(&mut self, b: u8) {
        self.0[(b >> 6) as usize] |= 1 << (b & 63);
    }
    #[inline(always)]
    pub(super) fn has(&self, b: u8) -> bool {
        (self.0[(b >> 6) as usize] >> (b & 63)) & 1 != 0
    }
    pub(super) const fn not(self) -> ByteSet {
        ByteSet([!self.0[0], !self.0[1], !self.0[2], !self.0[3]])
    }
    pub(super) fn or(self, o: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] | o.0[i]))
    }
    pub(super) fn and(self, o: ByteSet) -> ByteSet {
        ByteSet(std::array::from_fn(|i| self.0[i] & o.0[i]))
    }
    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|w| w.count_ones()).sum()
    }
    pub(super) fn first(&self) -> u8 {
        let w = self.0.iter().position(|&w| w != 0).unwrap_or(0);
        (w as u32 * 64 + self.0[w].trailing_zeros().min(63)) as u8
    }
}

/// The set of a class letter in either case (`%a`, `%A`), in the C locale.
pub(super) fn class_set(letter: u8) -> Option<ByteSet> {
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

/// Where the set that starts at `p` ends (behind its `]`), as PUC's classend.
pub(super) fn set_end(pat: &[u8], p: usize) -> Result<usize, PatError> {
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
pub(super) fn parse_set(text: &[u8]) -> ByteSet {
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
