//! C standard input and output, as the libraries use it: everything that a program writes goes through C streams, so
//! that `print`, `io.write` and foreign code interleave properly.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use libc::{FILE, c_char, c_int, c_void, size_t};

unsafe extern "C" {
    #[link_name = "stdin"]
    static mut C_STDIN: *mut FILE;
    #[link_name = "stdout"]
    static mut C_STDOUT: *mut FILE;
    #[link_name = "stderr"]
    static mut C_STDERR: *mut FILE;
    fn getc_unlocked(f: *mut FILE) -> c_int;
    fn flockfile(f: *mut FILE);
    fn funlockfile(f: *mut FILE);
    fn getline(line: *mut *mut c_char, cap: *mut size_t, f: *mut FILE) -> isize;
}

/// `stdin`.
pub fn stdin() -> *mut FILE {
    // SAFETY: the C library sets it before `main`.
    unsafe { C_STDIN }
}
/// `stdout`.
pub fn stdout() -> *mut FILE {
    // SAFETY: as above.
    unsafe { C_STDOUT }
}
/// `stderr`.
pub fn stderr() -> *mut FILE {
    // SAFETY: as above.
    unsafe { C_STDERR }
}

/// The C library's error number.
pub fn errno() -> c_int {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}
/// Sets the C library's error number.
pub fn set_errno(e: c_int) {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() = e }
}
/// Message of an error number.
pub fn strerror(e: c_int) -> Vec<u8> {
    // SAFETY: `strerror` returns a C string that lives until its next call.
    unsafe { CStr::from_ptr(libc::strerror(e)).to_bytes().to_vec() }
}

/// The bytes up to the first NUL: what C functions see of a string.
pub fn until_nul(s: &[u8]) -> &[u8] {
    match s.iter().position(|&b| b == 0) {
        Some(n) => &s[..n],
        None => s,
    }
}
/// A C string from the bytes up to the first NUL.
pub fn c_string(s: &[u8]) -> std::ffi::CString {
    std::ffi::CString::new(until_nul(s)).unwrap_or_default()
}

/// Writes all the bytes; false on an error (`errno` says which).
///
/// # Safety
/// `f` is an open stream.
#[inline]
pub unsafe fn write(f: *mut FILE, s: &[u8]) -> bool {
    // SAFETY: the caller vouches for the stream.
    unsafe { libc::fwrite(s.as_ptr().cast(), 1, s.len(), f) == s.len() }
}
/// Flushes; false on an error.
///
/// # Safety
/// `f` is an open stream.
pub unsafe fn flush(f: *mut FILE) -> bool {
    // SAFETY: the caller vouches for the stream.
    unsafe { libc::fflush(f) == 0 }
}
/// Flushes standard output, whose pending text comes before what others write.
pub fn flush_stdout() -> bool {
    PRINTED.store(false, Ordering::Relaxed);
    // SAFETY: standard output is never closed.
    let ok = unsafe { flush(stdout()) };
    if !ok {
        note_output_error(errno());
    }
    ok
}
/// Writes out what `print` has left in the buffer. To be called before anything whose effect others may compare with
/// it: text on standard error, commands.
pub fn sync_print() {
    if PRINTED.load(Ordering::Relaxed) {
        flush_stdout();
    }
}
/// Writes to standard error, after what was printed.
pub fn write_stderr(s: &[u8]) {
    sync_print();
    // SAFETY: standard error is never closed.
    unsafe {
        write(stderr(), s);
        flush(stderr());
    }
}

/// `print` has left text in the buffer.
static PRINTED: AtomicBool = AtomicBool::new(false);
/// Error number of the first failed write to standard output.
static OUTPUT_ERROR: AtomicI32 = AtomicI32::new(0);

const UNKNOWN: u8 = 0;
const BUFFERED: u8 = 1;
const WATCHED: u8 = 2;
static OUTPUT_KIND: AtomicU8 = AtomicU8::new(UNKNOWN);

