//! Checks finished code by abstract interpretation along all paths.
//!
//! Three passes over a function:
//! 1. structure: known ops, operands and further words in range, jumps on instruction starts;
//! 2. forwards, per instruction the registers *written* on every path to it, those that hold a *cell* (on every
//!    path, on some path) and those that are marked to be closed: every register below `live` has been written,
//!    every operand lies below `live`, cells are only touched by the cell instructions and captured by closures;
//! 3. backwards, per instruction the registers that are read later: each of them lies below `live` wherever it
//!    must survive.
//!
//! So `live` is neither too large (garbage would be scanned) nor too small (an object would be freed in use).
//! States are kept at jump targets only and walked in order until nothing changes; code made from source
//! settles in a few rounds.

use traceorus_base::Tag;
use traceorus_base::bytecode::{self as bc, Extra, MULTI, Mode, Op};
use traceorus_base::chunk::{Chunk, Const, Function, NO_NAME, StrNum, Strings};

use crate::builder::{MAX_FRAME, falls_through};

/// Longest short string: keys of field instructions.
const SHORT_STRING: usize = 40;

/// Checks every function of the chunk. The error names function, position and problem.
pub fn chunk_check(chunk: &Chunk) -> Result<(), String> {
    if chunk.main.nparams != 0 || !chunk.main.is_vararg {
        return Err("main function: must be vararg without parameters".into());
    }
    check_tree(&chunk.main, &chunk.strings)
}

fn check_tree(f: &Function, strings: &Strings) -> Result<(), String> {
    check_function(f, strings).map_err(|e| format!("function at line {}: {e}", f.line_defined))?;
    f.functions
        .iter()
        .try_for_each(|inner| check_tree(inner, strings))
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct RegSet([u64; 4]);

impl RegSet {
    fn range(from: u32, to: u32) -> RegSet {
        let below = |n: u32| {
            let mut s = [0u64; 4];
            for (i, w) in s.iter_mut().enumerate() {
                let bits = n.saturating_sub(i as u32 * 64).min(64);
                *w = if bits == 64 {
                    u64::MAX
                } else {
                    (1 << bits) - 1
                };
            }
            RegSet(s)
        };
        below(to).minus(below(from))
    }
    fn has(self, r: u32) -> bool {
        r < 256 && self.0[r as usize / 64] >> (r % 64) & 1 == 1
    }
    fn zip(self, o: RegSet, f: impl Fn(u64, u64) -> u64) -> RegSet {
        RegSet(core::array::from_fn(|i| f(self.0[i], o.0[i])))
    }
    fn and(self, o: RegSet) -> RegSet {
        self.zip(o, |a, b| a & b)
    }
    fn or(self, o: RegSet) -> RegSet {
        self.zip(o, |a, b| a | b)
    }
    fn minus(self, o: RegSet) -> RegSet {
        self.zip(o, |a, b| a & !b)
    }
    fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }
    fn first(self) -> u32 {
        (0..256).find(|&r| self.has(r)).unwrap_or(256)
    }
}

/// What is known before an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    written: RegSet,
    cell_must: RegSet,
    cell_may: RegSet,
    tbc: RegSet,
}

impl State {
    fn join(self, o: State) -> State {
        State {
            written: self.written.and(o.written),
            cell_must: self.cell_must.and(o.cell_must),
            cell_may: self.cell_may.or(o.cell_may),
            tbc: self.tbc.or(o.tbc),
        }
    }
    fn write(&mut self, w: RegSet) {
        self.written = self.written.or(w);
        self.cell_must = self.cell_must.minus(w);
        self.cell_may = self.cell_may.minus(w);
    }
    fn kill(&mut self, w: RegSet) {
        self.written = self.written.minus(w);
        self.cell_must = self.cell_must.minus(w);
        self.cell_may = self.cell_may.minus(w);
    }
}

/// Registers that an instruction reads and writes.
#[derive(Clone, Copy, Default)]
struct Effect {
    /// Read as values.
    reads: RegSet,
    /// Read as cells.
    cells: RegSet,
    /// Written when control goes on behind it.
    writes: RegSet,
    /// Written when it jumps.
    jump_writes: RegSet,
    /// Becomes a cell.
    boxes: RegSet,
    /// Left undefined.
    kills: RegSet,
}

struct Checker<'a> {
    f: &'a Function,
    strings: &'a Strings,
    /// First words of instructions.
    starts: Vec<bool>,
    /// Jump targets.
    leaders: Vec<bool>,
}

fn at<T>(pc: usize, what: &str) -> Result<T, String> {
    Err(format!("pc {pc}: {what}"))
}

