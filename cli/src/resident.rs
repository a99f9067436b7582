//! Pages of the program's files that are resident and not needed now.

use std::ffi::c_void;
use std::ops::Range;

/// Gives back the code and constants that start-up has touched, of the program and its libraries: the pages stay in the system's page cache, and come
/// again when they are touched. Opening the libraries, reading the script and linking at run time touch half a MiB that a running program
/// does not need. Files with pages of which the process has its own copies (breakpoints of a debugger) are left alone.
pub fn forget_start() {
    let mut parts: Vec<Range<usize>> = Vec::new();
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
        for p in &mut parts {
            *p = p.start / page * page..p.end.next_multiple_of(page);
        }
        parts.retain(|p| unchanged(pages, p.start / page..p.end / page));
        libc::close(pages);
        // the program and the C library come first in the list: what does this here is not forgotten before it is done
        for p in parts.iter().rev() {
            libc::madvise(p.start as *mut c_void, p.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Adds an object's segments that can't be written to the list of addresses.
unsafe extern "C" fn constant_parts(
    object: *mut libc::dl_phdr_info,
    _: libc::size_t,
    parts: *mut c_void,
) -> libc::c_int {
    // SAFETY: the object is loaded, so its headers can be read; the list is `forget_start`'s.
    unsafe {
        let parts = &mut *parts.cast::<Vec<Range<usize>>>();
        for i in 0..(*object).dlpi_phnum.into() {
            let h = &*(*object).dlpi_phdr.add(i);
            if h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0 {
                let start = ((*object).dlpi_addr + h.p_vaddr) as usize;
                parts.push(start..start + h.p_memsz as usize);
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
