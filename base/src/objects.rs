//! Layouts of collected objects and of the state's hot prefixes, as emitted code and the collector see them.
//!
//! Everything here is `repr(C)`, holds only fixed-size integers and pointers, and has no conditional field:
//! a build script for another target computes the same offsets. Emitters take offsets
//! with `core::mem::offset_of!`.
//!
//! A *run* is a block of collected memory without header that belongs to exactly one object and is marked
//! through it (array part, fields, dictionary entries, code, stacks ...). Tagged runs (array part and fields)
//! are addressed by a pointer `p` into the middle: payload `i` is the u64 at `p + 8*i`, tag `i` is the i8 at
//! `p - 1 - i`; the run starts at `p - round_up(capacity, 8)`.

use crate::value::{Tag, Value};

/// One 8-byte word of code.
pub type Instr = u64;

/// Kind of a collected object (ORDER ObjKind).
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ObjKind {
    /// [`Str`].
    String = 1,
    /// [`Table`].
    Table,
    /// [`LuaClosure`].
    LuaClosure,
    /// [`NativeClosure`].
    NativeClosure,
    /// [`Userdata`].
    Userdata,
    /// [`Thread`].
    Thread,
    /// [`Cell`].
    Cell,
    /// [`Proto`].
    Proto,
    /// [`Shape`].
    Shape,
    /// [`Dict`].
    Dict,
}

/// First 8 bytes of every collected object.
#[repr(C)]
pub struct GcHeader {
    /// 1 when a store into this object must take the barrier's slow path (object black, or was when last
    /// marked); 0 when not. Decides the barrier alone. Set by the marker, cleared by the barrier.
    pub barrier: u8,
    /// [`ObjKind`].
    pub kind: u8,
    /// Per-kind flags, `flags::*`.
    pub flags: u8,
    /// Table: array kind (a tag byte: every non-nil element has this tag; `ANY`: mixed; `NIL`: all nil so
    /// far). Closures: number of upvalues. Userdata: number of user values.
    pub extra: u8,
    /// String: hash. Table: shape id. Shape: its id. Native closure: number of the function (`fastfn`). Others: free.
    pub word: u32,
}

/// Bits of `GcHeader::flags`.
pub mod flags {
    /// Any kind: the object is on the finalizer list.
    pub const FINALIZER: u8 = 0x80;
    /// String: short, interned; equal strings are the same object.
    pub const STR_SHORT: u8 = 1;
    /// Long string: `hash` is valid.
    pub const STR_HASHED: u8 = 2;
    /// Table is used as a metatable or is a target of `__index`/`__newindex` (prototype role, for life).
    pub const TAB_PROTO: u8 = 1;
    /// Table is in dictionary mode (`Table::hash` is a `Dict`).
    pub const TAB_DICT: u8 = 2;
    /// Dictionary whose shape id is its own (cached by global access); it gets a new id when entries move.
    pub const TAB_OWN_ID: u8 = 4;
    /// Weak keys / values as of the last `setmetatable` or mark.
    pub const TAB_WEAK: u8 = 8;
    /// The table has been the metatable of at least one object (so a second one earns it shapes).
    pub const TAB_META_SEEN: u8 = 16;
    /// Prototype that changed too often: never cached.
    pub const TAB_VOLATILE: u8 = 32;
    /// The collector's own, for tables.
    pub const TAB_GC: u8 = 64;
    /// Cell of a local that is never assigned after initialisation.
    pub const CELL_READONLY: u8 = 1;
    /// Native closure: the basic library's `next`. No other closure has this bit.
    pub const NATIVE_NEXT: u8 = 2;
    /// Native closure: the iterator of `ipairs`. No other closure has this bit.
    pub const NATIVE_IPAIRS: u8 = 4;
    /// Native closure: called by bodies of library functions only, and not shown to programs.
    pub const NATIVE_HIDDEN: u8 = 8;
    /// Prototype: that of the body of a library function (`vm::body`); `word` is its number.
    pub const PROTO_BODY: u8 = 1;
    /// Prototype: that of a body that no yield may cross.
    pub const PROTO_CLOSED: u8 = 2;
    /// Thread: C code may write to its stack while it does not run.
    pub const THREAD_OPEN: u8 = 1;
    /// Thread: a hook has asked for a yield before the next instruction.
    pub const THREAD_HOOK_YIELD: u8 = 2;
    /// Thread: the hook has run for the next instruction.
    pub const THREAD_HOOK_DONE: u8 = 4;
}

