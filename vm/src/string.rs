//! Strings: interning of short ones, lazily hashed long ones.
//!
//! The intern table grows by *linear hashing*: one bucket is split per step, so an insertion does a bounded
//! amount of work, every string is in exactly one chain at any time, and all chains hang off one array.
//! When to split is decided by the lengths of the chains that insertions walk, so the
//! collector may unlink strings without telling. The array itself is doubled by `realloc`, which remaps pages
//! once it is large; if that fails the chains just grow longer.
//!
//! Allocation here never collects and never fails: callers reserve first (`str_size`).

use core::mem::MaybeUninit;
use core::ptr::{copy_nonoverlapping, null_mut};

use traceorus_base::objects::{GcHeader, ObjKind, Str, flags};
use traceorus_base::value::{Tag, Value};

use crate::number::{digits, fmt_number};
use crate::state::Global;

mod words;
use words::Words;

/// Buckets of a fresh intern table.
const MIN_BUCKETS: usize = 512;

/// Interned strings.
pub struct StringTable {
    /// `allocated` chain heads, the first `len` in use.
    buckets: *mut *mut Str,
    /// Buckets in use: `half <= len < 2 * half`.
    len: usize,
    /// Largest power of two not above `len`.
    half: usize,
    /// Heads that are null or in use.
    ready: usize,
    /// Heads that there is memory for.
    allocated: usize,
    /// Work owed: positive when chains are longer than they should be.
    debt: i32,
    /// Seed of the state's hashes.
    seed: u64,
}

impl StringTable {
    /// An empty table. The seed makes bucket order unpredictable to a program's input.
    pub fn new(seed: u64) -> StringTable {
        // SAFETY: plain allocation, checked below.
        let buckets = unsafe { libc::calloc(MIN_BUCKETS, 8) } as *mut *mut Str;
        if buckets.is_null() {
            std::alloc::handle_alloc_error(std::alloc::Layout::new::<[u64; MIN_BUCKETS]>());
        }
        StringTable {
            buckets,
            len: MIN_BUCKETS,
            half: MIN_BUCKETS,
            ready: MIN_BUCKETS,
            allocated: MIN_BUCKETS,
            debt: 0,
            seed,
        }
    }

    /// Buckets in use.
    pub fn buckets(&self) -> usize {
        self.len
    }

    /// Address of the chain head for a hash.
    #[inline(always)]
    pub(crate) fn head(&self, hash: u32) -> *mut *mut Str {
        let mut i = hash as usize & (2 * self.half - 1);
        if i >= self.len {
            i &= self.half - 1;
        }
        // SAFETY: `i < len <= allocated`.
        unsafe { self.buckets.add(i) }
    }

    /// Splits the next bucket in turn.
    ///
    /// # Safety
    /// [GC-LIVE] all chains are intact (dead strings that are not swept yet may still be linked).
    #[cold]
    unsafe fn split(&mut self) {
        // SAFETY: the array has `allocated` heads; chains hold only strings whose memory the sweep has not
        // taken back, since it unlinks them first.
        unsafe {
            if self.len == self.ready && !self.extend() {
                return;
            }
            let low = self.buckets.add(self.len - self.half);
            let high = self.buckets.add(self.len);
            let mut s = *low;
            let (mut low_at, mut high_at) = (low, high);
            while !s.is_null() {
                if (*s).hdr.word as usize & self.half != 0 {
                    *high_at = s;
                    high_at = &raw mut (*s).next;
                } else {
                    *low_at = s;
                    low_at = &raw mut (*s).next;
                }
                s = (*s).next;
            }
            *low_at = null_mut();
            *high_at = null_mut();
            self.len += 1;
            if self.len == 2 * self.half {
                self.half = self.len;
            }
        }
    }

    /// Readies more heads, a sixteenth of the table at a time; false if there is no memory.
    #[cold]
    fn extend(&mut self) -> bool {
        // SAFETY: the array came from libc's allocator; heads are written inside the allocated part.
        unsafe {
            if self.ready == self.allocated {
                let grown = libc::realloc(self.buckets.cast(), self.allocated * 16);
                if grown.is_null() {
                    return false;
                }
                self.buckets = grown as *mut *mut Str;
                self.allocated *= 2;
            }
            let step = (self.half / 16)
                .max(MIN_BUCKETS / 2)
                .min(self.allocated - self.ready);
            self.buckets.add(self.ready).write_bytes(0, step);
            self.ready += step;
        }
        true
    }

