//! Library functions that the trace compiler knows: one table.
//!
//! `vm::fastfn::install` writes the number into `GcHeader::word` of the function's closure when its library is opened, so that a
//! recorder recognises the function by what it does, whatever name a program calls it by.

/// For which arguments a function is *quiet*: it runs no Lua code and changes no table, upvalue or local variable. It may raise an error,
/// write to a file, make objects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quiet {
    /// It is not known to be for any.
    Never,
    /// Neither tables nor userdata nor functions.
    Scalars,
    /// Neither tables with a metatable nor userdata nor functions.
    Plain,
    /// Values without `__tostring`.
    Shown,
    /// All.
    Always,
}

macro_rules! fast_functions {
    ($($name:ident = $lib:literal $text:literal $quiet:ident;)*) => {
        /// A library function that the trace compiler knows. Its number is that in the closure's header; 0 (`Other`) there is any other
        /// function.
        #[repr(u32)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "named as their functions")]
        pub enum FastFn { Other, $($name,)* }
        impl FastFn {
            /// Every function with its library and name. The basic library is `_G`; functions that others make have none.
            pub const ALL: &'static [(FastFn, &'static str, &'static str)] =
                &[$((FastFn::$name, $lib, $text),)*];
            /// For which arguments it is quiet.
            pub fn quiet(self) -> Quiet {
                match self {
                    FastFn::Other => Quiet::Never,
                    $(FastFn::$name => Quiet::$quiet,)*
                }
            }
            /// The function with this number.
            pub fn from_u32(n: u32) -> FastFn {
                match n.checked_sub(1) {
                    Some(i) => FastFn::ALL.get(i as usize).map_or(FastFn::Other, |f| f.0),
                    None => FastFn::Other,
                }
            }
        }
    };
}

