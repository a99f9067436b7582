//! Verification of untrusted chunks: what passes can neither reach memory outside its frame nor run off its code,
//! whatever else it does. This is the boundary for chunks made by `string.dump`; the front ends' own output is checked in
//! debug builds only.
//!
//! Two passes over each function:
//! 1. structure: known ops, operands and further words in range and of the right kind, jumps onto instructions, back edges
//!    only through polling instructions, multi-result producers next to their consumers;
//! 2. an abstract interpretation of all reachable code over a lattice of register contents (see [`kind`]): registers
//!    below `live` have been written on every path, operands are live and hold what the instruction takes for granted (a
//!    cell, a fresh table, the numbers of a prepared loop), pending to-be-closed variables stay live and are closed before the
//!    frame ends. What lies at or above `live` counts as unwritten after the instruction, because the collector has not seen it.
//!
//! States are kept at jump targets only and processed in order of position. Honest code settles in a few rounds; a
//! budget of steps bounds hostile code.

use std::collections::BTreeSet;

use traceorus_base::Tag;
use traceorus_base::bytecode::{self as bc, Extra, MULTI, Mode, Op};
use traceorus_base::chunk::{Chunk, Const, Function, NO_NAME, StrNum, Strings};
use traceorus_base::objects::Str;

/// Largest frame in registers.
pub const MAX_FRAME: usize = 250;
/// Deepest nesting of functions.
pub const MAX_DEPTH: usize = 220;
/// Most upvalues of a function.
const MAX_UPVALUES: usize = 255;
/// Most array elements or hash entries that a constructor may announce.
const MAX_ANNOUNCED: u64 = 1 << 27;

/// Checks every function of a chunk. The error names function, word and problem.
pub fn verify(chunk: &Chunk) -> Result<(), String> {
    verify_tree(&chunk.main, &chunk.strings, None, 0).map(drop)
}

/// Verifies a function and those in it; gives which of its upvalues it (or a function in it) may assign.
fn verify_tree(
    f: &Function,
    strings: &Strings,
    parent: Option<&Function>,
    depth: usize,
) -> Result<Vec<bool>, String> {
    let named = |e: String| format!("function at line {}: {e}", f.line_defined);
    if depth > MAX_DEPTH {
        return Err(named("nested too deeply".into()));
    }
    tables(f, strings, parent).map_err(named)?;
    let mut writes = Vec::with_capacity(f.functions.len());
    for inner in &f.functions {
        writes.push(verify_tree(inner, strings, Some(f), depth + 1)?);
    }
    let mut v = Verifier {
        f,
        strings,
        inner_writes: &writes,
        starts: vec![false; f.code.len()],
        targets: vec![false; f.code.len()],
    };
    v.structure().and_then(|()| v.flow()).map_err(named)?;
    // What is assigned through this function's upvalues.
    let mut out = vec![false; f.upvals.len()];
    for (pc, op) in f.instructions() {
        if op == Op::SetUpval {
            out[bc::a(f.code[pc]) as usize] = true;
        }
    }
    for (inner, w) in f.functions.iter().zip(&writes) {
        for (u, &assigned) in inner.upvals.iter().zip(w) {
            if assigned && !u.in_stack {
                out[u.index as usize] = true;
            }
        }
    }
    match f
        .upvals
        .iter()
        .zip(&out)
        .position(|(u, &assigned)| assigned && u.readonly)
    {
        Some(i) => Err(named(format!(
            "upvalue {i} is assigned but said to be constant"
        ))),
        None => Ok(out),
    }
}