    /// Accounts for an insertion behind `walked` other strings and splits as needed. With chains of length 1
    /// on average, one bucket is split per insertion.
    ///
    /// # Safety
    /// As [`StringTable::split`].
    #[inline(always)]
    unsafe fn inserted(&mut self, walked: i32) {
        self.debt += 2 * walked - 1;
        if self.debt > 0 {
            // SAFETY: the caller's promise.
            unsafe { self.split() };
            self.debt -= 1;
            if self.debt > 64 {
                // SAFETY: as above.
                unsafe { self.split() };
                self.debt -= 1;
            }
        } else if self.debt < -64 {
            self.debt = -64;
        }
    }
}

impl Drop for StringTable {
    fn drop(&mut self) {
        // SAFETY: the array came from libc's allocator and nobody uses it any more.
        unsafe { libc::free(self.buckets.cast()) };
    }
}

const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;
const K2: u64 = 0x8ebc_6af0_9c88_c6e3;

#[inline(always)]
fn mum(a: u64, b: u64) -> u64 {
    let p = u128::from(a) * u128::from(b);
    p as u64 ^ (p >> 64) as u64
}

/// Reads `N <= 8` bytes at `i`.
#[inline(always)]
fn word<const N: usize>(b: &[u8], i: usize) -> u64 {
    let mut w = [0u8; 8];
    w[..N].copy_from_slice(&b[i..i + N]);
    u64::from_le_bytes(w)
}

/// Seeded hash of a byte string, over all its bytes.
#[inline]
pub fn hash_bytes(seed: u64, b: &[u8]) -> u32 {
    let n = b.len();
    if n <= Words::MAX {
        return Words::of(b).hash(seed);
    }
    let mut h = seed ^ K0;
    let mut i = 0;
    while i + 16 < n {
        h = mum(word::<8>(b, i) ^ K1, word::<8>(b, i + 8) ^ h);
        i += 16;
    }
    let m = mum(word::<8>(b, n - 16) ^ K1, word::<8>(b, n - 8) ^ h);
    mum(m ^ K2, n as u64 ^ K1) as u32
}

/// Copies a text, without a call if it is short.
///
/// # Safety
/// There is room for it at `to`, not in it.
#[inline(always)]
pub unsafe fn copy_text(from: &[u8], to: *mut u8) {
    // SAFETY: all parts are inside `from`; as promised.
    unsafe {
        let (p, n) = (from.as_ptr(), from.len());
        if n > 16 {
            copy_nonoverlapping(p, to, n);
        } else if n >= 8 {
            let (x, y) = (word::<8>(from, 0), word::<8>(from, n - 8));
            to.cast::<u64>().write_unaligned(x);
            to.add(n - 8).cast::<u64>().write_unaligned(y);
        } else if n >= 4 {
            let (x, y) = (word::<4>(from, 0), word::<4>(from, n - 4));
            to.cast::<u32>().write_unaligned(x as u32);
            to.add(n - 4).cast::<u32>().write_unaligned(y as u32);
        } else if n > 0 {
            let (x, y, z) = (*p, *p.add(n / 2), *p.add(n - 1));
            *to = x;
            *to.add(n / 2) = y;
            *to.add(n - 1) = z;
        }
    }
}

/// Equality of two texts, without a call if they are short.
#[inline(always)]
pub fn same_text(a: &[u8], b: &[u8]) -> bool {
    let n = a.len();
    if n != b.len() {
        false
    } else if n > 16 {
        a == b
    } else if n >= 8 {
        word::<8>(a, 0) == word::<8>(b, 0) && word::<8>(a, n - 8) == word::<8>(b, n - 8)
    } else if n >= 4 {
        word::<4>(a, 0) == word::<4>(b, 0) && word::<4>(a, n - 4) == word::<4>(b, n - 4)
    } else {
        n == 0 || a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]
    }
}