fast_functions! {
    Assert = "_G" "assert" Always;
    CollectGarbage = "_G" "collectgarbage" Always;
    Error = "_G" "error" Never;
    GetMetatable = "_G" "getmetatable" Always;
    Ipairs = "_G" "ipairs" Always;
    Load = "_G" "load" Plain;
    LoadFile = "_G" "loadfile" Plain;
    Next = "_G" "next" Always;
    Pairs = "_G" "pairs" Plain;
    Print = "_G" "print" Shown;
    RawEqual = "_G" "rawequal" Always;
    RawGet = "_G" "rawget" Always;
    RawLen = "_G" "rawlen" Always;
    RawSet = "_G" "rawset" Never;
    Select = "_G" "select" Always;
    SetMetatable = "_G" "setmetatable" Never;
    ToNumber = "_G" "tonumber" Always;
    ToString = "_G" "tostring" Shown;
    Type = "_G" "type" Always;
    Abs = "math" "abs" Always;
    Acos = "math" "acos" Always;
    Asin = "math" "asin" Always;
    Atan = "math" "atan" Always;
    Ceil = "math" "ceil" Always;
    Cos = "math" "cos" Always;
    Cosh = "math" "cosh" Always;
    Deg = "math" "deg" Always;
    Exp = "math" "exp" Always;
    Floor = "math" "floor" Always;
    Fmod = "math" "fmod" Always;
    Frexp = "math" "frexp" Always;
    Ldexp = "math" "ldexp" Always;
    Log = "math" "log" Always;
    Log10 = "math" "log10" Always;
    Max = "math" "max" Always;
    Min = "math" "min" Always;
    Modf = "math" "modf" Always;
    Pow = "math" "pow" Always;
    Rad = "math" "rad" Always;
    Random = "math" "random" Always;
    RandomSeed = "math" "randomseed" Always;
    Sin = "math" "sin" Always;
    Sinh = "math" "sinh" Always;
    Sqrt = "math" "sqrt" Always;
    Tan = "math" "tan" Always;
    Tanh = "math" "tanh" Always;
    ToInteger = "math" "tointeger" Always;
    MathType = "math" "type" Always;
    Ult = "math" "ult" Always;
    Byte = "string" "byte" Always;
    Char = "string" "char" Always;
    Find = "string" "find" Always;
    Format = "string" "format" Shown;
    Gsub = "string" "gsub" Plain;
    Len = "string" "len" Always;
    Lower = "string" "lower" Always;
    Match = "string" "match" Always;
    Rep = "string" "rep" Always;
    Gmatch = "string" "gmatch" Always;
    Pack = "string" "pack" Always;
    PackSize = "string" "packsize" Always;
    Reverse = "string" "reverse" Always;
    Sub = "string" "sub" Always;
    StrUnpack = "string" "unpack" Always;
    Upper = "string" "upper" Always;
    StrAdd = "string metatable" "__add" Never;
    StrDiv = "string metatable" "__div" Never;
    StrIDiv = "string metatable" "__idiv" Never;
    StrMod = "string metatable" "__mod" Never;
    StrMul = "string metatable" "__mul" Never;
    StrPow = "string metatable" "__pow" Never;
    StrSub = "string metatable" "__sub" Never;
    StrUnm = "string metatable" "__unm" Never;
    TableConcat = "table" "concat" Plain;
    Insert = "table" "insert" Never;
    Remove = "table" "remove" Never;
    TableMove = "table" "move" Never;
    TablePack = "table" "pack" Always;
    Sort = "table" "sort" Never;
    Unpack = "table" "unpack" Plain;
    CoCreate = "coroutine" "create" Always;
    IsYieldable = "coroutine" "isyieldable" Always;
    Running = "coroutine" "running" Always;
    Status = "coroutine" "status" Always;
    CoWrap = "coroutine" "wrap" Always;
    Utf8Codes = "utf8" "codes" Always;
    Utf8Offset = "utf8" "offset" Always;
    Utf8Char = "utf8" "char" Always;
    Utf8Codepoint = "utf8" "codepoint" Always;
    Utf8Len = "utf8" "len" Always;
    Clock = "os" "clock" Always;
    Date = "os" "date" Always;
    DiffTime = "os" "difftime" Always;
    Execute = "os" "execute" Always;
    GetEnv = "os" "getenv" Always;
    OsRemove = "os" "remove" Always;
    Rename = "os" "rename" Always;
    SetLocale = "os" "setlocale" Always;
    Time = "os" "time" Scalars;
    TmpName = "os" "tmpname" Always;
    IoClose = "io" "close" Always;
    IoFlush = "io" "flush" Always;
    IoInput = "io" "input" Always;
    IoLines = "io" "lines" Always;
    IoOpen = "io" "open" Always;
    IoOutput = "io" "output" Always;
    IoPopen = "io" "popen" Always;
    IoRead = "io" "read" Always;
    IoTmpFile = "io" "tmpfile" Always;
    IoType = "io" "type" Always;
    IoWrite = "io" "write" Always;
    DebugGetMetatable = "debug" "getmetatable" Always;
    DebugGetUpvalue = "debug" "getupvalue" Always;
    DebugGetUserValue = "debug" "getuservalue" Always;
    DebugUpvalueId = "debug" "upvalueid" Always;
    GetHook = "debug" "gethook" Always;
    GetInfo = "debug" "getinfo" Always;
    GetLocal = "debug" "getlocal" Always;
    GetRegistry = "debug" "getregistry" Always;
    Traceback = "debug" "traceback" Always;
    SearchPath = "package" "searchpath" Always;
    FileClose = "FILE*" "close" Always;
    FileFlush = "FILE*" "flush" Always;
    FileLines = "FILE*" "lines" Always;
    FileRead = "FILE*" "read" Always;
    FileSeek = "FILE*" "seek" Always;
    FileSetBuf = "FILE*" "setvbuf" Always;
    FileWrite = "FILE*" "write" Always;
    LinesNext = "" "iterator of lines" Always;
    CodesNext = "" "iterator of codes" Always;
    CodesNextLax = "" "lax iterator of codes" Always;
    GmatchNext = "" "iterator of gmatch" Always;
    BodyLeave = "" "end of a body" Always;
    BodyText = "" "result of __tostring" Always;
    BodyFail = "" "end of error" Never;
    BodyMethod = "" "__tostring of a value" Always;
    FormatEnd = "" "end of format" Shown;
    GsubFind = "" "search of gsub" Always;
    GsubCaptures = "" "captures of gsub" Always;
    GsubPut = "" "replacement of gsub" Always;
    GsubEnd = "" "result of gsub" Always;
}

#[cfg(test)]
mod tests {
    use super::FastFn;

    #[test]
    fn numbers_lead_back() {
        for f in FastFn::ALL {
            assert_eq!(FastFn::from_u32(f.0 as u32), f.0);
        }
        assert_eq!(FastFn::from_u32(0), FastFn::Other);
        assert_eq!(FastFn::from_u32(u32::MAX), FastFn::Other);
    }
}