/// Everything but the code.
fn tables(f: &Function, strings: &Strings, parent: Option<&Function>) -> Result<(), String> {
    let there = |n: StrNum| (n as usize) < strings.len();
    let name = |n: StrNum| n == NO_NAME || there(n);
    for (i, k) in f.consts.iter().enumerate() {
        if matches!(k, Const::Str(s) if !there(*s)) {
            return Err(format!("constant {i}: no such string"));
        }
    }
    let n = f.code.len();
    if n == 0 || n > 1 << 28 {
        return Err(format!("{n} words of code"));
    }
    if f.live.len() != n || !(f.lines.is_empty() || f.lines.len() == n) {
        return Err("tables of different lengths".into());
    }
    if f.frame_size as usize > MAX_FRAME || f.frame_size < f.nparams {
        return Err(format!("frame of {} registers", f.frame_size));
    }
    if f.upvals.len() > MAX_UPVALUES {
        return Err(format!("{} upvalues", f.upvals.len()));
    }
    for (i, u) in f.upvals.iter().enumerate() {
        let there = match parent {
            None => true,
            Some(p) if u.in_stack => u.index < p.frame_size,
            // That a constant is captured as a constant is checked where the closure is made, for registers.
            Some(p) => p
                .upvals
                .get(u.index as usize)
                .is_some_and(|o| o.readonly || !u.readonly),
        };
        if !there || !name(u.name) || u.attrib > 2 {
            return Err(format!("upvalue {i}"));
        }
    }
    for (i, t) in f.templates.iter().enumerate() {
        let mut keys: Vec<&[u8]> = Vec::with_capacity(t.len());
        for &k in t {
            match short(f, strings, k as usize) {
                Some(s) => keys.push(s),
                None => return Err(format!("template {i}: key is no short string")),
            }
        }
        keys.sort_unstable();
        if t.is_empty() || t.len() > MAX_FRAME || keys.windows(2).any(|w| w[0] == w[1]) {
            return Err(format!("template {i}"));
        }
    }
    for (i, v) in f.locvars.iter().enumerate() {
        if v.start_pc > v.end_pc || v.end_pc as usize > n || v.reg >= f.frame_size || !name(v.name)
        {
            return Err(format!("local variable {i}"));
        }
    }
    Ok(())
}

/// The constant with this number, if it is a short string.
fn short<'a>(f: &Function, strings: &'a Strings, k: usize) -> Option<&'a [u8]> {
    match f.consts.get(k) {
        Some(&Const::Str(s)) => strings.get(s).filter(|s| s.len() <= Str::MAX_SHORT),
        _ => None,
    }
}

/// What a register may hold (the abstract values).
mod kind {
    /// Not written on some path: must neither be read nor scanned.
    pub const UNWRITTEN: u8 = 0;
    /// A Lua value.
    pub const VALUE: u8 = 1;
    /// The table that a constructor here has made.
    pub const TABLE: u8 = 2;
    /// Index, limit and step of a prepared numeric loop.
    pub const FOR_INDEX: u8 = 3;
    /// See `FOR_INDEX`.
    pub const FOR_LIMIT: u8 = 4;
    /// See `FOR_INDEX`.
    pub const FOR_STEP: u8 = 5;
    /// A cell.
    pub const CELL: u8 = 6;
    /// A cell of a constant that has its value.
    pub const CELL_CONST: u8 = 7;
    /// A cell of a constant, in which one more value may be put (`local function`).
    pub const CELL_FRESH: u8 = 8;
    /// A valid value or a cell: may be scanned but not used.
    pub const MIXED: u8 = 9;

    pub fn is_value(k: u8) -> bool {
        (VALUE..=FOR_STEP).contains(&k)
    }
    pub fn is_cell(k: u8) -> bool {
        (CELL..=CELL_FRESH).contains(&k)
    }
    pub fn join(a: u8, b: u8) -> u8 {
        if a == b {
            a
        } else if a == UNWRITTEN || b == UNWRITTEN {
            UNWRITTEN
        } else if is_value(a) && is_value(b) {
            VALUE
        } else {
            MIXED
        }
    }
}

/// State before an instruction.
#[derive(Clone, PartialEq)]
struct State {
    /// Contents by register.
    regs: Box<[u8]>,
    /// Registers that may be pending to be closed, ascending.
    tbc: Vec<u8>,
}

