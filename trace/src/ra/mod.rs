//! Register allocation: all decisions of a trace, in side tables that emission replays.
//!
//! **Method.** One walk backwards over the IR ([`backward`]), so that the next use of a value is always behind us: a value
//! gets a register at its last use and gives it back at its definition. `Copy` or phi partners, fixed registers and
//! two-address instructions are hints. When registers run out, a value is *evicted*: the uses behind keep their register,
//! which is reloaded after the present instruction from the value's *spill slot*. A value with a spill slot is stored there
//! once, right after its definition, so that its slot is valid wherever the value is. Constants are evicted for free: they
//! are made anew.
//!
//! **Loops.** The body is walked several times. Each walk begins with the state that the walk before it ended with at LOOP,
//! the *homes*: invariants have to be there at the back edge, and the right side of each phi moves to the home of its left
//! side. When a walk ends as it began, the loop needs no moves but those of phis; after four walks the
//! difference becomes a parallel move at the top of the body. Then the part before LOOP is walked, ending in the homes.
//! The homes are published as the loop's entry contract.
//!
//! **Snapshots.** One exit stub serves all guards of a snapshot, so a value has one place for all of them: its register if
//! it stays there from the first to the last of these guards, else its spill slot. Slots that fall free while a snapshot is
//! open are not reused before it is closed.
//!
//! **Moves** of one gap between instructions happen in parallel ([`parmove`] puts them in order). One general and one float
//! register are kept for that.
//!
//! [`check`] verifies a finished allocation by its own reading of the tables; debug builds do so for every trace.
//!
//! Cost: linear in instructions, times at most four for loop bodies; tables are vectors indexed by ref.

pub mod backward;
pub mod check;
mod loops;
pub mod parmove;
pub mod plan;
pub mod print;
mod snaps;

use crate::ir::{IrOp, Ref};

pub use backward::{Job, allocate};
pub use plan::Plan;

/// A register of either class: general ones by hardware number, float ones 32 above theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Reg(pub u8);

impl Default for Reg {
    fn default() -> Reg {
        Reg::NONE
    }
}

impl Reg {
    /// No register.
    pub const NONE: Reg = Reg(0xff);
    /// General register by hardware number.
    pub const fn gpr(n: u8) -> Reg {
        Reg(n)
    }
    /// Float register by hardware number.
    pub const fn fpr(n: u8) -> Reg {
        Reg(n + 32)
    }
    /// There is none.
    pub fn is_none(self) -> bool {
        self == Reg::NONE
    }
    /// A float register.
    pub fn is_fpr(self) -> bool {
        (32..64).contains(&self.0)
    }
    /// Hardware number.
    pub fn number(self) -> u8 {
        self.0 & 31
    }
}

/// A set of registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RegSet(pub u64);

impl RegSet {
    /// No register.
    pub const EMPTY: RegSet = RegSet(0);
    /// All general registers.
    pub const GPRS: RegSet = RegSet(0xffff_ffff);
    /// All float registers.
    pub const FPRS: RegSet = RegSet(0xffff_ffff << 32);
    /// Just this one (nothing for [`Reg::NONE`]).
    pub fn of(r: Reg) -> RegSet {
        RegSet(if r.is_none() { 0 } else { 1 << r.0 })
    }
    /// `r` is in it.
    pub fn has(self, r: Reg) -> bool {
        !r.is_none() && self.0 >> r.0 & 1 != 0
    }
    /// Adds a register.
    pub fn add(&mut self, r: Reg) {
        self.0 |= RegSet::of(r).0;
    }
    /// Removes a register.
    pub fn remove(&mut self, r: Reg) {
        self.0 &= !RegSet::of(r).0;
    }
    /// In both.
    pub const fn and(self, o: RegSet) -> RegSet {
        RegSet(self.0 & o.0)
    }
    /// In either.
    pub const fn or(self, o: RegSet) -> RegSet {
        RegSet(self.0 | o.0)
    }
    /// In this one only.
    pub const fn minus(self, o: RegSet) -> RegSet {
        RegSet(self.0 & !o.0)
    }
    /// The register with the lowest number.
    pub fn first(self) -> Option<Reg> {
        (self.0 != 0).then(|| Reg(self.0.trailing_zeros() as u8))
    }
    /// How many.
    pub fn len(self) -> u32 {
        self.0.count_ones()
    }
    /// None.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The registers of the class of floats or of the others.
    pub fn class(float: bool) -> RegSet {
        if float { RegSet::FPRS } else { RegSet::GPRS }
    }
}

impl Iterator for RegSet {
    type Item = Reg;
    fn next(&mut self) -> Option<Reg> {
        let r = self.first()?;
        self.remove(r);
        Some(r)
    }
}

