//! string
/// Placeholder.
pub struct StringTable;
