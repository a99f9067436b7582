//! A home for executable code: reserved near an address, never writable and executable in one mapping.
//!
//! Two ways, chosen at `reserve`:
//! - [`Mapping::Dual`]: one memfd mapped twice, a writable view somewhere and an executable view near the interpreter.
//!   Writing needs no protection flips, and a patch is one store that running code sees at once.
//! - [`Mapping::Single`]: anonymous memory whose pages flip between writable and executable. For systems that refuse the
//!   first way, and for emulators that go stale on double mappings; a probe at `reserve` tells.
//!
//! Cost: a dual write is a copy and, off x86-64, a cache flush; a single one is two system calls more.
//!
//! Invariant `[CODE-SEALED]`: with a single mapping, pages that are written are not executable until `seal`; the owner
//! runs nothing in the region meanwhile. With a dual mapping new code is not entered before `seal` either, since only then
//! is it in every instruction cache. One thread at a time owns a region (it is `Send`, not `Sync`).
//!
//! Fork: a shared memfd would let the child write into the parent's code. The writable view
//! is therefore not inherited, and the child calls [`CodeMem::after_fork_child`] before it runs or writes code of the
//! region; the parent must write nothing until the child has done so.
//!
//! All unsafe code of the crate is here: system calls on the mappings, and stores through the writable view, each checked
//! against the region's bounds.

#![allow(
    unsafe_code,
    reason = "mappings and stores into them; see the module documentation"
)]

use std::fmt;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::Host;
use crate::masm::Masm;
use crate::reg::d;

/// How a region is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// A writable and an executable view of the same memory.
    Dual,
    /// One view whose protection flips.
    Single,
}

/// Why there is no region, or why it cannot be written.
#[derive(Debug)]
pub enum CodeMemError {
    /// The system gives out no executable memory.
    NoExecutable(io::Error),
    /// A protection flip was refused for memory that had it before.
    Protect(io::Error),
    /// The range lies outside the region.
    OutOfBounds,
    /// The place of a patch is not aligned to its size.
    Misaligned,
}

impl fmt::Display for CodeMemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CodeMemError::NoExecutable(e) => write!(f, "no executable memory: {e}"),
            CodeMemError::Protect(e) => {
                write!(f, "cannot change the protection of code memory: {e}")
            }
            CodeMemError::OutOfBounds => write!(f, "outside of the code region"),
            CodeMemError::Misaligned => write!(f, "a patch is not aligned"),
        }
    }
}

impl std::error::Error for CodeMemError {}

/// Farthest distance from the wanted address that still counts as near: branches of all targets reach it.
const NEAR_BYTES: u64 = 1 << 30;
/// Distance between the addresses tried; also keeps clear of what grows next to the wanted one (the heap behind a
/// program).
const STEP_BYTES: u64 = 16 << 20;

/// A region for code. Offsets are in bytes from its start.
#[derive(Debug)]
pub struct CodeMem {
    exec: *mut u8,
    /// The same as `exec` in a single mapping.
    write: *mut u8,
    bytes: usize,
    mapping: Mapping,
    /// Written but not sealed: start and end.
    dirty: Option<(usize, usize)>,
    /// End of all that was ever written.
    high_water: usize,
    /// Stored to since `trim`: start and end.
    touched: Option<(usize, usize)>,
}

// SAFETY: the pointers are to mappings that the value owns alone; nothing about them is tied to a thread.
unsafe impl Send for CodeMem {}

impl CodeMem {
    /// Reserves `bytes` (rounded up to pages) within a gigabyte of `near` if possible, else anywhere. Takes a dual mapping
    /// if the system has sound ones, unless `mapping` asks for a single one.
    pub fn reserve(near: u64, bytes: usize, mapping: Mapping) -> Result<CodeMem, CodeMemError> {
        let bytes = region::page::ceil(ptr::without_provenance::<u8>(bytes.max(1))).addr();
        if mapping == Mapping::Dual
            && let Ok(mut mem) = CodeMem::dual(near, bytes)
            && mem.probe()
        {
            return Ok(mem);
        }
        let mut mem = CodeMem::single(near, bytes)?;
        if !mem.probe() {
            return Err(CodeMemError::NoExecutable(io::Error::other(
                "code that was patched ran unpatched",
            )));
        }
        Ok(mem)
    }

    /// Address of the first byte as code runs there.
    pub fn address(&self) -> u64 {
        self.exec.addr() as u64
    }

