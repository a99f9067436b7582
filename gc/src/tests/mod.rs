//! Tests on a fake vm. Debug builds poison freed memory, so a stale reference is seen at its first use.
#![allow(
    clippy::undocumented_unsafe_blocks,
    reason = "the fake vm owns everything it touches"
)]

mod cost;
mod damage;
mod graph;
mod settled;
mod units;
mod world;
