//! Functions that compiled code calls (`ir::CallId`), and their addresses.
//!
//! None of them collects, raises, or runs Lua code.

mod coroutine;
mod math;
mod out;
pub(crate) mod pattern;
mod string;
mod table;

pub(crate) use out::MAX_RESULTS;
pub(crate) use table::concat_len;

pub(crate) use string::utf8_next;
pub(crate) use string::{MAX_TEXT, find_text, item_spec, pack_spec, sub_range};

use crate::ir::CallId;

macro_rules! addresses {
    ($id:expr; $($name:ident = $module:ident::$f:ident,)*) => {
        match $id { $(CallId::$name => $module::$f as *const () as usize,)* }
    };
}

/// Address of the function.
pub fn address(id: CallId) -> usize {
    addresses! { id;
        CoCreate = coroutine::create,
        CoWrap = coroutine::wrap,
        FMod = math::fmod,
        Pow = math::pow,
        StrCmp = string::str_cmp,
        StrEq = string::str_eq,
        TabLen = table::tab_len,
        DictInt = table::dict_int,
        DictStr = table::dict_str,
        DictAny = table::dict_any,
        Rem = math::rem,
        CFmod = math::cfmod,
        MathPow = math::math_pow,
        Acos = math::acos,
        Asin = math::asin,
        Atan2 = math::atan2,
        Cos = math::cos,
        Cosh = math::cosh,
        Exp = math::exp,
        Log = math::log,
        Log2 = math::log2,
        Log10 = math::log10,
        LogBase = math::log_base,
        Sin = math::sin,
        Sinh = math::sinh,
        Tan = math::tan,
        Tanh = math::tanh,
        RandomFloat = math::random_float,
        RandomBits = math::random_bits,
        RandomInt = math::random_int,
        StrSub = string::sub,
        StrBytes = string::bytes,
        StrRep = string::rep,
        StrUpper = string::upper,
        StrLower = string::lower,
        StrReverse = string::reverse,
        StrFind = string::find,
        StrMatch = pattern::str_match,
        GmatchNext = pattern::gmatch_next,
        GsubText = pattern::gsub_text,
        GsubTable = pattern::gsub_table,
        GsubStart = pattern::gsub_start,
        GsubFind = pattern::gsub_find,
        GsubPut = pattern::gsub_put,
        GsubEnd = pattern::gsub_end,
        IntStr = string::int_str,
        FloatStr = string::float_str,
        ObjStr = string::obj_str,
        Concat2 = string::concat2,
        Concat3 = string::concat3,
        Concat4 = string::concat4,
        BufNew = string::buf_new,
        BufStr = string::buf_str,
        BufInt = string::buf_int,
        BufFloat = string::buf_float,
        BufFmtInt = string::buf_fmt_int,
        BufFmtFloat = string::buf_fmt_float,
        BufFmtStr = string::buf_fmt_str,
        BufQuoted = string::buf_quoted,
        BufEnd = string::buf_end,
        StrPlain = string::plain,
        StrInt = string::str_int,
        StrFloat = string::str_float,
        BufPackInt = string::buf_pack_int,
        BufPackFloat = string::buf_pack_float,
        StrUnpackInt = string::str_unpack_int,
        StrUnpackFloat = string::str_unpack_float,
        Utf8Next = string::utf8_next,
        StrIsNum = string::str_is_num,
        StrIntBase = string::str_int_base,
        Utf8Char = string::utf8_char,
        Utf8Code = string::utf8_code,
        Utf8Len = string::utf8_len,
        TabAppend = table::append,
        TabPop = table::pop,
        TabInsert = table::insert,
        TabRemove = table::remove,
        TabReserve = table::reserve,
        TabSort = table::sort,
        TabMove = table::move_,
        TabGet = table::get,
        TabStr = table::get_str,
        TabSet = table::set,
        TabPut = table::put,
        TabNext = table::next,
        NextPrepare = table::next_prepare,
        SetMeta = table::set_meta,
        TabConcat = table::concat,
    }
}
