//! The memory that a state's traces live in.
//!
//! One region near the interpreter, handed out from the bottom; it is mapped twice (or flips its protection), see
//! `asm::codemem`. Code is never moved. What is given back leaves a hole, in which other code is placed if it fits; holes that touch become
//! one.

use std::collections::{BTreeMap, BTreeSet};

use traceorus_asm::{CodeMem, Mapping};

use crate::abort::Abort;

/// Bytes of a region.
pub const AREA_BYTES: usize = 32 << 20;
/// Room that is enough for nearly every trace, in bytes.
pub const MOST_CODE: usize = 16 << 10;
/// Alignment of what is handed out.
const ALIGN: usize = 16;

/// Code memory of a state.
#[derive(Debug)]
pub struct CodeArea {
    mem: CodeMem,
    /// End of what has been handed out.
    used: usize,
    /// What has been given back: offset, size.
    holes: BTreeMap<usize, usize>,
    /// The same: size, offset.
    sizes: BTreeSet<(usize, usize)>,
    /// Bytes of the holes.
    free: usize,
}

impl CodeArea {
    /// Reserves [`AREA_BYTES`] near the address `near`; [`Abort::CodeMemory`] if the system gives out no executable memory.
    pub fn new(near: u64) -> Result<CodeArea, Abort> {
        let mem = CodeMem::reserve(near, AREA_BYTES, Mapping::Dual)
            .or_else(|_| CodeMem::reserve(near, AREA_BYTES, Mapping::Single))
            .map_err(|_| Abort::CodeMemory)?;
        Ok(CodeArea {
            mem,
            used: 0,
            holes: BTreeMap::new(),
            sizes: BTreeSet::new(),
            free: 0,
        })
    }
    fn add_hole(&mut self, at: usize, size: usize) {
        self.holes.insert(at, size);
        self.sizes.insert((size, at));
        self.free += size;
    }
    fn take_hole(&mut self, at: usize) -> Option<usize> {
        let size = self.holes.remove(&at)?;
        self.sizes.remove(&(size, at));
        self.free -= size;
        Some(size)
    }
    /// The end of what has been handed out.
    pub fn next_address(&self) -> u64 {
        self.mem.address() + self.used as u64
    }
    /// Bytes that are in use.
    pub fn used(&self) -> usize {
        self.used - self.free
    }
    /// There is room for most traces.
    pub fn has_room(&self) -> bool {
        self.place(MOST_CODE).is_ok()
    }
    /// An address at which there is room for so many bytes: the smallest hole that has it, or the end.
    pub fn place(&self, bytes: usize) -> Result<u64, Abort> {
        let hole = self.sizes.range((bytes, 0)..).next();
        let at = hole.map_or(self.used, |h| h.1);
        match bytes <= self.room(at) {
            true => Ok(self.mem.address() + at as u64),
            false => Err(Abort::CodeMemory),
        }
    }
    /// Bytes that can be placed at `address`, which [`CodeArea::place`] or [`CodeArea::next_address`] gave.
    pub fn room_at(&self, address: u64) -> usize {
        self.room((address - self.mem.address()) as usize)
    }
    fn room(&self, at: usize) -> usize {
        match self.holes.get(&at) {
            Some(&size) => size,
            None if at == self.used => self.mem.bytes() - at,
            None => 0,
        }
    }
    /// Places code at [`CodeArea::next_address`], for which it was emitted, and makes it executable.
    pub fn install(&mut self, code: &[u8]) -> Result<u64, Abort> {
        let address = self.next_address();
        self.install_at(address, code)?;
        Ok(address)
    }
    /// Places code at an address that [`CodeArea::place`] gave, for which it was emitted, and makes it executable.
    pub fn install_at(&mut self, address: u64, code: &[u8]) -> Result<(), Abort> {
        let at = (address - self.mem.address()) as usize;
        let (size, room) = (code.len().next_multiple_of(ALIGN), self.room(at));
        if size > room {
            return Err(Abort::CodeMemory);
        }
        self.mem
            .write(at, code)
            .and_then(|()| self.mem.seal())
            .map_err(|_| Abort::CodeMemory)?;
        if self.take_hole(at).is_none() {
            self.used += size;
        } else if size < room {
            self.add_hole(at + size, room - size);
        }
        Ok(())
    }
    /// Takes back what was placed at `address`: nothing of it runs or is referred to any more.
    pub fn free(&mut self, address: u64, bytes: usize) {
        let mut at = (address - self.mem.address()) as usize;
        let mut size = bytes.next_multiple_of(ALIGN);
        debug_assert!(at + size <= self.used);
        if let Some(after) = self.take_hole(at + size) {
            size += after;
        }
        if let Some((&before, &n)) = self.holes.range(..at).next_back()
            && before + n == at
        {
            self.take_hole(before);
            (at, size) = (before, size + n);
        }
        if at + size == self.used {
            self.used = at;
        } else {
            self.add_hole(at, size);
        }
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
        self.holes.clear();
        self.sizes.clear();
        self.free = 0;
    }
    /// See [`CodeMem::after_fork_child`].
    pub fn after_fork_child(&mut self) -> Result<(), Abort> {
        self.mem.after_fork_child().map_err(|_| Abort::CodeMemory)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_used_again() {
        let mut area = CodeArea::new(here()).expect("executable memory");
        let code = |n: usize| vec![0x90; n];
        let at: Vec<u64> = (0..5)
            .map(|_| area.install(&code(100)).expect("room"))
            .collect();
        let (top, all) = (area.next_address(), area.used());
        assert_eq!(all, 5 * 112);
        area.free(at[1], 100);
        assert_eq!((area.used(), area.next_address()), (4 * 112, top));
        // too big for the hole
        assert_eq!(area.place(113), Ok(top));
        // holes that touch become one, from either side
        area.free(at[3], 100);
        area.free(at[2], 100);
        assert_eq!(area.place(300), Ok(at[1]));
        assert_eq!(area.room_at(at[1]), 3 * 112);
        area.install_at(at[1], &code(150)).expect("fits");
        assert_eq!(area.read(at[1], 150), Some(&code(150)[..]));
        assert_eq!(area.place(100), Ok(at[1] + 160));
        assert_eq!(
            area.install_at(at[1] + 160, &code(177)),
            Err(Abort::CodeMemory)
        );
        // at the end there is no hole
        area.free(at[4], 100);
        assert_eq!(area.next_address(), at[1] + 160);
        assert_eq!(area.used(), 112 + 160);
        assert_eq!(area.room_at(at[0]), 0);
    }

    fn here() -> u64 {
        here as *const () as u64
    }
}
