//! UTF-8 sequences as lutf8lib.c reads and writes them, for the library and compiled code.

/// Largest code point of Unicode.
const MAX_UNICODE: u32 = 0x10_FFFF;
/// Largest code point of the original UTF-8.
pub const MAX_UTF: u32 = 0x7FFF_FFFF;

/// There is a continuation byte at `at`.
#[inline]
pub fn is_continuation(s: &[u8], at: usize) -> bool {
    s.get(at).is_some_and(|b| b & 0xC0 == 0x80)
}

/// The code point at the start of `s` and its length in bytes. Behind the end there is a NUL, as in C.
#[inline]
pub fn decode(s: &[u8], strict: bool) -> Option<(u32, usize)> {
    let c = s.first().copied().unwrap_or(0);
    if c < 0x80 {
        return Some((u32::from(c), 1));
    }
    // Least value per number of continuation bytes; without any, nothing is large enough.
    const LEAST: [u32; 6] = [!0, 0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000];
    let count = c.leading_ones() as usize - 1;
    if !(1..=5).contains(&count) {
        return None;
    }
    let mut code = u32::from(c) & (0x3F >> count);
    for i in 1..=count {
        if !is_continuation(s, i) {
            return None;
        }
        code = code << 6 | u32::from(s[i] & 0x3F);
    }
    if code < LEAST[count] || (strict && (code > MAX_UNICODE || (0xD800..=0xDFFF).contains(&code)))
    {
        return None;
    }
    Some((code, count + 1))
}

/// The UTF-8 sequence of a code point up to [`MAX_UTF`]: bytes and how many.
pub fn encode(code: u32) -> ([u8; 6], usize) {
    let mut b = [0; 6];
    if code < 0x80 {
        b[0] = code as u8;
        return (b, 1);
    }
    let n = match code {
        0..0x800 => 2,
        0x800..0x1_0000 => 3,
        0x1_0000..0x20_0000 => 4,
        0x20_0000..0x400_0000 => 5,
        _ => 6,
    };
    for (i, o) in b[..n].iter_mut().enumerate() {
        *o = 0x80 | (code >> (6 * (n - 1 - i)) & 0x3F) as u8;
    }
    b[0] = (0xFF00u32 >> n) as u8 | (code >> (6 * (n - 1))) as u8;
    (b, n)
}
