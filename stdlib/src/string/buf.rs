//! A growing byte buffer for results, whose memory is kept for the next one.

use std::cell::Cell;
use std::mem::MaybeUninit;

use traceorus_base::Value;
pub(crate) use traceorus_vm::convert::append;
use traceorus_vm::ctx::{Ctx, LResult};
use traceorus_vm::string::{str_data, str_val};

/// Most bytes that are kept for the next buffer.
const KEEP: usize = 64 * 1024;
/// From this size on, growth asks the state for memory (which has the limit), in bytes.
pub(crate) const ASK: usize = 16 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A result under construction. Methods that may grow it can collect: what is appended must be reachable.
pub(crate) struct Buf {
    v: Vec<u8>,
}

impl Buf {
    /// An empty buffer.
    #[inline]
    pub(crate) fn new() -> Buf {
        let mut v = SPARE.take();
        v.clear();
        Buf { v }
    }
    /// Number of bytes in it.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.v.len()
    }
    /// Makes room for `n` more bytes and gives the vector, to which that many can be appended.
    #[inline]
    pub(crate) fn room(&mut self, cx: Ctx, n: usize) -> LResult<&mut Vec<u8>> {
        if self.v.capacity() - self.v.len() < n {
            self.grow(cx, n)?;
        }
        Ok(&mut self.v)
    }
    #[cold]
    fn grow(&mut self, cx: Ctx, n: usize) -> LResult<()> {
        let need = self.v.len().saturating_add(n);
        let cap = need.max(self.v.capacity().saturating_mul(2)).max(512);
        if cap > ASK {
            cx.reserve(cap)?;
        }
        if self.v.try_reserve_exact(cap - self.v.len()).is_err() {
            return Err(no_memory(cx));
        }
        Ok(())
    }
    /// Appends bytes.
    #[inline]
    pub(crate) fn add(&mut self, cx: Ctx, bytes: &[u8]) -> LResult<()> {
        append(self.room(cx, bytes.len())?, bytes);
        Ok(())
    }
    /// Appends `n` times the byte `b`.
    pub(crate) fn fill(&mut self, cx: Ctx, b: u8, n: usize) -> LResult<()> {
        let v = self.room(cx, n)?;
        v.resize(v.len() + n, b);
        Ok(())
    }
    /// The string.
    #[inline(always)]
    pub(crate) fn finish(self, cx: Ctx) -> LResult<Value> {
        string(cx, &self.v)
    }
}

impl Drop for Buf {
    #[inline]
    fn drop(&mut self) {
        if self.v.capacity() <= KEEP {
            SPARE.set(std::mem::take(&mut self.v));
        }
    }
}

/// The error "not enough memory".
#[cold]
pub(crate) fn no_memory(cx: Ctx) -> traceorus_vm::ctx::Throw {
    match cx.reserve(usize::MAX / 4) {
        Err(e) => e,
        Ok(()) => cx.throw(cx.str("not enough memory")),
    }
}

/// As `Ctx::try_str`, always inlined: a `Result` of a value that is returned goes through memory.
#[inline(always)]
pub(crate) fn string(cx: Ctx, bytes: &[u8]) -> LResult<Value> {
    if bytes.len() > 4096 {
        cx.reserve(bytes.len() + 64)?;
    }
    Ok(cx.str(bytes))
}

/// A string of `len` bytes that `fill` writes, all of them. May collect.
#[inline]
pub(crate) fn build(
    cx: Ctx,
    len: usize,
    fill: impl FnOnce(&mut [MaybeUninit<u8>]),
) -> LResult<Value> {
    const SMALL: usize = 64;
    if len <= SMALL {
        let mut b = [MaybeUninit::uninit(); SMALL];
        fill(&mut b[..len]);
        // SAFETY: `fill` has written the first `len` bytes.
        let bytes = unsafe { std::slice::from_raw_parts(b.as_ptr().cast::<u8>(), len) };
        return Ok(cx.str(bytes));
    }
    if len > 4096 {
        cx.reserve(len + 64)?;
    }
    // SAFETY: a fresh string has room for its bytes; nothing collects before it is complete, and it is too long to be
    // interned.
    unsafe {
        let s = cx.g().str_alloc_long(len);
        fill(std::slice::from_raw_parts_mut(str_data(s).cast(), len));
        Ok(str_val(cx.g().str_finish(s)))
    }
}
