//! The instruction set: one table, [`for_each_bytecode!`], from which the op numbers, operand modes, packing,
//! disassembler and verifier derive.
//!
//! An instruction is one 8-byte word `op u16 | A u16 | B u16 | C u16` (A in bits 16..32, ...), followed by
//! `words - 1` further words (constants, caches). In a [`crate::chunk::Chunk`] the low 16 bits are the op
//! number and register operands are plain register numbers. `vm::load` turns the op number into the handler's
//! offset, scales registers by 16 (`r`,`w`,`s`) and upvalue numbers by 8 (`u`), and replaces constant numbers
//! in further words. Jumps count words from the *start of the next instruction*; 16-bit jumps are in C,
//! 32-bit jumps have their low half in B and their high half in C.
//!
//! Operand modes: `_` unused (0), `w` register written, `r` register read, `s` first register of a range (read
//! and/or written), `u` upvalue, `i` signed 16-bit immediate, `n` unsigned count, `t` tag of a primitive
//! (nil/true/false as u16 of the i32 tag), `k` set by the loader to the tag of the constant in the next word,
//! `j` 16-bit jump, `l` low half of a 32-bit jump, `h` high half, `x` loader/runtime private.
//! Extra words: `K` constant (chunk: constant number), `S` string constant (chunk: number of a *short* string
//! constant), `c` cache (chunk: 0), `P` prototype (chunk: number), `T` record template (chunk: number), `I` two
//! u32 immediates.

