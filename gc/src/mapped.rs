//! Large pieces of the system's memory, each mapped by itself, and those that were given back and are kept for the next.
//!
//! `malloc` puts pieces of up to 32 MiB between the small ones once such a piece has been freed, and holds on to the holes that
//! they leave: a table that has grown to some size by doubling then takes twice the memory. Pieces that are mapped go
//! back whole and can grow in place. But fresh pages have to be filled by the system, so a program that makes one large
//! string or table after another should get the pages of the last one again: what is given back is kept until the program's memory
//! grows, so that kept pieces never add to its peak.

use core::ptr::null_mut;

use crate::host::{map, unmap};

/// Least size of a piece that is mapped by itself.
pub(crate) const BIG: usize = 128 << 10;
/// Pieces are multiples of this, which is a multiple of the page size of every system.
const GRAIN: usize = 64 << 10;
/// Most pieces, and bytes, that are kept.
const MAX_PIECES: usize = 16;
const MAX_KEPT: usize = 32 << 20;

/// The pieces that are kept, in no order, no two of them adjacent.
#[derive(Debug)]
pub(crate) struct Kept {
    pieces: [(*mut u8, usize); MAX_PIECES],
    len: usize,
    bytes: usize,
}

/// The mapped size of a piece of `bytes`, or none if there is no such size.
fn rounded(bytes: usize) -> Option<usize> {
    bytes.checked_next_multiple_of(GRAIN)
}

impl Kept {
    pub const fn new() -> Kept {
        Kept {
            pieces: [(null_mut(), 0); MAX_PIECES],
            len: 0,
            bytes: 0,
        }
    }

    /// `bytes` of memory with any contents, or null: from the kept pieces, or else new, and then nothing else is kept any longer.
    pub fn take(&mut self, bytes: usize) -> *mut u8 {
        let Some(size) = rounded(bytes) else {
            return null_mut();
        };
        if let Some(i) = self.fitting(size) {
            return self.cut(i, size);
        }
        let Some(i) = (0..self.len).max_by_key(|&i| self.pieces[i].1) else {
            return map(size);
        };
        let (p, old) = self.remove(i);
        self.drop_all();
        // SAFETY: [GC-HOST] a kept piece is ours and nobody uses it.
        unsafe {
            let new = remap(p, old, size);
            if !new.is_null() {
                return new;
            }
            unmap(p, old);
        }
        map(size)
    }

    /// Takes a piece back.
    ///
    /// # Safety
    /// [GC-HOST] `p` came from `take` or `resize` with that size, and is not used any more.
    pub unsafe fn give(&mut self, p: *mut u8, bytes: usize) {
        let (mut p, mut size) = (p, bytes.next_multiple_of(GRAIN));
        while let Some(i) = (0..self.len).find(|&i| {
            let (q, n) = self.pieces[i];
            q.wrapping_add(n) == p || p.wrapping_add(size) == q
        }) {
            let (q, n) = self.remove(i);
            p = p.min(q);
            size += n;
        }
        while self.len > 0 && (self.len == MAX_PIECES || self.bytes + size > MAX_KEPT) {
            let (q, n) = self.remove(0);
            // SAFETY: [GC-HOST] as in `take`.
            unsafe { unmap(q, n) };
        }
        if size > MAX_KEPT {
            // SAFETY: the caller's promise.
            unsafe { unmap(p, size) };
        } else {
            self.pieces[self.len] = (p, size);
            self.len += 1;
            self.bytes += size;
        }
    }

