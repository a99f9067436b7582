//! Functions that traces call: one table of names, signatures and effects. Their code is in [`crate::rt`].

use super::Ty;

/// What a call may do, as a set of bits; see `opt::alias` for what each kills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Effect(pub u16);

impl Effect {
    /// Result depends on the arguments only.
    pub const PURE: Effect = Effect(0);
    /// Reads tables, cells.
    pub const READS: Effect = Effect(1);
    /// Changes values (and tags) in tables.
    pub const WRITES: Effect = Effect(2);
    /// Changes the length hint of arrays.
    pub const LENGTH: Effect = Effect(4);
    /// Changes array part, capacity, kind, shape, metatable of tables.
    pub const RESHAPES: Effect = Effect(8);
    /// Makes objects (raises debt; never collects).
    pub const ALLOCATES: Effect = Effect(16);
    /// May register an error: the result tells, the recorder guards.
    pub const THROWS: Effect = Effect(32);
    /// May run Lua code: everything but eternal facts dies.
    pub const RUNS_LUA: Effect = Effect(64);
    /// Both.
    pub const fn with(self, o: Effect) -> Effect {
        Effect(self.0 | o.0)
    }
    /// Reads which keys, shapes and entries there are, but no values: stores to values that are there do not matter.
    pub const READS_KEYS: Effect = Effect(128);
    /// All bits of `o` are there.
    pub fn has(self, o: Effect) -> bool {
        self.0 & o.0 == o.0
    }
}

/// Description of a function.
#[derive(Debug)]
pub struct CallInfo {
    /// Name in dumps.
    pub name: &'static str,
    /// The running thread is passed first, before `args`.
    pub thread: bool,
    /// Types of the arguments in the list (`Any`: 8 bytes of payload in a general register, `Tag`: in a general register).
    /// Together with the thread at most 6 general and 8 float ones.
    pub args: &'static [Ty],
    /// Type of the result.
    pub ret: Ty,
    /// What it may do.
    pub effect: Effect,
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident = $text:literal $th:literal ($($arg:ident)*) -> $ret:ident, $effect:expr;)*) => {
        /// Number of a function.
        #[repr(u16)]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum CallId { $($(#[$doc])* $name,)* }
        /// All functions.
        pub static CALLS: &[CallInfo] = &[$(CallInfo {
            name: $text, thread: $th, args: &[$(Ty::$arg,)*], ret: Ty::$ret, effect: $effect,
        },)*];
        impl CallId {
            /// All of them in numeric order.
            pub const ALL: &'static [CallId] = &[$(CallId::$name,)*];
        }
    };
}

const READ: Effect = Effect::READS;

calls! {
    /// C's `fmod` with Lua's sign rule: float `a % b`
    FMod = "fmod" false (Float Float) -> Float, Effect::PURE;
    /// `a ^ b`
    Pow = "pow" false (Float Float) -> Float, Effect::PURE;
    /// Negative, 0, positive as string a is less, equal, greater
    StrCmp = "strcmp" false (Str Str) -> Int, Effect::PURE;
    /// 1 if two strings are equal (either may be long)
    StrEq = "streq" false (Str Str) -> Int, Effect::PURE;
    /// Border of a table without `__len`
    TabLen = "tablen" false (Tab) -> Int, READ;
}

impl CallId {
    /// Its description.
    pub fn info(self) -> &'static CallInfo {
        &CALLS[self as usize]
    }
    /// The function with this number.
    pub fn from_u16(n: u16) -> Option<CallId> {
        CallId::ALL.get(n as usize).copied()
    }
}