/// Bytes to reserve for a string of `len` bytes.
pub const fn str_size(len: usize) -> usize {
    Str::size_for(len)
}

impl Global {
    /// String with these bytes: the interned one if short, a new one if long. The caller has reserved
    /// [`str_size`]. `bytes` may point into another string.
    ///
    /// # Safety
    /// The state is complete.
    #[inline]
    pub unsafe fn str_new(&mut self, bytes: &[u8]) -> *mut Str {
        // SAFETY: the long string has room for exactly these bytes.
        unsafe {
            if bytes.len() <= Str::MAX_SHORT {
                return self.intern(bytes);
            }
            let s = self.str_alloc_long(bytes.len());
            copy_nonoverlapping(bytes.as_ptr(), str_data(s), bytes.len());
            s
        }
    }

    /// Whether [`Global::str_new`] would make a new object.
    ///
    /// # Safety
    /// The state is complete.
    pub unsafe fn str_is_new(&mut self, bytes: &[u8]) -> bool {
        // SAFETY: the caller's promise.
        unsafe {
            if bytes.len() > Str::MAX_SHORT {
                return true;
            }
            let seed = self.strings.seed;
            let hash = match bytes.len() {
                ..=Words::MAX => Words::of(bytes).hash(seed),
                _ => hash_bytes(seed, bytes),
            };
            let found = self.intern_find(hash, |x| same_text(str_bytes(x), bytes));
            found.0.is_null()
        }
    }

    /// The same as [`Global::str_new`]; its name says that the caller has seen to the memory.
    ///
    /// # Safety
    /// The state is complete; [`str_size`] bytes are reserved.
    #[inline]
    pub unsafe fn str_new_reserved(&mut self, bytes: &[u8]) -> *mut Str {
        // SAFETY: the caller's promise.
        unsafe { self.str_new(bytes) }
    }

    /// String object with uninitialised bytes and the NUL set. If `len` is at most [`Str::MAX_SHORT`] the
    /// caller must give it to [`Global::str_finish`] once the bytes are written, and use what that returns.
    ///
    /// # Safety
    /// The state is complete; [`str_size`] bytes are reserved.
    pub unsafe fn str_alloc_long(&mut self, len: usize) -> *mut Str {
        // SAFETY: the object has room for header, bytes and NUL.
        unsafe {
            let s = self.heap.alloc(ObjKind::String, Str::size_for(len)) as *mut Str;
            // Until the hash is asked for, its place keeps the seed.
            (*s).hdr.word = self.strings.seed as u32;
            (*s).len = len as u64;
            (*s).next = null_mut();
            *str_data(s).add(len) = 0;
            s
        }
    }

    /// Completes a string of [`Global::str_alloc_long`]: interns a short one (the result is then the object
    /// itself, or an older string with the same bytes), leaves a long one alone.
    ///
    /// # Safety
    /// `s` is fresh, its bytes are written and nothing else refers to it.
    pub unsafe fn str_finish(&mut self, s: *mut Str) -> *mut Str {
        // SAFETY: [GC-LIVE] `s` is fresh; nothing here collects.
        unsafe {
            let len = (*s).len as usize;
            if len > Str::MAX_SHORT {
                return s;
            }
            let hash = hash_bytes(self.strings.seed, str_bytes(s));
            let (found, walked) = self.intern_find(hash, |x| same_text(str_bytes(x), str_bytes(s)));
            if !found.is_null() {
                return found;
            }
            self.intern_link(s, hash, walked);
            s
        }
    }

    #[inline]
    unsafe fn intern(&mut self, bytes: &[u8]) -> *mut Str {
        // SAFETY: [GC-LIVE] a found string is brought back to life if it was about to be swept.
        unsafe {
            if bytes.len() <= Words::MAX {
                return self.intern_words(Words::of(bytes));
            }
            let hash = hash_bytes(self.strings.seed, bytes);
            let (found, walked) = self.intern_find(hash, |x| same_text(str_bytes(x), bytes));
            if !found.is_null() {
                return found;
            }
            let s = self.heap.alloc(ObjKind::String, Str::size_for(bytes.len())) as *mut Str;
            (*s).len = bytes.len() as u64;
            copy_text(bytes, str_data(s));
            *str_data(s).add(bytes.len()) = 0;
            self.intern_link(s, hash, walked);
            s
        }
    }

