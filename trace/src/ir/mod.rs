//! The trace IR: linear SSA.
//!
//! **Terms.** A trace is one straight line of instructions ([`Ins`], 8 bytes) and a pool of constants ([`Konst`]). A [`Ref`] names
//! either: constants lie below [`REF_BIAS`], growing downwards, instructions from it upwards, so that comparing two instruction refs tells
//! which is first. Operands refer to earlier instructions only (except the right side of a PHI, which stands behind both).
//!
//! **Lua values** are two refs: a *payload* (8 bytes; its [`Ty`] tells the register class) and a *tag* (a ref of type `Tag`, or a constant
//! of that type if it is known). Every consumer that needs the tag names it explicitly. So a payload loaded from a place of unknown type is
//! `Any`; when a guard on its tag has proved the type, the payload instruction's `ty` may be narrowed in place, which says no more than how its 8
//! bytes are held. Nil, true and false have no payload.
//!
//! **Guards** refer to the last snapshot whose `first` is not behind them ([`Snap`]). A snapshot describes the interpreter's state at a bytecode
//! boundary: for every slot that differs from what is in memory the value as (payload, tag).
//!
//! **Slots** are numbered from the trace's BASE (the entry's frame base); the function slot of the entry frame is -1. Frames that were
//! inlined are slots like others: the function slot of such a frame holds the closure and, in place of a tag, a frame word constant.
//!
//! **Order.** `BASE`, (for side traces: `PVAL`s), the recorded part, `LOOP`, the loop's body, `PHI`s. Without `LOOP` the trace ends in a link.
//!
//! **Sunk objects** are SUNK instructions. A snapshot that names one (or one that contains it) has a recipe for it; the exit makes the object.
//! Payloads and tags in recipes are uses of the snapshot like its entries.
//!
//! **Effects**: see `opt::alias`. Guards and stores keep their order; pure instructions and loads may be looked up and reused as far as their class
//! allows.
//!
//! The text form (`print`, `parse`) is one instruction per line: `0003 num ADD 0001 +1.5`; see `print`.

mod buf;
mod calls;
pub mod eval;
mod fields;
mod ins;
mod ops;
pub mod parse;
pub mod print;
mod ty;
pub mod verify;

pub use buf::{EntryCheck, Filling, IrBuf, Mark, Part, Progress, Recipe, Snap, SnapEntry, SnapNo};
pub use calls::{CALLS, CallId, CallInfo, Effect};
pub use fields::{FIELDS, FactKind, FieldId, FieldInfo};
pub use ins::{Ins, Konst, REF_BASE, REF_BIAS, REF_NONE, Ref};
pub use ops::{Class, IrOp, Mode};
pub use ty::Ty;