/// String. Bytes follow, then a NUL.
#[repr(C)]
pub struct Str {
    /// `word` is the hash (valid when short or `STR_HASHED`).
    pub hdr: GcHeader,
    /// Length in bytes, without the NUL.
    pub len: u64,
    /// Short: next string of the intern bucket. Long: unused.
    pub next: *mut Str,
}

impl Str {
    /// Offset of the first byte.
    pub const DATA: usize = core::mem::size_of::<Str>();
    /// Longest interned string in bytes.
    pub const MAX_SHORT: usize = 40;
    /// Object size for `len` bytes.
    pub const fn size_for(len: usize) -> usize {
        Str::DATA + len + 1
    }
}

/// Table. In shape mode `hash` points into a tagged run of `field_cap` slots, one per key of `shape`;
/// in dictionary mode (`TAB_DICT`) it is a [`Dict`] and every key outside the array part is there.
#[repr(C)]
pub struct Table {
    /// `word` is the shape id, `extra` the array kind.
    pub hdr: GcHeader,
    /// Array part: tagged run of `arr_cap` slots, slot `i` holds `t[i]`; index 0 is in it.
    pub array: *mut u64,
    /// Slots in the array part (0: none, `array` is then dangling but never read).
    pub arr_cap: u32,
    /// Hint for the border: `#t` is this if slot `arr_len` is non-nil (or 0) and the next is nil.
    pub arr_len: u32,
    /// Fields (shape mode: `*mut u64` tagged-run pointer) or `*mut Dict` (dictionary mode).
    pub hash: *mut u8,
    /// Metatable or null.
    pub metatable: *mut Table,
    /// Never null. Its id equals `hdr.word`.
    pub shape: *mut Shape,
    /// Shape mode: slots in the fields run.
    pub field_cap: u32,
    /// Bit `e` set: this table, used as metatable, is known to lack event `e` (`MetaMethod as u32` < 32).
    /// Any insertion of a new key, and any store to a key whose value was nil, clears it.
    pub meta_absent: u32,
}

impl Table {
    /// A fields run of up to [`Table::INLINE_MAX`] slots, or in its place an array part, may follow the header in
    /// the same block: its pointer is then `self + INLINE_FIELDS`. The block keeps its size when the run moves out.
    pub const INLINE_FIELDS: usize = core::mem::size_of::<Table>() + 8;
    /// Most inline slots.
    pub const INLINE_MAX: usize = 8;
    /// Fewest slots that there is room for when the array part is inline.
    pub const INLINE_ARRAY_MIN: usize = 4;
    /// Size of the object with room for `n` inline slots (no room, if 0).
    pub const fn size_for(n: usize) -> usize {
        if n == 0 {
            core::mem::size_of::<Table>()
        } else {
            Table::INLINE_FIELDS + 8 * n
        }
    }
}

/// Bytes of a tagged run of `cap` slots, and the distance from its start to its pointer.
#[inline(always)]
pub const fn tagged_run_size(cap: usize) -> (usize, usize) {
    let tags = (cap + 7) & !7;
    (tags + 8 * cap, tags)
}

/// Reads slot `i` of the tagged run `p`.
///
/// # Safety
/// `i` is below the run's capacity.
#[inline(always)]
pub unsafe fn run_get(p: *const u64, i: usize) -> Value {
    // SAFETY: the caller promises that slot `i` exists; the layout is in the module's documentation.
    unsafe { Value::new(*p.add(i), Tag(*(p as *const i8).sub(1 + i) as i32)) }
}

/// Writes slot `i` of the tagged run `p`, without any barrier.
///
/// # Safety
/// `i` is below the run's capacity; the caller sees to the barrier [GC-BARRIER].
#[inline(always)]
pub unsafe fn run_set(p: *mut u64, i: usize, v: Value) {
    // SAFETY: as above.
    unsafe {
        *p.add(i) = v.payload;
        *(p as *mut i8).sub(1 + i) = v.tag.byte();
    }
}

