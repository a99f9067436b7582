//! Fields of runtime objects that traces load and store: one table.

use std::mem::offset_of;

use traceorus_base::objects::*;

use super::Ty;

/// Description of a field.
#[derive(Debug)]
pub struct FieldInfo {
    /// Name in dumps.
    pub name: &'static str,
    /// Byte offset in the object.
    pub offset: i32,
    /// Bytes: 1, 4 or 8; smaller ones are zero-extended.
    pub size: u8,
    /// Type of the loaded value.
    pub ty: Ty,
    /// What kind of fact it is, for alias analysis; see [`FactKind`].
    pub kind: FactKind,
}

/// What can change a field (RULES_TRACES, rule C).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FactKind {
    /// Nothing.
    Eternal,
    /// Stores that add keys, change metatables, kinds or capacity.
    Structure,
    /// Stores that move the border.
    Length,
    /// The collector, at any poll, and barriers.
    Collector,
    /// Anything.
    Memory,
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $s:ty, $off:expr, $size:literal, $ty:ident, $kind:ident;)*) => {
        /// Number of a field.
        #[repr(u16)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum FieldId { $($(#[$doc])* $name,)* }
        /// All fields.
        pub static FIELDS: &[FieldInfo] = &[$(FieldInfo {
            name: $text, offset: $off as i32, size: $size, ty: Ty::$ty, kind: FactKind::$kind,
        },)*];
        impl FieldId {
            /// All of them in numeric order.
            pub const ALL: &'static [FieldId] = &[$(FieldId::$name,)*];
        }
    };
}
const HDR: usize = 0;
fields! {
    /// Barrier byte of any object.
    Barrier = "obj.barrier", GcHeader, HDR + offset_of!(GcHeader, barrier), 1, U8, Collector;
    /// Object kind of any object.
    Kind = "obj.kind", GcHeader, HDR + offset_of!(GcHeader, kind), 1, U8, Eternal;
    /// Flags of a table.
    TabFlags = "tab.flags", GcHeader, HDR + offset_of!(GcHeader, flags), 1, U8, Structure;
    /// Array kind of a table: a tag byte (zero-extended).
    TabKind = "tab.kind", GcHeader, HDR + offset_of!(GcHeader, extra), 1, U8, Structure;
    /// Shape id of a table.
    TabShape = "tab.shape", GcHeader, HDR + offset_of!(GcHeader, word), 4, U32, Structure;
    /// Shape object of a table.
    TabShapeP = "tab.shapep", Table, offset_of!(Table, shape), 8, Ptr, Structure;
    /// Array part of a table.
    TabArray = "tab.array", Table, offset_of!(Table, array), 8, Ptr, Structure;
    /// Slots of the array part.
    TabCap = "tab.cap", Table, offset_of!(Table, arr_cap), 4, U32, Structure;
    /// Border hint of the array part.
    TabLen = "tab.len", Table, offset_of!(Table, arr_len), 4, U32, Length;
    /// The same, as what it proves of an array of one kind: elements up to it are there. Appending does not change that.
    TabDense = "tab.dense", Table, offset_of!(Table, arr_len), 4, U32, Length;
    /// Fields run or dictionary.
    TabHash = "tab.hash", Table, offset_of!(Table, hash), 8, Ptr, Structure;
    /// Metatable or null.
    TabMeta = "tab.meta", Table, offset_of!(Table, metatable), 8, Ptr, Structure;
    /// Slots of the fields run.
    TabFieldCap = "tab.fieldcap", Table, offset_of!(Table, field_cap), 4, U32, Structure;
    /// Events that this metatable is known to lack.
    TabAbsent = "tab.absent", Table, offset_of!(Table, meta_absent), 4, U32, Structure;
    /// Length of a string in bytes.
    StrLen = "str.len", Str, offset_of!(Str, len), 8, Int, Eternal;
    /// Flags of a string.
    StrFlags = "str.flags", GcHeader, HDR + offset_of!(GcHeader, flags), 1, U8, Eternal;
    /// Prototype of a Lua closure.
    FuncProto = "fun.proto", LuaClosure, offset_of!(LuaClosure, proto), 8, Ptr, Eternal;
    /// Code of a native closure.
    FuncNative = "fun.native", NativeClosure, offset_of!(NativeClosure, func), 8, Ptr, Eternal;
    /// Number of what a native closure does (`base::fastfn`).
    FuncWord = "fun.word", GcHeader, HDR + offset_of!(GcHeader, word), 4, U32, Eternal;
    /// Metatable of a userdata or null.
    UdMeta = "udt.meta", Userdata, offset_of!(Userdata, metatable), 8, Ptr, Structure;
    /// Entries run of a dictionary.
    DictEntries = "dict.entries", Dict, offset_of!(Dict, entries), 8, Ptr, Structure;
    /// Entries used of a dictionary.
    DictUsed = "dict.used", Dict, offset_of!(Dict, used), 4, U32, Structure;
    /// Status of a thread.
    ThreadStatus = "thr.status", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, status), 4, U32, Memory;
    /// Protected calls around the running frame of a thread. Only stores that name it, and helpers, change it.
    ThreadPcalls = "thr.pcalls", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, pcall_depth), 4, U32, Structure;
    /// Number of pending to-be-closed variables of a thread.
    ThreadTbc = "thr.tbc", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, tbc_len), 4, U32, Memory;
    /// Base of the running frame of a thread that does not run.
    ThreadBase = "thr.base", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, base), 8, Ptr, Memory;
    /// Saved pc of a thread.
    ThreadPc = "thr.pc", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, pc), 8, Ptr, Memory;
    /// First slot of the stack of a thread.
    ThreadStack = "thr.stack", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, stack), 8, Ptr, Memory;
    /// Events for which a thread has a hook.
    ThreadHooks = "thr.hooks", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, hook_mask), 4, U32, Memory;
    /// C depth of a thread, and how many C calls forbid a yield.
    ThreadCalls = "thr.ncalls", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, ncalls), 4, U32, Memory;
    /// Thread that has resumed a thread.
    ThreadResumer = "thr.resumer", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, resumer), 8, Thread, Memory;
    /// How a thread was resumed.
    ThreadKind = "thr.kind", traceorus_base::objects::Thread, offset_of!(traceorus_base::objects::Thread, resume_kind), 4, U32, Memory;
}

impl FieldId {
    /// Its description.
    pub fn info(self) -> &'static FieldInfo {
        &FIELDS[self as usize]
    }
    /// The field with this number.
    pub fn from_u16(n: u16) -> Option<FieldId> {
        FieldId::ALL.get(n as usize).copied()
    }
}