    /// Size of the region.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How the region is mapped.
    pub fn mapping(&self) -> Mapping {
        self.mapping
    }

    /// Copies `code` to `offset`. Not to be run before `seal`.
    pub fn write(&mut self, offset: usize, code: &[u8]) -> Result<(), CodeMemError> {
        let end = self.check(offset, code.len())?;
        self.make_writable(offset, end)?;
        let to = self.write.wrapping_add(offset);
        // SAFETY: the range was checked against the region, whose writable view (or flipped page) belongs to this value;
        // `code` is borrowed and so lies elsewhere.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), to, code.len()) };
        self.high_water = self.high_water.max(end);
        self.touch(offset, end);
        Ok(())
    }

    /// Lets go of the pages of the writable view that were stored to: they stay in the executable one, but count twice as long as they are
    /// in both. To be called when a piece of work is done; the next store fetches its page again, at the cost of a page fault.
    pub fn trim(&mut self) {
        let Some((start, end)) = self.touched.take() else {
            return;
        };
        if self.mapping == Mapping::Dual {
            let page = region::page::size();
            let start = start / page * page;
            // SAFETY: the pages lie in the writable view, which this value owns; their contents belong to the file, not to the view.
            unsafe {
                libc::madvise(
                    self.write.wrapping_add(start).cast(),
                    end - start,
                    libc::MADV_DONTNEED,
                )
            };
        }
    }

    fn touch(&mut self, start: usize, end: usize) {
        let (low, high) = self.touched.unwrap_or((start, end));
        self.touched = Some((low.min(start), high.max(end)));
    }

    /// Makes everything written since the last time executable, on all cores.
    pub fn seal(&mut self) -> Result<(), CodeMemError> {
        let Some((start, end)) = self.dirty.take() else {
            return Ok(());
        };
        if self.mapping == Mapping::Single {
            self.protect(start, end, region::Protection::READ_EXECUTE)?;
        }
        self.flush(start, end);
        synchronise_cores();
        Ok(())
    }

    /// Replaces four bytes of sealed code by one aligned store, which running code sees whole or not at all.
    pub fn patch_u32(&mut self, offset: usize, value: u32) -> Result<(), CodeMemError> {
        self.patch(offset, 4, |place| {
            // SAFETY: `patch` checked bounds and alignment and made the place writable; atomics may alias running code.
            unsafe { AtomicU32::from_ptr(place.cast()) }.store(value, Ordering::Release);
        })
    }

    /// Replaces eight bytes, as `patch_u32`.
    pub fn patch_u64(&mut self, offset: usize, value: u64) -> Result<(), CodeMemError> {
        self.patch(offset, 8, |place| {
            // SAFETY: as in `patch_u32`.
            unsafe { AtomicU64::from_ptr(place.cast()) }.store(value, Ordering::Release);
        })
    }

    /// The bytes at `offset`.
    pub fn read(&self, offset: usize, bytes: usize) -> Result<&[u8], CodeMemError> {
        self.check(offset, bytes)?;
        // SAFETY: the range lies in the region, whose executable view is readable; writing needs `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(self.exec.wrapping_add(offset), bytes) })
    }

    /// To be called in the child of a fork before it runs or writes code of this region: gives the child memory of its own
    /// at the same address with the same contents. The parent must not write meanwhile. Falls back to a single mapping;
    /// after an error the region is still the parent's and the child must leave it alone.
    pub fn after_fork_child(&mut self) -> Result<(), CodeMemError> {
        if self.mapping == Mapping::Single {
            return Ok(()); // private memory: the child has a copy already
        }
        let content = self.read(0, self.high_water)?.to_vec();
        let fresh = CodeMem::memfd(self.bytes).and_then(|file| {
            let write = map(
                ptr::null_mut(),
                self.bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.raw(),
            )?;
            // SAFETY: the view was just mapped with `bytes` >= high_water bytes, and nobody else knows it.
            unsafe { ptr::copy_nonoverlapping(content.as_ptr(), write, content.len()) };
            keep_from_children(write, self.bytes);
            let flags = libc::MAP_SHARED | libc::MAP_FIXED;
            match map(
                self.exec,
                self.bytes,
                libc::PROT_READ | libc::PROT_EXEC,
                flags,
                file.raw(),
            ) {
                Ok(_) => Ok(write),
                Err(error) => {
                    unmap(write, self.bytes);
                    Err(error)
                }
            }
        });
        match fresh {
            Ok(write) => self.write = write, // the old view was not inherited
            Err(_) => {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
                map(
                    self.exec,
                    self.bytes,
                    libc::PROT_READ | libc::PROT_WRITE,
                    flags,
                    -1,
                )
                .map_err(CodeMemError::NoExecutable)?;
                // SAFETY: the region was just mapped writable over its old place and is `bytes` >= high_water long.
                unsafe { ptr::copy_nonoverlapping(content.as_ptr(), self.exec, content.len()) };
                self.mapping = Mapping::Single;
                self.write = self.exec;
                self.protect(0, self.bytes, region::Protection::READ_EXECUTE)?;
            }
        }
        self.dirty = None;
        self.touched = None;
        self.flush(0, self.high_water);
        Ok(())
    }