/// Calls the macro with every instruction: `/// doc` `Name(A B C; extra words)`.
#[macro_export]
macro_rules! for_each_bytecode {
    ($m:ident) => {
        $m! {
            /// `R[A] = R[B]`
            Move(w r _;)
            /// `R[A] = imm B` as integer
            LoadI(w i _;)
            /// `R[A] = K`
            LoadK(w _ k; K)
            /// `R[A] =` primitive with tag B
            LoadPrim(w t _;)
            /// `R[A] .. R[A+B-1] = nil` (B >= 1)
            LoadNil(s n _;)

            /// `R[A] = upvalue B`
            GetUpval(w u _;)
            /// `upvalue A = R[B]`
            SetUpval(u r _;)
            /// Boxes a local at birth: `R[A] = cell(R[A])`; B = 1: the local is never assigned again
            NewCell(s n _;)
            /// `R[A] = cell R[B]'s value`
            GetCell(w r _;)
            /// `cell R[A]'s value = R[B]`
            SetCell(r r _;)

            /// `R[A] = upvalue B [S]`, the upvalue being `_ENV`
            GetGlobal(w u _; c c S)
            /// `upvalue B [S] = R[A]`
            SetGlobal(r u _; c c S)
            /// `R[A] = R[B][S]`
            GetField(w r x; c S)
            /// `R[A][S] = R[B]`
            SetField(r r x; c S)
            /// `R[A+1] = R[B]; R[A] = R[B][S]`
            SelfGet(s r x; c c S)
            /// `R[A] = R[B][R[C]]`
            GetIndex(w r r;)
            /// `R[A][R[B]] = R[C]`
            SetIndex(r r r;)
            /// `R[A] = R[B][imm C]`, 0 <= imm
            GetInt(w r i;)
            /// `R[A][imm B] = R[C]`, 0 <= imm
            SetInt(r i r;)
            /// `R[A] = {}` with room for I.0 array slots (index 1 up) and I.1 hash entries. A is the top live register
            NewTable(w _ _; I)
            /// `R[A] = {k1 = R[B], ...}`, the C keys of template T in order, values in consecutive registers. A == B
            NewRecord(w s n; T)
            /// `R[A][I.0 + i] = R[A+i]` for i in 1..=B; the array part holds I.1 elements in the end
            SetList(s n _; I)
            /// As SetList, values `R[A+1]` up to the top
            SetListM(s _ _; I)

            /// `R[A] = R[B] + R[C]`
            Add(w r r;)
            /// `-`
            Sub(w r r;)
            /// `*`
            Mul(w r r;)
            /// `/`
            Div(w r r;)
            /// `%`
            Mod(w r r;)
            /// `^`
            Pow(w r r;)
            /// `//`
            IDiv(w r r;)
            /// `&`
            BAnd(w r r;)
            /// `|`
            BOr(w r r;)
            /// `~`
            BXor(w r r;)
            /// `<<`
            Shl(w r r;)
            /// `>>`
            Shr(w r r;)
            /// `R[A] = R[B] + K`, K a number
            AddK(w r k; K)
            /// `-`
            SubK(w r k; K)
            /// `*`
            MulK(w r k; K)
            /// `/`
            DivK(w r k; K)
            /// `%`
            ModK(w r k; K)
            /// `^`
            PowK(w r k; K)
            /// `//`
            IDivK(w r k; K)
            /// `&`
            BAndK(w r k; K)
            /// `|`
            BOrK(w r k; K)
            /// `~`
            BXorK(w r k; K)
            /// `<<`
            ShlK(w r k; K)
            /// `>>`
            ShrK(w r k; K)
            /// `R[A] = K + R[B]`
            AddKR(w r k; K)
            /// `R[A] = K - R[B]`
            SubKR(w r k; K)
            /// `K * R[B]`
            MulKR(w r k; K)
            /// `K / R[B]`
            DivKR(w r k; K)
            /// `K % R[B]`
            ModKR(w r k; K)
            /// `K ^ R[B]`
            PowKR(w r k; K)
            /// `K // R[B]`
            IDivKR(w r k; K)
            /// `K & R[B]`
            BAndKR(w r k; K)
            /// `K | R[B]`
            BOrKR(w r k; K)
            /// `K ~ R[B]`
            BXorKR(w r k; K)
            /// `K << R[B]`
            ShlKR(w r k; K)
            /// `K >> R[B]`
            ShrKR(w r k; K)
            /// `R[A] = R[B] + imm C`
            AddI(w r i;)
            /// `R[A] = R[B] - imm C`
            SubI(w r i;)
            /// `-R[B]`
            Unm(w r _;)
            /// `~R[B]`
            BNot(w r _;)
            /// `not R[B]`
            Not(w r _;)
            /// `#R[B]`
            Len(w r _;)
            /// `R[A] = R[B] .. ... .. R[B+C-1]`, C >= 2. Registers from B up are the topmost live ones
            Concat(w s n;)

            /// Jump (forward)
            Jmp(_ l h;)
            /// Jump backward: a loop's back edge (A: hot counter)
            Loop(x l h;)
            /// Jump if `R[A] < R[B]`
            JLt(r r j;)
            /// Jump if not `R[A] < R[B]`
            JNLt(r r j;)
            /// Jump if `R[A] <= R[B]`
            JLe(r r j;)
            /// Jump if not `R[A] <= R[B]`
            JNLe(r r j;)
            /// Jump if `R[A] == R[B]`
            JEq(r r j;)
            /// Jump if `R[A] ~= R[B]`
            JNe(r r j;)
            /// Jump if `R[A] < imm B`
            JLtI(r i j;)
            /// Jump if not
            JNLtI(r i j;)
            /// Jump if `R[A] <= imm B`
            JLeI(r i j;)
            /// Jump if not
            JNLeI(r i j;)
            /// Jump if `R[A] > imm B`
            JGtI(r i j;)
            /// Jump if not
            JNGtI(r i j;)
            /// Jump if `R[A] >= imm B`
            JGeI(r i j;)
            /// Jump if not
            JNGeI(r i j;)
            /// Jump if `R[A] == imm B`
            JEqI(r i j;)
            /// Jump if not
            JNeI(r i j;)
            /// Jump if `R[A] == K` (B: tag); K number or string
            JEqK(r k j; K)
            /// Jump if not
            JNeK(r k j; K)
            /// Jump if `R[A]` is the primitive with tag B (nil, true, false)
            JEqP(r t j;)
            /// Jump if not
            JNeP(r t j;)
            /// Jump if `R[A]` is truthy
            JT(r _ j;)
            /// Jump if `R[A]` is falsy
            JF(r _ j;)
            /// If `R[B]` is truthy, `R[A] = R[B]` and jump
            JTSet(w r j;)
            /// If `R[B]` is falsy, `R[A] = R[B]` and jump
            JFSet(w r j;)

            /// Prepares a numeric loop: `R[A]` init, `R[A+1]` limit, `R[A+2]` step; jumps by 32 bits if the loop does not
            /// run (to after the loop). Integer loops: `R[A+1]` becomes the last value
            ForPrep(s l h;)
            /// Next iteration: `R[A] += R[A+2]` and jump back by C, unless finished. The variable is `R[A]` (B: hot counter)
            ForLoop(s x j;)
            /// As ForLoop, and the variable is a copy in `R[A+3]` (ForPrep does not write it: a `Move A+3 A` follows the
            /// ForPrep and is the first instruction of the body, the target of the jump)
            ForLoopV(s x j;)
            /// Prepares a generic loop: `R[A]` iterator, `R[A+1]` state, `R[A+2]` control, `R[A+3]` closing value (marked
            /// to be closed if not nil or false); jumps by 32 bits to the TForCall
            TForPrep(s l h;)
            /// `R[A], .. R[A+C-1] = R[A-4](R[A-3], R[A-2])`, a call whose function slot is A (B: hot counter); the continuation word
            TForCall(s x n; c)
            /// If `R[A]` is not nil, `R[A-2] = R[A]` and jump back by 32 bits
            TForLoop(s l h;)

            /// `R[A].. = R[A](R[A+1] .. R[A+B])`, C results (0xFFFF: all, up to the top); the *continuation word*: address of machine
            /// code that goes on after the call when a compiled function returns to it; 0 if there is none
            Call(s n n; c)
            /// As Call, arguments `R[A+1]` up to the top
            CallM(s _ n; c)
            /// `return R[A](R[A+1] .. R[A+B])`. C is 0xFFFF: a native function is called as by Call, and the RetM that
            /// follows returns its results: hence the continuation word
            TailCall(s n n; c)
            /// As TailCall, arguments `R[A+1]` up to the top
            TailCallM(s _ n; c)
            /// `return`
            Ret0(_ _ _;)
            /// `return R[A]`
            Ret1(r _ _;)
            /// `return R[A] .. R[A+B-1]`
            Ret(s n _;)
            /// `return R[A] .. top`
            RetM(s _ _;)
            /// Closes the pending to-be-closed variables of the frame, then as Ret (B = 0xFFFF: as RetM)
            RetC(s n _;)
            /// `R[A] .. R[A+B-1] = ...`
            Vararg(s n _;)
            /// `R[A] .. top = ...`
            VarargM(s _ _;)
            /// `R[A] = closure(P)`. A is the top live register
            Closure(w _ _; P)
            /// Marks `R[A]` to be closed
            Tbc(s _ _;)
            /// Closes to-be-closed variables in registers >= A
            Close(s _ _;)

            /// Function header, fixed parameters: A hot counter, B frame size, C parameters; reached with a count that differs
            FuncF(x n n;)
            /// Function header, vararg (A: hot counter)
            FuncV(x n n;)
            /// Function header, native function
            FuncN(_ n n;)
            /// Function header, native function `math.floor` performed without a frame where it is simple
            FfFloor(_ n n;)
            /// Function header, native function `math.ceil` performed without a frame where it is simple
            FfCeil(_ n n;)
            /// Function header, native function `math.abs` performed without a frame where it is simple
            FfAbs(_ n n;)
            /// Function header, native function `math.sqrt` performed without a frame where it is simple
            FfSqrt(_ n n;)
            /// Function header, native function `math.max` performed without a frame where it is simple
            FfMax(_ n n;)
            /// Function header, native function `math.min` performed without a frame where it is simple
            FfMin(_ n n;)
            /// Function header, native function `string.byte` performed without a frame where it is simple
            FfByte(_ n n;)
            /// Function header, native function `string.char` performed without a frame where it is simple
            FfChar(_ n n;)
            /// Function header, native function `string.len` performed without a frame where it is simple
            FfLen(_ n n;)
            /// Function header, native function `string.sub` performed without a frame where it is simple
            FfSub(_ n n;)
            /// Function header, native function `type` performed without a frame where it is simple
            FfType(_ n n;)
            /// Function header, native function `select` performed without a frame where it is simple
            FfSelect(_ n n;)
            /// Function header, native function `assert` performed without a frame where it is simple
            FfAssert(_ n n;)
            /// Function header, native function `tonumber` performed without a frame where it is simple
            FfToNumber(_ n n;)
            /// Function header, native function `tostring` performed without a frame where it is simple
            FfToString(_ n n;)
            /// Function header, native function `getmetatable` performed without a frame where it is simple
            FfGetMeta(_ n n;)
            /// Function header, native function `setmetatable` performed without a frame where it is simple
            FfSetMeta(_ n n;)
            /// Function header, native function `rawget` performed without a frame where it is simple
            FfRawGet(_ n n;)
            /// Function header, native function `rawequal` performed without a frame where it is simple
            FfRawEqual(_ n n;)
            /// Function header, native function `rawlen` performed without a frame where it is simple
            FfRawLen(_ n n;)
            /// Function header, native function `next` performed without a frame where it is simple
            FfNext(_ n n;)
            /// Function header, native function `pairs` performed without a frame where it is simple
            FfPairs(_ n n;)
            /// Function header, native function `ipairs` performed without a frame where it is simple
            FfIpairs(_ n n;)
            /// Function header, native function `table.insert` performed without a frame where it is simple
            FfInsert(_ n n;)
            /// Function header, native function `table.remove` performed without a frame where it is simple
            FfRemove(_ n n;)
            /// Function header of `pcall`
            FfPcall(_ n n;)
            /// Function header of `xpcall`
            FfXpcall(_ n n;)
            /// Function header of `coroutine.resume`
            FfResume(_ n n;)
            /// Function header of the functions that `coroutine.wrap` makes
            FfWrapped(_ n n;)
            /// Function header of `coroutine.yield`
            FfYield(_ n n;)
            /// Frame-private continuation: passes C results (0xFFFF: all) on as those of a native frame (never in chunks)
            ContPass(_ _ n;)
            /// The C function whose protected call has caught the error under way goes on by its continuation (never in chunks)
            ContCatch(_ _ _;)

            /// As Loop, which it replaced: enters trace number A where Loop jumps
            JLoop(x l h;)
            /// As ForLoop: enters trace number B where ForLoop jumps back
            JForLoop(s x j;)
            /// As ForLoopV: enters trace number B where ForLoopV jumps back
            JForLoopV(s x j;)
            /// In place of a TForCall: enters trace number B before anything is done
            JTForCall(s x n; c)
            /// As FuncF: enters trace number A once the frame is complete. C is [`HEADER_JFUNCF`]; the number of parameters is in
            /// the prototype
            JFuncF(x n n;)
            /// As FuncV: enters trace number A once the frame is complete
            JFuncV(x n n;)
        }
    };
}

