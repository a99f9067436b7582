//! What can go wrong while code is emitted.

use std::fmt;

use crate::label::Label;

/// The first error of a buffer, latched there and reported by `finalize`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsmError {
    /// A label was used but never bound.
    UnboundLabel(Label),
    /// A label was bound a second time.
    LabelBoundTwice(Label),
    /// The target lies beyond the longest branch form of the architecture.
    BranchOutOfRange {
        /// Offset of the branch in the final code.
        at: u32,
    },
    /// The scratch register was handed out by `with_scratch` while a macro expansion needed it.
    ScratchBusy,
    /// An operand combination that no target promises to support; the text names it.
    Unsupported(&'static str),
    /// Symbols overlap or one is left open.
    BadSymbol(String),
    /// More code than 32-bit offsets can address.
    TooLarge,
}

impl fmt::Display for AsmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsmError::UnboundLabel(l) => write!(f, "label {} is used but not bound", l.index()),
            AsmError::LabelBoundTwice(l) => write!(f, "label {} is bound twice", l.index()),
            AsmError::BranchOutOfRange { at } => {
                write!(f, "the branch at offset {at:#x} does not reach its target")
            }
            AsmError::ScratchBusy => write!(
                f,
                "a macro expansion needs the scratch register inside with_scratch"
            ),
            AsmError::Unsupported(what) => write!(f, "unsupported operands: {what}"),
            AsmError::BadSymbol(name) => {
                write!(f, "symbol '{name}' overlaps another or is left open")
            }
            AsmError::TooLarge => write!(f, "the code is larger than 2 GiB"),
        }
    }
}

impl std::error::Error for AsmError {}
