//! The compiled matcher against a direct one, which walks the pattern's text as the manual describes it.

use quickcheck::{Arbitrary, Gen, QuickCheck};

use super::*;

/// Backtracking over the text of the pattern, without any look ahead.
struct Naive<'a> {
    src: &'a [u8],
    pat: &'a [u8],
    caps: Vec<(usize, usize)>,
}

type Found = Result<Option<usize>, PatError>;

impl Naive<'_> {
    fn at(&self, p: usize) -> u8 {
        self.pat.get(p).copied().unwrap_or(0)
    }

    fn item_end(&self, p: usize) -> Result<usize, PatError> {
        match self.at(p) {
            b'%' if p + 1 >= self.pat.len() => Err(PatError::EndsWithEscape),
            b'%' => Ok(p + 2),
            b'[' => {
                let mut p = p + 1;
                if self.at(p) == b'^' {
                    p += 1;
                }
                loop {
                    if p >= self.pat.len() {
                        return Err(PatError::MissingBracket);
                    }
                    let escape = self.at(p) == b'%' && p + 1 < self.pat.len();
                    p += if escape { 2 } else { 1 };
                    if self.at(p) == b']' {
                        return Ok(p + 1);
                    }
                }
            }
            _ => Ok(p + 1),
        }
    }

    fn class(c: u8, class: u8) -> bool {
        let yes = match class.to_ascii_lowercase() {
            b'a' => c.is_ascii_alphabetic(),
            b'c' => c < 32 || c == 127,
            b'd' => c.is_ascii_digit(),
            b'g' => (33..127).contains(&c),
            b'l' => c.is_ascii_lowercase(),
            b'p' => (33..127).contains(&c) && !c.is_ascii_alphanumeric(),
            b's' => b" \t\n\x0b\x0c\r".contains(&c),
            b'u' => c.is_ascii_uppercase(),
            b'w' => c.is_ascii_alphanumeric(),
            b'x' => c.is_ascii_hexdigit(),
            b'z' => c == 0,
            _ => return c == class,
        };
        yes != class.is_ascii_uppercase()
    }

    fn in_set(&self, c: u8, p: usize, end: usize) -> bool {
        let last = end - 1;
        let negated = self.at(p + 1) == b'^';
        let mut p = if negated { p + 2 } else { p + 1 };
        while p < last {
            if self.at(p) == b'%' {
                p += 1;
                if Self::class(c, self.at(p)) {
                    return !negated;
                }
            } else if self.at(p + 1) == b'-' && p + 2 < last {
                p += 2;
                if (self.at(p - 2)..=self.at(p)).contains(&c) {
                    return !negated;
                }
            } else if self.at(p) == c {
                return !negated;
            }
            p += 1;
        }
        negated
    }

    fn single(&self, s: usize, p: usize, end: usize) -> bool {
        let Some(&c) = self.src.get(s) else {
            return false;
        };
        match self.at(p) {
            b'.' => true,
            b'%' => Self::class(c, self.at(p + 1)),
            b'[' => self.in_set(c, p, end),
            b => b == c,
        }
    }

    fn run(&mut self, s: usize, p: usize, depth: u32) -> Found {
        if depth == 0 {
            return Err(PatError::TooComplex);
        }
        self.step(s, p, depth - 1)
    }

    fn step(&mut self, s: usize, p: usize, depth: u32) -> Found {
        if p >= self.pat.len() {
            return Ok(Some(s));
        }
        match (self.at(p), self.at(p + 1)) {
            (b'(', next) => {
                if self.caps.len() >= MAX_CAPTURES {
                    return Err(PatError::TooManyCaptures);
                }
                let position = next == b')';
                self.caps.push((s, if position { POSITION } else { OPEN }));
                let r = self.run(s, p + if position { 2 } else { 1 }, depth);
                if r == Ok(None) {
                    self.caps.pop();
                }
                r
            }
            (b')', _) => {
                let i = self
                    .caps
                    .iter()
                    .rposition(|c| c.1 == OPEN)
                    .ok_or(PatError::PatternCapture)?;
                self.caps[i].1 = s;
                let r = self.run(s, p + 1, depth);
                if r == Ok(None) {
                    self.caps[i].1 = OPEN;
                }
                r
            }
            (b'$', _) if p + 1 == self.pat.len() => Ok((s == self.src.len()).then_some(s)),
            (b'%', b'b') if p + 1 < self.pat.len() => {
                if p + 3 >= self.pat.len() {
                    return Err(PatError::MissingBalance);
                }
                match balance(&self.src[s..], self.at(p + 2), self.at(p + 3)) {
                    Some(n) => self.step(s + n, p + 4, depth),
                    None => Ok(None),
                }
            }
            (b'%', b'f') => {
                if self.at(p + 2) != b'[' {
                    return Err(PatError::MissingFrontier);
                }
                let end = self.item_end(p + 2)?;
                let before = if s == 0 { 0 } else { self.src[s - 1] };
                let here = self.src.get(s).copied().unwrap_or(0);
                if !self.in_set(before, p + 2, end) && self.in_set(here, p + 2, end) {
                    self.step(s, end, depth)
                } else {
                    Ok(None)
                }
            }
            (b'%', d @ b'0'..=b'9') => {
                let i = (d as usize).wrapping_sub(b'1' as usize);
                match self.caps.get(i) {
                    None | Some(&(_, OPEN)) => Err(PatError::CaptureIndex(d - b'0')),
                    Some(&(_, POSITION)) => Ok(None),
                    Some(&(start, end)) => {
                        if self.src[s..].starts_with(&self.src[start..end]) {
                            self.step(s + end - start, p + 2, depth)
                        } else {
                            Ok(None)
                        }
                    }
                }
            }
            _ => {
                let end = self.item_end(p)?;
                let suffix = if end < self.pat.len() {
                    self.at(end)
                } else {
                    0
                };
                if !self.single(s, p, end) {
                    return match suffix {
                        b'*' | b'?' | b'-' => self.step(s, end + 1, depth),
                        _ => Ok(None),
                    };
                }
                match suffix {
                    b'?' => match self.run(s + 1, end + 1, depth)? {
                        Some(e) => Ok(Some(e)),
                        None => self.step(s, end + 1, depth),
                    },
                    b'*' | b'+' => {
                        let min = usize::from(suffix == b'+');
                        let mut n = 0;
                        while self.single(s + n, p, end) {
                            n += 1;
                        }
                        for n in (min..=n).rev() {
                            if let Some(e) = self.run(s + n, end + 1, depth)? {
                                return Ok(Some(e));
                            }
                        }
                        Ok(None)
                    }
                    b'-' => {
                        let mut s = s;
                        loop {
                            if let Some(e) = self.run(s, end + 1, depth)? {
                                return Ok(Some(e));
                            }
                            if !self.single(s, p, end) {
                                return Ok(None);
                            }
                            s += 1;
                        }
                    }
                    _ => self.step(s + 1, end, depth),
                }
            }
        }
    }
}

