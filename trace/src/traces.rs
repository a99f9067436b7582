//! What is kept of a trace. Its IR and snapshots are not: exits are packed ([`crate::exits`]), and names for reports are made only
//! if there will be one.

use std::ops::Range;

use traceorus_base::Value;
use traceorus_base::objects::*;

use crate::exits::Exits;
use crate::ir::EntryCheck;
use crate::loc::Link;
use crate::opt::known::Packed;
use crate::record::enter::{Body, Through};
use crate::record::{Kind, Performed};

/// What has become of an exit.
#[derive(Clone, Copy, Debug)]
pub struct ExitState {
    /// How often it was taken to the interpreter.
    pub taken: u32,
    /// The same since something was last tried there.
    pub count: u16,
    /// Side trace (0: none).
    pub side: u16,
    /// Offset of its stub in the code.
    pub stub: u32,
    /// A guard that leaves by it looks at a type, or at which function is called.
    pub types: bool,
    /// A branch goes the other way there: see `Snap::decided`.
    pub decided: bool,
}

/// A compiled trace.
pub struct Trace {
    /// Its number.
    pub number: u16,
    /// What it was recorded as.
    pub kind: Kind,
    /// The root trace of its tree (itself, if it is one).
    pub root: u16,
    /// Where it begins.
    pub start_pc: *const Instr,
    /// Instruction or header that enters it; null for side traces.
    pub anchor: *mut Instr,
    /// Prototype of the anchor (of side traces: of the first instruction).
    pub proto: *mut Proto,
    /// How it ends.
    pub link: Link,
    /// If others may go on in its loop: how.
    pub body: Option<Box<Body>>,
    /// Invariants of the loop that its exits lie in, where others may go on, and the trace of that loop (0: there is none).
    pub through: Through,
    /// See `through`.
    pub through_of: u16,
    /// What it has proved at its exits.
    pub known: Packed,
    /// Number of IR instructions.
    pub nins: u32,
    /// Number of constants in the IR.
    pub nkonsts: u32,
    /// What its exits restore, by snapshot.
    pub exits: Exits,
    /// What has become of its exits, by snapshot.
    pub states: Box<[ExitState]>,
    /// The guards of each exit as [`guards_of`] names them, if reports need it.
    ///
    /// [`guards_of`]: crate::stats::guards_of
    pub guards: Box<[String]>,
    /// Address of its code.
    pub address: u64,
    /// Bytes of code.
    pub bytes: u32,
    /// Processor time that it took to record and compile, in microseconds.
    pub cost_us: u32,
    /// Processor time when its recording began.
    pub born_us: u64,
    /// Address of the entry.
    pub entry: u64,
    /// Address of the entry for traces that have proved `checks`.
    pub checked: u64,
    /// What is checked at the entry.
    pub checks: Box<[EntryCheck]>,
    /// It ends in the entry of this trace and has proved what that checks (0: it does not).
    pub proves: u16,
    /// Spill slots used, those of ancestors included.
    pub spills: u16,
    /// Side traces of its tree (roots only).
    pub nsides: u32,
    /// Offset in the code of the jump to another tree, if it ends in one and the jump can be changed.
    pub link_offset: u32,
    /// Anchor of that tree (null: it does not, or the tree begins behind a call).
    pub link_anchor: *mut Instr,
    /// The trace of the loop that it is a part of: itself, or the one whose exits lead to it without leaving the loop (0: none).
    pub way: u16,
    /// It is reached in the first iteration of that trace only: from an exit before LOOP, or by way of another such trace.
    pub early: bool,
    /// The loop that is tried next if the first iteration of this one goes another way (0: none yet).
    pub next_way: u16,
    /// Exits from here on are in the loop (if it ends in its own).
    pub loop_exits: u16,
    /// When it was made or woken last, in ticks of [`Jit::clock`] (roots only).
    ///
    /// [`Jit::clock`]: crate::jit::Jit
    pub used: u64,
    /// Exits of the tree at which nothing is recorded any more (roots only): how many, and the processor time when that number was last looked at.
    pub lost: (u32, Option<u64>),
    /// Objects that it keeps alive.
    pub keep: Box<[Value]>,
    /// Prototypes whose code it refers to.
    pub protos: Box<[*mut Proto]>,
    /// Can be entered and linked to.
    pub alive: bool,
    /// A root that is to be recorded anew: nothing enters it any more.
    pub retired: bool,
    /// Bytecode by offset in the code (see [`places::code_map`]), if reports need it.
    pub map: Box<[(u32, u64)]>,
    /// Bytecode instructions that are performed by calling their helpers.
    pub helpers: Box<[Performed]>,
}

/// Bit of `Proto::jit`: traces refer to the prototype, or reports do.
pub(crate) const PROTO_KNOWN: u64 = 1;
/// Bit of `Proto::jit`: no trace may contain the function (`jit.off`).
pub(crate) const PROTO_OFF: u64 = 2;

impl Trace {
    /// Addresses of its code.
    pub fn code(&self) -> Range<u64> {
        self.address..self.address + u64::from(self.bytes)
    }
    /// Address of the jump to another tree.
    pub fn link_at(&self) -> u64 {
        self.address + u64::from(self.link_offset)
    }
    /// Address of the stub of the exit that takes the place of that jump.
    pub fn link_exit(&self) -> u64 {
        self.stub(self.states.len() as u16 - 1)
    }
    /// Address of the stub of exit `n`.
    pub fn stub(&self, n: u16) -> u64 {
        self.address + u64::from(self.states[n as usize].stub)
    }
}

#[cfg(test)]
impl Trace {
    /// A trace without code, for tests of what shows traces.
    pub(crate) fn empty(number: u16, address: u64) -> Trace {
        Trace {
            number,
            kind: Kind::Loop,
            root: number,
            start_pc: std::ptr::null(),
            anchor: std::ptr::null_mut(),
            proto: std::ptr::null_mut(),
            link: Link::Loop,
            body: None,
            through: Box::default(),
            through_of: 0,
            known: Packed::default(),
            nins: 1,
            nkonsts: 0,
            exits: Exits::default(),
            states: Box::default(),
            guards: Box::default(),
            address,
            bytes: 0,
            cost_us: 0,
            born_us: 0,
            entry: address,
            checked: address,
            checks: Box::default(),
            proves: 0,
            spills: 0,
            nsides: 0,
            link_offset: 0,
            link_anchor: std::ptr::null_mut(),
            way: 0,
            early: false,
            next_way: 0,
            loop_exits: 0,
            used: 0,
            lost: (0, None),
            keep: Box::default(),
            protos: Box::default(),
            alive: true,
            retired: false,
            map: Box::default(),
            helpers: Box::default(),
        }
    }
}
