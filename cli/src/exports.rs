//! Keeps the functions of the C API in the command: modules that it loads take them from here. The table is made by `build.rs`.

// what the addresses are of
use traceorus_capi as _;

/// An address that nobody reads.
struct Address(#[allow(dead_code, reason = "only the linker cares")] *const u8);
// SAFETY: never used.
unsafe impl Sync for Address {}

include!(concat!(env!("OUT_DIR"), "/exports.rs"));