/// Mode of one operand; see the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    missing_docs,
    reason = "named by the letters of the module documentation"
)]
pub enum Mode {
    None,
    W,
    R,
    S,
    U,
    I,
    N,
    T,
    K,
    J,
    L,
    H,
    X,
}

/// Kind of one extra word; see the module's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    missing_docs,
    reason = "named by the letters of the module documentation"
)]
pub enum Extra {
    Const,
    Str,
    Cache,
    Proto,
    Template,
    Imm2,
}

macro_rules! mode {
    (_) => {
        Mode::None
    };
    (w) => {
        Mode::W
    };
    (r) => {
        Mode::R
    };
    (s) => {
        Mode::S
    };
    (u) => {
        Mode::U
    };
    (i) => {
        Mode::I
    };
    (n) => {
        Mode::N
    };
    (t) => {
        Mode::T
    };
    (k) => {
        Mode::K
    };
    (j) => {
        Mode::J
    };
    (l) => {
        Mode::L
    };
    (h) => {
        Mode::H
    };
    (x) => {
        Mode::X
    };
}
macro_rules! extra {
    (K) => {
        Extra::Const
    };
    (S) => {
        Extra::Str
    };
    (c) => {
        Extra::Cache
    };
    (P) => {
        Extra::Proto
    };
    (T) => {
        Extra::Template
    };
    (I) => {
        Extra::Imm2
    };
}

