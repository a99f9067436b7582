//! The trace compiler: hot loops and functions of the interpreter become machine code.
//!
//! ```text
//! vm: a counter runs out -> JitHooks::hot -> jit (policy) -> recording is switched on
//! vm: active region, before each bytecode -> JitHooks::record -> record (bytecode -> IR) -> opt::emit (fold, CSE, guards)
//! loop closed -> opt::peel, opt::finish (dead code, sinking) -> ra (registers, spills) -> lower (Masm) -> code memory -> patch
//! guard fails -> exit stub -> exit (restores the interpreter) -> counts -> side trace
//! ```
//! [`ir`] defines the intermediate representation; read its page first.

pub mod abort;
mod chars;
mod compile;
pub mod config;
mod control;
pub mod dump;
pub mod events;
mod exit;
#[forbid(unsafe_code)]
pub mod exits;
mod gdbjit;
mod hooks;
mod index;

#[forbid(unsafe_code)]
pub mod ir;
pub mod jit;
mod kept;
pub mod loc;
pub mod lower;
mod meet;
#[forbid(unsafe_code)]
pub mod opt;
pub mod outputs;
pub mod params;
mod perfmap;
pub mod places;
mod policy;
#[forbid(unsafe_code)]
pub mod ra;
pub mod record;
mod renew;
mod replay;
pub mod report;
pub mod rt;
mod short;
pub mod stats;
pub mod traces;
mod trees;
mod watch;

pub use config::Config;
pub use jit::Jit;
pub use outputs::Outputs;
pub use params::Params;
