//! The text that `string.gsub` makes while its body runs (`vm::body`).
//!
//! Calls of it nest, the inner one ends first, and any may end by an error. So there is one buffer in a state: the text of a call lies behind what
//! was there when it began, and its body holds the length after its own last piece. What is behind that belongs to calls that are over.

use crate::convert::append;

/// Most bytes of memory that are kept when nobody uses the buffer.
const KEEP: usize = 64 * 1024;

/// The buffer.
#[derive(Default)]
pub struct Pieces {
    text: Vec<u8>,
}

impl Pieces {
    /// Empty.
    pub const fn new() -> Pieces {
        Pieces { text: Vec::new() }
    }
    /// Where the text of a call starts that begins now.
    pub fn start(&self) -> usize {
        self.text.len()
    }
    /// How many bytes it would have to ask for to have `n` behind the first `len`; 0: there is room for them.
    pub fn wants(&self, len: usize, n: usize) -> usize {
        let need = len.saturating_add(n);
        match self.text.capacity() {
            cap if cap >= need => 0,
            cap => need.max(cap.saturating_mul(2)).max(512),
        }
    }
    /// Makes room for `size` bytes. False: there is no memory.
    pub fn grow(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.text.len());
        self.text.try_reserve_exact(more).is_ok()
    }
    /// Two pieces behind the first `len` bytes: the length then.
    pub fn put(&mut self, len: usize, a: &[u8], b: &[u8]) -> usize {
        self.text.truncate(len);
        append(&mut self.text, a);
        append(&mut self.text, b);
        self.text.len()
    }
    /// The text from `start` on.
    pub fn text(&self, start: usize) -> &[u8] {
        self.text.get(start..).unwrap_or_default()
    }
    /// The call whose text starts at `start` is over.
    pub fn drop_from(&mut self, start: usize) {
        self.text.truncate(start);
        if start == 0 && self.text.capacity() > KEEP {
            self.text = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEEP, Pieces};

    #[test]
    fn texts_lie_behind_one_another() {
        let mut p = Pieces::new();
        let len = p.put(0, b"ab", b"c");
        let inner = p.start();
        assert_eq!((len, inner), (3, 3));
        // the inner call fails
        p.put(inner, b"lost", b"");
        assert_eq!(p.put(len, b"d", b""), 4);
        assert_eq!(p.text(0), b"abcd");
        assert_eq!(p.text(9), b"");
        p.drop_from(3);
        assert_eq!(p.text(0), b"abc");
    }

    #[test]
    fn room_is_asked_for_and_given_back() {
        let mut p = Pieces::new();
        let size = p.wants(0, 2 * KEEP);
        assert!(size >= 2 * KEEP && p.grow(size));
        assert_eq!(p.wants(0, 2 * KEEP), 0);
        p.put(0, b"x", b"y");
        p.drop_from(1);
        assert_eq!(p.wants(0, 2 * KEEP), 0);
        p.drop_from(0);
        assert!(p.wants(0, 2 * KEEP) > 0);
    }
}
