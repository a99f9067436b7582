//! The IR instructions: one table, [`for_each_ir_op!`].
//!
//! A row: `/// doc` `Name = "NAME" (a b) class;`. Operand modes: `r` a ref, `k` a constant's ref, `l` an unsigned literal,
//! `s` a signed literal (slot number), `_` none (0).
//!
//! Classes:
//! - `N` pure: depends on its operands only (or on facts that never change). Eliminated as common subexpression; removed if unused.
//! - `L` load: as N until something that may alias is stored.
//! - `G` guard: if it does not hold, the trace is left through the snapshot in force. Never removed unless proved. `ty` is the
//!   type of what is compared; there is no result.
//! - `C` checked: a guard with a result.
//! - `S` store or other effect: never removed (except as dead store), no result.
//! - `A` allocation: never merged; removed if unused; may be sunk.
//! - `R` address: an operand of loads and stores, computed where they are emitted, never in a register.
//! - `X` special.

/// Calls the macro with every IR instruction; grammar in the module's documentation.
#[macro_export]
macro_rules! for_each_ir_op {
    ($m:ident) => {
        $m! {
            // ---- structure ----
            /// First instruction, no value.
            Base = "BASE" (_ _) X;
            /// Removed.
            Nop = "NOP" (_ _) X;
            /// Header of the loop: what is before runs once, what follows in each iteration.
            Loop = "LOOP" (_ _) X;
            /// Loop-carried value: `a` (defined before LOOP) at the first entry, `b` (the value at the end of the body) later.
            /// Stands behind the body. Inside the body, uses of `a` mean the carried value. Both have the phi's type.
            Phi = "PHI" (r r) X;
            /// The value `a` under another name (so that each slot at a loop's header has a ref of its own).
            Copy = "COPY" (r _) X;
            /// Value inherited from the parent trace: number `a` of the list in the trace's head.
            PVal = "PVAL" (l _) X;

            // ---- stack slots (numbers relative to BASE of the trace's entry, times one slot) ----
            /// Payload of slot `a`.
            SLoad = "SLOAD" (s _) L;
            /// Tag of slot `a`.
            SLoadT = "SLOADT" (s _) L;
            /// Payload of slot `a` = `b`.
            SSt = "SST" (s r) S;
            /// Tag of slot `a` = `b` (32 bits; the upper half of the tag word is left alone).
            SStT = "SSTT" (s r) S;
            /// The whole tag word (64 bits) of slot `a` = `b`: a frame word.
            SStW = "SSTW" (s r) S;
            /// `Thread::top` of the running thread = the address of slot `a`.
            STop = "STOP" (s _) S;

            // ---- guards ----
            /// Tag `a` is `b` (literal: the tag as i16).
            TEq = "TEQ" (r l) G;
            /// Tag `a` is not `b`.
            TNe = "TNE" (r l) G;
            /// The tag is that of nil or false.
            TFalsy = "TFALSY" (r _) G;
            /// The tag is neither that of nil nor of false.
            TTruthy = "TTRUTHY" (r _) G;
            /// a == b: Int, Float, U32, U8, Ptr, Tag or any object type (identity).
            Eq = "EQ" (r r) G;
            /// a ~= b (Float: or unordered)
            Ne = "NE" (r r) G;
            /// a < b, signed or Float and ordered
            Lt = "LT" (r r) G;
            /// a >= b
            Ge = "GE" (r r) G;
            /// a <= b
            Le = "LE" (r r) G;
            /// a > b
            Gt = "GT" (r r) G;
            /// not a < b (Float only)
            NLt = "NLT" (r r) G;
            /// not a <= b (Float only)
            NLe = "NLE" (r r) G;
            /// not a > b (Float only)
            NGt = "NGT" (r r) G;
            /// not a >= b (Float only)
            NGe = "NGE" (r r) G;
            /// a < b, unsigned (Int: 64 bits, U32: 32 bits)
            Ult = "ULT" (r r) G;
            /// a >= b, unsigned
            Uge = "UGE" (r r) G;
            /// a <= b, unsigned
            Ule = "ULE" (r r) G;
            /// a > b, unsigned
            Ugt = "UGT" (r r) G;
            /// `a & b` is zero (U8, U32, Int; `b` a constant)
            BitsZ = "BITSZ" (r k) G;
            /// `a & b` is not zero
            BitsNz = "BITSNZ" (r k) G;
            /// There is room for `a` slots above the trace's BASE.
            StkChk = "STKCHK" (l _) G;
            /// Nothing waits in the poll word. What waits is done, by leaving the trace or (collector) without.
            Poll = "POLL" (_ _) G;
            /// The frame word of the frame at BASE is `a`: its frame ends, BASE goes down by `b` slots. Slots are numbered
            /// from the new BASE from here on.
            RetF = "RETF" (k l) G;

            /// The frame word of the frame that is left is of the kind in the low three bits of `b` (LUA or TAIL), and the call there wants `a`
            /// results: the pc of that call (Ptr). That frame is the one at BASE; if `b >> 3` is not 0 it is the frame of pcall or xpcall so many
            /// slots below it, and the frame at BASE is of kind PCALL.
            RetPc = "RETPC" (l l) C;
            /// The frame word at BASE, which is of kind `a` (Word).
            RetWord = "RETWORD" (l _) C;
            /// `Thread::top` is the address of slot `a`.
            TopEq = "TOPEQ" (s _) G;
            /// The frame word at BASE is of kind `a`.
            RetKind = "RETKIND" (l _) G;
            /// The function of the frame at BASE, whose word is of kind LUA, has been entered by a tail call: the kind becomes TAIL.
            SetTail = "SETTAIL" (_ _) S;
            // ---- coroutines: see `record::coroutine` ----
            /// The frame word of the frame at the address `a` (`Thread::base` of a thread that does not run) is the constant `b`.
            CoWord = "COWORD" (r k) G;
            /// The frame word of the frame at the address `a` is of kind LUA, and the call there wants `b` results: the pc of that call (Ptr).
            CoPc = "COPC" (r l) C;
            /// The running thread `a` is about to be left: its base and top are the address of slot `b`.
            CoLeave = "COLEAVE" (r s) S;
            /// The thread `a` runs, without hooks: BASE is its base less `b` slots. Slots are numbered from the new BASE from here on.
            CoEnter = "COENTER" (r s) S;

            // ---- arithmetic: Int wraps, Float is IEEE double ----
            /// a + b
            Add = "ADD" (r r) N;
            /// a - b
            Sub = "SUB" (r r) N;
            /// a * b
            Mul = "MUL" (r r) N;
            /// a / b (Float)
            Div = "DIV" (r r) N;
            /// -a (Int wraps; Float flips the sign)
            Neg = "NEG" (r _) N;
            /// floor(a / b), Int; b is known to be neither 0 nor -1
            IDiv = "IDIV" (r r) N;
            /// a - floor(a / b) * b, Int; b is known to be neither 0 nor -1
            IMod = "IMOD" (r r) N;
            /// a & b
            And = "AND" (r r) N;
            /// a | b
            Or = "OR" (r r) N;
            /// a ~ b
            Xor = "XOR" (r r) N;
            /// ~a
            Not = "NOT" (r _) N;
            /// a << b, b in 0..=63
            Shl = "SHL" (r r) N;
            /// a >> b, unsigned, b in 0..=63
            Shr = "SHR" (r r) N;
            /// a >> b, signed, b in 0..=63
            Sar = "SAR" (r r) N;
            /// |a| (Int wraps)
            Abs = "ABS" (r _) N;
            /// square root (Float)
            Sqrt = "SQRT" (r _) N;
            /// a (Float) rounded: `b` is 0 nearest, 1 floor, 2 ceil, 3 truncate
            Round = "ROUND" (r l) N;
            /// The smaller: `b < a ? b : a`, for Int and Float
            Min = "MIN" (r r) N;
            /// The larger: `a < b ? b : a`, for Int and Float
            Max = "MAX" (r r) N;
            /// 1 if a == b, else 0: of two Int, Float or Tag. The result of this and the next three is an Int
            IsEq = "ISEQ" (r r) N;
            /// 1 if a < b (signed; Float: and ordered), else 0
            IsLt = "ISLT" (r r) N;
            /// 1 if a <= b, else 0
            IsLe = "ISLE" (r r) N;
            /// 1 if a >= b, else 0
            IsGe = "ISGE" (r r) N;
            /// Int to Float, rounded
            ItoF = "ITOF" (r _) N;
            /// Float to Int if that is exact, else the trace is left
            FtoI = "FTOI" (r _) C;
            /// The same bits (or, from U32 or U8 to Int, the same number) with another type
            Cast = "CAST" (r _) N;

            // ---- memory ----
            /// Field number `b` (see `FieldId`) of the object `a`.
            FLd = "FLD" (r l) L;
            /// Its address.
            FRef = "FREF" (r l) R;
            /// Field at `a` (an FRef) = b
            FSt = "FST" (r r) S;
            /// Payload address of slot `b` (Int) of the tagged run `a` (array part)
            ARef = "AREF" (r r) R;
            /// Tag address, of one byte; `b` is NOT of the slot number
            ATRef = "ATREF" (r r) R;
            /// Payload address of slot `b` (literal) of the tagged run `a` (fields)
            HRef = "HREF" (r l) R;
            /// Its tag address, of one byte
            HTRef = "HTREF" (r l) R;
            /// Payload address of the value in the cell `a`
            CRef = "CREF" (r _) R;
            /// Its tag address, of 32 bits
            CTRef = "CTREF" (r _) R;
            /// Payload address of the value in the dictionary entry `a` (Ptr)
            ERef = "EREF" (r _) R;
            /// Its tag address, of 32 bits
            ETRef = "ETREF" (r _) R;
            /// Address `a + b` bytes (literal) of 8 bytes of other memory that only traces use
            XRef = "XREF" (r l) R;
            /// Address of 8 bytes of the stack, `a` (Int) times 8 bytes above BASE: extra arguments of a vararg function, and its frame word
            VRef = "VREF" (r _) R;
            /// Payload at an ARef, HRef, CRef, ERef, XRef, VRef
            LdV = "LDV" (r _) L;
            /// Tag at an ATRef, HTRef (byte)
            LdB = "LDB" (r _) L;
            /// Tag at a CTRef, ETRef (32 bits)
            LdW = "LDW" (r _) L;
            /// Payload at `a` = b
            StV = "STV" (r r) S;
            /// Tag byte at `a` = b
            StB = "STB" (r r) S;
            /// Tag word (32 bits) at `a` = b
            StW = "STW" (r r) S;
            /// Cell of upvalue `b` of the Lua closure `a`
            UpRef = "UPREF" (r l) N;
            /// Upvalue `b` of the native closure `a`: payload
            NUpv = "NUPV" (r l) N;
            /// Slot (Int) in which the table `a`, a record, has the field with the key `b` (a short string), whatever its shape; -1: it is no
            /// record, or has no such field, or is a prototype
            SlotOf = "SLOTOF" (r r) L;
            /// The function (Func) that the prototypes of the table `a` have for the key `b` (a constant string), which `a` lacks, if that is a
            /// constant of theirs; else null
            Method = "METHOD" (r k) L;
            /// Byte `b` (Int, zero-based, in bounds) of the string `a`
            StrByte = "STRBYTE" (r r) N;
            /// Before storing the value `b` into the object `a`: the collector's barrier if the object needs it. Changes no
            /// register and nothing that a trace knows.
            Bar = "BAR" (r r) S;

            // ---- allocation ----
            /// New table of the shape `a` (constant) with `b` inline slots (its fields; payloads and tags are stored next)
            TNew = "TNEW" (k l) A;
            /// New table of the shape `a` (constant, no fields) with an inline array part of `b` slots, all nil
            TArr = "TARR" (k l) A;
            /// Inline run of the fresh table `a`
            TRun = "TRUN" (r _) N;
            /// New cell; its value is stored next. `b`: 1 if the variable is never assigned again
            CNew = "CNEW" (_ l) A;
            /// New closure of the prototype `a` (constant) with `b` upvalues, stored next
            FNew = "FNEW" (k l) A;
            /// Upvalue `b` of the fresh closure `a`: its address
            UpAddr = "UPADDR" (r l) R;
            /// An object that is made by those exits only whose snapshots name it; `a` numbers it in `IrBuf::objects`. No
            /// register: snapshots take its contents from `IrBuf::recipes`. `b`: bytes of allocations, this one and others, that
            /// are charged to the collector here as if they had been made.
            Sunk = "SUNK" (l l) X;

            // ---- calls ----
            /// Argument list: `a` (a list or the first argument), `b` the next one
            CArg = "CARG" (r r) X;
            /// Calls function number `b` (see `CallId`) with the list `a` (0: none)
            Call = "CALL" (r l) S;
            /// The same, of a function without effects
            CallN = "CALLN" (r l) N;
            /// The same, of a function that only reads memory
            CallL = "CALLL" (r l) L;
            /// Runs the helper of the bytecode instruction at pc; `a` is CARG(pc, next pc), both constants of type Ptr. Every
            /// live slot has been stored to the stack. If the helper goes on anywhere else than at `next pc`, or something
            /// disturbed the frame, the trace is left to there, no snapshot needed. `b`: slots from BASE to the running frame.
            XOp = "XOP" (r l) S;
            /// As XOP, of the call of a native function that runs no Lua code and changes neither tables nor cells: what is known
            /// of those stays true. If Lua code has run aside (finalizers), the trace is left as if the frame had been disturbed.
            XOpQ = "XOPQ" (r l) S;
            /// As XOP, and BASE is set to the then running frame's base: slots are numbered from there on.
            XOpR = "XOPR" (r l) S;
        }
    };
}