/// Static description of an instruction.
#[derive(Debug)]
pub struct OpInfo {
    /// Name as in [`Op`].
    pub name: &'static str,
    /// Modes of A, B, C.
    pub modes: [Mode; 3],
    /// Extra words.
    pub extra: &'static [Extra],
}

macro_rules! define_ops {
    ($($(#[$doc:meta])* $name:ident($a:tt $b:tt $c:tt; $($e:ident)*))*) => {
        /// Op numbers.
        #[repr(u16)]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Op { $($(#[$doc])* $name,)* }
        impl Op {
            /// Every op in numeric order.
            pub const ALL: &'static [Op] = &[$(Op::$name,)*];
        }
        /// Descriptions by op number.
        pub static OPS: &[OpInfo] = &[$(OpInfo {
            name: stringify!($name), modes: [mode!($a), mode!($b), mode!($c)], extra: &[$(extra!($e)),*],
        },)*];
    };
}
for_each_bytecode!(define_ops);

/// What [`Op::meta_end`] tells: the length in words if the first result is the value of register A, or one of these.
pub struct MetaEnd;

impl MetaEnd {
    /// Only the helper knows.
    pub const HELPER: u16 = 0;
    /// The others begin here.
    pub const OTHER: u16 = 0x100;
    /// Jumps by C if the result is true.
    pub const JUMP_IF_TRUE: u16 = 0x100;
    /// Jumps by C if the result is false.
    pub const JUMP_IF_FALSE: u16 = 0x101;
    /// Plus the length in words: there is no result.
    pub const STORE: u16 = 0x200;
    /// The value of register A if C is 2, else only the helper knows.
    pub const CONCAT: u16 = 0x300;
}

impl Op {
    /// The op with this number, if there is one.
    #[inline]
    pub fn from_u16(n: u16) -> Option<Op> {
        Op::ALL.get(n as usize).copied()
    }
    /// Its description.
    #[inline]
    pub fn info(self) -> &'static OpInfo {
        &OPS[self as usize]
    }
    /// Length in words.
    #[inline]
    pub fn words(self) -> usize {
        1 + self.info().extra.len()
    }
    /// How the instruction goes on when a metamethod that it has called returns.
    pub fn meta_end(self) -> u16 {
        use Op::*;
        match self {
            Concat => MetaEnd::CONCAT,
            SetGlobal | SetField | SetIndex | SetInt => MetaEnd::STORE + self.words() as u16,
            JLt | JLe | JLtI | JLeI | JGtI | JGeI | JEq => MetaEnd::JUMP_IF_TRUE,
            JNLt | JNLe | JNLtI | JNLeI | JNGtI | JNGeI | JNe => MetaEnd::JUMP_IF_FALSE,
            _ if self.info().modes[0] == Mode::W => self.words() as u16,
            _ => MetaEnd::HELPER,
        }
    }
    /// The op that the front end (for headers: the loader) wrote where this one stands: that of a loop or header that enters a
    /// trace, else the op itself. The two have the same operands but for the counter.
    #[inline]
    pub const fn original(self) -> Op {
        match self {
            Op::JLoop => Op::Loop,
            Op::JForLoop => Op::ForLoop,
            Op::JForLoopV => Op::ForLoopV,
            Op::JTForCall => Op::TForCall,
            Op::JFuncF => Op::FuncF,
            Op::JFuncV => Op::FuncV,
            op => op,
        }
    }
    /// The op that enters a trace in place of this one, if it is one that counts.
    #[inline]
    pub const fn entering(self) -> Option<Op> {
        Some(match self.original() {
            Op::Loop => Op::JLoop,
            Op::ForLoop => Op::JForLoop,
            Op::ForLoopV => Op::JForLoopV,
            Op::TForCall => Op::JTForCall,
            Op::FuncF => Op::JFuncF,
            Op::FuncV => Op::JFuncV,
            _ => return None,
        })
    }
    /// The operand (1: A, 2: B, 3: C) in which loaded code keeps the hot counter or, once the op enters a trace, the number of
    /// the trace; `None` if the op does not count. Also the operand's place among the word's halves, in memory.
    #[inline]
    pub const fn counter(self) -> Option<usize> {
        match self.original() {
            Op::Loop | Op::FuncF | Op::FuncV => Some(1),
            Op::ForLoop | Op::ForLoopV | Op::TForCall => Some(2),
            _ => None,
        }
    }
    /// True for the instructions that a frame word of kind LUA may name. They are [`CALL_WORDS`] long, and their word number
    /// [`CONTINUATION`] is the continuation word.
    #[inline]
    pub const fn has_continuation(self) -> bool {
        matches!(
            self.original(),
            Op::Call | Op::CallM | Op::TailCall | Op::TailCallM | Op::TForCall
        )
    }
    /// Name in upper case, as listings show it.
    pub fn mnemonic(self) -> String {
        self.info().name.to_ascii_uppercase()
    }
    /// True for ops that only the vm makes and that a chunk may not hold.
    pub fn is_private(self) -> bool {
        self >= Op::FuncF
    }
}

/// "All results" / "as many as there are" in a count operand.
pub const MULTI: u16 = 0xFFFF;

/// Length in words of all instructions that call a function, so that returns need not know which one waits: execution goes on
/// that far behind its pc.
pub const CALL_WORDS: usize = 2;
/// Number of the continuation word in them.
pub const CONTINUATION: usize = 1;

const _: () = {
    let mut i = 0;
    while i < OPS.len() {
        let extra = OPS[i].extra;
        assert!(
            !Op::ALL[i].has_continuation()
                || extra.len() + 1 == CALL_WORDS && matches!(extra[CONTINUATION - 1], Extra::Cache)
        );
        i += 1;
    }
};

/// A hot counter that has run out; counters start at less and count down through 0.
pub const COUNTER_OUT: u16 = 0xFFFF;

/// Operand C of a `FuncV` (and `JFuncV`): a number of arguments that no call has.
pub const HEADER_VARARG: u16 = 0xFFFE;
/// Operand C of a `JFuncF`: a number of arguments that no call has either, so that each one goes to the header's handler.
pub const HEADER_JFUNCF: u16 = 0xFFFD;

/// Packs an instruction word.
#[inline]
pub const fn pack(op: u16, a: u16, b: u16, c: u16) -> u64 {
    op as u64 | (a as u64) << 16 | (b as u64) << 32 | (c as u64) << 48
}
/// Low 16 bits: op number (chunk) or handler offset (loaded code).
#[inline(always)]
pub const fn op_field(w: u64) -> u16 {
    w as u16
}
/// Operand A.
#[inline(always)]
pub const fn a(w: u64) -> u16 {
    (w >> 16) as u16
}
/// Operand B.
#[inline(always)]
pub const fn b(w: u64) -> u16 {
    (w >> 32) as u16
}
/// Operand C.
#[inline(always)]
pub const fn c(w: u64) -> u16 {
    (w >> 48) as u16
}
/// Jump distance in words of a `j` operand.
#[inline(always)]
pub const fn jump16(w: u64) -> i64 {
    (w >> 48) as u16 as i16 as i64
}
/// Jump distance in words of an `l h` operand pair.
#[inline(always)]
pub const fn jump32(w: u64) -> i64 {
    (w >> 32) as u32 as i32 as i64
}
