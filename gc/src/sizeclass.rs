//! Size classes of small cells.
//!
//! Multiples of 16 bytes: every 16 up to 160, every 32 up to 320, then about every eighth; the top ones are
//! chosen so that whole numbers of cells fill a block. Emitted code computes classes when it is built.

use crate::arena::{BLOCK, HEADER};
use traceorus_base::objects::SIZE_CLASSES;

/// Number of classes in use.
pub const NUM_CLASSES: usize = 34;
/// Bytes of the cells of each class.
const BYTES: [u16; NUM_CLASSES] = [
    16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 288, 320, 384, 448, 512, 576, 640,
    768, 896, 1024, 1152, 1328, 1600, 1776, 2000, 2288, 2672, 3200, 4000, 5344, 8016,
];
/// Largest small cell in bytes; more goes to the host one by one.
pub const MAX_SMALL: usize = BYTES[NUM_CLASSES - 1] as usize;

static CLASS_OF: [u8; MAX_SMALL / 16 + 1] = CLASS_TABLE;
const CLASS_TABLE: [u8; MAX_SMALL / 16 + 1] = {
    let mut t = [0; MAX_SMALL / 16 + 1];
    let (mut c, mut i) = (0, 0);
    while i < t.len() {
        if i * 16 > BYTES[c] as usize {
            c += 1;
        }
        t[i] = c as u8;
        i += 1;
    }
    t
};

/// Class of a request of `bytes <= MAX_SMALL`, at run time.
#[inline(always)]
pub fn size_class(bytes: usize) -> usize {
    CLASS_OF[bytes.div_ceil(16)] as usize
}

/// As [`size_class`], for constants.
pub const fn const_size_class(bytes: usize) -> usize {
    CLASS_TABLE[bytes.div_ceil(16)] as usize
}

/// Bytes of a cell of the class.
#[inline(always)]
pub const fn class_bytes(class: usize) -> usize {
    BYTES[class] as usize
}

/// Bytes that a request really takes: what the caller of `Heap::reserve` should add up, and what a run can
/// grow to for nothing.
pub const fn alloc_size(bytes: usize) -> usize {
    if bytes <= MAX_SMALL {
        class_bytes(const_size_class(bytes))
    } else {
        bytes
    }
}

/// Words of a block's bitmaps; bit `i` of the bitmap stands for the 16 bytes at `16 * i`.
pub(crate) const WORDS: usize = BLOCK / 16 / 64;

/// Where the cells of a block of each class start.
pub(crate) static STARTS: [[u64; WORDS]; NUM_CLASSES] = {
    let mut t = [[0; WORDS]; NUM_CLASSES];
    let mut c = 0;
    while c < NUM_CLASSES {
        let size = BYTES[c] as usize;
        let mut at = HEADER;
        while at + size <= BLOCK {
            t[c][at / 16 / 64] |= 1 << (at / 16 % 64);
            at += size;
        }
        c += 1;
    }
    t
};

const _: () = assert!(NUM_CLASSES <= SIZE_CLASSES);
const _: () = assert!(HEADER + 2 * MAX_SMALL <= BLOCK);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_fit() {
        for n in 0..=MAX_SMALL {
            let c = size_class(n);
            assert_eq!(c, const_size_class(n));
            assert!(class_bytes(c) >= n && (c == 0 || class_bytes(c - 1) < n.max(1)));
        }
        assert!(BYTES.windows(2).all(|w| w[0] < w[1]));
        assert!(BYTES.iter().all(|b| b % 16 == 0));
    }
}
