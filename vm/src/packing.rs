//! Formats of `string.pack`, independent of the state: options, sizes, alignment, integers. The library and traces read them.

/// Largest integer in bytes.
const MAX_INT: i32 = 16;
/// Native maximal alignment.
const NATIVE_ALIGN: i32 = 8;
/// Largest size that can be written in a format.
const MAX_SIZE: i32 = i32::MAX;

/// What an option stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Signed integer.
    Int,
    /// Unsigned integer.
    Uint,
    /// 4-byte float.
    Float,
    /// 8-byte float.
    Double,
    /// String of fixed size.
    Char,
    /// String with its length in front.
    Str,
    /// String with a zero behind it.
    Zstr,
    /// One byte of padding.
    Padding,
    /// Alignment.
    PadAlign,
    /// Nothing (spaces, configuration).
    Nop,
}

/// An option of a format with all its details.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item {
    /// Kind.
    pub kind: Kind,
    /// Size in bytes, without variable parts.
    pub size: usize,
    /// Bytes of alignment in front.
    pub align: usize,
}

/// What is wrong with a format.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FormatError {
    /// A message with the caller's position.
    Message(Vec<u8>),
    /// A message on the format, argument 1.
    Argument(&'static str),
}

/// Reads a format. It ends at a NUL, as in C.
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Byte order for what follows.
    pub little: bool,
    max_align: i32,
}

impl<'a> Reader<'a> {
    /// At the start of the format.
    pub fn new(format: &'a [u8]) -> Reader<'a> {
        Reader {
            rest: format,
            little: cfg!(target_endian = "little"),
            max_align: 1,
        }
    }

    /// No option has asked for alignment so far.
    pub fn aligns_nothing(&self) -> bool {
        self.max_align == 1
    }

    fn at_end(&self) -> bool {
        matches!(self.rest.first(), None | Some(0))
    }

    fn number(&mut self, default: i32) -> i32 {
        let digit = |s: &Reader| {
            s.rest
                .first()
                .filter(|b| b.is_ascii_digit())
                .map(|b| i32::from(b - b'0'))
        };
        let Some(mut n) = digit(self) else {
            return default;
        };
        self.rest = &self.rest[1..];
        while n <= (MAX_SIZE - 9) / 10
            && let Some(d) = digit(self)
        {
            n = n * 10 + d;
            self.rest = &self.rest[1..];
        }
        n
    }

    fn int_size(&mut self, default: i32) -> Result<i32, FormatError> {
        let n = self.number(default);
        if n > MAX_INT || n <= 0 {
            let m = format!("integral size ({n}) out of limits [1,{MAX_INT}]");
            return Err(FormatError::Message(m.into_bytes()));
        }
        Ok(n)
    }

    /// The next option and its size.
    fn option(&mut self) -> Result<(Kind, i32), FormatError> {
        let c = self.rest[0];
        self.rest = &self.rest[1..];
        Ok(match c {
            b'b' => (Kind::Int, 1),
            b'B' => (Kind::Uint, 1),
            b'h' => (Kind::Int, 2),
            b'H' => (Kind::Uint, 2),
            b'l' | b'j' => (Kind::Int, 8),
            b'L' | b'J' | b'T' => (Kind::Uint, 8),
            b'f' => (Kind::Float, 4),
            b'n' | b'd' => (Kind::Double, 8),
            b'i' => (Kind::Int, self.int_size(4)?),
            b'I' => (Kind::Uint, self.int_size(4)?),
            b's' => (Kind::Str, self.int_size(8)?),
            b'c' => match self.number(-1) {
                -1 => {
                    return Err(FormatError::Message(
                        b"missing size for format option 'c'".to_vec(),
                    ));
                }
                n => (Kind::Char, n),
            },
            b'z' => (Kind::Zstr, 0),
            b'x' => (Kind::Padding, 1),
            b'X' => (Kind::PadAlign, 0),
            b' ' => (Kind::Nop, 0),
            b'<' | b'>' | b'=' => {
                self.little = c == b'<' || (c == b'=' && cfg!(target_endian = "little"));
                (Kind::Nop, 0)
            }
            b'!' => {
                self.max_align = self.int_size(NATIVE_ALIGN)?;
                (Kind::Nop, 0)
            }
            _ => {
                let m = [b"invalid format option '".as_slice(), &[c], b"'"].concat();
                return Err(FormatError::Message(m));
            }
        })
    }

    /// The next option, `total` bytes into the data; `None` at the end.
    #[inline]
    pub fn next(&mut self, total: usize) -> Result<Option<Item>, FormatError> {
        if self.at_end() {
            return Ok(None);
        }
        let (kind, size) = self.option()?;
        let mut align = size;
        if kind == Kind::PadAlign {
            // aligned as the following option would be
            let bad = FormatError::Argument("invalid next option for option 'X'");
            if self.at_end() {
                return Err(bad);
            }
            let (next, size) = self.option()?;
            if next == Kind::Char || size == 0 {
                return Err(bad);
            }
            align = size;
        }
        let padding = if align <= 1 || kind == Kind::Char {
            0
        } else {
            let align = align.min(self.max_align);
            if align & (align - 1) != 0 {
                return Err(FormatError::Argument(
                    "format asks for alignment not power of 2",
                ));
            }
            let mask = align as usize - 1;
            (align as usize - (total & mask)) & mask
        };
        Ok(Some(Item {
            kind,
            size: size as usize,
            align: padding,
        }))
    }
}

/// Whether `n` fits a signed integer of that size.
pub fn fits_signed(n: i64, size: usize) -> bool {
    size >= 8 || {
        let limit = 1i64 << (size * 8 - 1);
        -limit <= n && n < limit
    }
}

/// Whether `n` fits an unsigned integer of that size.
pub fn fits_unsigned(n: u64, size: usize) -> bool {
    size >= 8 || n < 1 << (size * 8)
}

/// Appends an integer of `size` bytes (1 to 16). Bytes beyond the eighth repeat the sign if `negative`.
pub fn put_int(out: &mut Vec<u8>, n: u64, little: bool, size: usize, negative: bool) {
    let mut bytes = [if negative { 0xff } else { 0 }; 16];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    let bytes = &mut bytes[..size];
    if !little {
        bytes.reverse();
    }
    out.extend_from_slice(bytes);
}

/// Reads an integer; `None` if it does not fit 64 bits.
pub fn get_int(bytes: &[u8], little: bool, signed: bool) -> Option<i64> {
    let size = bytes.len();
    let mut le = [0u8; 16];
    le[..size].copy_from_slice(bytes);
    if !little {
        le[..size].reverse();
    }
    let mut low = [0; 8];
    low.copy_from_slice(&le[..8]);
    let n = i64::from_le_bytes(low);
    if size < 8 {
        let unused = 64 - 8 * size as u32;
        return Some(if signed { n << unused >> unused } else { n });
    }
    let extra = if signed && n < 0 { 0xff } else { 0 };
    le[8..size.max(8)].iter().all(|&b| b == extra).then_some(n)
}

#[cfg(test)]
mod tests;