type Outcome = Result<Option<(usize, usize, Vec<Result<Capture, PatError>>)>, PatError>;

fn naive(src: &[u8], pat: &[u8], init: usize, anchored: bool) -> Outcome {
    for s in init..=src.len() {
        let mut m = Naive {
            src,
            pat,
            caps: Vec::new(),
        };
        if let Some(e) = m.run(s, 0, MAX_DEPTH)? {
            let caps = m.caps.iter().map(|&(start, end)| match end {
                OPEN => Err(PatError::Unfinished),
                POSITION => Ok(Capture::Position(start)),
                _ => Ok(Capture::Bytes(start, end)),
            });
            return Ok(Some((s, e, caps.collect())));
        }
        if anchored {
            break;
        }
    }
    Ok(None)
}

fn compiled(src: &[u8], pat: &[u8], init: usize, anchored: bool) -> Outcome {
    with_matcher(|m| {
        let id = m.prepare(pat);
        let found = m.search(id, src, init, anchored, None)?;
        Ok(found.map(|(s, e)| {
            let caps = (0..m.captures()).map(|i| m.capture(i, (s, e)));
            (s, e, caps.collect())
        }))
    })
}

/// Pattern text that is mostly well formed, over a small alphabet.
#[derive(Clone, Debug)]
struct Pattern(Vec<u8>);

