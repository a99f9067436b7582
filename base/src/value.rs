//! Value encoding: 16 bytes, an 8-byte payload and a 32-bit tag.
//!
//! ```text
//!  +0  payload u64   integer, float bits, address of an object, light pointer; 0 for nil and booleans
//!  +8  tag     i32   see `Tag`
//! +12  aux     u32   free for frames (upper half of a frame word) and iteration hints; not part of the value
//! ```
//! Tags are ordered so that the common tests are one compare each (ORDER Tag):
//! * both operands integers: `ta + tb == 0`; both floats: `== 2`; one of each: `== 1`. No other pair of
//!   tags has a sum of 0, 1 or 2 (asserted by a test below);
//! * number: `tag as u32 <= 5`; collectable: `tag < 0`; falsy: `tag >= 0x7e` (signed).
//!
//! Every tag fits a sign-extended byte, which is how arrays, fields and dictionaries store it.

/// Type tag of a [`Value`].
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub i32);

impl Tag {
    /// 64-bit integer.
    pub const INT: Tag = Tag(0);
    /// IEEE double.
    pub const FLOAT: Tag = Tag(1);
    /// Never a value's tag. Array kind "any"; constant-operand marker.
    pub const ANY: Tag = Tag(2);
    /// Orus i32 (reserved).
    pub const I32: Tag = Tag(3);
    /// Orus u32 (reserved).
    pub const U32: Tag = Tag(4);
    /// Orus u64 (reserved).
    pub const U64: Tag = Tag(5);
    /// The value `true`.
    pub const TRUE: Tag = Tag(6);
    /// Light userdata; payload is the pointer.
    pub const LIGHTUD: Tag = Tag(8);
    /// Not a value: a dictionary key whose object died. Payload kept for `next`.
    pub const DEADKEY: Tag = Tag(0x70);
    /// The value `false`.
    pub const FALSE: Tag = Tag(0x7e);
    /// The value `nil`.
    pub const NIL: Tag = Tag(0x7f);
    /// String, short (interned) or long.
    pub const STRING: Tag = Tag(-0x40);
    /// Table.
    pub const TABLE: Tag = Tag(-0x3f);
    /// Lua closure or native closure; `GcHeader::kind` tells which.
    pub const FUNCTION: Tag = Tag(-0x3e);
    /// Full userdata.
    pub const USERDATA: Tag = Tag(-0x3d);
    /// Coroutine.
    pub const THREAD: Tag = Tag(-0x3c);
    /// Upvalue cell; only in registers of boxed locals, never visible to a program.
    pub const CELL: Tag = Tag(-0x3b);
    /// Prototype; only in constants, never visible to a program.
    pub const PROTO: Tag = Tag(-0x3a);
    /// Shape; only in constants, never visible to a program.
    pub const SHAPE: Tag = Tag(-0x39);

    /// True for numbers of any kind.
    #[inline(always)]
    pub fn is_number(self) -> bool {
        (self.0 as u32) <= 5
    }
    /// True when the payload is the address of a collected object.
    #[inline(always)]
    pub fn is_collectable(self) -> bool {
        self.0 < 0
    }
    /// True for nil and false.
    #[inline(always)]
    pub fn is_falsy(self) -> bool {
        self.0 >= 0x7e
    }
    /// The tag as stored in a tag run.
    #[inline(always)]
    pub fn byte(self) -> i8 {
        self.0 as i8
    }
    /// Name of the Lua type, as `type()` gives it ("userdata" for light userdata too).
    pub fn type_name(self) -> &'static str {
        match self {
            Tag::NIL => "nil",
            Tag::TRUE | Tag::FALSE => "boolean",
            Tag::INT | Tag::FLOAT | Tag::I32 | Tag::U32 | Tag::U64 => "number",
            Tag::STRING => "string",
            Tag::TABLE => "table",
            Tag::FUNCTION => "function",
            Tag::USERDATA | Tag::LIGHTUD => "userdata",
            Tag::THREAD => "thread",
            _ => "internal",
        }
    }
}

impl core::fmt::Debug for Tag {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}({})", self.type_name(), self.0)
    }
}

/// One Lua value. Plain data: copying it does not keep an object alive.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Value {
    /// See the module's diagram.
    pub payload: u64,
    /// See [`Tag`].
    pub tag: Tag,
    /// Not part of the value.
    pub aux: u32,
}

impl Value {
    /// `nil`.
    pub const NIL: Value = Value::new(0, Tag::NIL);
    /// `true`.
    pub const TRUE: Value = Value::new(0, Tag::TRUE);
    /// `false`.
    pub const FALSE: Value = Value::new(0, Tag::FALSE);

