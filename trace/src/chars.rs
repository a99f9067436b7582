//! The strings of one byte. Traces that take texts apart load them from a table, and compare the bytes instead of them.

use traceorus_base::objects::Str;
use traceorus_vm::state::Global;

/// The table, made when the first trace wants it. The trace compiler keeps the strings alive from then on.
#[derive(Default)]
pub(crate) struct Chars {
    table: Option<Box<[*mut Str; 256]>>,
}

impl Chars {
    /// The string of each byte.
    ///
    /// # Safety
    /// `g` is the complete state that this belongs to, and marks [`Chars::strings`].
    pub unsafe fn table(&mut self, g: &mut Global) -> &[*mut Str; 256] {
        self.table.get_or_insert_with(|| {
            // SAFETY: as promised; nothing is collected meanwhile.
            let text = |c: usize| unsafe { g.str_new(&[c as u8]) };
            Box::new(std::array::from_fn(text))
        })
    }
    /// Those that there are.
    pub fn strings(&self) -> &[*mut Str] {
        self.table.as_ref().map_or(&[], |t| &t[..])
    }
}
