//! Labels: places in the code, known before they are bound.

/// A place in the code of one buffer. Made by `new_label`, placed by `bind`, resolved by `finalize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub(crate) u32);

impl Label {
    /// Position of the label in its buffer's label list.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}
