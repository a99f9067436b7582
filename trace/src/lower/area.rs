//! The memory that a state's traces live in.
//!
//! One region near the interpreter, handed out from the bottom; it is mapped twice (or flips its protection), see
//! `asm::codemem`. Code is never moved. It is given back all at once, when no trace is left ([`CodeArea::reset`]).

use traceorus_asm::{CodeMem, Mapping};

use crate::abort::Abort;

/// Bytes of a region.
pub const AREA_BYTES: usize = 32 << 20;
/// Alignment of what is handed out.
const ALIGN: usize = 16;

/// Code memory of a state.
#[derive(Debug)]
pub struct CodeArea {
    mem: CodeMem,
    used: usize,
}

impl CodeArea {
    /// Reserves [`AREA_BYTES`] near the address `near`; [`Abort::CodeMemory`] if the system gives out no executable memory.
    pub fn new(near: u64) -> Result<CodeArea, Abort> {
        let mem = CodeMem::reserve(near, AREA_BYTES, Mapping::Dual)
            .or_else(|_| CodeMem::reserve(near, AREA_BYTES, Mapping::Single))
            .map_err(|_| Abort::CodeMemory)?;
        Ok(CodeArea { mem, used: 0 })
    }
    /// Where the next code will be placed.
    pub fn next_address(&self) -> u64 {
        self.mem.address() + self.used as u64
    }
    /// Bytes handed out.
    pub fn used(&self) -> usize {
        self.used
    }
    /// Bytes left.
    pub fn left(&self) -> usize {
        self.mem.bytes() - self.used
    }
    /// Places code at [`CodeArea::next_address`], for which it was emitted, and makes it executable.
    pub fn install(&mut self, code: &[u8]) -> Result<u64, Abort> {
        let size = code.len().next_multiple_of(ALIGN);
        if size > self.left() {
            return Err(Abort::CodeMemory);
        }
        let address = self.next_address();
        self.mem
            .write(self.used, code)
            .and_then(|()| self.mem.seal())
            .map_err(|_| Abort::CodeMemory)?;
        self.used += size;
        Ok(address)
    }
    /// Replaces the eight bytes at `address`, a multiple of 8, while the code may be running (in this thread's frames below).
    pub fn patch(&mut self, address: u64, bytes: u64) -> Result<(), Abort> {
        let offset = address.wrapping_sub(self.mem.address()) as usize;
        if offset >= self.used {
            return Err(Abort::Internal);
        }
        self.mem
            .patch_u64(offset, bytes)
            .map_err(|_| Abort::CodeMemory)
    }
    /// A piece of work is done: see [`CodeMem::trim`].
    pub fn trim(&mut self) {
        self.mem.trim();
    }
    /// `address` is in this area.
    pub fn contains(&self, address: u64) -> bool {
        (self.mem.address()..self.next_address()).contains(&address)
    }
    /// The code at `address`.
    pub fn read(&self, address: u64, bytes: usize) -> Option<&[u8]> {
        let offset = address.checked_sub(self.mem.address())? as usize;
        self.mem.read(offset, bytes).ok()
    }
    /// Forgets all code from `to` bytes on: nothing of it runs or is referred to any more.
    pub fn reset(&mut self, to: usize) {
        self.used = to.min(self.used).next_multiple_of(ALIGN);
    }
    /// See [`CodeMem::after_fork_child`].
    pub fn after_fork_child(&mut self) -> Result<(), Abort> {
        self.mem.after_fork_child().map_err(|_| Abort::CodeMemory)
    }
}