    fn dual(near: u64, bytes: usize) -> io::Result<CodeMem> {
        let file = CodeMem::memfd(bytes)?;
        let write = map(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.raw(),
        )?;
        match map_near(
            near,
            bytes,
            libc::PROT_READ | libc::PROT_EXEC,
            libc::MAP_SHARED,
            file.raw(),
        ) {
            Ok(exec) => {
                keep_from_children(write, bytes);
                Ok(CodeMem {
                    exec,
                    write,
                    bytes,
                    mapping: Mapping::Dual,
                    dirty: None,
                    high_water: 0,
                    touched: None,
                })
            }
            Err(error) => {
                unmap(write, bytes);
                Err(error)
            }
        }
    }

    fn single(near: u64, bytes: usize) -> Result<CodeMem, CodeMemError> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let exec = map_near(near, bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1)
            .map_err(CodeMemError::NoExecutable)?;
        let mem = CodeMem {
            exec,
            write: exec,
            bytes,
            mapping: Mapping::Single,
            dirty: None,
            high_water: 0,
            touched: None,
        };
        match mem.protect(0, bytes, region::Protection::READ_EXECUTE) {
            Err(CodeMemError::Protect(error)) => Err(CodeMemError::NoExecutable(error)),
            Err(error) => Err(error),
            Ok(()) => Ok(mem),
        }
    }

    /// Whether code runs here, and runs as patched after a patch. Uses the start of the empty region.
    fn probe(&mut self) -> bool {
        let function = |value: i64| {
            let mut m = Host::new();
            m.mov_imm(d(Host::RET0), value);
            m.ret();
            m.finalize().map(|code| code.bytes).unwrap_or_default()
        };
        let sound = [41, 42].into_iter().all(|value| {
            let written = self.write(0, &function(value)).and_then(|()| self.seal());
            // SAFETY: the bytes are a complete C function without arguments, sealed just now.
            written.is_ok() && unsafe { self.call(0) } == value as u64
        });
        self.high_water = 0;
        self.trim();
        sound
    }

    /// Calls the function at `offset`.
    ///
    /// # Safety
    /// A complete function of the C calling convention without arguments must lie there, sealed.
    unsafe fn call(&self, offset: usize) -> u64 {
        let entry = self.exec.wrapping_add(offset);
        // SAFETY: the caller vouches for the code; function and data pointers have one representation on all targets.
        let function = unsafe { std::mem::transmute::<*mut u8, extern "C" fn() -> u64>(entry) };
        function()
    }

    fn check(&self, offset: usize, bytes: usize) -> Result<usize, CodeMemError> {
        match offset.checked_add(bytes) {
            Some(end) if end <= self.bytes => Ok(end),
            _ => Err(CodeMemError::OutOfBounds),
        }
    }

    /// Prepares a write to `start..end`, which stays dirty until `seal`.
    fn make_writable(&mut self, start: usize, end: usize) -> Result<(), CodeMemError> {
        if self.mapping == Mapping::Single {
            self.protect(start, end, region::Protection::READ_WRITE)?;
        }
        let (low, high) = self.dirty.unwrap_or((start, end));
        self.dirty = Some((low.min(start), high.max(end)));
        Ok(())
    }

    fn patch(
        &mut self,
        offset: usize,
        bytes: usize,
        store: impl FnOnce(*mut u8),
    ) -> Result<(), CodeMemError> {
        let end = self.check(offset, bytes)?;
        if !offset.is_multiple_of(bytes) {
            return Err(CodeMemError::Misaligned);
        }
        self.touch(offset, end);
        let place = self.write.wrapping_add(offset);
        match self.mapping {
            Mapping::Dual => store(place),
            Mapping::Single => {
                self.protect(offset, end, region::Protection::READ_WRITE)?;
                store(place);
                self.protect(offset, end, region::Protection::READ_EXECUTE)?;
            }
        }
        self.flush(offset, end);
        Ok(())
    }

    /// Sets the protection of the pages of a single mapping that `start..end` touches.
    fn protect(
        &self,
        start: usize,
        end: usize,
        protection: region::Protection,
    ) -> Result<(), CodeMemError> {
        if start == end {
            return Ok(());
        }
        let at = self.exec.wrapping_add(start);
        // SAFETY: the pages lie in a mapping that this value owns; [CODE-SEALED] nothing in it runs meanwhile.
        unsafe { region::protect(at, end - start, protection) }
            .map_err(|error| CodeMemError::Protect(io::Error::other(error.to_string())))
    }

    /// Makes instruction fetches see what was stored to `start..end`. On x86-64 the hardware does.
    fn flush(&self, start: usize, end: usize) {
        let Ok(code) = self.read(start, end - start) else {
            return;
        };
        dynasmrt::cache_control::synchronize_icache(code);
        // RISC-V has no user-level way to reach other cores, so the kernel does all of it; the flag 0 means all threads.
        #[cfg(all(target_os = "linux", target_arch = "riscv64"))]
        {
            const SYS_RISCV_FLUSH_ICACHE: libc::c_long = 259;
            let range = code.as_ptr_range();
            // SAFETY: a system call that writes no memory; the range is mapped.
            unsafe { libc::syscall(SYS_RISCV_FLUSH_ICACHE, range.start, range.end, 0) };
        }
        #[cfg(not(target_arch = "riscv64"))]
        dynasmrt::cache_control::prepare_for_execution(code);
    }

    fn memfd(bytes: usize) -> io::Result<MemFile> {
        let file = MemFile::new()?;
        let length = libc::off_t::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: a plain system call on a descriptor that is owned here.
        match unsafe { libc::ftruncate(file.raw(), length) } {
            0 => Ok(file),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

impl Drop for CodeMem {
    fn drop(&mut self) {
        unmap(self.exec, self.bytes);
        if self.mapping == Mapping::Dual {
            unmap(self.write, self.bytes);
        }
    }
}

/// A memory file, closed when dropped: the mappings keep the memory.
struct MemFile(std::os::fd::OwnedFd);

impl MemFile {
    #[cfg(target_os = "linux")]
    fn new() -> io::Result<MemFile> {
        use std::os::fd::FromRawFd;
        /// Linux 6.3: says that the file may be mapped executable; older kernels refuse the unknown flag.
        const MFD_EXEC: libc::c_uint = 0x10;
        for flags in [libc::MFD_CLOEXEC | MFD_EXEC, libc::MFD_CLOEXEC] {
            // SAFETY: a plain system call; the name is a C string.
            let fd = unsafe { libc::memfd_create(c"traceorus-code".as_ptr(), flags) };
            if fd >= 0 {
                // SAFETY: the descriptor is new and has no other owner.
                return Ok(MemFile(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) }));
            }
        }
        Err(io::Error::last_os_error())
    }

    #[cfg(not(target_os = "linux"))]
    fn new() -> io::Result<MemFile> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }

    fn raw(&self) -> libc::c_int {
        use std::os::fd::AsRawFd;
        self.0.as_raw_fd()
    }
}

