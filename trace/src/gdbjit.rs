//! The GDB JIT interface (`TRACEORUS_GDBJIT=1`): each trace is announced to a debugger as an object file in memory, so that backtraces show
//! it by name and source line and go on through it.
//!
//! The file has no code: its text section says where the code is. Besides the symbol it holds DWARF sections: how to unwind (the
//! frame is that of the interpreter's entry, see `docs/INTERPRETER.md`), and source lines. The interface: "JIT Compilation Interface"
//! in GDB's manual; LLDB reads it with `settings set plugin.jit-loader.gdb.enable on`.

use std::sync::Mutex;

use object::elf;
use object::write::elf::{FileHeader, SectionHeader, Sym, Writer};

use crate::outputs::Symbol;

/// An object file in the debugger's list.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    prev: *mut Entry,
    file: *const u8,
    bytes: u64,
}

/// What the debugger looks for by name.
#[repr(C)]
struct Descriptor {
    version: u32,
    /// 1: `relevant` was added; 2: it is being removed.
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

// SAFETY: changed under the lock only.
unsafe impl Sync for Descriptor {}

#[unsafe(no_mangle)]
static mut __jit_debug_descriptor: Descriptor = Descriptor {
    version: 1,
    action: 0,
    relevant: std::ptr::null_mut(),
    first: std::ptr::null_mut(),
};

/// The debugger has a breakpoint here.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn __jit_debug_register_code() {
    // a call of an empty function could be removed
    std::hint::black_box(());
}

static LOCK: Mutex<()> = Mutex::new(());

/// The object files of one state.
#[derive(Default)]
pub(crate) struct GdbJit {
    /// Boxes that belong to us; the list goes through them.
    entries: Vec<*mut Entry>,
    files: Vec<Box<[u8]>>,
}

fn tell(action: u32, e: *mut Entry) {
    // SAFETY: the lock is held; the debugger reads while it has stopped us.
    unsafe {
        __jit_debug_descriptor.action = action;
        __jit_debug_descriptor.relevant = e;
        __jit_debug_register_code();
        __jit_debug_descriptor.action = 0;
    }
}

impl GdbJit {
    /// Announces a trace.
    pub fn add(&mut self, s: &Symbol<'_>) {
        let Some(file) = object_file(s) else { return };
        let file = file.into_boxed_slice();
        let _held = LOCK.lock();
        // SAFETY: the lock is held; entries in the list are boxed, and taken out before they go.
        let next = unsafe { __jit_debug_descriptor.first };
        let p = Box::into_raw(Box::new(Entry {
            next,
            prev: std::ptr::null_mut(),
            file: file.as_ptr(),
            bytes: file.len() as u64,
        }));
        // SAFETY: as above.
        unsafe {
            if !next.is_null() {
                (*next).prev = p;
            }
            __jit_debug_descriptor.first = p;
        }
        tell(1, p);
        self.entries.push(p);
        self.files.push(file);
    }
}

impl Drop for GdbJit {
    fn drop(&mut self) {
        let _held = LOCK.lock();
        for &p in &self.entries {
            // SAFETY: the lock is held; the entry is in the list.
            unsafe {
                let (next, prev) = ((*p).next, (*p).prev);
                if !next.is_null() {
                    (*next).prev = prev;
                }
                if prev.is_null() {
                    __jit_debug_descriptor.first = next;
                } else {
                    (*prev).next = next;
                }
            }
            tell(2, p);
            // SAFETY: from `Box::into_raw` in `add`; in no list any more.
            drop(unsafe { Box::from_raw(p) });
        }
    }
}

// ---- DWARF -----------------------------------------------------------------------------------------------------------

/// A section that is being written, little-endian.
#[derive(Default)]
struct Dwarf(Vec<u8>);

impl Dwarf {
    fn u8(&mut self, n: u8) -> &mut Dwarf {
        self.0.push(n);
        self
    }
    fn u16(&mut self, n: u16) -> &mut Dwarf {
        self.0.extend(n.to_le_bytes());
        self
    }
    fn u32(&mut self, n: u32) -> &mut Dwarf {
        self.0.extend(n.to_le_bytes());
        self
    }
    fn u64(&mut self, n: u64) -> &mut Dwarf {
        self.0.extend(n.to_le_bytes());
        self
    }
    fn text(&mut self, s: &str) -> &mut Dwarf {
        self.0.extend(s.bytes().filter(|&b| b != 0));
        self.u8(0)
    }
    fn uleb(&mut self, mut n: u64) -> &mut Dwarf {
        while n >= 0x80 {
            self.u8(n as u8 | 0x80);
            n >>= 7;
        }
        self.u8(n as u8)
    }
    fn sleb(&mut self, mut n: i64) -> &mut Dwarf {
        while !(-64..64).contains(&n) {
            self.u8(n as u8 | 0x80);
            n >>= 7;
        }
        self.u8(n as u8 & 0x7f)
    }
    /// Fills in the length of a unit that began with a `u32` at `from`.
    fn end_unit(&mut self, from: usize) {
        let n = (self.0.len() - from - 4) as u32;
        self.0[from..from + 4].copy_from_slice(&n.to_le_bytes());
    }
}