    /// Changes the size of a piece; it may move. Null on refusal: then it stays as it is.
    ///
    /// # Safety
    /// [GC-HOST] `p` came from `take` or `resize` with size `old`.
    pub unsafe fn resize(&mut self, p: *mut u8, old: usize, new: usize) -> *mut u8 {
        let (old, Some(new)) = (old.next_multiple_of(GRAIN), rounded(new)) else {
            return null_mut();
        };
        // SAFETY: the caller's promise; [GC-HOST] a kept piece is ours and nobody uses it.
        unsafe {
            if new <= old {
                if new < old {
                    self.give(p.add(new), old - new);
                }
                return p;
            }
            let end = p.wrapping_add(old);
            if let Some(i) =
                (0..self.len).find(|&i| self.pieces[i].0 == end && self.pieces[i].1 >= new - old)
            {
                self.cut(i, new - old);
                return p;
            }
            if let Some(i) = self.fitting(new) {
                let q = self.cut(i, new);
                core::ptr::copy_nonoverlapping(p, q, old);
                self.give(p, old);
                return q;
            }
            self.drop_all();
            let q = remap(p, old, new);
            if !q.is_null() {
                return q;
            }
            // what lies in several mappings of the system cannot be moved as one
            let q = map(new);
            if !q.is_null() {
                core::ptr::copy_nonoverlapping(p, q, old);
                unmap(p, old);
            }
            q
        }
    }

    /// Gives all that is kept to the system.
    pub fn drop_all(&mut self) {
        while self.len > 0 {
            let (p, size) = self.remove(self.len - 1);
            // SAFETY: [GC-HOST] as in `take`.
            unsafe { unmap(p, size) };
        }
    }

    /// The smallest kept piece of at least `size` bytes.
    fn fitting(&self, size: usize) -> Option<usize> {
        let fits = (0..self.len).filter(|&i| self.pieces[i].1 >= size);
        fits.min_by_key(|&i| self.pieces[i].1)
    }

    /// The first `size` bytes of a kept piece; the rest stays.
    fn cut(&mut self, i: usize, size: usize) -> *mut u8 {
        let (p, whole) = self.pieces[i];
        if whole == size {
            self.remove(i);
        } else {
            self.pieces[i] = (p.wrapping_add(size), whole - size);
            self.bytes -= size;
        }
        p
    }

    fn remove(&mut self, i: usize) -> (*mut u8, usize) {
        let piece = self.pieces[i];
        self.len -= 1;
        self.pieces[i] = self.pieces[self.len];
        self.bytes -= piece.1;
        piece
    }
}

/// Has `malloc` keep up to 512 KiB that are free at its end. It adapts that to what is given back to it, of which it does not see the large pieces: with the
/// 128 KiB that it begins with it gives up the memory of pieces of middle size and asks for it again all the time.
pub(crate) fn tell_malloc() {
    // SAFETY: malloc has no precondition; the piece is given back at once.
    unsafe { libc::free(core::hint::black_box(libc::malloc(2 * BIG))) };
}

