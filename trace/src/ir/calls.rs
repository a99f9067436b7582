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

const PURE: Effect = Effect::PURE;
const READ: Effect = Effect::READS;
const ALLOC: Effect = Effect::ALLOCATES;
/// Stores into a table of any kind, which may take memory.
const STORE: Effect = Effect::WRITES
    .with(Effect::LENGTH)
    .with(Effect::RESHAPES)
    .with(ALLOC);

// Functions that allocate are called by `Call`, so that they are neither repeated nor left out nor moved: what they would
// have allocated must count. Results that would be longer than `rt::MAX_TEXT` bytes (or take a collection) are refused with null, which the recorder guards.
// Several results (and values of any type) come back in memory: a `Ptr` to the payload and the tag of one value after the other, 8 bytes
// each, good until the next call. As the address is a new ref for each call, loads of one call are never taken for another's.
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
    /// Entry of an integer in a dictionary table; one whose value is nil if there is none
    DictInt = "dictint" false (Tab Int) -> Ptr, READ;
    /// The same of a string
    DictStr = "dictstr" false (Tab Str) -> Ptr, READ;
    /// The same of any key (payload, tag) but floats and nil
    DictAny = "dictany" false (Tab Any Tag) -> Ptr, READ;

    // ---- math ----
    /// Remainder of a truncated division; b is not 0
    Rem = "rem" false (Int Int) -> Int, PURE;
    /// C's `fmod`
    CFmod = "cfmod" false (Float Float) -> Float, PURE;
    /// `math.pow`
    MathPow = "mathpow" false (Float Float) -> Float, PURE;
    /// `math.acos`
    Acos = "acos" false (Float) -> Float, PURE;
    /// `math.asin`
    Asin = "asin" false (Float) -> Float, PURE;
    /// `math.atan` of y and x
    Atan2 = "atan2" false (Float Float) -> Float, PURE;
    /// `math.cos`
    Cos = "cos" false (Float) -> Float, PURE;
    /// `math.cosh`
    Cosh = "cosh" false (Float) -> Float, PURE;
    /// `math.exp`
    Exp = "exp" false (Float) -> Float, PURE;
    /// Natural logarithm
    Log = "log" false (Float) -> Float, PURE;
    /// Logarithm to base 2
    Log2 = "log2" false (Float) -> Float, PURE;
    /// Logarithm to base 10
    Log10 = "log10" false (Float) -> Float, PURE;
    /// Logarithm of a to base b
    LogBase = "logbase" false (Float Float) -> Float, PURE;
    /// `math.sin`
    Sin = "sin" false (Float) -> Float, PURE;
    /// `math.sinh`
    Sinh = "sinh" false (Float) -> Float, PURE;
    /// `math.tan`
    Tan = "tan" false (Float) -> Float, PURE;
    /// `math.tanh`
    Tanh = "tanh" false (Float) -> Float, PURE;
    /// `math.random()` with the generator in a userdata. Changes the generator only: by `Call`
    RandomFloat = "random" false (Udata) -> Float, PURE;
    /// `math.random(0)`
    RandomBits = "randombits" false (Udata) -> Int, PURE;
    /// `math.random(low, up)`, low <= up
    RandomInt = "randomint" false (Udata Int Int) -> Int, PURE;

    // ---- strings ----
    /// `string.sub`
    StrSub = "strsub" true (Str Int Int) -> Str, ALLOC;
    /// String of the b <= 8 lowest bytes of a, the first one lowest
    StrBytes = "strbytes" true (Int Int) -> Str, ALLOC;
    /// `string.rep` of a, b times, with c between
    StrRep = "strrep" true (Str Int Str) -> Str, ALLOC;
    /// `string.upper`
    StrUpper = "strupper" true (Str) -> Str, ALLOC;
    /// `string.lower`
    StrLower = "strlower" true (Str) -> Str, ALLOC;
    /// `string.reverse`
    StrReverse = "strreverse" true (Str) -> Str, ALLOC;
    /// Zero-based position of the text b in a at or after position c <= #a; -1: none
    StrFind = "strfind" false (Str Str Int) -> Int, PURE;
    /// `string.match` of a, pattern b, from c on: a `Ptr` to the number of results and d of them (missing ones are nil). With
    /// `rt::pattern::FIND` added to d: `string.find`. Null: refused
    StrMatch = "strmatch" true (Str Str Int Int) -> Ptr, ALLOC;
    /// Calls the iterator a of `string.gmatch`, which remembers where it is; b as d above. Null: refused
    GmatchNext = "gmatchnext" true (Func Int) -> Ptr, ALLOC;
    /// `string.gsub` of a, pattern b, replacement c, at most d times; answer as above, two results
    GsubText = "gsubtext" true (Str Str Str Int) -> Ptr, ALLOC;
    /// The same with replacements from a table without metatable
    GsubTable = "gsubtable" true (Str Str Tab Int) -> Ptr, ALLOC.with(READ);
    /// Where the text of a `string.gsub` starts whose body begins now
    GsubStart = "gsubstart" true () -> Int, PURE;
    /// What the body of `string.gsub` looks for in a, pattern b, behind the match that ended at c (-1: none): answer as above, with
    /// `rt::pattern::FOUND` results
    GsubFind = "gsubfind" true (Str Str Int) -> Ptr, ALLOC;
    /// Appends bytes c to d of b, and e, behind the first a bytes of the text: the length then; -1: refused
    GsubPut = "gsubput" true (Int Str Int Int Str) -> Int, PURE;
    /// The text from a to b with what c has behind d
    GsubEnd = "gsubend" true (Int Int Str Int) -> Str, ALLOC;
    /// `tostring` of an integer
    IntStr = "intstr" true (Int) -> Str, ALLOC;
    /// `tostring` of a float
    FloatStr = "floatstr" true (Float) -> Str, ALLOC;
    /// `tostring` of an object without `__tostring`
    ObjStr = "objstr" true (Any Tag) -> Str, ALLOC.with(READ);
    /// The texts of a and b, strings or integers, together. Bit n of the last argument, a constant: number n is an integer
    Concat2 = "concat2" true (Any Any Int) -> Str, ALLOC;
    /// The same of three
    Concat3 = "concat3" true (Any Any Any Int) -> Str, ALLOC;
    /// The same of four
    Concat4 = "concat4" true (Any Any Any Any Int) -> Str, ALLOC;
    /// The buffer, emptied
    BufNew = "bufnew" false () -> Ptr, PURE;
    /// Appends to the buffer a, and gives it back
    BufStr = "bufstr" false (Ptr Str) -> Ptr, PURE;
    /// The same, as `tostring` shows it
    BufInt = "bufint" false (Ptr Int) -> Ptr, PURE;
    /// The same
    BufFloat = "buffloat" false (Ptr Float) -> Ptr, PURE;
    /// The same with the packed specification b (see `rt::pack_spec`)
    BufFmtInt = "buffmtint" false (Ptr Int Int) -> Ptr, PURE;
    /// The same
    BufFmtFloat = "buffmtfloat" false (Ptr Int Float) -> Ptr, PURE;
    /// The same. Not of text with zeros
    BufFmtStr = "buffmtstr" false (Ptr Int Str) -> Ptr, PURE;
    /// Appends to the buffer a as `%q` shows it
    BufQuoted = "bufquoted" false (Ptr Str) -> Ptr, PURE;
    /// String of what is in the buffer
    BufEnd = "bufend" true (Ptr) -> Str, ALLOC;
    /// 1 if the text has no zeros and less than 100 bytes
    StrPlain = "strplain" false (Str) -> Int, PURE;
    /// Integer that the text is; the least integer if it is none
    StrInt = "strint" false (Str) -> Int, PURE;
    /// Float that the text is; NaN if it is none
    StrFloat = "strfloat" false (Str) -> Float, PURE;
    /// Appends the integer c to the buffer a, in the size and order that b says (see `record::fastfn::pack`)
    BufPackInt = "bufpackint" false (Ptr Int Int) -> Ptr, PURE;
    /// The same of a float of 4 or 8 bytes
    BufPackFloat = "bufpackfloat" false (Ptr Int Float) -> Ptr, PURE;
    /// Integer at the zero-based position b of a, of the size and order that c says, all of it being there
    StrUnpackInt = "strunpackint" false (Str Int Int) -> Int, PURE;
    /// The same of a float
    StrUnpackFloat = "strunpackfloat" false (Str Int Int) -> Float, PURE;
    /// The character that `utf8.codes` comes to after position b of a: position * 2^31 + code point; 0: none, -1: it is not valid.
    /// c: 1 if it is lax
    Utf8Next = "utf8next" false (Str Int Int) -> Int, PURE;
    /// 1 if the text is a number
    StrIsNum = "strisnum" false (Str) -> Int, PURE;
    /// Integer that the text is in base b (2 .. 36); the least integer if it is none
    StrIntBase = "strintbase" false (Str Int) -> Int, PURE;
    /// `utf8.char` of one code point in range
    Utf8Char = "utf8char" true (Int) -> Str, ALLOC;
    /// Code point at the zero-based position b < #a; -1 if it is not valid
    Utf8Code = "utf8code" false (Str Int) -> Int, PURE;
    /// Number of characters; -1 if it is not valid
    Utf8Len = "utf8len" false (Str) -> Int, PURE;

    // ---- coroutines ----
    /// `coroutine.create`
    CoCreate = "cocreate" true (Func) -> Thread, ALLOC;
    /// `coroutine.wrap`
    CoWrap = "cowrap" true (Func) -> Func, ALLOC;

    // ---- tables ----
    /// Appends a value (not nil) to a table without metatable; 0: it should not, nothing has been done
    TabAppend = "tabappend" true (Tab Any Tag) -> Int, STORE;
    /// Takes the last element away from a table without metatable: its payload and tag; null: as above
    TabPop = "tabpop" true (Tab) -> Ptr, Effect::WRITES.with(Effect::LENGTH);
    /// Inserts the value at position b; 0: it should not, nothing has been done
    TabInsert = "tabinsert" true (Tab Int Any Tag) -> Int, STORE;
    /// As `TabPop` of the element at position b, the ones above moving down
    TabRemove = "tabremove" true (Tab Int) -> Ptr, Effect::WRITES.with(Effect::LENGTH);
    /// Gives a fresh table without array part room for elements up to b <= 256, and announces that many
    TabReserve = "tabreserve" true (Tab Int) -> Int, STORE;
    /// Sorts a table without metatable by `<`, if its elements are all integers, floats or strings; 0: nothing has been done
    TabSort = "tabsort" true (Tab) -> Int, Effect::WRITES;
    /// `table.move` of elements b to c of a to d and up of e, tables without metatables; 0: nothing has been done
    TabMove = "tabmove" true (Tab Int Int Int Tab) -> Int, STORE;
    /// The value of any key but nil of any table, without metamethods: payload and tag. Of weak tables, too, by `Call`
    TabGet = "tabget" true (Tab Any Tag) -> Ptr, READ;
    /// The value of a string key of any table, without metamethods: payload and tag
    TabStr = "tabstr" true (Tab Str) -> Ptr, READ;
    /// Stores a value under a key (not nil) into any table, without metamethods; 0: it should not, nothing has been done
    TabSet = "tabset" true (Tab Any Tag Any Tag) -> Int, STORE;
    /// `t[k] = v` under a key (not nil) of any table whose metatable has nothing to say of it; 0: it has, or it should not, nothing has been done
    TabPut = "tabput" true (Tab Any Tag Any Tag) -> Int, STORE;
    /// Key and value after a key: payload, tag, payload, tag. Both nil at the end; null: no such key
    TabNext = "tabnext" true (Tab Any Tag) -> Ptr, READ;
    /// Prepares for `TabNext`
    NextPrepare = "nextprepare" true (Tab) -> Int, ALLOC;
    /// `setmetatable`, neither metatable being protected; b may be null
    SetMeta = "setmeta" true (Tab Tab) -> Int, STORE;
    /// `table.concat` of elements c to d with b between
    TabConcat = "tabconcat" true (Tab Str Int Int) -> Str, ALLOC.with(READ);
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