/// Dictionary part of a table: entries in insertion order and, above `SMALL` entries, an index.
#[repr(C)]
pub struct Dict {
    /// Header.
    pub hdr: GcHeader,
    /// Run of `cap` entries, the first `used` of them written.
    pub entries: *mut DictEntry,
    /// Run of `index_mask + 1` words: 0 empty, else entry number + 1; null while `cap <= SMALL`.
    pub index: *mut u32,
    /// Size of the index minus 1 (a power of two minus 1).
    pub index_mask: u32,
    /// Entries written, live or with nil value.
    pub used: u32,
    /// Entries allocated.
    pub cap: u32,
    /// Bits of the vm.
    pub spare: u32,
    /// While there is no index: byte `n` is the mark of the key of entry `n`, 0 if that is not written. Otherwise unused.
    pub marks: u64,
}

impl Dict {
    /// Dictionaries up to this capacity have no index, but a byte for each key: as many as [`Dict::marks`] has.
    pub const SMALL: u32 = 8;
}

/// The home of an integer in a dictionary is its lower half plus its upper half times this.
pub const INT_FACTOR: u32 = 0x9e37_79b1;
/// The hash of an object as a dictionary key is the upper half of the lower 64 bits of its address times this.
pub const POINTER_FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Entry of a dictionary. A nil value keeps its key.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct DictEntry {
    /// Payload of the key.
    pub key_payload: u64,
    /// Payload of the value.
    pub val_payload: u64,
    /// Tag of the value.
    pub val_tag: Tag,
    /// Tag of the key; `DEADKEY` when its object died (payload kept for `next`).
    pub key_tag: Tag,
}

/// Hidden class: ordered string keys and a metatable. Shapes form trees by their last key; lookups go
/// through the state's (shape, key) cache, then up the parents.
#[repr(C)]
pub struct Shape {
    /// `word` is the id: unique for the life of the state, never reused.
    pub hdr: GcHeader,
    /// Shape without the last key, or null for a root.
    pub parent: *mut Shape,
    /// Last key (short string), null for a root. It is in slot `nfields - 1`.
    pub key: *mut Str,
    /// Metatable that every table of this shape has; null: none, or (`flags` SHAPE_UNCACHED) any.
    pub metatable: *mut Table,
    /// Number of keys.
    pub nfields: u32,
    /// `shape_flags::*`.
    pub shape_flags: u32,
    /// Run of `nfields` key pointers, or null until it is first needed.
    pub keys: *mut *mut Str,
    /// Run of `trans_cap` pointers to child shapes (open addressing by key, null empty), or null. Weak.
    pub trans: *mut *mut Shape,
    /// Size of `trans`, a power of two or 0.
    pub trans_cap: u32,
    /// Children in `trans`.
    pub trans_len: u32,
}

/// Bits of `Shape::shape_flags`.
pub mod shape_flags {
    /// Tables of this shape may have different metatables (the first object of each).
    pub const UNCACHED_META: u32 = 1;
    /// Shape of dictionary-mode tables: proves nothing, is never cached.
    pub const DICT: u32 = 2;
    /// Shape owned by one prototype table.
    pub const PROTO: u32 = 4;
    /// Shape of metatables that have `__index`, which is always the same table, and nothing else.
    pub const PLAIN: u32 = 8;
}

/// Heap cell of a captured local.
#[repr(C)]
pub struct Cell {
    /// Header.
    pub hdr: GcHeader,
    /// The variable's value.
    pub value: Value,
}

/// Closure of a Lua function. `upvals` (`hdr.extra` of them) follow.
#[repr(C)]
pub struct LuaClosure {
    /// `extra` is the number of upvalues.
    pub hdr: GcHeader,
    /// First instruction; the function's header word is the word before it.
    pub pc: *const Instr,
    /// Prototype.
    pub proto: *mut Proto,
}

impl LuaClosure {
    /// Offset of the first `*mut Cell`.
    pub const UPVALS: usize = core::mem::size_of::<LuaClosure>();
    /// Object size.
    pub const fn size_for(n: usize) -> usize {
        LuaClosure::UPVALS + 8 * n
    }
}

