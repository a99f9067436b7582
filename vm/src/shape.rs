//! shape
/// Placeholder.
pub struct ShapeState;
