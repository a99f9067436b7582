//! Memory from the host: the system's allocator or a function like `lua_Alloc`.
//!
//! A host gives 16-byte alignment and nothing else. What must be aligned to a block is asked for with the
//! alignment as slack, except from the system, which can align.

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
            HostAlloc::Custom { f, ud } => unsafe { f(ud, core::ptr::null_mut(), 0, bytes) },
        }
    }

    /// `bytes` aligned to `align` (a power of two): `(raw, raw size, aligned)`; raw is null on refusal.
    pub(crate) fn alloc_aligned(self, bytes: usize, align: usize) -> (*mut u8, usize, *mut u8) {
        match self {
            HostAlloc::System => {
                let mut p = core::ptr::null_mut();
                // SAFETY: `p` is a valid place and `align` a power of two not below a pointer's size.
                let r = unsafe { libc::posix_memalign(&mut p, align, bytes) };
                let p: *mut u8 = if r == 0 {
                    p.cast()
                } else {
                    core::ptr::null_mut()
                };
                (p, bytes, p)
            }
            HostAlloc::Custom { .. } => {
                let size = match bytes.checked_add(align - 16) {
                    Some(n) => n,
                    None => return (core::ptr::null_mut(), 0, core::ptr::null_mut()),
                };
                let raw = self.alloc(size);
                (raw, size, raw.map_addr(|a| (a + align - 1) & !(align - 1)))
            }
        }
    }

    /// Makes a piece smaller; it may move. On a (forbidden) refusal it stays as it is.
    ///
    /// # Safety
    /// `p` came from this host with size `old >= new > 0`.
    pub(crate) unsafe fn shrink(self, p: *mut u8, old: usize, new: usize) -> *mut u8 {
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