/// Entry point of a native function: arguments are `base[0..nargs]` (`Thread::top` is set above them).
/// Returns the number of results `n >= 0`, which are the last `n` slots below `Thread::top`; or -1 after a
/// raise (error value in `GlobalHot::error_value`); or -2 when it has switched frames or threads: execution
/// goes on at `GlobalHot::next_pc` in the current thread (pcall, resume, yield ...).
pub type NativeFn = unsafe extern "C" fn(*mut Thread) -> i64;

/// Closure of a native function. `hdr.extra` upvalues (`Value`) follow.
#[repr(C)]
pub struct NativeClosure {
    /// Header.
    pub hdr: GcHeader,
    /// Address of the word after `header`, so that calls treat all functions alike.
    pub pc: *const Instr,
    /// The function.
    pub func: NativeFn,
    /// For C functions: the `lua_CFunction` (C API), else 0.
    pub cfunc: u64,
    /// Name for messages (static, NUL-free), may be null.
    pub name: *const u8,
    /// Length of `name`.
    pub name_len: u64,
    /// Header word `h | flags | frame size | 0xFFFF`.
    pub header: Instr,
}

impl NativeClosure {
    /// Offset of the first upvalue.
    pub const UPVALS: usize = core::mem::size_of::<NativeClosure>();
    /// Object size.
    pub const fn size_for(n: usize) -> usize {
        NativeClosure::UPVALS + 16 * n
    }
}

/// Full userdata. User values (`Value`) follow, then the block of `size` bytes, 16-aligned.
#[repr(C)]
pub struct Userdata {
    /// `word` is the number of user values.
    pub hdr: GcHeader,
    /// Metatable or null.
    pub metatable: *mut Table,
    /// Size of the block in bytes.
    pub size: u64,
    /// Not 0: the block holds a Rust value, which this says more about (see `vm::exec::new_owner`). Lua code cannot change it.
    pub owner: u64,
}

impl Userdata {
    /// Offset of the first user value.
    pub const UVALS: usize = core::mem::size_of::<Userdata>();
    /// Most user values.
    pub const MAX_UVALS: usize = 0xFFFF;
    /// Offset of the block.
    pub const fn block_offset(nuv: usize) -> usize {
        Userdata::UVALS + 16 * nuv
    }
    /// Number of user values.
    #[inline(always)]
    pub const fn nuv(&self) -> usize {
        self.hdr.word as usize
    }
}

/// Where a closure's upvalue comes from and what is known of it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct UpvalDesc {
    /// Name, may be null when stripped.
    pub name: *mut Str,
    /// Register of the enclosing function that holds the cell (`in_stack`), or its upvalue number.
    pub index: u8,
    /// 1: `index` is a register of the enclosing function.
    pub in_stack: u8,
    /// 1: the variable is never assigned after initialisation.
    pub readonly: u8,
    /// Kind of variable: 0 regular, 1 `<const>`, 2 `<close>`.
    pub attrib: u8,
    /// Free.
    pub spare: u32,
}

/// Name and life of a local variable, for debugging.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LocVar {
    /// Address of the name in the low 48 bits, register in the next 8, then 1 if the register holds a cell.
    name_reg: u64,
    /// First word of code where it is active.
    pub start_pc: u32,
    /// First word where it is dead.
    pub end_pc: u32,
}

impl LocVar {
    /// A variable; its name may be null.
    pub fn new(name: *mut Str, start_pc: u32, end_pc: u32, reg: u8, boxed: bool) -> LocVar {
        debug_assert!(name as u64 >> 48 == 0);
        LocVar {
            name_reg: name as u64 | (reg as u64) << 48 | (boxed as u64) << 56,
            start_pc,
            end_pc,
        }
    }
    /// Name, null when stripped.
    pub fn name(&self) -> *mut Str {
        (self.name_reg & ((1 << 48) - 1)) as *mut Str
    }
    /// Register.
    pub fn reg(&self) -> u8 {
        (self.name_reg >> 48) as u8
    }
    /// The register holds a cell with the value.
    pub fn boxed(&self) -> bool {
        self.name_reg >> 56 != 0
    }
}

