//! Types of IR values.

use traceorus_base::Tag;

/// Type of an instruction's result; of guards and stores: of what they compare or store.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ty {
    /// No result.
    Void,
    /// Payload bits of a Lua value whose tag is another ref. In a general register.
    Any,
    /// Lua nil: no payload (constants only).
    Nil,
    /// Lua false: no payload (constants only).
    False,
    /// Lua true: no payload (constants only).
    True,
    /// Lua integer, or any other 64-bit integer.
    Int,
    /// Lua float. In a float register.
    Float,
    /// String object.
    Str,
    /// Table object.
    Tab,
    /// Lua or native closure.
    Func,
    /// Full userdata object.
    Udata,
    /// Coroutine.
    Thread,
    /// Light userdata.
    LightUd,
    /// Upvalue cell object.
    Cell,
    /// Tag of a Lua value: an `i32`, sign-extended, upper half of the register undefined (compare and store 32 bits or the
    /// low byte).
    Tag,
    /// Untagged 32-bit number, zero-extended to 64.
    U32,
    /// Untagged byte, zero-extended to 64.
    U8,
    /// Address that is no Lua value: a run, an entry, a prototype, a shape ... Never marked by itself.
    Ptr,
    /// A 64-bit frame word.
    Word,
}

impl Ty {
    /// Every type.
    pub const ALL: [Ty; 19] = [
        Ty::Void,
        Ty::Any,
        Ty::Nil,
        Ty::False,
        Ty::True,
        Ty::Int,
        Ty::Float,
        Ty::Str,
        Ty::Tab,
        Ty::Func,
        Ty::Udata,
        Ty::Thread,
        Ty::LightUd,
        Ty::Cell,
        Ty::Tag,
        Ty::U32,
        Ty::U8,
        Ty::Ptr,
        Ty::Word,
    ];
    /// Name in dumps, three letters.
    pub fn name(self) -> &'static str {
        match self {
            Ty::Void => "---",
            Ty::Any => "any",
            Ty::Nil => "nil",
            Ty::False => "fal",
            Ty::True => "tru",
            Ty::Int => "int",
            Ty::Float => "num",
            Ty::Str => "str",
            Ty::Tab => "tab",
            Ty::Func => "fun",
            Ty::Udata => "udt",
            Ty::Thread => "thr",
            Ty::LightUd => "lud",
            Ty::Cell => "cel",
            Ty::Tag => "tag",
            Ty::U32 => "u32",
            Ty::U8 => "u8 ",
            Ty::Ptr => "ptr",
            Ty::Word => "wrd",
        }
    }
    /// Held in a float register.
    pub fn is_float(self) -> bool {
        self == Ty::Float
    }
    /// A Lua value without payload.
    pub fn is_prim(self) -> bool {
        matches!(self, Ty::Nil | Ty::False | Ty::True)
    }
    /// The payload is the address of a collected object.
    pub fn is_gc(self) -> bool {
        matches!(
            self,
            Ty::Str | Ty::Tab | Ty::Func | Ty::Udata | Ty::Thread | Ty::Cell
        )
    }
    /// The tag of a Lua value of this type, if it is the type of one.
    pub fn tag(self) -> Option<Tag> {
        Some(match self {
            Ty::Nil => Tag::NIL,
            Ty::False => Tag::FALSE,
            Ty::True => Tag::TRUE,
            Ty::Int => Tag::INT,
            Ty::Float => Tag::FLOAT,
            Ty::Str => Tag::STRING,
            Ty::Tab => Tag::TABLE,
            Ty::Func => Tag::FUNCTION,
            Ty::Udata => Tag::USERDATA,
            Ty::Thread => Tag::THREAD,
            Ty::LightUd => Tag::LIGHTUD,
            Ty::Cell => Tag::CELL,
            _ => return None,
        })
    }
    /// The type of a Lua value with this tag.
    pub fn of_tag(tag: Tag) -> Ty {
        match tag {
            Tag::NIL => Ty::Nil,
            Tag::FALSE => Ty::False,
            Tag::TRUE => Ty::True,
            Tag::INT => Ty::Int,
            Tag::FLOAT => Ty::Float,
            Tag::STRING => Ty::Str,
            Tag::TABLE => Ty::Tab,
            Tag::FUNCTION => Ty::Func,
            Tag::USERDATA => Ty::Udata,
            Tag::THREAD => Ty::Thread,
            Tag::LIGHTUD => Ty::LightUd,
            Tag::CELL => Ty::Cell,
            _ => Ty::Any,
        }
    }
}
