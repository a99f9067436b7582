//! Memory from the host: the system's allocator or a function like `lua_Alloc`.
//!
//! A host gives 16-byte alignment and nothing else. What must be aligned to a block is asked for with the
//! alignment as slack. From the system it is mapped, so that it takes memory page by page, as it is written, and
//! gives it back whatever lies around it.

use core::ptr::null_mut;

/// The least alignment of a mapping.
const PAGE: usize = 4096;

/// As `lua_Alloc`: `(ud, ptr, osize, nsize)`. `nsize == 0` frees `ptr`; `ptr` null allocates; a smaller
/// `nsize` never fails. Results are aligned to 16 bytes.
pub type AllocFn = unsafe extern "C" fn(*mut u8, *mut u8, usize, usize) -> *mut u8;

/// Where memory comes from.
#[derive(Clone, Copy, Debug)]
pub enum HostAlloc {
    /// `malloc` and its kin.
    System,
    /// A function of the program that embeds the runtime.
    Custom {
        /// The function.
        f: AllocFn,
        /// Its first argument.
        ud: *mut u8,
    },
}

impl HostAlloc {
    /// `bytes` (not 0) of memory or null.
    pub(crate) fn alloc(self, bytes: usize) -> *mut u8 {
        match self {
            // SAFETY: malloc has no precondition.
            HostAlloc::System => unsafe { libc::malloc(bytes).cast() },
            // SAFETY: [GC-HOST] the function follows `lua_Alloc`'s contract.
            HostAlloc::Custom { f, ud } => unsafe { f(ud, null_mut(), 0, bytes) },
        }
    }

    /// `bytes` aligned to `align` (a power of two): `(raw, raw size, aligned)`; raw is null on refusal. Pages of
    /// the system's that were never written take no memory.
    pub(crate) fn alloc_aligned(self, bytes: usize, align: usize) -> (*mut u8, usize, *mut u8) {
        let aligned = match self {
            HostAlloc::System => PAGE,
            HostAlloc::Custom { .. } => 16,
        };
        let Some(size) = bytes.checked_add(align - aligned) else {
            return (null_mut(), 0, null_mut());
        };
        let raw = match self {
            HostAlloc::System => map(size),
            HostAlloc::Custom { .. } => self.alloc(size),
        };
        (raw, size, raw.map_addr(|a| (a + align - 1) & !(align - 1)))
    }

    /// Whether it is a function of the program, which may count what it gives, and refuse.
    #[inline]
    pub(crate) fn is_counting(self) -> bool {
        matches!(self, HostAlloc::Custom { .. })
    }

    /// Whether it would give `bytes` now.
    pub(crate) fn gives(self, bytes: usize) -> bool {
        let p = self.alloc(bytes);
        if p.is_null() {
            return false;
        }
        // SAFETY: it came from this host with that size.
        unsafe { self.free(p, bytes) };
        true
    }

    /// Whether `alloc_aligned` gives mappings: memory that was not written yet costs nothing.
    pub(crate) fn is_lazy(self) -> bool {
        matches!(self, HostAlloc::System)
    }

    /// Changes the size of a piece; it may move. Null on refusal: then it stays as it is.
    ///
    /// # Safety
    /// `p` came from this host with size `old > 0`; `new > 0`.
    pub(crate) unsafe fn resize(self, p: *mut u8, old: usize, new: usize) -> *mut u8 {
        match self {
            // SAFETY: the caller's promise.
            HostAlloc::System => unsafe { libc::realloc(p.cast(), new).cast() },
            // SAFETY: [GC-HOST] and the caller's promise.
            HostAlloc::Custom { f, ud } => unsafe { f(ud, p, old, new) },
        }
    }

    /// Gives a piece back.
    ///
    /// # Safety
    /// `p` came from this host with that size, and is not used any more.
    pub(crate) unsafe fn free(self, p: *mut u8, bytes: usize) {
        match self {
            // SAFETY: the caller's promise.
            HostAlloc::System => unsafe { libc::free(p.cast()) },
            // SAFETY: [GC-HOST] and the caller's promise.
            HostAlloc::Custom { f, ud } => unsafe {
                f(ud, p, bytes, 0);
            },
        }
    }
}

/// Fresh zeroed pages, or null.
pub(crate) fn map(bytes: usize) -> *mut u8 {
    // SAFETY: a new private mapping touches nothing that exists.
    let p = unsafe {
        libc::mmap(
            null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if p == libc::MAP_FAILED {
        null_mut()
    } else {
        p.cast()
    }
}

/// Removes a mapping.
///
/// # Safety
/// [GC-HOST] `p` came from `map` with that size, and is not used any more.
pub(crate) unsafe fn unmap(p: *mut u8, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { libc::munmap(p.cast(), bytes) };
}

/// Lets the system take the pages of a part of a mapping; its contents are lost. False if they stay.
///
/// # Safety
/// [GC-HOST] the part is in a mapping of ours and not in use; it begins and ends at multiples of a block.
pub(crate) unsafe fn discard(p: *mut u8, bytes: usize) -> bool {
    // SAFETY: the caller's promise.
    unsafe { libc::madvise(p.cast(), bytes, libc::MADV_DONTNEED) == 0 }
}