/// Prototype of a Lua function. All pointers are runs or null. `hdr.extra` is 1 if its lines are wide.
#[repr(C)]
pub struct Proto {
    /// Header.
    pub hdr: GcHeader,
    /// Header word and then the instructions: `code[0]` is the header, the first instruction is `code[1]`.
    pub code: *mut Instr,
    /// Words in `code`, header included.
    pub ncode: u32,
    /// Number of constants.
    pub nconsts: u32,
    /// Constants that the collector marks (strings, shapes; numbers for listings).
    pub consts: *mut Value,
    /// Nested prototypes.
    pub protos: *mut *mut Proto,
    /// Upvalue descriptions.
    pub upvals: *mut UpvalDesc,
    /// Local variables.
    pub locvars: *mut LocVar,
    /// Source line of each word of `code`, or null when stripped. Per block of [`LINE_BLOCK`] words the smallest line (a
    /// `u32`), and behind these a byte per word that is added to it. Wide: a `u32` per word, where bytes do not do.
    pub lines: *mut u8,
    /// Live registers at each word of `code` while the instruction there runs (see `base::chunk`).
    pub live: *mut u8,
    /// Source name (chunkname with its `@`/`=` prefix).
    pub source: *mut Str,
    /// Number of nested prototypes.
    pub nprotos: u32,
    /// Number of local variables.
    pub nlocvars: u32,
    /// Line of `function`, 0 for a main chunk.
    pub line_defined: u32,
    /// Line of `end`.
    pub last_line_defined: u32,
    /// Fixed parameters.
    pub nparams: u8,
    /// 1 for vararg functions.
    pub is_vararg: u8,
    /// Registers used.
    pub frame_size: u8,
    /// Number of upvalues.
    pub nupvals: u8,
    /// How many closures were instantiated, saturating (for the recorder).
    pub ninstances: u32,
    /// The trace compiler's own, 0 at first. Written by `vm::jithooks::set_proto_jit` only.
    pub jit: u64,
}

/// Words that share a smallest line in [`Proto::lines`].
pub const LINE_BLOCK: usize = 128;

impl Proto {
    /// Bytes of the lines of `ncode` words.
    pub const fn lines_size(ncode: usize, wide: bool) -> usize {
        if wide {
            4 * ncode
        } else {
            4 * ncode.div_ceil(LINE_BLOCK) + ncode
        }
    }
}

/// Record of one entry from native code into the interpreter, on the native stack. Linked through
/// `GlobalHot::activation`, innermost first.
#[repr(C)]
pub struct Activation {
    /// Enclosing activation or null.
    pub prev: *mut Activation,
    /// Thread that was entered.
    pub thread: *mut Thread,
    /// Offset in bytes of the previous frame's base from the thread's stack.
    pub prev_base: u64,
    /// `Thread::pc` at entry.
    pub prev_pc: *const Instr,
    /// Native stack pointer inside the entry stub, for transfers over foreign frames.
    pub native_sp: u64,
    /// Offset in bytes of the entered function's slot (where results go).
    pub func: u64,
    /// Results wanted, or -1 for all. In a detached entry -2 less the number, so that emitted returns, which give one result where one
    /// is wanted, leave it to the vm.
    pub nresults: i32,
    /// 0 call, 1 protected, 3 hook, 4 finalizer, 5 resume, 6 protected without a message handler.
    pub kind: u32,
    /// `frame::FULL_BIT` if all slots of the frame below are live, `activation_bits::*`.
    pub bits: u64,
}

/// Further bits of `Activation::bits`.
pub mod activation_bits {
    /// The record is that of an [`super::Continuable`].
    pub const CONTINUABLE: u64 = 1;
    /// The native code that made the entry was left by a yield: the record is a run of the thread's (`Thread::detached`), and
    /// whatever ends the entry calls the continuation.
    pub const DETACHED: u64 = 2;
}

/// Record of an entry by a C function with a continuation, which yields may cross.
#[repr(C)]
pub struct Continuable {
    /// The entry.
    pub act: Activation,
    /// The continuation, a `lua_KFunction`.
    pub k: u64,
    /// Its context.
    pub ctx: i64,
}