/// Changes the size of a mapping, which may move, or gives null.
///
/// # Safety
/// [GC-HOST] `old` bytes from `p` are mapped and ours.
unsafe fn remap(p: *mut u8, old: usize, new: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    let q = unsafe { libc::mremap(p.cast(), old, new, libc::MREMAP_MAYMOVE) };
    if q == libc::MAP_FAILED {
        null_mut()
    } else {
        q.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    unsafe fn fill(p: *mut u8, bytes: usize, with: u8) {
        // SAFETY: the test's own piece.
        unsafe { p.write_bytes(with, bytes) };
    }

    unsafe fn holds(p: *mut u8, bytes: usize, with: u8) -> bool {
        // SAFETY: the test's own piece.
        let all = unsafe { core::slice::from_raw_parts(p, bytes) };
        all.iter().all(|&b| b == with)
    }

    #[test]
    fn what_was_given_back_is_taken_again() {
        let mut kept = Kept::new();
        // SAFETY: [GC-HOST] pieces of the test's own, each used until it is given back.
        unsafe {
            let p = kept.take(MIB);
            fill(p, MIB, 1);
            kept.give(p, MIB);
            let q = kept.take(MIB - 100);
            assert_eq!(q, p);
            assert_eq!(kept.len, 0);
            kept.give(q, MIB - 100);
            // smaller: the rest stays, and is joined again
            let a = kept.take(MIB / 4);
            let b = kept.take(MIB / 4);
            assert_eq!((a, kept.bytes), (p, MIB / 2));
            fill(a, MIB / 4, 2);
            fill(b, MIB / 4, 3);
            assert!(holds(a, MIB / 4, 2));
            kept.give(b, MIB / 4);
            kept.give(a, MIB / 4);
            assert_eq!((kept.len, kept.bytes), (1, MIB));
            kept.drop_all();
        }
    }

    #[test]
    fn pieces_grow_and_shrink_and_keep_their_contents() {
        let mut kept = Kept::new();
        // SAFETY: [GC-HOST] pieces of the test's own, each used until it is given back.
        unsafe {
            let p = kept.take(4 * MIB);
            kept.give(p, 4 * MIB);
            let p = kept.take(MIB);
            fill(p, MIB, 7);
            // into what is kept behind it
            assert_eq!(kept.resize(p, MIB, 3 * MIB), p);
            assert_eq!(kept.bytes, MIB);
            assert!(holds(p, MIB, 7));
            // beyond that
            fill(p, 3 * MIB, 8);
            let q = kept.resize(p, 3 * MIB, 9 * MIB);
            assert_eq!(kept.len, 0);
            assert!(holds(q, 3 * MIB, 8));
            fill(q, 9 * MIB, 9);
            assert_eq!(kept.resize(q, 9 * MIB, 2 * MIB), q);
            assert_eq!(kept.bytes, 7 * MIB);
            assert!(holds(q, 2 * MIB, 9));
            kept.give(q, 2 * MIB);
            assert_eq!((kept.len, kept.bytes), (1, 9 * MIB));
            kept.drop_all();
        }
    }

    #[test]
    fn pieces_from_several_mappings_move() {
        let mut kept = Kept::new();
        // SAFETY: [GC-HOST] pieces of the test's own, each used until it is given back.
        unsafe {
            let p = kept.take(MIB);
            fill(p, MIB, 5);
            // advice that differs splits the system's mapping
            let half = p.add(MIB / 2).cast();
            assert_eq!(libc::madvise(half, MIB / 2, libc::MADV_DONTFORK), 0);
            let q = kept.resize(p, MIB, 2 * MIB);
            assert!(holds(q, MIB, 5));
            fill(q, 2 * MIB, 6);
            kept.give(q, 2 * MIB);
            kept.drop_all();
        }
    }

    #[test]
    fn kept_memory_does_not_add_to_new_memory() {
        let mut kept = Kept::new();
        // SAFETY: [GC-HOST] pieces of the test's own, each used until it is given back.
        unsafe {
            let (a, b, c) = (kept.take(MIB), kept.take(MIB), kept.take(MIB));
            kept.give(a, MIB);
            kept.give(c, MIB);
            let p = kept.take(5 * MIB);
            assert_eq!((kept.len, kept.bytes), (0, 0));
            fill(p, 5 * MIB, 1);
            kept.give(b, MIB);
            kept.give(p, 5 * MIB);
            // never more than so much
            let big = kept.take(MAX_KEPT + MIB);
            kept.give(big, MAX_KEPT + MIB);
            assert!(kept.bytes <= MAX_KEPT);
            let many: Vec<_> = (0..3 * MAX_PIECES).map(|_| kept.take(MIB)).collect();
            for p in many.iter().step_by(2) {
                kept.give(*p, MIB);
            }
            assert!(kept.len <= MAX_PIECES);
            for p in many.iter().skip(1).step_by(2) {
                kept.give(*p, MIB);
            }
            assert!(kept.bytes <= MAX_KEPT);
            kept.drop_all();
        }
    }

    #[test]
    fn sizes_that_do_not_exist_are_refused() {
        let mut kept = Kept::new();
        assert!(kept.take(usize::MAX).is_null());
        assert!(kept.take(isize::MAX as usize).is_null());
        // SAFETY: [GC-HOST] pieces of the test's own, each used until it is given back.
        unsafe {
            let p = kept.take(MIB);
            fill(p, MIB, 4);
            assert!(kept.resize(p, MIB, usize::MAX).is_null());
            assert!(kept.resize(p, MIB, isize::MAX as usize).is_null());
            assert!(holds(p, MIB, 4));
            kept.give(p, MIB);
            kept.drop_all();
        }
    }
}