fn map(
    at: *mut u8,
    bytes: usize,
    protection: libc::c_int,
    flags: libc::c_int,
    fd: libc::c_int,
) -> io::Result<*mut u8> {
    // SAFETY: without MAP_FIXED this touches no existing mapping; with it, callers pass a region that they own.
    let place = unsafe { libc::mmap(at.cast(), bytes, protection, flags, fd, 0) };
    if place == libc::MAP_FAILED {
        Err(io::Error::last_os_error())
    } else {
        Ok(place.cast())
    }
}

fn unmap(at: *mut u8, bytes: usize) {
    // SAFETY: callers pass a mapping that they own and forget. An error would leave it mapped, which is harmless.
    unsafe { libc::munmap(at.cast(), bytes) };
}

/// Keeps the writable view out of children; see the module documentation. Without it the dual mapping still works, and
/// the child's `after_fork_child` only leaves an unused view behind.
fn keep_from_children(_at: *mut u8, _bytes: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: the mapping belongs to the caller and this changes only what a fork copies.
    unsafe {
        libc::madvise(_at.cast(), _bytes, libc::MADV_DONTFORK)
    };
}

/// Maps as close to `near` as can be had by trying, below it first; anywhere if nothing is free within reach.
fn map_near(
    near: u64,
    bytes: usize,
    protection: libc::c_int,
    flags: libc::c_int,
    fd: libc::c_int,
) -> io::Result<*mut u8> {
    #[cfg(target_os = "linux")]
    let exact = libc::MAP_FIXED_NOREPLACE;
    #[cfg(not(target_os = "linux"))]
    let exact = 0;
    let page = region::page::size() as u64;
    let length = bytes as u64;
    let near = near / page * page;
    let reach = |at: u64| {
        let end = at.wrapping_add(length);
        at.abs_diff(near) <= NEAR_BYTES && end.abs_diff(near) <= NEAR_BYTES
    };
    let mut distance = STEP_BYTES;
    while near != 0 && distance <= NEAR_BYTES {
        let below = near.checked_sub(distance + length);
        let above = near.checked_add(distance);
        for at in [below, above]
            .into_iter()
            .flatten()
            .filter(|&at| at >= STEP_BYTES && reach(at))
        {
            let Ok(place) = map(
                ptr::without_provenance_mut(at as usize),
                bytes,
                protection,
                flags | exact,
                fd,
            ) else {
                continue;
            };
            // Older kernels and emulators take the address as a mere hint.
            if reach(place.addr() as u64) {
                return Ok(place);
            }
            unmap(place, bytes);
        }
        distance += STEP_BYTES;
    }
    map(ptr::null_mut(), bytes, protection, flags, fd)
}