fn check_function(f: &Function, strings: &Strings) -> Result<(), String> {
    let n = f.code.len();
    if f.live.len() != n || !(f.lines.is_empty() || f.lines.len() == n) {
        return Err("tables of different lengths".into());
    }
    if u32::from(f.frame_size) > MAX_FRAME || f.frame_size < f.nparams {
        return Err(format!("frame size {}", f.frame_size));
    }
    if f.upvals.len() > 255 {
        return Err(format!("{} upvalues", f.upvals.len()));
    }
    let mut checker = Checker {
        f,
        strings,
        starts: vec![false; n],
        leaders: vec![false; n],
    };
    checker.structure()?;
    checker.strings()?;
    checker.templates()?;
    checker.debug_info()?;
    let tbc = checker.forwards()?;
    checker.backwards(&tbc)
}

impl Checker<'_> {
    fn op(&self, pc: usize) -> Op {
        // Structure has been checked when this is called, so the fallback is never taken.
        Op::from_u16(bc::op_field(self.f.code[pc])).unwrap_or(Op::Move)
    }

    fn structure(&mut self) -> Result<(), String> {
        let f = self.f;
        let mut pc = 0;
        while pc < f.code.len() {
            let Some(op) = Op::from_u16(bc::op_field(f.code[pc])).filter(|op| !op.is_private())
            else {
                return at(pc, "unknown op");
            };
            if pc + op.words() > f.code.len() {
                return at(pc, "cut-off instruction");
            }
            self.starts[pc] = true;
            if f.live[pc] > f.frame_size {
                return at(pc, "live beyond the frame");
            }
            self.operands(pc, op)?;
            for (i, kind) in op.info().extra.iter().enumerate() {
                self.extra(pc, op, *kind, f.code[pc + 1 + i])?;
            }
            pc += op.words();
        }
        for pc in (0..f.code.len()).filter(|&pc| self.starts[pc]) {
            if let Some(target) = self.jump(pc) {
                match self.starts.get(target as usize) {
                    Some(true) => self.leaders[target as usize] = true,
                    _ => return at(pc, "jump not onto an instruction"),
                }
            }
        }
        Ok(())
    }

    fn operands(&self, pc: usize, op: Op) -> Result<(), String> {
        let w = self.f.code[pc];
        let frame = u32::from(self.f.frame_size);
        for (mode, v) in op.info().modes.iter().zip([bc::a(w), bc::b(w), bc::c(w)]) {
            let ok = match mode {
                Mode::W | Mode::R => u32::from(v) < frame,
                // An empty range may start behind the last register.
                Mode::S => {
                    u32::from(v) < frame
                        || matches!(op, Op::Ret | Op::RetC | Op::Close) && u32::from(v) <= frame
                }
                Mode::U => usize::from(v) < self.f.upvals.len(),
                Mode::None | Mode::K | Mode::X => v == 0,
                Mode::T => [Tag::NIL, Tag::TRUE, Tag::FALSE]
                    .iter()
                    .any(|t| t.0 as u16 == v),
                Mode::I | Mode::N | Mode::J | Mode::L | Mode::H => true,
            };
            if !ok {
                return at(pc, &format!("{}: operand {v} out of range", op.mnemonic()));
            }
        }
        if matches!(op, Op::GetInt) && (bc::c(w) as i16) < 0
            || matches!(op, Op::SetInt) && (bc::b(w) as i16) < 0
        {
            return at(pc, "negative index");
        }
        Ok(())
    }

    fn extra(&self, pc: usize, op: Op, kind: Extra, w: u64) -> Result<(), String> {
        let f = self.f;
        let ok = match kind {
            Extra::Const => match f.consts.get(w as usize) {
                Some(Const::Int(_) | Const::Float(_)) => true,
                Some(Const::Str(_)) => matches!(op, Op::LoadK | Op::JEqK | Op::JNeK),
                _ => false,
            },
            Extra::Str => self.is_short(w as usize),
            Extra::Cache => w == 0,
            Extra::Proto => (w as usize) < f.functions.len(),
            Extra::Template => f
                .templates
                .get(w as usize)
                .is_some_and(|t| t.len() == usize::from(bc::c(f.code[pc]))),
            Extra::Imm2 => true,
        };
        if ok {
            Ok(())
        } else {
            at(pc, &format!("{}: word {w:#x} out of range", op.mnemonic()))
        }
    }

    /// Is the constant a short string?
    fn is_short(&self, k: usize) -> bool {
        match self.f.consts.get(k) {
            Some(&Const::Str(s)) => self.strings.get(s).is_some_and(|s| s.len() <= SHORT_STRING),
            _ => false,
        }
    }

    fn strings(&self) -> Result<(), String> {
        let f = self.f;
        let there = |s: StrNum| (s as usize) < self.strings.len();
        let name = |s: StrNum| s == NO_NAME || there(s);
        let consts = f.consts.iter().all(|k| match k {
            Const::Str(s) => there(*s),
            _ => true,
        });
        if consts && f.upvals.iter().all(|u| name(u.name)) && f.locvars.iter().all(|v| name(v.name))
        {
            Ok(())
        } else {
            Err("number of a string that is not there".into())
        }
    }

    fn templates(&self) -> Result<(), String> {
        for (i, t) in self.f.templates.iter().enumerate() {
            for (j, &k) in t.iter().enumerate() {
                if !self.is_short(k as usize) || t[..j].contains(&k) {
                    return Err(format!("template {i}: key {j}"));
                }
            }
        }
        Ok(())
    }

    fn debug_info(&self) -> Result<(), String> {
        for (i, v) in self.f.locvars.iter().enumerate() {
            let end_ok = v.end_pc as usize <= self.f.code.len();
            if v.start_pc > v.end_pc || !end_ok || v.reg >= self.f.frame_size {
                return Err(format!("local variable {i}"));
            }
        }
        Ok(())
    }

    fn jump(&self, pc: usize) -> Option<i64> {
        let op = self.op(pc);
        let w = self.f.code[pc];
        let distance = if crate::builder::is_wide(op) {
            bc::jump32(w)
        } else if op.info().modes[2] == Mode::J {
            bc::jump16(w)
        } else {
            return None;
        };
        Some(pc as i64 + op.words() as i64 + distance)
    }

    fn effect(&self, pc: usize) -> Result<Effect, String> {
        let w = self.f.code[pc];
        let op = self.op(pc);
        let (a, b, c) = (
            u32::from(bc::a(w)),
            u32::from(bc::b(w)),
            u32::from(bc::c(w)),
        );
        let one = |r: u32| RegSet::range(r, r + 1);
        let span = |r: u32, n: u32| RegSet::range(r, r + n);
        let above = |r: u32| RegSet::range(r, 256);
        let multi = u32::from(MULTI);
        let results = |r: u32, n: u32| {
            if n == multi {
                RegSet::default()
            } else {
                span(r, n)
            }
        };
        let mut e = Effect::default();
        // Registers of the frame that it needs at least.
        let mut need = 0;
        for (mode, v) in op.info().modes.iter().zip([a, b, c]) {
            match mode {
                Mode::W => e.writes = one(v),
                Mode::R => e.reads = e.reads.or(one(v)),
                _ => {}
            }
        }
        match op {
            Op::LoadNil => {
                e.writes = span(a, b);
                need = a + b;
                if b == 0 {
                    return at(pc, "empty range");
                }
            }
            Op::NewCell => {
                e.reads = one(a);
                e.boxes = one(a);
            }
            Op::GetCell => (e.reads, e.cells) = (RegSet::default(), one(b)),
            Op::SetCell => (e.reads, e.cells) = (one(b), one(a)),
            Op::SelfGet => {
                e.writes = span(a, 2);
                need = a + 2;
            }
            Op::NewRecord => {
                e.reads = span(b, c);
                need = b + c;
                if a != b {
                    return at(pc, "record not made in place");
                }
            }
            Op::SetList => {
                e.reads = span(a, b + 1);
                need = a + b + 1;
            }
            Op::SetListM => e.reads = span(a, 1 + self.fixed_before(pc, a)?),
            Op::Concat => {
                e.reads = span(b, c);
                need = b + c;
                if c < 2 {
                    return at(pc, "too few operands");
                }
            }
            Op::JTSet | Op::JFSet => {
                e.writes = RegSet::default();
                e.jump_writes = one(a);
            }
            Op::ForPrep => {
                e.reads = span(a, 3);
                e.writes = span(a, 3);
                need = a + 3;
            }
            Op::ForLoop | Op::ForLoopV => {
                e.reads = span(a, 3);
                need = a + 3;
            }
            Op::TForPrep => {
                e.reads = span(a, 4);
                need = a + 4;
            }
            Op::TForCall => {
                if a < 4 {
                    return at(pc, "register too low");
                }
                e.reads = span(a - 4, 3);
                e.writes = span(a, c);
                e.kills = above(a);
                need = a + c.max(3);
            }
            Op::TForLoop => {
                if a < 4 {
                    return at(pc, "register too low");
                }
                e.reads = one(a);
                e.jump_writes = one(a - 2);
            }
            Op::Call | Op::CallM | Op::TailCall | Op::TailCallM => {
                let n = if matches!(op, Op::Call | Op::TailCall) {
                    b
                } else {
                    self.fixed_before(pc, a)?
                };
                e.reads = span(a, n + 1);
                e.writes = results(a, c);
                e.kills = above(a);
                need = a + (n + 1).max(if c == multi { 0 } else { c });
                if c == multi {
                    self.consumer_after(pc)?;
                }
            }
            Op::Ret => {
                e.reads = span(a, b);
                need = a + b;
            }
            Op::RetM => e.reads = span(a, self.fixed_below(pc, a)?),
            Op::RetC => {
                let n = if b == multi {
                    self.fixed_below(pc, a)?
                } else {
                    b
                };
                e.reads = span(a, n);
                need = a + n;
            }
            Op::Vararg => {
                e.writes = span(a, b);
                e.kills = above(a);
                need = a + b;
            }
            Op::VarargM => {
                e.kills = above(a);
                self.consumer_after(pc)?;
            }
            Op::Closure => {
                let p = &self.f.functions[self.f.code[pc + 1] as usize];
                for u in p.upvals.iter().filter(|u| u.in_stack) {
                    e.cells = e.cells.or(one(u32::from(u.index)));
                }
                if p.upvals
                    .iter()
                    .any(|u| !u.in_stack && usize::from(u.index) >= self.f.upvals.len())
                {
                    return at(pc, "closure over an upvalue that is not there");
                }
            }
            Op::Tbc => e.reads = one(a),
            _ => {}
        }
        if need > u32::from(self.f.frame_size) {
            return at(pc, &format!("{}: range beyond the frame", op.mnemonic()));
        }
        Ok(e)
    }

    /// First register of the open results that the instruction before `pc` leaves.
    fn open_results(&self, pc: usize) -> Option<u32> {
        let before = (0..pc).rev().find(|&i| self.starts[i])?;
        let w = self.f.code[before];
        let open = match self.op(before) {
            Op::Call | Op::CallM | Op::TailCall | Op::TailCallM => bc::c(w) == MULTI,
            Op::VarargM => true,
            _ => false,
        };
        (open && !self.leaders[pc]).then_some(u32::from(bc::a(w)))
    }

    /// Arguments or items in registers `a + 1` up to the open results.
    fn fixed_before(&self, pc: usize, a: u32) -> Result<u32, String> {
        match self.open_results(pc) {
            Some(r) if r > a => Ok(r - a - 1),
            _ => at(pc, "no open results before it"),
        }
    }

    /// Values in registers `a` up to the open results.
    fn fixed_below(&self, pc: usize, a: u32) -> Result<u32, String> {
        match self.open_results(pc) {
            Some(r) if r >= a => Ok(r - a),
            _ => at(pc, "no open results before it"),
        }
    }

    fn consumer_after(&self, pc: usize) -> Result<(), String> {
        let next = pc + self.op(pc).words();
        let w = self.f.code.get(next).copied().unwrap_or(0);
        let ok = self.starts.get(next) == Some(&true)
            && match self.op(next) {
                Op::CallM | Op::TailCallM | Op::RetM | Op::SetListM => true,
                Op::RetC => bc::b(w) == MULTI,
                _ => false,
            };
        if ok {
            Ok(())
        } else {
            at(pc, "open results without a consumer")
        }
    }

    /// Returns the registers marked to be closed, per leader and otherwise empty; see the module's documentation.
    fn forwards(&self) -> Result<Vec<Option<State>>, String> {
        let f = self.f;
        let entry = State {
            written: RegSet::range(0, u32::from(f.nparams)),
            cell_must: RegSet::default(),
            cell_may: RegSet::default(),
            tbc: RegSet::default(),
        };
        // States at leaders, and at the places where control cannot come from above.
        let mut states: Vec<Option<State>> = vec![None; f.code.len()];
        loop {
            let mut changed = false;
            let mut now = Some(entry);
            let mut pc = 0;
            while pc < f.code.len() {
                if self.leaders[pc] {
                    now = match (now, states[pc]) {
                        (Some(s), Some(t)) => Some(s.join(t)),
                        (s, t) => s.or(t),
                    };
                    if now != states[pc] {
                        states[pc] = now;
                        changed = true;
                    }
                }
                let op = self.op(pc);
                if let Some(s) = now {
                    let (next, jumped) = self.step(pc, s)?;
                    if let Some(target) = self.jump(pc) {
                        let target = target as usize;
                        let joined = states[target].map_or(jumped, |t| t.join(jumped));
                        if states[target] != Some(joined) {
                            states[target] = Some(joined);
                            changed = true;
                        }
                    }
                    now = falls_through(op).then_some(next);
                    if now.is_some() && pc + op.words() >= f.code.len() {
                        return at(pc, "control falls off the end");
                    }
                }
                pc += op.words();
            }
            if !changed {
                return Ok(states);
            }
        }
    }

    /// Checks one instruction; the states behind it and at its jump target.
    fn step(&self, pc: usize, s: State) -> Result<(State, State), String> {
        let op = self.op(pc);
        let e = self.effect(pc)?;
        let live = RegSet::range(0, u32::from(self.f.live[pc]));
        let fail = |what: &str, set: RegSet| {
            at(pc, &format!("{}: R{} {what}", op.mnemonic(), set.first()))
        };
        let garbage = live.minus(s.written);
        if !garbage.is_empty() {
            return fail("is live but not written on every path", garbage);
        }
        let beyond = e.reads.or(e.cells).minus(live);
        if !beyond.is_empty() {
            return fail("is read but not live", beyond);
        }
        let as_value = e.reads.and(s.cell_may);
        if !as_value.is_empty() {
            return fail("holds a cell but is read as a value", as_value);
        }
        let no_cell = e.cells.minus(s.cell_must);
        if !no_cell.is_empty() {
            return fail("is used as a cell but may not hold one", no_cell);
        }
        let unguarded = s.tbc.minus(live);
        if !unguarded.is_empty() && op != Op::Close {
            return fail("is to be closed but not live", unguarded);
        }
        let a = u32::from(bc::a(self.f.code[pc]));
        if matches!(op, Op::NewTable | Op::Closure) && u32::from(self.f.live[pc]) != a {
            return at(pc, "the result register is not the top one");
        }
        if op == Op::NewRecord
            && u32::from(self.f.live[pc]) != a + u32::from(bc::c(self.f.code[pc]))
        {
            return at(pc, "the values are not the topmost registers");
        }
        let mut next = s;
        if op == Op::Tbc {
            next.tbc = next.tbc.or(RegSet::range(a, a + 1));
        } else if op == Op::TForPrep {
            next.tbc = next.tbc.or(RegSet::range(a + 3, a + 4));
        } else if op == Op::Close {
            next.tbc = next.tbc.and(RegSet::range(0, a));
        }
        let mut jumped = next;
        jumped.write(e.jump_writes);
        next.kill(e.kills);
        next.write(e.writes);
        next.cell_must = next.cell_must.or(e.boxes);
        next.cell_may = next.cell_may.or(e.boxes);
        if matches!(op, Op::ForPrep) {
            jumped.write(e.writes);
        }
        Ok((next, jumped))
    }

    fn backwards(&self, states: &[Option<State>]) -> Result<(), String> {
        let f = self.f;
        let starts: Vec<usize> = (0..f.code.len()).filter(|&pc| self.starts[pc]).collect();
        let mut needed: Vec<RegSet> = vec![RegSet::default(); f.code.len()];
        let reachable = self.reachable(states);
        loop {
            let mut changed = false;
            let mut after = RegSet::default();
            for &pc in starts.iter().rev() {
                let op = self.op(pc);
                let e = self.effect(pc)?;
                if !falls_through(op) {
                    after = RegSet::default();
                }
                let mut survive = after.minus(e.writes).minus(e.kills);
                if let Some(target) = self.jump(pc) {
                    survive = survive.or(needed[target as usize].minus(e.jump_writes));
                }
                let live = RegSet::range(0, u32::from(f.live[pc]));
                // Values that loops keep in their registers are operands, checked before.
                let lost = survive.minus(live).minus(if op == Op::ForPrep {
                    e.writes
                } else {
                    RegSet::default()
                });
                if reachable[pc] && !lost.is_empty() {
                    return at(
                        pc,
                        &format!(
                            "{}: R{} is read later but not live",
                            op.mnemonic(),
                            lost.first()
                        ),
                    );
                }
                after = survive.or(e.reads).or(e.cells);
                if self.leaders[pc] && needed[pc] != after {
                    needed[pc] = after;
                    changed = true;
                }
            }
            if !changed {
                return Ok(());
            }
        }
    }

    fn reachable(&self, states: &[Option<State>]) -> Vec<bool> {
        let mut out = vec![false; self.f.code.len()];
        let mut now = true;
        let mut pc = 0;
        while pc < out.len() {
            now |= self.leaders[pc] && states[pc].is_some();
            out[pc] = now;
            let op = self.op(pc);
            now &= falls_through(op);
            pc += op.words();
        }
        out
    }
}