impl State {
    /// Joins `o` into this; true if that changed it.
    fn join(&mut self, o: &State) -> bool {
        let mut changed = false;
        for (a, &b) in self.regs.iter_mut().zip(o.regs.iter()) {
            let j = kind::join(*a, b);
            changed |= j != *a;
            *a = j;
        }
        for &r in &o.tbc {
            if let Err(at) = self.tbc.binary_search(&r) {
                self.tbc.insert(at, r);
                changed = true;
            }
        }
        changed
    }
    fn kill_from(&mut self, r: usize) {
        if r < self.regs.len() {
            self.regs[r..].fill(kind::UNWRITTEN);
        }
    }
}

struct Verifier<'a> {
    f: &'a Function,
    strings: &'a Strings,
    /// Per nested function: which of its upvalues it may assign.
    inner_writes: &'a [Vec<bool>],
    /// First words of instructions.
    starts: Vec<bool>,
    /// Jump targets.
    targets: Vec<bool>,
}

fn fail<T>(pc: usize, what: impl std::fmt::Display) -> Result<T, String> {
    Err(format!("word {pc}: {what}"))
}

/// Distance of the jump from the next instruction, if it is one.
pub(crate) fn jump_distance(op: Op, w: u64) -> Option<i64> {
    match op.info().modes {
        [_, Mode::L, Mode::H] => Some(bc::jump32(w)),
        [_, _, Mode::J] => Some(bc::jump16(w)),
        _ => None,
    }
}

/// True if control can go on behind the instruction.
pub(crate) fn falls_through(op: Op) -> bool {
    use Op::*;
    !matches!(op, Jmp | Loop | TForPrep | Ret0 | Ret1 | Ret | RetM | RetC)
}

/// True for instructions that work on the values up to the top.
pub(crate) fn is_consumer(op: Op, w: u64) -> bool {
    matches!(op, Op::CallM | Op::TailCallM | Op::RetM | Op::SetListM)
        || op == Op::RetC && bc::b(w) == MULTI
}

/// True for instructions that leave values up to the top.
fn is_producer(op: Op, w: u64) -> bool {
    matches!(op, Op::Call | Op::CallM) && bc::c(w) == MULTI
        || matches!(op, Op::TailCall | Op::TailCallM | Op::VarargM)
}

