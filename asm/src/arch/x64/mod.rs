//! x86-64, System V calling convention, SSE2 baseline.

mod abi;
mod enc;
mod masm;
pub mod regs;
#[cfg(test)]
mod tests;

pub use masm::X64Masm;