/// DWARF's number of a register, and where the frame of the interpreter's entry keeps it, in words below the frame's address.
#[cfg(target_arch = "x86_64")]
const SAVED: &[(u8, u64)] = &[(6, 2), (16, 1), (3, 3), (12, 4), (13, 5), (14, 6), (15, 7)];
#[cfg(target_arch = "x86_64")]
const FRAME: (u8, u8) = (6, 16);
// no interpreter is generated for other targets yet
#[cfg(not(target_arch = "x86_64"))]
const SAVED: &[(u8, u64)] = &[];
#[cfg(not(target_arch = "x86_64"))]
const FRAME: (u8, u8) = (0, 0);

/// `.debug_frame`: one rule for the whole trace.
fn debug_frame(s: &Symbol<'_>) -> Vec<u8> {
    let mut d = Dwarf::default();
    // common entry: version 1, no augmentation, code by bytes, data by words downwards, return address
    d.u32(0)
        .u32(u32::MAX)
        .u8(1)
        .u8(0)
        .uleb(1)
        .sleb(-8)
        .u8(FRAME.0.max(16));
    d.u8(0x0c).uleb(FRAME.0.into()).uleb(FRAME.1.into()); // DW_CFA_def_cfa
    for &(register, words) in SAVED {
        d.u8(0x80 | register).uleb(words); // DW_CFA_offset
    }
    while d.0.len() % 8 != 4 {
        d.u8(0);
    }
    d.end_unit(0);
    let from = d.0.len();
    d.u32(0).u32(0).u64(s.address).u64(s.bytes.len() as u64);
    while (d.0.len() - from) % 8 != 4 {
        d.u8(0);
    }
    d.end_unit(from);
    d.0
}

/// `.debug_abbrev`: a compilation unit with a function.
fn debug_abbrev() -> Vec<u8> {
    let mut d = Dwarf::default();
    // name, directory, from, size, lines
    d.uleb(1).uleb(0x11).u8(1);
    for (attribute, form) in [
        (0x03, 0x08),
        (0x1b, 0x08),
        (0x11, 0x01),
        (0x12, 0x07),
        (0x10, 0x17),
    ] {
        d.uleb(attribute).uleb(form);
    }
    d.u8(0).u8(0);
    // name, from, size
    d.uleb(2).uleb(0x2e).u8(0);
    for (attribute, form) in [(0x03, 0x08), (0x11, 0x01), (0x12, 0x07)] {
        d.uleb(attribute).uleb(form);
    }
    d.u8(0).u8(0).u8(0);
    d.0
}

fn debug_info(s: &Symbol<'_>) -> Vec<u8> {
    let file = s.lines.first().map_or("?", |l| &l.1.chunk);
    let directory = std::env::current_dir().unwrap_or_default();
    let size = s.bytes.len() as u64;
    let mut d = Dwarf::default();
    d.u32(0).u16(4).u32(0).u8(8);
    d.uleb(1).text(file).text(&directory.to_string_lossy());
    d.u64(s.address).u64(size).u32(0);
    d.uleb(2).text(&s.name).u64(s.address).u64(size);
    d.u8(0);
    d.end_unit(0);
    d.0
}

fn debug_line(s: &Symbol<'_>) -> Vec<u8> {
    let mut files: Vec<&str> = Vec::new();
    for (_, p) in &s.lines {
        if !files.contains(&&*p.chunk) {
            files.push(&p.chunk);
        }
    }
    let mut d = Dwarf::default();
    d.u32(0).u16(4).u32(0);
    let head = d.0.len();
    // no special opcodes are used; the lengths of the standard ones
    d.u8(1).u8(1).u8(1).u8(0).u8(1).u8(13);
    for n in [0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1] {
        d.u8(n);
    }
    d.u8(0);
    for f in &files {
        d.text(f).uleb(0).uleb(0).uleb(0);
    }
    d.u8(0);
    let length = (d.0.len() - head) as u32;
    d.0[head - 4..head].copy_from_slice(&length.to_le_bytes());
    d.u8(0).uleb(9).u8(2).u64(s.address); // DW_LNE_set_address
    let (mut at, mut line, mut file) = (0, 1, 1);
    for (offset, p) in s.lines.iter().filter(|l| l.1.line != 0) {
        let n = 1 + files.iter().position(|f| **f == *p.chunk).unwrap_or(0) as u64;
        if n != file {
            d.u8(4).uleb(n); // DW_LNS_set_file
            file = n;
        }
        d.u8(2).uleb(u64::from(offset - at)); // DW_LNS_advance_pc
        d.u8(3).sleb(i64::from(p.line) - line); // DW_LNS_advance_line
        d.u8(1); // DW_LNS_copy
        (at, line) = (*offset, p.line.into());
    }
    d.u8(2).uleb(s.bytes.len() as u64 - u64::from(at));
    d.u8(0).uleb(1).u8(1); // DW_LNE_end_sequence
    d.end_unit(0);
    d.0
}