/// Makes every core that runs threads of this process see new code before it returns to it. x86-64 needs nothing: stores
/// and fetches are coherent and the new code was never fetched before.
fn synchronise_cores() {
    #[cfg(all(target_os = "linux", not(target_arch = "x86_64")))]
    {
        const REGISTER_SYNC_CORE: libc::c_int = 1 << 6;
        const SYNC_CORE: libc::c_int = 1 << 5;
        // SAFETY: a system call without memory operands.
        let sync = |command: libc::c_int| unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) } == 0;
        // Where the call is unknown the flush itself has to do.
        if !sync(SYNC_CORE) && sync(REGISTER_SYNC_CORE) {
            sync(SYNC_CORE);
        }
    }
}

/// Runs a complete function without arguments: for tests of what code does rather than how it is encoded.
#[cfg(test)]
pub(crate) fn run_once(mem: &mut CodeMem, code: &[u8]) -> u64 {
    mem.write(0, code).expect("the code fits");
    mem.seal().expect("the region can be sealed");
    // SAFETY: tests pass functions of the C calling convention without arguments.
    unsafe { mem.call(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operand::{AluOp, Size};

    /// A function that returns `value`, and where its 32-bit constant lies.
    fn function(value: i64) -> Vec<u8> {
        let mut m = Host::new();
        m.mov_imm(d(Host::RET0), value);
        m.ret();
        m.finalize().unwrap().bytes
    }

    fn here() -> u64 {
        here as *const () as u64
    }

    fn run(mem: &CodeMem, offset: usize) -> u64 {
        // SAFETY: the tests write a complete function there and seal it.
        unsafe { mem.call(offset) }
    }

    fn write_and_run(mapping: Mapping) {
        let mut mem = CodeMem::reserve(here(), 1 << 20, mapping).unwrap();
        assert_eq!(mem.mapping(), mapping);
        assert!(mem.address().abs_diff(here()) <= NEAR_BYTES);
        mem.write(64, &function(7)).unwrap();
        mem.write(70_000, &function(8)).unwrap();
        mem.seal().unwrap();
        assert_eq!((run(&mem, 64), run(&mem, 70_000)), (7, 8));
        // A second piece in a page that holds sealed code.
        mem.write(128, &function(9)).unwrap();
        mem.seal().unwrap();
        assert_eq!((run(&mem, 64), run(&mem, 128)), (7, 9));
        assert_eq!(mem.read(128, 4).unwrap(), &function(9)[..4]);
        assert!(matches!(
            mem.write(mem.bytes() - 1, &[0, 0]),
            Err(CodeMemError::OutOfBounds)
        ));
        assert!(matches!(
            mem.patch_u32(65, 0),
            Err(CodeMemError::Misaligned)
        ));
    }

    /// Pages of the view at `at` that are in memory of this process.
    #[cfg(target_os = "linux")]
    fn resident(at: *const u8) -> usize {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let head = format!("{:x}-", at.addr());
        let lines = maps.lines().skip_while(|l| !l.starts_with(&head));
        let rss = lines.skip(1).find_map(|l| l.strip_prefix("Rss:")).unwrap();
        let kib: usize = rss.trim().trim_end_matches(" kB").parse().unwrap();
        kib * 1024 / region::page::size()
    }

    /// What was written counts once, and is still there.
    #[test]
    #[cfg(target_os = "linux")]
    fn trimmed() {
        let mut mem = CodeMem::reserve(here(), 1 << 20, Mapping::Dual).unwrap();
        assert_eq!(resident(mem.write), 0);
        for page in 0..8 {
            mem.write(page * 4096 + 64, &function(7)).unwrap();
        }
        mem.seal().unwrap();
        assert_eq!(resident(mem.write), 8);
        mem.trim();
        assert_eq!(resident(mem.write), 0);
        assert_eq!(run(&mem, 4096 * 7 + 64), 7);
        mem.patch_u64(4096, 0).unwrap();
        assert_eq!(resident(mem.write), 1);
        mem.trim();
        assert_eq!((resident(mem.write), run(&mem, 4096 + 64)), (0, 7));
    }

    #[test]
    fn dual_mapping() {
        write_and_run(Mapping::Dual);
    }

    #[test]
    fn single_mapping() {
        write_and_run(Mapping::Single);
    }

    /// A function with a patchable jump to one of two others.
    fn patch_a_jump(mapping: Mapping) {
        let mut mem = CodeMem::reserve(here(), 1 << 16, mapping).unwrap();
        let mut m = Host::new();
        let (one, two) = (m.new_label(), m.new_label());
        m.mov_imm(d(Host::T1), 100);
        let after = m.jump_patchable(one);
        m.bind(one);
        m.alu(AluOp::Add, Size::B64, d(Host::RET0), Host::T1, 1);
        m.ret();
        m.bind(two);
        m.alu(AluOp::Add, Size::B64, d(Host::RET0), Host::T1, 2);
        m.ret();
        let code = m.finalize().unwrap();
        mem.write(0, &code.bytes).unwrap();
        mem.seal().unwrap();
        assert_eq!(run(&mem, 0), 101);
        let after = code.label_offset(after).unwrap();
        for (label, want) in [(two, 102), (one, 101), (two, 102)] {
            let distance = i64::from(code.label_offset(label).unwrap()) - i64::from(after);
            mem.patch_u32(after as usize - 4, Host::patch_word(distance).unwrap())
                .unwrap();
            assert_eq!(run(&mem, 0), want);
        }
    }

    #[test]
    fn patch_dual() {
        patch_a_jump(Mapping::Dual);
    }

    #[test]
    fn patch_single() {
        patch_a_jump(Mapping::Single);
    }

    /// The child gets its own copy: neither side sees what the other writes.
    fn fork_apart(mapping: Mapping) {
        let mut mem = CodeMem::reserve(here(), 1 << 16, mapping).unwrap();
        mem.write(0, &function(1)).unwrap();
        mem.write(64, &function(2)).unwrap();
        mem.seal().unwrap();
        // SAFETY: the child calls system calls, code of the region and `_exit` only; the allocator of the C library works in
        // a forked child.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let ok = mem.after_fork_child().is_ok()
                && run(&mem, 0) == 1
                && mem.write(0, &function(3)).is_ok()
                && mem.seal().is_ok()
                && run(&mem, 0) == 3
                && run(&mem, 64) == 2;
            // SAFETY: ends the child without running the test harness's exit handlers.
            unsafe { libc::_exit(if ok { 0 } else { 1 }) };
        }
        assert!(child > 0);
        let mut status = 0;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child failed");
        assert_eq!((run(&mem, 0), run(&mem, 64)), (1, 2));
        mem.write(64, &function(5)).unwrap();
        mem.seal().unwrap();
        assert_eq!(run(&mem, 64), 5);
    }

    #[test]
    fn fork_dual() {
        fork_apart(Mapping::Dual);
    }

    #[test]
    fn fork_single() {
        fork_apart(Mapping::Single);
    }

    #[test]
    fn far_regions_are_a_fallback() {
        // Nothing can be mapped near the top of the address space.
        let mut mem = CodeMem::reserve(u64::MAX - 0xfff, 4096, Mapping::Dual).unwrap();
        mem.write(0, &function(6)).unwrap();
        mem.seal().unwrap();
        assert_eq!(run(&mem, 0), 6);
    }
}