    /// The interned string with this text.
    ///
    /// # Safety
    /// The state is complete.
    #[inline(always)]
    unsafe fn intern_words(&mut self, text: Words) -> *mut Str {
        // SAFETY: [GC-LIVE] as `intern`.
        unsafe {
            let hash = text.hash(self.strings.seed);
            let (found, walked) = self.intern_find(hash, |s| text.is_text_of(s));
            if !found.is_null() {
                return found;
            }
            let bytes = Str::size_for(text.len());
            let s = self.heap.alloc(ObjKind::String, bytes) as *mut Str;
            (*s).len = text.len() as u64;
            text.write(s);
            self.intern_link(s, hash, walked);
            s
        }
    }

    /// The interned string with this hash for which `same` holds, or null and the length of its chain.
    #[inline(always)]
    unsafe fn intern_find(
        &mut self,
        hash: u32,
        same: impl Fn(*mut Str) -> bool,
    ) -> (*mut Str, i32) {
        // SAFETY: chains hold strings whose memory is intact; a dead one is resurrected before it is used.
        unsafe {
            let mut s = *self.strings.head(hash);
            let mut walked = 0;
            while !s.is_null() {
                if (*s).hdr.word == hash && same(s) {
                    self.heap.resurrect_string(s);
                    return (s, 0);
                }
                walked += 1;
                s = (*s).next;
            }
            (null_mut(), walked)
        }
    }

    #[inline]
    unsafe fn intern_link(&mut self, s: *mut Str, hash: u32, walked: i32) {
        // SAFETY: [GC-LIVE] `s` is fresh, its length and bytes are set.
        unsafe {
            (*s).hdr.flags |= flags::STR_SHORT;
            (*s).hdr.word = hash;
            let head = self.strings.head(hash);
            (*s).next = *head;
            *head = s;
            self.strings.inserted(walked);
        }
    }
}

/// Size of results that [`str_join`] puts together on the native stack.
const JOIN_BUF: usize = 256;

/// The texts of strings and numbers together; `None` if that is longer than 256 bytes. Numbers are written straight into it.
///
/// # Safety
/// [GC-LIVE] the values, strings or numbers, are alive.
#[inline(always)]
pub unsafe fn str_join(g: &mut Global, values: &[Value]) -> Option<*mut Str> {
    // SAFETY: as promised.
    unsafe {
        match word_of(values) {
            Some(text) => Some(g.intern_words(text)),
            None => str_join_words(g, values),
        }
    }
}
#[inline(never)]
unsafe fn str_join_words(g: &mut Global, values: &[Value]) -> Option<*mut Str> {
    // SAFETY: as the caller.
    unsafe {
        match words_of(values) {
            Some(text) => Some(g.intern_words(text)),
            None => str_join_long(g, values),
        }
    }
}

/// The texts of strings and small integers together, if they fit one word.
#[inline(always)]
unsafe fn word_of(values: &[Value]) -> Option<Words> {
    let (mut text, mut len) = (0, 0);
    for &v in values {
        let (more, n) = match v.tag {
            Tag::INT => {
                let (digits, n) = digits::word(v.as_int().unsigned_abs())?;
                let sign = usize::from(v.as_int() < 0);
                // 8 digits and a sign are too long
                (
                    (digits << (8 * sign)) | (u64::from(b'-') * sign as u64),
                    n + sign,
                )
            }
            Tag::STRING => {
                // SAFETY: [GC-LIVE].
                unsafe { Words::word_of_str(v.as_ptr())? }
            }
            _ => return None,
        };
        if len + n > 8 {
            return None;
        }
        // if there is no room there is nothing more either
        text |= more.wrapping_shl(8 * len as u32);
        len += n;
    }
    Some(Words::of_word(text, len))
}

