//! Where values are at a point of a trace, and what an exit restores: the contract between the back end and the rest.

use crate::ir::{Part, Ref, Ty};

/// Place of a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Loc {
    /// Nothing to restore (nil, true, false have no payload).
    None,
    /// General register, by hardware number.
    Gpr(u8),
    /// Float register, by hardware number.
    Fpr(u8),
    /// Spill slot: `Masm::local(FIRST_SPILL + n)`.
    Spill(u16),
    /// These bits.
    Const(u64),
    /// The object that the exit makes from its recipe with this number (payloads only).
    Sunk(u16),
}

/// Local slot of the native frame where spill slots begin (0 and 1 belong to the interpreter).
pub const FIRST_SPILL: u32 = 2;
/// Spill slots that a trace (with its ancestors) may use.
pub const SPILL_SLOTS: u32 = 256;
/// Local slot where the exit handler saves registers: general ones by hardware number, then float ones; the last in memory
/// order is at the lowest address, see `lower::exit`.
pub const SAVE_AREA: u32 = FIRST_SPILL + SPILL_SLOTS;
/// Slots of the save area.
pub const SAVE_SLOTS: u32 = 40;

/// A slot that an exit restores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitSlot {
    /// Slot number, relative to the trace's BASE at the exit.
    pub slot: i16,
    /// The tag is a frame word: 64 bits are written.
    pub word: bool,
    /// Payload.
    pub val: Loc,
    /// Tag (low 32 bits of what is there).
    pub tag: Loc,
    /// Type of the payload (`Void`: none).
    pub ty: Ty,
}

/// An object that exits make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewObject {
    /// TNEW: a table of this shape with so many inline fields.
    Table {
        /// Address of the shape.
        shape: u64,
        /// Fields that there is room for.
        slots: u16,
    },
    /// TARR: a table of this shape with an inline array part of so many slots.
    Array {
        /// Address of the shape.
        shape: u64,
        /// Slots, index 0 included.
        slots: u16,
    },
    /// CNEW: a cell.
    Cell {
        /// Its variable is never assigned again.
        readonly: bool,
    },
    /// FNEW: a closure.
    Closure {
        /// Address of the prototype.
        proto: u64,
        /// Number of upvalues.
        upvals: u16,
    },
}

/// Contents of a part of an object that an exit makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExitPart {
    /// Which part.
    pub part: Part,
    /// Payload.
    pub val: Loc,
    /// Tag (none if the part has none).
    pub tag: Loc,
    /// Type of the payload (`Void`: none).
    pub ty: Ty,
}

/// A sunk object of an exit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExitObject {
    /// What is made.
    pub new: NewObject,
    /// What is in it. Other parts are as the allocation leaves them.
    pub parts: Vec<ExitPart>,
}

/// What an exit does; one per snapshot. Traces keep them packed: [`crate::exits`].
#[derive(Clone, Debug)]
pub struct ExitMap {
    /// Address of the bytecode instruction to go on at.
    pub pc: u64,
    /// Slots from BASE to the base of the running frame.
    pub base: i16,
    /// `Thread::top` in slots from BASE, or `Snap::NO_TOP`.
    pub top: i16,
    /// Growth of `Thread::pcall_depth`.
    pub pcalls: u16,
    /// A POLL leaves by it.
    pub poll: bool,
    /// Slots above BASE that a STKCHK which leaves by it asks for; 0: none does.
    pub room: u16,
    /// Slots to write.
    pub slots: Vec<ExitSlot>,
    /// Objects to be made before; `Loc::Sunk` numbers them.
    pub objects: Vec<ExitObject>,
    /// For POLL: every collectable value that is alive in the trace there and not in `slots` or `objects`: (payload, tag).
    pub roots: Vec<(Loc, Loc)>,
}

/// Where a value that a side trace inherits is at the exit of its parent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Inherited {
    /// Place at the exit: register or spill slot.
    pub loc: Loc,
    /// Type.
    pub ty: Ty,
}

/// How a trace ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// Back to its own LOOP.
    Loop,
    /// To code at this address whose entry finds everything on the Lua stack (the trace has stored every live slot). BASE
    /// rises by `base` slots first.
    Entry {
        /// Address of the machine code.
        address: u64,
        /// Slots that BASE rises by (may be negative).
        base: i16,
    },
    /// To the trace's own entry, as `Entry`.
    SelfEntry {
        /// Slots that BASE rises by.
        base: i16,
    },
    /// To the continuation of a call: BASE goes down to the frame that the call has made, results are in the slots from -1 upwards, register
    /// PC gets the call's pc, and the code jumps to the address in the call's continuation word (8 bytes behind its first word).
    /// There BASE goes down to the caller's base: by the call's operand A and one slot more, a constant of the trace. (A load of
    /// A by whoever returns would make each return wait for memory.)
    Return {
        /// The pc of the call: a RETPC.
        call: Ref,
        /// Slots that BASE goes down by.
        down: i16,
    },
    /// To the continuation of the instruction that has called a metamethod, whose frame word (a RETWORD) is given: the result is in slot -1, BASE
    /// stays, and register PC gets the word. There BASE goes down by the delta of the word.
    Event(Ref),
    /// Into a loop's body at its head, with everything where the loop's contract wants it.
    Body {
        /// Address of the loop's head.
        address: u64,
    },
    /// To the interpreter, everything being on the Lua stack, as `Entry`.
    Resume {
        /// Where it goes on.
        pc: u64,
        /// Slots that BASE rises by.
        base: i16,
    },
    /// Unconditionally through the last snapshot.
    Exit,
}
