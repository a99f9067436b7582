//! Pages of the program's files that are resident and not needed now.

use std::ffi::c_void;
use std::ops::Range;

/// Bytes of a mapping that is touched now and then. Smaller ones save more, but each takes the system about 2 us to make.
const PIECE: usize = 32 << 10;

/// A segment that can't be written.
struct Part {
    /// Its addresses.
    all: Range<usize>,
    /// Bytes at its start that programs use parts of: of the command itself the layout puts those first.
    used: usize,
}

/// Gives back the code and constants that start-up has touched, of the program and its libraries: the pages stay in the system's page cache, and come
/// again when they are touched. Opening the libraries, reading the script and linking at run time touch half a MiB that a running program
/// does not need. What comes again comes in small pieces, see [`cut`]. Files with pages of which the process has its own copies (breakpoints of a debugger) are left alone.
pub fn forget_start() {
    let mut parts: Vec<Part> = Vec::new();
    // SAFETY: plain system calls; the callback gets the list. Pages that are unchanged are read again from the file when they are touched.
    unsafe {
        let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
        libc::dl_iterate_phdr(Some(constant_parts), (&raw mut parts).cast());
        let pages = libc::open(
            c"/proc/self/pagemap".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        );
        if pages == -1 {
            return;
        }
        for Part { all, .. } in &mut parts {
            *all = all.start / page * page..all.end.next_multiple_of(page);
        }
        parts.retain(|p| unchanged(pages, p.all.start / page..p.all.end / page));
        libc::close(pages);
        // the program and the C library come first in the list: what does this here is not forgotten before it is done
        for p in parts.iter().rev() {
            cut(p.all.start..p.all.start + p.used);
            libc::madvise(p.all.start as *mut c_void, p.all.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Makes mappings of [`PIECE`] bytes of the addresses. Around a page of a file that is touched the system maps what lies in the same 64 KiB, and more if its
/// page cache holds the file in larger blocks; but nothing that belongs to another mapping. Mappings are apart if they differ in something:
/// here, in whether they go into core dumps, where code and constants of files do not go anyway.
unsafe fn cut(part: Range<usize>) {
    let first = part.start.next_multiple_of(PIECE);
    for at in (first..part.end.saturating_sub(PIECE)).step_by(2 * PIECE) {
        // SAFETY: a plain system call. If it fails the mapping stays as it is, which is as good but for its size.
        unsafe { libc::madvise(at as *mut c_void, PIECE, libc::MADV_DONTDUMP) };
    }
}

/// Adds an object's segments that can't be written to the list.
unsafe extern "C" fn constant_parts(
    object: *mut libc::dl_phdr_info,
    _: libc::size_t,
    parts: *mut c_void,
) -> libc::c_int {
    // SAFETY: the object is loaded, so its headers can be read; the list is `forget_start`'s.
    unsafe {
        let parts = &mut *parts.cast::<Vec<Part>>();
        let name = (*object).dlpi_name;
        let is_program = name.is_null() || *name == 0;
        for i in 0..(*object).dlpi_phnum.into() {
            let h = &*(*object).dlpi_phdr.add(i);
            if h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0 {
                let start = ((*object).dlpi_addr + h.p_vaddr) as usize;
                let bytes = h.p_memsz as usize;
                parts.push(Part {
                    all: start..start + bytes,
                    used: if is_program { bytes / 2 } else { bytes },
                });
            }
        }
    }
    0
}

/// Whether those of the pages with these numbers that are resident are a file's; `list`: the file that tells it.
fn unchanged(list: libc::c_int, numbers: Range<usize>) -> bool {
    const RESIDENT: u64 = 1 << 63;
    const OF_A_FILE: u64 = 1 << 61;
    let mut pages = vec![0_u64; numbers.len()];
    let bytes = pages.len() * 8;
    let at = numbers.start as libc::off_t * 8;
    // SAFETY: the buffer has room for this.
    let got = unsafe { libc::pread(list, pages.as_mut_ptr().cast(), bytes, at) };
    got == bytes as isize && pages.iter().all(|p| p & (RESIDENT | OF_A_FILE) != RESIDENT)
}
