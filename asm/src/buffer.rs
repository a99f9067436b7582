//! The byte buffer behind every `Masm`: labels, branches of variable length, alignment, symbols.
//!
//! Invariants:
//! - `bytes` holds everything of fixed size. An *item* (branch, alignment, label reference) holds no bytes there; it
//!   says at which raw position its bytes go. Items are in order of position, and of emission where positions agree.
//! - A place (label, symbol bound) is a raw position plus the number of items before it, so its final offset is the raw
//!   position plus the sizes of those items.
//! - Resolution starts with every branch in its shortest form and only ever grows forms, so it ends; a growth may shrink
//!   an alignment, which is why reach is checked again for all branches until one whole round changes nothing.

use crate::error::AsmError;
use crate::label::Label;

/// Where a branch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A label of the same buffer.
    Label(Label),
    /// A final address. Reached directly only if the buffer's own address is known and near.
    Abs(u64),
}

/// An architecture's branch kind, opaque to the buffer; made and read by the `BranchForms` of the architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BranchKind(pub u32);

/// How far a branch must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Distance from the start of the branch's bytes, if it is known.
    pub delta: Option<i64>,
    /// Absolute target, if there is one.
    pub abs: Option<u64>,
}

/// The variable-length instructions of an architecture.
pub trait BranchForms {
    /// Number of forms of a kind, from shortest to longest.
    fn forms(kind: BranchKind) -> u8;
    /// Size in bytes of form number `form`, at offset `at`.
    fn size(kind: BranchKind, form: u8, at: u32) -> u32;
    /// Whether that form reaches.
    fn reaches(kind: BranchKind, form: u8, reach: Reach) -> bool;
    /// Appends that form; `out` holds the code so far, so its length is the offset.
    fn encode(kind: BranchKind, form: u8, reach: Reach, out: &mut Vec<u8>);
    /// Appends `bytes` bytes of executable padding.
    fn pad(bytes: u32, out: &mut Vec<u8>);
}

#[derive(Clone, Copy, Debug)]
enum ItemKind {
    Branch {
        kind: BranchKind,
        target: Target,
        form: u8,
    },
    Align(u32),
    /// Four bytes: offset of the first label minus offset of the second.
    LabelDiff(Label, Label),
}

#[derive(Clone, Copy, Debug)]
struct Item {
    raw: u32,
    kind: ItemKind,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    raw: u32,
    items: u32,
}

/// A named range of the final code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name given to `begin_symbol`.
    pub name: String,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset behind the last byte.
    pub end: u32,
}

/// Finished code: position-independent unless it was emitted for a given address.
#[derive(Clone, Debug)]
pub struct Code {
    /// The machine code.
    pub bytes: Vec<u8>,
    /// Named ranges, in order of their ends.
    pub symbols: Vec<Symbol>,
    /// The largest alignment asked for, in bytes: the code must be placed at a multiple of it.
    pub align: u32,
    labels: Vec<Option<u32>>,
}

impl Code {
    /// Final offset of `label`, `None` if it was never bound.
    pub fn label_offset(&self, label: Label) -> Option<u32> {
        self.labels.get(label.index()).copied().flatten()
    }
}

/// Collects code; see the module documentation.
#[derive(Debug, Default)]
pub struct CodeBuffer {
    bytes: Vec<u8>,
    items: Vec<Item>,
    labels: Vec<Option<Place>>,
    symbols: Vec<(String, Place, Place)>,
    open_symbol: Option<(String, Place)>,
    error: Option<AsmError>,
    address: Option<u64>,
    align: u32,
    item_bytes_bound: u32,
}

impl CodeBuffer {
    /// An empty buffer. `address` is where the code will run, if that is already known.
    pub fn new(address: Option<u64>) -> CodeBuffer {
        CodeBuffer {
            address,
            align: 1,
            ..CodeBuffer::default()
        }
    }

    /// Keeps `error` if it is the first one.
    pub fn latch(&mut self, error: AsmError) {
        self.error.get_or_insert(error);
    }

