//! Source places: which line an instruction of bytecode, or a piece of a trace's machine code, belongs to.

use std::fmt;
use std::rc::Rc;

use traceorus_base::chunkid::chunkid;
use traceorus_base::objects::*;
use traceorus_vm::{debuginfo, string};

use crate::ir::{IrBuf, Ref};

/// A line of a chunk.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    /// File name, or what stands for it in messages.
    pub chunk: Rc<str>,
    /// Line from 1; 0 if it is not known.
    pub line: u32,
}

impl Place {
    /// A place that is not known.
    pub fn unknown() -> Place {
        Place {
            chunk: "?".into(),
            line: 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.chunk),
            n => write!(f, "{}:{n}", self.chunk),
        }
    }
}

/// What the chunk of a prototype is called: a file by its name, other sources as in messages.
///
/// # Safety
/// [GC-LIVE] `p` is live, or at least its memory and that of its source are still intact.
pub unsafe fn chunk_name(p: *const Proto) -> Rc<str> {
    // SAFETY: as promised.
    unsafe {
        if (*p).source.is_null() {
            return "?".into();
        }
        let source = string::str_bytes((*p).source);
        let name = match source.first() {
            Some(b'@') => String::from_utf8_lossy(&source[1..]).into_owned(),
            _ => String::from_utf8_lossy(&chunkid(source)).into_owned(),
        };
        name.into()
    }
}

/// The prototype of `protos` whose code `pc` lies in.
///
/// # Safety
/// As [`chunk_name`], for all of them.
pub unsafe fn proto_at(protos: &[*mut Proto], pc: *const Instr) -> Option<*mut Proto> {
    // SAFETY: as promised.
    let inside = |&p: &*mut Proto| unsafe { debuginfo::word_index(p, pc).is_some() };
    protos.iter().copied().find(inside)
}

/// Place of an instruction of one of `protos`.
///
/// # Safety
/// As [`chunk_name`], for all of them.
pub unsafe fn place(protos: &[*mut Proto], pc: *const Instr) -> Place {
    // SAFETY: as promised.
    unsafe {
        match proto_at(protos, pc) {
            Some(p) => Place {
                chunk: chunk_name(p),
                line: line(p, pc),
            },
            None => Place::unknown(),
        }
    }
}

/// Line of the instruction at `pc` in `p`, 0 if it is not known.
///
/// # Safety
/// [GC-LIVE] as [`chunk_name`].
pub unsafe fn line(p: *const Proto, pc: *const Instr) -> u32 {
    // SAFETY: as promised.
    unsafe { u32::try_from(debuginfo::line_at(p, pc)).unwrap_or(0) }
}

/// Where each stretch of a trace's machine code comes from: byte offsets at which the bytecode instruction changes, ascending,
/// and the address of that instruction. The resolution is that of snapshots: what has no guard belongs to the guard before it.
pub fn code_map(buf: &IrBuf, start_pc: u64, at: &[(u32, Ref)]) -> Vec<(u32, u64)> {
    let mut map = vec![(0, start_pc)];
    for &(offset, r) in at {
        let Some(snap) = r.is_ins().then(|| buf.snap_of(r)).flatten() else {
            continue;
        };
        let pc = buf.snaps[snap.0 as usize].pc;
        if map.last().is_some_and(|l| l.1 != pc && l.0 <= offset) {
            map.push((offset, pc));
        }
    }
    map
}

/// The instruction that the byte at `offset` belongs to.
pub fn pc_of(map: &[(u32, u64)], offset: u32) -> Option<u64> {
    let n = map.partition_point(|m| m.0 <= offset);
    n.checked_sub(1).map(|n| map[n].1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{Ins, IrOp, REF_NONE, Snap, Ty};

    #[test]
    fn code_belongs_to_the_snapshot_before_it() {
        let mut buf = IrBuf::new();
        let mut at = vec![];
        for (i, pc) in [(1u32, 0x100u64), (2, 0x100), (3, 0x200)] {
            let first = buf.next();
            buf.snaps.push(Snap {
                first,
                start: 0,
                end: 0,
                pc,
                base: 0,
                live: 0,
                top: Snap::NO_TOP,
                pcalls: 0,
                decided: false,
                asked: false,
                done: Default::default(),
            });
            let r = buf.push(Ins::new(IrOp::TEq, Ty::Tag, REF_NONE, REF_NONE));
            at.push((16 * i, r));
        }
        let map = code_map(&buf, 0x50, &at);
        assert_eq!(map, [(0, 0x50), (16, 0x100), (48, 0x200)]);
        assert_eq!(pc_of(&map, 0), Some(0x50));
        assert_eq!(pc_of(&map, 47), Some(0x100));
        assert_eq!(pc_of(&map, 1000), Some(0x200));
        assert_eq!(pc_of(&[], 3), None);
        let p = Place {
            chunk: "a.lua".into(),
            line: 3,
        };
        assert_eq!(p.to_string(), "a.lua:3");
        assert_eq!(Place::unknown().to_string(), "?");
    }
}