/// Thread (coroutine): hot prefix, read by emitted code. The vm's `Thread` data that emitted code never
/// touches follow in `ThreadCold`.
#[repr(C)]
pub struct Thread {
    /// Header.
    pub hdr: GcHeader,
    /// Base of the running frame. Valid while emitted code is not running in this thread.
    pub base: *mut Value,
    /// Top: for a native frame the first free slot; for a Lua frame only meaningful after a multi-result
    /// instruction (first slot above the results).
    pub top: *mut Value,
    /// Saved pc of the running frame (null for a native one).
    pub pc: *const Instr,
    /// Last usable slot address for `base + frame_size`; set to 0 to force the slow path.
    pub limit: *mut Value,
    /// Code base for dispatch: normal or active region.
    pub dispatch: *const u8,
    /// The state.
    pub global: *mut GlobalHot,
    /// First slot of the stack run.
    pub stack: *mut Value,
    /// Slots in the stack run.
    pub stack_slots: u64,
    /// `thread_status::*`.
    pub status: u32,
    /// C depth and non-yieldable count as PUC's nCcalls: low 16 bits depth, high 16 bits non-yieldable.
    pub ncalls: u32,
    /// Thread that resumed this one, while it runs.
    pub resumer: *mut Thread,
    /// Offsets in slots of pending to-be-closed variables (vm-owned run of u32).
    pub tbc: *mut u32,
    /// Entries in `tbc`.
    pub tbc_len: u32,
    /// Capacity of `tbc`.
    pub tbc_cap: u32,
    /// Hook function (raw pointer, vm-owned), 0 when unset.
    pub hook: u64,
    /// Mask of events.
    pub hook_mask: u32,
    /// Count set by the user.
    pub hook_count: i32,
    /// Counts down to the next count event.
    pub hook_left: i32,
    /// 0 while a hook runs.
    pub allow_hook: u32,
    /// Line hook: the last pc seen.
    pub hook_pc: *const Instr,
    /// Lua hook function set by `debug.sethook`.
    pub hook_value: Value,
    /// How it was resumed: 0 `coroutine.resume`, 1 `coroutine.wrap`, 2 from native code.
    pub resume_kind: u32,
    /// Protected calls (pcall, xpcall frames) that enclose the running frame.
    pub pcall_depth: u32,
    /// Continuation (a `lua_KFunction`) of the C function that yielded with status [`thread_status::SUSPENDED_K`]; 0: none, but
    /// variables are to be closed when it returns.
    pub yield_k: u64,
    /// Its context.
    pub yield_ctx: i64,
    /// Records of entries that were left by a yield, innermost first, linked by `Activation::prev`; each is a run.
    pub detached: *mut Continuable,
    /// `lua_getextraspace`: the word before what the C API calls a `lua_State`, which is the end of this structure.
    pub extra_space: u64,
}

/// Values of `Thread::status`.
pub mod thread_status {
    /// Created or between resumes at its start.
    pub const FRESH: u32 = 0;
    /// Suspended in a yield.
    pub const SUSPENDED: u32 = 1;
    /// Running.
    pub const RUNNING: u32 = 2;
    /// Has resumed another thread.
    pub const NORMAL: u32 = 3;
    /// Finished.
    pub const DEAD: u32 = 4;
    /// Died by an error (the error value is the only value on its stack).
    pub const ERROR: u32 = 5;
    /// Suspended in a yield of a C function with a continuation.
    pub const SUSPENDED_K: u32 = 6;
    /// Suspended by a hook, before the instruction at `Thread::pc`.
    pub const SUSPENDED_HOOK: u32 = 7;
}

/// Number of small size classes of the collector; see `gc` for their sizes.
pub const SIZE_CLASSES: usize = 40;

/// Size class of an object of up to [`SMALL_STEP_MAX`] bytes (the vm checks it against the collector's table).
pub const fn small_class(bytes: usize) -> usize {
    assert!(bytes > 0 && bytes <= SMALL_STEP_MAX);
    bytes.div_ceil(16) - 1
}
/// Up to here the size classes are the multiples of 16.
pub const SMALL_STEP_MAX: usize = 160;

