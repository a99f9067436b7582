//! RISC-V 64 (RV64G: I, M, A, D), the standard calling convention.

mod abi;
mod enc;
mod masm;
pub mod regs;
#[cfg(test)]
mod tests;

pub use masm::Rv64Masm;
