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

/// Number of a string in a chunk's [`Strings`].
pub type StrNum = u32;
/// In place of a number: no name (stripped).
pub const NO_NAME: StrNum = StrNum::MAX;

/// The strings of a chunk, by number. Front ends give equal strings the same number, and rely on that for the identity of
/// long strings; dumped chunks need not.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Strings {
    bytes: Vec<u8>,
    /// End of each string in `bytes`.
    ends: Vec<usize>,
}

impl Strings {
    /// An empty table with room.
    pub fn with_capacity(strings: usize, bytes: usize) -> Strings {
        Strings {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(strings),
        }
    }

    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True without any string.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a string; its number.
    pub fn push(&mut self, s: &[u8]) -> StrNum {
        self.bytes.extend_from_slice(s);
        self.ends.push(self.bytes.len());
        self.ends.len() as StrNum - 1
    }

    /// Forgets all but the first `n` strings.
    pub fn truncate(&mut self, n: usize) {
        self.ends.truncate(n);
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// The bytes of a string, if there is one with this number.
    #[inline]
    pub fn get(&self, n: StrNum) -> Option<&[u8]> {
        let i = n as usize;
        let end = *self.ends.get(i)?;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        Some(&self.bytes[start..end])
    }

    /// The bytes of a name; empty if there is none.
    pub fn name(&self, n: StrNum) -> &[u8] {
        self.get(n).unwrap_or(b"")
    }

    /// All strings in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.ends.len()).map(|i| self.name(i as StrNum))
    }
}

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Const {
    /// nil (only in templates and listings).
    Nil,
    /// false / true.
    Bool(bool),
    /// Integer.
    Int(i64),
    /// Float (never used with NaN by the Lua front end's constant folding).
    Float(f64),
    /// String.
    Str(StrNum),
}

/// Upvalue of a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpvalInfo {
    /// Name, or [`NO_NAME`].
    pub name: StrNum,
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
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocVarInfo {
    /// Name, or [`NO_NAME`].
    pub name: StrNum,
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

/// Takes the functions of a chunk as a front end makes them: inner ones first, the main function last.
///
/// A function's upvalues are known when the function around it is complete. So what `f.upvals` says of `index` and
/// `readonly` is preliminary, except for a main function; `captures` of the function around it has the final ones.
/// Even there, `readonly` of an upvalue that is not `in_stack` is to be copied from the upvalue that it names, once
/// the main function is there.
pub trait Sink {
    /// Takes a function. Those in it are the last `nested` ones that were given and have not been taken by another one;
    /// `captures` are the upvalues of all of them, function after function. `f.functions` is empty. Strings keep their
    /// numbers from call to call.
    fn function(
        &mut self,
        strings: &Strings,
        f: &Function,
        nested: usize,
        captures: &[UpvalInfo],
    ) -> Result<(), Stop>;
}

/// A [`Sink`] takes no more functions; it knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// A compiled chunk.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Chunk {
    /// Chunk name with its `@` or `=` prefix, or the source text.
    pub source: Box<[u8]>,
    /// What the numbers of strings in the functions mean. Some may be used by none.
    pub strings: Strings,
    /// Main function: vararg, with `_ENV` as its only upvalue when it comes from source.
    pub main: Function,
}

impl Chunk {
    /// Drops the strings that no function uses, and numbers the others in order of their first use.
    pub fn compact(&mut self) {
        let old = core::mem::take(&mut self.strings);
        let mut new = Renumber {
            numbers: vec![NO_NAME; old.len()],
            old,
            new: Strings::default(),
        };
        new.function(&mut self.main);
        self.strings = new.new;
    }
}

struct Renumber {
    old: Strings,
    /// Old number to new one.
    numbers: Vec<StrNum>,
    new: Strings,
}

impl Renumber {
    fn string(&mut self, n: &mut StrNum) {
        if let Some(number) = self.numbers.get_mut(*n as usize) {
            if *number == NO_NAME {
                *number = self.new.push(self.old.name(*n));
            }
            *n = *number;
        }
    }

    fn function(&mut self, f: &mut Function) {
        f.upvals.iter_mut().for_each(|u| self.string(&mut u.name));
        for k in &mut f.consts {
            if let Const::Str(s) = k {
                self.string(s);
            }
        }
        f.locvars.iter_mut().for_each(|v| self.string(&mut v.name));
        f.functions
            .iter_mut()
            .for_each(|inner| self.function(inner));
    }
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
