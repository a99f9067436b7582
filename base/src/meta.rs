//! Metamethod names.

macro_rules! metamethods {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A metamethod event (ORDER MetaMethod: the first 32 have an absence bit in `Table::meta_absent`).
        #[repr(u8)]
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum MetaMethod { $($(#[$doc])* $name,)* }
        impl MetaMethod {
            /// Every event in numeric order.
            pub const ALL: &'static [MetaMethod] = &[$(MetaMethod::$name,)*];
            /// The key in the metatable, `__index` for instance.
            pub const fn name(self) -> &'static str { match self { $(MetaMethod::$name => $text,)* } }
        }
    };
}

metamethods! {
    /// `t[k]` on a missing key.
    Index = "__index",
    /// `t[k] = v` on a missing key.
    NewIndex = "__newindex",
    /// Finalizer.
    Gc = "__gc",
    /// Weakness.
    Mode = "__mode",
    /// `#x`.
    Len = "__len",
    /// `==`.
    Eq = "__eq",
    /// `+`.
    Add = "__add",
    /// `-`.
    Sub = "__sub",
    /// `*`.
    Mul = "__mul",
    /// `%`.
    Mod = "__mod",
    /// `^`.
    Pow = "__pow",
    /// `/`.
    Div = "__div",
    /// `//`.
    IDiv = "__idiv",
    /// `&`.
    BAnd = "__band",
    /// `|`.
    BOr = "__bor",
    /// `~`.
    BXor = "__bxor",
    /// `<<`.
    Shl = "__shl",
    /// `>>`.
    Shr = "__shr",
    /// Unary minus.
    Unm = "__unm",
    /// Unary `~`.
    BNot = "__bnot",
    /// `<`.
    Lt = "__lt",
    /// `<=`.
    Le = "__le",
    /// `..`.
    Concat = "__concat",
    /// Call.
    Call = "__call",
    /// To-be-closed variable.
    Close = "__close",
    /// `tostring`.
    ToString = "__tostring",
    /// Type name in error messages.
    Name = "__name",
    /// `pairs`.
    Pairs = "__pairs",
    /// `getmetatable` protection.
    Metatable = "__metatable",
}