// ---- the file --------------------------------------------------------------------------------------------------------

/// An object file that describes the trace. `None`: the writer refuses.
fn object_file(s: &Symbol<'_>) -> Option<Vec<u8>> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => elf::EM_X86_64,
        "aarch64" => elf::EM_AARCH64,
        _ => elf::EM_RISCV,
    };
    let sections: [(&[u8], Vec<u8>); 4] = [
        (b".debug_frame", debug_frame(s)),
        (b".debug_abbrev", debug_abbrev()),
        (b".debug_info", debug_info(s)),
        (b".debug_line", debug_line(s)),
    ];
    let mut out = Vec::new();
    let mut w = Writer::new(object::Endianness::Little, true, &mut out);
    // first everything is announced
    w.reserve_file_header();
    w.reserve_null_section_index();
    let text_name = w.add_section_name(b".text");
    let text = w.reserve_section_index();
    let mut placed = Vec::new();
    for (name, data) in &sections {
        let name = w.add_section_name(name);
        w.reserve_section_index();
        placed.push((name, w.reserve(data.len() as u64, 8)));
    }
    let name = w.add_string(s.name.as_bytes());
    w.reserve_null_symbol_index();
    w.reserve_symbol_index(Some(text));
    w.reserve_symtab_section_index();
    w.reserve_symtab();
    w.reserve_strtab_section_index();
    w.reserve_strtab().ok()?;
    w.reserve_shstrtab_section_index();
    w.reserve_shstrtab().ok()?;
    w.reserve_section_headers();
    // then it is written, in the same order
    w.write_file_header(&FileHeader {
        os_abi: elf::ELFOSABI_NONE,
        abi_version: 0,
        e_type: elf::ET_EXEC,
        e_machine: machine,
        e_entry: 0,
        e_flags: elf::FileFlags(0),
    })
    .ok()?;
    for ((_, data), &(_, offset)) in sections.iter().zip(&placed) {
        w.pad_until(offset);
        w.write(data);
    }
    w.write_null_symbol();
    w.write_symbol(&Sym {
        section: Some(text.0),
        st_name: w.string_offset(Some(name)),
        st_info: elf::SymbolInfo::new(elf::STB_GLOBAL, elf::STT_FUNC),
        st_other: elf::SymbolOther(0),
        st_shndx: elf::SymbolSection(text.0 as u16),
        st_value: s.address,
        st_size: s.bytes.len() as u64,
    });
    w.write_strtab();
    w.write_shstrtab();
    w.write_null_section_header();
    let header = SectionHeader {
        sh_name: w.section_name_offset(Some(text_name)),
        sh_type: elf::SHT_NOBITS,
        sh_flags: elf::SHF_ALLOC | elf::SHF_EXECINSTR,
        sh_addr: s.address,
        sh_offset: 0,
        sh_size: s.bytes.len() as u64,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: 16,
        sh_entsize: 0,
    };
    w.write_section_header(&header);
    for ((_, data), (name, offset)) in sections.iter().zip(placed) {
        w.write_section_header(&SectionHeader {
            sh_name: w.section_name_offset(Some(name)),
            sh_type: elf::SHT_PROGBITS,
            sh_flags: elf::SectionFlags(0),
            sh_addr: 0,
            sh_offset: offset,
            sh_size: data.len() as u64,
            sh_addralign: 1,
            ..header
        });
    }
    w.write_symtab_section_header(1);
    w.write_strtab_section_header();
    w.write_shstrtab_section_header();
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::Place;

    #[test]
    fn numbers() {
        let mut d = Dwarf::default();
        d.uleb(0x7f).uleb(0x80).sleb(-1).sleb(63).sleb(64).sleb(-65);
        assert_eq!(d.0, [0x7f, 0x80, 1, 0x7f, 0x3f, 0xc0, 0, 0xbf, 0x7f]);
    }

    #[test]
    fn list_of_files() {
        let at = |line| Place {
            chunk: "a.lua".into(),
            line,
        };
        let symbol = Symbol {
            name: "trace_1".into(),
            address: 0x7000_1000,
            bytes: &[0xc3; 20],
            lines: vec![(0, at(3)), (8, at(70)), (12, at(2))],
        };
        let file = object_file(&symbol).expect("an object file");
        assert_eq!(&file[..4], b"\x7fELF");
        let has = |s: &[u8]| file.windows(s.len()).any(|w| w == s);
        assert!(has(b"trace_1\0") && has(b"a.lua\0") && has(b".debug_line\0"));
        let first = || {
            let _held = LOCK.lock();
            // SAFETY: the lock is held.
            unsafe { __jit_debug_descriptor.first }
        };
        let before = first();
        let mut g = GdbJit::default();
        g.add(&symbol);
        g.add(&symbol);
        assert_ne!(first(), before);
        drop(g);
        assert_eq!(first(), before);
    }
}
