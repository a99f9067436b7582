//! The virtual machine: state, strings, tables, calls, errors, coroutines, and the slow path of every
//! instruction. The fast paths are emitted at build time by `vm/interp`.
//!
//! See `docs/ARCHITECTURE.md`; frames are described in `base::frame`, object layouts in `base::objects`.

pub mod arith;
pub mod number;
pub mod shape;
pub mod state;
pub mod string;
pub mod table;

pub use state::Global;
