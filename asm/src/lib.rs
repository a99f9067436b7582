//! The portable macro-assembler: machine code for x86-64, AArch64 and RISC-V 64 from one source.
//!
//! Problem: the interpreter (generated at build time) and the trace compiler (at run time) must be written once, yet
//! come out as compact as hand-written assembly. Method: one trait, [`Masm`], whose methods are *fused* operations
//! (compare and branch, add and branch on overflow, ...), so that no condition flags live across calls and every
//! target may pick its own best sequence. Callers are generic over `M: Masm` and never name a machine register: they
//! use the roles (`M::PC`, `M::T0`, ...), which mean the same in the interpreter and in traces.
//!
//! How code is made:
//! 1. A `Masm` writes plain bytes into a [`CodeBuffer`]; branches, alignments and label references are recorded as
//!    items of variable size.
//! 2. [`Masm::finalize`] lets every branch start in its shortest form, grows those that do not reach until nothing
//!    changes, and yields [`Code`]: bytes, label offsets and symbols. Nothing here needs executable memory, so a build
//!    script can use it.
//! 3. [`codemem::CodeMem`] gives bytes an executable home (two mappings, never writable and executable at once).
//!
//! Errors are latched in the buffer and reported once, by `finalize`. All unsafe code of the crate is in `codemem`.

#![deny(unsafe_code)]

pub mod arch;
pub mod buffer;
pub mod codemem;
pub mod error;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod golden;
pub mod label;
pub mod masm;
pub mod operand;
pub mod reg;

pub use buffer::{Code, CodeBuffer, Symbol};
pub use codemem::{CodeMem, CodeMemError, Mapping};
pub use error::AsmError;
pub use label::Label;
pub use masm::Masm;
pub use operand::{
    Addr, AluCond, AluOp, BitCond, Cond, FAlu, FCond, FOperand, LoadKind, Operand, RegImm,
    RoundMode, Scale, ShiftOp, Size, at, at_index,
};
pub use reg::{Dst, Fpr, Gpr, d};

/// The implementation for the architecture that this crate is compiled for.
#[cfg(target_arch = "x86_64")]
pub type Host = arch::x64::X64Masm;
/// The implementation for the architecture that this crate is compiled for.
#[cfg(target_arch = "aarch64")]
pub type Host = arch::a64::A64Masm;
/// The implementation for the architecture that this crate is compiled for.
#[cfg(target_arch = "riscv64")]
pub type Host = arch::rv64::Rv64Masm;