    /// Where the code will run, if known.
    pub fn address(&self) -> Option<u64> {
        self.address
    }

    /// Upper bound of the current offset: exact only if nothing before it is of variable size.
    pub fn offset_bound(&self) -> u32 {
        self.bytes.len() as u32 + self.item_bytes_bound
    }

    fn place(&self) -> Place {
        Place {
            raw: self.bytes.len() as u32,
            items: self.items.len() as u32,
        }
    }

    /// Appends one byte.
    pub fn put1(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A label, not bound yet.
    pub fn new_label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() as u32 - 1)
    }

    /// Places `label` here.
    pub fn bind(&mut self, label: Label) {
        let place = self.place();
        match self.labels.get_mut(label.index()) {
            Some(slot @ None) => *slot = Some(place),
            Some(Some(_)) => self.latch(AsmError::LabelBoundTwice(label)),
            None => self.latch(AsmError::UnboundLabel(label)),
        }
    }

    /// Appends a branch whose form is chosen at the end.
    pub fn branch<F: BranchForms>(&mut self, kind: BranchKind, target: Target) {
        self.item_bytes_bound += F::size(kind, F::forms(kind) - 1, 0);
        self.items.push(Item {
            raw: self.bytes.len() as u32,
            kind: ItemKind::Branch {
                kind,
                target,
                form: 0,
            },
        });
    }

    /// Pads to a multiple of `align`, a power of two.
    pub fn align(&mut self, align: u32) {
        assert!(align.is_power_of_two(), "alignment must be a power of two");
        self.align = self.align.max(align);
        self.item_bytes_bound += align - 1;
        self.items.push(Item {
            raw: self.bytes.len() as u32,
            kind: ItemKind::Align(align),
        });
    }

    /// Asks for the whole code to be placed at a multiple of `align`, a power of two.
    pub fn require_align(&mut self, align: u32) {
        self.align = self.align.max(align);
    }

    /// Appends the 32-bit distance from `base` to `label`.
    pub fn label_diff(&mut self, label: Label, base: Label) {
        self.item_bytes_bound += 4;
        self.items.push(Item {
            raw: self.bytes.len() as u32,
            kind: ItemKind::LabelDiff(label, base),
        });
    }

    /// Starts a named range.
    pub fn begin_symbol(&mut self, name: &str) {
        let place = self.place();
        if let Some((open, _)) = self.open_symbol.replace((name.to_owned(), place)) {
            self.latch(AsmError::BadSymbol(open));
        }
    }

    /// Ends the named range.
    pub fn end_symbol(&mut self) {
        let end = self.place();
        match self.open_symbol.take() {
            Some((name, start)) => self.symbols.push((name, start, end)),
            None => self.latch(AsmError::BadSymbol(String::new())),
        }
    }

    /// Resolves everything; see the module documentation.
    pub fn finalize<F: BranchForms>(mut self) -> Result<Code, AsmError> {
        if let Some((name, _)) = self.open_symbol.take() {
            self.latch(AsmError::BadSymbol(name));
        }
        if self.bytes.len() as u64 + u64::from(self.item_bytes_bound) > i32::MAX as u64 {
            self.latch(AsmError::TooLarge);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        // before[i] = bytes of items 0..i in the current forms
        let mut before = vec![0u32; self.items.len() + 1];
        loop {
            self.layout::<F>(&mut before);
            let mut changed = false;
            for i in 0..self.items.len() {
                let Item {
                    raw,
                    kind: ItemKind::Branch { kind, target, form },
                } = self.items[i]
                else {
                    continue;
                };
                let reach = self.reach(raw + before[i], target, &before)?;
                let last = F::forms(kind) - 1;
                let mut wanted = form;
                while wanted < last && !F::reaches(kind, wanted, reach) {
                    wanted += 1;
                }
                if wanted != form {
                    self.items[i].kind = ItemKind::Branch {
                        kind,
                        target,
                        form: wanted,
                    };
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        self.write::<F>(&before)
    }

    fn layout<F: BranchForms>(&self, before: &mut [u32]) {
        let mut sum = 0;
        for (i, item) in self.items.iter().enumerate() {
            before[i] = sum;
            let at = item.raw + sum;
            sum += match item.kind {
                ItemKind::Branch { kind, form, .. } => F::size(kind, form, at),
                ItemKind::Align(align) => at.wrapping_neg() & (align - 1),
                ItemKind::LabelDiff(..) => 4,
            };
        }
        before[self.items.len()] = sum;
    }

    fn reach(&self, at: u32, target: Target, before: &[u32]) -> Result<Reach, AsmError> {
        match target {
            Target::Label(label) => {
                let to = self.resolve(label, before)?;
                Ok(Reach {
                    delta: Some(i64::from(to) - i64::from(at)),
                    abs: None,
                })
            }
            Target::Abs(abs) => {
                let delta = self
                    .address
                    .map(|base| abs.wrapping_sub(base.wrapping_add(u64::from(at))) as i64);
                Ok(Reach {
                    delta,
                    abs: Some(abs),
                })
            }
        }
    }

    fn resolve(&self, label: Label, before: &[u32]) -> Result<u32, AsmError> {
        match self.labels.get(label.index()).copied().flatten() {
            Some(place) => Ok(final_offset(place, before)),
            None => Err(AsmError::UnboundLabel(label)),
        }
    }

    fn write<F: BranchForms>(self, before: &[u32]) -> Result<Code, AsmError> {
        let mut out = Vec::with_capacity(self.bytes.len() + before[self.items.len()] as usize);
        let mut done = 0;
        for (i, item) in self.items.iter().enumerate() {
            out.extend_from_slice(&self.bytes[done..item.raw as usize]);
            done = item.raw as usize;
            let at = item.raw + before[i];
            debug_assert_eq!(at as usize, out.len());
            match item.kind {
                ItemKind::Branch { kind, target, form } => {
                    let reach = self.reach(at, target, before)?;
                    if !F::reaches(kind, form, reach) {
                        return Err(AsmError::BranchOutOfRange { at });
                    }
                    F::encode(kind, form, reach, &mut out);
                }
                ItemKind::Align(_) => F::pad(before[i + 1] - before[i], &mut out),
                ItemKind::LabelDiff(label, base) => {
                    let diff = self
                        .resolve(label, before)?
                        .wrapping_sub(self.resolve(base, before)?);
                    out.extend_from_slice(&diff.to_le_bytes());
                }
            }
        }
        out.extend_from_slice(&self.bytes[done..]);
        let labels = self
            .labels
            .iter()
            .map(|place| place.map(|p| final_offset(p, before)))
            .collect();
        let symbols = self
            .symbols
            .into_iter()
            .map(|(name, start, end)| Symbol {
                name,
                start: final_offset(start, before),
                end: final_offset(end, before),
            })
            .collect();
        Ok(Code {
            bytes: out,
            symbols,
            align: self.align,
            labels,
        })
    }
}

fn final_offset(place: Place, before: &[u32]) -> u32 {
    place.raw + before[place.items as usize]
}

// What `dynasm!` needs to emit instructions without labels into the buffer.
impl Extend<u8> for CodeBuffer {
    fn extend<T: IntoIterator<Item = u8>>(&mut self, iter: T) {
        self.bytes.extend(iter);
    }
}

impl<'a> Extend<&'a u8> for CodeBuffer {
    fn extend<T: IntoIterator<Item = &'a u8>>(&mut self, iter: T) {
        self.bytes.extend(iter);
    }
}

impl dynasmrt::DynasmApi for CodeBuffer {
    fn offset(&self) -> dynasmrt::AssemblyOffset {
        dynasmrt::AssemblyOffset(self.offset_bound() as usize)
    }

    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn align(&mut self, alignment: usize, _with: u8) {
        CodeBuffer::align(self, alignment as u32);
    }
}
