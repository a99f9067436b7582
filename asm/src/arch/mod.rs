//! One folder per architecture, each with the same files: `regs` (numbers and roles), `abi` (frame, calls), `enc` (exact
//! instructions), `masm` (the portable trait on top of them). All compile on every host.

pub mod a64;
pub mod rv64;
pub mod x64;
