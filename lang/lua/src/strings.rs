//! Interned strings of one compilation: names and string literals become numbers that compare in one step.

use std::sync::LazyLock;

use traceorus_base::chunk;

use crate::token::RESERVED;

/// Number of an interned string. Reserved words come first, in the order of [`crate::token::RESERVED`], then the names below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StrId(pub u32);

impl StrId {
    const AFTER: u32 = RESERVED.len() as u32;
    /// Name of the variable whose fields globals are.
    pub const ENV: StrId = StrId(StrId::AFTER);
    /// First parameter of methods.
    pub const SELF: StrId = StrId(StrId::AFTER + 1);
    /// What variables of loops that programs do not see are called.
    pub const STATE: StrId = StrId(StrId::AFTER + 2);
}

/// The strings that there always are.
const FIXED: usize = RESERVED.len() + 3;

/// The strings of one compilation.
pub struct Strings {
    /// What a chunk gets.
    pub table: chunk::Strings,
    hashes: Vec<u32>,
    /// Open addressing, number + 1 or 0. A power of two long, at most half full.
    slots: Vec<u32>,
}

impl Strings {
    /// A table that knows the strings that there always are.
    pub fn new() -> Strings {
        static INITIAL: LazyLock<Strings> = LazyLock::new(|| {
            let mut s = Strings {
                table: chunk::Strings::default(),
                hashes: Vec::new(),
                slots: vec![0; 256],
            };
            let reserved = RESERVED.iter().map(|&(word, _)| word);
            for (i, word) in reserved.chain(["_ENV", "self", "(for state)"]).enumerate() {
                let id = s.intern(word.as_bytes());
                debug_assert_eq!(id.0 as usize, i);
            }
            s
        });
        let mut s = Strings {
            table: chunk::Strings::with_capacity(128, 1024),
            hashes: Vec::with_capacity(128),
            slots: INITIAL.slots.clone(),
        };
        for word in INITIAL.table.iter() {
            s.table.push(word);
        }
        s.hashes.extend_from_slice(&INITIAL.hashes);
        s
    }

    /// Forgets all others.
    pub fn reset(&mut self) {
        let mask = self.slots.len() - 1;
        // in the opposite order, so that each is found where it was put
        for n in (FIXED..self.len()).rev() {
            let mut i = self.hashes[n] as usize & mask;
            while self.slots[i] != n as u32 + 1 {
                i = (i + 1) & mask;
            }
            self.slots[i] = 0;
        }
        self.table.truncate(FIXED);
        self.hashes.truncate(FIXED);
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The bytes of a string.
    #[inline]
    pub fn get(&self, id: StrId) -> &[u8] {
        self.table.name(id.0)
    }

    /// The number of a string, a new one if it has not been seen.
    #[inline]
    pub fn intern(&mut self, s: &[u8]) -> StrId {
        let h = hash(s);
        let mask = self.slots.len() - 1;
        let mut i = h as usize & mask;
        loop {
            match self.slots[i] {
                0 => return self.add(s, h, i),
                n => {
                    let id = StrId(n - 1);
                    if self.hashes[id.0 as usize] == h && self.get(id) == s {
                        return id;
                    }
                }
            }
            i = (i + 1) & mask;
        }
    }

    #[cold]
    fn add(&mut self, s: &[u8], h: u32, slot: usize) -> StrId {
        let id = self.table.push(s);
        self.hashes.push(h);
        self.slots[slot] = id + 1;
        if self.table.len() * 2 > self.slots.len() {
            let mask = self.slots.len() * 2 - 1;
            let mut slots = vec![0; mask + 1];
            for (n, &h) in self.hashes.iter().enumerate() {
                let mut i = h as usize & mask;
                while slots[i] != 0 {
                    i = (i + 1) & mask;
                }
                slots[i] = n as u32 + 1;
            }
            self.slots = slots;
        }
        StrId(id)
    }
}

#[inline]
fn hash(s: &[u8]) -> u32 {
    const K: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut h = s.len() as u64;
    let mut chunks = s.chunks_exact(8);
    for c in &mut chunks {
        let w = u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]]);
        h = (h.rotate_left(5) ^ w).wrapping_mul(K);
    }
    let mut tail = 0u64;
    for &b in chunks.remainder() {
        tail = tail << 8 | u64::from(b);
    }
    h = (h.rotate_left(5) ^ tail).wrapping_mul(K);
    (h >> 32) as u32 ^ (h >> 12) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forgotten_strings_can_be_added_again() {
        let mut s = Strings::new();
        let fixed = s.slots.clone();
        for most in [0, 1, 90, 5, 3000, 200] {
            for round in 0..2 {
                for n in 0..most {
                    let word = format!("word{}", n * (round + 1));
                    let id = s.intern(word.as_bytes());
                    assert_eq!(s.get(id), word.as_bytes());
                    assert_eq!(s.intern(word.as_bytes()), id);
                }
                assert_eq!(s.len() - FIXED, most);
                s.reset();
                assert_eq!(s.len(), FIXED);
                assert_eq!(s.slots.iter().filter(|&&n| n != 0).count(), FIXED);
                assert_eq!(s.intern(b"_ENV"), StrId::ENV);
                assert_eq!(s.intern(b"self"), StrId::SELF);
                assert_eq!(s.intern(b"(for state)"), StrId::STATE);
                assert_eq!(s.intern(RESERVED[3].0.as_bytes()), StrId(3));
                assert_eq!(s.len(), FIXED);
            }
            if most <= 90 {
                assert_eq!(s.slots, fixed);
            }
        }
    }
}
