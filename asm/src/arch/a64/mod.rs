//! AArch64, AAPCS64 calling convention.

mod abi;
mod enc;
mod masm;
pub mod regs;
#[cfg(test)]
mod tests;

pub use masm::A64Masm;
