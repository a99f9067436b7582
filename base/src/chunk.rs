//! What a front end produces: functions as heap-free data. `vm::load` materialises it.
//!
//! Contract of the code (checked by the vm's verifier before anything of it runs):
//! * `code[0]` is the first instruction (no header word here); words as in [`crate::bytecode`];
//! * `live[i]`, for the first word of each instruction (other words: any): how many of the lowest registers hold
//!   values written in this activation *while* that instruction runs: operands included, its result not, unless
//!   the result's register is below. Locals in scope count, so does every temporary below the free register.
//!   For NewTable, NewRecord, Closure: `A` (the result register is then the next one and becomes live). For calls: at
//!   least `A` (the function slot; what is above belongs to the callee);
//! * calls and multi-result instructions work on the topmost registers; a multi-result producer (Call C=MULTI,
//!   CallM, VarargM) is followed at once by its consumer (CallM, TailCallM, RetM, RetC, SetListM);
//! * captured locals live in cells from birth: their register holds the cell (after NewCell) and is read and written
//!   by GetCell/SetCell only. Loop variables that are captured are boxed in a fresh register in each iteration;
//! * control never falls off the end; every jump lands on the first word of an instruction.

use crate::bytecode::Op;

/// A constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    /// nil (only in templates and listings).
    Nil,
    /// false / true.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Float (never used with NaN by the Lua front end's constant folding).
    Float(f64),
    /// String bytes.
    Str(Box<[u8]>),
}

/// Upvalue of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct UpvalInfo {
    /// Name (empty when stripped).
    pub name: Box<[u8]>,
    /// True: `index` is a register of the enclosing function (holding a cell); false: an upvalue of it.
    pub in_stack: bool,
    /// See `in_stack`.
    pub index: u8,
    /// Never assigned after initialisation.
    pub readonly: bool,
    /// 0 regular, 1 const, 2 close.
    pub attrib: u8,
}

/// Local variable, for debugging. In order of declaration.
#[derive(Clone, Debug, PartialEq)]
pub struct LocVarInfo {
    /// Name.
    pub name: Box<[u8]>,
    /// First word where it is active.
    pub start_pc: u32,
    /// First word where it is dead.
    pub end_pc: u32,
    /// Register.
    pub reg: u8,
    /// The register holds a cell.
    pub boxed: bool,
}

/// One function.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Function {
    /// Line of `function`, 0 for a main chunk.
    pub line_defined: u32,
    /// Line of `end`.
    pub last_line_defined: u32,
    /// Fixed parameters.
    pub nparams: u8,
    /// Takes `...`.
    pub is_vararg: bool,
    /// Registers used (at least `nparams`, at most 250).
    pub frame_size: u8,
    /// Code.
    pub code: Vec<u64>,
    /// Line of each word (empty when stripped).
    pub lines: Vec<u32>,
    /// Live registers at each word.
    pub live: Vec<u8>,
    /// Constants.
    pub consts: Vec<Const>,
    /// Record templates: constant numbers of distinct short strings.
    pub templates: Vec<Vec<u32>>,
    /// Nested functions.
    pub functions: Vec<Function>,
    /// Upvalues.
    pub upvals: Vec<UpvalInfo>,
    /// Local variables (empty when stripped).
    pub locvars: Vec<LocVarInfo>,
}

/// A compiled chunk.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Chunk {
    /// Chunk name with its `@` or `=` prefix, or the source text.
    pub source: Box<[u8]>,
    /// Main function: vararg, with `_ENV` as its only upvalue when it comes from source.
    pub main: Function,
}

impl Function {
    /// Visits the instructions: `(index of the first word, op)`. Stops at an unknown op or at a cut-off end.
    pub fn instructions(&self) -> impl Iterator<Item = (usize, Op)> + '_ {
        let mut i = 0;
        core::iter::from_fn(move || {
            let op = Op::from_u16(crate::bytecode::op_field(*self.code.get(i)?))?;
            let at = i;
            i += op.words();
            Some((at, op))
        })
    }
}
