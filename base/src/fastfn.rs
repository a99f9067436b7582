//! Library functions that the trace compiler knows: one table.
//!
//! `vm::fastfn::install` writes the number into `GcHeader::word` of the function's closure when its library is opened, so that a
//! recorder recognises the function by what it does, whatever name a program calls it by.

macro_rules! fast_functions {
    ($($name:ident = $lib:literal $text:literal;)*) => {
        /// A library function with IR of its own. Its number is that in the closure's header; 0 (`Other`) there is any other function.
        #[repr(u32)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[allow(missing_docs, reason = "named as their functions")]
        pub enum FastFn { Other, $($name,)* }
        impl FastFn {
            /// Every function with its library and name. The basic library is `_G`; functions that others make have none.
            pub const ALL: &'static [(FastFn, &'static str, &'static str)] =
                &[$((FastFn::$name, $lib, $text),)*];
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
    Assert = "_G" "assert";
    Error = "_G" "error";
    GetMetatable = "_G" "getmetatable";
    Ipairs = "_G" "ipairs";
    Next = "_G" "next";
    Pairs = "_G" "pairs";
    RawEqual = "_G" "rawequal";
    RawGet = "_G" "rawget";
    RawLen = "_G" "rawlen";
    RawSet = "_G" "rawset";
    Select = "_G" "select";
    SetMetatable = "_G" "setmetatable";
    ToNumber = "_G" "tonumber";
    ToString = "_G" "tostring";
    Type = "_G" "type";
    Abs = "math" "abs";
    Acos = "math" "acos";
    Asin = "math" "asin";
    Atan = "math" "atan";
    Ceil = "math" "ceil";
    Cos = "math" "cos";
    Cosh = "math" "cosh";
    Deg = "math" "deg";
    Exp = "math" "exp";
    Floor = "math" "floor";
    Fmod = "math" "fmod";
    Log = "math" "log";
    Log10 = "math" "log10";
    Max = "math" "max";
    Min = "math" "min";
    Modf = "math" "modf";
    Pow = "math" "pow";
    Rad = "math" "rad";
    Random = "math" "random";
    Sin = "math" "sin";
    Sinh = "math" "sinh";
    Sqrt = "math" "sqrt";
    Tan = "math" "tan";
    Tanh = "math" "tanh";
    ToInteger = "math" "tointeger";
    MathType = "math" "type";
    Ult = "math" "ult";
    Byte = "string" "byte";
    Char = "string" "char";
    Find = "string" "find";
    Format = "string" "format";
    Gsub = "string" "gsub";
    Len = "string" "len";
    Lower = "string" "lower";
    Match = "string" "match";
    Rep = "string" "rep";
    Reverse = "string" "reverse";
    Sub = "string" "sub";
    Upper = "string" "upper";
    TableConcat = "table" "concat";
    Insert = "table" "insert";
    Remove = "table" "remove";
    Unpack = "table" "unpack";
    CoCreate = "coroutine" "create";
    IsYieldable = "coroutine" "isyieldable";
    Running = "coroutine" "running";
    Status = "coroutine" "status";
    CoWrap = "coroutine" "wrap";
    Utf8Char = "utf8" "char";
    Utf8Codepoint = "utf8" "codepoint";
    Utf8Len = "utf8" "len";
    GmatchNext = "" "iterator of gmatch";
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
