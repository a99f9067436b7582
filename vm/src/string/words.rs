//! Texts of up to 16 bytes in registers. Short strings are hashed, compared and made as words: text that was just put together
//! in memory, piece by piece, and is read back as words would wait for the processor's store queue, and each look at the length is
//! a branch that goes astray for texts of mixed lengths.
//!
//! Cells of the heap are multiples of 16 bytes [GC-BLOCK], and a string's text is 24 bytes into its cell. So behind every string's
//! first byte there are 8 bytes of its cell, and 24 if it has 8 or more.

use traceorus_base::objects::Str;

use super::{K0, K1, K2, mum, str_data, word};
use crate::number::digits;

/// A text of up to [`Words::MAX`] bytes, the first one lowest, zeros behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Words {
    text: u128,
    len: usize,
}

impl Words {
    /// Longest text in bytes.
    pub const MAX: usize = 16;

    /// No text.
    pub const EMPTY: Words = Words { text: 0, len: 0 };

    /// Bytes of the text.
    #[inline(always)]
    pub fn len(self) -> usize {
        self.len
    }

    /// The text `b`; it is not longer than [`Words::MAX`].
    #[inline(always)]
    pub fn of(b: &[u8]) -> Words {
        let len = b.len();
        debug_assert!(len <= Words::MAX);
        let text = if len >= 8 {
            let high = word::<8>(b, len - 8).checked_shr(8 * (16 - len as u32));
            u128::from(word::<8>(b, 0)) | u128::from(high.unwrap_or(0)) << 64
        } else if len >= 4 {
            let (x, y) = (word::<4>(b, 0), word::<4>(b, len - 4));
            u128::from(x | y << (8 * (len - 4)))
        } else if len > 0 {
            let byte = |i: usize| u64::from(b[i]) << (8 * i);
            u128::from(byte(0) | byte(len / 2) | byte(len - 1))
        } else {
            0
        };
        Words { text, len }
    }

    /// The text of a string, which is not longer than [`Words::MAX`].
    ///
    /// # Safety
    /// [GC-LIVE] `s` is alive.
    #[inline(always)]
    pub unsafe fn of_str(s: *mut Str) -> Words {
        // SAFETY: [GC-LIVE]; [GC-BLOCK] as the module says, what is read lies in the string's cell.
        unsafe {
            let len = (*s).len as usize;
            let text = if len > 8 {
                str_data(s).cast::<u128>().read_unaligned() & (u128::MAX >> (128 - 8 * len))
            } else if len > 0 {
                let low = str_data(s).cast::<u64>().read_unaligned() & (u64::MAX >> (64 - 8 * len));
                u128::from(low)
            } else {
                0
            };
            Words { text, len }
        }
    }

    /// The text of a string as one word, the first byte lowest, and its length; `None` if it has more than 8 bytes.
    ///
    /// # Safety
    /// [GC-LIVE] `s` is alive.
    #[inline(always)]
    pub unsafe fn word_of_str(s: *mut Str) -> Option<(u64, usize)> {
        // SAFETY: [GC-LIVE]; [GC-BLOCK] as the module says, what is read lies in the string's cell.
        unsafe {
            let len = (*s).len as usize;
            if len > 8 {
                return None;
            }
            let word = str_data(s).cast::<u64>().read_unaligned();
            Some((word & u64::MAX.unbounded_shr(64 - 8 * len as u32), len))
        }
    }

    /// The `len` <= 8 bytes in `text`, zeros behind them.
    #[inline(always)]
    pub fn of_word(text: u64, len: usize) -> Words {
        debug_assert!(len <= 8 && text.unbounded_shr(8 * len as u32) == 0);
        Words {
            text: text.into(),
            len,
        }
    }

    /// The digits of `n`, if they are not more than 8.
    #[inline(always)]
    pub fn of_int(n: i64) -> Option<Words> {
        let (digits, len) = digits::word(n.unsigned_abs())?;
        let sign = usize::from(n < 0);
        let text = (u128::from(digits) << (8 * sign)) | (u128::from(b'-') * sign as u128);
        Some(Words {
            text,
            len: len + sign,
        })
    }

    /// Both texts together; `None` if they are too long.
    #[inline(always)]
    pub fn then(self, more: Words) -> Option<Words> {
        let len = self.len + more.len;
        if len > Words::MAX {
            return None;
        }
        if self.len == Words::MAX {
            return Some(self);
        }
        let text = self.text | more.text << (8 * self.len);
        Some(Words { text, len })
    }

    /// Its hash.
    #[inline(always)]
    pub fn hash(self, seed: u64) -> u32 {
        let (low, high) = (self.text as u64, (self.text >> 64) as u64);
        let m = mum(low ^ K1, high ^ seed ^ K0);
        mum(m ^ K2, self.len as u64 ^ K1) as u32
    }

    /// It is the text of `s`.
    ///
    /// # Safety
    /// [GC-LIVE] the text of `s` is intact.
    #[inline(always)]
    pub unsafe fn is_text_of(self, s: *mut Str) -> bool {
        // SAFETY: as promised.
        unsafe { (*s).len as usize == self.len && Words::of_str(s) == self }
    }

    /// Writes the text and a NUL to a fresh string.
    ///
    /// # Safety
    /// `s` is a cell for a string of this length, which is set.
    #[inline(always)]
    pub unsafe fn write(self, s: *mut Str) {
        // SAFETY: [GC-BLOCK] as the module says, what is written lies in the string's cell.
        unsafe {
            let to = str_data(s);
            if self.len >= 8 {
                to.cast::<u128>().write_unaligned(self.text);
                *to.add(self.len) = 0;
            } else {
                to.cast::<u64>().write_unaligned(self.text as u64);
            }
        }
    }
}