/// After a line of `print`: flushes, as somebody may be waiting for each line of standard output, unless that is a
/// regular file or the null device, where text may stay in the buffer.
#[inline]
pub fn line_printed() -> bool {
    let mut kind = OUTPUT_KIND.load(Ordering::Relaxed);
    if kind == UNKNOWN {
        kind = if probe_output() { WATCHED } else { BUFFERED };
        OUTPUT_KIND.store(kind, Ordering::Relaxed);
    }
    if kind == WATCHED {
        return flush_stdout();
    }
    PRINTED.store(true, Ordering::Relaxed);
    true
}

/// Remembers that a write to standard output failed, for [`finish_output`].
pub fn note_output_error(e: c_int) {
    let _ = OUTPUT_ERROR.compare_exchange(0, e, Ordering::Relaxed, Ordering::Relaxed);
}

/// Flushes standard output for the last time: the error number of the first failed write, if there was one.
pub fn finish_output() -> Result<(), c_int> {
    set_errno(0);
    // SAFETY: standard output is never closed.
    if !flush_stdout() || unsafe { libc::ferror(stdout()) } != 0 {
        note_output_error(if errno() != 0 { errno() } else { libc::EIO });
    }
    match OUTPUT_ERROR.load(Ordering::Relaxed) {
        0 => Ok(()),
        e => Err(e),
    }
}

#[cold]
fn probe_output() -> bool {
    // SAFETY: plain queries of descriptor 1 into a local.
    unsafe {
        let mut st: libc::stat = std::mem::zeroed();
        if libc::fstat(1, &mut st) != 0 {
            return true;
        }
        match st.st_mode & libc::S_IFMT {
            libc::S_IFREG => false,
            libc::S_IFCHR => libc::isatty(1) == 1,
            _ => true,
        }
    }
}

/// Holds a stream's lock; reads bytes without locking each time.
pub struct Locked(*mut FILE);

impl Locked {
    /// Locks the stream.
    ///
    /// # Safety
    /// `f` is an open stream for as long as the result lives.
    pub unsafe fn new(f: *mut FILE) -> Locked {
        // SAFETY: the caller vouches for the stream.
        unsafe { flockfile(f) };
        Locked(f)
    }
    /// Next byte or -1.
    #[inline]
    pub fn getc(&self) -> c_int {
        // SAFETY: the stream is open and locked.
        unsafe { getc_unlocked(self.0) }
    }
    /// Puts a byte back.
    pub fn ungetc(&self, c: c_int) {
        // SAFETY: the stream is open.
        unsafe { libc::ungetc(c, self.0) };
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // SAFETY: locked by `new`.
        unsafe { funlockfile(self.0) }
    }
}

/// Line buffer of `getline`, reused by the thread.
struct LineBuffer {
    data: std::cell::Cell<*mut c_char>,
    cap: std::cell::Cell<size_t>,
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        // SAFETY: allocated by `getline` or null.
        unsafe { libc::free(self.data.get() as *mut c_void) }
    }
}

thread_local! {
    static LINE: LineBuffer = const {
        LineBuffer { data: std::cell::Cell::new(std::ptr::null_mut()), cap: std::cell::Cell::new(0) }
    };
}

/// Largest line buffer that is kept.
const KEEP: usize = 1 << 16;

/// Reads a line with its newline, if it has one, and gives it to `use_line`; an empty slice at the end of the file.
///
/// # Safety
/// `f` is an open stream.
pub unsafe fn read_line<R>(f: *mut FILE, use_line: impl FnOnce(&[u8]) -> R) -> R {
    LINE.with(|b| {
        // taken out while in use, so that a nested call has a buffer of its own
        let mut data = b.data.replace(std::ptr::null_mut());
        let mut cap = b.cap.replace(0);
        // SAFETY: the caller vouches for the stream; the buffer is one of `getline`'s or null.
        let n = unsafe { getline(&mut data, &mut cap, f) };
        let line: &[u8] = if n > 0 {
            // SAFETY: `getline` stored `n` bytes.
            unsafe { std::slice::from_raw_parts(data.cast(), n as usize) }
        } else {
            &[]
        };
        let r = use_line(line);
        if b.data.get().is_null() && cap <= KEEP {
            b.data.set(data);
            b.cap.set(cap);
        } else {
            // SAFETY: allocated by `getline`, not used any more.
            unsafe { libc::free(data.cast()) };
        }
        r
    })
}
