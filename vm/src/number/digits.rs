//! Decimal digits of integers, eight at a time in one register: what is stored by bytes and read back as a word waits for the
//! processor's store queue, and texts are read back at once, to be hashed or copied.

/// Bytes that [`write`] may write.
pub const ROOM: usize = 24;

/// Digits of `u` < 10^8, the first one in the lowest byte, as numbers 0 to 9.
#[inline(always)]
fn eight(u: u32) -> u64 {
    // lanes of 32 bits with 4 digits, of 16 bits with 2, of 8 bits with one; products stay in their lanes
    let x = u64::from(u / 10_000) | u64::from(u % 10_000) << 32;
    let q = (x * 10_486) >> 20 & 0x7f_0000_007f;
    let x = q | (x - q * 100) << 16;
    let q = (x * 103) >> 10 & 0x000f_000f_000f_000f;
    q | (x - q * 10) << 8
}
const E8: u64 = 100_000_000;
const ASCII: u64 = u64::from_le_bytes([b'0'; 8]);

/// Digits of numbers below 100, the first one in the lower byte, without leading zeros.
static SMALL: [u16; 100] = {
    let mut t = [0; 100];
    let mut i = 0;
    while i < 100 {
        let (high, low) = (b'0' as u16 + i / 10, b'0' as u16 + i % 10);
        t[i as usize] = if i < 10 { low } else { high | low << 8 };
        i += 1;
    }
    t
};

/// Digits of `u` < 10^8 without leading zeros, the first one in the lowest byte, and their number.
#[inline(always)]
fn short(u: u32) -> (u64, usize) {
    let digits = eight(u);
    // the last digit is one even if it is zero
    let zeros = (digits | 1 << 63).trailing_zeros() / 8;
    ((digits + ASCII) >> (8 * zeros), 8 - zeros as usize)
}

/// The decimal digits of `u`, the first one in the lowest byte, and their number; `None` if they are more than 8.
#[inline(always)]
pub fn word(u: u64) -> Option<(u64, usize)> {
    match SMALL.get(u as usize) {
        Some(&digits) => Some((digits.into(), 1 + usize::from(u >= 10))),
        None => (u < E8).then(|| short(u as u32)),
    }
}

/// Writes the decimal digits of `u`; their number, at most 20.
///
/// # Safety
/// `to` has room for [`ROOM`] bytes.
#[inline]
pub unsafe fn write(to: *mut u8, u: u64) -> usize {
    // SAFETY: as promised: 20 digits, the first 8 of them with what may follow.
    unsafe {
        let first = |u: u64| {
            let (digits, n) = short(u as u32);
            to.cast::<u64>().write_unaligned(digits);
            n
        };
        if u < E8 {
            return first(u);
        }
        let full = |at: usize, u: u64| {
            let word = eight((u % E8) as u32) + ASCII;
            to.add(at).cast::<u64>().write_unaligned(word);
        };
        let high = u / E8;
        if high < E8 {
            let n = first(high);
            full(n, u);
            return n + 8;
        }
        let n = first(high / E8);
        full(n, high);
        full(n + 8, u);
        n + 16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(u: u64) -> String {
        let mut b = [0xffu8; ROOM];
        // SAFETY: there is room.
        let n = unsafe { write(b.as_mut_ptr(), u) };
        String::from_utf8(b[..n].to_vec()).expect("digits")
    }

    #[test]
    fn every_group_of_four() {
        for u in 0..10_000u64 {
            assert_eq!(text(u), u.to_string());
            let v = u * 10_000 + (9_999 - u);
            assert_eq!(text(v), v.to_string());
        }
    }

    #[test]
    fn edges() {
        let mut p = 1u64;
        for _ in 0..20 {
            for u in [p - 1, p, p + 1, p.wrapping_mul(9), p / 2 * 3] {
                assert_eq!(text(u), u.to_string());
            }
            p = p.saturating_mul(10);
        }
        for u in [0, u64::MAX, u64::MAX / 3, i64::MAX as u64, 1 << 63] {
            assert_eq!(text(u), u.to_string());
        }
    }
}