/// What the allocator has to know of a target.
#[derive(Clone, Debug)]
pub struct RegInfo {
    /// Registers that traces allocate.
    pub allocatable: RegSet,
    /// Those of them that native functions preserve.
    pub callee_saved: RegSet,
    /// Arguments of native functions, general ones.
    pub args: [Reg; 6],
    /// Arguments of native functions, floats.
    pub float_args: [Reg; 8],
    /// General result.
    pub ret: Reg,
    /// Float result.
    pub float_ret: Reg,
    /// Registers that a division destroys and leaves quotient and remainder in.
    pub quotient: Reg,
    /// See `quotient`.
    pub remainder: Reg,
    /// Best register for a variable shift count, or none.
    pub shift_count: Reg,
    /// Rounding is one instruction (else a call).
    pub rounds: bool,
    /// Instructions take this constant as an immediate.
    pub immediate: fn(i64) -> bool,
}

impl RegInfo {
    /// Allocatable registers that native functions destroy.
    pub fn caller_saved(&self) -> RegSet {
        self.allocatable.minus(self.callee_saved)
    }
    /// Allocatable registers that a call instruction destroys: handlers of the interpreter keep none.
    pub fn clobbered(&self, op: IrOp) -> RegSet {
        match op {
            IrOp::XOp | IrOp::XOpQ | IrOp::XOpR => self.allocatable,
            _ => self.caller_saved(),
        }
    }
}

/// Where a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Place {
    /// Nowhere: it has no payload.
    None,
    /// In a register.
    Reg(Reg),
    /// In a spill slot.
    Slot(u16),
    /// It is this constant (only read).
    Const(Ref),
    /// In the general register kept for moves (only between two moves of a gap).
    ParkGpr,
    /// In the float register kept for moves.
    ParkFpr,
}

/// `dst = src`, 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Move {
    /// Register or spill slot.
    pub dst: Place,
    /// Register, spill slot or constant.
    pub src: Place,
}

/// A move of a gap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GapMove {
    /// Twice the index of the instruction, plus 1 if it is behind it.
    pub gap: u32,
    /// The move.
    pub mv: Move,
}

/// Most inputs of an instruction that have to be in registers.
pub const MAX_INPUTS: usize = 4;

/// What was decided for an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InsAlloc {
    /// Register of the result.
    pub dst: Reg,
    /// Registers of the inputs, in the order of [`plan::Inputs`]; none: a constant that the instruction takes as it is.
    pub ops: [Reg; MAX_INPUTS],
    /// Nothing is emitted: unused, or part of another instruction.
    pub skip: bool,
}

impl InsAlloc {
    /// Nothing decided.
    pub const NONE: InsAlloc = InsAlloc {
        dst: Reg::NONE,
        ops: [Reg::NONE; MAX_INPUTS],
        skip: true,
    };
}

/// A value that the collector has to know at a POLL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    /// Snapshot of the POLL.
    pub snap: u16,
    /// Payload.
    pub val: Ref,
    /// Tag: a constant's ref or that of a value; none: the tag of the payload's type.
    pub tag: Ref,
    /// Where they are.
    pub places: [Place; 2],
}

/// A value that lives through the whole body of a loop (or a side trace that goes on in one), at a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Through {
    /// The snapshot.
    pub snap: u16,
    /// The value.
    pub val: Ref,
    /// Where it is at all guards of the snapshot.
    pub place: Place,
}

/// A finished allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allocation {
    /// By index of instruction.
    pub ins: Vec<InsAlloc>,
    /// Moves in gaps, from the last gap to the first.
    pub moves: Vec<GapMove>,
    /// Moves at the head of the trace.
    pub head: Vec<Move>,
    /// Moves at the top of the loop's body, in each iteration.
    pub loop_top: Vec<Move>,
    /// Moves at the back edge, or at the end of a trace that goes on in another one's loop.
    pub back_edge: Vec<Move>,
    /// What is where when the loop is entered (a value may be listed twice: in a register and in its spill slot). Constants too.
    pub contract: Vec<(Ref, Place)>,
    /// Phis that are carried: left and right side.
    pub phis: Vec<(Ref, Ref)>,
    /// Places of payload and tag, by index of snapshot entry.
    pub snaps: Vec<[Place; 2]>,
    /// The same of the contents of sunk objects, by index in `IrBuf::fillings`. A sunk object itself is nowhere.
    pub fillings: Vec<[Place; 2]>,
    /// The snapshot is used, by number.
    pub snap_used: Vec<bool>,
    /// Roots of POLLs.
    pub roots: Vec<Root>,
    /// Values that live through, by snapshot.
    pub through: Vec<Through>,
    /// Spill slots used, the parent's included.
    pub spills: u16,
    /// Where the value that `Link::Return` or `Link::Event` names is at the end.
    pub ret: Reg,
}