impl Verifier<'_> {
    fn op(&self, pc: usize) -> Op {
        // `structure` has refused code for which the fallback would be taken.
        Op::from_u16(bc::op_field(self.f.code[pc])).unwrap_or(Op::Ret0)
    }

    // ---- structure -------------------------------------------------------------------------------------------

    fn structure(&mut self) -> Result<(), String> {
        let f = self.f;
        let mut pc = 0;
        // A producer's first open register, where the previous instruction is one.
        let mut open: Option<usize> = None;
        while pc < f.code.len() {
            let w = f.code[pc];
            let Some(op) = Op::from_u16(bc::op_field(w)).filter(|op| !op.is_private()) else {
                return fail(pc, "unknown instruction");
            };
            let next = pc + op.words();
            if next > f.code.len() {
                return fail(pc, "cut-off instruction");
            }
            if f.live[pc] > f.frame_size {
                return fail(pc, "live registers beyond the frame");
            }
            self.starts[pc] = true;
            self.operands(pc, op)?;
            self.ranges(pc, op)?;
            for (i, &extra) in op.info().extra.iter().enumerate() {
                self.extra(pc, op, extra, f.code[pc + 1 + i])?;
            }
            match (open, is_consumer(op, w)) {
                (Some(from), true) => {
                    // Function and table slots are below the open values.
                    let needs = bc::a(w) as usize + !matches!(op, Op::RetM | Op::RetC) as usize;
                    if from < needs {
                        return fail(pc, "open results begin too low");
                    }
                }
                (None, false) => {}
                _ => return fail(pc, "open results and their consumer do not meet"),
            }
            open = is_producer(op, w).then_some(bc::a(w) as usize);
            if falls_through(op) && next == f.code.len() {
                return fail(pc, "control falls off the end");
            }
            pc = next;
        }
        for pc in (0..f.code.len()).filter(|&pc| self.starts[pc]) {
            let (op, w) = (self.op(pc), f.code[pc]);
            let Some(distance) = jump_distance(op, w) else {
                continue;
            };
            let target = (pc + op.words()) as i64 + distance;
            let Some(&true) = usize::try_from(target)
                .ok()
                .and_then(|t| self.starts.get(t))
            else {
                return fail(pc, "jump not onto an instruction");
            };
            let back = target <= pc as i64;
            let wants_back = match op {
                Op::Loop | Op::ForLoop | Op::ForLoopV | Op::TForLoop => Some(true),
                Op::ForPrep | Op::TForPrep | Op::Jmp => Some(false),
                _ => Some(false),
            };
            if wants_back.is_some_and(|b| b != back) {
                return fail(pc, "jump in the wrong direction");
            }
            let target = target as usize;
            if is_consumer(self.op(target), f.code[target]) {
                return fail(pc, "jump between open results and their consumer");
            }
            self.targets[target] = true;
        }
        Ok(())
    }

    fn operands(&self, pc: usize, op: Op) -> Result<(), String> {
        let w = self.f.code[pc];
        let frame = self.f.frame_size as usize;
        for (&mode, v) in op.info().modes.iter().zip([bc::a(w), bc::b(w), bc::c(w)]) {
            let ok = match mode {
                Mode::W | Mode::R => (v as usize) < frame,
                // Ranges are checked in `ranges`; an empty one may begin behind the last register.
                Mode::S => v as usize <= frame,
                Mode::U => (v as usize) < self.f.upvals.len(),
                Mode::T => [Tag::NIL, Tag::TRUE, Tag::FALSE]
                    .iter()
                    .any(|t| t.0 as u16 == v),
                Mode::None | Mode::K | Mode::X => v == 0,
                Mode::I | Mode::N | Mode::J | Mode::L | Mode::H => true,
            };
            if !ok {
                return fail(
                    pc,
                    format_args!("{}: operand {v} out of range", op.mnemonic()),
                );
            }
        }
        let index = match op {
            Op::GetInt => bc::c(w) as i16,
            Op::SetInt => bc::b(w) as i16,
            _ => 0,
        };
        if index < 0 {
            fail(pc, "negative index")
        } else {
            Ok(())
        }
    }

    /// Registers of the frame that the instruction uses beyond its plain operands.
    fn ranges(&self, pc: usize, op: Op) -> Result<(), String> {
        let w = self.f.code[pc];
        let (a, b, c) = (bc::a(w) as usize, bc::b(w) as usize, bc::c(w) as usize);
        let multi = MULTI as usize;
        let results = if c == multi { 0 } else { c };
        let (needs, well_formed) = match op {
            Op::LoadNil => (a + b, b >= 1),
            Op::NewCell => (a + 1, b <= 1),
            Op::SelfGet => (a + 2, true),
            Op::NewRecord => (b + c, a == b && c >= 1),
            Op::SetList => (a + b + 1, true),
            Op::Concat => (b + c, c >= 2),
            Op::ForPrep | Op::ForLoop => (a + 3, true),
            Op::ForLoopV | Op::TForPrep => (a + 4, true),
            Op::TForCall => (a + results.max(3), a >= 4 && c != multi),
            Op::TForLoop => (a + 1, a >= 4),
            Op::Call => (a + (b + 1).max(results), true),
            Op::CallM => (a + results.max(1), true),
            Op::TailCall => (a + b + 1, c == multi),
            Op::TailCallM => (a + 1, c == multi),
            Op::SetListM | Op::Tbc => (a + 1, true),
            Op::Ret => (a + b, true),
            Op::RetC => (a + if b == multi { 0 } else { b }, true),
            Op::Vararg => (a + b, self.f.is_vararg),
            Op::VarargM => (a, self.f.is_vararg),
            _ => (0, true),
        };
        if needs > self.f.frame_size as usize || !well_formed {
            return fail(pc, format_args!("{}: bad range", op.mnemonic()));
        }
        Ok(())
    }

    fn extra(&self, pc: usize, op: Op, extra: Extra, w: u64) -> Result<(), String> {
        let f = self.f;
        let index = usize::try_from(w).unwrap_or(usize::MAX);
        let ok = match extra {
            Extra::Const => match f.consts.get(index) {
                Some(Const::Int(_) | Const::Float(_)) => true,
                Some(Const::Str(_)) => matches!(op, Op::LoadK | Op::JEqK | Op::JNeK),
                _ => false,
            },
            Extra::Str => short(f, self.strings, index).is_some(),
            Extra::Cache => w == 0,
            Extra::Proto => index < f.functions.len(),
            Extra::Template => f
                .templates
                .get(index)
                .is_some_and(|t| t.len() == bc::c(f.code[pc]) as usize),
            Extra::Imm2 => {
                let (low, high) = (w & 0xffff_ffff, w >> 32);
                let stored = if op == Op::SetList {
                    bc::b(f.code[pc]) as u64
                } else {
                    0
                };
                low + stored <= MAX_ANNOUNCED && high <= MAX_ANNOUNCED
            }
        };
        if ok {
            Ok(())
        } else {
            fail(pc, format_args!("{}: bad word {w:#x}", op.mnemonic()))
        }
    }

    // ---- flow ------------------------------------------------------------------------------------------------

    fn flow(&self) -> Result<(), String> {
        let f = self.f;
        let mut regs = vec![kind::UNWRITTEN; f.frame_size as usize].into_boxed_slice();
        regs[..f.nparams as usize].fill(kind::VALUE);
        let entry = State {
            regs,
            tbc: Vec::new(),
        };
        let mut states: Vec<Option<State>> = vec![None; f.code.len()];
        let mut work = BTreeSet::new();
        let mut budget = 256 * f.code.len() + 4096;
        states[0] = Some(entry);
        work.insert(0);
        while let Some(start) = work.pop_first() {
            let Some(mut s) = states[start].clone() else {
                continue;
            };
            let mut pc = start;
            loop {
                budget = match budget.checked_sub(1) {
                    Some(b) => b,
                    None => return fail(pc, "control flow too complex"),
                };
                let op = self.op(pc);
                let jumped = self.step(pc, op, &mut s)?;
                let next = pc + op.words();
                if let (Some(distance), Some(j)) = (jump_distance(op, f.code[pc]), jumped) {
                    // In range: `structure` has checked every jump.
                    Self::arrive(
                        &mut states,
                        &mut work,
                        (next as i64 + distance) as usize,
                        &j,
                    );
                }
                if !falls_through(op) {
                    break;
                }
                if self.targets[next] {
                    Self::arrive(&mut states, &mut work, next, &s);
                    break;
                }
                pc = next;
            }
        }
        Ok(())
    }

    fn arrive(states: &mut [Option<State>], work: &mut BTreeSet<usize>, at: usize, s: &State) {
        let changed = match &mut states[at] {
            Some(old) => old.join(s),
            none => {
                *none = Some(s.clone());
                true
            }
        };
        if changed {
            work.insert(at);
        }
    }

    fn value(&self, pc: usize, s: &State, r: usize) -> Result<(), String> {
        if kind::is_value(s.regs[r]) && r < self.f.live[pc] as usize {
            return Ok(());
        }
        fail(
            pc,
            format_args!("{}: R{r} holds no live value", self.op(pc).mnemonic()),
        )
    }

    fn values(&self, pc: usize, s: &State, from: usize, to: usize) -> Result<(), String> {
        (from..to).try_for_each(|r| self.value(pc, s, r))
    }

    fn cell(&self, pc: usize, s: &State, r: usize) -> Result<u8, String> {
        if kind::is_cell(s.regs[r]) && r < self.f.live[pc] as usize {
            return Ok(s.regs[r]);
        }
        fail(
            pc,
            format_args!("{}: R{r} holds no live cell", self.op(pc).mnemonic()),
        )
    }

    /// First register above the fixed operands of a consumer: that of the open values.
    fn open_from(&self, pc: usize) -> usize {
        let before = (0..pc).rev().find(|&i| self.starts[i]).unwrap_or(0);
        bc::a(self.f.code[before]) as usize
    }

    /// Applies one instruction to `s`, which becomes the state behind it. Gives the state at the jump's target, if it is a
    /// jump.
    fn step(&self, pc: usize, op: Op, s: &mut State) -> Result<Option<State>, String> {
        use Op::*;
        use kind::*;
        let f = self.f;
        let w = f.code[pc];
        let (a, b, c) = (bc::a(w) as usize, bc::b(w) as usize, bc::c(w) as usize);
        let live = f.live[pc] as usize;
        let multi = MULTI as usize;
        if let Some(r) = s.regs[..live].iter().position(|&k| k == UNWRITTEN) {
            return fail(
                pc,
                format_args!(
                    "{}: R{r} is live but not written on every path",
                    op.mnemonic()
                ),
            );
        }
        // A pending variable stays where the collector sees it until it is closed, be it by this instruction.
        if let Some(&r) = s.tbc.iter().find(|&&r| r as usize >= live) {
            return fail(
                pc,
                format_args!("{}: R{r} is to be closed but not live", op.mnemonic()),
            );
        }
        if !s.tbc.is_empty() && matches!(op, Ret0 | Ret1 | Ret | RetM | TailCall | TailCallM) {
            return fail(pc, "return with variables to be closed");
        }
        // Plain operands.
        if !matches!(op, SetCell | GetCell) {
            for (&mode, v) in op.info().modes.iter().zip([a, b, c]) {
                if mode == Mode::R {
                    self.value(pc, s, v)?;
                }
            }
        }
        // Ranges and special operands; `keep` is the first register that the instruction may destroy.
        let mut keep = live;
        match op {
            NewCell => self.value(pc, s, a)?,
            GetCell => drop(self.cell(pc, s, b)?),
            SetCell => {
                self.value(pc, s, b)?;
                match self.cell(pc, s, a)? {
                    CELL => {}
                    CELL_FRESH => s.regs[a] = CELL_CONST,
                    _ => return fail(pc, "assignment to a constant"),
                }
            }
            NewTable | Closure if live != a => {
                return fail(pc, "the result is not the topmost register");
            }
            Closure => self.captures(pc, s, f.code[pc + 1] as usize)?,
            NewRecord => {
                self.values(pc, s, b, b + c)?;
                if live != b + c {
                    return fail(pc, "the values are not in the topmost registers");
                }
            }
            SetList | SetListM => {
                let to = if op == SetList {
                    a + 1 + b
                } else {
                    self.open_from(pc)
                };
                self.values(pc, s, a, to)?;
                if s.regs[a] != TABLE {
                    return fail(pc, "list for something that is not a new table");
                }
            }
            Concat => {
                self.values(pc, s, b, b + c)?;
                keep = live.min(b);
            }
            ForPrep => self.values(pc, s, a, a + 3)?,
            ForLoop | ForLoopV => {
                self.values(pc, s, a, a + 3)?;
                if s.regs[a..a + 3] != [FOR_INDEX, FOR_LIMIT, FOR_STEP] {
                    return fail(pc, "loop that was not prepared");
                }
            }
            TForPrep => self.values(pc, s, a, a + 4)?,
            TForCall => {
                self.values(pc, s, a - 4, a - 1)?;
                keep = live.min(a);
            }
            TForLoop => self.value(pc, s, a)?,
            Call | CallM | TailCall | TailCallM => {
                let to = if matches!(op, Call | TailCall) {
                    a + 1 + b
                } else {
                    self.open_from(pc)
                };
                self.values(pc, s, a, to)?;
                keep = live.min(a);
            }
            Ret => self.values(pc, s, a, a + b)?,
            RetM => self.values(pc, s, a, self.open_from(pc))?,
            RetC => self.values(
                pc,
                s,
                a,
                if b == multi {
                    self.open_from(pc)
                } else {
                    a + b
                },
            )?,
            Tbc if live <= a || !(is_value(s.regs[a]) || is_cell(s.regs[a])) => {
                return fail(pc, "variable to be closed is not live");
            }
            VarargM => keep = live.min(a),
            _ => {}
        }
        // What the collector does not see any more.
        s.kill_from(keep);
        if let Some(&r) = s.tbc.iter().find(|&&r| r as usize >= keep) {
            return fail(
                pc,
                format_args!("{}: destroys R{r}, which is to be closed", op.mnemonic()),
            );
        }
        match op {
            Tbc | TForPrep => {
                let r = if op == Tbc { a } else { a + 3 };
                if s.tbc.last().is_some_and(|&last| last as usize >= r) {
                    return fail(pc, "variables to be closed are not in order");
                }
                s.tbc.push(r as u8);
            }
            Close => s.tbc.retain(|&r| (r as usize) < a),
            _ => {}
        }
        self.results(pc, op, s)
    }

    /// Writes the results of an instruction whose operands are in order.
    fn results(&self, pc: usize, op: Op, s: &mut State) -> Result<Option<State>, String> {
        use Op::*;
        use kind::*;
        let w = self.f.code[pc];
        let (a, b, c) = (bc::a(w) as usize, bc::b(w) as usize, bc::c(w) as usize);
        let (from, n, k) = match op {
            NewCell => (a, 1, if b == 1 { CELL_FRESH } else { CELL }),
            NewTable | NewRecord => {
                // The record's values have been moved.
                s.kill_from(a);
                (a, 1, TABLE)
            }
            LoadNil | Vararg => {
                if op == Vararg {
                    s.kill_from(a);
                }
                (a, b, VALUE)
            }
            SelfGet => (a, 2, VALUE),
            Call | CallM if c != MULTI as usize => (a, c, VALUE),
            TForCall => (a, c, VALUE),
            JTSet | JFSet => (0, 0, VALUE),
            _ if op.info().modes[0] == Mode::W => (a, 1, VALUE),
            _ => (0, 0, VALUE),
        };
        if let Some(&r) = s
            .tbc
            .iter()
            .find(|&&r| (from..from + n).contains(&(r as usize)))
        {
            return fail(
                pc,
                format_args!("{}: overwrites R{r}, which is to be closed", op.mnemonic()),
            );
        }
        s.regs[from..from + n].fill(k);
        if jump_distance(op, w).is_none() {
            return Ok(None);
        }
        let mut jumped = s.clone();
        match op {
            JTSet | JFSet => jumped.regs[a] = VALUE,
            ForPrep => {
                s.regs[a] = FOR_INDEX;
                s.regs[a + 1] = FOR_LIMIT;
                s.regs[a + 2] = FOR_STEP;
                jumped.regs[a..a + 3].fill(VALUE);
            }
            ForLoopV => {
                // The copy may be written by either; the body writes it first thing.
                s.regs[a + 3] = UNWRITTEN;
                jumped.regs[a + 3] = UNWRITTEN;
            }
            TForLoop => jumped.regs[a - 2] = VALUE,
            _ => {}
        }
        let written: &[usize] = match op {
            JTSet | JFSet => &[a],
            ForPrep => &[a, a + 1, a + 2],
            ForLoop | ForLoopV => &[a, a + 1, a + 2, a + 3],
            TForLoop => &[a - 2],
            _ => &[],
        };
        let clash = |r: &&usize| {
            **r < s.regs.len() && s.tbc.contains(&(**r as u8)) && !(op == ForLoop && **r == a + 3)
        };
        if let Some(r) = written.iter().find(clash) {
            return fail(
                pc,
                format_args!("{}: overwrites R{r}, which is to be closed", op.mnemonic()),
            );
        }
        Ok(Some(jumped))
    }

    /// A closure's captures: registers that hold cells, constants only as such.
    fn captures(&self, pc: usize, s: &State, p: usize) -> Result<(), String> {
        for (i, u) in self.f.functions[p].upvals.iter().enumerate() {
            if !u.in_stack {
                continue;
            }
            let constant = self.cell(pc, s, u.index as usize)? != kind::CELL;
            if u.readonly && !constant || constant && self.inner_writes[p][i] {
                return fail(pc, format_args!("capture {i} does not match its variable"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests;