impl Arbitrary for Pattern {
    fn arbitrary(g: &mut Gen) -> Pattern {
        let mut p = Vec::new();
        let mut open = 0;
        for _ in 0..usize::arbitrary(g) % 8 {
            let pick =
                |g: &mut Gen, from: &[&[u8]]| g.choose(from).map_or(Vec::new(), |s| s.to_vec());
            match u8::arbitrary(g) % 16 {
                0 => {
                    p.push(b'(');
                    open += 1;
                }
                1 if open > 0 => {
                    p.push(b')');
                    open -= 1;
                }
                2 => p.extend(pick(
                    g,
                    &[
                        b"()", b"%1", b"%2", b"%bab", b"%f[a]", b"%f[^a]", b"%f[%z]", b"$",
                    ],
                )),
                3 => p.extend(pick(
                    g,
                    &[
                        b"%", b"[", b")", b"(", b"]", b"^", b"%b", b"%f", b"-", b"*", b"[^", b"[a-",
                    ],
                )),
                _ => {
                    let items: [&[u8]; 16] = [
                        b"a", b"b", b"c", b".", b"%a", b"%A", b"[ab]", b"[^a]", b"[^ab]", b"[a-b]",
                        b"[]a]", b"%w", b"[%s%-]", b"%%", b"[^%]]", b"1",
                    ];
                    p.extend(pick(g, &items));
                    p.extend(pick(g, &[b"", b"", b"*", b"+", b"-", b"?"]));
                }
            }
        }
        p.extend(std::iter::repeat_n(b')', open));
        Pattern(p)
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Pattern>> {
        let p = self.0.clone();
        Box::new((0..p.len()).map(move |i| Pattern([&p[..i], &p[i + 1..]].concat())))
    }
}

#[derive(Clone, Debug)]
struct Subject(Vec<u8>);

impl Arbitrary for Subject {
    fn arbitrary(g: &mut Gen) -> Subject {
        let n = usize::arbitrary(g) % 24;
        Subject(
            (0..n)
                .map(|_| g.choose(b"aaabbbc 1%\0]-A").copied().unwrap_or(b'a'))
                .collect(),
        )
    }
    fn shrink(&self) -> Box<dyn Iterator<Item = Subject>> {
        let s = self.0.clone();
        Box::new((0..s.len()).map(move |i| Subject([&s[..i], &s[i + 1..]].concat())))
    }
}

#[test]
fn same_as_naive() {
    fn prop(src: Subject, pat: Pattern, init: u8, anchored: bool) -> bool {
        let init = init as usize % (src.0.len() + 1);
        compiled(&src.0, &pat.0, init, anchored) == naive(&src.0, &pat.0, init, anchored)
    }
    QuickCheck::new()
        .max_tests(60_000)
        .tests(60_000)
        .quickcheck(prop as fn(Subject, Pattern, u8, bool) -> bool);
}

fn find(src: &str, pat: &str) -> Outcome {
    let anchored = pat.starts_with('^');
    let pat = if anchored { &pat[1..] } else { pat };
    compiled(src.as_bytes(), pat.as_bytes(), 0, anchored)
}

fn bounds(src: &str, pat: &str) -> Option<(usize, usize)> {
    find(src, pat).ok().flatten().map(|(s, e, _)| (s, e))
}

#[test]
fn known_matches() {
    assert_eq!(bounds("", ""), Some((0, 0)));
    assert_eq!(bounds("alo", ""), Some((0, 0)));
    assert_eq!(bounds("aaab", ".*b"), Some((0, 4)));
    assert_eq!(bounds("aaab", ".-b$"), Some((0, 4)));
    assert_eq!(bounds("aaa", "^.-$"), Some((0, 3)));
    assert_eq!(bounds("aloALO", "%l*"), Some((0, 3)));
    assert_eq!(
        bounds("  \n\r*&\n\r   xuxu  \n\n", "%g%g%g+"),
        Some((11, 15))
    );
    assert_eq!(bounds("0alo alo", "%x*"), Some((0, 2)));
    assert_eq!(bounds("]]]áb", "[^]]"), Some((3, 4)));
    assert_eq!(bounds("um caracter ? extra", "[^%sa-z]"), Some((12, 13)));
    assert_eq!(bounds("a$a", "$a"), Some((1, 3)));
    assert_eq!(bounds("=======", "^(=*)=%1$"), Some((0, 7)));
    assert_eq!(bounds("==========", "^([=]*)=%1$"), None);
    assert_eq!(bounds("THE (quick) fox", "%f[%a]%a+%f[%A]"), Some((0, 3)));
    assert_eq!(bounds("f(x(y)z)g", "%b()"), Some((1, 8)));
    assert_eq!(bounds("key = value", "(%w+)%s*=%s*(%w+)"), Some((0, 11)));
}

#[test]
fn errors_come_when_reached() {
    assert_eq!(find("a", "[a"), Err(PatError::MissingBracket));
    assert_eq!(find("a", "b[a"), Ok(None));
    assert_eq!(find("a", "%"), Err(PatError::EndsWithEscape));
    assert_eq!(find("a", "(a%2)"), Err(PatError::CaptureIndex(2)));
    assert_eq!(find("a", "%0"), Err(PatError::CaptureIndex(0)));
    assert_eq!(find("a", "a)"), Err(PatError::PatternCapture));
    assert_eq!(find("a", "%b"), Err(PatError::MissingBalance));
    assert_eq!(find("a", "%f"), Err(PatError::MissingFrontier));
    assert_eq!(find("a", &"()".repeat(33)), Err(PatError::TooManyCaptures));
    let subject = "a".repeat(300);
    assert!(matches!(find(&subject, &".?".repeat(199)), Ok(Some(_))));
    assert_eq!(find(&subject, &".?".repeat(200)), Err(PatError::TooComplex));
    assert_eq!(find(&subject, &"a-".repeat(200)), Err(PatError::TooComplex));
    assert!(matches!(find("b", &"a-".repeat(200)), Ok(Some(_))));
}

#[test]
fn refused_end() {
    let found = with_matcher(|m| {
        let id = m.prepare(b"a*");
        [
            m.search(id, b"baab", 1, false, Some(3)),
            m.search(id, b"baab", 3, false, Some(3)),
        ]
    });
    assert_eq!(
        found,
        [Ok(Some((2, 3))).and(Ok(Some((4, 4)))), Ok(Some((4, 4)))]
    );
}

#[test]
fn single_bytes() {
    for (pat, expect) in [
        (".", Some((0, 1))),
        ("a", Some((1, 2))),
        ("[^b]", Some((1, 2))),
        ("%d", None),
        ("[^%s%S]", None),
        ("^a", None),
        ("^b", Some((0, 1))),
        (".$", Some((2, 3))),
        ("(a)", Some((1, 2))),
    ] {
        assert_eq!(bounds("baa", pat), expect, "{pat}");
    }
    let all = with_matcher(|m| {
        let id = m.prepare(b"[ac]");
        let mut at = 0;
        let mut ends = Vec::new();
        while let Ok(Some((_, e))) = m.search(id, b"abcca", at, false, Some(at)) {
            ends.push(e);
            at = e;
        }
        ends
    });
    assert_eq!(all, [1, 3, 4, 5]);
    // what may not end where the last match did
    let found = with_matcher(|m| {
        let id = m.prepare(b".");
        [Some(1), Some(2)].map(|refuse| m.search(id, b"ab", 0, false, refuse))
    });
    assert_eq!(found, [Ok(Some((1, 2))), Ok(Some((0, 1)))]);
}

#[test]
fn plain_search() {
    fn prop(hay: Subject, needle: Subject) -> bool {
        let n = &needle.0[..needle.0.len().min(3)];
        let hay = hay.0.repeat(5);
        let expect = (0..=hay.len()).find(|&i| hay[i..].starts_with(n));
        find_plain(&hay, n) == expect
    }
    QuickCheck::new()
        .max_tests(5_000)
        .tests(5_000)
        .quickcheck(prop as fn(Subject, Subject) -> bool);
    assert!(is_plain(b"a]b\0c"));
    assert!(!is_plain(b"\0%"));
}