/// In the cache of a SelfGet: turns the id of a metatable's shape into that of the userdata with this metatable. Shapes have smaller ids.
pub const USERDATA_BIT: u32 = 1 << 31;

/// Entry of the state's look-up cache: what a key means for tables of a shape. Direct-mapped, see [`lookup_index`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LookupEntry {
    /// Shape id of the receiver; 0: empty.
    pub shape: u32,
    /// 0: the key is an own field, `payload` its slot. Else the entry holds while `GlobalHot::proto_epoch` is this.
    pub epoch: u32,
    /// Address of the key (a short string); plus 1 in entries for a store that adds the key: `payload` is then the shape
    /// afterwards; plus 2 in entries that say what an own field means whose value is nil; plus 3 and 4 where the shape is that of
    /// a metatable: what that has for an event, and what the key means for an object that lacks it.
    pub key: u64,
    /// Slot, payload of a constant found in a prototype, shape, or the prototype.
    pub payload: u64,
    /// Tag of a constant found in a prototype; [`LookupEntry::HELD`], [`LookupEntry::BY_META`].
    pub tag: Tag,
    /// If the tag is `HELD`: the slot.
    pub slot: u32,
}

impl LookupEntry {
    /// Tag that says: the value, which changes, is in the field number `slot` of the prototype at `payload`, if that is still a record.
    pub const HELD: Tag = Tag::SHAPE;
    /// Tag that says: tables of this shape lack the key and have a metatable, which tells more (key plus 4). From here on tags are no
    /// constants (as unsigned numbers).
    pub const BY_META: Tag = Tag::PROTO;
}

/// Entries of the look-up cache (a power of two).
pub const LOOKUP_SIZE: usize = 512;
/// Distance (in entries) between the places for the keys plus 0, 1, 2 and so on.
pub const LOOKUP_ADD: usize = 97;

/// Where the look-up cache keeps `key` for tables of shape `shape`.
#[inline(always)]
pub const fn lookup_index(shape: u32, key: u64) -> usize {
    (shape as u64 * 8).wrapping_add(key >> 4) as usize & (LOOKUP_SIZE - 1)
}

/// State: hot prefix, read by emitted code. The vm's `Global` starts with it.
#[repr(C)]
pub struct GlobalHot {
    /// Thread that runs.
    pub current: *mut Thread,
    /// Main thread.
    pub main: *mut Thread,
    /// Innermost native activation.
    pub activation: *mut Activation,
    /// Table of slow-path helpers, indexed by op number (see `vm::helpers`).
    pub helpers: *const u64,
    /// Non-zero: a safepoint has something to do (`poll::*` bits).
    pub poll: u32,
    /// Non-zero while the collector marks: new edges into black objects matter.
    pub gc_marking: u32,
    /// Changes when any prototype's lookups may have changed, and at each collection.
    pub proto_epoch: u32,
    /// Next shape id.
    pub next_shape_id: u32,
    /// Heads of the free lists per size class (singly linked through the first word of the cells).
    pub free: [*mut u8; SIZE_CLASSES],
    /// Metatable of strings (null: none), numbers, booleans, functions, nil, threads, light userdata.
    pub type_meta: [*mut Table; 8],
    /// Globals table.
    pub globals: *mut Table,
    /// Registry.
    pub registry: *mut Table,
    /// Shape of `{}`.
    pub empty_shape: *mut Shape,
    /// Shape shared by plain dictionary tables.
    pub dict_shape: *mut Shape,
    /// Value of an error that is under way.
    pub error_value: Value,
    /// Interned metamethod names by `MetaMethod`.
    pub meta_names: [*mut Str; 32],
    /// Start of the normal dispatch region.
    pub code_base: *const u8,
    /// Start of the active (mirror) region.
    pub code_active: *const u8,
    /// Look-up cache, [`LOOKUP_SIZE`] entries.
    pub lookup: *mut LookupEntry,
    /// Exit status of the innermost entry: 0 returned, 1 raised.
    pub exit_status: u32,
    /// Where execution goes on after a native function returned -2; null leaves the interpreter.
    pub next_pc: *const Instr,
    /// Status code (PUC's) of the error under way: 2 run, 3 syntax, 4 memory, 5 in error handling.
    pub error_status: u32,
    /// 1 once the message handler has run for the error under way.
    pub error_handled: u32,
    /// Entry addresses of traces by number, owned by the trace compiler; null while there are none. Read by the instructions
    /// that enter traces, with the number in their counter operand.
    pub traces: *const u64,
    /// Where traces go back to the interpreter, `traceorus_interp_resume`: RET0 is the next pc, or null to leave. Thread, base and
    /// dispatch base are read anew: what changed must be in `current` and the thread. Null without a generated interpreter.
    pub resume: *const u8,
    /// Bytes of allocations removed from traces that may be counted down until they have to be charged
    /// (`Heap::charge_removed`); it wraps then.
    pub sunk_left: u32,
    /// Guards until compiled code is left without need; only code compiled with the parameter `exitrandom` counts it down.
    pub exit_left: u32,
    /// The trace compiler's own, not kept across anything that may run another trace.
    pub jit_scratch: [u64; 4],
    /// Start of the back region: the next instruction that is dispatched there goes to the address in the native frame's
    /// `frame::BACK_SLOT`. Null without a generated interpreter.
    pub code_back: *const u8,
    /// What that slot holds while no trace waits: the thread goes on in its own region.
    pub back_default: *const u8,
    /// Not 0: Lua code or an embedder's function has run at a safepoint (or in `collectgarbage`) since this was last set to 0, which
    /// traces do.
    pub ran_aside: u32,
    /// Innermost call of a C function (`vm::cfunc::Boundary`) or null.
    pub boundary: *mut u8,
    /// Start of the counting region: as the normal one, and counts instructions in `counts`. Null without a generated interpreter.
    pub code_count: *const u8,
    /// What has been executed; counted only if the parameter `count` asks for it.
    pub counts: Counts,
}