/// Mode of an operand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Unused, 0.
    None,
    /// Ref of an instruction or constant.
    Ref,
    /// Ref of a constant.
    Const,
    /// Unsigned literal.
    Lit,
    /// Signed literal.
    Signed,
}

/// Class of an instruction; see the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "letters of the module's documentation")]
pub enum Class {
    N,
    L,
    G,
    C,
    S,
    A,
    R,
    X,
}

macro_rules! mode {
    (_) => {
        Mode::None
    };
    (r) => {
        Mode::Ref
    };
    (k) => {
        Mode::Const
    };
    (l) => {
        Mode::Lit
    };
    (s) => {
        Mode::Signed
    };
}

macro_rules! define_ir_ops {
    ($($(#[$doc:meta])* $name:ident = $text:literal ($a:tt $b:tt) $class:ident;)*) => {
        /// Op of an IR instruction.
        #[repr(u8)]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum IrOp { $($(#[$doc])* $name,)* }
        impl IrOp {
            /// Every op in numeric order.
            pub const ALL: &'static [IrOp] = &[$(IrOp::$name,)*];
            /// Name in dumps.
            pub fn name(self) -> &'static str {
                const NAMES: &[&str] = &[$($text,)*];
                NAMES[self as usize]
            }
            /// Modes of the two operands.
            pub fn modes(self) -> [Mode; 2] {
                const MODES: &[[Mode; 2]] = &[$([mode!($a), mode!($b)],)*];
                MODES[self as usize]
            }
            /// Class.
            pub fn class(self) -> Class {
                const CLASSES: &[Class] = &[$(Class::$class,)*];
                CLASSES[self as usize]
            }
        }
    };
}
for_each_ir_op!(define_ir_ops);

impl IrOp {
    /// `a op b == b op a`.
    pub fn is_commutative(self) -> bool {
        use IrOp::*;
        matches!(self, Add | Mul | And | Or | Xor | Eq | Ne)
    }
    /// May leave the trace through a snapshot.
    pub fn is_guard(self) -> bool {
        matches!(self.class(), Class::G | Class::C)
    }
    /// Has a value that others refer to (addresses and lists are no values).
    pub fn has_value(self) -> bool {
        use IrOp::*;
        match self.class() {
            Class::N | Class::L | Class::C | Class::A => true,
            Class::G | Class::R => false,
            Class::S => self == Call,
            Class::X => matches!(self, Copy | PVal | Sunk),
        }
    }
}