/// The texts of strings and small integers together, if they are short enough.
#[inline(always)]
unsafe fn words_of(values: &[Value]) -> Option<Words> {
    let mut text = Words::EMPTY;
    for &v in values {
        text = text.then(match v.tag {
            Tag::INT => Words::of_int(v.as_int())?,
            Tag::STRING => {
                let s: *mut Str = v.as_ptr();
                // SAFETY: [GC-LIVE].
                unsafe {
                    if (*s).len as usize > Words::MAX {
                        return None;
                    }
                    Words::of_str(s)
                }
            }
            _ => return None,
        })?;
    }
    Some(text)
}

unsafe fn str_join_long(g: &mut Global, values: &[Value]) -> Option<*mut Str> {
    let mut buf = [MaybeUninit::<u8>::uninit(); JOIN_BUF];
    let to = buf.as_mut_ptr() as *mut u8;
    let mut at = 0;
    for &v in values {
        // SAFETY: what is written is at most the room that is left.
        unsafe {
            if v.tag == Tag::INT && at < JOIN_BUF - digits::ROOM {
                let n = v.as_int();
                if n < 0 {
                    *to.add(at) = b'-';
                    at += 1;
                }
                at += digits::write(to.add(at), n.unsigned_abs());
                continue;
            }
            let number;
            let piece = if v.tag == Tag::STRING {
                str_bytes(v.as_ptr())
            } else {
                number = fmt_number(v);
                number.as_bytes()
            };
            if piece.len() > JOIN_BUF - at {
                return None;
            }
            copy_text(piece, to.add(at));
            at += piece.len();
        }
    }
    // SAFETY: the first `at` bytes are written; a text of this size needs no reservation.
    unsafe { Some(g.str_new(core::slice::from_raw_parts(to, at))) }
}

/// First byte of a string's text.
///
/// # Safety
/// `s` points to a string object.
#[inline(always)]
pub unsafe fn str_data(s: *mut Str) -> *mut u8 {
    // SAFETY: the bytes follow the header in the same object.
    unsafe { (s as *mut u8).add(Str::DATA) }
}

/// Bytes of a string, without the NUL. The lifetime is the caller's responsibility.
///
/// # Safety
/// [GC-LIVE] `s` stays alive while the slice is used.
#[inline(always)]
pub unsafe fn str_bytes(s: *mut Str) -> &'static [u8] {
    // SAFETY: the bytes follow the header in the same object; [GC-LIVE].
    unsafe { core::slice::from_raw_parts(str_data(s), (*s).len as usize) }
}

/// True for interned strings.
///
/// # Safety
/// [GC-LIVE] `s` is alive.
#[inline(always)]
pub unsafe fn str_is_short(s: *mut Str) -> bool {
    // SAFETY: [GC-LIVE].
    unsafe { (*s).hdr.flags & flags::STR_SHORT != 0 }
}

/// Equality: identity for short strings, bytes for long ones.
///
/// # Safety
/// [GC-LIVE] both are alive.
#[inline(always)]
pub unsafe fn str_eq(a: *mut Str, b: *mut Str) -> bool {
    // SAFETY: [GC-LIVE].
    unsafe { a == b || (!str_is_short(a) && !str_is_short(b) && str_bytes(a) == str_bytes(b)) }
}

/// Hash of a string; that of a long one is computed when first asked for and kept.
///
/// # Safety
/// [GC-LIVE] `s` is alive.
#[inline]
pub unsafe fn str_hash(s: *mut Str) -> u32 {
    // SAFETY: [GC-LIVE].
    unsafe {
        let hdr: *mut GcHeader = &raw mut (*s).hdr;
        if (*hdr).flags & (flags::STR_SHORT | flags::STR_HASHED) == 0 {
            (*hdr).word = hash_bytes(u64::from((*hdr).word), str_bytes(s));
            (*hdr).flags |= flags::STR_HASHED;
        }
        (*hdr).word
    }
}

/// The value that holds a string.
#[inline(always)]
pub fn str_val(s: *mut Str) -> Value {
    Value::ptr(s, Tag::STRING)
}

#[cfg(test)]
mod tests;