/// What has been executed.
#[repr(C)]
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Bytecode instructions in the interpreter, while recording included. Function headers are none.
    pub interpreted: u64,
    /// The same in traces.
    pub compiled: u64,
    /// Of these, those performed by the interpreter's handlers or helpers.
    pub performed: u64,
    /// Guards that the recordings of these asked for.
    pub guards_recorded: u64,
    /// Guards in traces that were executed.
    pub guards: u64,
    /// Guards of types in traces that were executed.
    pub type_guards: u64,
    /// Of these, those that held.
    pub type_guards_held: u64,
}

/// Bits of `GlobalHot::poll`.
pub mod poll {
    /// The collector has debt.
    pub const GC: u32 = 1;
    /// Finalizers wait.
    pub const FINALIZERS: u32 = 2;
    /// An asynchronous request (interrupt, time limit).
    pub const INTERRUPT: u32 = 4;
    /// A hook was set: the native function that did it returns by the slow path, which looks at hooks.
    pub const HOOKS: u32 = 8;
    /// The trace compiler has something to tell to Lua (`Global::events`).
    pub const EVENTS: u32 = 16;
}

/// Index into `GlobalHot::type_meta` for a value without metatable of its own, or `None` for tables and
/// full userdata.
#[inline]
pub fn type_meta_index(tag: Tag) -> Option<usize> {
    Some(match tag {
        Tag::STRING => 0,
        t if t.is_number() => 1,
        Tag::TRUE | Tag::FALSE => 2,
        Tag::FUNCTION => 3,
        Tag::NIL => 4,
        Tag::THREAD => 5,
        Tag::LIGHTUD => 6,
        _ => return None,
    })
}

const _: () = {
    use core::mem::size_of;
    assert!(size_of::<GcHeader>() == 8);
    assert!(size_of::<Str>() == 24);
    assert!(size_of::<Table>() == 56);
    assert!(size_of::<Dict>() == 48);
    assert!(size_of::<DictEntry>() == 24);
    assert!(size_of::<Cell>() == 24);
    assert!(size_of::<LuaClosure>() == 24);
    assert!(size_of::<NativeClosure>() == 56);
    assert!(size_of::<Userdata>() == 32);
    assert!(core::mem::offset_of!(Thread, extra_space) + 8 == size_of::<Thread>());
};