    /// Writes the value in parts, as it will be read. One store of 16 bytes of parts that have just been written one by one
    /// waits for them to leave the processor's store queue.
    ///
    /// # Safety
    /// `to` is valid and aligned.
    #[inline(always)]
    pub unsafe fn store(self, to: *mut Value) {
        // SAFETY: as promised. Volatile, so that the parts are not put together again.
        unsafe {
            (&raw mut (*to).payload).write_volatile(self.payload);
            (&raw mut (*to).tag).write_volatile(self.tag);
            (&raw mut (*to).aux).write_volatile(self.aux);
        }
    }

    /// Reads a value in parts, as [`Value::store`] writes it: a load of 16 bytes would wait, too.
    ///
    /// # Safety
    /// `from` is valid and aligned.
    #[inline(always)]
    pub unsafe fn load(from: *const Value) -> Value {
        // SAFETY: as promised. Volatile as in `store`.
        unsafe {
            Value {
                payload: (&raw const (*from).payload).read_volatile(),
                tag: (&raw const (*from).tag).read_volatile(),
                aux: (&raw const (*from).aux).read_volatile(),
            }
        }
    }

    /// A value from its two halves.
    #[inline(always)]
    pub const fn new(payload: u64, tag: Tag) -> Value {
        Value {
            payload,
            tag,
            aux: 0,
        }
    }
    /// An integer.
    #[inline(always)]
    pub const fn int(i: i64) -> Value {
        Value::new(i as u64, Tag::INT)
    }
    /// A float.
    #[inline(always)]
    pub const fn float(f: f64) -> Value {
        Value::new(f.to_bits(), Tag::FLOAT)
    }
    /// A boolean.
    #[inline(always)]
    pub const fn bool(b: bool) -> Value {
        if b { Value::TRUE } else { Value::FALSE }
    }
    /// A value whose payload is an address.
    #[inline(always)]
    pub fn ptr<T>(p: *const T, tag: Tag) -> Value {
        Value::new(p as u64, tag)
    }
    /// The payload as integer. Meaningful only if the tag is `INT`.
    #[inline(always)]
    pub fn as_int(self) -> i64 {
        self.payload as i64
    }
    /// The payload as float. Meaningful only if the tag is `FLOAT`.
    #[inline(always)]
    pub fn as_float(self) -> f64 {
        f64::from_bits(self.payload)
    }
    /// The payload as address.
    #[inline(always)]
    pub fn as_ptr<T>(self) -> *mut T {
        self.payload as *mut T
    }
    /// Raw identity: same tag and payload (floats by bits; callers that need `==` use the vm's rawequal).
    #[inline(always)]
    pub fn same(self, o: Value) -> bool {
        self.tag == o.tag
            && (self.payload == o.payload || matches!(self.tag, Tag::NIL | Tag::TRUE | Tag::FALSE))
    }
    /// True for `nil`.
    #[inline(always)]
    pub fn is_nil(self) -> bool {
        self.tag == Tag::NIL
    }
    /// True for nil and false.
    #[inline(always)]
    pub fn is_falsy(self) -> bool {
        self.tag.is_falsy()
    }
}

impl core::fmt::Debug for Value {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.tag {
            Tag::INT => write!(f, "{}", self.as_int()),
            Tag::FLOAT => write!(f, "{:?}", self.as_float()),
            t => write!(f, "{:?}:{:#x}", t, self.payload),
        }
    }
}

const _: () = assert!(core::mem::size_of::<Value>() == 16);

#[cfg(test)]
mod tests {
    use super::Tag;

    #[test]
    fn tag_sums_identify_number_pairs() {
        let all = [
            Tag::INT,
            Tag::FLOAT,
            Tag::I32,
            Tag::U32,
            Tag::U64,
            Tag::TRUE,
            Tag::LIGHTUD,
            Tag::FALSE,
            Tag::NIL,
            Tag::STRING,
            Tag::TABLE,
            Tag::FUNCTION,
            Tag::USERDATA,
            Tag::THREAD,
            Tag::CELL,
            Tag::PROTO,
            Tag::SHAPE,
        ];
        for a in all {
            assert_eq!(i32::from(a.byte()), a.0);
            for b in all {
                let plain = |t: Tag| t == Tag::INT || t == Tag::FLOAT;
                assert_eq!(
                    (0..=2).contains(&(a.0 + b.0)),
                    plain(a) && plain(b),
                    "{a:?} {b:?}"
                );
            }
        }
    }
}
